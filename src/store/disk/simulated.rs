//! A disk in memory, for tests. Any of its steps can fail, another program can act before any
//! of them, and it knows what a power cut may leave of what was done to it. Weaker than any real
//! one: what was not synced may be there or not, each part of it for itself, and a later part
//! without an earlier one.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ffi::OsString;
use std::io::ErrorKind::StorageFull;
use std::io::{self, Cursor, Read, Write};
use std::ops::RangeInclusive;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use super::{Dir, Disk, File, Lock, Space};

/// The disk. Its clones are the same disk.
#[derive(Clone)]
pub(crate) struct Simulated(Arc<Mutex<State>>);

struct State {
    /// The files as programs see them.
    now: Tree,
    /// The files at the beginning, all durable.
    before: Tree,
    /// The operations since.
    log: Vec<Op>,
    steps: usize,
    fault: Fault,
    /// A sync that is promised and not done: of what [`kind`] calls so.
    lie: Option<&'static str>,
    /// True if a sync that fails drops what was not durable.
    gives_up: bool,
    /// The file to which [`Fault::Stays`] stays.
    spoilt: Option<usize>,
    /// An action of another program just before the step of that number.
    meddling: Option<(usize, Meddling)>,
    /// The error of every sync of a directory.
    no_dir_sync: Option<i32>,
    /// Octets of all files that have a name; no more can be written.
    capacity: Option<usize>,
    /// The size and free space that the file system reports.
    space: Option<Space>,
    /// The files that are locked.
    locked: BTreeSet<usize>,
}

type Meddling = Box<dyn FnOnce(&Simulated) + Send>;

/// Directories, of which the first is above all others, and files.
#[derive(Clone, Default)]
struct Tree {
    dirs: Vec<BTreeMap<OsString, Node>>,
    files: Vec<Vec<u8>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Node {
    /// A number in [`Tree::dirs`].
    Dir(usize),
    /// A number in [`Tree::files`].
    File(usize),
}

/// A name in a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Name {
    dir: usize,
    name: OsString,
}

#[derive(Clone)]
enum Op {
    Link(Name, Node),
    Unlink(Name),
    Rename(Name, Name, Node),
    Write(usize, Vec<u8>),
    Truncate(usize, usize),
    Sync(usize),
    /// A sync that failed, and took with it what was not durable.
    Lose(usize),
    SyncDir(usize),
    /// An event outside the disk.
    Note(String),
}

/// A fault to inject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// No fault.
    None,
    /// The step of that number fails with this error of the system, and those behind it work again.
    Once(usize, i32),
    /// The same, if that step writes or syncs a file; and no later write or sync of this file, and
    /// of no other, works again.
    Stays(usize, i32),
    /// Failure of this and every later step, as for a process that was killed.
    From(usize),
}

/// The state after a power cut: the disk, and the notes made before.
pub(crate) struct Remains {
    pub(crate) disk: Simulated,
    pub(crate) notes: Vec<String>,
}

impl Simulated {
    /// An empty disk with a directory and those above it.
    pub(crate) fn new(dir: &Path) -> Self {
        let mut tree = Tree { dirs: vec![BTreeMap::new()], files: Vec::new() };
        for (above, name) in names(dir).enumerate() {
            tree.apply(&Op::Link(Name { dir: above, name }, Node::Dir(above + 1)));
        }
        Self::of(tree)
    }

    fn of(tree: Tree) -> Self {
        Self(Arc::new(Mutex::new(State {
            now: tree.clone(),
            before: tree,
            log: Vec::new(),
            steps: 0,
            fault: Fault::None,
            lie: None,
            gives_up: false,
            spoilt: None,
            meddling: None,
            no_dir_sync: None,
            capacity: None,
            space: None,
            locked: BTreeSet::new(),
        })))
    }

    /// Counts steps from here on, of which one may fail.
    pub(crate) fn arm(&self, fault: Fault) {
        let mut state = self.state();
        (state.steps, state.fault, state.spoilt) = (0, fault, None);
    }

