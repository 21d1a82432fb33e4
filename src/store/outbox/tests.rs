//! Every step of a message's way through the outbox, cut off or failing.

use std::sync::atomic::Ordering;

use tempfile::TempDir;

use super::record::DAY;
use super::*;
use crate::store;
use crate::store::disk::Os;
use crate::store::disk::simulated::{Fault, Simulated};
use crate::store::tests::mortal;
use crate::text::Mailbox;
use crate::text::Return;

const NOW: u64 = 1_800_000_000;
const TEXT: &[u8] = b"Subject: hello\n\nhello\n";

fn mailbox(name: &str) -> Mailbox {
    format!("{name}@example.net").parse().unwrap()
}

fn order(recipients: &[&str]) -> QueuedEnvelope {
    QueuedEnvelope {
        received: NOW,
        config: "/home/ann/my config.toml".into(),
        account: Some("at home\n".to_owned()),
        from: Some("ann@example.com".parse().unwrap()),
        is_incomplete: false,
        full_name: None,
        aliases: Vec::new(),
        recipients: recipients.iter().map(|name| mailbox(name)).collect(),
        notify: Some("failure,delay".parse().unwrap()),
        ret: Some(Return::Headers),
        envid: "1.2.3".to_owned(),
        subject: Some("Gr\u{fc}\u{df}e\naus K\u{f6}ln".to_owned()),
        require_tls: true,
        is_all_or_nothing: true,
    }
}

struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn outbox(&self, disk: impl Disk + 'static) -> Outbox {
        Outbox::new(Arc::new(disk), &self.0.path().join("state/outbox"))
    }

    fn names(&self, dir: &str) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(self.0.path().join("state/outbox").join(dir)) else {
            return Vec::new();
        };
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    fn journal(&self) -> PathBuf {
        let name = self.names("waiting").pop().unwrap();
        self.0.path().join("state/outbox/waiting").join(name).join(JOURNAL)
    }
}

fn id() -> Id {
    Id::at(NOW, 0x1234_5678_9abc_def0)
}

fn add(outbox: &Outbox, recipients: &[&str]) -> Result<LockedEntry, Error> {
    let added = outbox.add(&id(), order(recipients), |file| file.write_all(TEXT));
    added.map_err(|not_added| not_added.error)
}

/// A server that knows who got the message, as nobody else can.
#[derive(Default)]
struct Server {
    got: Vec<Mailbox>,
}

impl Server {
    /// One run: holds the message if it waits, and sends it to one recipient at a time; `eve` is
    /// refused. Whatever fails ends the run.
    fn run(&mut self, outbox: &Outbox) -> Result<(), Error> {
        let mut held = match outbox.hold(&id()) {
            Err(Error::Unknown(_)) => return Ok(()),
            held => held?,
        };
        self.deliver(&mut held)?;
        if held.record().failed().is_empty() { held.remove() } else { held.fail().map(drop) }
    }

    fn deliver(&mut self, held: &mut LockedEntry) -> Result<(), Error> {
        held.begin(NOW)?;
        for mailbox in held.record().waiting() {
            held.mark_data(NOW)?;
            let answer = if mailbox == self::mailbox("eve") {
                Answer::Refused("550 no".to_owned())
            } else {
                self.got.push(mailbox.clone());
                Answer::Accepted("250 ok".to_owned())
            };
            held.answer(NOW, [(&mailbox, answer)], Some("250 ok"))?;
        }
        Ok(())
    }
}

#[test]
fn an_order_reads_back_as_it_was_written() {
    let place = Place::new();
    let held = add(&place.outbox(Os), &["bob", "o'hara+x"]).unwrap();
    drop(held);
    let held = place.outbox(Os).hold(&id()).unwrap();
    assert_eq!(held.record().order, order(&["bob", "o'hara+x"]));
    let mut text = Vec::new();
    io::copy(&mut held.message().unwrap(), &mut text).unwrap();
    assert_eq!(text, TEXT);
}

