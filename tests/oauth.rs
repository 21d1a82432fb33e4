//! OAuth 2.0: the login, the tokens that are kept and renewed, and what servers get wrong, against a
//! scripted authorization server; with Dovecot and Postfix behind it where they are installed.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustix::process::{Pid, Signal, kill_process};

use crate::support::authorization::{AuthorizationServer, CLIENT_SECRET, Refreshing, Wrong};
use crate::support::dovecot::Dovecot;
use crate::support::mailbox::mailbox;
use crate::support::postfix::{Auth, Postfix};
use crate::support::postie::{Home, Outcome, Run};
use crate::support::servers::{self, USER};

const HOUR: Duration = Duration::from_hours(1);

/// An account whose mail server nobody can reach: what is shown ends before, or there.
fn unreachable() -> String {
    let [port] = servers::free_ports();
    format!(
        "[account.work]\nserver = \"127.0.0.1:{port}\"\nuser = \"{USER}\"\noauth = \"house\"\n\
         timeout = 5\n"
    )
}

/// A home directory with such an account.
fn home(server: &AuthorizationServer) -> Home {
    let home = Home::new();
    home.config(&format!("{}{}", server.table(&home), unreachable()));
    home
}

/// What a run says when the token was there and the mail server was not.
const PAST_THE_TOKEN: &str = "cannot connect: connection refused";

#[track_caller]
fn fetch(home: &Home) -> Outcome {
    home.postie(["fetch", "work"]).run()
}

#[track_caller]
fn passes(home: &Home) {
    fetch(home).exit(75).says(PAST_THE_TOKEN);
}

#[test]
fn without_a_login_nothing_is_asked_and_the_hint_says_what_to_do() {
    let server = AuthorizationServer::start(Refreshing::Keep, HOUR);
    let home = home(&server);
    fetch(&home).exit(78).stderr(
        "postie: fetch work: no login for ann@example.com at 127.0.0.1\n\
         hint: run `postie login work` once, with --device if this machine has no browser\n",
    );
    home.postie(["login", "work"])
        .run()
        .exit(78)
        .stderr("postie: login work: a login needs a terminal\n");
    assert_eq!(server.counts().connections, 0);
    let table = unreachable().replace("oauth = \"house\"\n", "");
    home.config(&table);
    home.postie(["login"]).run().exit(78).says("has `oauth`\nhint: set `oauth = \"NAME\"`");
    home.postie(["login", "work"])
        .run()
        .exit(78)
        .says("logs in without OAuth 2.0")
        .says("\nhint: ");
}

