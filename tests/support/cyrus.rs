//! A Cyrus of the test's own: POP3 for one user, LMTP to fill the maildrop, and the passwords in a
//! file of SASL's.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::Path;

use super::maildrop::Maildrop;
use super::pop3::Pop3;
use super::servers::{self, PASSWORD, Site, USER, free_ports};
use super::transcript::Tls;
use super::unpacked::{self, Unpacked};

/// Stopped when dropped.
pub struct Cyrus {
    // Dropped before its directory.
    _server: Unpacked,
    site: Site,
    pop3: u16,
    pop3s: u16,
    lmtp: u16,
}

impl Cyrus {
    /// Starts one, unless it is not installed here.
    pub fn start() -> Option<Self> {
        let tree = unpacked::tree("cyrus")?;
        let cyrus = servers::start(|| {
            let site = Site::new();
            let [pop3, pop3s, lmtp] = free_ports();
            Unpacked::prepare(&site, "cyrus");
            site.file("etc/imapd.conf", &imapd(&site, &name(pop3)));
            site.file("etc/cyrus.conf", &services(pop3, pop3s, lmtp));
            let server = Unpacked::start(&tree, &site, &script(&site));
            let cyrus = Self { _server: server, site, pop3, pop3s, lmtp };
            if servers::is_greeting(pop3, &name(pop3)) {
                Ok(cyrus)
            } else {
                Err(format!("cyrus does not answer:\n{}", cyrus.site.log()))
            }
        });
        // It makes a user's INBOX at the first login, and LMTP takes mail for it from then on.
        Pop3::login(&cyrus, Tls::Implicit).quit();
        Some(cyrus)
    }
}

impl Maildrop for Cyrus {
    fn site(&self) -> &Site {
        &self.site
    }

    fn port(&self, tls: Tls) -> u16 {
        if tls == Tls::Implicit { self.pop3s } else { self.pop3 }
    }

    fn deliver(&self, messages: &[Vec<u8>]) {
        let mut lmtp = Lmtp::connect(self.lmtp);
        for message in messages {
            lmtp.deliver(message);
        }
    }

    fn held(&self) -> Vec<Vec<u8>> {
        // Each is a file that is called by its number and a dot, with CRLF at its line ends.
        let mut held = Vec::new();
        let mut dirs = vec![self.site.path("spool")];
        while let Some(dir) = dirs.pop() {
            for path in fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()) {
                if path.is_dir() {
                    dirs.push(path);
                } else if is_message(&path) {
                    // One that is gone meanwhile is not held.
                    held.extend(fs::read(path).ok());
                }
            }
        }
        held
    }

    fn count(&self) -> usize {
        // The files stay for a while.
        Pop3::login(self, Tls::Implicit).count()
    }
}

fn is_message(path: &Path) -> bool {
    let name = path.file_name().unwrap().to_str().unwrap();
    name.strip_suffix('.').is_some_and(|number| number.parse::<u32>().is_ok())
}

/// A session in which messages are delivered, one at a time.
struct Lmtp(BufReader<TcpStream>);

impl Lmtp {
    fn connect(port: u16) -> Self {
        let mut lmtp = Self(BufReader::new(TcpStream::connect(("127.0.0.1", port)).unwrap()));
        lmtp.expect("220");
        lmtp.command(b"LHLO localhost", "250");
        lmtp
    }

    fn deliver(&mut self, message: &[u8]) {
        self.command(b"MAIL FROM:<bob@example.net>", "250");
        self.command(format!("RCPT TO:<{USER}>").as_bytes(), "250");
        self.command(b"DATA", "354");
        let mut data = Vec::new();
        for line in message.split_inclusive(|&octet| octet == b'\n') {
            let line = line.strip_suffix(b"\n").unwrap_or(line);
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            let dot: &[u8] = if line.starts_with(b".") { b"." } else { b"" };
            data.extend([dot, line, b"\r\n"].concat());
        }
        data.push(b'.');
        self.command(&data, "250");
    }

    #[track_caller]
    fn command(&mut self, command: &[u8], code: &str) {
        self.0.get_mut().write_all(&[command, b"\r\n"].concat()).unwrap();
        self.expect(code);
    }

    #[track_caller]
    fn expect(&mut self, code: &str) {
        loop {
            let mut line = String::new();
            self.0.read_line(&mut line).unwrap();
            assert!(line.starts_with(code), "expected {code}, found {line:?}");
            if line.get(3..4) != Some("-") {
                return;
            }
        }
    }
}

fn name(port: u16) -> String {
    format!("cyrus-{port}.test")
}

fn imapd(site: &Site, name: &str) -> String {
    let root = site.root();
    format!(
        "servername: {name}
configdirectory: {root}/config
partition-default: {root}/spool
sievedir: {root}/sieve
virtdomains: userid
unixhierarchysep: yes
popminpoll: 0
autocreate_quota: -1
autocreate_post: 1
sasl_pwcheck_method: auxprop
sasl_auxprop_plugin: sasldb
sasl_sasldb_path: {root}/sasldb2
sasl_mech_list: PLAIN LOGIN SCRAM-SHA-256 SCRAM-SHA-1
tls_server_cert: {root}/certificate.pem
tls_server_key: {root}/cyrus-key.pem
"
    )
}

fn services(pop3: u16, pop3s: u16, lmtp: u16) -> String {
    format!(
        "SERVICES {{
  pop3 cmd=\"pop3d -U 30\" listen=\"127.0.0.1:{pop3}\"
  pop3s cmd=\"pop3d -s -U 30\" listen=\"127.0.0.1:{pop3s}\"
  lmtp cmd=\"lmtpd -a\" listen=\"127.0.0.1:{lmtp}\"
}}
"
    )
}

fn script(site: &Site) -> String {
    let (root, (user, domain)) = (site.root(), USER.split_once('@').unwrap());
    format!(
        "cd {root}
        mkdir config spool sieve
        install -m 600 key.pem cyrus-key.pem
        echo {PASSWORD} | saslpasswd2 -p -c -f sasldb2 -u {domain} {user}
        chown cyrus config spool sieve sasldb2 cyrus-key.pem
        echo CYRUSOPTFILESYS=0 > /etc/default/cyrus-imapd
        cyrus makedirs
        cyrmaster -d"
    )
}
