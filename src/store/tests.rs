//! Every step of a delivery, cut off or failing.

use std::ffi::OsString;
use std::io::{Read, Write};
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::{process, thread};

use tempfile::TempDir;

use super::disk::simulated::{Fault, Simulated};
use super::disk::{Dir, Os};
use super::*;

/// The real disk, apart from the steps for which it is dead. If those are all from a given one on, it
/// is as if the process had been killed there.
pub(super) struct FailingDisk {
    steps: Arc<AtomicUsize>,
    dead: Range<usize>,
}

impl FailingDisk {
    fn step(&self) -> io::Result<()> {
        step(&self.steps, &self.dead)
    }
}

fn step(steps: &AtomicUsize, dead: &Range<usize>) -> io::Result<()> {
    if dead.contains(&steps.fetch_add(1, Ordering::Relaxed)) {
        Err(io::Error::other("killed here"))
    } else {
        Ok(())
    }
}

struct MortalFile {
    file: Box<dyn disk::File>,
    steps: Arc<AtomicUsize>,
    dead: Range<usize>,
}

impl Write for MortalFile {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        match step(&self.steps, &self.dead) {
            Ok(()) => self.file.write_all(octets).map(|()| octets.len()),
            Err(error) => {
                // A write that is cut off leaves a part behind, but only the first to fail.
                if self.steps.load(Ordering::Relaxed) == self.dead.start + 1 {
                    self.file.write_all(&octets[..octets.len() / 2])?;
                }
                Err(error)
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl disk::File for MortalFile {
    fn sync(&mut self) -> io::Result<()> {
        step(&self.steps, &self.dead)?;
        self.file.sync()
    }

    fn reserve(&mut self, octets: u64) -> io::Result<()> {
        step(&self.steps, &self.dead)?;
        self.file.reserve(octets)
    }
}

impl Disk for FailingDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn disk::File>> {
        self.step()?;
        let file = Os.create(path)?;
        Ok(Box::new(MortalFile { file, steps: Arc::clone(&self.steps), dead: self.dead.clone() }))
    }

    fn append(&self, path: &Path) -> io::Result<Box<dyn disk::File>> {
        self.step()?;
        let file = Os.append(path)?;
        Ok(Box::new(MortalFile { file, steps: Arc::clone(&self.steps), dead: self.dead.clone() }))
    }

    fn read(&self, path: &Path) -> io::Result<Option<Vec<u8>>> {
        self.step()?;
        Os.read(path)
    }

    fn open(&self, path: &Path) -> io::Result<(Box<dyn Read + Send>, u64)> {
        self.step()?;
        Os.open(path)
    }

    fn truncate(&self, path: &Path, length: u64) -> io::Result<()> {
        self.step()?;
        Os.truncate(path, length)
    }

    fn lock_file(&self, path: &Path) -> io::Result<Option<Lock>> {
        self.step()?;
        Os.lock_file(path)
    }

    fn open_dir(&self, path: &Path) -> io::Result<Box<dyn Dir>> {
        self.step()?;
        Os.open_dir(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.step()?;
        Os.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.step()?;
        Os.remove(path)
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        self.step()?;
        Os.remove_dir(path)
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        self.step()?;
        Os.exists(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<OsString>> {
        self.step()?;
        Os.list(path)
    }

    fn make_dir(&self, path: &Path) -> io::Result<()> {
        self.step()?;
        Os.make_dir(path)
    }
}

/// A message as a session would hand it in.
#[derive(Debug)]
struct Message {
    uid: Option<Uid>,
    draft: Option<Draft>,
}

impl Identified for Message {
    fn uid(&self) -> Option<&Uid> {
        self.uid.as_ref()
    }
}

impl AsMut<Draft> for Message {
    fn as_mut(&mut self) -> &mut Draft {
        self.draft.as_mut().unwrap()
    }
}

impl Measured for Message {
    fn number(&self) -> u32 {
        1
    }

    fn size(&self) -> Option<u64> {
        Some(9)
    }
}

fn options(state: PathBuf, destination: Destination, run_id: RunId) -> StoreOptions {
    StoreOptions { state, destination, run_id, deletes_at_once: false, all: false, repeat: false }
}

struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn maildir(&self) -> PathBuf {
        self.0.path().join("Mail")
    }

    fn open(&self, disk: impl Disk + 'static, now: u64, random: u64) -> Result<Store, Error> {
        let run_id =
            RunId { seconds: now, pid: 7, host: "here:/x".to_owned(), random, fraction: 0 };
        let state = self.0.path().join("state");
        let destination = Destination::Maildir(self.maildir());
        let mut store = Store::create(Arc::new(disk), options(state, destination, run_id))?;
        store.prepare()?;
        Ok(store)
    }

    /// One run: fetches what is new of `uids`, in batches of three. Returns how many.
    fn fetch(&self, disk: impl Disk + 'static, now: u64, uids: &[Uid]) -> Result<usize, Error> {
        let mut store = self.open(disk, now, now)?;
        let recovered = store.take_recovered().len();
        store.begin_listing();
        for (uid, number) in uids.iter().zip(1..) {
            store.mark_listed(UidRef::new(uid.as_bytes()).unwrap(), number);
        }
        store.end_listing()?;
        let wanted = uids.iter().filter(|uid| store.standing(uid, None) == Standing::New);
        let wanted: Vec<Uid> = wanted.cloned().collect();
        for batch in wanted.chunks(3) {
            let mut messages = Vec::new();
            for uid in batch {
                let mut draft = store.drafts().draft();
                writeln!(draft, "Subject: {uid}\n")
                    .map_err(|e| Error::io("write", "".as_ref(), e))?;
                messages.push(Message { uid: Some(uid.clone()), draft: Some(draft) });
            }
            store.deliver(messages, Purpose::Deliver, is_new)?;
        }
        store.compact()?;
        Ok(recovered + wanted.len())
    }

    fn names(&self, part: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.maildir().join(part)).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    /// The contents of new/ and cur/, sorted.
    fn delivered(&self) -> Vec<String> {
        let read = |part: &str, name: &String| {
            String::from_utf8(std::fs::read(self.maildir().join(part).join(name)).unwrap()).unwrap()
        };
        let part = |part: &'static str| self.names(part).into_iter().map(move |n| read(part, &n));
        let mut all: Vec<_> = part("new").chain(part("cur")).collect();
        all.sort();
        all
    }
}

fn is_new(delivery: Delivery<Message>) {
    match delivery {
        Delivery::New(saved) => drop(saved.into_inner()),
        other => panic!("{other:?}"),
    }
}

fn uids(count: usize) -> Vec<Uid> {
    (0..count).map(|n| Uid::new(format!("uid{n:02}").as_bytes()).unwrap()).collect()
}

fn subjects(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("Subject: uid{n:02}\n\n")).collect()
}

/// The real disk, counting.
pub(super) fn mortal(last: usize) -> (FailingDisk, Arc<AtomicUsize>) {
    let steps = Arc::new(AtomicUsize::new(0));
    (FailingDisk { steps: Arc::clone(&steps), dead: last..usize::MAX }, steps)
}

#[test]
fn what_is_written_after_a_cut_goes_behind_the_present_end() {
    let place = Place::new();
    let path = place.0.path().join("file");
    let mut file = Os.create(&path).unwrap();
    file.write_all(b"whole\nha").unwrap();
    Os.truncate(&path, 6).unwrap();
    file.write_all(b"more\n").unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), b"whole\nmore\n");
}

#[test]
fn a_run_cut_off_at_any_disk_step_loses_and_doubles_nothing() {
    let all = uids(8);
    let (disk, steps) = mortal(usize::MAX);
    assert_eq!(Place::new().fetch(disk, 1000, &all).unwrap(), 8);
    let total = steps.load(Ordering::Relaxed);
    assert!(total > 30, "{total}");
    for last in 0..total {
        let place = Place::new();
        place.fetch(mortal(last).0, 1000, &all).unwrap_err();
        place.fetch(Os, 1001, &all).unwrap();
        assert_eq!(place.delivered(), subjects(8), "cut off at step {last}");
        assert_eq!(place.names("tmp"), Vec::<String>::new(), "cut off at step {last}");
        assert_eq!(place.fetch(Os, 1002, &all).unwrap(), 0);
    }
}

#[test]
fn recovery_cut_off_at_any_disk_step_can_be_recovered_from() {
    let all = uids(4);
    for first in [20, 24, 27, 30] {
        for last in 0.. {
            let place = Place::new();
            place.fetch(mortal(first).0, 1000, &all).unwrap_err();
            let (disk, _) = mortal(last);
            let ended = place.fetch(disk, 1001, &all).is_ok();
            place.fetch(Os, 1002, &all).unwrap();
            assert_eq!(place.delivered(), subjects(4), "cut off at {first}, then at {last}");
            assert_eq!(place.names("tmp"), Vec::<String>::new());
            if ended {
                break;
            }
        }
    }
}

#[test]
fn a_large_batch_is_delivered_only_if_every_file_of_it_could_be_synced() {
    const MANY: usize = 100;
    // Writes a batch, and delivers it to a disk that fails one step and no other. Says what came
    // of it, and at which step it began.
    let deliver = |place: &Place, failing: usize| {
        let (disk, steps) = mortal(failing);
        let disk = FailingDisk { dead: failing..failing.saturating_add(1), ..disk };
        let mut store = place.open(disk, 1000, 1).unwrap();
        let message = |uid: Uid| {
            let mut draft = store.drafts().draft();
            writeln!(draft, "Subject: {uid}\n").unwrap();
            Message { uid: Some(uid), draft: Some(draft) }
        };
        let batch: Vec<_> = uids(MANY).into_iter().map(message).collect();
        let begin = steps.load(Ordering::Relaxed);
        (store.deliver(batch, Purpose::Deliver, is_new), begin)
    };
    let whole = Place::new();
    let (delivered, begin) = deliver(&whole, usize::MAX);
    delivered.unwrap();
    assert_eq!(whole.names("new").len(), MANY);
    for failing in (begin..begin + MANY).step_by(9) {
        let place = Place::new();
        deliver(&place, failing).0.unwrap_err();
        assert_eq!(place.names("new"), Vec::<String>::new(), "failed at step {failing}");
    }
}

/// A place in which one message was announced, with its file still in tmp/.
fn announced() -> (Place, String) {
    let place = Place::new();
    for last in 0.. {
        let (disk, _) = mortal(last);
        drop(place.fetch(disk, 1000, &uids(1)));
        let journal = std::fs::read(place.0.path().join("state/journal")).unwrap_or_default();
        let journal = String::from_utf8(journal).unwrap();
        if journal.contains("intent ") && journal.ends_with('\n') {
            break;
        }
    }
    let name = place.names("tmp").pop().unwrap();
    (place, name)
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a mail reader moves files as it likes")]
fn an_announced_message_is_delivered_if_it_stands_in_new_or_in_cur_and_nowhere_else() {
    // Where it is found, and how many are fetched then.
    for (found, fetched) in [("new/{}", 1), ("cur/{}:2,S", 1), ("tmp/{}", 1), ("gone{}", 1)] {
        let (place, name) = announced();
        let (from, to) = (place.maildir().join("tmp").join(&name), found.replace("{}", &name));
        std::fs::rename(from, place.maildir().join(&to)).unwrap();
        let journal = || std::fs::read_to_string(place.0.path().join("state/journal")).unwrap();
        assert_eq!(place.fetch(Os, 1060, &uids(1)).unwrap(), fetched, "{found}");
        let is_void = journal().contains("void ");
        assert_eq!(is_void, found == "gone{}", "{found}");
        assert_eq!(place.delivered(), subjects(1), "{found}");
        assert_eq!(place.fetch(Os, 1100, &uids(1)).unwrap(), 0);
    }
}

/// A run that was cut off has announced a message, and left another that it had not; the disk is full
/// of them.
#[test]
fn what_was_left_in_tmp_is_removed_before_a_full_disk_is_written_to() {
    let place = Place::new();
    let (tmp, state) = (place.maildir().join("tmp"), place.0.path().join("state"));
    for last in 0.. {
        let disk = Simulated::new(place.0.path());
        disk.arm(Fault::From(last));
        let ended = place.fetch(disk.clone(), 1000, &uids(1));
        disk.arm(Fault::None);
        let journal = disk.read(&state.join("journal")).unwrap_or_default().unwrap_or_default();
        let journal = String::from_utf8(journal).unwrap();
        let is_announced = journal.contains("intent ") && journal.ends_with('\n');
        if !is_announced || !disk.contents(&place.maildir().join("new")).is_empty() {
            assert!(ended.is_err(), "no run was cut off in between");
            continue;
        }
        let announced = disk.list(&tmp).unwrap().pop().unwrap().into_string().unwrap();
        let left = tmp.join(announced.replacen('Q', "Q9", 1));
        disk.create(&left).unwrap().write_all(&[b'x'; 1000]).unwrap();
        disk.fill();
        assert_eq!(place.fetch(disk.clone(), 1001, &uids(1)).unwrap(), 1);
        assert_eq!(disk.contents(&place.maildir().join("new")).len(), 1);
        assert!(disk.list(&tmp).unwrap().is_empty());
        return;
    }
}

#[test]
fn a_large_message_leaves_others_some_room_on_the_disk() {
    const MB: u64 = 1 << 20;
    // A disk of which much is free, one that is nearly full, a small one, and one that says nothing.
    for (total, free, is_taken) in [
        (100_000 * MB, 65 * MB, true),
        (100_000 * MB, 63 * MB, false),
        (20 * MB, 2 * MB, true),
        (20 * MB, MB - 1, false),
        (0, 0, true),
    ] {
        let place = Place::new();
        let disk = Simulated::new(place.0.path());
        let store = place.open(disk.clone(), 1000, 1).unwrap();
        disk.set_space(total, free);
        let mut small = store.drafts().draft();
        small.write_all(&[b'x'; 1000]).unwrap();
        let mut large = store.drafts().draft();
        let written = (0..200).try_for_each(|_| large.write_all(&[b'x'; 10_000]));
        assert_eq!(written.is_ok(), is_taken, "{total}, {free}");
        assert!(written.err().is_none_or(|error| is_no_room(&error)), "{total}, {free}");
    }
}

/// What could not be noted afterwards would be handed over again in every run.
#[test]
fn nothing_is_handed_to_a_program_while_the_journal_cannot_grow() {
    let mut first = usize::MAX;
    for is_full in [false, true] {
        let place = Place::new();
        let marker = place.0.path().join("taken");
        let words = ["touch".to_owned(), marker.to_str().unwrap().to_owned()];
        let run_id = RunId { seconds: 1000, pid: 7, host: "h".to_owned(), random: 1, fraction: 0 };
        let destination = Destination::Program(words.to_vec());
        let (disk, steps) = mortal(first);
        let options = options(place.0.path().join("state"), destination, run_id);
        let mut store = Store::create(Arc::new(disk), options).unwrap();
        store.prepare().unwrap();
        let mut draft = store.drafts().draft();
        writeln!(draft, "Subject: uid00\n").unwrap();
        let message = Message { uid: Some(uids(1).remove(0)), draft: Some(draft) };
        first = steps.load(Ordering::Relaxed);
        let delivered = store.deliver(vec![message], Purpose::Deliver, is_new);
        assert_eq!(delivered.is_err(), is_full, "{delivered:?}");
        assert_eq!(marker.exists(), !is_full);
    }
}

#[test]
fn room_is_reserved_behind_the_end_and_not_used() {
    let place = Place::new();
    let path = place.0.path().join("file");
    let mut file = Os.create(&path).unwrap();
    file.write_all(b"text").unwrap();
    file.reserve(4096).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), b"text");
}