    /// Lets another program act just before the step of that number; the count of steps and the
    /// fault stay as they are.
    pub(crate) fn meddle_at(&self, step: usize, act: impl FnOnce(&Self) + Send + 'static) {
        self.state().meddling = Some((step, Box::new(act)));
    }

    /// Cancels the action of another program. Returns whether it was still to come.
    pub(crate) fn give_up_meddling(&self) -> bool {
        self.state().meddling.take().is_some()
    }

    /// Promises all syncs of one kind, as [`kind`] calls it, and does none.
    pub(crate) fn lie_about(&self, kind: &'static str) {
        self.state().lie = Some(kind);
    }

    /// Makes a sync that fails drop what was not durable, as Linux does: the data can be read until
    /// the power is cut, and never becomes durable.
    pub(crate) fn give_up_what_cannot_be_synced(&self) {
        self.state().gives_up = true;
    }

    /// Makes every sync of a directory fail with this error.
    pub(crate) fn refuse_dir_syncs(&self, error: i32) {
        self.state().no_dir_sync = Some(error);
    }

    /// Makes the disk full.
    pub(crate) fn fill(&self) {
        let mut state = self.state();
        state.capacity = Some(state.now.octets());
    }

    /// Sets the size and free space that the file system reports.
    pub(crate) fn set_space(&self, total: u64, free: u64) {
        self.state().space = Some(Space { total, free });
    }

    /// Steps since it was armed.
    pub(crate) fn steps(&self) -> usize {
        self.state().steps
    }

    /// Puts something into the log that is not about the disk.
    pub(crate) fn note(&self, text: &str) {
        self.state().log.push(Op::Note(text.to_owned()));
    }

    /// The notes, in order.
    pub(crate) fn notes(&self) -> Vec<String> {
        notes(&self.state().log)
    }

    /// Syncs of files and of directories since the last [`Self::settle`].
    pub(crate) fn syncs(&self) -> (usize, usize) {
        let log = &self.state().log;
        let count = |is: fn(&Op) -> bool| log.iter().filter(|op| is(op)).count();
        (count(|op| matches!(op, Op::Sync(_))), count(|op| matches!(op, Op::SyncDir(_))))
    }

    /// The contents of the files in a directory, sorted.
    pub(crate) fn contents(&self, dir: &Path) -> Vec<Vec<u8>> {
        let now = &self.state().now;
        let Ok(dir) = now.dir(dir) else { return Vec::new() };
        let mut contents: Vec<_> = now.dirs[dir]
            .values()
            .filter_map(|node| match node {
                Node::File(number) => Some(now.files[*number].clone()),
                Node::Dir(_) => None,
            })
            .collect();
        contents.sort();
        contents
    }

    /// The contents of all files in directories called new or cur, wherever they are, sorted.
    pub(crate) fn delivered(&self) -> Vec<Vec<u8>> {
        let now = &self.state().now;
        let mut contents = Vec::new();
        for (path, text) in now.plain() {
            let dir = path.parent().and_then(Path::file_name).unwrap_or_default();
            if dir == "new" || dir == "cur" {
                contents.extend(text);
            }
        }
        contents.sort();
        contents
    }

    /// Makes everything durable that was done so far.
    pub(crate) fn settle(&self) {
        let mut state = self.state();
        state.before = state.now.clone();
        state.log.clear();
    }

    /// The part that is durable if the power is cut now.
    pub(crate) fn for_sure(&self) -> Self {
        let state = self.state();
        let cut = Cut::after(&state.before, &state.log);
        Self::of(cut.tree(&vec![0; cut.choices().len()]))
    }

    /// The possible states after a power cut at any step so far, each once; at most `bound` for one
    /// moment, and all of them if there are no more.
    pub(crate) fn remains(&self, bound: usize) -> Vec<Remains> {
        let length = self.state().log.len();
        self.remains_after(0..=length, bound)
    }

