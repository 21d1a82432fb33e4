//! The story of a fetch: lock, connect, log in, list, retrieve what is new, make it safe, delete
//! what may go.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::json;

use crate::config::{Keep, Tls};
use crate::error::{Error, Exit, Failure};
use crate::limits;
use crate::net::Stop;
use crate::password::Attempts;
use crate::pop3::{self, Authorization, Declined, Doomed, Listed, Retrieved, Session};
use crate::report::{Report, count, error_object, size};
use crate::settings::FetchJob;
use crate::store::disk::Os;
use crate::store::{Draft, Seen, Stamp, Store};
use crate::text::Uid;
use crate::way::Way;
use crate::wire::Private;

/// Seconds in a day.
const DAY: u64 = 24 * 60 * 60;

/// Fetches one mailbox and reports how it went.
pub fn fetch(job: &FetchJob, report: &Report, stop: &Stop) -> Exit {
    let mut fetched = Fetched::default();
    let outcome = conversation(job, report, stop, &mut fetched);
    let exit = match &outcome {
        Err(error) => error.into(),
        Ok(()) if fetched.declined.is_empty() => Exit::Done,
        Ok(()) if fetched.new.is_empty() => Exit::Later,
        Ok(()) => Exit::Partial,
    };
    let account = job.account.as_deref();
    let peer = job.peer.to_string();
    let label = account.map_or_else(|| job.mailbox.clone(), str::to_owned);
    for Declined { listed, refusal } in &fetched.declined {
        let number = listed.number;
        report.complaint(format_args!(
            "fetch {label}: {peer}: message {number} stays on the server: {refusal}"
        ));
    }
    let failure = outcome.as_ref().err().map(|error| Failure {
        command: "fetch",
        account,
        peer: Some(peer),
        error,
    });
    // After a failure, "nothing new" is nothing that anybody knows.
    let is_sure = failure.is_none() || !fetched.new.is_empty();
    let sentence = is_sure.then(|| fetched.sentence(&label));
    let object = fetched.object(&label, failure.as_ref());
    let result = report.result(sentence.as_deref(), &object);
    if let Some(failure) = failure {
        report.failure(&failure);
    }
    match result {
        Ok(()) => exit,
        Err(error) => {
            report.failure(&Failure { command: "fetch", account, peer: None, error: &error });
            exit.worse((&error).into())
        }
    }
}

/// What a fetch has come to, so far.
#[derive(Debug, Default)]
struct Fetched {
    listed: usize,
    new: Vec<Delivered>,
    declined: Vec<Declined>,
    deleted: usize,
    /// Where earlier runs delivered what this one found fetched already, if not here.
    elsewhere: Option<PathBuf>,
}

/// A message in its Maildir.
#[derive(Debug)]
struct Delivered {
    uid: Option<Uid>,
    octets: u64,
    path: PathBuf,
}

impl Fetched {
    fn octets(&self) -> u64 {
        self.new.iter().map(|message| message.octets).sum()
    }

    fn sentence(&self, label: &str) -> String {
        let mut sentence = if self.new.is_empty() {
            format!("{label}: nothing new")
        } else {
            let new = count(self.new.len(), "new message");
            format!("{label}: {new} ({})", size(self.octets()))
        };
        if self.deleted > 0 {
            sentence += &format!(", {} deleted from the server", self.deleted);
        }
        if let Some(path) = self.elsewhere.as_ref().filter(|_| self.new.is_empty()) {
            sentence += &format!("; what is there was fetched before, into {}", path.display());
        }
        sentence
    }

    fn object(&self, label: &str, failure: Option<&Failure<'_>>) -> serde_json::Value {
        let file = |message: &Delivered| {
            let uid = message.uid.as_ref().map(ToString::to_string);
            json!({ "uid": uid, "size": message.octets, "path": message.path.to_string_lossy() })
        };
        json!({
            "account": label,
            "new": self.new.len(),
            "bytes": self.octets(),
            "files": self.new.iter().map(file).collect::<Vec<_>>(),
            "left": self.listed - self.deleted,
            "deleted": self.deleted,
            "error": failure.map(|failure| error_object(failure.error.into(), failure)),
        })
    }
}