/// The disk is not mounted, or another one is.
#[test]
#[expect(clippy::disallowed_methods, reason = "somebody else moves the Maildir")]
fn a_maildir_that_went_away_is_not_made_anew_and_nothing_in_it_is_forgotten() {
    let (place, name) = announced();
    let away = place.0.path().join("away");
    std::fs::rename(place.maildir(), &away).unwrap();
    let gone = |place: &Place| {
        let opened = place.open(Os, 1001, 1);
        assert!(matches!(opened, Err(Error::MaildirGone(_))));
    };
    gone(&place);
    assert!(!place.maildir().exists());
    // An empty mount point, and half a Maildir.
    std::fs::create_dir(place.maildir()).unwrap();
    gone(&place);
    std::fs::create_dir(place.maildir().join("tmp")).unwrap();
    std::fs::create_dir(place.maildir().join("new")).unwrap();
    gone(&place);
    assert!(away.join("tmp").join(name).exists());
    std::fs::remove_dir_all(place.maildir()).unwrap();
    // A run that delivers elsewhere finishes it, too, or says that it cannot.
    let state = place.0.path().join("state");
    let elsewhere = Destination::Maildir(place.0.path().join("Other"));
    let run_id = RunId { seconds: 1001, pid: 7, host: "h".to_owned(), random: 1, fraction: 0 };
    let open =
        || Store::open(Arc::new(Os), options(state.clone(), elsewhere.clone(), run_id.clone()));
    assert!(matches!(open(), Err(Error::MaildirGone(_))));
    std::fs::rename(&away, place.maildir()).unwrap();
    let mut store = open().unwrap().unwrap();
    assert_eq!(store.take_recovered().len(), 1);
    assert_eq!(place.delivered(), subjects(1));
}

