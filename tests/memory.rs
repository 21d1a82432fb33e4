//! What other processes of the same user see of a run: not its memory, not its environment, no core
//! file. Each attempt is made at a program that does not protect itself, too, where it succeeds.

use std::fs;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::support::pki::Authority;
use crate::support::postie::Home;
use crate::support::server::Server;
use crate::support::servers;

/// A user without a name, whose number no Debian package has.
const ANN: u32 = 54_321;

/// A home of `ANN`'s, or of this user where that is not root, and the program where both can run it.
struct Place(Home);

impl Place {
    /// The account asks `port` for mail, with the password that `command` prints.
    fn new(port: u16, command: &str) -> Self {
        let home = Home::new();
        home.config(&format!(
            "[account.home]\nserver = \"127.0.0.1:{port}\"\nuser = \"ann@example.com\"\n\
             tls = \"none\"\npassword-command = \"{command}\"\n"
        ));
        let postie = home.path().join("postie");
        fs::copy(env!("CARGO_BIN_EXE_postie"), &postie).unwrap();
        if servers::is_root() {
            for name in ["", ".config", ".config/postie", ".config/postie/config.toml"] {
                chown(home.path().join(name), Some(ANN), Some(ANN)).unwrap();
            }
        }
        fs::set_permissions(home.path(), fs::Permissions::from_mode(0o700)).unwrap();
        Self(home)
    }

    /// A shell of the user that owns the home.
    fn shell(&self, line: &str) -> Command {
        let mut command = if servers::is_root() {
            let mut command = Command::new("setpriv");
            let id = ANN.to_string();
            command.args(["--reuid", &id, "--regid", &id, "--clear-groups", "sh", "-c", line]);
            command
        } else {
            let mut command = Command::new("sh");
            command.args(["-c", line]);
            command
        };
        let home = self.0.path();
        command.env_clear().env("HOME", home).env("PATH", "/usr/bin:/bin").current_dir(home);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    /// Whether the user's shell ends with this status.
    fn ends(&self, line: &str, status: i32) -> bool {
        self.shell(line).status().unwrap().code() == Some(status)
    }

    /// Starts `program` with as large a core file as may be.
    fn start(&self, program: &str) -> Child {
        let line = format!("ulimit -c $(ulimit -H -c); exec {program}");
        self.shell(&line).spawn().unwrap()
    }
}

/// A port of this machine where nobody answers.
fn silent_port() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

/// Waits until the program has become what its command says.
fn is_running(child: &Child, name: &str) -> bool {
    let path = format!("/proc/{}/comm", child.id());
    servers::wait_until(|| fs::read_to_string(&path).is_ok_and(|comm| comm.trim() == name))
}

#[test]
fn no_other_process_of_the_user_reads_its_memory_or_gets_a_core_file() {
    let (listener, port) = silent_port();
    let place = Place::new(port, "echo not-a-secret");
    let mut open = place.start("sleep 60");
    let mut postie = place.start("./postie fetch");
    // It has asked for the password, and waits for a greeting.
    let (_connection, _) = listener.accept().unwrap();
    assert!(is_running(&open, "sleep"));
    let (open_id, postie_id) = (open.id(), postie.id());
    for file in ["environ", "mem", "maps", "auxv", "fd/0"] {
        let read = |id: u32| place.ends(&format!("head -c 0 < /proc/{id}/{file}"), 0);
        assert!(!read(postie_id), "{file}");
        // Some systems let no process read another one's memory.
        if !read(open_id) {
            servers::note(&format!("no process may read another one's {file} here"));
        }
    }
    assert!(place.ends(&format!("head -c 0 < /proc/{open_id}/environ"), 0));
    if servers::is_installed("strace") {
        let attach = |id: u32| place.shell(&format!("exec strace -o /dev/null -p {id}"));
        assert_eq!(attach(postie_id).status().unwrap().code(), Some(1));
        let mut tracer = attach(open_id).spawn().unwrap();
        let is_traced = || {
            let status = fs::read_to_string(format!("/proc/{open_id}/status")).unwrap();
            status.lines().any(|line| line.starts_with("TracerPid:") && !line.ends_with("\t0"))
        };
        assert!(servers::wait_until(|| is_traced() || tracer.try_wait().unwrap().is_some()));
        if tracer.try_wait().unwrap().is_some() {
            servers::note("no process may attach to another one here");
        }
        drop(tracer.kill());
        tracer.wait().unwrap();
    }
    let limits = fs::read_to_string(format!("/proc/{postie_id}/limits")).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().skip(4).take(2).collect::<Vec<_>>(), ["0", "0"]);
    for child in [&open, &postie] {
        kill_process(Pid::from_child(child), Signal::ABORT).unwrap();
    }
    assert!(!postie.wait().unwrap().core_dumped());
    if !open.wait().unwrap().core_dumped() {
        servers::note("no process leaves a core file here");
    }
}

