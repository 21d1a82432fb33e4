//! A Maildir: a message is written under a name of its own in tmp/, and moved to new/ when it is
//! whole and durable. What is in tmp/ does not exist yet for readers.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::Error;
use super::digest::{Digester, Digests};
use super::disk::{Disk, File, Space};
use crate::limits;
use crate::run_id::RunId;

/// The reason why a large message is not written to a disk that has room for it.
const SCARCE: &str = "the disk is nearly full, and the rest is kept free";

/// Octets behind which no more of the host goes into a name.
const LONGEST_NAME: usize = 110;

/// A directory with tmp/, new/ and cur/.
#[derive(Clone)]
pub struct Maildir {
    disk: Arc<dyn Disk>,
    root: PathBuf,
    tmp: Arc<Path>,
    run_id: RunId,
    mark: u64,
    sequence: Arc<AtomicU64>,
}

impl Maildir {
    /// The Maildir at `root`, be it there or not. `mark` goes into every name, to tell the drafts of
    /// one state directory from others'.
    pub fn at(disk: Arc<dyn Disk>, root: &Path, run_id: RunId, mark: u64) -> Self {
        let sequence = Arc::new(AtomicU64::new(0));
        let (root, tmp) = (root.to_owned(), root.join("tmp").into());
        Self { disk, root, tmp, run_id, mark, sequence }
    }

    /// Opens the Maildir at `root`, made if it is not there and its parent is.
    ///
    /// # Errors
    ///
    /// Returns an error if the directories cannot be made.
    pub fn open(
        disk: Arc<dyn Disk>,
        root: &Path,
        run_id: RunId,
        mailbox: &str,
    ) -> Result<Self, Error> {
        let maildir = Self::at(disk, root, run_id, fnv1a(mailbox.as_bytes()));
        maildir.make()?;
        maildir.check()?;
        Ok(maildir)
    }

    /// Returns whether the Maildir exists, with all of its three directories.
    pub(super) fn is_there(&self) -> Result<bool, Error> {
        for part in ["tmp", "new", "cur"] {
            let dir = self.root.join(part);
            match self.disk.exists(&dir) {
                Ok(true) => {}
                Ok(false) => return Ok(false),
                Err(error) => return Err(Error::io("look at", &dir, error)),
            }
        }
        Ok(true)
    }

    /// Makes it where it is not there; the directory that it is in must be.
    pub(super) fn make(&self) -> Result<(), Error> {
        let (disk, root) = (&*self.disk, &self.root);
        parent_exists(disk, root)?;
        // A message is no safer than the directories it is in. That cur/ is there, made last, shows
        // that the others' names are durable.
        let cur = root.join("cur");
        let is_new = !disk.exists(&cur).map_err(|error| Error::io("look at", &cur, error))?;
        let make = |dir: &Path| disk.make_dir(dir).map_err(|error| Error::create(dir, error));
        let sync = |dir: &Path| {
            if !is_new {
                return Ok(());
            }
            disk.sync_dir(dir).map_err(|error| Error::io("write", dir, error))
        };
        let parent = root.parent().filter(|parent| !parent.as_os_str().is_empty());
        make(root)?;
        sync(parent.unwrap_or(Path::new(".")))?;
        make(&root.join("tmp"))?;
        make(&root.join("new"))?;
        sync(root)?;
        make(&cur)
    }

    /// Checks that it is this user's: another's would be for that user to read, and to take away.
    pub(super) fn check(&self) -> Result<(), Error> {
        let root = &self.root;
        for dir in [root, &root.join("tmp"), &root.join("new"), &root.join("cur")] {
            self.disk.check_place(dir)?;
        }
        Ok(())
    }

    /// The mark in the names of its drafts.
    pub(super) fn mark(&self) -> u64 {
        self.mark
    }

