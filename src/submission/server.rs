//! What sending remembers of a server between sessions: that a flight of several messages failed there, or
//! that it did not know BDAT. A file for each server and port, for all accounts. A cache: losing it costs
//! what learning it costs, the doubt about one flight or a message that waits.

use crate::limits;
use crate::settings::SendJob;
use crate::store;
use crate::store::disk::{Disk, Os};

/// The first line of the file.
const HEADER: &str = "postie server 1";

/// What a server may offer and not be able to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Feature {
    /// To take several messages in one flight.
    Flights,
    /// CHUNKING (RFC 3030).
    Chunking,
}

impl Feature {
    const ALL: [Self; 2] = [Self::Flights, Self::Chunking];

    /// The word before the time at which it failed, in seconds since 1970.
    fn word(self) -> &'static str {
        match self {
            Self::Flights => "flight-failed",
            Self::Chunking => "chunk-unknown",
        }
    }
}

/// Returns whether the job's server may get several messages in one flight (`can`).
pub fn takes_flights(job: &SendJob) -> bool {
    can(job, Feature::Flights)
}

/// Returns whether a feature may be used at the job's server: it did not fail there within the last 30
/// days. A failure at a time in the future counts as none.
pub(super) fn can(job: &SendJob, feature: Feature) -> bool {
    let age = |time| job.run_id.seconds.checked_sub(time);
    let failed = last_failure(&read(job), feature).and_then(age);
    failed.is_none_or(|age| age >= limits::FLIGHT_MEMORY.as_secs())
}

/// Remembers that a feature failed at the job's server.
pub(super) fn failed(job: &SendJob, feature: Feature) {
    let Some(path) = &job.server else { return };
    let known = read(job);
    let mut text = format!("{HEADER}\n");
    for each in Feature::ALL {
        let now = (each == feature).then_some(job.run_id.seconds);
        if let Some(time) = now.or_else(|| last_failure(&known, each)) {
            text.push_str(&format!("{} {time}\n", each.word()));
        }
    }
    // The user may have sent only, and never have kept anything.
    drop(path.parent().map(|dir| store::directory(&Os, dir)));
    drop(Os.replace(path, &text));
}

fn read(job: &SendJob) -> String {
    let text = job.server.as_ref().and_then(|path| Os.read(path).ok().flatten());
    String::from_utf8_lossy(&text.unwrap_or_default()).into_owned()
}

/// The time of a feature's last failure, in seconds since 1970. `None` if there is none, or the file is of
/// another version.
fn last_failure(text: &str, feature: Feature) -> Option<u64> {
    let mut lines = text.lines();
    (lines.next()? == HEADER).then_some(())?;
    lines.filter_map(|line| line.strip_prefix(feature.word())?.trim().parse().ok()).max()
}
