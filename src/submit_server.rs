//! `postie submit-server`: sends one message for a local user, whom the kernel names, over the socket
//! that is standard input. The user sees neither the configuration nor the password, and gets the
//! outcome. What the user says is data: [`crate::submit_frame`] has no word for anything but a
//! message and its envelope.

mod listen;

use std::io::{self, BufReader, Write as _};
use std::os::fd::AsFd as _;
use std::path::Path;

use crate::cli;
use crate::error::{Error, Exit};
use crate::limits;
use crate::message::{self, Message};
use crate::net::local::LocalStream;
use crate::net::{Bounds, Stop};
use crate::ownership::Caller;
use crate::report::{Captured, Report};
use crate::settings::{SendJob, Settings};
use crate::smtp::{MailParameters, RecipientPolicy};
use crate::store::callers::{Callers, PlacePurpose};
use crate::store::disk::Os;
use crate::store::log::LogLine;
use crate::submission::first_attempt::fail;
use crate::submission::{Attempt, Submission, complete, rate};
use crate::submit_frame::{self, Answer, Greeting, LineKind, Octets, Request, read_end};
use crate::text::{Address, Mailbox, plain};

pub use self::listen::listen;

/// The time for which what a caller still sends after the answer is read and dropped.
const LAST_OCTETS: std::time::Duration = std::time::Duration::from_millis(500);

/// Serves the caller on standard input. `bare` are the settings without the configuration file,
/// `load` reads it. Ends with 0 once the caller was answered, whatever became of the message.
pub fn submit_server(
    bare: &Settings,
    load: impl FnOnce() -> Result<Settings, Error>,
    global: &cli::Global,
    report: &Report,
    stop: &Stop,
) -> Exit {
    match serve(bare, load, global, report, stop) {
        Ok(()) => Exit::Done,
        Err(error) => {
            report.sole_failure(&crate::error::Failure {
                command: "submit-server",
                account: None,
                peer: None,
                error: &error,
                lasting: None,
            });
            Exit::from(&error)
        }
    }
}

fn serve(
    bare: &Settings,
    load: impl FnOnce() -> Result<Settings, Error>,
    global: &cli::Global,
    report: &Report,
    stop: &Stop,
) -> Result<(), Error> {
    let stdin = io::stdin();
    let caller = Caller::at(&stdin).ok_or(Error::NoCaller)?;
    let failed = |source| Error::Stdio { doing: "cannot speak to the caller", source };
    let socket = stdin.as_fd().try_clone_to_owned().map_err(failed)?;
    let bounds = Bounds {
        per_wait: std::time::Duration::from_secs(global.timeout.unwrap_or(60).into()),
        in_all: Some(limits::SUBMIT_TIME),
    };
    let mut stream = BufReader::new(LocalStream::of(socket, bounds));
    let mut log = Log::new(&caller);
    let state = bare.callers()?;
    let callers = Callers::new(&Os, &state);
    let Some(place) = callers.take_place(PlacePurpose::Hearing, caller.uid)? else {
        // One who hangs up on this is told nothing else.
        drop(Greeting::Busy.write(stream.get_mut()));
        log.end(report, Exit::Later, "busy");
        return Ok(());
    };
    if let Err(error) = Greeting::Ready.write(stream.get_mut()) {
        log.end(report, Exit::Later, &format!("dropped: {}", plain(&error)));
        return Ok(());
    }
    let own = Report::new(global).capturing();
    let ended = match read(&mut stream) {
        Ok((request, message)) => {
            log.add_request(&request, &message);
            match submission(load, &caller, request, message, &state) {
                Ok((settings, mut submission)) => {
                    log.add_submission(&submission);
                    let sending = callers.take_place(PlacePurpose::Sending, caller.uid)?;
                    submission.put_off = sending.is_none().then_some(Error::ManyUnderWay);
                    // One that must be sent now has two places, or holds the one that it has.
                    let _places = (sending, (!submission.job.queue).then_some(place));
                    let quit = |_: &str, session: crate::submission::SmtpSession| session.quit();
                    submission.first_attempt(&settings, Attempt::First, &own, stop, quit)
                }
                Err(error) => fail(&own, None, &error),
            }
        }
        Err(Unread::Wrong(error)) => fail(&own, None, &error),
        Err(Unread::Cut(error)) => {
            // What did not come whole was not accepted, and its caller knows that.
            log.end(report, Exit::Later, &format!("dropped: {error}"));
            return Ok(());
        }
    };
    let Captured { lines, sentence, object } = answered(&own, report, ended.exit);
    let answer = Answer { status: ended.exit.status(), lines, sentence, object };
    let (per_wait, in_all) = (bounds.per_wait, Some(bounds.per_wait));
    stream.get_mut().bound(Bounds { per_wait, in_all });
    let told = answer.write(stream.get_mut()).and_then(|()| stream.get_mut().flush());
    log.end(report, ended.exit, &ended.text);
    match told {
        Ok(()) => stream.into_inner().finish(LAST_OCTETS),
        Err(error) => {
            let error = plain(&error);
            report.warn(format_args!("submit-server: the caller was not told: {error}"));
        }
    }
    Ok(())
}