    /// Returns the path of the Maildir.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A place for one message. No file is made before something is written.
    pub fn draft(&self) -> Draft {
        Draft {
            disk: Arc::clone(&self.disk),
            tmp: Arc::clone(&self.tmp),
            name: self.name(),
            file: None,
            digester: Some(Digester::new()),
            length: 0,
            failure: None,
            fate: OnDrop::Remove,
        }
    }

    /// Keeps a message of one's own: durable, whole or not at all, and marked as read. Nothing
    /// depends on whether it was kept, so there is no journal of it.
    ///
    /// # Errors
    ///
    /// Returns an error if the copy could not be made durable.
    pub fn keep(&self, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Error> {
        let mut draft = self.draft();
        let (from, cur) = (draft.path(), self.root.join("cur"));
        let to = cur.join(format!("{}:2,S", draft.name));
        // What the draft has to say of itself travels inside.
        let failed = |error: io::Error| {
            error.downcast().unwrap_or_else(|error| Error::io("write", &from, error))
        };
        write(&mut draft).map_err(failed)?;
        draft.sync().map_err(failed)?;
        self.disk.rename(&from, &to).map_err(|error| Error::io("deliver", &to, error))?;
        // Nothing is left in tmp/ to be removed.
        draft.keep_file();
        self.disk.sync_dir(&cur).map_err(|error| Error::io("write", &cur, error))
    }

    /// The path of a draft once it is delivered, until a mail reader moves it.
    pub fn delivered(&self, draft: &Draft) -> PathBuf {
        self.root.join("new").join(&draft.name)
    }

    /// Returns whether a name in tmp/ was given by a run with the same state directory.
    pub fn is_ours(&self, name: &OsStr) -> bool {
        name.to_str().is_some_and(|name| name.contains(&format!("X{:016x}.", self.mark)))
    }

    /// `time.delivery-identifier.host`, where the identifier is the process, a number that counts
    /// up in it, a number drawn at random, and the mailbox's mark.
    fn name(&self) -> String {
        let RunId { seconds, pid, host, random, .. } = &self.run_id;
        let count = self.sequence.fetch_add(1, Ordering::Relaxed);
        let mark = self.mark;
        let mut name = format!("{seconds}.P{pid}Q{count}R{random:016x}X{mark:016x}.");
        // eCryptfs has room for 143 octets in a name, and readers add to it.
        for c in host.chars() {
            if name.len() > LONGEST_NAME {
                break;
            }
            match c {
                // Colons begin a reader's flags; the replacements are the customary ones.
                '/' | ':' => {
                    // Writing to a String cannot fail.
                    let _ = write!(name, "\\{:03o}", u32::from(c));
                }
                c if c.is_ascii_graphic() => name.push(c),
                _ => {}
            }
        }
        name
    }
}

/// A Maildir is made where it is not; the directory that it is in is not.
pub(super) fn parent_exists(disk: &dyn Disk, root: &Path) -> Result<(), Error> {
    let parent = root.parent().filter(|parent| !parent.as_os_str().is_empty());
    if let Some(parent) = parent
        && !disk.exists(parent).map_err(|error| Error::io("look at", parent, error))?
    {
        return Err(Error::NoParent { path: root.to_owned(), parent: parent.to_owned() });
    }
    Ok(())
}

/// A message in tmp/, not delivered yet. Dropped, it takes its file with it.
pub struct Draft {
    disk: Arc<dyn Disk>,
    tmp: Arc<Path>,
    pub(super) name: String,
    file: Option<Box<dyn File>>,
    /// `None` once its digests were taken.
    digester: Option<Digester>,
    /// Octets that were written.
    length: u64,
    /// The reason why it cannot be delivered.
    failure: Option<String>,
    fate: OnDrop,
}

/// The treatment of the file in tmp/ when the draft is dropped.
#[derive(Clone, Copy, PartialEq, Eq)]
enum OnDrop {
    /// The file is removed.
    Remove,
    /// The journal may speak of it, so recovery decides.
    Keep,
}

impl Draft {
    /// Begins to make the contents durable.
    pub(super) fn begin_sync(&mut self) {
        if let Some(file) = &mut self.file {
            file.begin_sync();
        }
    }

