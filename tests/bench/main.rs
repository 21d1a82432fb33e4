//! `cargo bench --bench peers`: what this program costs beside its peers, as far as they are
//! installed, against Dovecot and Postfix on this machine. Prints the table of the README.
//!
//! Round trips are counted by a line in between. Everything else is measured in turns, one run of
//! each after the other, and given as a ratio: the median, the least and the greatest. What was
//! fetched is removed at the very end, since after a mass deletion ext4 makes files much more slowly,
//! for everybody: for some seconds, and for five minutes if it has no journal. Whoever runs this
//! twice should let so much time pass. Everybody logs in with PLAIN, or with USER and PASS:
//! SCRAM, which this program prefers, takes two round trips more.
//!
//! Words behind `--` choose rows by what their names begin with; `--small` makes everything a
//! hundredth of its size, to try the benchmark itself.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::indexing_slicing,
    clippy::as_conversions,
    clippy::cast_precision_loss,
    clippy::disallowed_methods,
    reason = "a benchmark that meets the unexpected should stop there and say so"
)]

use std::cell::{Cell, RefCell};
use std::env;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use tempfile::TempDir;

use dovecot::Dovecot;
use line::{Line, View};
use postfix::Postfix;
use process::Cost;
use programs::{Keep, Login, Mail, Program};
use servers::PASSWORD;
use transcript::Tls;

#[expect(dead_code, reason = "shared with the tests")]
#[path = "../support/dovecot.rs"]
mod dovecot;
mod line;
#[expect(dead_code, reason = "shared with the tests")]
#[path = "../support/pki.rs"]
mod pki;
#[expect(dead_code, reason = "shared with the tests")]
#[path = "../support/postfix.rs"]
mod postfix;
mod process;
mod programs;
#[path = "../support/servers.rs"]
mod servers;
#[expect(dead_code, reason = "shared with the tests")]
#[path = "../support/transcript.rs"]
mod transcript;

type Row = fn(&Bench);

/// The rows, by name.
const ROWS: &[(&str, Row)] = &[
    ("rtt-nothing-new", nothing_new),
    ("rtt-keep", |bench| many_round_trips(bench, Keep::Forever)),
    ("rtt-delete", |bench| many_round_trips(bench, Keep::None)),
    ("rtt-one-by-one", one_by_one),
    ("rtt-send", send_round_trips),
    ("rtt-flush", flush_round_trips),
    ("flush-many", flush_many),
    ("fetch-many", fetch_many),
    ("fetch-thousand", fetch_a_thousand),
    ("fetch-floor-memory", |bench| fetch_beside_the_floor(bench, &bench.memory, "tmpfs", 1.3)),
    ("fetch-floor-disk", |bench| fetch_beside_the_floor(bench, &bench.disk, "durable", 1.4)),
    ("fetch-large", fetch_large),
    ("send-large", send_large),
    ("send-small", send_small),
    ("memory", memory),
    ("poll", poll),
    ("accounts-at-one-host", |bench| poll_accounts(bench, 1)),
    ("accounts-at-twenty-hosts", |bench| poll_accounts(bench, 20)),
];

fn main() -> ExitCode {
    let mut words = env::args().skip(1).peekable();
    if words.next_if(|word| word == process::FLAG).is_some() {
        return process::measured(words);
    }
    // Cargo says `--bench` to every benchmark.
    let words: Vec<_> = words.filter(|word| word != "--bench").collect();
    let (options, names): (Vec<_>, Vec<_>) = words.iter().partition(|word| word.starts_with('-'));
    let bench = Bench::new(if options.contains(&&"--small".to_owned()) { 100 } else { 1 });
    for (row, run) in ROWS.iter().copied() {
        if names.is_empty() || names.iter().any(|name| row.starts_with(name.as_str())) {
            servers::note(row);
            run(&bench);
        }
    }
    println!("| what | peers | goal | postie |\n| --- | --- | --- | --- |");
    println!("{}", bench.table.borrow().trim_end());
    println!("\nload average: {}", fs::read_to_string("/proc/loadavg").unwrap().trim_end());
    ExitCode::SUCCESS
}