    /// The same if the power is cut now.
    pub(crate) fn remains_now(&self, bound: usize) -> Vec<Remains> {
        let length = self.state().log.len();
        self.remains_after(length..=length, bound)
    }

    fn remains_after(&self, ends: RangeInclusive<usize>, bound: usize) -> Vec<Remains> {
        let state = self.state();
        let (mut known, mut all) = (HashSet::new(), Vec::new());
        for end in ends {
            let cut = Cut::after(&state.before, &state.log[..end]);
            let notes = notes(&state.log[..end]);
            for picks in picks(&cut.choices(), bound) {
                let tree = cut.tree(&picks);
                if known.insert((notes.clone(), tree.plain())) {
                    all.push(Remains { disk: Self::of(tree), notes: notes.clone() });
                }
            }
        }
        all
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// Counts one step, which may fail.
    fn step(&self) -> io::Result<MutexGuard<'_, State>> {
        self.step_of(None)
    }

    /// Counts one step, with the number of the file that it writes or syncs.
    fn step_of(&self, file: Option<usize>) -> io::Result<MutexGuard<'_, State>> {
        let mut state = self.state();
        let step = state.steps;
        if let Some((_, act)) = state.meddling.take_if(|(at, _)| *at == step) {
            let fault = std::mem::replace(&mut state.fault, Fault::None);
            drop(state);
            act(self);
            state = self.state();
            (state.steps, state.fault) = (step, fault);
        }
        state.steps += 1;
        if let Fault::Stays(first, error) = state.fault {
            if step == first {
                state.spoilt = file;
            }
            if file.is_some() && state.spoilt == file {
                return Err(io::Error::from_raw_os_error(error));
            }
        }
        match state.fault {
            Fault::Once(failing, error) if step == failing => {
                Err(io::Error::from_raw_os_error(error))
            }
            Fault::From(first) if step >= first => Err(io::Error::other("killed here")),
            _ => Ok(state),
        }
    }
}

/// The names on the way to a path.
fn names(path: &Path) -> impl Iterator<Item = OsString> {
    path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(name.to_owned()),
        _ => None,
    })
}

impl Tree {
    fn node(&self, path: &Path) -> io::Result<Node> {
        names(path).try_fold(Node::Dir(0), |node, name| match node {
            Node::Dir(dir) => Ok(*self.dirs[dir].get(&name).ok_or(io::ErrorKind::NotFound)?),
            Node::File(_) => Err(io::ErrorKind::NotADirectory.into()),
        })
    }

    fn file(&self, path: &Path) -> io::Result<usize> {
        match self.node(path)? {
            Node::File(number) => Ok(number),
            Node::Dir(_) => Err(io::ErrorKind::IsADirectory.into()),
        }
    }

    fn dir(&self, path: &Path) -> io::Result<usize> {
        match self.node(path)? {
            Node::Dir(number) => Ok(number),
            Node::File(_) => Err(io::ErrorKind::NotADirectory.into()),
        }
    }

    /// A name, whether anything has it or not.
    fn name(&self, path: &Path) -> io::Result<Name> {
        let dir = self.dir(path.parent().unwrap())?;
        Ok(Name { dir, name: path.file_name().unwrap().to_owned() })
    }

    /// A name that nothing has.
    fn free_name(&self, path: &Path) -> io::Result<Name> {
        match self.node(path) {
            Ok(_) => Err(io::ErrorKind::AlreadyExists.into()),
            Err(_) => self.name(path),
        }
    }

