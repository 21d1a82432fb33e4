//! The submission service: callers under users of their own against a service under another, and
//! everything that a caller may do wrong.

use std::fs::{self, Permissions};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use crate::support::postie::{Home, Running};
use crate::support::servers::{self, NOBODY, note};
use crate::support::sink::Sink;
use crate::support::submit_service::{PASSWORD, Service, config};

/// Users without names.
const ANN: u32 = 54_321;
const BOB: u32 = 54_322;

/// The user of web servers on Debian.
const WWW_DATA: u32 = 33;

const MESSAGE: &str = "Subject: x\n\nhello\n";

/// Fails unless README.md has these words.
#[track_caller]
fn documented(words: &str) {
    let readme = fs::read_to_string("README.md").unwrap();
    let readme = readme.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(readme.contains(words), "README.md does not say: {words}");
}

/// A whole frame, with a Bcc field that a caller's program would have removed.
fn frame(to: &[&str], message: &str) -> Vec<u8> {
    let to = to.iter().map(|address| format!("to {address}\n")).collect::<Vec<_>>().concat();
    format!("submit 1\n{to}message {}\n{message}end\n", message.len()).into_bytes()
}

#[test]
fn every_user_sends_and_none_learns_the_password() {
    let sink = Sink::start(&[]);
    let Some(service) = Service::start(&sink, "rewrite-from = \"always\"\n") else { return };
    for (uid, name) in [(0, "root"), (WWW_DATA, "www-data"), (NOBODY, "nobody"), (ANN, "\"\"")] {
        let sent = service.caller(uid, &["send", "bob@example.net", "root"]).stdin(MESSAGE).run();
        sent.exit(0).silent();
        let taken = sink.taken();
        let [message] = &taken[..] else { panic!("{taken:?}") };
        assert_eq!(message.recipients, ["<bob@example.net>", "<ann@example.com>"]);
        assert!(message.sender.starts_with("<ann@example.com>"), "{message:?}");
        let text = message.lines();
        for part in ["\nFrom: ann@example.com\n", "\nDate: ", "\nMessage-ID: <", "\n\nhello\n"] {
            assert!(text.contains(part), "{part:?} in {text}");
        }
        let words = [&format!("uid={uid} user={name} "), "to=bob@example.net", " status=0 "];
        service.logs(&[words[0], words[1], words[2], "taken"]);
    }
    // Of the service's files, nothing can be read; nor of its processes.
    for file in ["service/secret", "service/.config/postie/config.toml"] {
        let path = service.path(file);
        let read = service.as_user(ANN, Path::new("/bin/cat"), &[path.to_str().unwrap()]).run();
        assert!(read.status != 0 && !read.stdout.contains(PASSWORD), "{read:?}");
    }
    assert!(!service.log().contains(PASSWORD), "{}", service.log());
}

#[test]
fn a_caller_does_not_learn_the_password_while_the_service_has_it() {
    // A server that says the password back, in clear and as it came, and then waits.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let keys = "timeout = \"5s\"\n";
    let config = config(&listener.local_addr().unwrap().to_string(), keys);
    let Some(service) = Service::start_with(&config) else { return };
    let server = thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        let mut chunk = [0; 4096];
        socket.write_all(b"220 x\r\n").unwrap();
        assert!(socket.read(&mut chunk).unwrap() > 0);
        socket.write_all(b"250-x\r\n250 AUTH PLAIN\r\n").unwrap();
        let read = socket.read(&mut chunk).unwrap();
        let said = String::from_utf8_lossy(&chunk[..read]).trim().to_owned();
        (socket, said)
    });
    let caller = service.caller(ANN, &["send", "bob@example.net"]).stdin(MESSAGE).start();
    let (mut socket, said) = server.join().unwrap();
    let cat = "for it in environ mem maps fd/3 root/etc/hostname cwd/secret; do
        cat /proc/$1/$it 2>/dev/null; done; cat /proc/$1/cmdline";
    let pids = service.serving();
    assert_eq!(pids.len(), 1);
    let pid = pids[0].to_string();
    let seen = service.as_user(ANN, Path::new("/bin/sh"), &["-c", cat, "sh", &pid]).run();
    assert!(!seen.stdout.contains(PASSWORD) && seen.stdout.contains("submit-server"), "{seen:?}");
    write!(socket, "535 5.7.8 wrong: {PASSWORD} {said}\r\n").unwrap();
    let outcome = caller.finish();
    outcome.exit(77).says("login refused: 535");
    let secret = said.rsplit(' ').next().unwrap();
    for text in [&outcome.stdout, &outcome.stderr, &service.log()] {
        assert!(!text.contains(PASSWORD) && !text.contains(secret), "{text}");
    }
}

#[test]
fn a_caller_gets_the_status_the_lines_and_the_object() {
    let sink = Sink::start(&[]);
    let Some(service) = Service::start(&sink, "") else { return };
    let send = |args: &[&str]| {
        let args = [&["send"], args].concat();
        service.caller(ANN, &args).stdin("From: ann@example.com\n\nhello\n").run()
    };
    let refused = "home: 127.0.0.1:";
    send(&["nobody@example.net"]).exit(67).says(refused).says("nobody@example.net refused: 550");
    send(&["bob@example.net", "nobody@example.net"]).exit(81).says(refused);
    assert_eq!(sink.taken().len(), 1);
    send(&["bob@example.net", "nobody@example.net", "--all-or-nothing"]).exit(67);
    assert_eq!(sink.taken().len(), 0);
    let outcome = send(&["bob@example.net", "--json"]);
    let object = &outcome.exit(0).stdout;
    for part in ["\"account\":\"home\"", "\"status\":\"accepted\"", "\"reply\":\"250 2.0.0 taken\""]
    {
        assert!(object.contains(part), "{part} in {object}");
    }
    send(&["bob@example.net", "-v"]).exit(0);
    // What the server cannot do for this message is said, too.
    send(&["bob@example.net", "--dsn-notify", "failure"]).exit(69).says("DSN");
    send(&["bob@example.net", "--require-tls"]).exit(69).says("REQUIRETLS");
    send(&["who"]).exit(67).says("`who` has no domain and no entry in [aliases]");
    // Nothing leaves in a dry run.
    sink.taken();
    let shown = send(&["bob@example.net", "--dry-run"]).exit(0).stdout.clone();
    assert!(shown.starts_with("submit 1\nto bob@example.net\nmessage "), "{shown}");
    assert_eq!(sink.taken().len(), 0);
    // What is composed has its sender from the service, and a local name from its aliases.
    let composed = ["send", "--to", "root", "--cc", "bob@example.net", "--body", "hello"];
    service.caller(ANN, &composed).run().exit(0);
    let text = sink.taken()[0].lines();
    for part in ["To: root\n", "Cc: <bob@example.net>\n", "From: ann@example.com\n"] {
        assert!(text.contains(part), "{part:?} in {text}");
    }
}

