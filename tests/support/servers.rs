//! What the real servers have in common: a directory with a certificate, free ports, the wait
//! until they answer, and how to do without them where they are not installed.

use std::env;
use std::fs::{self, Permissions};
use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{self, Command};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::pki::Authority;
use super::transcript::Tls;

/// The only user of every server.
pub const USER: &str = "ann@example.com";
/// The user's password.
pub const PASSWORD: &str = "not-a-secret";

/// Who a server that root starts is when it touches mail: `nobody`.
pub const NOBODY: u32 = 65_534;

/// How long a server is waited for.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// Whether a program is installed; if it is not, the test is skipped.
pub fn is_installed(program: &str) -> bool {
    installed(program).is_some()
}

/// Where a program is; if it is not installed, the test is skipped.
pub fn installed(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    // Servers are not on everybody's path.
    let usual = ["/usr/local/sbin", "/usr/sbin", "/sbin"].map(PathBuf::from);
    let mut places = env::split_paths(&path).chain(usual).map(|dir| dir.join(program));
    let place = places.find(|place| place.is_file());
    if place.is_none() {
        skip(&format!("{program} is not installed"));
    }
    place
}

/// Says that a test shows nothing here, and why. Where it is decided whether a change may land,
/// that is a failure.
pub fn skip(why: &str) {
    assert!(env::var_os("CI").is_none_or(|ci| ci != "true"), "cannot skip this in CI: {why}");
    note(&format!("SKIPPED: {why}"));
}

/// Says something that is to be seen even when the test passes, unlike what the macros print.
pub fn note(text: &str) {
    io::stderr().write_all(format!("{text}\n").as_bytes()).unwrap();
}

/// Whether this process is root.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// A message that a server has taken.
#[derive(Debug, PartialEq, Eq)]
pub struct Arrived {
    /// The reverse-path.
    pub from: String,
    /// The recipients, in whatever order.
    pub to: Vec<String>,
    /// Line ends are LF, and the first field is the one that every server adds, Received.
    pub text: Vec<u8>,
}

/// A directory for one server and whoever it becomes, removed when dropped.
pub struct Site(TempDir);

