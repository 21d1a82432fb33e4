//! `connect-command`: a program as the connection, with what goes wrong with one.

use std::fs;
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};

use crate::support::pki::Authority;
use crate::support::postie::Home;
use crate::support::server::Server;
use crate::support::servers::{self, free_ports};

/// Notes what it was called with and its process, and passes octets to and from this machine.
const RELAY: &str = r#"
use IO::Socket::INET;
use IO::Select;
my ($host, $port) = @ARGV;
open(my $log, ">>", "relay.log");
print $log "$host $port $$\n";
close $log;
my $socket = IO::Socket::INET->new("127.0.0.1:$port") or exit 9;
my $select = IO::Select->new(\*STDIN, $socket);
while (my @ready = $select->can_read) {
    for my $from (@ready) {
        sysread($from, my $octets, 65536) or exit 0;
        my $to = $from == $socket ? \*STDOUT : $socket;
        while (length $octets) {
            my $written = syswrite($to, $octets) or exit 1;
            substr($octets, 0, $written) = "";
        }
    }
}
"#;

/// A home with an account on a server whose name no resolver knows, reached by this program.
fn home(program: &[&str], more: &str) -> (Home, Server) {
    home_for("mail.invalid", program, more)
}

/// The same for a server of another name.
fn home_for(host: &str, program: &[&str], more: &str) -> (Home, Server) {
    let authority = Authority::new();
    let users = [("ann@example.com", "not-a-secret")];
    let server = Server::start(authority.issue(&[host]).config(), &users);
    let home = Home::new();
    home.file("ca.pem", authority.pem());
    home.file("relay.pl", RELAY);
    home.config(&format!(
        "[account.ann]\nserver = \"{host}\"\nuser = \"ann@example.com\"\n\
         password = \"not-a-secret\"\nca-file = \"ca.pem\"\nconnect-command = {program:?}\n{more}\
         fetch.port = {}\nsend.port = {}\n",
        server.pop3.port(),
        server.smtp.port()
    ));
    (home, server)
}

/// The process whose number the program wrote into a file.
fn pid(home: &Home, file: &str) -> Option<Pid> {
    let text = fs::read_to_string(home.path().join(file)).ok()?;
    Pid::from_raw(text.split_whitespace().last()?.parse().ok()?)
}

#[track_caller]
fn assert_is_over(pid: Option<Pid>) {
    assert!(test_kill_process(pid.unwrap()).is_err(), "the program is still there");
}

#[test]
fn mail_is_sent_fetched_and_checked_through_a_program_that_ends_with_it() {
    let (home, server) = home(&["perl", "relay.pl", "%h", "%p"], "");
    let send = home.postie(["send", "ann@example.com"]).stdin("Subject: hello\n\nhello\n");
    send.run().exit(0).silent();
    assert_is_over(pid(&home, "relay.log"));
    home.postie(["fetch"]).run().exit(0).silent();
    assert_is_over(pid(&home, "relay.log"));
    assert_eq!(home.messages("Maildir").len(), 1);
    let log = fs::read_to_string(home.path().join("relay.log")).unwrap();
    let words = |port: u16| format!("mail.invalid {port} ");
    assert!(log.contains(&words(server.pop3.port())) && log.contains(&words(server.smtp.port())));
    let check = home.postie(["check", "ann"]).run();
    assert!(check.exit(0).stdout.contains("connection: `perl` was started"), "{}", check.stdout);
    assert!(!check.stdout.contains("name:"), "{}", check.stdout);
}

#[test]
fn the_certificate_must_be_for_the_server_that_was_named() {
    let (home, _server) = home(&["perl", "relay.pl", "%h", "%p"], "");
    let config = home.path().join(".config/postie/config.toml");
    let text = fs::read_to_string(config).unwrap().replace("mail.invalid", "other.invalid");
    home.config(&text);
    home.postie(["fetch"]).run().exit(77).says("it is for another name (mail.invalid)");
}

#[test]
fn a_program_that_fails_is_named_with_how_it_ended() {
    const HINT: &str = "hint: run `connect-command` by hand";
    let fetch = |program: &[&str], status| {
        let outcome = home(program, "").0.postie(["fetch", "--timeout=20"]).run();
        outcome.exit(status);
        outcome
    };
    fetch(&["sh", "-c", "exit 7"], 75).says("`connect-command` ended (exit status: 7)").says(HINT);
    fetch(&["sh", "-c", "read line; kill -9 $$"], 75).says("`connect-command` ended (signal: 9");
    fetch(&["true"], 75).says("`connect-command` ended (exit status: 0)").says(HINT);
    fetch(&["/nowhere/at-all"], 78).says("cannot run `connect-command`: ").says(HINT);
    let garbage = fetch(&["sh", "-c", "echo hello, I am a banner; exec sleep 60"], 76);
    garbage.says("does not speak TLS on this port").says(HINT);
}

