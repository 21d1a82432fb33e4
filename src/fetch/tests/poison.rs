//! Messages that a server cannot finish, and lines that drop.

use super::*;
use std::collections::VecDeque;

const DAY: u64 = 24 * 60 * 60;

/// A maildrop on a server, some of whose messages end the session.
struct Maildrop {
    world: Fixture,
    messages: Vec<(String, String)>,
    /// Unique-ids, and the octets behind which the session ends.
    ends: HashMap<String, usize>,
    /// The unique-ids that were asked for in the last run, in order.
    asked: Vec<String>,
    /// True if the server does not tell unique-ids.
    is_nameless: bool,
    limit: Option<usize>,
    now: u64,
}

impl Maildrop {
    fn new(keep: Keep) -> Arc<Mutex<Self>> {
        let world = Fixture::new(keep, Vec::new());
        let (ends, asked) = (HashMap::new(), Vec::new());
        let (messages, is_nameless) = (Vec::new(), false);
        let this = Self { world, messages, ends, asked, is_nameless, limit: None, now: START };
        Arc::new(Mutex::new(this))
    }

    fn add(&mut self, uid: &str, octets: usize) {
        let text = format!("Subject: {uid}\r\n\r\n{}\r\n", "x".repeat(octets));
        self.messages.push((uid.to_owned(), text));
    }
}

