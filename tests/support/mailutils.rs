//! A GNU pop3d of the test's own, from Mailutils: POP3 for one user.

use std::fs::{self, File};
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
    format: Format,
}

/// How the messages are stored.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A file for each.
    Maildir,
    /// One file for all (RFC 4155), into which the server writes fields of its own.
    Mbox,
}

impl Mailutils {
    /// Starts one, unless it is not installed here or cannot be started.
    pub fn start() -> Option<Self> {
        Self::start_with(Format::Maildir)
    }

    /// The same with messages in this format.
    pub fn start_with(format: Format) -> Option<Self> {
        if !servers::is_installed("pop3d") {
            return None;
        }
        if !servers::is_root() {
            servers::skip("only root can start pop3d");
            return None;
        }
        Some(servers::start(|| Self::attempt(format)))
    }

    fn attempt(format: Format) -> Result<Self, String> {
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
        let mailutils = Self { site, pop3, pop3s, master, format };
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
        match self.format {
            Format::Maildir => self.site.deliver(MAILBOX, messages),
            Format::Mbox => {
                let mut mbox = fs::read(self.site.path(MAILBOX)).unwrap_or_default();
                for message in messages {
                    mbox.extend_from_slice(b"From ann@example.com Thu Jan  1 00:00:00 2026\n");
                    mbox.extend_from_slice(message);
                    mbox.extend_from_slice(if message.ends_with(b"\n") { b"\n" } else { b"\n\n" });
                }
                fs::write(self.site.path(MAILBOX), mbox).unwrap();
                self.site.give(MAILBOX, &format!("{NOBODY}:{NOBODY}"));
            }
        }
    }

    /// Whether it gives this message back as it is. From an mbox, an empty body gets an empty line.
    pub fn is_faithful_to(&self, message: &[u8]) -> bool {
        self.format == Format::Maildir
            || !message.ends_with(b"\n\n") && !message.windows(6).any(|six| six == b"\nFrom ")
    }

    /// The messages in the user's mailbox.
    pub fn held(&self) -> Vec<Vec<u8>> {
        match self.format {
            Format::Maildir => {
                self.site.held(MAILBOX).iter().map(|text| without_uidl(text)).collect()
            }
            Format::Mbox => {
                let mbox = fs::read(self.site.path(MAILBOX)).unwrap_or_default();
                messages(&mbox).iter().map(|text| without_uidl(text)).collect()
            }
        }
    }

    /// How many messages are in the user's mailbox.
    pub fn count(&self) -> usize {
        match self.format {
            Format::Maildir => self.site.count(MAILBOX),
            Format::Mbox => self.held().len(),
        }
    }
}

impl Drop for Mailutils {
    fn drop(&mut self) {
        kill_process(Pid::from_child(&self.master), Signal::TERM).unwrap_or_default();
        drop(self.master.wait());
    }
}

/// The messages of an mbox file. None of them has a line that begins with "From ".
fn messages(mbox: &[u8]) -> Vec<Vec<u8>> {
    let mut messages: Vec<Vec<u8>> = Vec::new();
    for line in mbox.split_inclusive(|&octet| octet == b'\n') {
        match messages.last_mut() {
            _ if line.starts_with(b"From ") => messages.push(Vec::new()),
            Some(message) => message.extend_from_slice(line),
            None => {}
        }
    }
    // The empty line in front of the next message belongs to neither.
    for message in &mut messages {
        message.pop();
    }
    messages
}

/// Without the fields in which the server notes what it knows of a message: as it sends the
/// message, and sooner or later in the mailbox, too.
pub fn without_uidl(text: &[u8]) -> Vec<u8> {
    const FIELDS: [&[u8]; 4] = [b"X-UIDL: ", b"Status: ", b"X-UID: ", b"X-IMAPbase: "];
    let lines = text.split_inclusive(|&octet| octet == b'\n');
    let is_servers = |line: &&[u8]| FIELDS.iter().any(|field| line.starts_with(field));
    lines.filter(|line| !is_servers(line)).collect::<Vec<_>>().concat()
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
