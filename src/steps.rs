//! The steps of reaching a server, one after another, from the configuration to the mailbox or to the
//! readiness to take mail, up to the first that fails: what `check` reports, and what `setup` and
//! `login` walk as well. Sends no mail, deletes nothing, writes nothing, and sends no password before
//! the step of the certificate succeeded.

mod login;
mod server;

use std::net::IpAddr;

use serde::Serialize;

use self::login::PromptCache;
use self::server::Line;

use crate::config::Tls;
use crate::connect::{self, Connector};
use crate::error::{Error, Exit, Failure};
use crate::hints;
use crate::net::{self, Stop};
use crate::password::Source;
use crate::report::{Report, Step, Stopwatch};
use crate::settings::{self, Check, FetchJob, Job, Peer, ServiceJob, Target};
use crate::store::disk::Os;
use crate::store::{Readiness, Store};
use crate::text::Secret;

/// The result of a check of one side of an account, for a program.
#[derive(Debug, Serialize)]
struct CheckResult<'a> {
    account: Option<&'a str>,
    side: Option<&'a str>,
    server: Option<String>,
    steps: &'a [Step],
    status: u8,
}

/// How far the steps are walked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// To the server's capabilities: no password is asked for or sent.
    Capabilities,
    /// To the mailbox, or to the readiness to take mail.
    Login,
    /// Beyond the login, to the acceptance of the sender's address.
    Sender,
}

/// Walks each side of each account and reports every step. The status is that of the first that
/// broke.
pub fn walk(checks: Vec<Check>, depth: Depth, report: &Report, stop: &Stop) -> Exit {
    let (mut exit, mut asked) = (Exit::Done, PromptCache::default());
    for check in checks {
        let Check { account, side, target } = check;
        let label = account.as_deref().unwrap_or("ad-hoc account");
        let side = side.purpose();
        let (word, server, peer) = match &target {
            Ok(Target::Server(job)) => {
                let word = match job {
                    Job::Fetch(_) => "from",
                    Job::Send(_) => "by way of",
                };
                (word, Some(job.peer().to_string()), Some(job.peer().clone()))
            }
            Ok(Target::Service(job)) => {
                ("through the service at", Some(job.socket.display().to_string()), None)
            }
            Err(_) => ("", None, None),
        };
        let title = match &server {
            Some(server) => format!("{label}: {side} {word} {server}"),
            None => format!("{label}: {side}"),
        };
        let subject = Subject { account, side, server, peer };
        let list = Checklist::new(report, Some(subject));
        if let Err(error) = report.heading(title) {
            return list.end(|_| Err(error).at("output"));
        }
        let this = list.end(|list| {
            let target = target.at("configuration").map_err(|broken| match *broken.error {
                Error::Settings(settings::Error::NoSender) => {
                    let hint = Some("if the account sends nothing, use --fetch".to_owned());
                    FailedStep { hint, ..broken }
                }
                _ => broken,
            })?;
            match target {
                Target::Server(job) => list.run(&job, depth, stop, &mut asked).map(drop),
                Target::Service(job) => list.service(&job),
            }
        });
        if exit == Exit::Done {
            exit = this;
        }
    }
    exit
}

/// Reports a failure before the first step of any account. `hint` knows more than the table.
pub fn fail(step: &'static str, error: Error, hint: Option<String>, report: &Report) -> Exit {
    Checklist::new(report, None)
        .end(|_| Err(error).at(step).map_err(|broken| FailedStep { hint, ..broken }))
}

/// Walks to the server's capabilities without a report. Returns its ways to log in.
///
/// # Errors
///
/// Returns the step that failed.
pub fn offered(job: &Job, report: &Report, stop: &Stop) -> Result<Vec<String>, FailedStep> {
    let mut list = Checklist { is_silent: true, ..Checklist::new(report, None) };
    list.run(job, Depth::Capabilities, stop, &mut PromptCache::default())
}

/// The step that broke, and how.
#[derive(Debug)]
pub struct FailedStep {
    step: &'static str,
    /// The failure.
    pub error: Box<Error>,
    /// Further findings, as words that follow the error.
    pub beside: String,
    /// A hint that knows more than the table.
    hint: Option<String>,
}

impl FailedStep {
    /// Returns what to try next with this server; `None` if nothing is known.
    pub fn hint(&self, peer: Option<&Peer>) -> Option<String> {
        self.hint.clone().or_else(|| hints::hint(&self.error, peer))
    }
}

/// Names the step that an error belongs to.
trait At<T> {
    fn at(self, step: &'static str) -> Result<T, FailedStep>;
}

impl<T, E: Into<Error>> At<T> for Result<T, E> {
    fn at(self, step: &'static str) -> Result<T, FailedStep> {
        let broken =
            |error| FailedStep { step, error: Box::new(error), beside: String::new(), hint: None };
        self.map_err(|error| broken(error.into()))
    }
}

/// The account, side and server that a checklist is about.
struct Subject {
    account: Option<String>,
    side: &'static str,
    /// The server, or the socket of the submission service.
    server: Option<String>,
    peer: Option<Peer>,
}

/// The steps of a check so far.
struct Checklist<'a> {
    report: &'a Report,
    subject: Option<Subject>,
    steps: Vec<Step>,
    watch: Stopwatch,
    /// True if steps that succeed are not reported.
    is_silent: bool,
    /// The passwords and tokens that are known.
    secrets: Vec<Secret>,
}