/// What the rows have in common.
struct Bench {
    /// Numbers and sizes are divided by this.
    divisor: usize,
    /// Where everything is written, on a disk and in memory.
    disk: TempDir,
    memory: TempDir,
    /// Runs so far, each of which has a directory of its own.
    runs: Cell<usize>,
    /// The most memory that this program had resident, fetching and sending, in MB.
    peak: Cell<f64>,
    table: RefCell<String>,
}

impl Bench {
    fn new(divisor: usize) -> Self {
        Self {
            divisor,
            disk: open_to_all(tempfile::tempdir().unwrap()),
            memory: open_to_all(tempfile::tempdir_in("/dev/shm").unwrap()),
            runs: Cell::new(0),
            peak: Cell::new(0.0),
            table: RefCell::default(),
        }
    }

    fn scaled(&self, number: usize) -> usize {
        number.div_ceil(self.divisor)
    }

    /// A fresh directory on the disk.
    fn dir(&self) -> PathBuf {
        self.dir_in(&self.disk)
    }

    fn dir_in(&self, ground: &TempDir) -> PathBuf {
        self.runs.set(self.runs.get() + 1);
        let dir = ground.path().join(self.runs.get().to_string());
        fs::create_dir(&dir).unwrap();
        dir
    }

    fn row(&self, what: &str, peers: &str, goal: impl std::fmt::Display, found: Found) {
        let Found { text, is_met } = found;
        let mark = if is_met { "" } else { ": **missed**" };
        let row = format!("| {what} | {peers} | {goal} | {text}{mark} |\n");
        servers::note(row.trim_end());
        self.table.borrow_mut().push_str(&row);
    }

    fn note_peak(&self, cost: &Cost) {
        self.peak.set(self.peak.get().max(cost.peak));
    }
}

fn open_to_all(dir: TempDir) -> TempDir {
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    dir
}

/// This program's figure, and whether it is good enough.
struct Found {
    text: String,
    is_met: bool,
}

impl Found {
    fn count(found: usize, goal: usize) -> Self {
        Self { text: format!("{found} RTT"), is_met: found <= goal }
    }

    fn ratio(ratios: &[f64], goal: f64) -> Self {
        Self { text: spread(ratios, " x"), is_met: median(ratios) <= goal }
    }
}

fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The median, and between which two values it lies.
fn spread(values: &[f64], unit: &str) -> String {
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let greatest = values.iter().copied().fold(0.0, f64::max);
    format!("{:.2} ({least:.2} to {greatest:.2}){unit}", median(values))
}

fn login(dovecot: &Dovecot, tls: Tls) -> Login {
    Login { port: dovecot.port(tls), tls, authority: dovecot.site.path("ca.pem") }
}

/// How well the server is known: sessions with it that came before. Each goes one step further
/// ahead of the replies than the one before.
const SESSIONS: [(usize, &str); 3] =
    [(0, "a new server"), (1, "the second session"), (2, "later sessions")];

/// Nothing new, through a long line.
fn nothing_new(bench: &Bench) {
    let Some(dovecot) = Dovecot::start() else { return };
    dovecot.deliver(&messages(3, 500));
    let line = Line::to(dovecot.port(Tls::Implicit), View::Whole);
    let login = Login { port: line.port, ..login(&dovecot, Tls::Implicit) };
    let count = |program: Program, sessions: usize| {
        let dir = bench.dir();
        let call = program.fetch(&dir, &login, Keep::Forever, 3);
        call.measure();
        // What was fetched is known, and the server is not.
        drop(fs::remove_dir_all(dir.join(".local/state/postie/server")));
        for _ in 0..sessions {
            call.measure();
        }
        line.tally();
        call.measure();
        line.tally().round_trips
    };
    for (sessions, known) in SESSIONS {
        let peers = [Program::Mpop, Program::Fetchmail, Program::Getmail];
        let peers = if sessions == 0 { &peers[..] } else { &[] };
        let peers = each(peers, |program| count(program, 0));
        let (goal, found) = (6 - sessions, count(Program::Postie, sessions));
        let what = format!("fetch, nothing new, {known}");
        bench.row(&what, &peers, format_args!("{goal} RTT"), Found::count(found, goal));
    }
}

