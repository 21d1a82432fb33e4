//! A Courier of the test's own: POP3 for one user, and the daemon that knows the password.

use std::fs;
use std::net::TcpStream;

use super::maildrop::Maildrop;
use super::servers::{self, NOBODY, PASSWORD, Site, USER, free_ports};
use super::transcript::Tls;
use super::unpacked::{self, Unpacked};

/// What the server takes for its user's maildrop.
const MAILDIR: &str = "home/Maildir";

/// Stopped when dropped.
pub struct Courier {
    // Dropped before its directory.
    _server: Unpacked,
    site: Site,
    pop3: u16,
    pop3s: u16,
}

impl Courier {
    /// Starts one that offers these SASL mechanisms inside TLS, unless it is not installed here. As
    /// Debian configures it there are none: USER and PASS have to do.
    pub fn start(mechanisms: &str) -> Option<Self> {
        let tree = unpacked::tree("courier")?;
        Some(servers::start(|| {
            let site = Site::new();
            let [pop3, pop3s] = free_ports();
            Unpacked::prepare(&site, "courier");
            fs::create_dir(site.path("etc/courier")).unwrap();
            // Both are read by a shell, so the last word counts.
            let add = |name: &str, settings: &str| {
                let path = format!("etc/courier/{name}");
                let text = fs::read_to_string(tree.join(&path)).unwrap();
                site.file(&path, &(text + settings));
            };
            add("authdaemonrc", "authmodulelist=authuserdb\n");
            add(
                "pop3d",
                &format!(
                    "PORT={pop3}\nADDRESS=127.0.0.1\nMAXPERIP=40\nPOP3AUTH_TLS=\"{mechanisms}\"\n"
                ),
            );
            add(
                "pop3d-ssl",
                &format!("SSLPORT={pop3s}\nSSLADDRESS=127.0.0.1\nTLS_CACHEFILE=\nTLS_DHPARAMS=\n"),
            );
            let pem = ["key.pem", "certificate.pem"];
            let pem = pem.map(|name| fs::read_to_string(site.path(name)).unwrap());
            site.file("etc/courier/pop3d.pem", &pem.concat());
            site.mail_dir("home");
            site.deliver(MAILDIR, &[]);
            let server = Unpacked::start(&tree, &site, &script(&site));
            let courier = Self { _server: server, site, pop3, pop3s };
            let listens = || TcpStream::connect(("127.0.0.1", pop3s)).is_ok();
            if servers::is_greeting(pop3, "+OK Hello there.") && servers::wait_until(listens) {
                Ok(courier)
            } else {
                Err(format!("courier does not answer:\n{}", courier.site.log()))
            }
        }))
    }
}

impl Maildrop for Courier {
    fn site(&self) -> &Site {
        &self.site
    }

    fn port(&self, tls: Tls) -> u16 {
        if tls == Tls::Implicit { self.pop3s } else { self.pop3 }
    }

    fn deliver(&self, messages: &[Vec<u8>]) {
        self.site.deliver(MAILDIR, messages);
    }

    fn held(&self) -> Vec<Vec<u8>> {
        self.site.held(MAILDIR)
    }
}

fn script(site: &Site) -> String {
    let root = site.root();
    // Debian has the directory of the socket made when the machine starts.
    format!(
        "umask 077
        userdb {USER} set uid={NOBODY} gid={NOBODY} home={root}/home mail={root}/{MAILDIR}
        echo {PASSWORD} | userdbpw -md5 | userdb {USER} set systempw
        makeuserdb
        umask 022
        mkdir -p /run/courier/authdaemon
        authdaemond start
        /usr/lib/courier/pop3d start
        /usr/lib/courier/pop3d-ssl start"
    )
}