impl<'a> Checklist<'a> {
    fn new(report: &'a Report, subject: Option<Subject>) -> Self {
        let watch = report.stopwatch();
        Self { report, subject, steps: Vec::new(), watch, is_silent: false, secrets: Vec::new() }
    }

    /// Takes the steps, and reports the one that failed.
    fn end(mut self, steps: impl FnOnce(&mut Self) -> Result<(), FailedStep>) -> Exit {
        let outcome = steps(&mut self);
        let peer = self.subject.as_ref().and_then(|subject| subject.peer.as_ref());
        let account = self.subject.as_ref().and_then(|subject| subject.account.as_deref());
        let mut exit = Exit::Done;
        if let Err(broken @ FailedStep { step: name, error, beside, .. }) = &outcome {
            exit = Exit::from(&**error);
            let step = Step {
                name,
                is_good: false,
                text: format!("{error}{beside}"),
                hint: broken.hint(peer),
                ms: self.watch.lap(),
            };
            if let Err(error) = self.report.step(&step) {
                self.report.warn(format_args!("check: {error}"));
            }
            if self.report.is_quiet() {
                let failure = Failure { command: "check", account, peer, error, lasting: None };
                self.report.failure(&failure);
            }
            self.steps.push(step);
        }
        if self.report.is_json() {
            let object = CheckResult {
                account,
                side: self.subject.as_ref().map(|subject| subject.side),
                server: self.subject.as_ref().and_then(|subject| subject.server.clone()),
                steps: &self.steps,
                status: exit.status(),
            };
            if let Err(error) = self.report.object(&object) {
                self.report.warn(format_args!("check: {error}"));
                return exit.worse((&error).into());
            }
        }
        exit
    }

    /// A step that holds.
    fn good(&mut self, name: &'static str, text: impl Into<String>) -> Result<(), FailedStep> {
        self.note(name, text, None)
    }

    /// A step that holds, and something worth knowing.
    fn note(
        &mut self,
        name: &'static str,
        text: impl Into<String>,
        hint: Option<String>,
    ) -> Result<(), FailedStep> {
        if self.is_silent {
            return Ok(());
        }
        let step = Step { name, is_good: true, text: text.into(), hint, ms: self.watch.lap() };
        let written = self.report.step(&step);
        self.steps.push(step);
        written.at("output")
    }

    /// Takes the steps of one side of an account. Returns the ways to log in that its server offers.
    fn run(
        &mut self,
        job: &Job,
        depth: Depth,
        stop: &Stop,
        asked: &mut PromptCache,
    ) -> Result<Vec<String>, FailedStep> {
        let (peer, report) = (job.peer(), self.report);
        let way = Connector::to(peer, report, stop).at("configuration")?;
        self.good("configuration", configuration(peer))?;
        if let (Job::Fetch(job), Depth::Login | Depth::Sender) = (job, depth) {
            self.maildir(job)?;
        }
        // What has to be typed is asked for when the server's certificate held, and not before.
        let login = match peer.source {
            _ if depth == Depth::Capabilities => None,
            Source::Terminal if !asked.knows(peer) && !report.is_unattended() => None,
            _ => Some(self.password(peer, asked, stop)?),
        };
        // A program as the connection looks up the name, perhaps where this machine cannot.
        let mut addresses = Vec::new();
        if peer.connect_command.is_none() {
            let (host, source) = (peer.dialled().0, peer.source_address);
            addresses = net::addresses(host, source, peer.bounds).at("name")?;
            self.good("name", list(&addresses))?;
        }
        let line = Line { job, way: &way, addresses: &addresses, stop, depth };
        match job {
            Job::Fetch(job) => self.mailbox(job, &line, login, asked),
            Job::Send(job) => self.submission(job, &line, login, asked),
        }
    }

    /// Takes the steps of an account that sends by the submission service. To the service, this is a
    /// caller who hangs up.
    fn service(&mut self, job: &ServiceJob) -> Result<(), FailedStep> {
        self.good("configuration", job.socket.display().to_string())?;
        connect::service::connect(job).at("service")?;
        self.good("service", "ready to take a message")
    }

    /// Checks that fetched messages have a destination.
    fn maildir(&mut self, job: &FetchJob) -> Result<(), FailedStep> {
        let outlook = Store::readiness(&Os, &job.state, &job.destination).at("maildir")?;
        let place = match job.maildir() {
            Some(root) => root.display().to_string(),
            None => "messages go to `deliver-command`".to_owned(),
        };
        match outlook {
            Readiness::Ready => self.good("maildir", place),
            Readiness::ToBeMade => self.good("maildir", format!("{place}, which a fetch creates")),
            Readiness::Busy => {
                let hint = "the server may accept only one of the two";
                self.note("maildir", format!("{place}: a fetch is running"), Some(hint.to_owned()))
            }
        }
    }
}

fn configuration(peer: &Peer) -> String {
    let Peer { tls, user, .. } = peer;
    let tls = match tls {
        Tls::Implicit => "TLS from the start",
        Tls::Starttls => "TLS by STARTTLS",
        Tls::None => "no TLS",
    };
    format!("{peer} as {user}, {tls}")
}

fn list(addresses: &[IpAddr]) -> String {
    addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