    fn apply(&mut self, op: &Op) {
        match op {
            Op::Link(to, node) => self.link(to, *node),
            Op::Unlink(from) => drop(self.dirs[from.dir].remove(&from.name)),
            Op::Rename(from, to, node) => {
                self.dirs[from.dir].remove(&from.name);
                if let Node::Dir(_) = node {
                    self.dirs.iter_mut().for_each(|names| names.retain(|_, named| named != node));
                }
                self.link(to, *node);
            }
            Op::Write(number, octets) => self.files[*number].extend_from_slice(octets),
            Op::Truncate(number, length) => self.files[*number].truncate(*length),
            Op::Sync(_) | Op::Lose(_) | Op::SyncDir(_) | Op::Note(_) => {}
        }
    }

    /// Writes of one file, all but one of which, or the first half of one, came to be durable: where
    /// that would be is a hole.
    fn apply_but(&mut self, ops: &[Op], hole: usize) {
        for (index, op) in ops.iter().enumerate() {
            match op {
                Op::Write(number, octets) if index == hole / 2 => {
                    let lost = if hole.is_multiple_of(2) { octets.len() } else { octets.len() / 2 };
                    let mut octets = octets.clone();
                    octets.iter_mut().take(lost).for_each(|octet| *octet = 0);
                    self.apply(&Op::Write(*number, octets));
                }
                _ => self.apply(op),
            }
        }
    }

    fn link(&mut self, to: &Name, node: Node) {
        self.make(node);
        self.dirs[to.dir].insert(to.name.clone(), node);
    }

    /// Adds a node without a name.
    fn make(&mut self, node: Node) {
        match node {
            Node::Dir(number) => {
                self.dirs.resize(self.dirs.len().max(number + 1), BTreeMap::new());
            }
            Node::File(number) => {
                self.files.resize(self.files.len().max(number + 1), Vec::new());
            }
        }
    }

    /// Octets of all files that have a name.
    fn octets(&self) -> usize {
        self.plain().iter().filter_map(|(_, text)| text.as_ref()).map(Vec::len).sum()
    }

    /// The reachable files with their contents, for comparison.
    fn plain(&self) -> Vec<(PathBuf, Option<Vec<u8>>)> {
        let mut plain = Vec::new();
        let mut dirs = vec![(PathBuf::from("/"), 0)];
        while let Some((above, dir)) = dirs.pop() {
            for (name, node) in &self.dirs[dir] {
                let path = above.join(name);
                plain.push(match *node {
                    Node::Dir(number) => {
                        dirs.push((path.clone(), number));
                        (path, None)
                    }
                    Node::File(number) => (path, Some(self.files[number].clone())),
                });
            }
        }
        plain
    }
}

/// A moment at which the power is cut: what is durable, and what is not.
struct Cut {
    durable: Tree,
    /// Names that were not synced, in their order.
    names: Vec<Op>,
    /// The operations written and not synced, by file, in order.
    data: BTreeMap<usize, Vec<Op>>,
}

impl Cut {
    fn after(before: &Tree, log: &[Op]) -> Self {
        let mut cut = Self { durable: before.clone(), names: Vec::new(), data: BTreeMap::new() };
        for op in log {
            match op {
                Op::Link(_, node) => {
                    cut.durable.make(*node);
                    cut.names.push(op.clone());
                }
                Op::Unlink(_) | Op::Rename(..) => cut.names.push(op.clone()),
                Op::Write(number, _) | Op::Truncate(number, _) => {
                    cut.data.entry(*number).or_default().push(op.clone());
                }
                Op::Sync(number) => {
                    for op in cut.data.remove(number).unwrap_or_default() {
                        cut.durable.apply(&op);
                    }
                }
                // The size is kept, and nothing of the contents.
                Op::Lose(number) => {
                    for op in cut.data.remove(number).unwrap_or_default() {
                        cut.durable.apply(&match op {
                            Op::Write(number, octets) => Op::Write(number, vec![0; octets.len()]),
                            op => op,
                        });
                    }
                }
                Op::SyncDir(dir) => cut.sync_dir(*dir),
                Op::Note(_) => {}
            }
        }
        cut
    }

