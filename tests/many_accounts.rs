//! What a fetch of many accounts needs of the system: files, threads, and ports that are whose they seem.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use rustix::process::{Signal, kill_process};

use crate::support::postie::{Home, Run};
use crate::support::servers::{self, NOBODY};

/// Starts a server of plaintext POP3 in which every user has one message. Its threads end with the
/// process.
fn serve() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            thread::spawn(move || converse(stream.unwrap(), |_| "+OK\r\n"));
        }
    });
    port
}

/// One session; `login` says what the user of this name is answered.
fn converse(mut stream: TcpStream, login: impl Fn(&str) -> &'static str) {
    // One of hundreds of clients on a busy machine may be slow.
    stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
    let mut lines = BufReader::new(stream.try_clone().unwrap());
    let mut answer = "+OK ready\r\n";
    let (mut line, mut user) = (String::new(), String::new());
    while stream.write_all(answer.as_bytes()).is_ok() {
        line.clear();
        if lines.read_line(&mut line).is_err() {
            return;
        }
        let mut words = line.split_whitespace();
        answer = match words.next() {
            Some("CAPA") => "-ERR no\r\n",
            Some("USER") => {
                user = words.collect();
                "+OK\r\n"
            }
            Some("PASS") => login(&user),
            Some("UIDL") => "+OK\r\n1 a\r\n.\r\n",
            Some("LIST") => "+OK\r\n1 16\r\n.\r\n",
            Some("RETR") => "+OK\r\nSubject: one\r\n\r\n.\r\n",
            Some("QUIT") | None => return,
            Some(_) => "+OK\r\n",
        };
    }
}

fn account(name: &str, port: u16, more: &str) -> String {
    format!(
        "[account.{name}]\nserver = \"127.0.0.1:{port}\"\ntls = \"none\"\nuser = \"{name}\"\n\
         password = \"not-a-secret\"\nmaildir = \"Mail/{name}\"\n{more}"
    )
}

/// A shell that runs the program under a bound.
fn bounded(home: &Home, bound: &str, args: &str) -> Run {
    let line = format!("{bound}; exec {} {args}", env!("CARGO_BIN_EXE_postie"));
    home.program(Path::new("/bin/sh"), ["-c".to_owned(), line])
}

#[test]
fn six_hundred_accounts_half_of_them_dead_need_no_more_than_1024_files() {
    const ACCOUNTS: usize = 600;
    let (home, port) = (Home::new(), serve());
    let mut config = String::new();
    for number in 0..ACCOUNTS {
        let (name, port) = match number % 2 {
            0 => (format!("live{number}"), port),
            _ => (format!("dead{number}"), 1),
        };
        config += &account(&name, port, "");
    }
    home.config(&config);
    for jobs in ["", "--jobs 64", "--jobs 600"] {
        for dir in [".local", "Mail"] {
            drop(fs::remove_dir_all(home.path().join(dir)));
        }
        fs::create_dir(home.path().join("Mail")).unwrap();
        let start = Instant::now();
        let outcome = bounded(&home, "ulimit -n 1024", &format!("fetch --json {jobs}")).run();
        outcome.exit(75);
        let objects: Vec<serde_json::Value> =
            outcome.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(objects.len(), ACCOUNTS);
        for object in &objects {
            let (name, status) = (object["account"].as_str().unwrap(), &object["error"]["status"]);
            if name.starts_with("live") {
                assert!(object["new"] == 1 && status.is_null(), "{object}");
                assert_eq!(home.files(&format!("Mail/{name}/new")).len(), 1);
            } else {
                assert!(object["new"] == 0 && *status == 75, "{object}");
            }
        }
        let seconds = start.elapsed().as_secs_f64();
        servers::note(&format!("fetch {jobs}: {ACCOUNTS} accounts in {seconds:.1} s"));
        assert!(start.elapsed() < Duration::from_mins(2));
    }
}

/// A server that has so many connections at once and turns others away, with these words.
struct Narrow {
    port: u16,
    counts: Arc<Mutex<Counts>>,
}

