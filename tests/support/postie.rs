//! Runs the built program in a home directory of its own, with nothing else in its environment.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Once};
use std::thread::JoinHandle;

use rustix::process::Pid;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use tempfile::TempDir;

/// A fresh home directory, removed when dropped. Nothing of the user's own reaches the program.
pub struct Home(TempDir);

impl Home {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Writes `~/.config/postie/config.toml`, mode 0600.
    pub fn config(&self, text: &str) -> PathBuf {
        let dir = self.path().join(".config/postie");
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&dir).unwrap();
        self.file(".config/postie/config.toml", text)
    }

    /// Writes a file below the home directory, mode 0600.
    pub fn file(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path().join(name);
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&path)
            .unwrap();
        file.write_all(text.as_ref()).unwrap();
        path
    }

    /// The messages in `new/` and `cur/` of a Maildir below the home directory, by file name.
    pub fn messages(&self, maildir: &str) -> Vec<Vec<u8>> {
        let mut paths = Vec::new();
        for part in ["new", "cur"] {
            paths.extend(self.files(&format!("{maildir}/{part}")));
        }
        paths.sort_by_key(|path| path.file_name().map(OsStr::to_owned));
        paths.iter().map(|path| fs::read(path).unwrap()).collect()
    }

    /// The files of a directory below the home directory; none when it is not there.
    pub fn files(&self, dir: &str) -> Vec<PathBuf> {
        let Ok(entries) = fs::read_dir(self.path().join(dir)) else { return Vec::new() };
        let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        paths
    }

    /// The program with `args`, standard input empty unless [`Run::stdin`] says otherwise.
    pub fn postie<A: Into<OsString>>(&self, args: impl IntoIterator<Item = A>) -> Run {
        self.program(Path::new(env!("CARGO_BIN_EXE_postie")), args)
    }

    /// The same for another path to the program, such as a symbolic link called `sendmail`.
    pub fn program<A: Into<OsString>>(
        &self,
        program: &Path,
        args: impl IntoIterator<Item = A>,
    ) -> Run {
        heed_signals();
        let mut command = Command::new(program);
        command
            .args(args.into_iter().map(Into::into))
            .env_clear()
            .env("HOME", self.path())
            .env("PATH", "/usr/bin:/bin")
            .current_dir(self.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        Run { command, stdin: Vec::new() }
    }
}

/// Lets programs begin with no signal ignored, whoever has started the tests, be it nohup: what is
/// handled here is neither handled nor ignored in a program that is started.
fn heed_signals() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let ignored = postie::program::ignored_signals();
        for signal in [SIGHUP, SIGINT, SIGTERM] {
            if ignored >> (signal - 1) & 1 == 1 {
                signal_hook::flag::register(signal, Arc::default()).unwrap();
            }
        }
    });
}

/// A run that has not begun.
pub struct Run {
    command: Command,
    stdin: Vec<u8>,
}

impl Run {
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = bytes.into();
        self
    }

    /// Where standard output and standard error go, instead of into the outcome.
    pub fn output(mut self, stdout: impl Into<Stdio>, stderr: impl Into<Stdio>) -> Self {
        self.command.stdout(stdout).stderr(stderr);
        self
    }

    /// Starts the program and leaves it running; standard input is closed.
    pub fn spawn(mut self) -> Child {
        self.command.stdin(Stdio::null()).spawn().unwrap()
    }

    /// The same with this file or socket as its standard input.
    pub fn spawn_with(mut self, stdin: impl Into<Stdio>) -> Child {
        self.command.stdin(stdin).spawn().unwrap()
    }

    /// The directory that the program begins in.
    pub fn dir(mut self, dir: &Path) -> Self {
        self.command.current_dir(dir);
        self
    }

    /// Runs the program to its end.
    pub fn run(self) -> Outcome {
        self.start().finish()
    }

    /// Starts the program and hands it its input.
    pub fn start(mut self) -> Running {
        let mut child = self.command.stdin(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let input = self.stdin;
        // The program may end without reading its input: a broken pipe is its business, not ours.
        let feeder = std::thread::spawn(move || drop(stdin.write_all(&input)));
        Running { child, feeder }
    }
}

/// A run under way.
pub struct Running {
    child: Child,
    feeder: JoinHandle<()>,
}

impl Running {
    /// For signals. It is this program's until [`Running::finish`].
    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Waits for the end.
    pub fn finish(self) -> Outcome {
        let output = self.child.wait_with_output().unwrap();
        self.feeder.join().unwrap();
        Outcome::new(output)
    }
}

/// What a run left behind.
#[derive(Debug)]
pub struct Outcome {
    /// The exit status; 128 plus the signal's number if one ended the run.
    pub status: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Outcome {
    pub fn new(output: Output) -> Self {
        Self {
            status: output
                .status
                .code()
                .unwrap_or_else(|| 128 + output.status.signal().unwrap_or_default()),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Fails unless the exit status is `status`.
    #[track_caller]
    pub fn exit(&self, status: i32) -> &Self {
        assert_eq!(
            self.status, status,
            "exit status\nstdout: {}\nstderr: {}",
            self.stdout, self.stderr
        );
        self
    }

    /// Fails unless standard error is exactly `text`.
    #[track_caller]
    pub fn stderr(&self, text: &str) -> &Self {
        assert_eq!(self.stderr, text);
        self
    }

    /// Fails unless standard error contains `text`.
    #[track_caller]
    pub fn says(&self, text: &str) -> &Self {
        assert!(self.stderr.contains(text), "expected {text:?} in:\n{}", self.stderr);
        self
    }

    /// Fails unless both outputs are empty.
    #[track_caller]
    pub fn silent(&self) -> &Self {
        assert_eq!((self.stdout.as_str(), self.stderr.as_str()), ("", ""));
        self
    }
}