#[test]
fn a_delivery_whose_rename_fails_is_void_and_is_fetched_again() {
    let place = Place::new();
    let mut store = place.open(Os, 1000, 1).unwrap();
    let mut draft = store.drafts().draft();
    writeln!(draft, "Subject: uid00\n").unwrap();
    let path = draft.path();
    let message = Message { uid: Some(uids(1).remove(0)), draft: Some(draft) };
    // Another program sweeps tmp/ while the batch is synced.
    let sweeping = Sweeping(path);
    store.disk = Arc::new(sweeping);
    store.deliver(vec![message], Purpose::Deliver, is_new).unwrap_err();
    drop(store);
    let journal = std::fs::read_to_string(place.0.path().join("state/journal")).unwrap();
    assert!(journal.contains("\nvoid "), "{journal}");
    assert_eq!(place.fetch(Os, 1001, &uids(1)).unwrap(), 1);
    assert_eq!(place.delivered(), subjects(1));
}

/// A disk on which somebody removes a file just before it is renamed.
struct Sweeping(PathBuf);

impl Disk for Sweeping {
    fn create(&self, path: &Path) -> io::Result<Box<dyn disk::File>> {
        Os.create(path)
    }

    fn append(&self, path: &Path) -> io::Result<Box<dyn disk::File>> {
        Os.append(path)
    }