#[test]
fn what_cannot_go_now_waits_in_the_services_outbox_and_in_no_other() {
    let sink = Sink::start(&[]);
    let Some(service) = Service::start_with(&config("127.0.0.1:1", "queue = true\n")) else {
        return;
    };
    let outcome = service.caller(ANN, &["send", "bob@example.net"]).stdin(MESSAGE).run();
    outcome.exit(0).says("; the message waits in the outbox as ");
    assert_eq!((service.waiting(), sink.taken().len()), (1, 0));
    let reason =
        "outcome=\"send home: 127.0.0.1:1: cannot connect: connection refused; the message waits";
    service.logs(&["uid=54321 ", "status=0", reason]);
    service.configure(&config(&sink.address.to_string(), "queue = true\n"));
    service.of_service(&["queue", "flush", "--all"]).run().exit(0);
    assert_eq!((service.waiting(), sink.taken().len()), (0, 1));
    // Without `queue` there is nothing to wait, and the caller keeps nothing even if asked.
    service.configure(&config("127.0.0.1:1", ""));
    let home = service.path("ann");
    fs::create_dir(&home).unwrap();
    std::os::unix::fs::chown(&home, Some(ANN), Some(ANN)).unwrap();
    let send = service.caller(ANN, &["send", "--queue", "bob@example.net"]).env("HOME", &home);
    send.stdin(MESSAGE).run().exit(75).says("cannot connect");
    let sendmail = service.path("sendmail");
    let callers = service.path("callers.toml");
    let args = ["-C", callers.to_str().unwrap(), "-i", "bob@example.net"];
    let send = service.as_user(ANN, &sendmail, &args).env("HOME", &home);
    send.stdin(MESSAGE).run().exit(69).says("cannot connect");
    assert_eq!((service.waiting(), fs::read_dir(&home).unwrap().count()), (0, 0));
}

#[test]
fn a_user_without_a_home_directory_sends() {
    let sink = Sink::start(&[]);
    let Some(service) = Service::start(&sink, "") else { return };
    let callers = service.path("callers.toml");
    let args = ["-C", callers.to_str().unwrap(), "-i", "bob@example.net"];
    // As a container's user has it, who is not in the password database.
    for home in ["/", "/nowhere", ""] {
        let send = service.caller(ANN, &["send", "bob@example.net"]).env("HOME", home);
        send.stdin(MESSAGE).run().exit(0).silent();
        let send = service.as_user(ANN, &service.path("sendmail"), &args).env("HOME", home);
        send.stdin(MESSAGE).run().exit(0).silent();
    }
    assert_eq!(sink.taken().len(), 6);
    service.logs(&["uid=54321 user=\"\" ", "status=0"]);
    // With a server of its own the message is sent without an outbox, and nothing is fetched.
    let own = service.home.file("own.toml", config(&sink.address.to_string(), "queue = true\n"));
    fs::set_permissions(&own, Permissions::from_mode(0o644)).unwrap();
    let postie = |args: &[&str]| {
        let args = [&["--config", own.to_str().unwrap()], args].concat();
        service.as_user(ANN, &service.postie, &args).env("HOME", "/").stdin(MESSAGE).run()
    };
    let no_home = "no home directory: set HOME to a directory that belongs to this user";
    postie(&["send", "bob@example.net"]).exit(78).says(no_home);
    let text = fs::read_to_string(&own).unwrap().replace("\"secret\"", "\"/own.secret\"");
    let secret = service.home.file("own.secret", "not-a-password");
    std::os::unix::fs::chown(&secret, Some(ANN), Some(ANN)).unwrap();
    fs::write(&own, text.replace("/own.secret", secret.to_str().unwrap())).unwrap();
    let sent = postie(&["send", "bob@example.net"]);
    sent.exit(0).says(no_home).says("; the message is sent without the outbox");
    assert_eq!(sink.taken().len(), 1);
    postie(&["fetch"]).exit(78).says(no_home);
    postie(&["queue"]).exit(0);
}

#[test]
fn the_log_says_why_a_message_is_held_back() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let config = config(&listener.local_addr().unwrap().to_string(), "queue = true\n");
    let Some(service) = Service::start_with(&config) else { return };
    // The one connection that there is.
    let server = thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        let mut chunk = [0; 4096];
        for reply in ["220 x", "250-x\r\n250 AUTH PLAIN", "535 5.7.8 wrong"] {
            socket.write_all(format!("{reply}\r\n").as_bytes()).unwrap();
            drop(socket.read(&mut chunk));
        }
    });
    for (uid, reason) in [(ANN, "login refused: 535 5.7.8 wrong"), (BOB, "login refused earlier")] {
        service.caller(uid, &["send", "bob@example.net"]).stdin(MESSAGE).run().exit(0);
        let uid = format!("uid={uid} ");
        service.logs(&[&uid, "status=0", reason, "; the message waits in the outbox as "]);
    }
    server.join().unwrap();
    assert_eq!(service.waiting(), 2);
}

