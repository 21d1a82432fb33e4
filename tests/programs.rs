//! Programs that the configuration names, and the signals that end them.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Signal, kill_process};

use crate::support::postie::Home;

/// Waits until a program has written this file.
fn wait_for(path: &Path) -> String {
    let start = Instant::now();
    loop {
        match fs::read_to_string(path) {
            Ok(text) if text.ends_with('\n') => return text,
            _ => assert!(start.elapsed() < Duration::from_secs(20), "nothing has run"),
        }
        thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_signal_that_is_ignored_at_the_start_stays_ignored() {
    let home = Home::new();
    home.config(
        "[account.home]\nserver = \"127.0.0.1:1\"\nuser = \"ann@example.com\"\n\
         password-command = \"echo > started; sleep 1; echo not-a-secret\"\n",
    );
    let line = format!("trap '' HUP; exec {} fetch", env!("CARGO_BIN_EXE_postie"));
    let running = home.program(Path::new("/bin/sh"), ["-c", &line]).start();
    wait_for(&home.path().join("started"));
    kill_process(running.pid(), Signal::HUP).unwrap();
    running.finish().exit(75).says("cannot connect: connection refused");
}

#[test]
fn a_program_that_hangs_ends_with_its_children_at_the_first_signal() {
    // The second does not listen to SIGTERM.
    let hang = "sleep 300 & echo $! > children; wait";
    let deaf = "trap '' TERM; sleep 300 & echo $! > children; wait; wait; sleep 300";
    for line in [hang, deaf] {
        let (key, home) = ("password-command", Home::new());
        home.config(&format!(
            "[account.home]\nserver = \"127.0.0.1:1\"\nuser = \"ann@example.com\"\n\
                 {key} = \"{line}\"\n"
        ));
        let running = home.postie(["fetch"]).start();
        let child = wait_for(&home.path().join("children"));
        let start = Instant::now();
        kill_process(running.pid(), Signal::TERM).unwrap();
        let outcome = running.finish();
        assert_eq!(outcome.status, 128 + 15, "{key}: {}", outcome.stderr);
        assert_eq!(outcome.stderr, "postie: fetch home: interrupted waiting for the password\n");
        assert!(start.elapsed() < Duration::from_secs(20), "{key}");
        // A process that has ended and that nobody has waited for has no command line.
        let left = fs::read(format!("/proc/{}/cmdline", child.trim())).unwrap_or_default();
        assert!(left.is_empty(), "{key}: a child lives on");
    }
}
