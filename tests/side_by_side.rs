//! Several accounts in one run, against a real server for each: what happens to one is no matter
//! to another. And runs that are told to end.

use std::fs;

use rustix::process::{Signal, kill_process};

use crate::support::dovecot::Dovecot;
use crate::support::mailbox::{assert_arrived, assert_arrived_in, mailbox};
use crate::support::postie::Home;
use crate::support::servers;
use crate::support::transcript::Tls;

/// An account for each server, all fetched into Maildirs of their own.
fn configure(home: &Home, servers: &[Dovecot], more: &str) {
    let account = |(number, server): (usize, &Dovecot)| {
        format!("[account.a{number}]\n{}{more}maildir = \"Mail{number}\"\n", server.table())
    };
    home.config(&servers.iter().enumerate().map(account).collect::<String>());
}

fn start<const N: usize>() -> Option<[Dovecot; N]> {
    let servers: Vec<_> = (0..N).map_while(|_| Dovecot::start()).collect();
    servers.try_into().ok()
}

#[test]
fn four_mailboxes_that_are_emptied_side_by_side_survive_kills_at_any_moment() {
    const EACH: usize = 200;
    let Some(servers) = start::<4>() else { return };
    let (home, messages) = (Home::new(), mailbox(4 * EACH));
    for (server, messages) in servers.iter().zip(messages.chunks(EACH)) {
        server.deliver(messages);
    }
    configure(&home, &servers, "keep = \"none\"\n");
    let files = |part: &str| {
        (0..4).map(|number| home.files(&format!("Mail{number}/{part}")).len()).sum::<usize>()
    };
    let mut kills = 0;
    loop {
        let before = files("new");
        let mut run = home.postie(["fetch"]).spawn();
        let is_over = servers::wait_until(|| {
            let is_time = match kills % 3 {
                0 => files("tmp") > kills * 31 % 300,
                1 => files("new") > before + kills * 7 % 50,
                _ => files("new") > before && files("tmp") > 20,
            };
            is_time || run.try_wait().unwrap().is_some()
        });
        assert!(is_over, "the run does not end");
        if let Some(status) = run.try_wait().unwrap() {
            assert!(status.success(), "{status}");
            break;
        }
        run.kill().unwrap();
        run.wait().unwrap();
        kills += 1;
    }
    assert!(kills >= 4, "only {kills} runs were killed");
    servers::note(&format!("killed: {kills} runs in the middle of four fetches"));
    for (number, messages) in messages.chunks(EACH).enumerate() {
        assert_arrived_in(&home, &format!("Mail{number}"), messages);
    }
    for server in &servers {
        assert_eq!(server.count(), 0);
    }
}

#[test]
fn one_accounts_failure_does_not_touch_another() {
    let Some(servers) = start::<2>() else { return };
    let (home, messages) = (Home::new(), mailbox(40));
    for (server, messages) in servers.iter().zip(messages.chunks(20)) {
        server.deliver(messages);
    }
    let wrong = servers[1].table().replace("not-a-secret", "not-the-secret");
    let closed = "server = \"127.0.0.1:1\"\nuser = \"ann\"\npassword = \"not-a-secret\"\n";
    home.config(&format!(
        "[account.closed]\n{closed}maildir = \"Closed\"\n\
         [account.good]\n{}maildir = \"Mail\"\n\
         [account.wrong]\n{wrong}maildir = \"Wrong\"\n",
        servers[0].table()
    ));
    // What lasts outweighs what may pass.
    let outcome = home.postie(["fetch"]).run();
    outcome.exit(77).says("postie: fetch wrong: 127.0.0.1:").says("login refused: [AUTH]");
    outcome.says("postie: fetch closed: 127.0.0.1:1: cannot connect: connection refused\n");
    // Each with a hint.
    assert_eq!(outcome.stderr.lines().count(), 4, "{}", outcome.stderr);
    assert_arrived(&home, &messages[..20]);
    assert_eq!(home.files("Wrong/new").len(), 0);
    home.postie(["fetch", "closed", "good"]).run().exit(75);
    home.postie(["fetch", "good"]).run().exit(0).silent();

    // The objects come whole, one for each account, whatever else goes on.
    let outcome = home.postie(["fetch", "--json", "--all", "--jobs", "3"]).run();
    let objects: Vec<serde_json::Value> =
        outcome.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut seen: Vec<_> = objects
        .iter()
        .map(|o| (o["account"].as_str().unwrap(), o["new"].as_u64().unwrap()))
        .collect();
    seen.sort_unstable();
    assert_eq!(seen, [("closed", 0), ("good", 20), ("wrong", 0)]);
}