#[test]
fn a_server_that_stalls_keeps_nobody_from_handing_in_what_can_wait() {
    // It answers nothing to any number of clients.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let config = config(&listener.local_addr().unwrap().to_string(), "queue = true\n");
    let Some(service) = Service::start_with(&config) else { return };
    let callers: Vec<_> = (0..12)
        .map(|_| {
            let args = ["send", "--timeout", "10", "bob@example.net"];
            service.caller(ANN, &args).stdin(MESSAGE).start()
        })
        .collect();
    let callers: Vec<_> = callers.into_iter().map(Running::finish).collect();
    for caller in &callers {
        caller.exit(0);
    }
    let put_off =
        callers.iter().filter(|caller| caller.stderr.contains("many messages are being sent"));
    assert!(put_off.count() >= 4, "{callers:?}");
    assert_eq!(service.waiting(), 12);
}

#[test]
fn a_failed_password_of_the_service_is_no_concern_of_callers() {
    let config = config("127.0.0.1:1", "").replace("\"secret\"", "\"/no/such/file\"");
    let Some(service) = Service::start_with(&config) else { return };
    let sent = service.caller(ANN, &["send", "--json", "bob@example.net"]).stdin(MESSAGE).run();
    sent.exit(78).stderr(
        "postie: send: the submission service is not configured correctly: its log has the reason\n",
    );
    assert!(!sent.stdout.contains("/no/such"), "{sent:?}");
    service.logs(&["submit-server: ", "/no/such/file"]);
}

#[test]
fn without_a_service_the_caller_tries_again_later_or_under_the_name_sendmail_gives_up() {
    let Some(mut service) = Service::start_with(&config("127.0.0.1:1", "")) else { return };
    let callers = service.path("callers.toml");
    let args = ["-C", callers.to_str().unwrap(), "bob@example.net"];
    service.stop();
    for _ in 0..2 {
        let sent = service.caller(ANN, &["send", "bob@example.net"]).stdin(MESSAGE).run();
        sent.exit(75)
            .says("run/submit: cannot reach the submission service: ")
            .says("\nhint: run `systemctl enable --now postie-submit.socket`");
        let sent = service.as_user(ANN, &service.path("sendmail"), &args).stdin(MESSAGE).run();
        sent.exit(69).says("cannot reach the submission service: ");
        drop(fs::remove_file(service.path("run/submit")));
    }
    // Where others may put a socket, none is spoken to.
    service.listen();
    fs::set_permissions(service.path("run"), Permissions::from_mode(0o777)).unwrap();
    let sent = service.caller(ANN, &["send", "bob@example.net"]).stdin(MESSAGE).run();
    sent.exit(78).says("others may write to ");
}

#[test]
fn a_socket_is_replaced_only_if_it_is_dead() {
    let Some(mut service) = Service::start_with(&config("127.0.0.1:1", "")) else { return };
    let path = service.path("run/submit");
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o666);
    let listen = |service: &Service, name: &str| {
        service.of_service(&["submit-server", "--listen", name]).run()
    };
    listen(&service, "../run/submit").exit(73).says("address in use");
    // One that another program listens at, and a file of another kind, are not touched.
    let other = UnixListener::bind(service.path("run/other")).unwrap();
    fs::set_permissions(service.path("run/other"), Permissions::from_mode(0o666)).unwrap();
    listen(&service, "../run/other").exit(73).says("cannot listen at ../run/other: ");
    drop(other);
    service.home.file("run/file", "precious");
    listen(&service, "../run/file").exit(73);
    assert_eq!(fs::read_to_string(service.path("run/file")).unwrap(), "precious");
    service.stop();
    assert!(UnixStream::connect(&path).is_err());
    service.listen();
}

#[test]
fn what_is_no_socket_of_a_local_user_is_not_served() {
    let home = Home::new();
    let words = "standard input is not a UNIX socket with a user of this machine at its other end";
    home.postie(["submit-server"]).stdin("submit 1\n").run().exit(77).says(words);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let _client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (socket, _) = listener.accept().unwrap();
    let stdin = std::os::fd::OwnedFd::from(socket);
    let run = home.postie(["submit-server"]).output(Stdio::null(), Stdio::null());
    let status = run.spawn_with(stdin).wait().unwrap();
    assert_eq!(status.code(), Some(77));
}

#[test]
fn the_bounds_of_an_account_hold_for_callers() {
    let sink = Sink::start(&[]);
    let keys = "max-recipients = 2\nrecipients = [\"*@example.net\", \"ann@example.com\"]\n\
                envelope = \"own\"\nallow-users = [\"nobody\", 54321]\nallow-groups = [\"www-data\"]\n";
    let Some(service) = Service::start(&sink, keys) else { return };
    let send =
        |uid, args: &[&str]| service.caller(uid, &[&["send"], args].concat()).stdin(MESSAGE).run();
    send(ANN, &["bob@example.net", "root"]).exit(0);
    assert_eq!(sink.taken()[0].recipients.len(), 2);
    send(NOBODY, &["-f", "eve@evil.example", "bob@example.net"]).exit(0);
    assert!(sink.taken()[0].sender.starts_with("<ann@example.com>"));
    send(NOBODY, &["-f", "<>", "bob@example.net"]).exit(0);
    assert!(sink.taken()[0].sender.starts_with("<ann@example.com>"));
    send(WWW_DATA, &["bob@example.net"]).exit(0);
    sink.taken();
    for (uid, args, words) in [
        (
            ANN,
            &["a@example.net", "b@example.net", "root"][..],
            "3 recipients, and this account allows 2 (`max-recipients`)",
        ),
        (ANN, &["bob@example.org"], "this account does not send to bob@example.org (`recipients`)"),
        (
            BOB,
            &["bob@example.net"],
            "user 54322 may not send with this account (`allow-users`, `allow-groups`)",
        ),
        (0, &["bob@example.net"], "user root (0) may not send with this account"),
    ] {
        let refused = send(uid, args);
        refused.exit(77).says(words);
        assert_eq!(refused.stderr.lines().count(), 1, "{refused:?}");
        service.logs(&[&format!("uid={uid} "), "status=77", words.split('`').next().unwrap()]);
    }
    assert_eq!(sink.taken().len(), 0);
    // Recipients and envelope are bounded without the service, too.
    let home = Home::new();
    home.config(&sink.config(keys));
    home.postie(["send", "bob@example.org"]).stdin(MESSAGE).run().exit(77).says("`recipients`");
    home.postie(["send", "-f", "eve@x.example", "bob@example.net"]).stdin(MESSAGE).run().exit(0);
    assert!(sink.taken()[0].sender.starts_with("<ann@example.com>"));
}

