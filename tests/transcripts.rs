//! Plays every transcript in all three ways. A transcript is a file of `C:` and `S:` lines; its
//! format is described at `Transcript`.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::support::player::play;
use crate::support::postie::Home;
use crate::support::servers::note;
use crate::support::transcript::{Playing, Transcript};

#[test]
fn mail_is_fetched_as_the_transcripts_say() {
    play_all("pop3");
}

#[test]
fn mail_is_submitted_as_the_transcripts_say() {
    play_all("smtp");
}

#[test]
fn what_cannot_be_sent_now_waits_as_the_transcripts_say() {
    play_all("queue");
}

#[test]
fn what_is_wrong_is_found_as_the_transcripts_say() {
    play_all("check");
}

#[test]
fn a_hostile_server_achieves_nothing() {
    play_all("hostile");
}

#[test]
fn what_a_killed_run_has_left_undone_is_done_by_the_next() {
    play_all("killed");
}

/// Lines for so many messages.
fn each(number: usize, line: impl Fn(usize) -> String) -> String {
    (1..=number).map(line).collect()
}

/// From the greeting to the listings, with PIPELINING.
fn listed(number: usize, uid: &str) -> String {
    format!(
        "S: +OK ready\nC: CAPA\nS: +OK\nS: SASL PLAIN\nS: PIPELINING\nS: UIDL\nS: .\n\
         C: AUTH PLAIN {{plain ann not-a-secret}}\nS: +OK\nC: UIDL\nS: +OK\n{}S: .\n\
         C: LIST\nS: +OK\n{}S: .\n",
        each(number, |number| format!("S: {number} {uid}{number}\n")),
        each(number, |number| format!("S: {number} 9\n"))
    )
}

fn play_text(text: String) {
    let home = Home::new();
    let transcript = Transcript::read(&home.file("many.txt", text)).unwrap();
    play(&transcript, Playing::Whole).unwrap();
}

/// Too long to be written down.
#[test]
fn many_messages_take_as_many_turns_as_few() {
    let retrieved = |number| {
        let retr = |n| format!("C: RETR {n}\nS: +OK\nS: A: b\nS:\nS: hello\nS: .\n");
        each(number, retr) + "C: NOOP\nS: +OK\n"
    };
    let deleted = |number| each(number, |n| format!("C: DELE {n}\nS: +OK\n")) + "C: QUIT\nS: +OK\n";
    for (keep, turns) in [("forever", 4), ("none", 5)] {
        let end = |number| if keep == "none" { deleted(number) } else { "C: QUIT\n".to_owned() };
        let silent = if keep == "none" { "silent:" } else { "stderr: with new unique-ids" };
        let run = |number, uid| listed(number, uid) + &retrieved(number) + &end(number);
        // A new server is asked for few, and if these come for all others; one that is known to give
        // them is asked for all, and for the listing together with the login.
        for (new, more) in [(30, 0), (250, 1)] {
            play_text(format!(
                "args: fetch {{account}} --maildir Mail --keep {keep}\nexit: 0\nturns: {}\nsilent:\n\n\
                 {}files: Mail/new {new}\n\n! again\nexit: 0\nturns: {}\n{silent}\n\n{}files: Mail/new {}\n",
                turns + more,
                run(new, "a"),
                turns - 1,
                run(250, "b"),
                new + 250,
            ));
        }
    }
}

#[test]
fn a_server_that_refuses_all_messages_is_asked_for_few_of_them() {
    let refused = |n| format!("C: RETR {n}\nS: -ERR Download exceed the limit\n");
    let run = each(31, refused) + "C: NOOP\nS: +OK\n" + &refused(290) + "C: NOOP\nS: +OK\n";
    let end = "C: QUIT\nfiles: Mail/new 0\n";
    let all = listed(290, "a") + &run + end;
    // It is remembered.
    play_text(format!(
        "args: fetch {{account}} --maildir Mail\nexit: 75\n\n{all}\n! again\nexit: 75\n\n{all}"
    ));
}

/// Plays the transcripts of one directory, several at a time: they wait more than they work.
fn play_all(directory: &str) {
    const AT_A_TIME: usize = 8;
    let paths = transcripts(directory);
    assert!(!paths.is_empty(), "no transcripts in {directory}");
    let mut failures = Vec::new();
    let mut plays = Vec::new();
    for path in paths {
        match Transcript::read(&path) {
            Ok(transcript) => plays.extend(ways(transcript)),
            Err(error) => failures.push(error),
        }
    }
    let runs: usize = plays.iter().map(|(transcript, _)| transcript.runs.len()).sum();
    note(&format!("{directory}: {runs} conversations in {} plays of transcripts", plays.len()));
    let (plays, failures) = (Mutex::new(plays.into_iter()), Mutex::new(failures));
    thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            scope.spawn(|| {
                loop {
                    let next = plays.lock().unwrap().next();
                    let Some((transcript, playing)) = next else { return };
                    if let Err(failure) = play(&transcript, playing) {
                        failures.lock().unwrap().push(failure);
                    }
                }
            });
        }
    });
    let mut failures = failures.into_inner().unwrap();
    failures.sort();
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}

/// The transcript with each way that it may be played: those it names, or all.
fn ways(transcript: Transcript) -> impl Iterator<Item = (Arc<Transcript>, Playing)> {
    let transcript = Arc::new(transcript);
    Playing::NAMES.into_iter().filter_map(move |(_, playing)| {
        let mut runs = transcript.runs.iter();
        let is_fit = runs.all(|run| run.playings.is_empty() || run.playings.contains(&playing));
        is_fit.then(|| (Arc::clone(&transcript), playing))
    })
}

fn transcripts(directory: &str) -> Vec<PathBuf> {
    // Relative to the package's root, where tests are run, so that failures are easy to open.
    let entries = fs::read_dir(Path::new("tests/transcripts").join(directory)).unwrap();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "txt"));
    paths.sort();
    paths
}
