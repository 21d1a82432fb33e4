//! The end of a run: its summary or error, the line in the log, and whether `patience` silences it.

use super::{FetchContext, Run};
use crate::error::{Error, Exit, Failure};
use crate::limits;
use crate::report::ErrorObject;
use crate::store::disk::Os;
use crate::store::log::LogLine;
use crate::store::outage::OutageTracker;
use crate::store::{self};

impl Run<'_> {
    pub(super) fn tell(&self, outcome: &Result<(), Error>) -> Exit {
        let Self { job, context: FetchContext { report, .. }, label, fetched, .. } = self;
        let exit = fetched.exit(outcome);
        let _turn = report.turn();
        let account = job.account.as_deref();
        let peer = &job.peer;
        self.log(outcome, exit);
        let (is_told, lasting) = self.patience(outcome, exit);
        let missed = fetched.missed_lines();
        for line in missed.iter().filter(|_| is_told) {
            report.warn(format_args!("fetch {label}: {peer}: {line}"));
        }
        let failure = outcome.as_ref().err().map(|error| Failure {
            command: "fetch",
            account,
            peer: Some(peer),
            error,
            lasting,
        });
        // After a failure nothing is known of what is new.
        let is_sure = failure.is_none() || fetched.new > 0;
        let sentence = is_sure.then(|| fetched.sentence(label));
        let error = || match &failure {
            Some(failure) => Some(ErrorObject::new(failure.error.into(), failure)),
            None if exit == Exit::Done => None,
            None => {
                let lines = missed.join("; ");
                Some(ErrorObject::new(exit, format_args!("fetch {label}: {peer}: {lines}")))
            }
        };
        let object = || fetched.object(label, error());
        let result = if job.dry_run && failure.is_none() {
            // Each message was one.
            Ok(())
        } else {
            report.result(sentence.as_deref(), object)
        };
        if let Some(failure) = failure.filter(|_| is_told) {
            report.failure(&failure);
        }
        match result {
            Ok(()) => exit,
            Err(error) => {
                let failure =
                    Failure { command: "fetch", account, peer: None, error: &error, lasting: None };
                report.failure(&failure);
                exit.worse((&error).into())
            }
        }
    }

    /// Adds a line to the log file, if there is one. That it cannot be written is reported, and
    /// changes nothing.
    pub(super) fn log(&self, outcome: &Result<(), Error>, exit: Exit) {
        let Self { job, context: FetchContext { report, .. }, label, fetched, .. } = self;
        let Some(path) = job.log_file.as_ref().filter(|_| !job.dry_run) else { return };
        let mut line = LogLine::new(job.run_id.timestamp());
        line.add("account", job.account.as_deref().unwrap_or("-"));
        line.add("server", &job.peer.to_string());
        line.add("user", &job.peer.user);
        for (name, number) in fetched.numbers() {
            line.add(name, &number.to_string());
        }
        if let Err(error) = outcome {
            line.add("error", &error.to_string());
        }
        line.add("status", &exit.status().to_string());
        if let Err(source) = line.append_to(path) {
            let error = Error::Log { path: path.clone(), source };
            report.warn(format_args!("fetch {label}: {error}"));
        }
    }

    /// Returns whether a failure is reported now, and the outage's age in seconds if it is tracked. With
    /// --verbose it always is: a person looks at it.
    fn patience(&self, outcome: &Result<(), Error>, exit: Exit) -> (bool, Option<u64>) {
        let report = self.context.report;
        if !report.is_unattended() {
            return (true, None);
        }
        // Not a failure, but a long first fetch.
        if matches!(outcome, Err(Error::Store(store::Error::Locked { age })) if *age < limits::LONG_RUN)
        {
            return (report.is_verbose(), None);
        }
        let Some(span) = self.job.patience else { return (true, None) };
        let patience = OutageTracker::new(&Os, &self.job.state, span.seconds);
        let is_temporary = match exit {
            Exit::Later => true,
            Exit::Partial => outcome.is_ok() && !self.fetched.has_lasting(),
            _ => false,
        };
        if !is_temporary {
            patience.succeeded();
            return (true, None);
        }
        let lasting = patience.failed(self.job.run_id.seconds);
        (lasting.is_some() || report.is_verbose(), lasting)
    }
}