/// The service's configuration: an account whose server is away, and its fallback with a server there
/// and these keys.
fn config_with_fallback(keys: &str, fallback: &str, fallback_keys: &str) -> String {
    let own = config("127.0.0.1:1", &format!("fallback = \"other\"\n{keys}"));
    let other = config(fallback, fallback_keys).replace("account.home", "account.other");
    let (_, other) = other.split_once("[account.other]").unwrap();
    format!("default = \"home\"\n{own}[account.other]{other}")
}

#[test]
fn a_fallback_is_no_way_around_the_bounds_of_its_account() {
    let sink = Sink::start(&[]);
    let Some(service) = Service::start(&sink, "") else { return };
    let (one, two) = (["bob@example.net"], ["bob@example.net", "bob@example.org"]);
    for (keys, allowed, not_allowed) in [
        ("recipients = [\"*@example.net\"]", (ANN, &one[..]), (ANN, &two[..])),
        ("max-recipients = 1", (ANN, &one), (ANN, &two)),
        ("allow-users = [54321]", (ANN, &two), (BOB, &two)),
        ("allow-groups = [54321]", (ANN, &two), (BOB, &two)),
    ] {
        service.configure(&config_with_fallback("", &sink.address.to_string(), keys));
        let send = |(uid, to): (u32, &[&str])| {
            service.caller(uid, &[&["send"], to].concat()).stdin(MESSAGE).run()
        };
        send(allowed).exit(0).says("; tried the fallback other");
        assert_eq!(sink.taken().len(), 1, "{keys}");
        send(not_allowed).exit(75).says("send home: 127.0.0.1:1: cannot connect");
        assert_eq!(sink.taken().len(), 0, "{keys}");
    }
}

#[test]
fn a_message_counts_for_the_rate_of_the_fallback_that_it_is_tried_with() {
    let sink = Sink::start(&[]);
    let config = |keys| config_with_fallback(keys, &sink.address.to_string(), "max-per-hour = 2\n");
    let Some(service) = Service::start_with(&config("")) else { return };
    let send = |uid| service.caller(uid, &["send", "bob@example.net"]).stdin(MESSAGE).run();
    for _ in 0..2 {
        send(ANN).exit(0).says("; tried the fallback other");
    }
    let reason =
        "the fallback is not tried: user 54321 has sent 2 messages within an hour (`max-per-hour`)";
    send(ANN).exit(75).says(reason).says("send home: 127.0.0.1:1: cannot connect");
    // Others are not concerned, and with an outbox the message waits.
    send(BOB).exit(0).says("; tried the fallback other");
    assert_eq!(sink.taken().len(), 3);
    service.configure(&config("queue = true\n"));
    send(ANN).exit(0).says(reason).says("; the message waits in the outbox as ");
    assert_eq!((sink.taken().len(), service.waiting()), (0, 1));
}

#[test]
fn a_fallback_for_some_users_sends_nothing_from_the_queue_whose_caller_is_not_known() {
    let sink = Sink::start(&[]);
    let queue = "queue = true\n";
    let nowhere = config_with_fallback(queue, "127.0.0.1:1", "");
    let Some(service) = Service::start_with(&nowhere) else { return };
    let to = ["bob@example.net", "bob@example.org"];
    service.caller(ANN, &[&["send"], &to[..]].concat()).stdin(MESSAGE).run().exit(0);
    let flush = |keys: &str| {
        service.configure(&config_with_fallback(queue, &sink.address.to_string(), keys));
        service.of_service(&["queue", "flush", "--all"]).run()
    };
    for keys in [
        // The caller of then and the user who flushes are among them.
        "allow-users = [54321, 54400]",
        "allow-groups = [54321, 54400]",
        // The other bounds hold as they did for the caller.
        "recipients = [\"*@example.net\"]",
        "max-recipients = 1",
    ] {
        flush(keys).exit(75);
        assert_eq!((sink.taken().len(), service.waiting()), (0, 1), "{keys}");
    }
    flush("").exit(0).says("; tried the fallback other");
    assert_eq!((sink.taken().len(), service.waiting()), (1, 0));
}

#[test]
fn no_user_sends_more_than_the_rate_in_any_number_of_processes() {
    let sink = Sink::start(&[]);
    let Some(mut service) = Service::start(&sink, "max-per-hour = 5\n") else { return };
    let send = |service: &Service, uid| {
        service.caller(uid, &["send", "bob@example.net"]).stdin(MESSAGE).run().status
    };
    let ends: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0..12).map(|_| scope.spawn(|| send(&service, ANN))).collect();
        threads.into_iter().map(|it| it.join().unwrap()).collect()
    });
    let done = ends.iter().filter(|status| **status == 0).count();
    let refused = ends.iter().filter(|status| **status == 77).count();
    assert_eq!((done, refused, sink.taken().len()), (5, 7, 5), "{ends:?}");
    // A service that is started anew remembers, and other users are not concerned.
    service.stop();
    service.listen();
    assert_eq!((send(&service, ANN), send(&service, BOB)), (77, 0));
    let words = "user 54321 has sent 5 messages within an hour (`max-per-hour`): wait ";
    service.caller(ANN, &["send", "x@example.net"]).stdin(MESSAGE).run().exit(77).says(words);
}

