//! A run with the messages of one account: over one connection if it lasts, several messages in a flight
//! where the server takes that.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread;

use super::object::PostponedObject;
use super::{Verbosity, Wanted, fail, hold};
use crate::error::{Error, Exit, Failure};
use crate::limits;
use crate::net::Stop;
use crate::password::Source;
use crate::report::{ErrorObject, Report, Stopwatch, count};
use crate::settings::{SendJob, Settings};
use crate::store::outbox::{Id, LockedEntry, Outbox, RemovedEntry};
use crate::submission::{
    Attempt, Attempted, AttemptedFlight, Deferral, Disposition, Fallback, SendResult, SmtpSession,
    Submission, SubmissionOutcome, close, complete, login_noted, takes_flights,
};

/// A message that was locked before its turn, or is not to be sent (see [`hold`]).
struct NextEntry<'a> {
    outbox: &'a Outbox,
    id: &'a Id,
    held: Result<Option<LockedEntry>, Error>,
}

/// A message that this run has locked, ready to be sent.
struct Queued<'a> {
    outbox: &'a Outbox,
    id: &'a Id,
    submission: Submission,
}

/// A run with the messages of one account.
pub(super) struct QueueRun<'a> {
    settings: &'a Settings,
    account: &'a str,
    wanted: Wanted,
    verbosity: Verbosity,
    report: &'a Report,
    stop: &'a Stop,
    session: Option<SmtpSession>,
    /// The reason why the server cannot be reached.
    dead: Option<Deferral>,
    /// True once a line has said of all that are left why they wait.
    is_said_of_all: bool,
    /// The connection to the fallback's server, for a run that the user asked for.
    fallback: Fallback<'a>,
    /// The number of messages that are still to be looked at.
    left: usize,
    /// Messages that found no room in the last flight, or were not reached in it.
    waiting: VecDeque<Queued<'a>>,
    /// True once a flight of several messages failed.
    is_one_by_one: bool,
    /// True if there is no such account any more.
    is_ended: bool,
    exit: Exit,
    time: Stopwatch,
    /// The milliseconds since the run began.
    spent: u64,
}

impl<'a> QueueRun<'a> {
    pub(super) fn new(
        settings: &'a Settings,
        account: &'a str,
        wanted: Wanted,
        verbosity: Verbosity,
        report: &'a Report,
        stop: &'a Stop,
    ) -> Self {
        Self {
            settings,
            account,
            wanted,
            verbosity,
            report,
            stop,
            session: None,
            dead: None,
            is_said_of_all: false,
            fallback: Fallback::new("queue", report, stop),
            left: 0,
            waiting: VecDeque::new(),
            is_one_by_one: false,
            is_ended: false,
            exit: Exit::Done,
            time: report.stopwatch(),
            spent: 0,
        }
    }

    /// Sends the messages, the first over `session` if there is one. Returns the run's exit status.
    pub(super) fn run(mut self, ids: &'a [(Outbox, Id)], session: Option<SmtpSession>) -> Exit {
        self.session = session;
        if !ids.is_empty() {
            self.send_all(ids);
        }
        let sessions = [self.session, self.fallback.into_session()];
        sessions.into_iter().flatten().for_each(SmtpSession::quit);
        self.exit
    }

    /// Sends the messages. While the server works on some of them, the next ones are locked, and the
    /// files of those that were sent removed.
    fn send_all(&mut self, ids: &'a [(Outbox, Id)]) {
        self.left = ids.len();
        let (locked, entries) = sync_channel(limits::FLIGHT_MESSAGES);
        let (removed, behind) = channel();
        thread::scope(|scope| {
            let assist = move || assist(ids, locked, &behind);
            if let Err(error) = thread::Builder::new().spawn_scoped(scope, assist) {
                self.note(&Error::Thread(error));
            }
            while let Some(queued) = self.next(&entries) {
                if let Err(error) = self.send(queued, &entries, &removed) {
                    self.note(&error);
                }
            }
            // The other thread ends.
            drop((entries, removed));
        });
    }