/// From the lock to the end of the session.
fn conversation(
    job: &FetchJob,
    report: &Report,
    stop: &Stop,
    fetched: &mut Fetched,
) -> Result<(), Error> {
    let FetchJob { peer, moment, .. } = job;
    let stamp = Stamp {
        seconds: moment.seconds,
        pid: moment.pid,
        host: moment.host.clone(),
        random: moment.random,
    };
    let store = Store::open(Arc::new(Os), &job.state, &job.mailbox, &job.maildir, stamp)?;
    let attempts = peer.source.attempts(&peer.user, peer.host.as_str(), peer.auth)?;
    let run = Run {
        store,
        fetched,
        batch: Vec::new(),
        octets: 0,
        doomed: Vec::new(),
        keep: job.keep,
        now: moment.seconds,
    };
    let way = Way::to(peer, stop)?;
    let trace = report.trace();
    match peer.tls {
        Tls::Implicit => run.session(Session::open(way.tls(way.tcp()?)?, trace)?, attempts),
        Tls::Starttls => {
            let session = Session::open(way.tcp()?, trace)?;
            run.session(session.stls(|tcp| way.tls(tcp))?, attempts)
        }
        Tls::None => run.session(Session::open(way.tcp()?.loopback()?, trace)?, attempts),
    }
}

/// A fetch under way.
struct Run<'a> {
    store: Store,
    fetched: &'a mut Fetched,
    /// Whole messages that are not safe yet.
    batch: Vec<Retrieved<Draft>>,
    /// Their octets.
    octets: u64,
    doomed: Vec<Doomed>,
    keep: Keep,
    now: u64,
}

impl Run<'_> {
    fn session<S: Private>(
        mut self,
        session: Session<Authorization, S>,
        attempts: Attempts,
    ) -> Result<(), Error> {
        let mut session = session.login(attempts.map(|attempt| attempt.map_err(Error::from)))?;
        let listing = session.list()?;
        self.fetched.listed = listing.len();
        let uids: Vec<Uid> = listing.iter().filter_map(|listed| listed.uid.clone()).collect();
        if uids.len() < listing.len() && self.keep != Keep::Days(0) {
            let what = "unique-ids (UIDL), so only `keep = \"none\"` would not repeat messages";
            return Err(pop3::Error::Missing(what).into());
        }
        let wanted = self.sort_out(listing);
        let maildir = self.store.maildir().clone();
        let draft = |listed: &Listed| maildir.draft(listed.uid.clone());
        let retrieved = session.retr_each(wanted, draft, |message| self.take(message));
        // What is whole is delivered even if the line broke behind it.
        let delivered = self.deliver();
        retrieved?;
        delivered?;
        let partings = session.quit(std::mem::take(&mut self.doomed))?;
        self.fetched.deleted = partings.iter().filter(|parting| parting.refusal.is_none()).count();
        Ok(self.store.compare(&uids.iter().collect::<HashSet<_>>())?)
    }

    /// Dooms what was fetched long enough ago, and returns what was never fetched.
    fn sort_out(&mut self, listing: Vec<Listed>) -> Vec<Listed> {
        let mut wanted = Vec::new();
        for listed in listing {
            match self.store.recall(listed) {
                Ok((saved, seen)) => {
                    if let Some(path) = self.store.elsewhere(&seen) {
                        self.fetched.elsewhere = Some(path.to_owned());
                    }
                    if self.is_due(&seen) {
                        self.doomed.push(saved.into());
                    }
                }
                Err(listed) => wanted.push(listed),
            }
        }
        wanted
    }

    fn is_due(&self, seen: &Seen) -> bool {
        match self.keep {
            Keep::Forever => false,
            Keep::Days(days) => self.now >= seen.fetched.saturating_add(u64::from(days) * DAY),
        }
    }

    /// Takes in one message; when there are enough, makes them safe together.
    fn take(&mut self, message: Result<Retrieved<Draft>, Declined>) -> Result<(), Error> {
        match message {
            Ok(retrieved) => {
                self.octets += retrieved.octets();
                self.batch.push(retrieved);
            }
            Err(declined) => self.fetched.declined.push(declined),
        }
        if self.batch.len() >= limits::BATCH || self.octets >= limits::BATCH_OCTETS {
            self.deliver()?;
        }
        Ok(())
    }

    fn deliver(&mut self) -> Result<(), Error> {
        self.octets = 0;
        for saved in self.store.commit(std::mem::take(&mut self.batch))? {
            let message = saved.get();
            self.fetched.new.push(Delivered {
                uid: message.listed().uid.clone(),
                octets: message.octets(),
                path: self.store.maildir().delivered(message.draft()),
            });
            if self.keep == Keep::Days(0) {
                self.doomed.push(saved.into());
            }
        }
        Ok(())
    }
}