#[derive(Default)]
struct Counts {
    now: usize,
    turned_away: usize,
    logins: usize,
    /// True if connections are taken and not greeted yet.
    is_held: bool,
}

impl Narrow {
    fn start(most: usize, words: &'static str) -> Self {
        // That is what a login is answered, not a connection.
        let is_at_login = words.contains("[IN-USE]");
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let counts = Arc::<Mutex<Counts>>::default();
        let shared = Arc::clone(&counts);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (counts, mut stream) = (Arc::clone(&shared), stream.unwrap());
                thread::spawn(move || {
                    let is_one_too_many = {
                        let mut counts = counts.lock().unwrap();
                        counts.now += 1;
                        let is_one_too_many = counts.now > most;
                        counts.turned_away += usize::from(is_one_too_many);
                        is_one_too_many
                    };
                    if is_one_too_many {
                        // It takes no place.
                        counts.lock().unwrap().now -= 1;
                        if is_at_login {
                            converse(stream, |_| words);
                        } else {
                            drop(stream.write_all(words.as_bytes()));
                        }
                        return;
                    }
                    // As long as a session takes elsewhere, at least.
                    thread::sleep(Duration::from_millis(20));
                    servers::wait_until(|| !counts.lock().unwrap().is_held);
                    converse(stream, |_| "+OK\r\n");
                    let mut counts = counts.lock().unwrap();
                    counts.logins += 1;
                    counts.now -= 1;
                });
            }
        });
        Self { port, counts }
    }
}

/// Accounts at one server, and the Maildirs that they need.
fn accounts(home: &Home, number: usize, port: u16) -> String {
    drop(fs::create_dir(home.path().join("Mail")));
    (0..number).map(|number| account(&format!("a{number}"), port, "")).collect()
}

#[test]
fn at_one_host_ten_accounts_at_most_are_fetched_at_once_unless_more_are_asked_for() {
    for (jobs, most) in [(None, 10), (Some("--jobs=30"), 30), (Some("--jobs=3"), 3)] {
        let (home, server) = (Home::new(), Narrow::start(usize::MAX, ""));
        home.config(&accounts(&home, 40, server.port));
        let counts = || server.counts.lock().unwrap();
        counts().is_held = true;
        let running = home.postie(["fetch"].into_iter().chain(jobs)).start();
        assert!(servers::wait_until(|| counts().now == most), "{jobs:?}");
        // While none of them is answered no other comes.
        thread::sleep(Duration::from_millis(100));
        assert_eq!(counts().now, most, "{jobs:?}");
        counts().is_held = false;
        running.finish().exit(0).silent();
        assert!(servers::wait_until(|| counts().logins == 40));
    }
}

#[test]
fn what_a_server_turns_away_for_the_others_sake_waits_until_they_have_ended() {
    for words in [
        "-ERR [SYS/TEMP] too many connections\r\n",
        "-ERR [IN-USE] Maximum number of connections from user+IP exceeded\r\n",
        "-ERR go away\r\n",
        "",
    ] {
        let (home, server) = (Home::new(), Narrow::start(3, words));
        home.config(&accounts(&home, 40, server.port));
        home.postie(["fetch"]).run().exit(0).silent();
        for number in 0..40 {
            assert_eq!(home.files(&format!("Mail/a{number}/new")).len(), 1, "{words:?}, {number}");
        }
        assert!(servers::wait_until(|| server.counts.lock().unwrap().logins == 40));
        let counts = server.counts.lock().unwrap();
        // Once it is known how many it takes, no more are tried.
        assert!(counts.turned_away <= 9, "{words:?}: {}", counts.turned_away);
    }
    // One that takes none says so for each account.
    let (home, server) = (Home::new(), Narrow::start(0, "-ERR closed today\r\n"));
    home.config(&accounts(&home, 12, server.port));
    let outcome = home.postie(["fetch"]).run();
    assert_eq!(outcome.stderr.matches("closed today").count(), 12, "{}", outcome.stderr);
    assert!(server.counts.lock().unwrap().turned_away <= 12 + 9);
}