/// What the peers that are installed come to.
fn each(peers: &[Program], mut count: impl FnMut(Program) -> usize) -> String {
    let mut text = Vec::new();
    for peer in peers.iter().filter(|peer| peer.is_here()) {
        text.push(format!("{} {} RTT", peer.name(), count(*peer)));
    }
    text.join(", ")
}

fn many_round_trips(bench: &Bench, keep: Keep) {
    let count = |program: Program, sessions: usize| {
        let Some(dovecot) = Dovecot::start() else { return 0 };
        let line = Line::to(dovecot.port(Tls::Implicit), View::Whole);
        let login = Login { port: line.port, ..login(&dovecot, Tls::Implicit) };
        let dir = bench.dir();
        let call = program.fetch(&dir, &login, keep, 250);
        for _ in 0..sessions {
            call.measure();
        }
        dovecot.deliver(&messages(250, 500));
        if sessions > 0 {
            line.tally();
        }
        call.measure();
        assert_eq!(fetched(&dir), 250, "{}", program.name());
        line.tally().round_trips
    };
    let (what, goal) = match keep {
        Keep::Forever => ("keep", 7),
        Keep::None => ("delete", 8),
    };
    for (sessions, known) in SESSIONS {
        let peers = if sessions == 0 { &[Program::Mpop][..] } else { &[] };
        let peers = each(peers, |program| count(program, 0));
        let goal = goal - sessions;
        let found = count(Program::Postie, sessions);
        let what = format!("fetch, 250 small messages, {what}, {known}");
        bench.row(&what, &peers, format_args!("{goal} RTT"), Found::count(found, goal));
    }
}

/// Each command of a server without PIPELINING waits for the answer to the one before. TCP and the
/// greeting take one round trip each, and QUIT's is not waited for.
fn one_by_one(bench: &Bench) {
    let Some(dovecot) = Dovecot::start() else { return };
    dovecot.deliver(&messages(20, 500));
    let line = Line::to(dovecot.port(Tls::None), View::WithoutPipelining);
    let login = Login { port: line.port, ..login(&dovecot, Tls::None) };
    let count = |program: Program| {
        program.fetch(&bench.dir(), &login, Keep::Forever, 20).measure();
        line.tally()
    };
    let peers = each(&[Program::Mpop], |program| count(program).round_trips);
    let tally = count(Program::Postie);
    let (goal, commands) = (tally.commands + 1, tally.commands - 1);
    let what = "fetch, 20 messages, without PIPELINING or TLS";
    let goal_text = format!("{commands} commands + 2 = {goal} RTT");
    bench.row(what, &peers, goal_text, Found::count(tally.round_trips, goal));
}

fn send_round_trips(bench: &Bench) {
    let Some(dovecot) = Dovecot::start() else { return };
    let Some(postfix) = Postfix::start_reticent(&dovecot) else { return };
    let line = Line::to(postfix.port(Tls::Implicit), View::Whole);
    let login =
        Login { port: line.port, tls: Tls::Implicit, authority: postfix.site.path("ca.pem") };
    let one = vec!["bob@example.net".to_owned()];
    let twenty: Vec<_> = (1..=20).map(|number| format!("bob{number}@example.net")).collect();
    let rows = [
        ("send, one small message, CHUNKING", 6, &one, true),
        ("send, one small message, DATA", 7, &one, false),
        ("send, 20 recipients, CHUNKING", 6, &twenty, true),
        ("send, 20 recipients, DATA", 7, &twenty, false),
    ];
    for (what, goal, to, chunking) in rows {
        let letter = Mail { path: written(bench, 500), to: to.clone(), chunking };
        let count = |program: Program| {
            program.send(&bench.dir(), &login, &letter).measure();
            postfix.arrived();
            line.tally().round_trips
        };
        let peers = if chunking { &[Program::Msmtp, Program::Curl][..] } else { &[] };
        let (peers, found) = (each(peers, count), count(Program::Postie));
        bench.row(what, &peers, format_args!("{goal} RTT"), Found::count(found, goal));
    }
}