    /// Makes the contents durable and closes the file.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        self.open()?.sync()?;
        // Closed: a large batch must not hold as many descriptors through its later steps.
        self.file = None;
        self.fate = OnDrop::Remove;
        Ok(())
    }

    /// Closes the file, for another program to read it. An empty message has one, too.
    pub(super) fn close(&mut self) -> io::Result<()> {
        self.open()?;
        self.file = None;
        Ok(())
    }

    /// Keeps the file when the draft is dropped: from here on the journal may name it.
    pub(super) fn keep_file(&mut self) {
        self.fate = OnDrop::Keep;
    }

    /// The digests of what was written; once.
    pub(super) fn take_digests(&mut self) -> Digests {
        self.digester.take().unwrap_or_else(Digester::new).finish()
    }

    /// Gives the message up, for a reason of its own: what was written of it is removed.
    pub fn fail(&mut self, reason: String) {
        self.file = None;
        // If it cannot go now, the next run removes it.
        drop(self.disk.remove(&self.path()));
        self.failure = Some(reason);
    }

    /// The reason why the message was given up; `None` if it was not.
    pub fn failure(&self) -> Option<&str> {
        self.failure.as_deref()
    }

    pub(super) fn take_failure(&mut self) -> Option<String> {
        self.failure.take()
    }

    /// The file's path.
    pub(super) fn path(&self) -> PathBuf {
        self.tmp.join(&self.name)
    }

    /// Looks, each time that a large message grows by another part, whether it still leaves room for
    /// others.
    fn leave_room(&mut self, more: usize) -> io::Result<()> {
        let before = self.length / limits::SMALL_MESSAGE;
        self.length = self.length.saturating_add(u64::try_from(more).unwrap_or(u64::MAX));
        if self.length / limits::SMALL_MESSAGE > before
            && self.disk.space(&self.tmp).is_some_and(Space::is_scarce)
        {
            return Err(io::Error::new(io::ErrorKind::StorageFull, SCARCE));
        }
        Ok(())
    }

    fn open(&mut self) -> io::Result<&mut Box<dyn File>> {
        match &mut self.file {
            Some(file) => Ok(file),
            none => {
                let file = self.disk.create(&self.tmp.join(&self.name))?;
                Ok(none.insert(file))
            }
        }
    }
}

impl Write for Draft {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        type Wrap = fn(&Path, io::Error) -> Error;
        if octets.is_empty() {
            return Ok(0);
        }
        // The text streams in through a protocol that only knows of I/O errors: which file it was
        // travels inside.
        let (create, write): (Wrap, Wrap) =
            (Error::create, |path, error| Error::io("write", path, error));
        let room = self.leave_room(octets.len()).map_err(|error| (write, error));
        let opened = room.and_then(|()| self.open().map_err(|error| (create, error)));
        let written = opened.and_then(|file| file.write(octets).map_err(|error| (write, error)));
        if let (Ok(written), Some(digester)) = (&written, &mut self.digester) {
            digester.update(octets.get(..*written).unwrap_or_default());
        }
        written.map_err(|(wrap, error)| io::Error::new(error.kind(), wrap(&self.path(), error)))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl std::fmt::Debug for Draft {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Draft").field(&self.name).finish()
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if self.fate == OnDrop::Remove {
            self.file = None;
            // It may never have been made; and if it cannot go now, the next run removes it.
            drop(self.disk.remove(&self.path()));
        }
    }
}

/// FNV-1a: the same in every version of this program, unlike the standard library's hasher.
pub(super) fn fnv1a(octets: &[u8]) -> u64 {
    octets.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &octet| {
        (hash ^ u64::from(octet)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}