/// The reason why there is no message.
enum Unread {
    /// The connection ended or failed before the end of the frame.
    Cut(submit_frame::Error),
    /// What came is no frame, or no message.
    Wrong(Error),
}

impl From<submit_frame::Error> for Unread {
    fn from(error: submit_frame::Error) -> Self {
        match error {
            submit_frame::Error::Cut | submit_frame::Error::Io(_) => Self::Cut(error),
            error => Self::Wrong(error.into()),
        }
    }
}

/// Reads a whole frame.
fn read(stream: &mut BufReader<LocalStream>) -> Result<(Request, Message), Unread> {
    let request = Request::read(stream)?;
    let mut octets = Octets::new(stream, request.octets);
    let message = match Message::read(&mut octets) {
        Err(message::Error::Io { source, .. }) if octets.is_cut() => {
            return Err(Unread::Cut(source.into()));
        }
        read => read.map_err(|error| Unread::Wrong(error.into()))?,
    };
    // Without its end mark it is no frame, and may be the part of one.
    read_end(stream)?;
    Ok((request, message))
}

/// The submission of a message: its account by the configuration, its addresses resolved, its header
/// completed, all bounds kept. `callers` is the directory of what is kept of callers.
fn submission(
    load: impl FnOnce() -> Result<Settings, Error>,
    caller: &Caller,
    request: Request,
    mut message: Message,
    callers: &Path,
) -> Result<(Settings, Submission), Error> {
    let settings = load()?;
    let args = cli::Send { from: request.from.map(Into::into), ..cli::Send::default() };
    let job = settings.send_job(&args, &complete::authors(&message))?;
    job.permissions.check_caller(caller)?;
    let recipients = settings.mailboxes(request.recipients)?;
    message.remove_bcc();
    complete::complete(&mut message, &job, None);
    complete::rewrite_recipients(&mut message, &job, &settings);
    let terms = MailParameters {
        notify: request.notify,
        ret: request.ret,
        id: job.run_id.unique(),
        require_tls: request.require_tls,
    };
    let demand =
        if request.is_all_or_nothing { RecipientPolicy::All } else { RecipientPolicy::Any };
    let mut submission = Submission::new(job, recipients, message, terms, demand)?;
    submission.caller = Some(caller.clone());
    // Another server is no way around the bounds of its account.
    let is_allowed = |job: &SendJob| job.permissions.check_caller(caller).is_ok();
    let fallback = submission.job.fallback.take();
    submission.job.fallback = fallback.filter(|fallback| is_allowed(fallback));
    // Last, so that what is refused for another reason does not count.
    rate::count(&submission.job, caller, callers)?;
    Ok((settings, submission))
}

/// What the caller gets to read. What is wrong with the configuration is for the service's log: its
/// files and programs are no concern of the caller's.
fn answered(own: &Report, report: &Report, exit: Exit) -> Captured {
    let captured = own.captured();
    if exit != Exit::Config {
        return captured;
    }
    let errors = captured.lines.iter().filter(|(kind, _)| *kind == LineKind::Error);
    errors.for_each(|(_, line)| report.warn(format_args!("submit-server: {line}")));
    fail(own, None, &Error::Misconfigured);
    own.captured()
}

/// The line about a caller in the service's log: on standard error, which the journal takes.
struct Log(LogLine);

impl Log {
    fn new(caller: &Caller) -> Self {
        let mut line = LogLine::new("submit:".to_owned());
        line.add("uid", &caller.uid.to_string());
        line.add("user", caller.name.as_deref().unwrap_or_default());
        Self(line)
    }

    /// Adds the envelope as the caller gave it.
    fn add_request(&mut self, request: &Request, message: &Message) {
        let from = request.from.as_ref().map(ToString::to_string);
        self.0.add("said-from", from.as_deref().unwrap_or("-"));
        self.add_list("said-to", request.recipients.iter().map(Address::to_string));
        self.0.add("size", &message.octets().to_string());
    }

    /// Adds the envelope that is sent.
    fn add_submission(&mut self, submission: &Submission) {
        self.0.add("account", submission.job.account.as_deref().unwrap_or("-"));
        self.0.add("from", submission.envelope.reverse_path().as_str());
        self.add_list("to", submission.envelope.recipients().iter().map(Mailbox::to_string));
        self.0.add("id", &submission.message.field("Message-ID").unwrap_or_default());
    }

    /// Adds values, a few of them, and the number of the others.
    fn add_list(&mut self, name: &str, values: impl ExactSizeIterator<Item = String>) {
        const MOST: usize = 10;
        let more = values.len().saturating_sub(MOST);
        for value in values.take(MOST) {
            self.0.add(name, &value);
        }
        if more > 0 {
            self.0.add("more", &more.to_string());
        }
    }

    /// Writes the line, with the outcome.
    fn end(mut self, report: &Report, exit: Exit, outcome: &str) {
        self.0.add("status", &exit.status().to_string());
        self.0.add("outcome", outcome);
        report.warn(&self.0);
    }
}