/// The outbox, with as many messages as it takes a night without a network to gather.
fn flush_round_trips(bench: &Bench) {
    let Some(dovecot) = Dovecot::start() else { return };
    let Some(postfix) = Postfix::start_reticent(&dovecot) else { return };
    let line = Line::to(postfix.port(Tls::Implicit), View::Whole);
    let login =
        Login { port: line.port, tls: Tls::Implicit, authority: postfix.site.path("ca.pem") };
    let number = bench.scaled(1_000);
    let letter =
        Mail { path: written(bench, 500), to: vec!["bob@example.net".to_owned()], chunking: true };
    let cost = programs::queued(&bench.dir(), &login, &letter, number).measure();
    bench.note_peak(&cost);
    for _ in 0..number {
        postfix.arrived();
    }
    let found = Found::count(line.tally().round_trips, 150);
    let what = format!("flush of {number} small queued messages, CHUNKING");
    bench.row(&what, "", "150 RTT", found);
}

/// The outbox after a week without a network, beside a program that sends the same messages without
/// waiting for a reply or remembering anything. The server keeps them on the same disk.
fn flush_many(bench: &Bench) {
    let Some(dovecot) = Dovecot::start() else { return };
    let number = bench.scaled(10_000);
    let letter =
        Mail { path: written(bench, 500), to: vec!["bob@example.net".to_owned()], chunking: true };
    // A server of its own for each run: none has the queue of the one before.
    let run = |program: Program| {
        let postfix = Postfix::start_holding(&dovecot).unwrap();
        let login = Login {
            port: postfix.port(Tls::Implicit),
            tls: Tls::Implicit,
            authority: postfix.site.path("ca.pem"),
        };
        let dir = bench.dir();
        let call = match program {
            Program::Postie => programs::queued(&dir, &login, &letter, number),
            _ => programs::sent_blindly(&dir, &login, &letter, number),
        };
        let cost = call.measure();
        assert_eq!(postfix.held(), number, "{}", program.name());
        if program == Program::Postie {
            bench.note_peak(&cost);
        }
        cost
    };
    if Postfix::start_holding(&dovecot).is_none() {
        return;
    }
    let (wall, _) = pairs(5, || run(Program::Postie), || run(Program::Floor));
    let what = format!("flush of {number} queued messages, durable");
    bench.row(&what, "sent and forgotten 1.0", "1.3 x", Found::ratio(&wall, 1.3));
}

/// Measures two programs in turns, each run in a directory of its own; ratios of the first to the
/// second, of wall time and processor time.
fn pairs(
    number: usize,
    mut first: impl FnMut() -> Cost,
    mut second: impl FnMut() -> Cost,
) -> (Vec<f64>, Vec<f64>) {
    // What the first run of all meets is nobody's fault.
    second();
    let pairs: Vec<_> = (0..number)
        .map(|index| {
            // Neither is always the one that comes after the other.
            if index % 2 == 0 {
                let one = first();
                (one, second())
            } else {
                let other = second();
                (first(), other)
            }
        })
        .inspect(|pair| servers::note(&format!("{pair:.3?}")))
        .collect();
    let ratios = |part: fn(&Cost) -> f64| pairs.iter().map(|(a, b)| part(a) / part(b)).collect();
    (ratios(|cost| cost.wall), ratios(|cost| cost.cpu))
}