#[test]
fn an_addition_cut_off_at_any_disk_step_leaves_a_whole_message_or_none() {
    for last in 0.. {
        let place = Place::new();
        let (disk, steps) = mortal(last);
        let is_added = add(&place.outbox(disk), &["bob"]).is_ok();
        // Whoever was told that it is there finds it there; what is there is whole.
        let listed = place.outbox(Os).list().unwrap();
        assert!(listed.len() == 1 || !is_added, "cut off at step {last}");
        for listed in listed {
            assert_eq!(listed.record.unwrap().order, order(&["bob"]));
            let mut text = Vec::new();
            let held = place.outbox(Os).hold(&listed.id).unwrap();
            io::copy(&mut held.message().unwrap(), &mut text).unwrap();
            assert_eq!(text, TEXT);
        }
        // The next one leaves nothing of what did not come to be, whatever the clock says.
        let other = Id::at(1, 0);
        place.outbox(Os).add(&other, order(&["bob"]), |_| Ok(())).map(drop).unwrap();
        assert_eq!(place.names("tmp"), Vec::<String>::new(), "cut off at step {last}");
        if is_added {
            // Most of them make the directories, and their names durable, for the first message; how
            // many there are above them is the machine's.
            assert_eq!(steps.load(Ordering::Relaxed), last);
            assert!(last >= 29, "{last} steps");
            break;
        }
    }
}

/// The disk fails once, be it that a directory was made and its name could not be synced. The next
/// attempt finds the directory there.
#[test]
fn what_is_added_after_an_addition_that_failed_survives_a_power_cut() {
    const FAILURES: [i32; 4] = [28, 5, 30, 122];
    let mut failed = 0;
    for error in FAILURES {
        for step in 0.. {
            let place = Place::new();
            let disk = Simulated::new(place.0.path());
            disk.give_up_what_cannot_be_synced();
            disk.arm(Fault::Once(step, error));
            let first = add(&place.outbox(disk.clone()), &["bob"]).map(drop);
            let is_over = disk.steps() <= step;
            disk.arm(Fault::None);
            if first.is_err() {
                failed += 1;
                // Whoever was told so tries again, under another name.
                let other = Id::at(NOW, 0);
                let order = order(&["bob"]);
                let added = place.outbox(disk.clone()).add(&other, order, |f| f.write_all(TEXT));
                drop(added.map_err(|not_added| not_added.error).unwrap());
            }
            for remains in disk.remains_now(64) {
                let outbox = place.outbox(remains.disk);
                let listed = outbox.list().unwrap();
                let is_there = listed.iter().any(|listed| {
                    let mut text = Vec::new();
                    let message = outbox.hold(&listed.id).and_then(|held| held.message());
                    listed.record.is_ok()
                        && message.is_ok_and(|mut file| io::copy(&mut file, &mut text).is_ok())
                        && text == TEXT
                });
                assert!(is_there, "{error} at step {step}");
            }
            if is_over {
                break;
            }
        }
    }
    assert!(failed > 60, "{failed}");
}

#[test]
fn what_cannot_be_written_is_not_listed() {
    let place = Place::new();
    let full = |_: &mut dyn Write| Err(io::Error::from(io::ErrorKind::StorageFull));
    let added = place.outbox(Os).add(&id(), order(&["bob"]), full).map(drop);
    let NotAdded { error, may_be_listed } = added.unwrap_err();
    assert!(!may_be_listed);
    assert!(error.to_string().ends_with("message.eml: no storage space"), "{error}");
    assert_eq!((place.names("waiting").len(), place.names("tmp").len()), (0, 0));
}

#[test]
fn an_attempt_cut_off_at_any_disk_step_loses_nothing_and_repeats_nothing_unmarked() {
    for last in 0.. {
        let (place, mut server) = (Place::new(), Server::default());
        drop(add(&place.outbox(Os), &["bob", "eve", "dave"]).unwrap());
        let ended = server.run(&place.outbox(mortal(last).0)).is_ok();
        let before = server.got.clone();
        let is_marked = match place.outbox(Os).hold(&id()) {
            Ok(held) => held.record().may_be_duplicate(),
            Err(_) => false,
        };
        server.run(&place.outbox(Os)).unwrap();
        for name in ["bob", "dave"] {
            let times = server.got.iter().filter(|got| **got == mailbox(name)).count();
            assert!(times == 1 || times == 2 && is_marked, "{name}: {times}, cut off at {last}");
        }
        assert!(before.len() < 3, "cut off at step {last}");
        // Eve was refused, and somebody will see to it.
        assert_eq!(place.names("waiting"), Vec::<String>::new(), "cut off at step {last}");
        assert_eq!(place.names("failed"), [id().to_string()], "cut off at step {last}");
        if ended {
            break;
        }
    }
}