#[test]
fn plaintext_is_not_spoken_to_a_program() {
    let (home, _server) = home(&["cat"], "tls = \"none\"\n");
    home.postie(["fetch"]).run().exit(78).says("`connect-command` needs TLS");
    home.postie(["check", "ann"]).run().exit(78);
}

#[test]
fn a_program_that_hangs_is_given_up_and_ended() {
    const HANGS: [&str; 3] = ["sh", "-c", "echo $$ > pid; exec sleep 60"];
    let (home, _server) = home(&HANGS, "");
    let began = Instant::now();
    home.postie(["fetch", "--timeout=1"]).run().exit(75).says("timed out after 1 s");
    assert!(began.elapsed() < Duration::from_secs(30), "its end was waited for");
    assert_is_over(pid(&home, "pid"));
    let (home, _server) = self::home(&HANGS, "max-time = \"1s\"\n");
    home.postie(["fetch"]).run().exit(75).says("timed out after 1 s in all");
    assert_is_over(pid(&home, "pid"));
    // Neither the end of its input nor SIGTERM moves it.
    let deaf = ["sh", "-c", "trap '' TERM; echo $$ > pid; while :; do sleep 0.1; done"];
    let (home, _server) = self::home(&deaf, "");
    home.postie(["fetch", "--timeout=1"]).run().exit(75);
    assert_is_over(pid(&home, "pid"));
}

#[test]
fn a_signal_ends_the_program_too() {
    let (home, _server) = home(&["sh", "-c", "echo $$ > pid; exec sleep 60"], "");
    let run = home.postie(["fetch"]).start();
    assert!(servers::wait_until(|| pid(&home, "pid").is_some()));
    kill_process(run.pid(), Signal::TERM).unwrap();
    run.finish().exit(128 + 15);
    assert_is_over(pid(&home, "pid"));
}

/// An sshd of its own, which lets this user in with a key made for it; `None` where there is none.
struct Sshd {
    daemon: std::process::Child,
    port: u16,
    files: tempfile::TempDir,
}

impl Sshd {
    fn start() -> Option<Self> {
        if ["sshd", "ssh", "ssh-keygen"].iter().any(|program| !servers::is_installed(program)) {
            servers::skip("OpenSSH is not installed");
            return None;
        }
        let files = tempfile::tempdir().unwrap();
        let path = |name: &str| files.path().join(name).to_str().unwrap().to_owned();
        for key in ["host", "user"] {
            let keygen = Command::new("ssh-keygen")
                .args(["-q", "-t", "ed25519", "-N", "", "-f", &path(key)])
                .status();
            assert!(keygen.unwrap().success());
        }
        if servers::is_root() {
            // Where sshd locks its unprivileged half in.
            fs::create_dir_all("/run/sshd").unwrap();
        }
        let sshd = servers::installed("sshd").unwrap();
        let (daemon, port) = servers::start(|| {
            let [port] = free_ports();
            let config = format!(
                "Port {port}\nListenAddress 127.0.0.1\nHostKey {}\nAuthorizedKeysFile {}\n\
                 StrictModes no\nUsePAM no\nPidFile none\nPasswordAuthentication no\n\
                 PermitRootLogin yes\n",
                path("host"),
                path("user.pub")
            );
            fs::write(path("config"), config).unwrap();
            let daemon = Command::new(&sshd)
                .args(["-D", "-e", "-f", &path("config")])
                .stderr(Stdio::null())
                .spawn();
            let mut daemon = daemon.map_err(|error| error.to_string())?;
            if servers::is_greeting(port, "SSH-2.0") {
                return Ok((daemon, port));
            }
            drop(daemon.kill());
            drop(daemon.wait());
            Err("sshd does not answer".to_owned())
        });
        Some(Self { daemon, port, files })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.files.path().join(name)
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        drop(self.daemon.kill());
        drop(self.daemon.wait());
    }
}