/// Fetches into a fresh directory and makes sure that everything came.
fn fetch(bench: &Bench, ground: &TempDir, program: Program, login: &Login, number: usize) -> Cost {
    let dir = bench.dir_in(ground);
    let cost = program.fetch(&dir, login, Keep::Forever, number).measure();
    match program {
        Program::Postie => bench.note_peak(&cost),
        Program::Fetchmail | Program::Floor => return cost,
        _ => {}
    }
    assert_eq!(fetched(&dir), number, "{}", program.name());
    cost
}

fn fetch_many(bench: &Bench) {
    let Some(dovecot) = Dovecot::start() else { return };
    let number = bench.scaled(10_000);
    dovecot.deliver(&messages(number, 2_000));
    let login = login(&dovecot, Tls::Implicit);
    let run = |program| fetch(bench, &bench.disk, program, &login, number);
    let (wall, cpu) = pairs(7, || run(Program::Postie), || run(Program::Mpop));
    let what = format!("fetch {number} x 2 KB, durable");
    bench.row(&what, "mpop 1.0", "0.4 x", Found::ratio(&wall, 0.4));
    bench.row("the same, processor time", "mpop 1.0", "", Found::ratio(&cpu, f64::INFINITY));
}

fn fetch_a_thousand(bench: &Bench) {
    let Some(dovecot) = Dovecot::start() else { return };
    let number = bench.scaled(1_000);
    dovecot.deliver(&messages(number, 4_000));
    let login = login(&dovecot, Tls::Implicit);
    let run = |program| fetch(bench, &bench.disk, program, &login, number);
    let (wall, _) = pairs(7, || run(Program::Postie), || run(Program::Mpop));
    let base = run(Program::Mpop).wall;
    let mut peers = "mpop 1.0".to_owned();
    for peer in [Program::Fetchmail, Program::Getmail].into_iter().filter(|peer| peer.is_here()) {
        let _ = write!(peers, ", {} {:.1}", peer.name(), run(peer).wall / base);
    }
    let what = format!("fetch {number} x 4 KB, durable");
    bench.row(&what, &peers, "0.45 x", Found::ratio(&wall, 0.45));
}

/// What the server alone takes for it.
fn fetch_beside_the_floor(bench: &Bench, ground: &TempDir, place: &str, goal: f64) {
    let Some(dovecot) = Dovecot::start() else { return };
    let number = bench.scaled(10_000);
    dovecot.deliver(&messages(number, 2_000));
    let login = login(&dovecot, Tls::Implicit);
    let run = |program| fetch(bench, ground, program, &login, number);
    let (wall, _) = pairs(7, || run(Program::Postie), || run(Program::Floor));
    let what = format!("fetch {number} x 2 KB, {place}");
    bench.row(&what, "thrown away 1.0", format_args!("{goal} x"), Found::ratio(&wall, goal));
}

fn fetch_large(bench: &Bench) {
    let Some(dovecot) = Dovecot::start() else { return };
    let octets = bench.scaled(40_000_000);
    for _ in 0..3 {
        dovecot.deliver(&messages(1, octets));
    }
    let login = login(&dovecot, Tls::Implicit);
    let run = |program| fetch(bench, &bench.disk, program, &login, 3);
    let (wall, cpu) = pairs(11, || run(Program::Postie), || run(Program::Mpop));
    let what = format!("fetch 3 x {} MB", octets / 1_000_000);
    bench.row(&what, "mpop 1.0", "1.0 x", Found::ratio(&wall, 1.0));
    bench.row("the same, processor time", "mpop 1.0", "0.7 x", Found::ratio(&cpu, 0.7));
}

