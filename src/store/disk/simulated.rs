//! A disk in memory, for tests: any of its steps can fail, and it knows what a power cut may leave
//! of what was done to it. Weaker than any real one: what was not synced may be there or not, each
//! part of it for itself.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ffi::OsString;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use super::{Disk, File};

/// The disk. Its clones are the same disk.
#[derive(Clone)]
pub(crate) struct Simulated(Arc<Mutex<State>>);

struct State {
    /// What programs see.
    now: Tree,
    /// What there was at the beginning, all of it durable.
    before: Tree,
    /// What was done since.
    log: Vec<Op>,
    steps: usize,
    fault: Fault,
    /// A sync that is promised and not done: of what [`kind`] calls so.
    lie: Option<&'static str>,
}

/// Names and what they stand for.
#[derive(Clone, Default)]
struct Tree {
    names: BTreeMap<PathBuf, Node>,
    files: Vec<Vec<u8>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Node {
    Dir,
    /// A number in [`Tree::files`].
    File(usize),
}

#[derive(Clone)]
enum Op {
    Link(PathBuf, Node),
    Unlink(PathBuf),
    Rename(PathBuf, PathBuf, Node),
    Write(usize, Vec<u8>),
    Truncate(usize, usize),
    Sync(usize),
    SyncDir(PathBuf),
    /// Something that happened elsewhere.
    Note(String),
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing.
    None,
    /// The step of that number fails with this error of the system, and those behind it work again.
    Once(usize, i32),
    /// From this step on all fail, as for a process that was killed.
    From(usize),
}

/// What a power cut left: the disk, and the notes of before.
pub(crate) struct Remains {
    pub(crate) disk: Simulated,
    pub(crate) notes: Vec<String>,
}

impl Simulated {
    /// An empty disk with a directory and those above it.
    pub(crate) fn new(dir: &Path) -> Self {
        let names = dir.ancestors().map(|dir| (dir.to_owned(), Node::Dir)).collect();
        Self::of(Tree { names, files: Vec::new() })
    }

    fn of(tree: Tree) -> Self {
        Self(Arc::new(Mutex::new(State {
            now: tree.clone(),
            before: tree,
            log: Vec::new(),
            steps: 0,
            fault: Fault::None,
            lie: None,
        })))
    }

    /// Counts steps from here on, of which one may fail.
    pub(crate) fn arm(&self, fault: Fault) {
        let mut state = self.state();
        (state.steps, state.fault) = (0, fault);
    }

    /// Promises all syncs of one kind, as [`kind`] calls it, and does none.
    pub(crate) fn lie_about(&self, kind: &'static str) {
        self.state().lie = Some(kind);
    }

    /// Steps since it was armed.
    pub(crate) fn steps(&self) -> usize {
        self.state().steps
    }

    /// Puts something into the log that is not about the disk.
    pub(crate) fn note(&self, text: &str) {
        self.state().log.push(Op::Note(text.to_owned()));
    }

    /// The contents of the files in a directory, sorted.
    pub(crate) fn contents(&self, dir: &Path) -> Vec<Vec<u8>> {
        let Tree { names, files } = &self.state().now;
        let inside = names.iter().filter(|(path, _)| path.parent() == Some(dir));
        let mut contents: Vec<_> = inside
            .filter_map(|(_, node)| match node {
                Node::File(number) => Some(files[*number].clone()),
                Node::Dir => None,
            })
            .collect();
        contents.sort();
        contents
    }

    /// Makes everything durable that was done so far.
    pub(crate) fn settle(&self) {
        let mut state = self.state();
        state.before = state.now.clone();
        state.log.clear();
    }

    /// What is left for sure if the power is cut now.
    pub(crate) fn for_sure(&self) -> Self {
        let state = self.state();
        let cut = Cut::after(&state.before, &state.log);
        Self::of(cut.tree(&vec![0; cut.choices().len()]))
    }