    fn sync_dir(&mut self, dir: usize) {
        let is_inside = |name: &Name| name.dir == dir;
        let mut left = Vec::new();
        for op in std::mem::take(&mut self.names) {
            match &op {
                Op::Link(name, _) | Op::Unlink(name) if !is_inside(name) => left.push(op),
                // The new name is durable; the old one may come back with its directory.
                Op::Rename(from, to, node @ Node::File(_)) if is_inside(to) && !is_inside(from) => {
                    self.durable.apply(&Op::Link(to.clone(), *node));
                    left.push(Op::Unlink(from.clone()));
                }
                // The old name of a directory is gone for sure; the new one may be gone with it.
                Op::Rename(from, to, node @ Node::Dir(_)) if is_inside(from) && !is_inside(to) => {
                    self.durable.apply(&Op::Unlink(from.clone()));
                    left.push(Op::Link(to.clone(), *node));
                }
                Op::Rename(from, to, _) if !is_inside(to) && !is_inside(from) => left.push(op),
                _ => {
                    // A directory is never in two places: what it was called before is over.
                    if let Op::Rename(_, _, moved @ Node::Dir(_)) = &op {
                        left.retain(|earlier| match earlier {
                            Op::Link(_, node) | Op::Rename(_, _, node) => node != moved,
                            _ => true,
                        });
                    }
                    self.durable.apply(&op);
                }
            }
        }
        self.names = left;
    }

    /// The number of ways in which each part that is not durable may be lost.
    fn choices(&self) -> Vec<usize> {
        // A directory is never in two places.
        let name = |op: &Op| if let Op::Rename(_, _, Node::File(_)) = op { 3 } else { 2 };
        let data = |ops: &Vec<Op>| 4 * ops.len() + 2;
        self.names.iter().map(name).chain(self.data.values().map(data)).collect()
    }

    /// The disk as it is after one of the ways; zero is "not at all" for each part.
    fn tree(&self, picks: &[usize]) -> Tree {
        let mut tree = self.durable.clone();
        let (names, data) = picks.split_at(self.names.len());
        for (op, pick) in self.names.iter().zip(names) {
            match (op, pick) {
                (_, 0) => {}
                (Op::Rename(_, to, node @ Node::File(_)), 1) => {
                    tree.apply(&Op::Link(to.clone(), *node));
                }
                _ => tree.apply(op),
            }
        }
        for ((number, ops), pick) in self.data.iter().zip(data) {
            if let Some(hole) = pick.checked_sub(2 * ops.len() + 2) {
                tree.apply_but(ops, hole);
                continue;
            }
            let (whole, is_torn) = (pick / 2, pick % 2 == 1);
            for op in &ops[..whole.min(ops.len())] {
                tree.apply(op);
            }
            match ops.get(whole) {
                Some(Op::Write(_, octets)) if is_torn => {
                    tree.apply(&Op::Write(*number, octets[..octets.len() / 2].to_vec()));
                }
                // The size came to be durable, and nothing of the contents.
                None if is_torn => {
                    let durable = self.durable.files[*number].len();
                    tree.files[*number].iter_mut().skip(durable).for_each(|octet| *octet = 0);
                }
                _ => {}
            }
        }
        tree
    }
}

fn notes(log: &[Op]) -> Vec<String> {
    let notes = log.iter().filter_map(|op| match op {
        Op::Note(text) => Some(text.clone()),
        _ => None,
    });
    notes.collect()
}

/// All ways to choose, or `bound` of them if there are more: none of each, all of each, and a
/// sample that is the same in every run.
fn picks(choices: &[usize], bound: usize) -> Vec<Vec<usize>> {
    let all = choices.iter().try_fold(1_usize, |all, ways| all.checked_mul(*ways));
    let spread = |mut index: usize| {
        let digit = |ways: &usize| {
            let digit = index % ways;
            index /= ways;
            digit
        };
        choices.iter().map(digit).collect()
    };
    if let Some(all) = all.filter(|all| *all <= bound) {
        return (0..all).map(spread).collect();
    }
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    let mut draw = |ways: &usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        usize::try_from(random % u64::try_from(*ways).unwrap()).unwrap()
    };
    let sample = (2..bound).map(|_| choices.iter().map(&mut draw).collect());
    let (none, all) = (vec![0; choices.len()], choices.iter().map(|ways| ways - 1).collect());
    [none, all].into_iter().chain(sample.collect::<Vec<_>>()).collect()
}