#[test]
fn a_removal_cut_off_at_any_disk_step_sends_nothing_again() {
    for last in 0.. {
        let (place, mut server) = (Place::new(), Server::default());
        let mut held = add(&place.outbox(Os), &["bob"]).unwrap();
        server.deliver(&mut held).unwrap();
        drop(held);
        let ended = place.outbox(mortal(last).0).remove(&id()).is_ok();
        server.run(&place.outbox(Os)).unwrap();
        assert_eq!(server.got, [mailbox("bob")], "cut off at step {last}");
        assert_eq!(place.names("waiting"), Vec::<String>::new(), "cut off at step {last}");
        if ended {
            break;
        }
    }
}

/// A run is killed while it removes a message, the next one sweeps, and the power goes.
#[test]
fn a_message_that_a_power_cut_brings_back_has_all_its_files() {
    let mut returned = 0;
    for last in 0.. {
        let place = Place::new();
        let disk = Simulated::new(place.0.path());
        let outbox = place.outbox(disk.clone());
        drop(add(&outbox, &["bob"]).unwrap());
        disk.arm(Fault::From(last));
        let is_removed = outbox.remove(&id()).is_ok();
        disk.arm(Fault::None);
        outbox.sweep();
        assert!(disk.contents(&outbox.root.join("tmp")).is_empty(), "killed at step {last}");
        for remains in disk.remains_now(64) {
            for listed in place.outbox(remains.disk).list().unwrap() {
                assert!(listed.record.is_ok(), "killed at step {last}: {:?}", listed.record);
                returned += 1;
            }
        }
        if is_removed {
            break;
        }
    }
    assert!(returned > 0);
}

#[test]
fn only_a_lost_final_reply_makes_a_possible_duplicate() {
    let place = Place::new();
    let mut held = add(&place.outbox(Os), &["bob"]).unwrap();
    let is_marked = |held: &LockedEntry| held.record().may_be_duplicate();
    held.begin(NOW).unwrap();
    held.end(NOW, AttemptResult::Unreachable, "cannot connect").unwrap();
    held.begin(NOW).unwrap();
    assert!(!is_marked(&held));
    held.mark_data(NOW).unwrap();
    assert!(is_marked(&held));
    held.end(NOW, AttemptResult::Deferred, "451 later").unwrap();
    assert!(!is_marked(&held));
    // Once in doubt, always in doubt.
    held.mark_data(NOW).unwrap();
    held.begin(NOW).unwrap();
    held.end(NOW, AttemptResult::Deferred, "451 later").unwrap();
    assert!(is_marked(&held));
    drop(held);
    let held = place.outbox(Os).hold(&id()).unwrap();
    assert!(is_marked(&held));
    assert_eq!((held.record().attempts, held.record().last.as_deref()), (3, Some("451 later")));
}

#[test]
fn an_answer_of_which_only_half_was_written_is_a_lost_final_reply() {
    let place = Place::new();
    let mut held = add(&place.outbox(Os), &["bob", "dave"]).unwrap();
    held.begin(NOW).unwrap();
    held.mark_data(NOW).unwrap();
    drop(held);
    let mut journal = Os.append(&place.journal()).unwrap();
    journal.write_all(b"accepted bob@example.net 250 ok\naccepted dave@ex").unwrap();
    drop(journal);
    let mut held = place.outbox(Os).hold(&id()).unwrap();
    assert_eq!(held.record().waiting(), [mailbox("dave")]);
    assert!(held.record().may_be_duplicate());
    held.begin(NOW).unwrap();
    drop(held);
    assert_eq!(place.outbox(Os).hold(&id()).unwrap().record().attempts, 2);
}

