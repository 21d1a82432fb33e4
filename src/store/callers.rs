//! What the submission service keeps of its callers: places, which are taken while a caller is
//! served, and the times at which each user has submitted messages.
//!
//! A place is a lock on a file, so it is free again however its process ends. The times of a user are
//! a text file, replaced whole under a lock, which survives reboots.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use super::disk::{Disk, Lock};
use super::{Error, directory, state_name};
use crate::limits;
use crate::text::percent_encoded;

/// The first line of a file of times.
const HEADER: &str = "postie rate 1";

const HOUR: u64 = 60 * 60;

/// The attempts to lock a user's times, and the pause between two. The lock is held for moments.
const ATTEMPTS: u32 = 200;
const PAUSE: Duration = Duration::from_millis(10);

/// The directory of the submission service's state.
pub struct Callers<'a> {
    disk: &'a dyn Disk,
    dir: &'a Path,
}

/// What a place is for. A server that stalls holds up the messages that are sent to it, and no caller
/// whose message can wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlacePurpose {
    /// To hand a message in.
    Hearing,
    /// To have it sent.
    Sending,
}

/// The right to be served, until it is dropped.
pub struct Place {
    _of_user: Lock,
    _of_all: Lock,
}

impl<'a> Callers<'a> {
    /// The state in `dir`, which need not exist.
    pub fn new(disk: &'a dyn Disk, dir: &'a Path) -> Self {
        Self { disk, dir }
    }

    /// Takes a place for a caller, to be heard or to have the message sent; `None` if all are taken,
    /// or all of this user's.
    ///
    /// # Errors
    ///
    /// Returns an error if the directory or a lock file cannot be made.
    pub fn take_place(&self, purpose: PlacePurpose, uid: u32) -> Result<Option<Place>, Error> {
        directory(self.disk, self.dir)?;
        let (user, all) = match purpose {
            PlacePurpose::Hearing => (format!("user.{uid}"), "place"),
            PlacePurpose::Sending => (format!("sending.user.{uid}"), "sending"),
        };
        // The user's first: one who calls without end takes no place from others, not for a moment.
        let of_user = self.first_free(&user, limits::SUBMIT_PLACES_OF_USER)?;
        let Some(of_user) = of_user else { return Ok(None) };
        let of_all = self.first_free(all, limits::SUBMIT_PLACES)?;
        Ok(of_all.map(|of_all| Place { _of_user: of_user, _of_all: of_all }))
    }

    fn first_free(&self, name: &str, number: usize) -> Result<Option<Lock>, Error> {
        for number in 0..number {
            let path = self.dir.join(format!("{name}.{number}"));
            let lock = self.disk.lock_file(&path).map_err(|error| Error::create(&path, error))?;
            if lock.is_some() {
                return Ok(lock);
            }
        }
        Ok(None)
    }

    /// Counts a submission of a user with an account at `now` (Unix seconds), unless there were
    /// `most` within the last hour. Returns the seconds after which there is room again; `None` if it
    /// was counted.
    ///
    /// # Errors
    ///
    /// Returns an error if the times cannot be locked, read or replaced: then nothing was counted.
    pub fn count(
        &self,
        account: &str,
        uid: u32,
        now: u64,
        most: usize,
    ) -> Result<Option<u64>, Error> {
        directory(self.disk, self.dir)?;
        let dir = self
            .dir
            .join(state_name(&format!("rate.{}", percent_encoded(account.as_bytes()))).as_ref());
        directory(self.disk, &dir)?;
        let path = dir.join(uid.to_string());
        let _lock = self.lock(&dir.join(format!("{uid}.lock")))?;
        let read = self.disk.read(&path).map_err(|error| Error::io("read", &path, error))?;
        let mut times = times(&read.unwrap_or_default(), now);
        // The next is counted when the first of the last `most` is an hour old.
        let first = times.len().checked_sub(most).and_then(|first| times.get(first));
        let wait = first.map(|time| HOUR - now.saturating_sub(*time));
        if wait.is_none() {
            times.push(now);
        }
        // A refusal, too: a time that was in the future is past an hour after it was seen.
        self.replace(&dir, &path, &times)?;
        Ok(wait)
    }

    fn lock(&self, path: &Path) -> Result<Lock, Error> {
        for _ in 0..ATTEMPTS {
            let lock = self.disk.lock_file(path).map_err(|error| Error::create(path, error))?;
            if let Some(lock) = lock {
                return Ok(lock);
            }
            thread::sleep(PAUSE);
        }
        Err(Error::io("lock", path, io::ErrorKind::TimedOut.into()))
    }

