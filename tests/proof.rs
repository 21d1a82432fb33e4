//! Nothing is deleted from a server but on proof: mailboxes that are restored and renumbered, clocks
//! that are wrong, files that may not grow, Maildirs that go away, with real servers.

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use crate::support::dovecot::Dovecot;
use crate::support::mailbox::{assert_arrived, assert_same, mailbox, with_lf};
use crate::support::mailutils::{Format, Mailutils, without_uidl};
use crate::support::postie::{Home, Outcome};
use crate::support::servers;
use crate::support::transcript::Tls;

/// Runs that are killed; ten times as many and more by hand: `POSTIE_KILLS=2000`.
const KILLS: usize = 200;

#[test]
fn what_a_restored_mailbox_calls_by_old_names_is_fetched() {
    let Some(dovecot) = Dovecot::start_counting() else { return };
    let (home, messages) = (Home::new(), mailbox(9));
    let (first, second) = messages.split_at(4);
    dovecot.deliver(first);
    home.postie(dovecot.fetch(Tls::Implicit, "forever")).run().exit(0).silent();
    dovecot.restore(second);
    // Whether the server numbers them from 1 or goes on, all of them are new.
    home.postie(dovecot.fetch(Tls::Implicit, "none")).run().exit(0);
    assert_arrived(&home, &messages);
    assert_eq!(dovecot.count(), 0);
}

/// It rewrites Status and X-UID in an mbox, so that sizes and texts change between sessions.
#[test]
fn what_a_server_rewrites_between_sessions_does_not_come_twice() {
    let Some(mailutils) = Mailutils::start_with(Format::Mbox) else { return };
    let mut messages = mailbox(30);
    messages.retain(|text| {
        !text.contains(&b'\r')
            && text.ends_with(b"\n")
            && text.windows(2).any(|two| two == b"\n\n")
            && mailutils.is_faithful_to(text)
    });
    mailutils.deliver(&messages);
    let home = Home::new();
    for keep in ["forever", "forever", "30d", "none"] {
        let args = mailutils.fetch(Tls::Implicit, keep);
        let is_done = servers::wait_until(|| home.postie(&args).run().status == 0);
        assert!(is_done, "{:?}", home.postie(&args).run());
        let arrived = home.messages("Mail").iter().map(|text| without_uidl(text)).collect();
        assert_same(arrived, &messages);
    }
    assert_eq!(mailutils.count(), 0);
}

/// What is fetched while a clock is wrong that no certificate bounds is tried with a disk in memory.
#[test]
fn a_certificate_bounds_how_wrong_a_clock_may_be() {
    let Some(faketime) = servers::installed("faketime") else {
        return servers::skip("no faketime");
    };
    for wrong in ["2000-01-01 12:00:00", "2040-01-01 12:00:00"] {
        let Some(dovecot) = Dovecot::start() else { return };
        let (home, messages) = (Home::new(), mailbox(3));
        dovecot.deliver(&messages);
        let args = dovecot.fetch(Tls::Implicit, "30d");
        let words = [wrong.to_owned(), env!("CARGO_BIN_EXE_postie").to_owned()];
        let run = home.program(&faketime, words.into_iter().chain(args.clone())).run();
        run.exit(77).says("certificate refused");
        assert!(home.files("Mail/new").is_empty(), "{wrong}");
        home.postie(&args).run().exit(0).silent();
        home.postie(&args).run().exit(0).silent();
        assert_arrived(&home, &messages);
        assert_eq!(dovecot.count(), 3, "{wrong}");
    }
}

#[test]
fn a_message_that_may_not_be_as_large_does_not_keep_the_others_from_being_fetched() {
    let Some(dovecot) = Dovecot::start() else { return };
    let (home, mut messages) = (Home::new(), mailbox(2));
    let large = [b"Subject: large\n\n".to_vec(), b"0123456789\n".repeat(400_000)].concat();
    dovecot.deliver(&[large, messages.remove(0), messages.remove(0)]);
    let script = ["-c", "ulimit -f 4000; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_postie")];
    let args = dovecot.fetch(Tls::Implicit, "none");
    let words = script.map(str::to_owned).into_iter().chain(args.clone());
    let run = home.program(Path::new("/bin/sh"), words).run();
    run.exit(81).says("message 1 stays on the server: cannot write ").says(": file too large");
    assert_eq!((home.files("Mail/new").len(), home.files("Mail/tmp").len()), (2, 0));
    assert_eq!(dovecot.count(), 1);
    home.postie(&args).run().exit(0).silent();
    assert_eq!((home.files("Mail/new").len(), dovecot.count()), (3, 0));
}