#[test]
fn what_could_not_be_written_is_written_with_what_comes_next() {
    const STORAGE_FULL: i32 = 28;
    // The write itself fails, and leaves half of it behind; or its sync.
    for step in 0..2 {
        let place = Place::new();
        let disk = Simulated::new(place.0.path());
        for dir in ["state", "state/outbox"] {
            disk.make_dir(&place.0.path().join(dir)).unwrap();
        }
        let mut held = add(&place.outbox(disk.clone()), &["bob", "dave", "eve"]).unwrap();
        held.begin(NOW).unwrap();
        held.mark_data(NOW).unwrap();
        disk.arm(Fault::Once(step, STORAGE_FULL));
        let answers = [(&mailbox("bob"), Answer::Accepted("250 ok".to_owned()))];
        let answered = held.answer(NOW, answers, Some("250 ok, thanks"));
        answered.and_then(|()| held.sync()).unwrap_err();
        held.answer(
            NOW,
            [(&mailbox("dave"), Answer::Refused("550 no".to_owned()))],
            Some("550 no"),
        )
        .unwrap();
        held.end(NOW, AttemptResult::Deferred, "451 later").unwrap();
        drop(held);
        let held = place.outbox(disk).hold(&id()).unwrap();
        assert_eq!((held.record().waiting(), held.record().sent()), (vec![mailbox("eve")], 1));
        assert!(!held.record().may_be_duplicate());
    }
}

#[test]
fn nonsense_with_sense_behind_it_is_not_guessed_at() {
    let place = Place::new();
    drop(add(&place.outbox(Os), &["bob"]).unwrap());
    let mut journal = Os.append(&place.journal()).unwrap();
    journal.write_all(b"rubbish\nattempt 5\n").unwrap();
    drop(journal);
    let error = place.outbox(Os).hold(&id()).map(drop).unwrap_err();
    assert!(error.to_string().ends_with("/journal:14: not a line of a journal"), "{error}");
    assert!(place.outbox(Os).list().unwrap()[0].record.is_err());
}

/// A page of what was not synced got lost, and a later one did not.
#[test]
fn a_hole_with_sense_behind_it_leaves_doubt() {
    let place = Place::new();
    drop(add(&place.outbox(Os), &["bob", "dave"]).unwrap());
    let mut journal = Os.append(&place.journal()).unwrap();
    journal.write_all(b"attempt 5\n\0\0\0\0\0\0example.net 250 ok\nreply 5 250 ok\n").unwrap();
    drop(journal);
    let mut held = place.outbox(Os).hold(&id()).unwrap();
    assert!(held.record().may_be_duplicate());
    assert_eq!(held.record().waiting().len(), 2);
    held.begin(NOW).unwrap();
    drop(held);
    assert_eq!(place.outbox(Os).hold(&id()).unwrap().record().attempts, 2);
}

#[test]
fn no_prefix_and_no_corruption_of_a_journal_panics() {
    let mut text = order(&["bob", "eve"]).text().into_bytes();
    text.extend(
        b"attempt 1\ndata 1\naccepted bob@example.net ok\nreply 1 ok\nnotified 1\ndeferred 1 x\n\
          missing 1 y\naccount home\nfrom <>\nto eve@example.net\nresolved 1\nin-doubt 1 x\n",
    );
    let path = Path::new("journal");
    assert_eq!(DeliveryRecord::read(&text, path).unwrap().1, text.len());
    for at in 0..text.len() {
        drop(DeliveryRecord::read(&text[..at], path));
        for octet in [0, b'\n', b' ', b'%', b'9', 0xff] {
            let mut broken = text.clone();
            broken[at] = octet;
            drop(DeliveryRecord::read(&broken, path).map(|(record, _)| record.due(NOW)));
        }
    }
}

#[test]
fn a_message_has_one_holder_at_a_time() {
    let place = Place::new();
    let outbox = place.outbox(Os);
    let held = add(&outbox, &["bob"]).unwrap();
    assert!(matches!(outbox.hold(&id()), Err(Error::Busy)));
    assert!(matches!(outbox.remove(&id()), Err(Error::Busy)));
    drop(held);
    outbox.hold(&id()).unwrap().fail().unwrap();
    assert!(matches!(outbox.hold(&id()), Err(Error::Unknown(_))));
    outbox.remove(&id()).unwrap();
    assert!(matches!(outbox.remove(&id()), Err(Error::Unknown(_))));
    assert!("../../etc".parse::<Id>().is_err());
}