    fn replace(&self, dir: &Path, path: &Path, times: &[u64]) -> Result<(), Error> {
        let mut text = format!("{HEADER}\n");
        text.extend(times.iter().map(|time| format!("{time}\n")));
        let new: PathBuf = path.with_extension("new");
        let failed = |error| Error::io("write", &new, error);
        if self.disk.exists(&new).map_err(failed)? {
            self.disk.remove(&new).map_err(failed)?;
        }
        let mut file = self.disk.create(&new).map_err(failed)?;
        file.write_all(text.as_bytes()).map_err(failed)?;
        file.sync().map_err(failed)?;
        drop(file);
        self.disk.rename(&new, path).map_err(|error| Error::io("replace", path, error))?;
        self.disk.sync_dir(dir).map_err(|error| Error::io("write", dir, error))
    }
}

/// The times within the last hour, the oldest first. One in the future was written before the clock
/// was set back, and one that cannot be read is not known: both count as now.
fn times(text: &[u8], now: u64) -> Vec<u64> {
    let text = String::from_utf8_lossy(text);
    let lines = text.lines().filter(|line| *line != HEADER);
    let time = |line: &str| line.parse().map_or(now, |time: u64| time.min(now));
    let mut times: Vec<_> = lines.map(time).filter(|time| now - time < HOUR).collect();
    times.sort_unstable();
    times
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::disk::Os;

    const NOW: u64 = limits::EARLIEST + 1_000_000;

    #[test]
    fn a_user_has_some_places_and_all_together_have_more() {
        let dir = tempfile::tempdir().unwrap();
        let callers = Callers::new(&Os, dir.path());
        let take = |uid| callers.take_place(PlacePurpose::Hearing, uid).unwrap();
        let mut taken: Vec<_> = (0..4).map(|_| take(1_000).unwrap()).collect();
        assert!(take(1_000).is_none());
        taken.extend((0..28).map(|number| take(2_000 + number / 4).unwrap()));
        assert!(take(3_000).is_none());
        drop(taken.pop());
        assert!(take(1_000).is_none() && take(3_000).is_some());
        drop(taken);
        assert!(take(1_000).is_some());
    }

    #[test]
    fn so_many_in_any_hour_and_no_more_for_each_user_and_account() {
        let dir = tempfile::tempdir().unwrap();
        let callers = Callers::new(&Os, dir.path());
        let count = |account, uid, after| callers.count(account, uid, NOW + after, 3).unwrap();
        for after in [0, 10, 20] {
            assert_eq!(count("home", 1_000, after), None);
        }
        assert_eq!(count("home", 1_000, 21), Some(HOUR - 21));
        assert_eq!((count("home", 1_001, 21), count("work/1", 1_000, 21)), (None, None));
        assert_eq!(count("home", 1_000, HOUR - 1), Some(1));
        assert_eq!((count("home", 1_000, HOUR), count("home", 1_000, HOUR + 1)), (None, Some(9)));
    }

    #[test]
    fn a_clock_that_was_set_back_neither_gives_room_nor_takes_it_for_longer_than_an_hour() {
        let dir = tempfile::tempdir().unwrap();
        let callers = Callers::new(&Os, dir.path());
        let count = |now| callers.count("home", 1_000, now, 2).unwrap();
        assert_eq!((count(NOW), count(NOW + 1)), (None, None));
        let back = NOW - 500_000;
        assert_eq!(count(back), Some(HOUR));
        assert_eq!((count(back + 100), count(back + HOUR)), (Some(HOUR - 100), None));
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test may be blunt")]
    fn what_cannot_be_read_counts() {
        let dir = tempfile::tempdir().unwrap();
        let callers = Callers::new(&Os, dir.path());
        assert_eq!(callers.count("home", 1_000, NOW, 2).unwrap(), None);
        let file = dir.path().join("rate.home/1000");
        std::fs::write(&file, "\u{0}\u{0}\nnever\n").unwrap();
        assert_eq!(callers.count("home", 1_000, NOW, 2).unwrap(), Some(HOUR));
        // What an interruption leaves behind is in nobody's way.
        std::fs::write(dir.path().join("rate.home/1000.new"), "").unwrap();
        assert_eq!(callers.count("home", 1_000, NOW + HOUR, 2).unwrap(), None);
    }

    #[test]
    fn processes_that_count_at_once_come_to_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let counted = thread::scope(|scope| {
            let count = || Callers::new(&Os, dir.path()).count("home", 1_000, NOW, 7).unwrap();
            let threads: Vec<_> = (0..12).map(|_| scope.spawn(count)).collect();
            threads.into_iter().filter_map(|it| it.join().unwrap()).count()
        });
        assert_eq!(counted, 5);
    }
}
