//! What fetch remembers of a server between sessions ([`Profile`]): a file for each server, for all
//! accounts. A cache: what cannot be read or written costs round trips, never a message.

use crate::pop3::{Approach, Error, Pace, Profile, Shown};
use crate::settings::FetchJob;
use crate::store::disk::{Disk, Os};

/// The memory of one server during one run.
pub(super) struct Server<'a> {
    job: &'a FetchJob,
    profile: Profile,
    /// The contents of the file when it was read.
    written: String,
    /// The fastest pace that is left after failures in this run.
    most: Pace,
    /// The pace of a session that ended at the login.
    suspected: Option<Pace>,
    /// True if a session of this run ended before its login was answered.
    was_login_shown: bool,
}

impl<'a> Server<'a> {
    /// Reads what is known of the job's server.
    pub(super) fn recall(job: &'a FetchJob) -> Self {
        let text =
            Os.read(&job.server).ok().flatten().and_then(|text| String::from_utf8(text).ok());
        let written = text.unwrap_or_default();
        let (profile, most) = (Profile::read(&written), Pace::BehindCapa);
        Self { job, profile, written, most, suspected: None, was_login_shown: false }
    }

    /// The approach for the next session.
    pub(super) fn approach(&self) -> Approach {
        let pace = match self.job.peer.pipelining {
            Some(false) => Pace::OneByOne,
            Some(true) => Pace::BehindLogin,
            None => self.profile.pace(self.job.run_id.seconds),
        };
        let retrs = self.profile.retrs(self.job.run_id.seconds);
        Approach { pace: pace.min(self.most), profile: self.profile.clone(), retrs }
    }

    /// Takes in what a session has shown.
    pub(super) fn learn(&mut self, shown: Shown) {
        self.profile.learn(shown, self.job.run_id.seconds);
        if let Some(pace) = self.suspected.take() {
            self.profile.failed(pace, self.job.run_id.seconds);
        }
    }

    /// Takes in how a session ended. Whether another one, at a slower pace, may come to a better
    /// end: each has a slower pace than the one before, so there are few.
    pub(super) fn may_try_again(&mut self, error: &Error) -> bool {
        if self.job.peer.pipelining.is_some() {
            return false;
        }
        match error {
            // The rest of this run takes no further risk.
            Error::SentAhead { pace, is_logged_in: true, .. } => {
                self.profile.failed(*pace, self.job.run_id.seconds);
                self.most = pace.slower().min(Pace::Pipelined);
                true
            }
            // A server that hangs up on wrong passwords is told one only once more. That the pace was
            // at fault is known when the next session has got further.
            Error::SentAhead { is_logged_in: false, .. } if self.was_login_shown => false,
            Error::SentAhead { pace, is_logged_in: false, .. } => {
                self.was_login_shown = true;
                self.suspected = Some(*pace);
                self.most = Pace::OneByOne;
                true
            }
            Error::CapabilitiesChanged => {
                self.profile = Profile::default();
                self.most = Pace::Pipelined;
                self.was_login_shown = true;
                true
            }
            _ => false,
        }
    }

    /// Writes what is known, if it is not what the file said. What another account has found to
    /// fail meanwhile is not forgotten.
    pub(super) fn save(&mut self) {
        if self.job.dry_run || self.profile.to_string() == self.written {
            return;
        }
        self.profile.take_failure(&Profile::read(&read(self.job)));
        let text = self.profile.to_string();
        if Os.replace(&self.job.server, &text).is_ok() {
            self.written = text;
        }
    }
}

/// Reads the file; empty if it cannot be read.
fn read(job: &FetchJob) -> String {
    let text = Os.read(&job.server).ok().flatten();
    text.and_then(|text| String::from_utf8(text).ok()).unwrap_or_default()
}