#[test]
fn a_fresh_token_asks_nobody_and_a_stale_one_is_renewed() {
    for refreshing in [Refreshing::Keep, Refreshing::Rotate] {
        let server = AuthorizationServer::start(refreshing, HOUR);
        let home = home(&server);
        server.log_in(&home, 3600, 3600);
        passes(&home);
        assert_eq!(server.counts().connections, 0);
        server.log_in(&home, 100, 3600);
        passes(&home);
        passes(&home);
        assert_eq!((server.counts().connections, server.counts().refreshes), (1, 1));
        // The clock was set back behind the token's beginning.
        server.log_in(&home, 7200, 3600);
        passes(&home);
        assert_eq!(server.counts().refreshes, 2);
        let text = fs::read_to_string(home.path().join(server.file())).unwrap();
        let kept: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert!(server.knows(kept["refresh-token"].as_str().unwrap()), "{text}");
        let mode = fs::metadata(home.path().join(server.file())).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

#[test]
fn a_file_that_others_may_read_is_refused() {
    let server = AuthorizationServer::start(Refreshing::Keep, HOUR);
    let home = home(&server);
    server.log_in(&home, 3600, 3600);
    let file = home.path().join(server.file());
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    fetch(&home).exit(78).says("others may read");
    assert_eq!(server.counts().connections, 0);
}

#[test]
fn a_damaged_file_asks_for_a_new_login() {
    let server = AuthorizationServer::start(Refreshing::Keep, HOUR);
    let home = home(&server);
    server.log_in(&home, 3600, 3600);
    fs::write(home.path().join(server.file()), "{").unwrap();
    fetch(&home).exit(74).says("\nhint: run `postie login work` again\n");
}

#[test]
fn each_refusal_has_its_line_its_hint_and_its_status() {
    let host = "postie: fetch work: 127.0.0.1: ";
    for (status, body, exit, line, hint) in [
        (
            400,
            r#"{"error":"invalid_grant","error_description":"AADSTS70000: The grant has expired. Trace ID: 1"}"#,
            77,
            "the login has expired or was revoked (invalid_grant: AADSTS70000: The grant has expired.)",
            "run `postie login work` again; a new password",
        ),
        (
            400,
            r#"{"error":"unauthorized_client","error_description":"AADSTS700016: no such application"}"#,
            78,
            "the client is refused (unauthorized_client: AADSTS700016: no such application)",
            "compare `client-id`",
        ),
        (
            400,
            r#"{"error":"invalid_scope"}"#,
            78,
            "the client is refused (invalid_scope)",
            "compare `client-id`",
        ),
        (
            400,
            r#"{"error":"invalid_grant","error_description":"AADSTS65001: has not consented"}"#,
            77,
            "refused: invalid_grant: AADSTS65001: has not consented",
            "if you did not refuse",
        ),
        (
            403,
            r#"{"error":"access_denied"}"#,
            77,
            "refused: access_denied",
            "if you did not refuse",
        ),
        (
            400,
            r#"{"error":"of_no_standard"}"#,
            78,
            "the client is refused (of_no_standard)",
            "compare `client-id`",
        ),
        (500, "<html>oops</html>", 75, "no token now (HTTP status 500)", "try again later"),
        (429, "{}", 75, "no token now (HTTP status 429)", "try again later"),
        (400, r#"{"error":"slow_down"}"#, 75, "no token now (slow_down)", "try again later"),
    ] {
        let server = AuthorizationServer::start(Refreshing::Rotate, HOUR);
        let home = home(&server);
        server.log_in(&home, -1, 3600);
        server.do_wrong([Wrong::Answer(status, body)]);
        let outcome = fetch(&home);
        outcome.exit(exit).says(&format!("{host}{line}\nhint: {hint}"));
        // Whoever may have been only busy is asked again, and all is well.
        if exit == 75 {
            passes(&home);
        }
    }
    let server = AuthorizationServer::start(Refreshing::Rotate, HOUR);
    let home = home(&server);
    server.log_in(&home, -1, 3600);
    server.do_wrong([Wrong::Answer(404, "<html>")]);
    fetch(&home).exit(78).stderr(&format!(
        "postie: fetch work: {}/token: HTTP status 404, without an error code of OAuth 2.0\n\
         hint: check `token` or `issuer` in [oauth.NAME]; a proxy may have answered instead\n",
        server.issuer()
    ));
    for (wrong, line) in [
        (
            Wrong::Answer(200, "<html>"),
            "the authorization server broke the protocol: its answer is not JSON",
        ),
        (Wrong::Answer(200, "{}"), "the token is not of the type `bearer`"),
        (
            Wrong::Say(
                b"HTTP/1.1 302 X\r\nLocation: https://evil.example/\r\nContent-Length: 0\r\n\r\n"
                    .to_vec(),
            ),
            "it redirects a request that holds secrets",
        ),
        (Wrong::Say(b"+OK POP3 ready\r\n".to_vec()), "broke the protocol"),
        (Wrong::Endless, "broke the protocol"),
    ] {
        server.do_wrong([wrong]);
        fetch(&home).exit(76).says(line);
    }
    let closed = AuthorizationServer::start(Refreshing::Rotate, HOUR);
    let other = self::home(&closed);
    closed.log_in(&other, -1, 3600);
    let config = fs::read_to_string(other.path().join(".config/postie/config.toml")).unwrap();
    other.config(&config.replace("oauth-ca.pem", "missing.pem"));
    fetch(&other).exit(78).says("missing.pem");
    other.file("missing.pem", crate::support::pki::Authority::new().pem());
    fetch(&other).exit(77).says("certificate");
}

#[test]
fn an_answer_may_come_in_any_form_but_must_be_whole() {
    let server = AuthorizationServer::start(Refreshing::Keep, HOUR);
    let home = home(&server);
    for wrong in [Wrong::Chunked, Wrong::CloseDelimited, Wrong::Late(Duration::from_millis(300))] {
        server.log_in(&home, -1, 3600);
        server.do_wrong([wrong]);
        passes(&home);
    }
    for wrong in [Wrong::Cut, Wrong::Lose] {
        server.log_in(&home, -1, 3600);
        server.do_wrong([wrong]);
        fetch(&home).exit(75);
        passes(&home);
    }
    // As long as the old token lives, it does.
    server.log_in(&home, 100, 3600);
    server.do_wrong([Wrong::Answer(503, "busy")]);
    passes(&home);
}

#[test]
fn a_lost_answer_of_a_server_that_takes_each_token_once_is_said_to_be_lost() {
    let server = AuthorizationServer::start(Refreshing::Rotate, HOUR);
    let home = home(&server);
    server.log_in(&home, -1, 3600);
    server.do_wrong([Wrong::Lose]);
    fetch(&home).exit(75);
    fetch(&home)
        .exit(77)
        .says("; its answer of 20")
        .says(" was lost, and with it the next token\n");
}

#[test]
fn twenty_runs_at_once_renew_a_login_once() {
    let server = AuthorizationServer::start(Refreshing::Rotate, HOUR);
    let home = home(&server);
    server.log_in(&home, -1, 3600);
    // The first is kept waiting until all are there.
    server.do_wrong([Wrong::Late(Duration::from_millis(500))]);
    let runs: Vec<_> = (0..20).map(|_| home.postie(["check", "work", "--fetch"]).start()).collect();
    let mut renewed = 0;
    for run in runs {
        let outcome = run.finish();
        outcome.exit(75);
        assert!(outcome.stdout.contains("\nok token: "), "{}", outcome.stdout);
        renewed += usize::from(
            outcome.stdout.contains("\nok token: renewed, good for 59 min")
                || outcome.stdout.contains("\nok token: renewed, good for 60 min"),
        );
    }
    assert_eq!((server.counts().refreshes, renewed), (1, 1));
}

#[test]
fn two_hundred_kills_leave_the_old_pair_or_the_new_one() {
    let server = AuthorizationServer::start(Refreshing::Keep, HOUR);
    let home = home(&server);
    let (mut killed, mut seed) = (0, 0x2545_f491_u64);
    let began = Instant::now();
    passes_after_login(&server, &home);
    let usual = began.elapsed();
    for _ in 0..200 {
        server.log_in(&home, -1, 3600);
        let child = home.postie(["check", "work", "--fetch"]).spawn();
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        thread::sleep(
            usual.mul_f64(f64::from(u32::try_from(seed >> 40).unwrap()) / f64::from(1_u32 << 24)),
        );
        let mut child = child;
        // It may have ended already.
        drop(child.kill());
        killed += usize::from(child.wait().unwrap().code().is_none());
        let text = fs::read_to_string(home.path().join(server.file())).unwrap();
        let kept: serde_json::Value = serde_json::from_str(&text).expect("it is torn");
        assert!(server.knows(kept["refresh-token"].as_str().unwrap()), "{text}");
    }
    passes(&home);
    servers::note(&format!("{killed} of 200 runs were killed before their end"));
    assert!(killed > 20, "only {killed} were killed in time");
}

fn passes_after_login(server: &AuthorizationServer, home: &Home) {
    server.log_in(home, -1, 3600);
    passes(home);
}

#[test]
fn a_first_signal_does_not_cut_off_a_renewal() {
    let server = AuthorizationServer::start(Refreshing::Rotate, HOUR);
    let home = home(&server);
    server.log_in(&home, -1, 3600);
    server.do_wrong([Wrong::Late(Duration::from_millis(700))]);
    let run = home.postie(["fetch", "work"]).start();
    assert!(servers::wait_until(|| server.counts().connections == 1));
    kill_process(run.pid(), Signal::TERM).unwrap();
    // It ends by the signal all the same, but only when the new token is kept.
    assert_eq!(run.finish().status, 128 + 15);
    assert_eq!(server.counts().refreshes, 1);
    passes(&home);
    assert_eq!(server.counts().refreshes, 1);
}

#[test]
fn a_client_of_its_own_needs_nobody() {
    let server = AuthorizationServer::start(Refreshing::Keep, HOUR);
    let home = Home::new();
    let grant = "grant = \"client-credentials\"\n";
    let table = server.table_by_issuer(&home);
    home.config(&format!("{table}{grant}client-secret = \"{CLIENT_SECRET}\"\n{}", unreachable()));
    passes(&home);
    passes(&home);
    assert_eq!(server.counts().credentials, 1);
    let other = Home::new();
    let table = server.table_by_issuer(&other);
    let command = "client-secret-command = [\"echo\", \"wrong-not-a-secret\"]\n";
    other.config(&format!("{table}{grant}{command}{}", unreachable()));
    fetch(&other).exit(78).says("the client is refused (invalid_client");
}

#[test]
fn a_client_that_is_not_described_is_said_to_be_missing() {
    let home = Home::new();
    for (table, line) in [
        ("", "there is no [oauth.house]"),
        (
            "[oauth.hous]\nclient-id = \"x\"\n",
            "there is no [oauth.house], did you mean `[oauth.hous]`?",
        ),
        ("[oauth.house]\n", "[oauth.house] has no `client-id`"),
        ("[oauth.house]\nclient-id = \"x\"\n", "[oauth.house] has no `issuer`"),
        (
            "[oauth.house]\nclient-id = \"x\"\ntoken = \"https://a.example/\"\n",
            "[oauth.house] has no `scope`",
        ),
    ] {
        home.config(&format!("{table}{}", unreachable()));
        fetch(&home).exit(78).says(line);
    }
    // The project has no id of its own.
    home.config(&format!("[oauth.microsoft]\n{}", unreachable().replace("house", "microsoft")));
    fetch(&home).exit(78).stderr(
        "postie: fetch work: [oauth.microsoft] has no `client-id`\n\
         hint: register a client at the provider, or ask your organization for one; see \
         postie-login(1)\n",
    );
    home.config(&format!(
        "[oauth.microsoft]\nclient-id = \"x\"\n{}",
        unreachable().replace("house", "microsoft")
    ));
    fetch(&home).exit(78).says("no login for ann@example.com at login.microsoftonline.com");
}

/// A login at a terminal of its own. `act` gets each new text on the screen and what writes to the
/// keyboard, and returns whether it is done.
fn at_a_terminal(
    home: &Home,
    args: &str,
    mut act: impl FnMut(&str, &mut dyn Write) -> bool,
) -> String {
    let line =
        format!("stty cols 1000 -echo; {} {args}; echo status $?", env!("CARGO_BIN_EXE_postie"));
    let mut script = Command::new("script")
        .args(["-qc", &line, "/dev/null"])
        .env_clear()
        .envs([("TERM", "xterm"), ("SHELL", "/bin/sh"), ("PATH", "/usr/bin:/bin")])
        .env("HOME", home.path())
        .current_dir(home.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let (mut keyboard, mut screen) = (script.stdin.take().unwrap(), script.stdout.take().unwrap());
    let (mut seen, mut octets, mut length, mut is_done) = (String::new(), [0; 4096], 1, false);
    while length > 0 {
        length = screen.read(&mut octets).unwrap_or_default();
        seen.push_str(&String::from_utf8_lossy(&octets[..length]));
        is_done = is_done || act(&seen, &mut keyboard);
    }
    script.wait().unwrap();
    seen.replace("\r\n", "\n")
}

/// The address that is printed, when all is there to be read.
fn address(seen: &str) -> Option<&str> {
    seen.contains("address of that page here.")
        .then(|| seen.lines().find(|line| line.starts_with("https://")).map(str::trim_end))?
}

/// What a browser does with an address of this machine. Returns the answer.
fn browse(address: &str) -> String {
    let rest = address.strip_prefix("http://").unwrap();
    let (authority, target) = rest.split_once('/').unwrap();
    let mut stream = TcpStream::connect(authority).unwrap();
    stream.set_read_timeout(Some(servers::PATIENCE)).unwrap();
    let request = format!("GET /{target} HTTP/1.1\r\nHost: {authority}\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    drop(stream.read_to_string(&mut answer));
    answer
}

#[test]
fn a_login_takes_the_one_right_answer_and_waits_past_all_others() {
    if !servers::is_installed("script") {
        return;
    }
    for pasted in [false, true] {
        let server = AuthorizationServer::start(Refreshing::Rotate, HOUR);
        let home = home(&server);
        let seen = at_a_terminal(&home, "login work", |seen, keyboard| {
            let Some(url) = address(seen) else { return false };
            let right = server.approve(url);
            let (place, _) = right.split_once("/?").unwrap();
            for (target, status) in [
                ("favicon.ico", "404"),
                ("?code=a&state=wrong", "400"),
                ("?error=access_denied&state=wrong", "400"),
                ("?code=a", "400"),
            ] {
                let answer = browse(&format!("{place}/{target}"));
                assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
                assert!(!answer.contains("wrong") && !answer.contains("favicon"), "{answer}");
            }
            let mut garbage = TcpStream::connect(place.strip_prefix("http://").unwrap()).unwrap();
            garbage.write_all(&vec![b'x'; 20_000]).unwrap_or_default();
            drop(garbage);
            if pasted {
                keyboard.write_all(b"nonsense\n").unwrap();
                keyboard.write_all(format!("{right}\n").as_bytes()).unwrap();
            } else {
                let answer = browse(&right);
                assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
            }
            true
        });
        assert!(seen.contains("work: logged in at 127.0.0.1"), "{seen}");
        assert_eq!(
            seen.contains("this is not the address of the last page; still waiting"),
            pasted,
            "{seen}"
        );
        assert!(seen.contains("another login (its `state` is wrong); still waiting"), "{seen}");
        // The mail server is asked at once.
        assert!(seen.contains("token") && seen.contains(PAST_THE_TOKEN), "{seen}");
        assert!(seen.ends_with("status 75\n"), "{seen}");
        assert_eq!(server.counts().codes, 1);
        passes(&home);
        assert_eq!(server.counts().refreshes, 0);
        home.postie(["login", "work", "--forget"]).run().exit(0).silent();
        fetch(&home).exit(78);
        assert!(!home.path().join(server.file()).exists());
    }
}

/// The program that runs in this home.
fn process(home: &Home) -> Option<Pid> {
    let own = format!("HOME={}", home.path().display());
    let is_own = |dir: &Path| {
        let program = fs::read_link(dir.join("exe"));
        let environment = fs::read(dir.join("environ")).unwrap_or_default();
        program.is_ok_and(|program| program == Path::new(env!("CARGO_BIN_EXE_postie")))
            && environment.split(|octet| *octet == 0).any(|pair| pair == own.as_bytes())
    };
    let dirs = fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().path());
    let dir = dirs.into_iter().find(|dir| is_own(dir))?;
    Pid::from_raw(dir.file_name()?.to_str()?.parse().ok()?)
}

#[test]
fn a_first_signal_does_not_cut_off_the_exchange_of_a_login() {
    if !servers::is_installed("script") {
        return;
    }
    let server = AuthorizationServer::start(Refreshing::Rotate, HOUR);
    let home = home(&server);
    server.do_wrong([Wrong::Late(Duration::from_millis(700))]);
    let seen = at_a_terminal(&home, "login work", |seen, _| {
        let Some(url) = address(seen) else { return false };
        browse(&server.approve(url));
        assert!(servers::wait_until(|| server.counts().connections == 1));
        kill_process(process(&home).unwrap(), Signal::TERM).unwrap();
        true
    });
    // It ends by the signal all the same, but only when the tokens are kept.
    assert!(seen.ends_with("status 143\n"), "{seen}");
    assert_eq!((server.counts().codes, server.counts().connections), (1, 1));
    passes(&home);
    assert_eq!((server.counts().refreshes, server.counts().connections), (0, 1));
}

#[test]
fn a_login_that_is_refused_or_cannot_last_says_so() {
    if !servers::is_installed("script") {
        return;
    }
    let server = AuthorizationServer::start(Refreshing::Rotate, HOUR);
    let home = home(&server);
    let seen = at_a_terminal(&home, "login", |seen, _| {
        let Some(url) = address(seen) else { return false };
        let right = server.approve(url);
        let state = right.split_once("&state=").unwrap().1;
        let place = right.split_once("/?").unwrap().0;
        browse(&format!("{place}/?error=access_denied&error_description=not+you&state={state}"));
        true
    });
    assert!(
        seen.contains("postie: login work: 127.0.0.1: refused: access_denied: not you\nhint: "),
        "{seen}"
    );
    assert!(seen.ends_with("status 77\n"), "{seen}");
    server.do_wrong([Wrong::Answer(400, r#"{"error":"invalid_grant"}"#)]);
    let seen = at_a_terminal(&home, "login", |seen, _| {
        let Some(url) = address(seen) else { return false };
        browse(&server.approve(url));
        true
    });
    let refused = "127.0.0.1: the login is refused (invalid_grant)\nhint: log in once more";
    assert!(seen.contains(refused) && seen.ends_with("status 77\n"), "{seen}");
    server.do_wrong([Wrong::NoRefreshToken]);
    let seen = at_a_terminal(&home, "login", |seen, _| {
        let Some(url) = address(seen) else { return false };
        browse(&server.approve(url));
        true
    });
    assert!(
        seen.contains("it grants no refresh token; `scope` may need `offline_access`"),
        "{seen}"
    );
    assert!(seen.ends_with("status 76\n"), "{seen}");
    fetch(&home).exit(78);
}

#[test]
fn nobody_logs_in_for_a_directory_that_cannot_be_written_to() {
    if !servers::is_installed("script") {
        return;
    }
    let server = AuthorizationServer::start(Refreshing::Keep, HOUR);
    let home = home(&server);
    home.file(".local", "");
    for args in ["login", "login --device"] {
        let seen = at_a_terminal(&home, args, |seen, keyboard| {
            let is_asked = seen.contains("https://");
            is_asked && keyboard.write_all(b"\x03").is_ok()
        });
        assert!(seen.contains("not a directory") && !seen.contains("https://"), "{seen}");
        assert_eq!(server.counts().devices, 0);
    }
}

#[test]
fn a_device_asks_until_it_is_approved() {
    if !servers::is_installed("script") {
        return;
    }
    let server = AuthorizationServer::start(Refreshing::Keep, HOUR);
    let home = Home::new();
    home.config(&format!("{}{}", server.table_by_issuer(&home), unreachable()));
    server.keep_device_waiting(["authorization_pending", "authorization_pending"]);
    let seen = at_a_terminal(&home, "login work --device", |_, _| true);
    assert!(
        seen.contains("/activate in any browser, and enter this code:\n\n    WDJB-MJHT\n"),
        "{seen}"
    );
    assert!(seen.contains("work: logged in at 127.0.0.1"), "{seen}");
    assert_eq!(server.counts().devices, 1);
    server.keep_device_waiting(["access_denied"]);
    let seen = at_a_terminal(&home, "login work --device", |_, _| true);
    assert!(seen.ends_with("status 77\n"), "{seen}");
    let table = "[oauth.google]\nclient-id = \"x\"\n";
    home.config(&format!("{table}{}", unreachable().replace("house", "google")));
    let seen = at_a_terminal(&home, "login work --device", |_, _| true);
    let line = "oauth2.googleapis.com has no device login for mail: leave --device out, and paste the address";
    assert!(seen.contains(line) && seen.ends_with("status 64\n"), "{seen}");
}

/// Asks the token endpoint as another program would: curl, with these fields. Returns the status.
fn by_curl(server: &AuthorizationServer, home: &Home, fields: &[(String, String)]) -> String {
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--output", "/dev/null", "--write-out", "%{http_code}", "--cacert"]);
    curl.arg(home.path().join("oauth-ca.pem"));
    for (name, value) in fields {
        curl.args(["--data-urlencode", &format!("{name}={value}")]);
    }
    let output = curl.arg(format!("{}/token", server.issuer())).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// The forms of RFC 6749 §4.1.3, §4.4.2 and §6, RFC 7636 §4.5 and RFC 8628 §3.4 as curl sends them
/// are granted, and ours are the same.
#[test]
fn the_requests_are_those_of_another_client() {
    if !servers::is_installed("script") || !servers::is_installed("curl") {
        return;
    }
    let server = AuthorizationServer::start(Refreshing::Keep, HOUR);
    let home = home(&server);
    let check = |grant: &str, names: &[&str]| {
        let ours = server.asked().pop().unwrap();
        let mut fields: Vec<_> = ours.fields.clone().into_iter().collect();
        fields.sort();
        let mut expected = [&["client_id", "grant_type"], names].concat();
        expected.sort_unstable();
        let found: Vec<_> = fields.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(found, expected);
        assert_eq!(ours.fields["grant_type"], grant);
        // What is good once is granted anew.
        server.allow_again(&ours.fields);
        assert_eq!(by_curl(&server, &home, &fields), "200", "{grant}");
        let theirs = server.asked().pop().unwrap();
        assert_eq!(theirs.content_type, ours.content_type);
        assert_eq!(theirs.fields, ours.fields);
    };
    at_a_terminal(&home, "login work", |seen, _| {
        let Some(url) = address(seen) else { return false };
        browse(&server.approve(url));
        true
    });
    check("authorization_code", &["code", "code_verifier", "redirect_uri"]);
    server.log_in(&home, -1, 3600);
    passes(&home);
    check("refresh_token", &["refresh_token"]);
    at_a_terminal(&home, "login work --device", |_, _| true);
    check("urn:ietf:params:oauth:grant-type:device_code", &["device_code"]);
    let table = server.table(&home);
    let grant = "grant = \"client-credentials\"\n";
    home.config(&format!("{table}{grant}client-secret = \"{CLIENT_SECRET}\"\n{}", unreachable()));
    home.postie(["login", "work", "--forget"]).run().exit(0);
    passes(&home);
    check("client_credentials", &["client_secret", "scope"]);
}

/// No secret in any of these, as it is or encoded.
#[track_caller]
fn assert_no_secrets(secrets: &[String], texts: &[&str]) {
    assert!(secrets.len() > 2);
    for secret in secrets {
        let encoded = STANDARD.encode(secret);
        let inside = &encoded[..encoded.len() - 4];
        for text in texts {
            assert!(!text.contains(secret.as_str()), "{secret} in:\n{text}");
            assert!(!text.contains(inside), "{secret}, in base64, in:\n{text}");
            let form = secret.replace('/', "%2F").replace('+', "%2B").replace(' ', "%20");
            assert!(!text.contains(&form), "{secret}, encoded, in:\n{text}");
        }
    }
}

#[test]
fn no_secret_is_in_any_output() {
    let server = AuthorizationServer::start(Refreshing::Rotate, HOUR);
    let home = Home::new();
    let secret = format!("client-secret = \"{CLIENT_SECRET}\"\n");
    home.config(&format!("{}{secret}{}", server.table(&home), unreachable()));
    server.log_in(&home, -1, 3600);
    let outcome = home.postie(["-vv", "check", "work", "--fetch"]).run();
    let exchange = format!("POST {}/token -> 200\n", server.issuer());
    outcome.says(&exchange);
    let mut texts = vec![outcome.stdout, outcome.stderr];
    server.log_in(&home, -1, 3600);
    let last = server.secrets().pop().unwrap();
    // It says back what it was sent.
    let body = format!(
        "{{\"error\":\"{last}\",\"error_description\":\"{last} {} {CLIENT_SECRET}\"}}",
        STANDARD.encode(&last)
    );
    server.do_wrong([Wrong::Say(
        format!("HTTP/1.1 400 X\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes(),
    )]);
    let outcome = home.postie(["-vv", "--json", "fetch", "work"]).run();
    outcome.exit(78).says("the client is refused (****: **** ");
    texts.extend([outcome.stdout, outcome.stderr]);
    assert_no_secrets(&server.secrets(), &texts.iter().map(String::as_str).collect::<Vec<_>>());
}

/// The accounts at a Dovecot that asks the authorization server, and at a Postfix behind it.
fn mail_servers(server: &AuthorizationServer) -> Option<(Dovecot, Option<Postfix>)> {
    let dovecot = Dovecot::start_with_oauth(&server.introspection_url())?;
    let postfix = Postfix::start(&dovecot, Auth::Offered);
    Some((dovecot, postfix))
}

/// The access token that is kept, and the second in which it was granted.
fn kept(server: &AuthorizationServer, home: &Home) -> (String, i64) {
    let text = fs::read_to_string(home.path().join(server.file())).unwrap();
    let kept: serde_json::Value = serde_json::from_str(&text).unwrap();
    let granted: jiff::Timestamp = kept["granted"].as_str().unwrap().parse().unwrap();
    (kept["access-token"].as_str().unwrap().to_owned(), granted.as_second())
}

/// Runs the program; it must be silent, and renew the token once if it has less than half its
/// lifetime left, else not at all.
#[track_caller]
fn run_silently(server: &AuthorizationServer, home: &Home, lifetime: u64, run: Run) {
    let now = || jiff::Timestamp::now().as_second();
    let (old, granted) = kept(server, home);
    let is_due = |time: i64| time - granted >= i64::try_from(lifetime / 2).unwrap();
    let (before, count) = (now(), server.counts().refreshes);
    run.run().exit(0).silent();
    let renewed = server.counts().refreshes - count;
    assert_eq!(renewed, usize::from(kept(server, home).0 != old), "what was granted is kept");
    // The second may have changed before the program looked at its clock.
    assert!(if renewed == 0 { !is_due(before) } else { is_due(now()) }, "granted in {granted}");
}

/// With `POSTIE_TEST_TOKEN_SECONDS=120` in the environment it takes ten minutes.
#[test]
fn a_mailbox_is_polled_and_sent_from_with_tokens_of_four_seconds() {
    if !servers::is_installed("script") {
        return;
    }
    let lifetime = std::env::var("POSTIE_TEST_TOKEN_SECONDS");
    let lifetime: u64 = lifetime.map_or(4, |seconds| seconds.parse().unwrap());
    let server = AuthorizationServer::start(Refreshing::Rotate, Duration::from_secs(lifetime));
    let Some((dovecot, postfix)) = mail_servers(&server) else { return };
    let home = Home::new();
    let without_password = |table: String| {
        let lines = table.lines().filter(|line| !line.starts_with("password"));
        lines.fold(String::new(), |table, line| table + line + "\n")
    };
    let mut config = format!(
        "{}[account.work]\noauth = \"house\"\n[account.work.fetch]\n{}",
        server.table(&home),
        without_password(dovecot.table())
    );
    if let Some(postfix) = &postfix {
        config += &format!("[account.work.send]\n{}", without_password(postfix.table()));
    }
    home.config(&config);
    dovecot.deliver(&mailbox(3));
    // Once by code, once by device.
    let seen = at_a_terminal(&home, "login work", |seen, _| {
        let Some(url) = address(seen) else { return false };
        browse(&server.approve(url));
        true
    });
    assert!(seen.ends_with("status 0\n"), "{seen}");
    let seen = at_a_terminal(&home, "login work --device", |_, _| true);
    assert!(seen.ends_with("status 0\n"), "{seen}");
    for auth in ["", "auth = \"xoauth2\"\n"] {
        home.config(&config.replace("oauth = \"house\"\n", &format!("oauth = \"house\"\n{auth}")));
        let before = server.counts().refreshes;
        for round in 0..10 {
            run_silently(&server, &home, lifetime, home.postie(["fetch", "work"]));
            if postfix.is_some() {
                let text = format!("Subject: {round}\n\nhi\n");
                let send = home.postie(["send", "ann@example.com"]).stdin(text);
                run_silently(&server, &home, lifetime, send);
            }
            thread::sleep(Duration::from_secs(lifetime) / 4);
        }
        let renewed = server.counts().refreshes - before;
        servers::note(&format!("{renewed} refreshes in ten polls, tokens of {lifetime} s"));
        assert!(renewed >= 3, "{renewed}");
        let mechanism = if auth.is_empty() { "OAUTHBEARER" } else { "XOAUTH2" };
        let outcome = home.postie(["fetch", "work", "-v"]).run();
        outcome.exit(0).says(&format!("AUTH {mechanism}"));
    }
    assert_eq!(home.messages("Maildir").len(), 3);
    // What the mail server refuses is renewed once, although it looks fresh.
    let before = server.counts().refreshes;
    server.log_in(&home, 3600, 3600);
    server.end_access();
    let outcome = home.postie(["fetch", "work", "-vv"]).run();
    outcome.exit(0);
    assert_eq!(server.counts().refreshes, before + 1);
    assert_no_secrets(&server.secrets(), &[&outcome.stdout, &outcome.stderr]);
}

#[test]
fn a_login_that_has_expired_is_a_reason_to_wait() {
    let server = AuthorizationServer::start(Refreshing::Rotate, HOUR);
    let home = home(&server);
    let text = "Subject: x\n\nhi\n";
    let send =
        || home.postie(["send", "-a", "work", "--queue", "bob@example.net"]).stdin(text).run();
    send().exit(0).says("no login for ann@example.com");
    server.log_in(&home, -1, 3600);
    server.do_wrong([Wrong::Answer(400, r#"{"error":"invalid_grant"}"#)]);
    send().exit(0).says("the login has expired or was revoked (invalid_grant)");
    let list = home.postie(["queue"]).run();
    list.exit(0);
    assert_eq!(list.stdout.matches("bob@example.net").count(), 2, "{}", list.stdout);
    // Without an outbox, it is for the caller to try again.
    server.do_wrong([Wrong::Answer(400, r#"{"error":"invalid_grant"}"#)]);
    home.postie(["send", "-a", "work", "bob@example.net"]).stdin(text).run().exit(77);
}