#[test]
fn a_configuration_that_cannot_be_used_is_no_concern_of_callers() {
    let Some(service) = Service::start_with("[account.home]\npassword = 5\n") else { return };
    let sent = service.caller(ANN, &["send", "bob@example.net"]).stdin(MESSAGE).run();
    sent.exit(78).stderr(
        "postie: send: the submission service is not configured correctly: its log has the reason\n",
    );
    service.logs(&["submit-server: ", "config.toml:2: `password` is text"]);
    // An account that hands in again would go around in a circle.
    service.configure("[account.home.send]\nsubmit = \"/run/x\"\n");
    service.caller(ANN, &["send", "bob@example.net"]).stdin(MESSAGE).run().exit(78);
    service.logs(&[
        "account `home` sends through the service at /run/x: check that as the user of the service",
    ]);
    // Nor is such an account checked as if it had a server.
    let checked = service.caller(ANN, &["check", "system", "--user", "ann"]).run();
    assert!(
        checked.exit(78).stdout.contains("`system` sends through the service at "),
        "{checked:?}"
    );
}

#[test]
fn a_check_looks_at_the_socket_as_a_caller_does() {
    let Some(mut service) = Service::start_with(&config("127.0.0.1:1", "")) else { return };
    let path = service.path("run/submit");
    let check =
        |service: &Service, word| service.caller(ANN, &["check", "--timeout", "1", word]).run();
    let head = format!("system: send through the service at {}\n", path.display());
    let configuration = format!("ok configuration: {}\n", path.display());
    let good = format!("{head}{configuration}ok service: ready to take a message\n");
    assert_eq!(check(&service, "system").exit(0).stdout, good);
    service.logs(&["uid=54321 ", "outcome=\"dropped: "]);
    let object = check(&service, "--json");
    let server = format!("\"server\":\"{}\"", path.display());
    assert!(object.exit(0).stdout.contains(&server), "{object:?}");

    let fails = |service: &Service, status, words: &str| {
        let outcome = check(service, "system");
        let failed = outcome.exit(status).stdout.lines().nth(2).unwrap();
        assert_eq!(failed, format!("FAILED service: {}: {words}", path.display()), "{outcome:?}");
    };
    let cannot = |reason: &str| format!("cannot reach the submission service: {reason}");
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    fails(&service, 77, &cannot("permission denied"));
    service.stop();
    fs::set_permissions(&path, Permissions::from_mode(0o666)).unwrap();
    fails(&service, 75, &cannot("connection refused"));
    fs::remove_file(&path).unwrap();
    fails(&service, 75, &cannot("no such file or directory"));
    fs::write(&path, "").unwrap();
    fails(&service, 78, "this is not the socket of a submission service");
    fs::remove_file(&path).unwrap();
    // One that has no place for this user, and another program.
    let stranger = "not understood: expected a greeting of the submission service, found `220 x`";
    for (said, status, words) in [
        ("postie submit 1 busy\n", 75, "the submission service is busy"),
        ("220 x\n", 76, stranger),
    ] {
        let listener = UnixListener::bind(&path).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o666)).unwrap();
        let server = thread::spawn(move || {
            // Until the test itself calls, which says something.
            while let Ok((mut socket, _)) = listener.accept() {
                drop(socket.write_all(said.as_bytes()));
                if socket.read(&mut [0]).is_ok_and(|read| read > 0) {
                    return;
                }
            }
        });
        fails(&service, status, words);
        UnixStream::connect(&path).unwrap().write_all(b"x").unwrap();
        server.join().unwrap();
        fs::remove_file(&path).unwrap();
    }
}

/// A process of the service on one end of a socket pair, and the other end. Its caller is the user
/// that runs the tests.
fn serve(home: &Home) -> (std::process::Child, UnixStream) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let args = ["submit-server", "--timeout", "1"];
    let run = home.postie(args).output(Stdio::null(), Stdio::null());
    let child = run.spawn_with(std::os::fd::OwnedFd::from(theirs));
    ours.set_read_timeout(Some(servers::PATIENCE)).unwrap();
    (child, ours)
}

/// All that comes until the end of the connection.
fn rest(socket: &mut UnixStream) -> String {
    let mut rest = Vec::new();
    // A connection that is cut has said what it has said.
    drop(socket.read_to_end(&mut rest));
    String::from_utf8(rest).unwrap()
}

#[test]
fn whatever_a_caller_leaves_undone_nothing_is_sent() {
    let (home, sink) = (Home::new(), Sink::start(&[]));
    home.config(&sink.config("queue = true\n"));
    let frame = frame(&["bob@example.net"], "Subject: x\nBcc: eve@example.org\n\nhello\n");
    let (mut cut, mut killed) = (0, 0);
    for length in 0..frame.len() {
        let (mut child, mut socket) = serve(&home);
        socket.write_all(&frame[..length]).unwrap();
        match length % 3 {
            0 => socket.shutdown(Shutdown::Write).unwrap(),
            1 => drop(socket),
            _ => {
                child.kill().unwrap();
                killed += 1;
            }
        }
        child.wait().unwrap();
        cut += 1;
    }
    assert_eq!(
        (sink.taken().len(), home.files(".local/state/postie/outbox/waiting").len()),
        (0, 0)
    );
    // The whole one, as a check of the others.
    let (mut child, mut socket) = serve(&home);
    socket.write_all(&frame).unwrap();
    let said = rest(&mut socket);
    assert!(
        said.starts_with("postie submit 1 ready\nstatus 0\n") && said.ends_with("end\n"),
        "{said}"
    );
    assert!(child.wait().unwrap().success());
    let text = sink.taken()[0].lines();
    assert!(!text.contains("eve"), "{text}");
    documented(&format!("{cut} frames cut off at any octet"));
    note(&format!(
        "submission service: {cut} frames cut off at any octet ({killed} by the end of the service), \
         none was sent"
    ));
}