/// The purpose of a path, in a word.
fn kind(path: &Path, is_dir: bool) -> &'static str {
    let name = path.file_name().unwrap_or_default().to_str().unwrap();
    let parent = path.parent().and_then(Path::file_name).unwrap_or_default().to_str().unwrap();
    match (name, parent, is_dir) {
        ("tmp", _, true) => "tmp/",
        ("new", _, true) => "new/",
        ("Mail", _, true) => "Mail/",
        ("state", _, true) => "state/",
        ("waiting", _, true) => "waiting/",
        ("failed", _, true) => "failed/",
        ("outbox", _, true) => "outbox/",
        (_, "tmp", true) if path.parent().is_some_and(|tmp| tmp.ends_with("outbox/tmp")) => {
            "tmp/ID/"
        }
        (_, "tmp", false) | ("message.eml", ..) => "message",
        ("journal", ..) => "journal",
        ("journal.new", ..) => "journal.new",
        (_, _, true) => "above",
        _ => "other",
    }
}

struct SimulatedFile {
    disk: Simulated,
    number: usize,
    kind: &'static str,
}

impl SimulatedFile {
    fn open(disk: &Simulated, number: usize, path: &Path) -> Box<dyn File> {
        Box::new(Self { disk: disk.clone(), number, kind: kind(path, false) })
    }
}

struct SimulatedDir {
    disk: Simulated,
    number: usize,
    kind: &'static str,
}

impl Dir for SimulatedDir {
    fn sync_names(&self) -> io::Result<()> {
        let mut state = self.disk.step()?;
        if let Some(error) = state.no_dir_sync {
            return Err(io::Error::from_raw_os_error(error));
        }
        if state.lie != Some(self.kind) {
            state.act(Op::SyncDir(self.number));
        }
        Ok(())
    }

    fn is_at(&self, path: &Path) -> bool {
        self.disk.state().now.dir(path).is_ok_and(|named| named == self.number)
    }
}

impl State {
    /// Marks what was written to a file and not synced as never becoming durable, though it can be
    /// read.
    fn lose(&mut self, number: usize) {
        self.log.push(Op::Lose(number));
    }

    fn is_full(&self, more: usize) -> bool {
        self.capacity.is_some_and(|capacity| self.now.octets() + more > capacity)
    }

    fn act(&mut self, op: Op) {
        self.now.apply(&op);
        self.log.push(op);
    }
}

impl Write for SimulatedFile {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        let number = self.number;
        match self.disk.step_of(Some(number)) {
            Ok(state) if state.is_full(octets.len()) => return Err(StorageFull.into()),
            Ok(mut state) => state.act(Op::Write(number, octets.to_vec())),
            Err(error) => {
                let mut state = self.disk.state();
                // A write that fails leaves a part behind, but not what a dead process would write.
                if !matches!(state.fault, Fault::From(first) if state.steps > first + 1) {
                    state.act(Op::Write(number, octets[..octets.len() / 2].to_vec()));
                }
                return Err(error);
            }
        }
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl File for SimulatedFile {
    fn reserve(&mut self, _: u64) -> io::Result<()> {
        self.disk.step_of(Some(self.number)).map(drop)
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut state = match self.disk.step_of(Some(self.number)) {
            Ok(state) => state,
            Err(error) => {
                // The system gives up what it could not write, and says so once.
                let mut state = self.disk.state();
                if !matches!(state.fault, Fault::From(_)) && state.gives_up {
                    state.lose(self.number);
                }
                return Err(error);
            }
        };
        if state.lie != Some(self.kind) {
            state.act(Op::Sync(self.number));
        }
        Ok(())
    }
}

struct Locked(Simulated, usize);

impl Drop for Locked {
    fn drop(&mut self) {
        self.0.state().locked.remove(&self.1);
    }
}

impl Disk for Simulated {
    fn create(&self, path: &Path) -> io::Result<Box<dyn File>> {
        let mut state = self.step()?;
        let (name, number) = (state.now.free_name(path)?, state.now.files.len());
        state.act(Op::Link(name, Node::File(number)));
        Ok(SimulatedFile::open(self, number, path))
    }

