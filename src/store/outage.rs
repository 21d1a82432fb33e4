//! How long a maildrop has been out of reach, so that the reader of cron's mail hears of it when it
//! matters, and once. Kept in a small file beside the journal; losing it costs a line of talk.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::disk::Disk;
use super::is_credible;

/// The memory of failures of one mailbox.
pub struct OutageTracker<'a> {
    disk: &'a dyn Disk,
    dir: &'a Path,
    /// The age in seconds at which an outage is reported, and the interval of further reports.
    span: u64,
}

impl<'a> OutageTracker<'a> {
    /// The outage tracker of the maildrop whose state is in `dir`; `span` is in seconds.
    pub fn new(disk: &'a dyn Disk, dir: &'a Path, span: u64) -> Self {
        Self { disk, dir, span }
    }

    /// Records a failure at `now` (Unix seconds). Returns the outage's age in seconds when it is
    /// due to be reported: after `span` seconds, then once per `span`; at once if the state cannot
    /// be written. `None` if nothing is due.
    pub fn failed(&self, now: u64) -> Option<u64> {
        // What a clock that was wrong has noted says nothing: the failure counts from now.
        let is_right = |time: &u64| *time <= now && (is_credible(*time) || !is_credible(now));
        let (since, told) = self.read().filter(|(since, _)| is_right(since)).unwrap_or((now, None));
        let told = told.filter(is_right);
        let due = now.saturating_sub(told.unwrap_or(since)) >= self.span;
        let told = if due { Some(now) } else { told };
        let is_kept = self.write(since, told).is_ok();
        (due || !is_kept).then(|| now.saturating_sub(since))
    }

    /// Records a success: the outage is over.
    pub fn succeeded(&self) {
        // It is there after a failure only.
        drop(self.disk.remove(&self.path()));
    }

    fn path(&self) -> PathBuf {
        self.dir.join("trouble")
    }

    fn read(&self) -> Option<(u64, Option<u64>)> {
        let text = self.disk.read(&self.path()).ok()??;
        let text = String::from_utf8(text).ok()?;
        let mut words = text.split_ascii_whitespace();
        let since = words.by_ref().skip_while(|word| *word != "since").nth(1)?.parse().ok()?;
        let told = words.skip_while(|word| *word != "told").nth(1);
        Some((since, told.and_then(|told| told.parse().ok())))
    }

    fn write(&self, since: u64, told: Option<u64>) -> io::Result<()> {
        // A maildrop that was never fetched has no state yet.
        super::directory(self.disk, self.dir).map_err(io::Error::other)?;
        let fresh = self.dir.join("trouble.new");
        drop(self.disk.remove(&fresh));
        let mut file = self.disk.create(&fresh)?;
        let told = told.map(|told| format!("told {told}\n")).unwrap_or_default();
        file.write_all(format!("since {since}\n{told}").as_bytes())?;
        self.disk.rename(&fresh, &self.path())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::disk::Os;

    #[test]
    fn a_failure_is_told_when_it_has_lasted_and_then_once_per_span() {
        let dir = tempfile::tempdir().unwrap();
        let patience = OutageTracker::new(&Os, dir.path(), 100);
        let told: Vec<_> =
            [0, 50, 99, 100, 150, 199, 200].map(|after| patience.failed(1000 + after)).to_vec();
        assert_eq!(told, [None, None, None, Some(100), None, None, Some(200)]);
        patience.succeeded();
        assert_eq!(patience.failed(1300), None);
        assert_eq!(patience.failed(1400), Some(100));
    }

    #[test]
    fn a_failure_that_a_wrong_clock_has_noted_counts_from_when_it_is_right() {
        const NOW: u64 = crate::limits::EARLIEST + 1_000;
        for wrong in [5, NOW + 1_000_000_000] {
            let dir = tempfile::tempdir().unwrap();
            let patience = OutageTracker::new(&Os, dir.path(), 100);
            patience.failed(wrong);
            patience.failed(wrong + 100);
            let told: Vec<_> = [0, 99, 100].map(|after| patience.failed(NOW + after)).to_vec();
            assert_eq!(told, [None, None, Some(100)], "{wrong}");
        }
    }

    #[test]
    fn what_cannot_be_remembered_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        drop(Os.create(&file).unwrap());
        let gone = file.join("gone");
        assert_eq!(OutageTracker::new(&Os, &gone, 100).failed(1000), Some(0));
    }
}
