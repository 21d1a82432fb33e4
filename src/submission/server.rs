//! What sending remembers of a server between sessions: whether a flight of several messages failed
//! there. A file for each server and port, for all accounts. A cache: losing it costs what learning it
//! costs, the doubt about one flight.

use crate::limits;
use crate::settings::SendJob;
use crate::store::disk::{Disk, Os};

/// The first line of the file.
const HEADER: &str = "postie server 1";

/// The word before the time at which a flight failed, in seconds since 1970.
const FLIGHT_FAILED: &str = "flight-failed";

/// Returns whether the job's server may get several messages in one flight: no such flight failed within
/// the last 30 days. A failure at a time in the future counts as none.
pub fn takes_flights(job: &SendJob) -> bool {
    let text = job.server.as_ref().and_then(|path| Os.read(path).ok().flatten());
    let text = text.unwrap_or_default();
    let failed = last_failure(&String::from_utf8_lossy(&text));
    let age = failed.and_then(|time| job.run_id.seconds.checked_sub(time));
    age.is_none_or(|age| age >= limits::FLIGHT_MEMORY.as_secs())
}

/// The time of the last flight that failed, in seconds since 1970. `None` if there is none, or the file
/// is of another version.
fn last_failure(text: &str) -> Option<u64> {
    let mut lines = text.lines();
    (lines.next()? == HEADER).then_some(())?;
    lines.filter_map(|line| line.strip_prefix(FLIGHT_FAILED)?.trim().parse().ok()).max()
}

/// Remembers that a flight of several messages failed at the job's server.
pub(super) fn flight_failed(job: &SendJob) {
    let text = format!("{HEADER}\n{FLIGHT_FAILED} {}\n", job.run_id.seconds);
    drop(job.server.as_ref().map(|path| Os.replace(path, &text)));
}
