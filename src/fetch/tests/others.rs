//! The same with others at work: readers, sweepers and second runs in the same Maildir, disks that
//! are not mounted, servers that are restored, clocks that are wrong.

use std::path::Path;

use super::*;

/// What somebody else does to the Maildir.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    /// A reader looks at what is new, and leaves it in cur/ as read.
    Read,
    /// It puts what is new into another Maildir.
    Archive,
    /// Whatever is in tmp/ is removed.
    Sweep,
    /// Its disk goes away.
    TakeAway,
    /// The same, and an empty directory is where it was.
    Unmount,
    /// The same, and another Maildir is where it was.
    Replace,
    /// A run with another state directory delivers into it.
    SecondRun,
}

const ACTS: [Act; 7] = [
    Act::Read,
    Act::Archive,
    Act::Sweep,
    Act::TakeAway,
    Act::Unmount,
    Act::Replace,
    Act::SecondRun,
];

/// What becomes of the mailbox on the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Restored {
    /// Nothing.
    Not,
    /// It holds what it held at first.
    AsItWas,
    /// It holds other messages of the same sizes, under the same unique-ids.
    WithOthers,
    /// It holds what it held at first, but each under another's unique-id.
    Renumbered,
}

const RESTORED: [Restored; 4] =
    [Restored::Not, Restored::AsItWas, Restored::WithOthers, Restored::Renumbered];

/// Three that look in a listing as [`three`] do.
fn three_others() -> Vec<Message> {
    vec![
        Message::new("a", "Subject: 2\r\n\r\n..\r\n...new\r\n", "Subject: 2\n\n.\n..new\n"),
        Message::new("b", "\r\nB\r\n", "\nB\n"),
        Message::new("../c", "C:\r\n", "C:\n"),
    ]
}