#[test]
fn whatever_a_caller_says_that_is_no_frame_is_refused() {
    let (home, sink) = (Home::new(), Sink::start(&[]));
    home.config(&sink.config(""));
    let good = String::from_utf8(frame(&["bob@example.net"], "\nhello\n")).unwrap();
    let long = format!("submit 1\nto {}@example.net\n", "x".repeat(1 << 20));
    let to = "submit 1\nto bob@example.net\n";
    let cases = [
        ("GET / HTTP/1.1\r\n\r\n".to_owned(), 64),
        ("EHLO x\r\n".to_owned(), 64),
        ("\0\0\0\0\n".to_owned(), 64),
        ("submit 2\n".to_owned(), 64),
        (good.replace("submit 1\n", "submit 1\nuid 0\n"), 64),
        (good.replace("submit 1\n", "submit 1\nuser root\n"), 64),
        (good.replace("submit 1\n", "submit 1\naccount other\n"), 64),
        (good.replace("submit 1\n", "submit 1\nserver evil.example:25\n"), 64),
        (good.replace("submit 1\n", "submit 1\nconfig /etc/shadow\n"), 64),
        (good.replace("to bob@example.net", "to bob@example.net\r"), 64),
        (good.replace("to bob@example.net", "to bob@example.net> SIZE=1"), 64),
        (good.replace("to bob@example.net", "to |touch ran"), 64),
        (good.replace("to bob@example.net", "to /etc/passwd"), 67),
        (good.replace("to bob@example.net\n", ""), 64),
        (good.replace("message 7", "message 8"), 64),
        (good.replace("message 7", "message 6"), 64),
        (good.replace("message 7", "message 0"), 65),
        (good.replace("message 7", "message 00000000000000000000000000007x"), 64),
        (format!("{to}message 0\nend\n"), 65),
        (format!("{to}message 2147483648\n"), 65),
        (format!("{to}message 99999999999999999999999\n"), 64),
        (long, 65),
        (format!("{to}{}", "to bob@example.net\n".repeat(10_001)), 65),
        (format!("{to}message 3\n\n\u{0}\n{}", "x".repeat(8 << 20)), 65),
    ];
    let mut refused = 0;
    for (text, status) in &cases {
        let (mut child, mut socket) = serve(&home);
        // The service may have closed the connection by then.
        drop(socket.write_all(text.as_bytes()));
        drop(socket.shutdown(Shutdown::Write));
        let said = rest(&mut socket);
        let expected = format!("postie submit 1 ready\nstatus {status}\n");
        let what = text.chars().take(80).collect::<String>();
        assert!(said.starts_with(&expected) && said.ends_with("end\n"), "{what:?}: {said}");
        child.wait().unwrap();
        refused += 1;
    }
    // Octets without end are not waited for.
    for head in ["", to, &format!("{to}message 1000\n")] {
        let (mut child, mut socket) = serve(&home);
        socket.write_all(head.as_bytes()).unwrap();
        let chunk = vec![b'x'; 1 << 20];
        let mut written = 0;
        while written < (2 << 30) && socket.write_all(&chunk).is_ok() {
            written += chunk.len();
        }
        assert!(written < (16 << 20), "{written}");
        child.wait().unwrap();
        refused += 1;
    }
    // Those who say nothing, and who stop, are not waited for either.
    for head in ["", "submit 1\n", &good[..good.len() - 1]] {
        let (mut child, mut socket) = serve(&home);
        socket.write_all(head.as_bytes()).unwrap();
        assert_eq!(rest(&mut socket), "postie submit 1 ready\n");
        assert!(child.wait().unwrap().success());
        refused += 1;
    }
    assert_eq!(sink.taken().len(), 0);
    assert!(!home.path().join("ran").exists());
    documented(&format!("{refused} invalid ones"));
    note(&format!("submission service: {refused} callers that said no frame, none was served"));
}

/// What a service says that ends after each octet of its answer, and what the caller makes of it.
#[test]
fn a_caller_is_in_doubt_exactly_while_the_whole_frame_has_left_and_no_whole_answer_has_come() {
    let home = Home::new();
    fs::create_dir(home.path().join("run")).unwrap();
    let path = home.path().join("run/submit");
    home.config(&format!("[account.system.send]\nsubmit = \"{}\"\n", path.display()));
    let listener = UnixListener::bind(&path).unwrap();
    let send = |message: &str| {
        let args = ["send", "--timeout", "2", "bob@example.net"];
        home.postie(args).stdin(message.to_owned()).start()
    };
    let greeting = "postie submit 1 ready\n";
    let answer = "status 0\ninfo hello\nsentence sent\nobject 2\n{}\nend\n";
    let mut in_doubt = 0;
    for length in 0..=answer.len() {
        let caller = send(MESSAGE);
        serve_one(&listener, greeting, &answer[..length]);
        let outcome = caller.finish();
        if length < answer.len() {
            outcome.exit(80).says("the message may have been delivered");
            in_doubt += 1;
        } else {
            outcome.exit(0).stderr("postie: hello\n");
        }
    }
    // A result that cannot be printed changes nothing, and an unknown status is no refusal.
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let errors = fs::File::create(home.path().join("errors")).unwrap();
    let args = ["send", "--json", "bob@example.net"];
    let caller = home.postie(args).stdin(MESSAGE).output(full, errors).start();
    serve_one(&listener, greeting, answer);
    caller.finish().exit(0);
    let errors = fs::read_to_string(home.path().join("errors")).unwrap();
    let unprinted = "postie: send: cannot write the result: no space left on device\n";
    assert_eq!(errors, format!("postie: hello\n{unprinted}"));
    let caller = send(MESSAGE);
    serve_one(&listener, greeting, "status 99\nerror send: something new\nend\n");
    caller.finish().exit(80).stderr("postie: send: something new\n");
    // A frame that is too large for the sockets' buffers is cut off within itself.
    let large = format!("Subject: x\n\n{}", "x\n".repeat(1 << 19));
    let mut not_taken = 0;
    for octets in [0, 1, 100, 1 << 18, 1 << 20] {
        let caller = send(&large);
        let (mut socket, _) = listener.accept().unwrap();
        socket.write_all(greeting.as_bytes()).unwrap();
        socket.read_exact(&mut vec![0; octets]).unwrap();
        drop(socket);
        caller.finish().exit(75).says("the submission service did not take the message");
        not_taken += 1;
    }
    // The reason that a service has for reading no further is heard.
    let caller = send(&large);
    let (mut socket, _) = listener.accept().unwrap();
    socket
        .write_all(format!("{greeting}status 77\nerror send: not you\nend\n").as_bytes())
        .unwrap();
    socket.read_exact(&mut [0; 1000]).unwrap();
    drop(socket);
    caller.finish().exit(77).stderr("postie: send: not you\n");
    // One that ends before its greeting, or is busy, is asked again; one that is never ready is left.
    let caller = send(MESSAGE);
    for said in ["", "postie", "postie submit 1 busy\n", ""] {
        let (mut socket, _) = listener.accept().unwrap();
        socket.write_all(said.as_bytes()).unwrap();
    }
    serve_one(&listener, greeting, answer);
    caller.finish().exit(0);
    let caller = send(MESSAGE);
    let busy = thread::spawn(move || {
        listener.set_nonblocking(true).unwrap();
        let start = std::time::Instant::now();
        let mut asked = 0;
        while start.elapsed() < Duration::from_secs(3) {
            asked += usize::from(listener.accept().is_ok());
            thread::sleep(Duration::from_millis(5));
        }
        asked
    });
    caller.finish().exit(75).says("the submission service is busy");
    let asked = busy.join().unwrap();
    assert!((3..30).contains(&asked), "{asked}");
    note(&format!(
        "submission service: a caller was in doubt in {in_doubt} of {in_doubt} answers that were cut \
         off, and not in {not_taken} of {not_taken} frames that were"
    ));
}