#[test]
fn a_login_that_is_refused_for_now_is_not_tried_again_and_keeps_no_other_account_waiting() {
    const REFUSALS: [&str; 2] = [
        "-ERR [IN-USE] mailbox is locked by another session\r\n",
        "-ERR [LOGIN-DELAY] minimum time between logins is 600 seconds\r\n",
    ];
    let (home, logins) = (Home::new(), Arc::new(Mutex::new(Vec::new())));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let heard = Arc::clone(&logins);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let heard = Arc::clone(&heard);
            let login = move |user: &str| {
                heard.lock().unwrap().push(user.to_owned());
                let number: usize = user.trim_start_matches('a').parse().unwrap();
                *REFUSALS.get(number % 4).unwrap_or(&"+OK\r\n")
            };
            thread::spawn(move || converse(stream.unwrap(), login));
        }
    });
    home.config(&accounts(&home, 40, port));
    let outcome = home.postie(["fetch"]).run();
    outcome.exit(75);
    for words in ["locked by another session", "minimum time between logins"] {
        assert_eq!(outcome.stderr.matches(words).count(), 10, "{}", outcome.stderr);
    }
    for number in 0..40 {
        let new = home.files(&format!("Mail/a{number}/new")).len();
        assert_eq!(new, usize::from(number % 4 > 1), "{number}");
    }
    // Asking again at once is what both words forbid.
    assert_eq!(logins.lock().unwrap().len(), 40);
}

#[test]
#[ignore = "it takes a minute; cargo test --test tests two_thousand -- --ignored"]
fn two_thousand_accounts_at_fifty_hosts_need_no_more_than_1024_files() {
    let listener = TcpListener::bind("0.0.0.0:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            thread::spawn(move || converse(stream.unwrap(), |_| "+OK\r\n"));
        }
    });
    for number in [500, 1_000, 2_000] {
        let home = Home::new();
        let at = |number: usize| format!("127.0.0.{}:{port}", number % 50 + 1);
        let config = accounts(&home, number, port);
        let tables = config.split_inclusive("[account.").enumerate();
        let mine = format!("127.0.0.1:{port}");
        let config = tables.map(|(number, table)| table.replace(&mine, &at(number)));
        home.config(&config.collect::<String>());
        for what in ["fetches", "polls"] {
            let start = Instant::now();
            bounded(&home, "ulimit -n 1024", "fetch").run().exit(0).silent();
            let seconds = start.elapsed().as_secs_f64();
            servers::note(&format!("{what} of {number} accounts at 50 hosts: {seconds:.1} s"));
        }
        for number in 0..number {
            assert_eq!(home.files(&format!("Mail/a{number}/new")).len(), 1, "{number}");
        }
    }
}

#[test]
fn a_command_for_a_password_runs_when_its_accounts_turn_comes() {
    let (home, port) = (Home::new(), serve());
    fs::create_dir(home.path().join("Mail")).unwrap();
    // The second account's command succeeds only when the first one's message is there.
    let command =
        "password-command = \"test -n \\\"$(ls Mail/first/new)\\\" && echo not-a-secret\"\n";
    let second = account("second", port, command).replace("password = \"not-a-secret\"\n", "");
    home.config(&format!("{}{second}", account("first", port, "")));
    home.postie(["fetch", "--jobs", "1"]).run().exit(0).silent();
    assert_eq!(home.files("Mail/second/new").len(), 1);
    // One that hangs holds up neither the others nor their locks.
    let hanging = "password-command = \"touch began; exec sleep 300\"\n";
    let hanging = account("hanging", port, hanging).replace("password = \"not-a-secret\"\n", "");
    home.config(&format!("{hanging}{}", account("third", port, "")));
    let running = home.postie(["fetch"]).start();
    assert!(servers::wait_until(|| {
        home.path().join("began").exists() && home.files("Mail/third/new").len() == 1
    }));
    kill_process(running.pid(), Signal::TERM).unwrap();
    assert_eq!(running.finish().status, 128 + 15);
}