#[test]
fn mail_goes_through_a_real_ssh() {
    let Some(sshd) = Sshd::start() else { return };
    let (key, port) = (sshd.path("user"), sshd.port.to_string());
    let known = format!("UserKnownHostsFile={}", sshd.path("known").display());
    let user = Command::new("id").arg("-un").output().unwrap().stdout;
    let target = format!("{}@127.0.0.1", String::from_utf8(user).unwrap().trim());
    let program = [
        "ssh",
        "-F",
        "none",
        "-i",
        key.to_str().unwrap(),
        "-o",
        &known,
        "-o",
        "StrictHostKeyChecking=no",
        "-o",
        "BatchMode=yes",
        "-o",
        "LogLevel=ERROR",
        "-p",
        &port,
        // The jump host does not know the server's name either.
        "-W",
        "127.0.0.1:%p",
        &target,
    ];
    let (home, _server) = home(&program, "");
    let text = "x".repeat(70);
    let body: String = std::iter::repeat_n(format!("{text}\n"), 20_000).collect();
    let send = home.postie(["send", "ann@example.com"]).stdin(format!("Subject: x\n\n{body}"));
    send.run().exit(0).silent();
    home.postie(["fetch"]).run().exit(0).silent();
    let messages = home.messages("Maildir");
    let [message] = messages.as_slice() else { panic!("{} messages", messages.len()) };
    assert!(message.ends_with(body.as_bytes()));
    // The way is closed: ssh says why, and so does postie.
    drop(sshd);
    home.postie(["fetch"]).run().exit(75).says("`connect-command` ended (exit status: 255)");
}

/// A SOCKS proxy of its own on this machine, and its log; `None` where there is none.
struct Socks {
    daemon: std::process::Child,
    port: u16,
    files: tempfile::TempDir,
}

impl Socks {
    fn start(options: &[&str]) -> Option<Self> {
        if !servers::is_installed("microsocks") {
            return None;
        }
        // Only one of the netcats speaks SOCKS.
        let help = Command::new("nc").arg("-h").output();
        let help = help.map(|output| String::from_utf8_lossy(&output.stderr).into_owned());
        if !help.is_ok_and(|help| help.contains("-X proxy_protocol")) {
            servers::skip("OpenBSD's netcat is not installed");
            return None;
        }
        let files = tempfile::tempdir().unwrap();
        let (daemon, port) = servers::start(|| {
            let [port] = free_ports();
            let log = fs::File::create(files.path().join("log")).unwrap();
            let daemon = Command::new("microsocks")
                .args(["-i", "127.0.0.1", "-p", &port.to_string()])
                .args(options)
                .stderr(log)
                .spawn();
            let mut daemon = daemon.map_err(|error| error.to_string())?;
            if servers::wait_until(|| TcpStream::connect(("127.0.0.1", port)).is_ok()) {
                return Ok((daemon, port));
            }
            drop(daemon.kill());
            drop(daemon.wait());
            Err("microsocks does not answer".to_owned())
        });
        Some(Self { daemon, port, files })
    }

    fn log(&self) -> String {
        fs::read_to_string(self.files.path().join("log")).unwrap()
    }
}

impl Drop for Socks {
    fn drop(&mut self) {
        drop(self.daemon.kill());
        drop(self.daemon.wait());
    }
}

#[test]
fn mail_goes_through_a_real_socks_proxy_which_looks_the_name_up() {
    let Some(socks) = Socks::start(&[]) else { return };
    let proxy = format!("127.0.0.1:{}", socks.port);
    let program = ["nc", "-X", "5", "-x", &proxy, "%h", "%p"];
    let (home, server) = home_for("localhost", &program, "");
    let send = home.postie(["send", "ann@example.com"]).stdin("Subject: hello\n\nhello\n");
    send.run().exit(0).silent();
    home.postie(["fetch"]).run().exit(0).silent();
    assert_eq!(home.messages("Maildir").len(), 1);
    for port in [server.pop3.port(), server.smtp.port()] {
        let line = format!("connected to localhost:{port}");
        assert!(servers::wait_until(|| socks.log().contains(&line)), "{}", socks.log());
    }
    drop(socks);
    home.postie(["fetch"]).run().exit(75).says("`connect-command` ended (exit status: 1)");
    // One that wants a password lets nothing through.
    let Some(closed) = Socks::start(&["-u", "ann", "-P", "not-a-secret"]) else { return };
    let proxy = format!("127.0.0.1:{}", closed.port);
    let (home, _server) = home_for("localhost", &["nc", "-X", "5", "-x", &proxy, "%h", "%p"], "");
    home.postie(["fetch"]).run().exit(75).says("`connect-command` ended (exit status: 1)");
}