impl Fixture {
    /// Another user of the same Maildir, with a state directory and a mailbox of its own.
    fn beside(&self) -> Self {
        let messages = vec![Message::new("a", "bob's\r\n\r\n", "bob's\n\n")];
        let mailbox = Arc::new(Mutex::new(Mailbox::of(&messages)));
        let (dir, disk) = (Arc::clone(&self.dir), self.disk.clone());
        Self {
            dir,
            state: "other",
            disk,
            messages,
            mailbox,
            keep: Keep::Days(0),
            is_nameless: false,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// What is done is durable, as it would be if it had been done some time ago.
    fn act(&self, act: Act, other: &Self) {
        let (disk, maildir) = (&self.disk, self.maildir());
        let sync = |path: &Path| disk.sync_dir(path).unwrap();
        let make_maildir = |root: &Path| {
            disk.make_dir(root).unwrap();
            for part in ["tmp", "new", "cur"] {
                disk.make_dir(&root.join(part)).unwrap();
            }
            sync(root);
            sync(self.dir.path());
        };
        let take_away = || {
            let is_there = disk.exists(&maildir).unwrap();
            if is_there {
                disk.rename(&maildir, &self.path("away")).unwrap();
                sync(self.dir.path());
            }
            is_there
        };
        let (tmp, new) = (maildir.join("tmp"), maildir.join("new"));
        let put = |to: &Path, flags: &str| {
            for name in disk.list(&new).unwrap_or_default() {
                let to = to.join(format!("{}{flags}", name.to_str().unwrap()));
                disk.rename(&new.join(name), &to).unwrap();
            }
            sync(to);
            sync(&new);
        };
        match act {
            Act::Read if disk.exists(&maildir.join("cur")).unwrap() => {
                put(&maildir.join("cur"), ":2,S");
            }
            Act::Archive if disk.exists(&new).unwrap() => {
                make_maildir(&self.path("Archive"));
                put(&self.path("Archive/cur"), "");
            }
            Act::Read | Act::Archive => {}
            Act::Sweep => {
                for name in disk.list(&tmp).unwrap_or_default() {
                    disk.remove(&tmp.join(name)).unwrap();
                }
            }
            Act::TakeAway => drop(take_away()),
            Act::Unmount => {
                if take_away() {
                    disk.make_dir(&maildir).unwrap();
                }
            }
            Act::Replace => {
                if take_away() {
                    make_maildir(&maildir);
                }
            }
            Act::SecondRun => assert_eq!(other.fetch_well(START), 1),
        }
    }

    /// The disk that went away is mounted again, unless there was none yet that anybody knew of, and
    /// another Maildir was made in its place.
    fn undo(&self, act: Act) {
        let (away, maildir) = (self.path("away"), self.maildir());
        if !matches!(act, Act::TakeAway | Act::Unmount) || !self.disk.exists(&away).unwrap() {
            return;
        }
        // It may be an empty one, to mount at.
        drop(self.disk.remove_dir(&maildir));
        if !self.disk.exists(&maildir).unwrap() {
            self.disk.rename(&away, &maildir).unwrap();
        }
    }

    fn restore(&self, restored: Restored) {
        let mut messages = self.messages.clone();
        match restored {
            Restored::Not => return,
            Restored::AsItWas => {}
            Restored::WithOthers => messages = three_others(),
            Restored::Renumbered => {
                let uids: Vec<_> = messages.iter().map(|message| message.uid.clone()).collect();
                for (message, uid) in messages.iter_mut().zip(uids.iter().cycle().skip(1)) {
                    message.uid.clone_from(uid);
                }
            }
        }
        self.mailbox.lock().unwrap().messages = messages;
    }

    /// The same user and server, with another disk.
    fn on(&self, disk: Simulated) -> Self {
        let mailbox = Arc::new(Mutex::new(self.mailbox.lock().unwrap().clone()));
        let (dir, messages) = (Arc::clone(&self.dir), self.messages.clone());
        Self {
            dir,
            state: self.state,
            disk,
            messages,
            mailbox,
            keep: self.keep,
            is_nameless: self.is_nameless,
        }
    }

    /// What is wrong at the end of it all: what was deleted from the server must be there, and, but
    /// where it cannot be told from what was fetched without being retrieved, what is still on it.
    fn fault(&self, restored: Restored, may_double: bool) -> Option<&'static str> {
        let mailbox = self.mailbox.lock().unwrap();
        let mut found = self.disk.delivered();
        let is_all_due = matches!(restored, Restored::Not | Restored::AsItWas);
        let left = mailbox.messages.iter().filter(|_| is_all_due || self.keep != Keep::Forever);
        let mut due = mailbox.gone.iter().chain(left);
        if !mailbox.rash.is_empty() {
            return Some("a message was deleted that was not safe");
        }
        if due.any(|message| !found.contains(&message.text)) {
            return Some("a message is lost");
        }
        let total = found.len();
        found.dedup();
        (found.len() < total && !may_double).then_some("a message is doubled")
    }

    /// Runs until one comes to its end, of which few are needed.
    fn fetch_until_well(&self, first: u64, case: &str) {
        let runs = (0..4).map(|n| self.fetch(first + 60 * n, FLUENT, Fault::None).outcome);
        let errors: Vec<_> = runs.map_while(Result::err).collect();
        assert!(errors.len() < 4, "{case}: {errors:?}");
    }
}

#[test]
fn whatever_others_do_to_the_maildir_between_two_steps_nothing_is_lost() {
    let mut cases = 0;
    let mut play = |keep, batch, act, run, step| {
        let world = Fixture::new(keep, three());
        let last = world.mailbox.lock().unwrap().messages.pop().unwrap();
        let manner = ServerBehaviour { batch, ..FLUENT };
        let case = format!("{act:?} before step {step} of run {run}, {keep:?}, {batch} at a time");
        let mut last = Some(last);
        for this in 0..2 {
            if this == run {
                let (world, other) = (world.on(world.disk.clone()), world.beside());
                world.disk.clone().meddle_at(step, move |_| world.act(act, &other));
            }
            let ended = world.fetch(START + 60 * this, manner, Fault::None);
            // Who only reads or delivers there disturbs nobody.
            let is_harmless = matches!(act, Act::Read | Act::SecondRun);
            assert!(!is_harmless || ended.outcome.is_ok(), "{case}: {:?}", ended.outcome);
            world.mailbox.lock().unwrap().messages.extend(last.take());
        }
        let is_over = world.disk.give_up_meddling();
        // Where messages were delivered before, no other Maildir is made.
        if run == 1 && !is_over && matches!(act, Act::TakeAway | Act::Unmount) {
            assert!(world.disk.list(&world.maildir()).unwrap_or_default().is_empty(), "{case}");
        }
        let may_double = matches!(act, Act::Archive | Act::Replace);
        for disk in world.disk.remains_now(3).into_iter().map(|remains| remains.disk) {
            cases += 1;
            let cut = world.on(disk);
            cut.undo(act);
            cut.fetch_until_well(START + 200, &case);
            assert_eq!(cut.fault(Restored::Not, may_double), None, "{case}, and the power was cut");
        }
        cases += 1;
        world.undo(act);
        world.fetch_until_well(START + 200, &case);
        assert_eq!(world.fault(Restored::Not, may_double), None, "{case}");
        let bobs = world.disk.delivered().iter().filter(|text| *text == b"bob's\n\n").count();
        assert_eq!(bobs, usize::from(act == Act::SecondRun && !is_over), "{case}");
        is_over
    };
    for (keep, batch) in [(Keep::Forever, 3), (Keep::Days(0), 3), (Keep::Days(0), 1)] {
        for act in ACTS {
            for run in 0..2 {
                assert!((0..200).any(|step| play(keep, batch, act, run, step)));
            }
        }
    }
    assert!(cases > 5_000, "{cases}");
    note(&format!("fetch: {cases} times that others were at work in the Maildir, nothing lost"));
}

#[test]
fn whatever_happens_between_a_cut_and_the_next_run_nothing_is_lost() {
    let mut cases = 0;
    let mut play = |world: &Fixture, remains: Remains| {
        let (act, restored) = (ACTS[cases % ACTS.len()], RESTORED[cases / ACTS.len() % 4]);
        cases += 1;
        let cut = world.on(remains.disk);
        let is_deleted = |message: &Message| remains.notes.contains(&message.uid);
        let (gone, messages) = world.messages.iter().cloned().partition(is_deleted);
        *cut.mailbox.lock().unwrap() = Mailbox { messages, gone, rash: Vec::new() };
        let case = format!("{act:?}, {restored:?}, {:?}, {:?}", world.keep, remains.notes);
        cut.restore(restored);
        cut.act(act, &cut.beside());
        drop(cut.fetch(START + 120, FLUENT, Fault::None));
        cut.undo(act);
        cut.fetch_until_well(START + 200, &case);
        let may_double = matches!(act, Act::Archive | Act::Replace);
        let fault = cut.fault(restored, may_double || restored == Restored::Renumbered);
        assert_eq!(fault, None, "{case}");
    };
    for keep in [Keep::Forever, Keep::Days(0)] {
        let mut world = Fixture::new(keep, three());
        fetch_twice(&mut world);
        world.disk.remains(64).into_iter().for_each(|remains| play(&world, remains));
        for step in 0.. {
            world.renew();
            let killed = world.fetch(START, FLUENT, Fault::From(step));
            world.disk.arm(Fault::None);
            world.disk.remains_now(32).into_iter().for_each(|remains| play(&world, remains));
            if killed.outcome.is_ok() {
                break;
            }
        }
    }
    assert!(cases > 1_000, "{cases}");
    note(&format!("fetch: {cases} cuts before others were at work, nothing lost"));
}

#[test]
fn whatever_the_clock_showed_before_a_cut_a_message_stays_for_its_thirty_days() {
    const DAY: u64 = 24 * 60 * 60;
    // 1970, 2000 and 2040.
    for wrong in [0, 946_684_800, 2_208_988_800] {
        let mut world = Fixture::new(Keep::Days(30), three());
        for step in 0.. {
            world.renew();
            let killed = world.fetch(wrong, FLUENT, Fault::From(step));
            world.disk.arm(Fault::None);
            for Remains { disk, .. } in world.disk.remains_now(6) {
                let cut = world.on(disk);
                for (now, left) in [(0, 3), (29, 3), (31, 0)] {
                    cut.fetch_well(START + now * DAY);
                    let found = cut.mailbox.lock().unwrap().messages.len();
                    assert_eq!(found, left, "{wrong}, step {step}, after {now} days");
                    // It is wrong again.
                    cut.fetch_well(wrong.min(START));
                }
                assert_eq!(cut.fault(Restored::Not, false), None, "{wrong}, step {step}");
            }
            if killed.outcome.is_ok() {
                break;
            }
        }
    }
}

/// Invalid argument, not supported, not implemented: CIFS and shared folders say one of these.
#[test]
fn a_disk_that_cannot_sync_directories_will_do_and_one_that_fails_to_will_not() {
    for (error, will_do) in [(22, true), (95, true), (38, true), (5, false)] {
        let world = Fixture::new(Keep::Days(0), three());
        world.disk.refuse_dir_syncs(error);
        let ended = world.fetch(START, FLUENT, Fault::None);
        assert_eq!(ended.outcome.is_ok(), will_do, "{error}: {:?}", ended.outcome);
        let left = world.mailbox.lock().unwrap().messages.len();
        assert_eq!(left == 0, will_do, "{error}");
    }
}