#[test]
fn accounts_that_were_not_begun_when_a_signal_comes_say_nothing() {
    let (home, silent) = (Home::new(), TcpListener::bind("127.0.0.1:0").unwrap());
    home.config(&accounts(&home, 5, silent.local_addr().unwrap().port()));
    let running = home.postie(["fetch", "--jobs", "1"]).start();
    let (_first, _) = silent.accept().unwrap();
    kill_process(running.pid(), Signal::TERM).unwrap();
    let ended = running.finish();
    assert_eq!(ended.status, 128 + 15);
    // The first says so if it was waiting already.
    assert!(ended.stderr.lines().count() <= 1, "{}", ended.stderr);
}

#[test]
fn where_there_is_no_thread_to_be_had_a_run_ends_for_now_and_loses_nothing() {
    /// Kilobytes of memory that a thread takes in advance, and that all else needs.
    const THREAD: usize = 256 << 10;
    const ELSE: usize = 128 << 10;
    let port = serve();
    let mut statuses = Vec::new();
    for threads in 0..8 {
        let home = Home::new();
        home.config(&["a", "b", "c"].map(|name| account(name, port, "")).concat());
        fs::create_dir(home.path().join("Mail")).unwrap();
        let bound = format!("ulimit -v {}", ELSE + threads * THREAD);
        let stack = (THREAD << 10).to_string();
        let outcome = bounded(&home, &bound, "fetch").env("RUST_MIN_STACK", stack).run();
        assert!([0, 75].contains(&outcome.status), "{threads}: {outcome:?}");
        statuses.push(outcome.status);
        home.postie(["fetch"]).run().exit(0).silent();
        for name in ["a", "b", "c"] {
            assert_eq!(home.files(&format!("Mail/{name}/new")).len(), 1);
            assert!(home.files(&format!("Mail/{name}/tmp")).is_empty());
        }
    }
    // A bound that the system does not keep would show nothing.
    assert_eq!((statuses.first(), statuses.last()), (Some(&75), Some(&0)), "{statuses:?}");
}

#[test]
fn a_run_that_finds_a_young_one_at_work_says_nothing_and_one_that_finds_an_old_one_does() {
    let (home, port) = (Home::new(), serve());
    fs::create_dir(home.path().join("Mail")).unwrap();
    home.config(&account("home", port, ""));
    home.postie(["fetch"]).run().exit(0).silent();
    let state = home.files(".local/state/postie/fetch").remove(0);
    let lock = File::options().write(true).open(state.join("lock")).unwrap();
    let taken = lock.metadata().unwrap().modified().unwrap();
    assert!(taken.elapsed().unwrap() < Duration::from_mins(1), "the lock does not show its time");
    lock.lock().unwrap();
    home.postie(["fetch"]).run().exit(75).silent();
    let verbose = home.postie(["fetch", "-v"]).run();
    verbose.exit(75).says("another run is active on this mailbox");
    lock.set_modified(SystemTime::now() - Duration::from_hours(2)).unwrap();
    home.postie(["fetch"]).run().exit(75).says("another run is active on this mailbox");
    home.config(&account("home", port, "patience = \"6h\"\n"));
    home.postie(["fetch"]).run().exit(75).silent();
    let verbose = home.postie(["fetch", "-v"]).run();
    verbose.exit(75).says("another run is active on this mailbox");
}

/// A program of another user that greets, and notes all that it is told.
fn listen_as(user: u32, home: &Home) -> (Child, u16) {
    let script = "use IO::Socket::INET; $| = 1; \
        my $s = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 5) or die; \
        print $s->sockport, \"\\n\"; \
        while (my $c = $s->accept) { \
            print $c \"+OK ready\\r\\n\"; \
            while (my $l = <$c>) { print $l; print $c \"-ERR no\\r\\n\"; } }";
    let heard = File::create(home.path().join("heard")).unwrap();
    let user = user.to_string();
    let words = ["--reuid", &user, "--regid", &user, "--clear-groups", "perl", "-e", script];
    let mut command = Command::new("setpriv");
    let child = command.args(words).stdin(Stdio::null()).stdout(heard).spawn().unwrap();
    let port = || heard_by(home).lines().next().and_then(|line| line.parse().ok());
    assert!(servers::wait_until(|| port().is_some()));
    (child, port().unwrap())
}