/// A run, five minutes after the one before: its status, and what it has asked for.
fn run(maildrop: &Arc<Mutex<Maildrop>>) -> (Exit, String) {
    let (job, disk) = {
        let mut maildrop = maildrop.lock().unwrap();
        maildrop.now += 300;
        maildrop.asked.clear();
        let job = FetchJob { limit: maildrop.limit, ..maildrop.world.job(maildrop.now) };
        (job, maildrop.world.disk.clone())
    };
    let global = cli::Global { quiet: true, ..cli::Global::default() };
    let (report, stop) = (Report::new(&global), Stop::default());
    let context = FetchContext { report: &report, stop: &stop, accounts: 1, batch: 3 };
    let mut run = Run::new(&job, &context);
    let mut store = Store::create(Arc::new(disk), store_options(&job)).unwrap();
    store.prepare().unwrap();
    let outcome = loop {
        let session = Session::open(faulty(maildrop), None, Approach::cautious()).unwrap();
        let ahead = Prefetch::Uids;
        let session = session.login::<Error>([Ok(ann())], ahead, &mut Vec::new()).unwrap();
        match run.session(session, &mut store, &mut server::Server::recall(&job)) {
            Ok(Left::Suspects) => run.is_for_suspects = true,
            Ok(Left::Nothing) => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    (run.fetched.exit(&outcome), maildrop.lock().unwrap().asked.join(" "))
}

fn faulty(maildrop: &Arc<Mutex<Maildrop>>) -> Box<dyn Private> {
    Box::new(Faulty {
        maildrop: Arc::clone(maildrop),
        input: Vec::new(),
        output: b"+OK\r\n".to_vec().into(),
        deleted: Vec::new(),
        is_over: false,
    })
}

struct Faulty {
    maildrop: Arc<Mutex<Maildrop>>,
    input: Vec<u8>,
    output: VecDeque<u8>,
    deleted: Vec<usize>,
    is_over: bool,
}

impl Faulty {
    fn obey(&mut self, line: &str) {
        let mut maildrop = self.maildrop.lock().unwrap();
        let (verb, argument) = line.split_once(' ').unwrap_or((line, ""));
        let number = || argument.parse::<usize>().unwrap() - 1;
        let column = |value: &dyn Fn(&(String, String)) -> String| {
            let lines = (1..).zip(&maildrop.messages);
            let lines = lines.map(|(n, message)| format!("{n} {}\r\n", value(message)));
            format!("+OK\r\n{}.\r\n", lines.collect::<String>())
        };
        let answer = match verb {
            "CAPA" => "-ERR\r\n".to_owned(),
            "UIDL" if maildrop.is_nameless => "-ERR\r\n".to_owned(),
            "UIDL" => column(&|(uid, _)| uid.clone()),
            "LIST" => column(&|(_, text)| text.len().to_string()),
            "RETR" => {
                let (uid, text) = maildrop.messages[number()].clone();
                maildrop.asked.push(uid.clone());
                match maildrop.ends.get(&uid) {
                    Some(&octets) => {
                        self.is_over = true;
                        format!("+OK\r\n{}", &text[..octets])
                    }
                    None => format!("+OK\r\n{text}.\r\n"),
                }
            }
            "DELE" => {
                self.deleted.push(number());
                "+OK\r\n".to_owned()
            }
            "QUIT" => {
                let mut number = 0..;
                maildrop.messages.retain(|_| !self.deleted.contains(&number.next().unwrap()));
                self.is_over = true;
                "+OK\r\n".to_owned()
            }
            _ => "+OK\r\n".to_owned(),
        };
        self.output.extend(answer.as_bytes());
    }
}

impl wire::Stream for Faulty {}

impl Read for Faulty {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        assert!(self.is_over || !self.output.is_empty(), "nothing was asked for");
        self.output.read(buffer)
    }
}

impl Write for Faulty {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.input.extend_from_slice(octets);
        while let Some(end) = self.input.iter().position(|&octet| octet == b'\n') {
            let line: Vec<u8> = self.input.drain(..=end).collect();
            if !self.is_over {
                self.obey(std::str::from_utf8(&line).unwrap().trim_end());
            }
        }
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Sealed for Faulty {}

impl Private for Faulty {
    fn binding(&self) -> Option<[u8; 32]> {
        None
    }
}

/// Whether everything but these is delivered, and deleted from the server where that is wanted.
fn assert_all_but(maildrop: &Arc<Mutex<Maildrop>>, added: usize, left: &[&str]) {
    let maildrop = maildrop.lock().unwrap();
    let delivered = maildrop.world.disk.contents(&maildrop.world.new_dir()).len();
    assert_eq!(delivered, added - left.len());
    if maildrop.world.keep == Keep::Days(0) {
        let uids: Vec<_> = maildrop.messages.iter().map(|(uid, _)| uid.as_str()).collect();
        assert_eq!(uids, left);
    }
}

#[test]
fn a_message_that_the_server_cannot_finish_is_skipped_from_the_third_time_and_tried_once_a_day() {
    for keep in [Keep::Forever, Keep::Days(0)] {
        let maildrop = Maildrop::new(keep);
        let mut added = 1;
        let mut run_with_new = || {
            added += 1;
            maildrop.lock().unwrap().add(&format!("new{added:02}"), 100);
            run(&maildrop)
        };
        maildrop.lock().unwrap().add("poison", 100);
        maildrop.lock().unwrap().ends.insert("poison".to_owned(), 50);
        assert_eq!(run_with_new(), (Exit::Later, "poison".to_owned()));
        assert_eq!(run_with_new(), (Exit::Later, "new02 new03 poison".to_owned()));
        assert_eq!(run_with_new(), (Exit::Partial, "new04 poison".to_owned()), "{keep:?}");
        for number in 5..9 {
            assert_eq!(run_with_new(), (Exit::Done, format!("new{number:02}")));
        }
        assert_eq!(run(&maildrop), (Exit::Done, String::new()));
        assert_all_but(&maildrop, 8, &["poison"]);
        // Once a day, whatever else there is.
        for _ in 0..2 {
            maildrop.lock().unwrap().now += DAY - 300;
            assert_eq!(run(&maildrop), (Exit::Partial, "poison".to_owned()));
            assert_eq!(run(&maildrop), (Exit::Done, String::new()));
        }
        maildrop.lock().unwrap().now += DAY;
        maildrop.lock().unwrap().ends.clear();
        assert_eq!(run(&maildrop), (Exit::Done, "poison".to_owned()));
        assert_all_but(&maildrop, 8, &[]);
        assert_eq!(run(&maildrop), (Exit::Done, String::new()));
    }
}

#[test]
fn lines_that_drop_in_a_large_message_never_make_it_a_skipped_one() {
    let maildrop = Maildrop::new(Keep::Forever);
    maildrop.lock().unwrap().add("large", 4 << 20);
    for number in 0..8_usize {
        // The train is elsewhere each time, and small messages come through.
        let octets = (number * 1_700_000) % (4 << 20);
        maildrop.lock().unwrap().ends.insert("large".to_owned(), octets);
        maildrop.lock().unwrap().add(&format!("new{number}"), 100);
        let (exit, asked) = run(&maildrop);
        assert_eq!(exit, Exit::Later);
        assert!(asked.ends_with("large"), "{asked}");
    }
    maildrop.lock().unwrap().ends.clear();
    assert_eq!(run(&maildrop).0, Exit::Done);
    assert_all_but(&maildrop, 9, &[]);
}

#[test]
fn a_line_that_drops_while_nothing_else_comes_through_says_nothing_of_the_message() {
    let maildrop = Maildrop::new(Keep::Forever);
    maildrop.lock().unwrap().add("only", 100);
    maildrop.lock().unwrap().ends.insert("only".to_owned(), 50);
    for _ in 0..6 {
        assert_eq!(run(&maildrop), (Exit::Later, "only".to_owned()));
    }
    maildrop.lock().unwrap().ends.clear();
    assert_eq!(run(&maildrop), (Exit::Done, "only".to_owned()));
}

#[test]
fn messages_in_which_sessions_ended_have_their_turns_even_if_nothing_else_comes() {
    let maildrop = Maildrop::new(Keep::Forever);
    for uid in ["poison", "sound"] {
        maildrop.lock().unwrap().add(uid, 100);
        maildrop.lock().unwrap().ends.insert(uid.to_owned(), 50);
    }
    assert_eq!(run(&maildrop).1, "poison");
    assert_eq!(run(&maildrop).1, "sound");
    maildrop.lock().unwrap().ends.remove("sound");
    assert_eq!(run(&maildrop).1, "poison");
    assert_eq!(run(&maildrop).1, "sound poison");
    assert_all_but(&maildrop, 2, &["poison"]);
    // An attempt that does not count is none that makes it a message to be skipped.
    assert_eq!(run(&maildrop), (Exit::Later, "poison".to_owned()));
}

#[test]
fn several_messages_that_the_server_cannot_finish_keep_no_others_waiting() {
    let maildrop = Maildrop::new(Keep::Days(0));
    for uid in ["a", "poison1", "b", "poison2", "c"] {
        maildrop.lock().unwrap().add(uid, 100);
    }
    for uid in ["poison1", "poison2"] {
        maildrop.lock().unwrap().ends.insert(uid.to_owned(), 50);
    }
    let mut is_over = false;
    for number in 0..12 {
        maildrop.lock().unwrap().add(&format!("new{number}"), 100);
        is_over = run(&maildrop).0 == Exit::Done;
    }
    assert!(is_over);
    assert_all_but(&maildrop, 17, &["poison1", "poison2"]);
}

#[test]
fn a_message_in_which_a_session_ended_takes_no_place_from_others_where_their_number_is_limited() {
    let maildrop = Maildrop::new(Keep::Forever);
    for uid in ["poison", "a", "b"] {
        maildrop.lock().unwrap().add(uid, 100);
    }
    maildrop.lock().unwrap().ends.insert("poison".to_owned(), 50);
    maildrop.lock().unwrap().limit = Some(1);
    let asked = [0; 4].map(|_| run(&maildrop).1);
    assert_eq!(asked, ["poison", "a", "b", "poison"]);
}

#[test]
fn a_known_message_that_cannot_be_compared_keeps_no_others_from_being_deleted() {
    let maildrop = Maildrop::new(Keep::Forever);
    for uid in ["a", "known"] {
        maildrop.lock().unwrap().add(uid, 100);
    }
    assert_eq!(run(&maildrop).0, Exit::Done);
    {
        // From now on everything is to be deleted; one has another size, so that it must be compared,
        // and it cannot be had any more.
        let mut maildrop = maildrop.lock().unwrap();
        maildrop.world.keep = Keep::Days(0);
        maildrop.messages[1].1.push_str("more\r\n");
        maildrop.ends.insert("known".to_owned(), 50);
    }
    let exits: Vec<_> = (0..5)
        .map(|number| {
            maildrop.lock().unwrap().add(&format!("new{number}"), 100);
            run(&maildrop).0
        })
        .collect();
    assert_eq!(exits, [Exit::Later, Exit::Later, Exit::Partial, Exit::Done, Exit::Done]);
    let maildrop = maildrop.lock().unwrap();
    let uids: Vec<_> = maildrop.messages.iter().map(|(uid, _)| uid.as_str()).collect();
    assert_eq!(uids, ["known"]);
}

#[test]
fn a_message_that_is_taken_for_one_that_cannot_be_finished_does_not_come_again_and_again() {
    let maildrop = Maildrop::new(Keep::Days(0));
    {
        // Without unique-ids, of the same size.
        let mut maildrop = maildrop.lock().unwrap();
        maildrop.is_nameless = true;
        maildrop.add("poison", 100);
        maildrop.add("sister", 100);
        maildrop.messages.swap(0, 1);
        maildrop.ends.insert("poison".to_owned(), 50);
    }
    // It came before the session ended in which it was to be deleted.
    assert_eq!(run(&maildrop), (Exit::Later, "sister poison".to_owned()));
    assert_eq!(run(&maildrop).1, "sister");
    assert_eq!(run(&maildrop).1, "poison");
    let maildrop = maildrop.lock().unwrap();
    let uids: Vec<_> = maildrop.messages.iter().map(|(uid, _)| uid.as_str()).collect();
    assert_eq!(uids, ["poison"]);
    assert_eq!(maildrop.world.disk.contents(&maildrop.world.new_dir()).len(), 1);
}