#[test]
fn an_account_that_lacks_something_keeps_no_other_from_being_fetched() {
    let home = Home::new();
    home.config(
        "[account.bad.fetch]\nserver = \"127.0.0.1:1\"\n\
         [account.good]\nserver = \"127.0.0.1:1\"\nuser = \"ann@example.com\"\n\
         password = \"not-a-secret\"\n",
    );
    let outcome = home.postie(["fetch", "--json"]).run();
    outcome.exit(78).says("fetch bad: account `bad` has no `user`");
    outcome.says("fetch good: 127.0.0.1:1: cannot connect");
    assert_eq!(outcome.stdout.lines().count(), 2, "{}", outcome.stdout);
    // One that is named twice is not in its own way.
    home.postie(["fetch", "good", "good"]).run().exit(75).says("cannot connect");
}

#[test]
fn a_run_that_is_told_to_end_records_what_it_delivered() {
    let Some(dovecot) = Dovecot::start() else { return };
    let (home, messages) = (Home::new(), mailbox(1_000));
    dovecot.deliver(&messages);
    let args = dovecot.fetch(Tls::Implicit, "none");
    for (signal, status) in [(Signal::INT, 130), (Signal::TERM, 143), (Signal::HUP, 129)] {
        let before = home.files("Mail/new").len();
        let run = home.postie(&args).start();
        assert!(servers::wait_until(|| home.files("Mail/tmp").len() > 20));
        kill_process(run.pid(), signal).unwrap();
        let outcome = run.finish();
        outcome.exit(status).says("interrupted");
        assert_eq!(outcome.stderr.lines().count(), 1);
        // What was whole is there, nothing is left half done, and QUIT was never said.
        assert!(home.files("Mail/new").len() > before);
        assert_eq!(home.files("Mail/tmp").len(), 0);
        assert_eq!(dovecot.count(), 1_000);
    }
    let journal = fs::read_to_string(home.files(".local/state/postie/fetch")[0].join("journal"));
    let (intents, done) = journal.unwrap().lines().fold((0, 0), |(intents, done), line| {
        (
            intents + i32::from(line.starts_with("intent ")),
            done + i32::from(line.starts_with("done ")),
        )
    });
    assert_eq!(intents, done);
    home.postie(&args).run().exit(0).silent();
    assert_arrived(&home, &messages);
    assert_eq!(dovecot.count(), 0);
}

#[test]
fn messages_are_deleted_when_they_were_fetched_long_enough_ago() {
    let Some(dovecot) = Dovecot::start() else { return };
    let (home, messages) = (Home::new(), mailbox(3));
    dovecot.deliver(&messages);
    home.postie(dovecot.fetch(Tls::Implicit, "30d")).run().exit(0).silent();
    assert_eq!(dovecot.count(), 3);
    // Two of the three were fetched before their time.
    let path = home.files(".local/state/postie/fetch")[0].join("journal");
    let journal = fs::read_to_string(&path).unwrap();
    let now: u64 = journal.lines().nth(2).unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let mut days = [31, 30, 0].into_iter().map(|days| days * 24 * 60 * 60);
    let older = |line: &str| match line.strip_prefix(&format!("intent {now} ")) {
        Some(rest) => format!("intent {} {rest}\n", now - days.next().unwrap()),
        None => format!("{line}\n"),
    };
    fs::write(&path, journal.lines().map(older).collect::<String>()).unwrap();
    home.postie(dovecot.fetch(Tls::Implicit, "30d")).run().exit(0).silent();
    assert_eq!(dovecot.count(), 1);
    home.postie(dovecot.fetch(Tls::Implicit, "31d")).run().exit(0).silent();
    assert_eq!(dovecot.count(), 1);
    assert_arrived(&home, &messages);
}