#[test]
fn a_password_command_may_read_its_own_files_in_proc() {
    let (listener, port) = silent_port();
    drop(listener);
    // Some find out by them what called them, or where they are.
    let command = "head -c 1 /proc/self/environ > ran && readlink /proc/self/exe >> ran && echo x";
    let place = Place::new(port, command);
    // Nobody is there: the command came first.
    assert!(place.ends("./postie fetch", 75));
    assert!(fs::metadata(place.0.path().join("ran")).unwrap().len() > 2);
}

#[test]
fn a_user_who_is_not_root_has_the_program_find_itself() {
    let place = Place::new(1, "echo not-a-secret");
    assert!(place.ends("./postie install --user", 0));
    let unit = place.0.path().join(".local/share/systemd/user/postie-fetch.service");
    let program = place.0.path().join("postie");
    let line = format!("\nExecStart={} fetch\n", Path::new(&program).display());
    assert!(fs::read_to_string(unit).unwrap().contains(&line));
}

/// A password that occurs nowhere else.
const PASSWORD: &str = "not-a-secret-but-hard-to-miss";

/// How often a text is in the memory of a process that may be written to. Only root can look.
fn times_in_memory(id: u32, text: &str) -> usize {
    let maps = fs::read_to_string(format!("/proc/{id}/maps")).unwrap();
    let mut memory = fs::File::open(format!("/proc/{id}/mem")).unwrap();
    let mut times = 0;
    for line in maps.lines().filter(|line| line.contains(" rw")) {
        let (start, rest) = line.split_once('-').unwrap();
        let end = rest.split_once(' ').unwrap().0;
        let [start, end] = [start, end].map(|number| u64::from_str_radix(number, 16).unwrap());
        memory.seek(SeekFrom::Start(start)).unwrap();
        let mut octets = Vec::new();
        // What cannot be read is no memory of the program's.
        drop((&memory).take(end - start).read_to_end(&mut octets));
        times += memchr::memmem::find_iter(&octets, text).count();
    }
    times
}

#[test]
fn a_password_is_nowhere_in_memory_once_the_session_is_over() {
    if !servers::is_root() {
        return servers::skip("only root can look into the memory of a run");
    }
    // It is there while it is needed.
    let (listener, port) = silent_port();
    let place = Place::new(port, &format!("echo {PASSWORD}"));
    let mut waiting = place.start("./postie fetch");
    let (_connection, _) = listener.accept().unwrap();
    assert!(times_in_memory(waiting.id(), PASSWORD) > 0);
    waiting.kill().unwrap();
    waiting.wait().unwrap();

    let authority = Authority::new();
    let users = [("ann@example.com", PASSWORD)];
    let server = Server::start(authority.issue(&["127.0.0.1"]).config(), &users);
    for source in ["password-file = \"password\"", "password-command = [\"cat\", \"password\"]"] {
        let home = Home::new();
        home.file("ca.pem", authority.pem());
        home.file("password", PASSWORD);
        home.config(&format!(
            "[account.ann]\nserver = \"127.0.0.1\"\nuser = \"ann@example.com\"\n{source}\n\
             ca-file = \"ca.pem\"\nfetch.port = {}\nsend.port = {}\n\
             fetch.after-fetch = \"touch ran; while [ ! -e go ]; do sleep 0.02; done\"\n",
            server.pop3.port(),
            server.smtp.port(),
        ));
        home.postie(["send", "ann@example.com"]).stdin("\nhello\n").run().exit(0);
        let run = home.postie(["fetch", "--keep", "none"]).start();
        let id = u32::try_from(run.pid().as_raw_nonzero().get()).unwrap();
        let ran = home.path().join("ran");
        assert!(servers::wait_until(|| ran.exists()));
        let times = times_in_memory(id, PASSWORD);
        home.file("go", "");
        run.finish().exit(0);
        assert_eq!(times, 0, "{source}");
    }
}