    fn read(&self, path: &Path) -> io::Result<Option<Vec<u8>>> {
        Os.read(path)
    }

    fn open(&self, path: &Path) -> io::Result<(Box<dyn Read + Send>, u64)> {
        Os.open(path)
    }

    fn lock_file(&self, path: &Path) -> io::Result<Option<Lock>> {
        Os.lock_file(path)
    }

    fn truncate(&self, path: &Path, length: u64) -> io::Result<()> {
        Os.truncate(path, length)
    }

    fn open_dir(&self, path: &Path) -> io::Result<Box<dyn Dir>> {
        Os.open_dir(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        Os.remove(&self.0)?;
        Os.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        Os.remove(path)
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        Os.remove_dir(path)
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        Os.exists(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<OsString>> {
        Os.list(path)
    }

    fn make_dir(&self, path: &Path) -> io::Result<()> {
        Os.make_dir(path)
    }
}

/// Another state directory that delivers into the same Maildir sweeps its own drafts.
#[test]
fn a_second_state_directory_leaves_the_drafts_of_the_first_alone() {
    let place = Place::new();
    let first = place.open(Os, 1000, 1).unwrap();
    let mut draft = first.drafts().draft();
    draft.write_all(b"coming in").unwrap();
    let (state, destination) =
        (place.0.path().join("other/state"), Destination::Maildir(place.maildir()));
    let run_id =
        RunId { seconds: 1001, pid: 8, host: "here:/x".to_owned(), random: 2, fraction: 0 };
    for _ in 0..2 {
        let options = options(state.clone(), destination.clone(), run_id.clone());
        Store::create(Arc::new(Os), options).unwrap().prepare().unwrap();
        assert_eq!(place.names("tmp").len(), 1);
    }
}

#[test]
fn a_state_directory_with_nothing_in_it_is_given_up() {
    let place = Place::new();
    let state = place.0.path().join("state");
    let run_id = RunId { seconds: 1001, pid: 8, host: "h".to_owned(), random: 2, fraction: 0 };
    let options = options(state.clone(), Destination::Maildir(place.maildir()), run_id);
    assert!(Store::open(Arc::new(Os), options.clone()).unwrap().is_none());
    assert!(!state.exists());
    Store::create(Arc::new(Os), options.clone()).unwrap().close();
    assert!(!state.exists() && !place.maildir().exists());
    let mut store = Store::create(Arc::new(Os), options).unwrap();
    store.prepare().unwrap();
    store.close();
    assert!(state.join("journal").exists());
}

#[test]
fn what_is_retrieved_again_is_told_by_its_text() {
    let place = Place::new();
    place.fetch(Os, 1000, &uids(2)).unwrap();
    let mut store = place.open(Os, 1001, 1).unwrap();
    let drafts = store.drafts();
    let message = |uid: &Uid, text: &str| {
        let mut draft = drafts.draft();
        write!(draft, "{text}").unwrap();
        Message { uid: Some(uid.clone()), draft: Some(draft) }
    };
    let [one, two] = &uids(2)[..] else { panic!() };
    // The server has marked the first as read, and has another message under the second's name.
    let batch = vec![
        message(one, "Subject: uid00\nStatus: RO\n\n"),
        message(two, "Subject: something else\n\n"),
    ];
    let mut became = Vec::new();
    let word = |delivery: &Delivery<Message>| match delivery {
        Delivery::New(_) => "new",
        Delivery::Same(_) => "same",
        Delivery::SameElsewhere(_) => "elsewhere",
        Delivery::Rejected(..) => "rejected",
    };
    store.deliver(batch, Purpose::Compare, |delivery| became.push(word(&delivery))).unwrap();
    assert_eq!(became, ["same", "new"]);
    assert_eq!(place.names("new").len(), 3);
    assert_eq!(place.names("tmp").len(), 0);
    // From then on nothing is known by its name alone.
    store.begin_listing();
    for (uid, number) in [one, two].into_iter().zip(1..) {
        store.mark_listed(UidRef::new(uid.as_bytes()).unwrap(), number);
        assert_eq!(store.standing(uid, Some(9)), Standing::Unproven);
    }
    // What is equal to something that was delivered elsewhere proves nothing of this place.
    drop(store);
    let state = place.0.path().join("state");
    let elsewhere = Destination::Maildir(place.0.path().join("Other"));
    let run_id = RunId { seconds: 1001, pid: 7, host: "h".to_owned(), random: 1, fraction: 0 };
    let mut store = Store::create(Arc::new(Os), options(state, elsewhere, run_id)).unwrap();
    store.prepare().unwrap();
    let drafts = store.drafts();
    let mut draft = drafts.draft();
    write!(draft, "Subject: uid00\n\n").unwrap();
    let batch = vec![Message { uid: Some(one.clone()), draft: Some(draft) }];
    let mut became = Vec::new();
    store.deliver(batch, Purpose::Compare, |delivery| became.push(word(&delivery))).unwrap();
    assert_eq!(became, ["elsewhere"]);
}

#[test]
fn a_second_run_is_turned_away_while_the_first_is_at_work() {
    let place = Place::new();
    let first = place.open(Os, 1000, 1).unwrap();
    assert!(matches!(place.open(Os, 1000, 2), Err(Error::Locked { .. })));
    drop(first);
    place.open(Os, 1000, 3).unwrap();
}

#[test]
fn strangers_files_in_tmp_are_left_alone() {
    let place = Place::new();
    drop(place.open(Os, 1000, 1).unwrap());
    let other = Maildir::open(
        Arc::new(Os),
        &place.maildir(),
        RunId { seconds: 1, pid: 1, host: "h".to_owned(), random: 1, fraction: 0 },
        "bob@pop.example",
    )
    .unwrap();
    let mut draft = other.draft();
    draft.write_all(b"bob's").unwrap();
    drop(place.open(Os, 1001, 1).unwrap());
    assert_eq!(place.names("tmp").len(), 1);
    drop(draft);
    assert_eq!(place.names("tmp").len(), 0);
}

#[test]
fn a_maildir_is_made_but_not_its_parents() {
    let place = Place::new();
    let root = place.0.path().join("no/such/Mail");
    let run_id = RunId { seconds: 1, pid: 1, host: "h".to_owned(), random: 1, fraction: 0 };
    let error = Maildir::open(Arc::new(Os), &root, run_id, "a@b").map(drop).unwrap_err();
    assert!(error.to_string().ends_with("no/such does not exist"), "{error}");
}

#[test]
fn what_is_kept_is_kept_whole_or_not_at_all() {
    for last in 0.. {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("Sent");
        let run_id = RunId { seconds: 1, pid: 2, host: "box".to_owned(), random: 3, fraction: 0 };
        let (disk, steps) = mortal(last);
        let kept = Maildir::open(Arc::new(disk), &root, run_id, "sent")
            .and_then(|maildir| maildir.keep(|file| file.write_all(b"hello\n")));
        let found = Os.list(&root.join("cur")).unwrap_or_default();
        for name in &found {
            assert!(name.to_str().unwrap().ends_with(":2,S"));
            assert_eq!(Os.read(&root.join("cur").join(name)).unwrap().unwrap(), b"hello\n");
        }
        if kept.is_ok() {
            assert_eq!(found.len(), 1);
            // The file is synced before it has its name, and its name after.
            assert_eq!((steps.load(Ordering::Relaxed), last), (last, 13));
            return;
        }
    }
}

#[test]
fn files_are_for_their_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = Place::new();
    place.fetch(Os, 1000, &uids(1)).unwrap();
    let mode = |path: PathBuf| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(place.0.path().join("state")), 0o700);
    assert_eq!(mode(place.0.path().join("state/journal")), 0o600);
    assert_eq!(mode(place.0.path().join("state/lock")), 0o600);
    assert_eq!(mode(place.maildir()), 0o700);
    let name = place.names("new").pop().unwrap();
    assert!(name.ends_with(".here\\072\\057x"), "{name}");
    assert_eq!(mode(place.maildir().join("new").join(name)), 0o600);
}

#[test]
fn a_link_in_tmp_is_not_written_through() {
    let place = Place::new();
    let store = place.open(Os, 1000, 1).unwrap();
    let mut draft = store.drafts().draft();
    let elsewhere = place.0.path().join("elsewhere");
    std::os::unix::fs::symlink(&elsewhere, draft.path()).unwrap();
    let error = draft.write_all(b"hello").unwrap_err();
    assert!(error.to_string().contains("cannot create"), "{error}");
    assert!(!elsewhere.exists());
}

#[test]
fn the_name_of_a_state_directory_is_short_and_its_own() {
    assert_eq!(state_name("ann@pop.example+8995"), "ann@pop.example+8995");
    // Sixty letters of a script in which each takes nine octets when it is percent-encoded.
    let long = "%E5%86%99".repeat(60);
    let [one, other] = ["a", "b"].map(|end| state_name(&format!("{long}@{end}")).into_owned());
    assert_eq!((one.len(), other.len()), (100, 100));
    assert_ne!(one, other);
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a test may be blunt")]
fn a_maildir_with_something_in_its_way_cannot_be_made() {
    let place = Place::new();
    std::fs::create_dir_all(place.maildir().join("new")).unwrap();
    std::fs::write(place.maildir().join("tmp"), "in the way").unwrap();
    let error = place.open(Os, 1000, 1).map(drop).unwrap_err();
    assert!(matches!(error, Error::Create { .. }), "{error}");
    assert!(error.to_string().ends_with("Mail/tmp: file exists"), "{error}");
}

#[test]
fn a_directory_that_took_the_name_of_another_is_synced_too() {
    let place = Place::new();
    let disk = Simulated::new(place.0.path());
    let (new, old) = (place.0.path().join("new"), place.0.path().join("old"));
    disk.make_dir(&new).unwrap();
    let opened = disk.open_dir(&new).unwrap();
    disk.rename(&new, &old).unwrap();
    disk.make_dir(&new).unwrap();
    disk.sync_dir(place.0.path()).unwrap();
    drop(disk.create(&new.join("message")).unwrap());
    disk.sync_opened(&*opened, &new).unwrap();
    assert_eq!(disk.for_sure().list(&new).unwrap(), ["message"]);
}

#[test]
fn a_lock_that_was_dropped_is_free_though_programs_are_being_started() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("lock");
    let ended = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            // Between fork and exec the child has all of this process's files.
            while !ended.load(Ordering::Relaxed) {
                process::Command::new("true").status().unwrap();
            }
        });
        let taken = (0..20_000).filter(|_| Os.lock_file(&path).unwrap().is_none()).count();
        ended.store(true, Ordering::Relaxed);
        assert_eq!(taken, 0);
    });
}