fn send_in_turns(bench: &Bench, number: usize, octets: usize, what: &str, goal: f64) {
    let Some(dovecot) = Dovecot::start() else { return };
    let Some(postfix) = Postfix::start_reticent(&dovecot) else { return };
    let login = Login {
        port: postfix.port(Tls::Implicit),
        tls: Tls::Implicit,
        authority: postfix.site.path("ca.pem"),
    };
    let to = vec!["bob@example.net".to_owned()];
    let letter = Mail { path: written(bench, octets), to, chunking: true };
    let run = |program: Program| {
        let cost = program.send(&bench.dir(), &login, &letter).measure();
        // Nothing of one run is left to be done when the next begins.
        postfix.arrived();
        if program == Program::Postie {
            bench.note_peak(&cost);
        }
        cost
    };
    let (wall, cpu) = pairs(number, || run(Program::Postie), || run(Program::Curl));
    let base = run(Program::Curl).wall;
    let mut peers = "curl 1.0".to_owned();
    if Program::Msmtp.is_here() {
        let _ = write!(peers, ", msmtp {:.1}", run(Program::Msmtp).wall / base);
    }
    bench.row(what, &peers, format_args!("{goal} x"), Found::ratio(&wall, goal));
    bench.row("the same, processor time", "curl 1.0", "1 x", Found::ratio(&cpu, 1.0));
}

fn send_large(bench: &Bench) {
    let octets = bench.scaled(40_000_000);
    let what = format!("send {} MB", octets / 1_000_000);
    send_in_turns(bench, 15, octets, &what, 1.0);
}

fn send_small(bench: &Bench) {
    send_in_turns(bench, 15, 500, "send one small message, whole process", 0.9);
}

/// The peak of all that was measured before.
fn memory(bench: &Bench) {
    let peak = bench.peak.get();
    let found = Found { text: format!("{peak:.1} MB"), is_met: peak <= 10.0 };
    bench.row("peak memory of all these", "mpop, msmtp 9 MB", "10 MB", found);
}

fn poll(bench: &Bench) {
    let Some(dovecot) = Dovecot::start() else { return };
    let number = bench.scaled(100_000);
    dovecot.deliver(&messages(number, 200));
    let login = login(&dovecot, Tls::Implicit);
    let known = |program: Program| {
        let dir = bench.dir_in(&bench.memory);
        let call = program.fetch(&dir, &login, Keep::Forever, number);
        call.measure();
        assert_eq!(fetched(&dir), number, "{}", program.name());
        (dir, call)
    };
    let ((dir, postie), (_, mpop)) = (known(Program::Postie), known(Program::Mpop));
    let before = written_last(&dir);
    let (_, cpu) = pairs(7, || postie.measure(), || mpop.measure());
    let peak = postie.measure().peak;
    let is_untouched = written_last(&dir) == before;
    let mut found = Found::ratio(&cpu, 0.3);
    found.is_met &= is_untouched && peak <= 12.0;
    let state = if is_untouched { "untouched" } else { "rewritten" };
    let _ = write!(found.text, ", state file {state}, {peak:.0} MB");
    let what = format!("poll with {number} known messages, processor time");
    bench.row(&what, "mpop 1.0, state file rewritten", "0.3 x, 12 MB, untouched", found);
}

/// One way to the servers of many accounts.
const FAR: Duration = Duration::from_millis(25);