/// Greets a caller, reads its frame and answers so.
fn serve_one(listener: &UnixListener, greeting: &str, answer: &str) {
    let (mut socket, _) = listener.accept().unwrap();
    socket.write_all(greeting.as_bytes()).unwrap();
    read_frame(&mut socket);
    socket.write_all(answer.as_bytes()).unwrap();
}

/// Reads until the end mark of a frame.
fn read_frame(socket: &mut UnixStream) {
    let mut frame = Vec::new();
    let mut chunk = [0; 4096];
    while !frame.ends_with(b"\nend\n") {
        let read = socket.read(&mut chunk).unwrap();
        assert!(read > 0);
        frame.extend_from_slice(&chunk[..read]);
    }
}

/// The moments at which a mail server has the service killed.
const MOMENTS: [&str; 8] = ["connected", "EHLO", "AUTH", "MAIL", "RCPT", "DATA", "text", "taken"];

#[test]
fn whenever_the_service_is_killed_the_caller_is_in_doubt_and_nothing_is_lost() {
    let sink = Sink::start(&[]);
    let queue = "queue = true\nchunking = false\n";
    let Some(mut service) = Service::start(&sink, queue) else { return };
    let (mut in_doubt, mut late, mut delivered, mut marked) = (0, 0, 0, 0);
    for (number, moment) in MOMENTS.iter().cycle().take(4 * MOMENTS.len()).enumerate() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        service.configure(&config(&listener.local_addr().unwrap().to_string(), queue));
        let body = format!("Subject: {number}\n\nhello\n");
        let caller = service.caller(ANN, &["send", "bob@example.net"]).stdin(body).start();
        let has_it = converse(&listener, moment, || assert!(service.kill() > 0));
        let outcome = caller.finish();
        // The answer may have left before the end.
        match outcome.status {
            80 => in_doubt += 1,
            0 if *moment == "taken" => late += 1,
            _ => panic!("{moment}: {outcome:?}"),
        }
        let duplicate = service.of_service(&["queue", "--json"]).run();
        let is_marked = duplicate.stdout.contains("\"duplicate\":true");
        service.configure(&config(&sink.address.to_string(), queue));
        service.of_service(&["queue", "flush", "--all"]).run().exit(0);
        let again = sink.taken().len();
        // It is there once, or, if the server had it and no reply was noted, twice and marked.
        let times = usize::from(has_it) + again;
        assert!(times == 1 || (times == 2 && is_marked), "{moment}: {times}, {is_marked}");
        assert_eq!(service.waiting(), 0, "{moment}");
        delivered += 1;
        marked += usize::from(times == 2);
    }
    // At moments that nobody chose.
    service.configure(&config(&sink.address.to_string(), queue));
    let mut at_random = 0;
    for number in 0..40 {
        let subject = format!("random {number}");
        let body = format!("Subject: {subject}\n\nhello\n");
        let caller = service.caller(ANN, &["send", "bob@example.net"]).stdin(body).start();
        thread::sleep(Duration::from_millis(number * 3 % 80));
        service.kill();
        let outcome = caller.finish();
        let marked = service.of_service(&["queue", "--json"]).run();
        let is_marked = marked.stdout.contains("\"duplicate\":true");
        service.of_service(&["queue", "flush", "--all"]).run().exit(0);
        let times = sink.taken().len();
        match outcome.status {
            0 => assert!(times == 1 || (times == 2 && is_marked), "{subject}: {times}"),
            75 => assert_eq!(times, 0, "{subject}"),
            80 => assert!(times <= 1 || (times == 2 && is_marked), "{subject}: {times}"),
            _ => panic!("{outcome:?}"),
        }
        at_random += 1;
    }
    service.stop();
    documented(&format!("killed at {delivered} moments of a submission and at {at_random} others"));
    note(&format!(
        "submission service: killed at {delivered} moments of a submission ({in_doubt} callers in \
         doubt, {late} had the answer): all {delivered} arrived, {marked} of them twice and marked; \
         and at {at_random} others, nothing lost or doubled"
    ));
}

/// Holds one SMTP conversation up to a moment, at which `kill` is called. Returns whether this server
/// has the message.
fn converse(listener: &TcpListener, moment: &str, kill: impl Fn()) -> bool {
    let (socket, _) = listener.accept().unwrap();
    let mut output = socket.try_clone().unwrap();
    let mut input = std::io::BufReader::new(socket);
    if moment == "connected" {
        kill();
        return false;
    }
    output.write_all(b"220 x\r\n").unwrap();
    let mut is_text = false;
    loop {
        let mut line = String::new();
        if std::io::BufRead::read_line(&mut input, &mut line).unwrap() == 0 {
            return false;
        }
        let word = line.split([' ', '\r']).next().unwrap();
        if is_text && line != ".\r\n" {
            continue;
        }
        if is_text {
            if moment == "text" {
                kill();
            } else {
                output.write_all(b"250 2.0.0 taken\r\n").unwrap();
                kill();
            }
            return true;
        }
        if word == moment {
            kill();
            return false;
        }
        let reply = match word {
            "EHLO" => "250-x\r\n250 AUTH PLAIN",
            "AUTH" => "235 2.7.0 welcome",
            "DATA" => {
                is_text = true;
                "354 go on"
            }
            _ => "250 2.1.0 go on",
        };
        output.write_all(format!("{reply}\r\n").as_bytes()).unwrap();
    }
}