#[test]
fn each_wait_is_twice_as_long_up_to_a_bound() {
    let record = DeliveryRecord::new(order(&["bob"]));
    assert!(record.is_due(NOW));
    let pauses = |ending: &str| {
        let mut record = record.clone();
        let pause = |_| {
            record.take(&format!("attempt {NOW}")).unwrap();
            record.take(&format!("{ending} {NOW} x")).unwrap();
            assert!(!record.is_due(record.due(NOW) - 1) && record.is_due(record.due(NOW)));
            assert!(record.is_due(NOW - 1), "a clock that was put back");
            (record.due(NOW) - NOW) / 60
        };
        (0..10).map(pause).collect::<Vec<_>>()
    };
    assert_eq!(pauses("deferred"), [1, 2, 4, 8, 16, 32, 64, 128, 240, 240]);
    assert_eq!(pauses("unreachable"), [1, 2, 4, 8, 15, 15, 15, 15, 15, 15]);
}

#[test]
fn files_are_for_their_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = Place::new();
    drop(add(&place.outbox(Os), &["bob"]).unwrap());
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let journal = place.journal();
    assert_eq!(mode(&journal), 0o600);
    assert_eq!(mode(&journal.with_file_name(LOCK)), 0o600);
    assert_eq!(mode(&journal.with_file_name(MESSAGE)), 0o600);
    for dir in journal.ancestors().skip(1).take(4) {
        assert_eq!(mode(dir), 0o700, "{}", dir.display());
    }
}

#[test]
fn only_attempts_over_five_days_make_a_message_too_old() {
    let attempts = |times: &[u64]| {
        let mut record = DeliveryRecord::new(order(&["bob"]));
        for time in times {
            record.take(&format!("attempt {time}")).unwrap();
            record.take(&format!("deferred {time} 451 later")).unwrap();
        }
        record.is_too_old()
    };
    let daily: Vec<_> = (0..=6).map(|day| NOW + day * DAY).collect();
    assert!(attempts(&daily) && !attempts(&daily[..6]));
    // It came while the clock stood at its beginning, or in the future, and was right soon after.
    assert!(!attempts(&[60, NOW, NOW + 60]));
    // It stands there at every start of a machine that was started ten times in an hour.
    let starts: Vec<_> = (0..10).flat_map(|start| [60, NOW + start * 360]).collect();
    assert!(!attempts(&starts));
    assert!(!attempts(&[NOW + 900 * DAY, NOW, NOW + 60]));
    // Nobody tried for a month.
    assert!(!attempts(&[NOW, NOW + 30 * DAY]));
}

#[test]
fn a_time_in_the_future_counts_as_now() {
    let mut record = DeliveryRecord::new(QueuedEnvelope { received: NOW + DAY, ..order(&["bob"]) });
    assert_eq!((record.due(NOW), record.is_due(NOW)), (NOW, true));
    record.take(&format!("attempt {}", NOW + DAY)).unwrap();
    record.take(&format!("deferred {} 451 later", NOW + DAY)).unwrap();
    assert!(record.is_due(NOW));
}