/// Mounts a disk of a kind, with room for the small messages and not for the large one, and runs the
/// program; then the same with room for all. For each run: its status, and how many files there are.
const ON_A_DISK: &str = "
    kind=$1; shift
    PATH=$PATH:/usr/sbin:/sbin
    mkdir Mail
    case $kind in
    tmpfs) mount -t tmpfs -o size=64m tmpfs Mail ;;
    *) truncate -s 320m image && mkfs.$kind -q image && mount -o loop image Mail ;;
    esac && fallocate -l $(($(df -B1 --output=avail Mail | tail -n1) - 8000000)) Mail/filler || exit
    for room in little much; do
        status=0
        \"$@\" || status=$?
        echo $status $(ls Mail/new | wc -l) $(ls Mail/tmp | wc -l) >> result
        rm -f Mail/filler
    done";

#[test]
fn a_message_for_which_a_disk_has_no_room_does_not_keep_the_others_from_being_fetched() {
    let Some(unshare) = servers::installed("unshare") else {
        return servers::skip("no unshare");
    };
    let large = [b"Subject: large\n\n".to_vec(), b"0123456789\n".repeat(1_200_000)].concat();
    for kind in ["tmpfs", "ext4", "xfs"] {
        let Some(dovecot) = Dovecot::start() else { return };
        let (home, mut messages) = (Home::new(), mailbox(2));
        dovecot.deliver(&[large.clone(), messages.remove(0), messages.remove(0)]);
        // The mounts are seen by nobody else, and end with the last program that sees them.
        let words = ["--mount", "sh", "-c", ON_A_DISK, "sh", kind, env!("CARGO_BIN_EXE_postie")];
        let words = words.into_iter().map(str::to_owned);
        let run = home.program(&unshare, words.chain(dovecot.fetch(Tls::Implicit, "none"))).run();
        let Ok(result) = fs::read_to_string(home.path().join("result")) else {
            servers::note(&format!("SKIPPED: no {kind} can be mounted here: {run:?}"));
            continue;
        };
        assert_eq!(result, "81 2 0\n0 3 0\n", "{kind}: {run:?}");
        run.says("message 1 stays on the server: ");
        assert_eq!(dovecot.count(), 0, "{kind}");
    }
}

#[test]
fn a_journal_does_not_grow_with_sessions_that_a_server_ends_badly() {
    const MESSAGES: usize = 300;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for socket in listener.incoming() {
            drop(refuse_quit(&socket.unwrap(), MESSAGES));
        }
    });
    let home = Home::new();
    let args = ["fetch", "--server", &address.to_string(), "--tls", "none", "--user", "ann"]
        .map(str::to_owned);
    let more = ["--password-command", "echo not-a-secret", "--maildir", "Mail", "--keep", "none"];
    let args: Vec<_> = args.into_iter().chain(more.map(str::to_owned)).collect();
    let journal = home
        .path()
        .join(format!(".local/state/postie/fetch/ann@127.0.0.1+{}/journal", address.port()));
    let mut lines = Vec::new();
    for _ in 0..8 {
        home.postie(&args).run().exit(75);
        lines.push(fs::read_to_string(&journal).unwrap().lines().count());
    }
    assert_eq!(home.files("Mail/new").len(), MESSAGES);
    let most = lines.iter().max().unwrap();
    assert!(lines.last() < Some(most) && *most < 2_500, "{lines:?}");
}

/// Serves so many messages, and refuses QUIT.
fn refuse_quit(socket: &TcpStream, messages: usize) -> std::io::Result<()> {
    let mut output = BufWriter::new(socket);
    output.write_all(b"+OK\r\n")?;
    output.flush()?;
    for line in BufReader::new(socket).lines() {
        let line = line?;
        let (verb, argument) = line.split_once(' ').unwrap_or((&line, ""));
        let column = |what: fn(usize) -> String| {
            let lines: Vec<_> = (1..=messages).map(|n| format!("{n} {}\r\n", what(n))).collect();
            format!("+OK\r\n{}.\r\n", lines.concat())
        };
        let answer = match verb {
            "CAPA" => "+OK\r\nUSER\r\nUIDL\r\n.\r\n".to_owned(),
            "UIDL" => column(|number| format!("u{number}")),
            "LIST" => column(|_| "20".to_owned()),
            "RETR" => format!("+OK\r\nSubject: {argument}\r\n\r\nx\r\n.\r\n"),
            "QUIT" => "-ERR some deleted messages not removed\r\n".to_owned(),
            _ => "+OK\r\n".to_owned(),
        };
        output.write_all(answer.as_bytes())?;
        output.flush()?;
    }
    Ok(())
}