fn heard_by(home: &Home) -> String {
    fs::read_to_string(home.path().join("heard")).unwrap()
}

#[test]
fn nothing_is_said_in_plain_text_to_a_port_of_this_machine_that_another_person_holds() {
    const ANN: u32 = 54_323;
    if !servers::is_root() || !["setpriv", "perl"].iter().all(|name| servers::is_installed(name)) {
        return servers::note("SKIPPED: only root can listen as other users");
    }
    // A person; a service, as those of Debian's packages are; and nobody.
    for (user, is_person) in [(ANN, true), (101, false), (NOBODY, false), (0, false)] {
        let home = Home::new();
        let (mut child, port) = listen_as(user, &home);
        home.config(&account("home", port, ""));
        fs::create_dir(home.path().join("Mail")).unwrap();
        let outcome = home.postie(["fetch"]).run();
        let (postie, as_ann) = (home.path().join("postie"), ANN.to_string());
        fs::copy(env!("CARGO_BIN_EXE_postie"), &postie).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        if is_person {
            let words = format!(
                "postie: fetch home: 127.0.0.1:{port}: port {port} of this machine is held by another \
                 user ({as_ann}), and nothing is encrypted\n"
            );
            outcome.exit(77).says(&words);
            assert_eq!(heard_by(&home), format!("{port}\n"), "it was told something");
        } else {
            assert!(heard_by(&home).contains("USER home"), "{user}: {}", outcome.stderr);
        }
    }
    // Their own program may be talked to.
    let home = Home::new();
    let (mut child, port) = listen_as(ANN, &home);
    home.config(&account("home", port, ""));
    fs::create_dir(home.path().join("Mail")).unwrap();
    let postie = home.path().join("postie");
    fs::copy(env!("CARGO_BIN_EXE_postie"), &postie).unwrap();
    let owner = format!("{ANN}:{ANN}");
    let given = Command::new("chown").args(["-R", &owner]).arg(home.path()).status().unwrap();
    assert!(given.success());
    let ann = ANN.to_string();
    let words = ["--reuid", &ann, "--regid", &ann, "--clear-groups"].map(str::to_owned);
    let words = words.into_iter().chain([postie.display().to_string(), "fetch".to_owned()]);
    home.program(Path::new("/usr/bin/setpriv"), words).run();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(heard_by(&home).contains("USER home"));
}

#[test]
fn programs_that_take_mail_or_follow_a_fetch_end_with_their_children_at_the_first_signal() {
    let hang = "sleep 300 & echo $! > children; wait";
    for key in ["deliver-command", "after-fetch"] {
        let (home, port) = (Home::new(), serve());
        fs::create_dir(home.path().join("Mail")).unwrap();
        let mut config = account("home", port, &format!("{key} = \"{hang}\"\n"));
        if key == "deliver-command" {
            config = config.replace("maildir = \"Mail/home\"\n", "");
        }
        home.config(&config);
        let running = home.postie(["fetch"]).start();
        let children = home.path().join("children");
        let pid = || fs::read_to_string(&children).ok().filter(|text| text.ends_with('\n'));
        assert!(servers::wait_until(|| pid().is_some()), "{key}: it does not run");
        let start = Instant::now();
        kill_process(running.pid(), Signal::TERM).unwrap();
        let outcome = running.finish();
        assert_eq!(outcome.status, 128 + 15, "{key}: {}", outcome.stderr);
        assert!(start.elapsed() < Duration::from_secs(20), "{key}");
        let path = format!("/proc/{}/cmdline", pid().unwrap().trim());
        assert!(fs::read(path).unwrap_or_default().is_empty(), "{key}: a child lives on");
    }
}