    fn append(&self, path: &Path) -> io::Result<Box<dyn File>> {
        let mut state = self.step()?;
        let number = match state.now.file(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let (name, number) = (state.now.free_name(path)?, state.now.files.len());
                state.act(Op::Link(name, Node::File(number)));
                number
            }
            found => found?,
        };
        Ok(SimulatedFile::open(self, number, path))
    }

    fn read(&self, path: &Path) -> io::Result<Option<Vec<u8>>> {
        let state = self.step()?;
        match state.now.file(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            found => Ok(Some(state.now.files[found?].clone())),
        }
    }

    fn open(&self, path: &Path) -> io::Result<(Box<dyn Read + Send>, u64)> {
        let state = self.step()?;
        let octets = state.now.files[state.now.file(path)?].clone();
        let length = u64::try_from(octets.len()).unwrap();
        Ok((Box::new(Cursor::new(octets)), length))
    }

    fn truncate(&self, path: &Path, length: u64) -> io::Result<()> {
        let mut state = self.step()?;
        let number = state.now.file(path)?;
        state.act(Op::Truncate(number, usize::try_from(length).unwrap()));
        Ok(())
    }

    fn lock_file(&self, path: &Path) -> io::Result<Option<Lock>> {
        drop(self.append(path)?);
        let mut state = self.state();
        let number = state.now.file(path)?;
        let is_free = state.locked.insert(number);
        Ok(is_free.then(|| -> Lock { Box::new(Locked(self.clone(), number)) }))
    }

    fn open_dir(&self, path: &Path) -> io::Result<Box<dyn Dir>> {
        let number = self.step()?.now.dir(path)?;
        Ok(Box::new(SimulatedDir { disk: self.clone(), number, kind: kind(path, true) }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.step()?;
        let node = state.now.node(from)?;
        let to = match node {
            Node::Dir(_) => state.now.free_name(to)?,
            Node::File(_) => state.now.name(to)?,
        };
        let op = Op::Rename(state.now.name(from)?, to, node);
        state.act(op);
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.step()?;
        state.now.file(path)?;
        let name = state.now.name(path)?;
        state.act(Op::Unlink(name));
        Ok(())
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        let mut state = self.step()?;
        let dir = state.now.dir(path)?;
        if !state.now.dirs[dir].is_empty() {
            return Err(io::ErrorKind::DirectoryNotEmpty.into());
        }
        let name = state.now.name(path)?;
        state.act(Op::Unlink(name));
        Ok(())
    }

    fn space(&self, _: &Path) -> Option<Space> {
        self.state().space
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        Ok(self.step()?.now.node(path).is_ok())
    }

    fn list(&self, path: &Path) -> io::Result<Vec<OsString>> {
        let state = self.step()?;
        let dir = state.now.dir(path)?;
        Ok(state.now.dirs[dir].keys().cloned().collect())
    }

    fn make_dir(&self, path: &Path) -> io::Result<()> {
        let mut state = self.step()?;
        if state.now.dir(path).is_ok() {
            return Ok(());
        }
        let (name, number) = (state.now.free_name(path)?, state.now.dirs.len());
        state.act(Op::Link(name, Node::Dir(number)));
        Ok(())
    }
}