#[test]
fn a_maildir_that_is_not_mounted_is_not_made_anew() {
    let Some(dovecot) = Dovecot::start() else { return };
    let (home, messages) = (Home::new(), mailbox(4));
    dovecot.deliver(&messages[..2]);
    let args = dovecot.fetch(Tls::Implicit, "none");
    home.postie(&args).run().exit(0).silent();
    dovecot.deliver(&messages[2..]);
    let (mounted, away) = (home.path().join("Mail"), home.path().join("away"));
    fs::rename(&mounted, &away).unwrap();
    fs::create_dir(&mounted).unwrap();
    home.postie(&args).run().exit(74).says("/Mail is gone");
    assert_eq!((dovecot.count(), fs::read_dir(&mounted).unwrap().count()), (2, 0));
    fs::remove_dir(&mounted).unwrap();
    home.postie(&args).run().exit(74);
    fs::rename(&away, &mounted).unwrap();
    home.postie(&args).run().exit(0).silent();
    assert_arrived(&home, &messages);
}

/// Runs are killed at any moment, and between them the mailbox is restored, with what was not
/// fetched and with new messages, of equal sizes and under old names. A message may come twice only
/// where it was on its way while the mailbox was restored: the server gave it a second name.
#[test]
fn runs_that_are_killed_while_mailboxes_are_restored_lose_nothing() {
    let Some(dovecot) = Dovecot::start_counting() else { return };
    let kills = std::env::var("POSTIE_KILLS").ok().and_then(|kills| kills.parse().ok());
    let kills = kills.unwrap_or(KILLS);
    let (home, mut all) = (Home::new(), Vec::new());
    let args = dovecot.fetch(Tls::Implicit, "none");
    let (mut killed, mut restored, mut on_their_way, mut state) = (0, 0, 0, 0x2545_f491_u64);
    let mut draw = |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below
    };
    dovecot.deliver(&[]);
    for round in 0.. {
        if killed >= kills {
            break;
        }
        let new: Vec<_> = (0..draw(6))
            .map(|number| {
                // All of one size, or nearly.
                let filling = "x".repeat(usize::try_from(draw(2)).unwrap());
                format!("Subject: {round:06} {number}\n\n{filling}\n").into_bytes()
            })
            .collect();
        all.extend(new.iter().cloned());
        if draw(4) == 0 {
            let here: Vec<_> = home.messages("Mail");
            let mut held = dovecot.held();
            held.retain(|message| !here.contains(&with_lf(message)));
            // One that the server was about to move was read twice.
            held.sort_unstable();
            held.dedup();
            held.extend(new);
            if draw(2) == 0 {
                held.reverse();
            }
            on_their_way += home.files("Mail/tmp").len();
            dovecot.restore(&held);
            restored += 1;
        } else {
            dovecot.deliver(&new);
        }
        let (mut run, start) = (home.postie(&args).spawn(), Instant::now());
        let moment = Duration::from_micros(draw(200_000));
        loop {
            if run.try_wait().unwrap().is_some() {
                // Where all names are new, it says so.
                Outcome::new(run.wait_with_output().unwrap()).exit(0);
                break;
            }
            if start.elapsed() > moment {
                run.kill().unwrap();
                run.wait().unwrap();
                killed += 1;
                break;
            }
            thread::sleep(Duration::from_micros(100));
        }
    }
    home.postie(&args).run().exit(0);
    assert_eq!(dovecot.count(), 0);
    let mut times = HashMap::<Vec<u8>, usize>::new();
    home.messages("Mail").into_iter().for_each(|text| *times.entry(text).or_default() += 1);
    let lost = all.iter().filter(|message| !times.contains_key(&with_lf(message))).count();
    let doubled = times.values().filter(|times| **times > 1).count();
    servers::note(&format!(
        "killed: {killed} runs, {restored} mailboxes restored between them, {} messages, none lost, \
         {doubled} twice of {on_their_way} that were on their way",
        all.len()
    ));
    assert_eq!(lost, 0);
    assert!(doubled <= on_their_way, "{doubled} came twice, {on_their_way} were on their way");
}
