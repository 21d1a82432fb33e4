//! The submission service under a user of its own, and callers under users of theirs. Root only.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::Child;

use rustix::process::{Pid, Signal, kill_process};

use super::postie::{Home, Run};
use super::servers;
use super::sink::Sink;

/// The service's user, whose number no Debian package has.
pub const SERVICE: u32 = 54_400;

/// The password, which only the service may read.
pub const PASSWORD: &str = "not-a-secret-but-for-callers";

/// A service that listens, in a directory that every user may enter.
pub struct Service {
    pub home: Home,
    pub postie: PathBuf,
    listening: Option<Child>,
}

impl Service {
    /// Starts one that sends to `sink`, with these keys in its [account.home.send]. `None`, and the
    /// test is skipped, where it cannot be run.
    pub fn start(sink: &Sink, keys: &str) -> Option<Self> {
        Self::start_with(&config(&sink.address.to_string(), keys))
    }

    /// The same with another configuration.
    pub fn start_with(config: &str) -> Option<Self> {
        let mut service = Self::new(config)?;
        service.listen();
        Some(service)
    }

    /// The same without a process that listens.
    pub fn new(config: &str) -> Option<Self> {
        if !servers::is_root() || !servers::is_installed("setpriv") {
            servers::skip("only root can act as other users");
            return None;
        }
        let home = Home::new();
        fs::set_permissions(home.path(), Permissions::from_mode(0o755)).unwrap();
        let postie = home.path().join("postie");
        let built = Path::new(env!("CARGO_BIN_EXE_postie"));
        if fs::hard_link(built, &postie).is_err() {
            fs::copy(built, &postie).unwrap();
        }
        symlink(&postie, home.path().join("sendmail")).unwrap();
        let service = Self { home, postie, listening: None };
        for dir in ["service", "service/.config", "service/.config/postie", "run"] {
            fs::create_dir(service.path(dir)).unwrap();
            service.give(dir);
        }
        fs::set_permissions(service.path("service"), Permissions::from_mode(0o700)).unwrap();
        service.home.file("service/secret", format!("{PASSWORD}\n"));
        service.give("service/secret");
        service.configure(config);
        let callers = format!(
            "[account.system.send]\nsubmit = \"{}\"\n",
            service.path("run/submit").display()
        );
        let path = service.home.file("callers.toml", callers);
        fs::set_permissions(path, Permissions::from_mode(0o644)).unwrap();
        Some(service)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    fn give(&self, name: &str) {
        chown(self.path(name), Some(SERVICE), Some(SERVICE)).unwrap();
    }

    /// Replaces the service's configuration.
    pub fn configure(&self, text: &str) {
        self.home.file("service/.config/postie/config.toml", text);
        self.give("service/.config/postie/config.toml");
    }

    /// Starts the process that listens, and waits until it does.
    pub fn listen(&mut self) {
        let log = File::options().append(true).create(true).open(self.path("log")).unwrap();
        let run =
            self.of_service(&["submit-server", "--listen", "../run/submit", "--timeout", "5"]);
        self.listening = Some(run.output(std::process::Stdio::null(), log).spawn());
        let path = self.path("run/submit");
        let is_up = servers::wait_until(|| std::os::unix::net::UnixStream::connect(&path).is_ok());
        assert!(is_up, "{}", self.log());
    }

    /// Ends the process that listens; those that serve go on.
    pub fn stop(&mut self) {
        if let Some(mut listening) = self.listening.take() {
            listening.kill().unwrap();
            listening.wait().unwrap();
        }
    }

    /// The ids of the processes that serve a caller.
    pub fn serving(&self) -> Vec<i32> {
        let pid = self.listening.as_ref().unwrap().id();
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
        // One that has ended, and was not waited for yet, has no command line.
        let runs = |pid: &&str| {
            fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| !line.is_empty())
        };
        children.split_whitespace().filter(runs).map(|pid| pid.parse().unwrap()).collect()
    }

    /// Kills the processes that serve a caller. Returns their number.
    pub fn kill(&self) -> usize {
        let pids = self.serving().into_iter().filter_map(Pid::from_raw);
        pids.filter(|pid| kill_process(*pid, Signal::KILL).is_ok()).count()
    }

    /// The program as the service's user.
    pub fn of_service(&self, args: &[&str]) -> Run {
        let run = self.as_user(SERVICE, &self.postie, args);
        run.env("HOME", self.path("service")).dir(&self.path("service"))
    }

    /// The program as a caller, who may read nothing of the service's.
    pub fn caller(&self, uid: u32, args: &[&str]) -> Run {
        let config = self.path("callers.toml");
        let head = ["--config", config.to_str().unwrap()];
        self.as_user(uid, &self.postie, &[&head, args].concat())
    }

    /// Any program as a user, with an empty home directory.
    pub fn as_user(&self, uid: u32, program: &Path, args: &[&str]) -> Run {
        let home = self.path(&format!("home.{uid}"));
        if fs::create_dir(&home).is_ok() {
            chown(&home, Some(uid), Some(uid)).unwrap();
        }
        let uid = uid.to_string();
        let head = ["--reuid", &uid, "--regid", &uid, "--clear-groups"];
        let words = [&head[..], &[program.to_str().unwrap()], args].concat();
        self.home.program(Path::new("/usr/bin/setpriv"), words).env("HOME", home)
    }

    /// What the service has said.
    pub fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    /// Waits for a line in the log that has all of these words.
    #[track_caller]
    pub fn logs(&self, words: &[&str]) {
        let is_there =
            || self.log().lines().any(|line| words.iter().all(|word| line.contains(word)));
        assert!(servers::wait_until(is_there), "{words:?} in:\n{}", self.log());
    }

    /// The messages that wait in the service's outbox.
    pub fn waiting(&self) -> usize {
        self.home.files("service/.local/state/postie/outbox/waiting").len()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A configuration of the service.
pub fn config(server: &str, keys: &str) -> String {
    format!(
        "[aliases]\nroot = \"ann@example.com\"\n[account.home]\nserver = \"{server}\"\n\
         tls = \"none\"\nuser = \"ann@example.com\"\npassword-file = \"secret\"\n\
         [account.home.send]\n{keys}\n"
    )
}