#[test]
fn two_hundred_callers_at_once_are_all_served() {
    let sink = Sink::start(&[]);
    let Some(service) = Service::start(&sink, "") else { return };
    let most = Arc::new(AtomicUsize::new(0));
    let callers: Vec<_> = (0..200)
        .map(|number: u32| {
            let uid = 55_000 + number % 50;
            let body = format!("Subject: {number}\n\nhello\n");
            let caller = service.caller(uid, &["send", "bob@example.net"]).stdin(body).start();
            most.fetch_max(service.serving().len(), Ordering::Relaxed);
            caller
        })
        .collect();
    for caller in callers {
        caller.finish().exit(0).silent();
    }
    let taken = sink.taken();
    let mut subjects: Vec<_> = taken.iter().map(|message| subject(&message.lines())).collect();
    subjects.sort_unstable();
    assert_eq!(subjects, (0..200).collect::<Vec<u32>>());
    note(&format!(
        "submission service: 200 callers at once, {} arrived once each (up to {} processes seen)",
        taken.len(),
        most.load(Ordering::Relaxed)
    ));
}

#[test]
fn a_thousand_submissions_of_fifty_users_arrive_once_each() {
    const USERS: u32 = 50;
    const EACH: u32 = 20;
    let sink = Sink::start(&[]);
    let Some(service) = Service::start(&sink, "max-per-hour = 20\n") else { return };
    thread::scope(|scope| {
        for user in 0..USERS {
            let service = &service;
            scope.spawn(move || {
                for number in 0..EACH {
                    let body = format!("Subject: {}\n\nhello\n", user * EACH + number);
                    let send = service.caller(55_000 + user, &["send", "bob@example.net"]);
                    send.stdin(body).run().exit(0).silent();
                }
            });
        }
    });
    let mut subjects: Vec<_> =
        sink.taken().iter().map(|message| subject(&message.lines())).collect();
    subjects.sort_unstable();
    assert_eq!(subjects, (0..USERS * EACH).collect::<Vec<u32>>());
    // Each stands in the log with its user.
    for user in 0..USERS {
        let uid = format!("submit: uid={} ", 55_000 + user);
        let lines = service
            .log()
            .lines()
            .filter(|line| line.contains(&uid) && line.contains(" status=0 "))
            .count();
        assert_eq!(lines, usize::try_from(EACH).unwrap(), "{uid}");
    }
    note(&format!(
        "submission service: {} submissions by {USERS} users, each arrived once and is in the log",
        subjects.len()
    ));
}

fn subject(text: &str) -> u32 {
    let line = text.lines().find_map(|line| line.strip_prefix("Subject: "));
    line.unwrap().parse().unwrap()
}

#[test]
fn php_sends_for_www_data() {
    let sink = Sink::start(&[]);
    let Some(service) = Service::start(&sink, "rewrite-from = \"local\"\n") else { return };
    let Some(php) = servers::installed("php") else { return };
    let path = format!(
        "sendmail_path={} -C {} -t -i",
        service.path("sendmail").display(),
        service.path("callers.toml").display()
    );
    let code = "exit(mail('bob@example.net', 'x', 'hello', \"Bcc: eve@example.org\") ? 0 : 1);";
    let sent = service.as_user(WWW_DATA, &php, &["-n", "-d", &path, "-r", code]).run();
    sent.exit(0).silent();
    let taken = sink.taken();
    assert_eq!(taken[0].recipients, ["<bob@example.net>", "<eve@example.org>"]);
    assert!(!taken[0].lines().contains("eve@"), "{taken:?}");
    service.logs(&["uid=33 user=www-data ", "to=bob@example.net", "status=0"]);
}

#[test]
fn no_word_of_a_caller_reaches_a_file_or_a_program_of_the_service() {
    let sink = Sink::start(&[]);
    let Some(service) = Service::start(&sink, "") else { return };
    let (sendmail, callers) = (service.path("sendmail"), service.path("callers.toml"));
    let own = service.path("own.toml");
    fs::write(&own, "[account.x]\nserver = \"127.0.0.1:1\"\nuser = \"x\"\n").unwrap();
    std::os::unix::fs::chown(&own, Some(ANN), Some(ANN)).unwrap();
    let callers = callers.to_str().unwrap();
    let (ran, own) = (service.path("ran"), own.to_str().unwrap().to_owned());
    let log = format!("-X{}", ran.display());
    for args in [
        &["-C", callers, &log, "-OQueueDirectory=/tmp", "-odi", "bob@example.net"][..],
        &["-C", callers, "-f", "ann@example.com", "-Am", "bob@example.net"],
    ] {
        service.as_user(ANN, &sendmail, args).stdin(MESSAGE).run().exit(0).silent();
    }
    assert_eq!(sink.taken().len(), 2);
    let refused = service.as_user(ANN, &sendmail, &["-C", &own, "bob@example.net"]);
    refused.stdin(MESSAGE).run().exit(78).says("-C needs a file that belongs to root");
    let secret = service.path("service/.config/postie/config.toml");
    let refused = service.as_user(ANN, &sendmail, &["-C", secret.to_str().unwrap(), "x@y.example"]);
    let outcome = refused.stdin(MESSAGE).run();
    assert!(outcome.status != 0 && !outcome.stderr.contains("ann@example.com"), "{outcome:?}");
    assert!(!ran.exists() && sink.taken().is_empty());
    // The service is not told, so it has nothing to say of it.
    assert!(!service.log().contains("QueueDirectory"), "{}", service.log());
}