    /// The next message to send. `None` if none is left, or the run is to end.
    fn next(&mut self, entries: &Receiver<NextEntry<'a>>) -> Option<Queued<'a>> {
        loop {
            self.spent += self.time.lap();
            let is_late = u128::from(self.spent) > limits::PASSING_TIME.as_millis();
            // In passing, one session that breaks is enough.
            let is_over = is_late || self.dead.is_some();
            if self.is_ended
                || self.stop.is_wanted()
                || (self.verbosity == Verbosity::Passing && is_over)
            {
                return None;
            }
            if let Some(queued) = self.waiting.pop_front() {
                return Some(queued);
            }
            let NextEntry { outbox, id, held } = entries.recv().ok()?;
            self.left -= 1;
            match held.and_then(|held| self.prepare(id, held)) {
                Ok(Some(submission)) => return Some(Queued { outbox, id, submission }),
                Ok(None) => {}
                Err(error) => self.note(&error),
            }
        }
    }

    /// Reports an error about one message, or about the account.
    fn note(&mut self, error: &Error) {
        // There is no such account any more.
        self.is_ended |= matches!(error, Error::Settings(_));
        // What is wrong with the account is for those to hear who ask for it.
        if self.is_ended && self.verbosity == Verbosity::Passing {
            return;
        }
        let exit = self.fail(error);
        self.exit = self.exit.worse(exit);
    }

    /// Reads a message that is to be sent. `None` if there is nothing to be sent.
    fn prepare(&mut self, id: &Id, held: Option<LockedEntry>) -> Result<Option<Submission>, Error> {
        let now = self.settings.run_id().seconds;
        let Some(held) = held else { return Ok(None) };
        if self.wanted == Wanted::Due && !held.record().is_due(now) {
            return Ok(None);
        }
        if held.record().is_finished() {
            // The run that had the last answer was cut off before it could tidy up.
            let disposition = close(held)?;
            self.tell(None, id, &disposition, 0);
            self.exit = self.exit.worse(disposition.exit());
            return Ok(None);
        }
        let (Some(account), Some(from)) = (&held.record().order.account, &held.record().order.from)
        else {
            return Ok(None);
        };
        let mut job = self.settings.queued_job(account, from)?;
        if self.verbosity == Verbosity::Passing {
            let time = limits::PASSING_TIME;
            job.peer.bounds.in_all = Some(job.peer.bounds.in_all.map_or(time, |all| all.min(time)));
        }
        let mut submission = Submission::queued(job, held)?;
        complete::rewrite_recipients(&mut submission.message, &submission.job, self.settings);
        Ok(Some(submission))
    }

    /// Sends a message, and in the same flight those that follow it, as far as there is room.
    fn send(
        &mut self,
        first: Queued<'a>,
        entries: &Receiver<NextEntry<'a>>,
        removed: &Sender<Vec<RemovedEntry>>,
    ) -> Result<(), Error> {
        let Queued { outbox, id, mut submission } = first;
        let is_asking =
            matches!(submission.job.peer.source, Source::Terminal) && self.session.is_none();
        if is_asking && self.verbosity == Verbosity::Passing {
            return Ok(());
        }
        // One that the server has had enough of is no session.
        let session = match self.session.take().map(SmtpSession::reset) {
            Some(Err(_)) if self.verbosity == Verbosity::Passing => {
                self.dead = Some(Deferral::interrupted());
                return Ok(());
            }
            session => session.and_then(Result::ok),
        };
        submission.begin()?;
        if self.wanted == Wanted::Due && self.dead.is_none() && session.is_none() {
            let held_back = submission.held_back(outbox);
            self.dead = held_back.map(|error| Deferral::from(&error));
        }
        if let Some(deferral) = self.dead.take() {
            let postponed = self.postpone(&mut submission, id, &deferral);
            self.dead = Some(deferral);
            return postponed;
        }
        let session = match session {
            Some(session) => Ok(session),
            None => login_noted(&submission, outbox, self.report, self.stop),
        };
        let is_reached = session.is_ok();
        let mut places = vec![(outbox, id)];
        let mut flight = vec![submission];
        if let Ok(session) = &session {
            self.fill(&mut flight, &mut places, session, entries);
        }
        let fallback = Some(&mut self.fallback).filter(|_| self.verbosity == Verbosity::Asked);
        let AttemptedFlight { attempted, removed: sent, session, has_failed } =
            Submission::attempt_flight(
                &mut flight,
                session,
                Attempt::Further,
                fallback,
                self.report,
            );
        // Without anybody to take them they are dropped here.
        drop(removed.send(sent));
        self.is_one_by_one |= has_failed;
        self.dead = match (attempted.first(), flight.first()) {
            (Some(Attempted { outcome: Err(error), .. }), Some(first))
                if !is_reached && first.fallback_of.is_none() =>
            {
                Some(error.into())
            }
            // Its fallback has the message, or is in doubt about this one alone; what was wrong with
            // the account is wrong for the next.
            (_, Some(first)) if !is_reached => {
                first.fallback_of.as_ref().map(|own| own.deferral.clone())
            }
            // In passing, no second one is made.
            _ if session.is_none() && self.verbosity == Verbosity::Passing => {
                Some(Deferral::interrupted())
            }
            _ => None,
        };
        self.session = session;
        // Those that were not reached go first in another session.
        let rest = flight.split_off(attempted.len().min(flight.len()));
        let rest_places = places.split_off(flight.len());
        for ((outbox, id), mut submission) in rest_places.into_iter().zip(rest).rev() {
            match submission.put_back() {
                Ok(()) => self.waiting.push_front(Queued { outbox, id, submission }),
                Err(error) => self.note(&error),
            }
        }
        for ((submission, (_, id)), attempted) in flight.iter().zip(places).zip(attempted) {
            let others = if is_reached { None } else { self.alike(submission) };
            self.is_said_of_all |= others.is_some();
            match self.finish(submission, id, attempted, others.unwrap_or(0)) {
                Ok(exit) => self.exit = self.exit.worse(exit),
                Err(error) => self.note(&error),
            }
        }
        Ok(())
    }

    /// Adds further messages to a flight, as far as there is room.
    fn fill(
        &mut self,
        flight: &mut Vec<Submission>,
        places: &mut Vec<(&'a Outbox, &'a Id)>,
        session: &SmtpSession,
        entries: &Receiver<NextEntry<'a>>,
    ) {
        let mut room = session.flight();
        let Some(first) = flight.first_mut() else { return };
        if self.verbosity == Verbosity::Passing {
            // Its time is short, and what has left when it is over is in doubt.
            return;
        }
        if self.is_one_by_one || !takes_flights(&first.job) || !first.joins(&mut room, session) {
            return;
        }
        while room.is_open()
            && let Some(mut queued) = self.next(entries)
        {
            if !queued.submission.joins(&mut room, session) {
                self.waiting.push_front(queued);
                return;
            }
            match queued.submission.begin() {
                Ok(()) => {
                    places.push((queued.outbox, queued.id));
                    flight.push(queued.submission);
                }
                Err(error) => self.note(&error),
            }
        }
    }

    /// Has a message wait without asking the server, which cannot be reached, or sends it with the
    /// fallback.
    fn postpone(
        &mut self,
        submission: &mut Submission,
        id: &Id,
        deferral: &Deferral,
    ) -> Result<(), Error> {
        if self.verbosity == Verbosity::Asked
            && let Some(attempted) =
                submission.attempt_fallback(deferral, Attempt::Further, &mut self.fallback)
        {
            let exit = self.finish(submission, id, attempted, 0)?;
            self.exit = self.exit.worse(exit);
            return Ok(());
        }
        let disposition = submission.postpone(deferral, Attempt::Further)?;
        if self.verbosity == Verbosity::Asked {
            self.report.result(None, || PostponedObject {
                id: id.to_string(),
                account: Some(self.account),
                queued: submission.held.is_some().then(|| id.to_string()),
                error: ErrorObject::new(Exit::Later, deferral.reason()),
            })?;
        }
        let others = self.alike(submission);
        let is_said = others.is_some() && self.is_said_of_all;
        if !is_said || !matches!(disposition, Disposition::Deferred(_)) {
            self.tell(Some(&submission.job), id, &disposition, others.unwrap_or(0));
        }
        self.is_said_of_all |= others.is_some();
        self.exit = self.exit.worse(Exit::Later);
        Ok(())
    }

    /// The number of messages that wait for the reason for which this one does: those that are left,
    /// after the server could not be reached. `None` if the fallback has this one, or may take others.
    fn alike(&self, submission: &Submission) -> Option<usize> {
        let may_be_taken = self.verbosity == Verbosity::Asked
            && submission.job.fallback.is_some()
            && !self.fallback.is_dead();
        let is_for_all = submission.fallback_of.is_none() && !may_be_taken;
        is_for_all.then(|| self.waiting.len() + self.left)
    }

    /// Reports an attempt.
    fn finish(
        &self,
        submission: &Submission,
        id: &Id,
        attempted: Attempted,
        others: usize,
    ) -> Result<Exit, Error> {
        let Attempted { outcome, disposition } = attempted;
        let exit = match (submission.attempt_exit(&outcome), &disposition) {
            // An earlier attempt came to an end for others.
            (Exit::Done, Ok(disposition)) => disposition.exit(),
            (exit, _) => exit,
        };
        // The status is the message's, even if it cannot be written down or printed.
        if let Err(error) = self.answer(submission, id, &outcome, exit) {
            let (account, peer) = (Some(self.account), None);
            let failure = Failure { command: "queue", account, peer, error: &error, lasting: None };
            self.report.failure(&failure);
        }
        let disposition = disposition?;
        self.tell(Some(&submission.job), id, &disposition, others);
        if let (Err(error), Verbosity::Asked) = (&outcome, self.verbosity) {
            let (account, peer) = (submission.job.account.as_deref(), Some(&submission.job.peer));
            let failure = Failure { command: "queue", account, peer, error, lasting: None };
            self.report.advise(&failure);
        }
        Ok(exit)
    }

    fn fail(&self, error: &Error) -> Exit {
        if self.verbosity == Verbosity::Asked {
            return fail(self.report, Some(self.account), error);
        }
        let (command, account) = ("queue", Some(self.account));
        self.report.failure(&Failure { command, account, peer: None, error, lasting: None });
        error.into()
    }

    /// Prints the result, if the user asked for the run.
    fn answer(
        &self,
        submission: &Submission,
        id: &Id,
        outcome: &Result<SubmissionOutcome, Error>,
        exit: Exit,
    ) -> Result<(), Error> {
        if self.verbosity == Verbosity::Passing {
            return Ok(());
        }
        let sentence = outcome.as_ref().ok().and_then(|sent| submission.sentence(sent));
        let sentence = sentence.map(|sentence| format!("{id}: {sentence}"));
        self.report.result(sentence.as_deref(), || {
            let object = submission.object(outcome, exit);
            SendResult { id: Some(id.to_string()), ..object }
        })
    }

    /// Prints a failure, of an attempt with `job`, and the number of others it holds for; a temporary
    /// one only if the user asked for the run.
    fn tell(&self, job: Option<&SendJob>, id: &Id, disposition: &Disposition, others: usize) {
        let (reason, then) = match disposition {
            Disposition::Deferred(reason) if self.verbosity == Verbosity::Asked => match others {
                0 => (reason, "waits".to_owned()),
                _ => (reason, format!("waits, like {}", count(others, "other"))),
            },
            Disposition::Done | Disposition::Deferred(_) => return,
            Disposition::Failed { path, reason, .. } => {
                (reason, format!("is in {} now", path.display()))
            }
        };
        // The job may be the fallback's.
        let account = job.and_then(|job| job.account.as_deref()).unwrap_or(self.account);
        let peer = job.map(|job| format!(" {}:", job.peer)).unwrap_or_default();
        self.report.warn(format_args!("queue {account}:{peer} {reason}; {id} {then}"));
    }
}

/// Locks messages before their turn, as far as there is room for them, and lets go of those that were
/// removed.
fn assist<'a>(
    ids: &'a [(Outbox, Id)],
    locked: SyncSender<NextEntry<'a>>,
    removed: &Receiver<Vec<RemovedEntry>>,
) {
    for (outbox, id) in ids {
        removed.try_iter().for_each(drop);
        if locked.send(NextEntry { outbox, id, held: hold(outbox, id) }).is_err() {
            break;
        }
    }
    drop(locked);
    removed.iter().for_each(drop);
}
