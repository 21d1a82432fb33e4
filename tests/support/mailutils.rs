//! A GNU pop3d of the test's own, from Mailutils: POP3 for one user.

use std::fs::File;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use super::servers::{self, NOBODY, Site, free_ports};
use super::transcript::Tls;

/// What the server makes of its user's home directory.
const MAILBOX: &str = "mail/INBOX";

/// The password, as crypt(3) hides it.
const HASH: &str = "$6$postie$fFxT5Hv/RbLOgAcODrohVUvKLpXxyxgUGDupqwguydbijFKrxuB89FaVXZeglOsxqwDy\
                    PSvRFHmV.AOOeXJI11";

/// Stopped when dropped.
pub struct Mailutils {
    pub site: Site,
    pop3: u16,
    pop3s: u16,
    master: Child,
}

impl Mailutils {
    /// Starts one, unless it is not installed here or cannot be started.
    pub fn start() -> Option<Self> {
        if !servers::is_installed("pop3d") {
            return None;
        }
        if !servers::is_root() {
            servers::skip("only root can start pop3d");
            return None;
        }
        Some(servers::start(Self::attempt))
    }

    fn attempt() -> Result<Self, String> {
        let site = Site::new();
        let [pop3, pop3s] = free_ports();
        let root = site.root();
        site.mail_dir("mail");
        site.mail_dir("locks");
        site.mail_dir("users");
        site.file("users/example.com", &format!("ann:{HASH}:{NOBODY}:{NOBODY}::{root}/mail:\n"));
        let config = site.file("pop3d.conf", &config(&site, pop3, pop3s));
        let log = File::create(site.path("log")).unwrap();
        let mut command = Command::new("pop3d");
        command.arg("--config-file").arg(config).env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        let master =
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().unwrap();
        let mailutils = Self { site, pop3, pop3s, master };
        if servers::is_greeting(pop3, "+OK POP3 Ready ") {
            Ok(mailutils)
        } else {
            Err(format!("pop3d does not answer:\n{}", mailutils.site.log()))
        }
    }

    /// The arguments of a fetch from it into `~/Mail`.
    pub fn fetch(&self, tls: Tls, keep: &str) -> Vec<String> {
        self.site.fetch(self.port(tls), tls, keep)
    }

    pub fn port(&self, tls: Tls) -> u16 {
        if tls == Tls::Implicit { self.pop3s } else { self.pop3 }
    }

    /// Puts messages into the user's mailbox, behind those that are there.
    pub fn deliver(&self, messages: &[Vec<u8>]) {
        self.site.deliver(MAILBOX, messages);
    }

    /// The messages in the user's mailbox.
    pub fn held(&self) -> Vec<Vec<u8>> {
        self.site.held(MAILBOX).iter().map(|text| without_uidl(text)).collect()
    }

    /// How many messages are in the user's mailbox.
    pub fn count(&self) -> usize {
        self.site.count(MAILBOX)
    }
}

impl Drop for Mailutils {
    fn drop(&mut self) {
        kill_process(Pid::from_child(&self.master), Signal::TERM).unwrap_or_default();
        drop(self.master.wait());
    }
}

/// Without the field in which the server notes a message's UID at the header's end: as it sends the
/// message, and sooner or later in the mailbox, too.
pub fn without_uidl(text: &[u8]) -> Vec<u8> {
    let lines = text.split_inclusive(|&octet| octet == b'\n');
    lines.filter(|line| !line.starts_with(b"X-UIDL: ")).collect::<Vec<_>>().concat()
}

fn config(site: &Site, pop3: u16, pop3s: u16) -> String {
    let root = site.root();
    format!(
        "mode daemon;
foreground yes;
pidfile {root}/pid;
logging {{ syslog no; }};
auth {{ authentication generic:virtdomain; authorization virtdomain; }};
virtdomain {{ passwd-dir {root}/users; }};
mandatory-locking {{ lock-directory {root}/locks; }};
tls {{ ssl-certificate-file {root}/certificate.pem; ssl-key-file {root}/key.pem; }};
server 127.0.0.1:{pop3} {{ tls-mode required; }};
server 127.0.0.1:{pop3s} {{ tls-mode connection; }};
"
    )
}
