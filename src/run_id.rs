//! The identity of a run: its time, process, machine and a random number, read once.

use std::{env, fs};

use jiff::tz::TimeZone;

/// The file with the system's time zone, as a rule a link.
const LOCAL_TIME: &str = "/etc/localtime";

/// The identity of a run. It makes names that no other run gives, here or on another machine, and is
/// the only clock of what a run writes.
#[derive(Clone, Debug)]
pub struct RunId {
    /// Seconds since 1970.
    pub seconds: u64,
    /// The process id.
    pub pid: u32,
    /// The machine's name.
    pub host: String,
    /// The part of a second behind `seconds`, in 1/65,536 seconds.
    pub fraction: u16,
    /// Drawn once.
    pub random: u64,
}

impl RunId {
    /// The identity of this run. `None` if the system has no random numbers.
    pub fn now() -> Option<Self> {
        let now = jiff::Timestamp::now();
        let seconds = u64::try_from(now.as_second()).unwrap_or_default();
        let nanoseconds = u64::try_from(now.subsec_nanosecond()).unwrap_or_default();
        let fraction = u16::try_from((nanoseconds << 16) / 1_000_000_000).unwrap_or_default();
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let random = getrandom::u64().ok()?;
        Some(Self { seconds, pid: std::process::id(), host, fraction, random })
    }

    /// The time for people, in this machine's time zone (RFC 5322 §3.3).
    pub fn date(&self) -> String {
        jiff::fmt::rfc2822::to_string(&self.local_time()).unwrap_or_default()
    }

    /// The time for logs (RFC 3339).
    pub fn timestamp(&self) -> String {
        self.local_time().strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
    }

    /// The time in the local time zone.
    fn local_time(&self) -> jiff::ZonedDateTime {
        let seconds = i64::try_from(self.seconds).unwrap_or_default();
        let then = jiff::Timestamp::from_second(seconds).unwrap_or_default();
        then.to_zoned_datetime(local_zone())
    }

    /// A text for Message-ID (RFC 5322 §3.6.4) that no other message has, and that says nothing of
    /// this machine.
    pub fn unique(&self) -> String {
        let Self { seconds, pid, random, .. } = self;
        format!("{seconds:x}.{pid:x}.{random:016x}")
    }
}

/// The local time zone: that of `TZ`, else that of the file where the C library looks for it. A zone
/// that is called by its name is looked up among all there are, whose directory has a thousand files.
fn local_zone() -> TimeZone {
    let file = if env::var_os("TZ").is_none() { fs::read(LOCAL_TIME).ok() } else { None };
    let zone = file.and_then(|octets| TimeZone::tzif(LOCAL_TIME, &octets).ok());
    zone.unwrap_or_else(TimeZone::system)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_is_that_of_the_system_in_summer_and_in_winter() {
        for seconds in [1_783_000_000, 1_798_000_000, 2_900_000_000] {
            let run_id = RunId { seconds, pid: 1, host: "host".to_owned(), random: 7, fraction: 0 };
            let then = jiff::Timestamp::from_second(seconds.try_into().unwrap()).unwrap();
            let expected = then.to_zoned_datetime(TimeZone::system());
            assert_eq!(run_id.local_time().offset(), expected.offset());
        }
    }
}