/// It would be read as a journal that has nothing yet.
#[test]
fn a_pipe_is_no_journal_and_nobody_waits_for_its_writer() {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal");
    mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    let read = Store::read_only(&Os, dir.path(), 1).unwrap_err();
    assert!(read.to_string().ends_with("journal: not a regular file"), "{read}");
    assert!(Os.read(&path).is_err() && Os.read_secret(&path).is_err());
}

/// What servers write into a message may be all that tells it from another one, if it has no name.
#[test]
fn messages_without_unique_ids_are_the_same_only_if_nothing_differs() {
    let dir = tempfile::tempdir().unwrap();
    let (state, mail) = (dir.path().join("state"), dir.path().join("Mail"));
    let mut new = Vec::new();
    for text in ["Status: on\n\n", "Status: ok\n\n", "Status: ok\n\n"] {
        let run_id = RunId { seconds: 1, pid: 1, host: "h".to_owned(), random: 1, fraction: 0 };
        let options = options(state.clone(), Destination::Maildir(mail.clone()), run_id);
        let mut store = Store::create(Arc::new(Os), options).unwrap();
        store.prepare().unwrap();
        store.begin_listing();
        let mut draft = store.drafts().draft();
        draft.write_all(text.as_bytes()).unwrap();
        let message = Message { uid: None, draft: Some(draft) };
        let count = |delivery| new.push(matches!(delivery, Delivery::New(_)));
        store.deliver(vec![message], Purpose::Deliver, count).unwrap();
    }
    assert_eq!(new, [true, true, false]);
}