/// Two hundred accounts, nothing new, servers that were met before, 50 ms away. At one host ten are
/// fetched at a time, at several 64.
fn poll_accounts(bench: &Bench, hosts: u8) {
    let Some(dovecot) = Dovecot::start() else { return };
    let number = bench.scaled(200);
    let user = |account: usize| format!("ann{account}@example.com");
    let users = (0..number).map(|account| format!("{}:{{PLAIN}}{PASSWORD}\n", user(account)));
    dovecot.site.file("users", &users.collect::<String>());
    let port = dovecot.port(Tls::Implicit);
    let host = |host: u8| Ipv4Addr::new(127, 0, 0, host);
    let lines: Vec<_> = (1..=hosts).map(|it| (host(it), Line::of(FAR, host(it), port))).collect();
    let accounts: Vec<_> = (0..number)
        .map(|account| {
            let (host, line) = &lines[account % lines.len()];
            (*host, line.port, user(account))
        })
        .collect();
    let certificate = fs::read_to_string(dovecot.site.path("certificate.pem")).unwrap();
    let pin = pki::Identity { certificate, key: String::new() }.pin();
    // mpop wants colons in it.
    let pairs_of_digits: Vec<_> = pin.as_bytes().chunks(2).map(String::from_utf8_lossy).collect();
    let pin = pairs_of_digits.join(":");
    let jobs = if hosts == 1 { 10 } else { 64 };
    let call = |program: Program| program.fetch_all(&bench.dir(), &accounts, &pin, jobs);
    let (postie, mpop) = (call(Program::Postie), call(Program::Mpop));
    let round_trips = || lines.iter().map(|(_, line)| line.tally().round_trips).sum::<usize>();
    // What the first session learns of a server goes ahead in the second.
    for _ in 0..2 {
        postie.measure();
    }
    round_trips();
    let (before, cost) = (process::busy(), postie.measure());
    let busy = process::busy() - before;
    // Connecting takes no time here.
    let trips = (round_trips() - number) as f64 / number as f64;
    let (wall, cpu) = pairs(5, || postie.measure(), || mpop.measure());
    let place = if hosts == 1 { "one host".to_owned() } else { format!("{hosts} hosts") };
    let what = format!("poll {number} accounts at {place}, 50 ms away");
    let least = number.div_ceil(jobs) as f64 * trips * 2.0 * FAR.as_secs_f64();
    let goal = if hosts == 1 { 1.1 * least } else { 1.3 };
    let (seconds, peak) = (cost.wall, cost.peak);
    let text = format!(
        "{}; {seconds:.1} s: the line takes {least:.1}, the machine works for {busy:.1}; \
         {trips:.1} RTT each, {peak:.0} MB",
        spread(&wall, " x")
    );
    let found = Found { text, is_met: seconds <= goal && peak <= 24.0 };
    let peers = format!("mpop, {jobs} at a time 1.0");
    bench.row(&what, &peers, format_args!("{goal:.1} s, 24 MB"), found);
    let peers = "mpop 1.0";
    bench.row("the same, processor time", peers, "", Found::ratio(&cpu, f64::INFINITY));
}

/// How many messages are in the Maildir of a directory.
fn fetched(dir: &Path) -> usize {
    fs::read_dir(dir.join("Mail/new")).unwrap().count()
}

/// When anything of the state below a directory was last written, but for the lock, whose time says
/// since when it is held.
fn written_last(dir: &Path) -> Vec<(PathBuf, SystemTime)> {
    let mailboxes = fs::read_dir(dir.join(".local/state/postie/fetch")).unwrap();
    let files = mailboxes.flat_map(|mailbox| fs::read_dir(mailbox.unwrap().path()).unwrap());
    let written = files.map(|file| file.unwrap().path()).filter(|path| !path.ends_with("lock"));
    written.map(|path| (path.clone(), path.metadata().unwrap().modified().unwrap())).collect()
}

/// Messages of so many octets each, with LF at line ends.
fn messages(number: usize, octets: usize) -> Vec<Vec<u8>> {
    (0..number).map(|number| message(number, octets)).collect()
}

fn message(number: usize, octets: usize) -> Vec<u8> {
    let mut text = format!(
        "From: Ann <ann@example.com>\nTo: Bob <bob@example.net>\nSubject: message {number}\n\
         Date: Tue, 24 Nov 2026 12:00:00 +0100\nMessage-ID: <{number}@example.com>\n\n"
    )
    .into_bytes();
    while text.len() < octets {
        text.extend(b"The quick brown fox jumps over the lazy dog, and again over it, twice.\n");
    }
    text
}

/// A message in a file, with CRLF at line ends.
fn written(bench: &Bench, octets: usize) -> PathBuf {
    let path = bench.dir().join("message");
    let mut file = BufWriter::new(File::create(&path).unwrap());
    for line in message(1, octets).split_inclusive(|&octet| octet == b'\n') {
        file.write_all(&line[..line.len() - 1]).unwrap();
        file.write_all(b"\r\n").unwrap();
    }
    file.into_inner().unwrap();
    path
}