impl Site {
    /// With a certificate for 127.0.0.1, which is localhost, and its authority's.
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).unwrap();
        let site = Self(dir);
        let authority = Authority::new();
        let identity = authority.issue(&["127.0.0.1", "localhost"]);
        site.file("ca.pem", &authority.pem());
        site.file("certificate.pem", &identity.certificate);
        site.secret("key.pem", &identity.key);
        site.secret("password", PASSWORD);
        site.secret("wrong-password", "not-the-secret");
        site
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// As configuration files want it.
    pub fn root(&self) -> &str {
        self.0.path().to_str().unwrap()
    }

    pub fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        path
    }

    fn secret(&self, name: &str, text: &str) {
        fs::set_permissions(self.file(name, text), Permissions::from_mode(0o600)).unwrap();
    }

    /// A directory that belongs to the server's user for mail.
    pub fn mail_dir(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(&path).unwrap();
        give_away(&path);
        path
    }

    /// Directories for a server that takes mail to leave it in: `arrived/tmp` while it is written,
    /// `arrived/new` when it is whole. They belong to `user`.
    pub fn arrivals(&self, user: &str) {
        for name in ["arrived", "arrived/tmp", "arrived/new"] {
            fs::create_dir(self.path(name)).unwrap();
            self.give(name, user);
        }
    }

    /// Makes a file or directory the property of a user.
    pub fn give(&self, name: &str, user: &str) {
        assert!(Command::new("chown").arg(user).arg(self.path(name)).status().unwrap().success());
    }

    /// Waits for one file in `arrived/new` and takes it away.
    pub fn arrived(&self) -> Vec<u8> {
        let mut path = None;
        let arrives = wait_until(|| {
            let mut entries = fs::read_dir(self.path("arrived/new")).unwrap();
            path = entries.next().map(|entry| entry.unwrap().path());
            path.is_some()
        });
        assert!(arrives, "nothing has arrived:\n{}", self.log());
        let path = path.unwrap();
        let text = fs::read(&path).unwrap();
        fs::remove_file(path).unwrap();
        text
    }

    /// Puts messages into a mailbox, behind those that are there.
    pub fn deliver(&self, mailbox: &str, messages: &[Vec<u8>]) {
        // No name ever comes back: a server may remember it.
        static NEXT: AtomicU32 = AtomicU32::new(0);
        for dir in ["", "/new", "/cur", "/tmp"] {
            self.mail_dir(&format!("{mailbox}{dir}"));
        }
        for message in messages {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            // The server must not meet it before it is whole, and its own.
            let name = format!("{}.M{number}.example", 1_700_000_000 + number);
            let path = self.path(&format!("{mailbox}/tmp/{name}"));
            fs::write(&path, message).unwrap();
            give_away(&path);
            fs::rename(&path, self.path(&format!("{mailbox}/new/{name}"))).unwrap();
        }
    }

    /// How many messages are in a mailbox.
    pub fn count(&self, mailbox: &str) -> usize {
        let files = |dir| fs::read_dir(self.path(&format!("{mailbox}/{dir}"))).unwrap();
        files("new").count() + files("cur").count()
    }

    /// The messages of a mailbox.
    pub fn held(&self, mailbox: &str) -> Vec<Vec<u8>> {
        let read = || -> io::Result<Vec<_>> {
            let mut held = Vec::new();
            for dir in ["new", "cur"] {
                for file in fs::read_dir(self.path(&format!("{mailbox}/{dir}")))? {
                    held.push(fs::read(file?.path())?);
                }
            }
            Ok(held)
        };
        // A server that is still at it may take a file away before it is read.
        loop {
            match read() {
                Ok(held) => return held,
                Err(error) => assert_eq!(error.kind(), io::ErrorKind::NotFound, "{error}"),
            }
        }
    }

    /// What a server has logged so far.
    pub fn log(&self) -> String {
        fs::read(self.path("log"))
            .map(|octets| String::from_utf8_lossy(&octets).into_owned())
            .unwrap_or_default()
    }

    /// How to log in to a server of this site at `port`.
    pub fn account(&self, port: u16, tls: Tls) -> Vec<String> {
        self.login(port, tls, "password")
    }

    /// The same as keys of an account.
    pub fn table(&self, port: u16) -> String {
        let ca_file = self.path("ca.pem");
        format!(
            "server = \"127.0.0.1:{port}\"\nuser = \"{USER}\"\npassword = \"{PASSWORD}\"\n\
             ca-file = \"{}\"\n",
            ca_file.display()
        )
    }

    /// The arguments of a fetch from a server of this site into `~/Mail`.
    pub fn fetch(&self, port: u16, tls: Tls, keep: &str) -> Vec<String> {
        let args = ["fetch", "--maildir=Mail", "--keep", keep].map(str::to_owned);
        args.into_iter().chain(self.account(port, tls)).collect()
    }

    /// How to be turned away.
    pub fn wrong_account(&self, port: u16, tls: Tls) -> Vec<String> {
        self.login(port, tls, "wrong-password")
    }

    /// The password comes from a file: a command that was just started has the mailbox's lock,
    /// too, until it is executed, and if the program is killed in this instant, for a little longer.
    fn login(&self, port: u16, tls: Tls, password: &str) -> Vec<String> {
        vec![
            format!("--server=127.0.0.1:{port}"),
            format!("--user={USER}"),
            format!("--password-file={}", self.path(password).display()),
            format!("--tls={}", tls.name()),
            format!("--ca-file={}", self.path("ca.pem").display()),
        ]
    }
}

/// Makes a path the property of the server's user for mail, which is ours unless we are root.
pub fn give_away(path: &Path) {
    if is_root() {
        chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
    }
}

/// Ports on which nobody listens now, and none of those that the system hands out: whoever looks
/// for a server there before it has come up must not meet another test's. Somebody else may be
/// there first, so be ready to try again.
pub fn free_ports<const N: usize>() -> [u16; N] {
    const FIRST: u16 = 20_000;
    const COUNT: u32 = 10_000;
    static NEXT: AtomicU32 = AtomicU32::new(0);
    [(); N].map(|()| {
        loop {
            // Another run of the tests begins elsewhere.
            let number = process::id() * 97 + NEXT.fetch_add(1, Ordering::Relaxed);
            let port = FIRST + u16::try_from(number % COUNT).unwrap();
            if TcpListener::bind(("127.0.0.1", port)).is_ok() {
                return port;
            }
        }
    })
}

/// Tries three times to start a server, since another program may have been faster on its ports.
pub fn start<T>(mut attempt: impl FnMut() -> Result<T, String>) -> T {
    let mut failures = String::new();
    for _ in 0..3 {
        match attempt() {
            Ok(server) => return server,
            Err(failure) => failures += &failure,
        }
    }
    panic!("{failures}")
}

/// Waits until whoever listens on `port` greets with a line that contains `name`.
pub fn is_greeting(port: u16, name: &str) -> bool {
    wait_until(|| {
        let Ok(stream) = TcpStream::connect(("127.0.0.1", port)) else { return false };
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).is_ok() && line.contains(name)
    })
}

/// Waits until something is true, not for ever. Says whether it is.
pub fn wait_until(mut is_true: impl FnMut() -> bool) -> bool {
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        if is_true() {
            return true;
        }
        thread::sleep(Duration::from_millis(5));
    }
    false
}