    /// Whatever may be left if the power is cut after any of the steps so far, each disk once; at
    /// most `bound` for one moment, and all of them if there are no more.
    pub(crate) fn remains(&self, bound: usize) -> Vec<Remains> {
        let state = self.state();
        let (mut known, mut all) = (HashSet::new(), Vec::new());
        for end in 0..=state.log.len() {
            let cut = Cut::after(&state.before, &state.log[..end]);
            let notes = state.log[..end].iter().filter_map(|op| match op {
                Op::Note(text) => Some(text.clone()),
                _ => None,
            });
            let notes: Vec<_> = notes.collect();
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

    /// One step, which may fail.
    fn step(&self) -> io::Result<MutexGuard<'_, State>> {
        let mut state = self.state();
        let step = state.steps;
        state.steps += 1;
        match state.fault {
            Fault::Once(failing, error) if step == failing => {
                Err(io::Error::from_raw_os_error(error))
            }
            Fault::From(first) if step >= first => Err(io::Error::other("killed here")),
            _ => Ok(state),
        }
    }
}

impl Tree {
    fn file(&self, path: &Path) -> io::Result<usize> {
        match self.names.get(path) {
            Some(Node::File(number)) => Ok(*number),
            Some(Node::Dir) => Err(io::ErrorKind::IsADirectory.into()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    /// Whether a name can be made there.
    fn expect_room(&self, path: &Path) -> io::Result<()> {
        match (self.names.get(path.parent().unwrap()), self.names.get(path)) {
            (Some(Node::Dir), None) => Ok(()),
            (_, Some(_)) => Err(io::ErrorKind::AlreadyExists.into()),
            _ => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn apply(&mut self, op: &Op) {
        match op {
            Op::Link(path, node) => drop(self.names.insert(path.clone(), *node)),
            Op::Unlink(path) => drop(self.names.remove(path)),
            Op::Rename(from, to, node) => {
                self.names.remove(from);
                self.names.insert(to.clone(), *node);
            }
            Op::Write(number, octets) => self.grown(*number).extend_from_slice(octets),
            Op::Truncate(number, length) => self.grown(*number).truncate(*length),
            Op::Sync(_) | Op::SyncDir(_) | Op::Note(_) => {}
        }
    }

    fn grown(&mut self, number: usize) -> &mut Vec<u8> {
        let length = self.files.len().max(number + 1);
        self.files.resize(length, Vec::new());
        &mut self.files[number]
    }

    /// Without what is in no directory any more.
    fn reachable(mut self) -> Self {
        let dirs = self.names.iter().filter(|(_, node)| **node == Node::Dir);
        let dirs: BTreeSet<PathBuf> = dirs.map(|(path, _)| path.clone()).collect();
        self.names.retain(|path, _| path.ancestors().skip(1).all(|dir| dirs.contains(dir)));
        self
    }

    /// Comparable, whatever the numbers.
    fn plain(&self) -> Vec<(PathBuf, Option<Vec<u8>>)> {
        let plain = |(path, node): (&PathBuf, &Node)| match node {
            Node::Dir => (path.clone(), None),
            Node::File(number) => (path.clone(), Some(self.files[*number].clone())),
        };
        self.names.iter().map(plain).collect()
    }
}

/// A moment at which the power is cut: what is durable, and what is not.
struct Cut {
    durable: Tree,
    /// Names that were not synced, in their order.
    names: Vec<Op>,
    /// What was written and not synced, by file, in its order.
    data: BTreeMap<usize, Vec<Op>>,
}

impl Cut {
    fn after(before: &Tree, log: &[Op]) -> Self {
        let mut cut = Self { durable: before.clone(), names: Vec::new(), data: BTreeMap::new() };
        for op in log {
            match op {
                Op::Link(_, node) => {
                    if let Node::File(number) = node {
                        cut.durable.grown(*number);
                    }
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
                Op::SyncDir(dir) => cut.sync_dir(dir),
                Op::Note(_) => {}
            }
        }
        cut
    }

    fn sync_dir(&mut self, dir: &Path) {
        let is_inside = |path: &Path| path.parent() == Some(dir);
        let mut left = Vec::new();
        for op in std::mem::take(&mut self.names) {
            match &op {
                Op::Link(path, _) | Op::Unlink(path) if !is_inside(path) => left.push(op),
                // The new name is durable; the old one may come back with its directory.
                Op::Rename(from, to, node) if is_inside(to) && !is_inside(from) => {
                    self.durable.apply(&Op::Link(to.clone(), *node));
                    left.push(Op::Unlink(from.clone()));
                }
                Op::Rename(from, to, _) if !is_inside(to) && !is_inside(from) => left.push(op),
                _ => self.durable.apply(&op),
            }
        }
        self.names = left;
    }

    /// In how many ways each part of what is not durable can have gone.
    fn choices(&self) -> Vec<usize> {
        let name = |op: &Op| if let Op::Rename(..) = op { 3 } else { 2 };
        let data = |ops: &Vec<Op>| 2 * ops.len() + 2;
        self.names.iter().map(name).chain(self.data.values().map(data)).collect()
    }

    /// The disk as it is after one of the ways; zero is "not at all" for each part.
    fn tree(&self, picks: &[usize]) -> Tree {
        let mut tree = self.durable.clone();
        let (names, data) = picks.split_at(self.names.len());
        for (op, pick) in self.names.iter().zip(names) {
            match (op, pick) {
                (_, 0) => {}
                (Op::Rename(_, to, node), 1) => tree.apply(&Op::Link(to.clone(), *node)),
                _ => tree.apply(op),
            }
        }
        for ((number, ops), pick) in self.data.iter().zip(data) {
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
        tree.reachable()
    }
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

/// What a path is for, in a word.
fn kind(path: &Path, is_dir: bool) -> &'static str {
    let name = path.file_name().unwrap_or_default().to_str().unwrap();
    let parent = path.parent().and_then(Path::file_name).unwrap_or_default().to_str().unwrap();
    match (name, parent, is_dir) {
        ("tmp", _, true) => "tmp/",
        ("new", _, true) => "new/",
        ("Mail", _, true) => "Mail/",
        ("state", _, true) => "state/",
        (_, "tmp", false) => "message",
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

impl State {
    fn act(&mut self, op: Op) {
        self.now.apply(&op);
        self.log.push(op);
    }
}

impl Write for SimulatedFile {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        let number = self.number;
        match self.disk.step() {
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
    fn sync(&mut self) -> io::Result<()> {
        let mut state = self.disk.step()?;
        if state.lie != Some(self.kind) {
            state.act(Op::Sync(self.number));
        }
        Ok(())
    }
}

impl Disk for Simulated {
    fn create(&self, path: &Path) -> io::Result<Box<dyn File>> {
        let mut state = self.step()?;
        state.now.expect_room(path)?;
        let number = state.now.files.len();
        state.now.grown(number);
        state.act(Op::Link(path.to_owned(), Node::File(number)));
        Ok(SimulatedFile::open(self, number, path))
    }

    fn append(&self, path: &Path) -> io::Result<Box<dyn File>> {
        let mut state = self.step()?;
        let number = match state.now.file(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                state.now.expect_room(path)?;
                let number = state.now.files.len();
                state.now.grown(number);
                state.act(Op::Link(path.to_owned(), Node::File(number)));
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

    fn truncate(&self, path: &Path, length: u64) -> io::Result<()> {
        let mut state = self.step()?;
        let number = state.now.file(path)?;
        state.act(Op::Truncate(number, usize::try_from(length).unwrap()));
        Ok(())
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let mut state = self.step()?;
        if state.now.names.get(path) != Some(&Node::Dir) {
            return Err(io::ErrorKind::NotFound.into());
        }
        if state.lie != Some(kind(path, true)) {
            state.act(Op::SyncDir(path.to_owned()));
        }
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.step()?;
        let node = Node::File(state.now.file(from)?);
        state.act(Op::Rename(from.to_owned(), to.to_owned(), node));
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.step()?;
        state.now.file(path)?;
        state.act(Op::Unlink(path.to_owned()));
        Ok(())
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        let mut state = self.step()?;
        if state.now.names.keys().any(|name| name.parent() == Some(path)) {
            return Err(io::ErrorKind::DirectoryNotEmpty.into());
        }
        match state.now.names.get(path) {
            Some(Node::Dir) => state.act(Op::Unlink(path.to_owned())),
            _ => return Err(io::ErrorKind::NotADirectory.into()),
        }
        Ok(())
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        Ok(self.step()?.now.names.contains_key(path))
    }

    fn list(&self, path: &Path) -> io::Result<Vec<OsString>> {
        let state = self.step()?;
        let inside = state.now.names.keys().filter(|name| name.parent() == Some(path));
        Ok(inside.filter_map(|name| name.file_name()).map(OsString::from).collect())
    }

    fn make_dir(&self, path: &Path) -> io::Result<()> {
        let mut state = self.step()?;
        if state.now.names.get(path) == Some(&Node::Dir) {
            return Ok(());
        }
        state.now.expect_room(path)?;
        state.act(Op::Link(path.to_owned(), Node::Dir));
        Ok(())
    }
}