#[test]
fn an_incomplete_order_is_resolved_as_a_whole_or_not() {
    let place = Place::new();
    let order = QueuedEnvelope {
        account: None,
        from: None,
        is_incomplete: true,
        full_name: Some("Cron Daemon".to_owned()),
        aliases: vec!["root".parse().unwrap()],
        ..order(&[])
    };
    let added = place.outbox(Os).add(&id(), order.clone(), |file| file.write_all(TEXT));
    drop(added.map_err(|not_added| not_added.error).unwrap());
    let held = place.outbox(Os).hold(&id()).unwrap();
    assert_eq!((&held.record().order, held.record().is_resolved), (&order, false));
    // Nobody is known yet who would wait for it, which does not mean that nobody does.
    assert!(held.record().waiting().is_empty() && !held.record().is_finished());
    assert_eq!(held.record().clone().take(&format!("resolved {NOW}")), None);
    // A message to nobody would count as sent.
    let mut record = held.record().clone();
    assert_eq!(["account home", "from <>"].map(|line| record.take(line)), [Some(()); 2]);
    assert_eq!(record.take(&format!("resolved {NOW}")), None);
    drop(held);
    // Cut off in the middle of it.
    let mut journal = Os.append(&place.journal()).unwrap();
    journal.write_all(b"account other\nfrom <>\nto eve@example.net\n").unwrap();
    drop(journal);
    let mut held = place.outbox(Os).hold(&id()).unwrap();
    assert_eq!((&held.record().order, held.record().is_resolved), (&order, false));
    let from = "ann@example.com".parse().unwrap();
    held.resolve(NOW, "home", &from, &[mailbox("bob")]).unwrap();
    drop(held);
    let held = place.outbox(Os).hold(&id()).unwrap();
    let QueuedEnvelope { account, from: resolved, .. } = held.record().order.clone();
    assert_eq!((account.as_deref(), resolved), (Some("home"), Some(from)));
    assert_eq!((held.record().waiting(), held.record().is_resolved), (vec![mailbox("bob")], true));
}

#[test]
fn a_refused_login_holds_its_account_back_twice_as_long_each_time() {
    let place = Place::new();
    let outbox = place.outbox(Os);
    drop(add(&outbox, &["bob"]).unwrap());
    let wait = |now| outbox.held_back_until("at/home", now).map(|until| (until - now) / 60);
    assert_eq!(wait(NOW), None);
    let waits: Vec<_> = (0..10)
        .map(|_| {
            outbox.login_refused("at/home", NOW);
            wait(NOW).unwrap()
        })
        .collect();
    assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 240, 240]);
    assert_eq!((wait(NOW + 4 * 60 * 60), outbox.held_back_until("home", NOW)), (None, None));
    // A clock that was put back: what it noted before must not hold messages until that day comes.
    let earlier = NOW - 30 * DAY;
    assert_eq!(wait(earlier), None);
    outbox.login_refused("at/home", earlier);
    assert_eq!((wait(earlier), wait(earlier + 60)), (Some(1), None));
    outbox.login_accepted("at/home");
    assert_eq!(wait(NOW), None);
}

#[test]
fn a_message_without_its_journal_is_listed_and_can_be_removed() {
    let place = Place::new();
    let outbox = place.outbox(Os);
    drop(add(&outbox, &["bob"]).unwrap());
    std::fs::remove_file(place.journal()).unwrap();
    let listed = outbox.list().unwrap();
    assert!(matches!(listed[0].record, Err(Error::NoFile(_))), "{listed:?}");
    assert!(matches!(outbox.hold(&id()), Err(Error::NoFile(_))));
    outbox.remove(&id()).unwrap();
    assert_eq!((outbox.list().unwrap().len(), place.names("tmp").len()), (0, 0));
}

#[test]
fn a_journal_of_a_newer_version_is_named_as_that() {
    let place = Place::new();
    drop(add(&place.outbox(Os), &["bob"]).unwrap());
    let path = place.journal();
    let text = std::fs::read_to_string(&path).unwrap().replace("outbox 2", "outbox 3");
    std::fs::remove_file(&path).unwrap();
    Os.create(&path).unwrap().write_all(text.as_bytes()).unwrap();
    let error = place.outbox(Os).hold(&id()).map(drop).unwrap_err();
    assert!(
        matches!(error, Error::Store(store::Error::NewerJournal { version: 3, .. })),
        "{error}"
    );
}

#[test]
fn what_another_run_is_writing_is_not_swept_away_whatever_its_name_says() {
    let place = Place::new();
    let outbox = place.outbox(Os);
    let old = Id::at(1, 1 << 40);
    let added = outbox.add(&old, order(&["bob"]), |file| {
        // Another message comes meanwhile.
        drop(place.outbox(Os).add(&id(), order(&["eve"]), |file| file.write_all(TEXT)));
        file.write_all(TEXT)
    });
    drop(added.map_err(|not_added| not_added.error).unwrap());
    assert_eq!((place.names("waiting").len(), place.names("tmp").len()), (2, 0));
}
