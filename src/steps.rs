//! The steps of reaching a server, one after another, from the configuration to the mailbox or to the
//! readiness to take mail, up to the first that fails: what `check` reports, and what `setup` and
//! `login` walk as well. Sends no mail, deletes nothing, writes nothing, and sends no password before
//! the step of the certificate succeeded.

use std::io::Read as _;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;

use crate::config::{Keep, Tls};
use crate::connect::Connector;
use crate::error::{Error, Exit, Failure};
use crate::hints;
use crate::limits;
use crate::net::{self, Bounds, Stop, Tcp};
use crate::password::{self, Attempts, Source};
use crate::pop3;
use crate::report::{Report, Step, Stopwatch, count, size};
use crate::sasl::{Credentials, Key, Mechanism};
use crate::settings::{self, Check, FetchJob, Job, Peer, SendJob};
use crate::smtp;
use crate::store::disk::Os;
use crate::store::{Readiness, Store};
use crate::text::{Identified as _, Secret, plain, shown};
use crate::tls::{self, Certificate, TlsStream};
use crate::token;
use crate::wire::{Disclosure, Private, Trace, TraceEvent};

/// The result of a check of one side of an account, for a program.
#[derive(Debug, Serialize)]
struct CheckResult<'a> {
    account: Option<&'a str>,
    side: Option<&'a str>,
    server: Option<String>,
    steps: &'a [Step],
    status: u8,
}

/// The silence after which a server is suspected of waiting for TLS.
const SILENCE: Duration = Duration::from_secs(5);

/// The bounds of an additional connection that only improves an error message.
const ASIDE: Bounds = Bounds { per_wait: Duration::from_secs(3), in_all: None };

/// Certificates are renewed before they have so few days left.
const SOON: i64 = 14;

/// How far the steps are walked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// To the server's capabilities: no password is asked for or sent.
    Capabilities,
    /// To the mailbox, or to the readiness to take mail.
    Login,
    /// The same, and to the acceptance of the sender's address.
    Sender,
}

/// Walks each side of each account and reports every step. The status is that of the first that
/// broke.
pub fn walk(checks: Vec<Check>, depth: Depth, report: &Report, stop: &Stop) -> Exit {
    let (mut exit, mut asked) = (Exit::Done, PromptCache::default());
    for check in checks {
        let Check { account, side, job } = check;
        let label = account.as_deref().unwrap_or("ad-hoc account");
        let side = side.purpose();
        let place = match &job {
            Ok(Job::Fetch(job)) => format!(" from {}", job.peer),
            Ok(Job::Send(job)) => format!(" by way of {}", job.peer),
            Err(_) => String::new(),
        };
        let title = format!("{label}: {side}{place}");
        let subject =
            Subject { account, side, peer: job.as_ref().ok().map(|job| job.peer().clone()) };
        let list = Checklist::new(report, Some(subject));
        if let Err(error) = report.heading(title) {
            return list.end(|_| Err(error).at("output"));
        }
        let this = list.end(|list| {
            let job = job.at("configuration").map_err(|broken| match *broken.error {
                Error::Settings(settings::Error::NoSender) => {
                    let hint = Some("if the account sends nothing, use --fetch".to_owned());
                    FailedStep { hint, ..broken }
                }
                _ => broken,
            })?;
            list.run(&job, depth, stop, &mut asked).map(drop)
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
                server: peer.map(ToString::to_string),
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

    /// Obtains the credentials, and a session to log in with: the configured ones, or what is typed
    /// now. Typing takes time, so the connection is made anew after it.
    fn login<T>(
        &mut self,
        session: T,
        login: Option<Login>,
        (peer, asked, stop): (&Peer, &mut PromptCache, &Stop),
        words: &str,
        open: impl FnOnce(&mut Self) -> Result<T, FailedStep>,
    ) -> Result<(T, Login), FailedStep> {
        if let Some(login) = login {
            return Ok((session, login));
        }
        drop(session);
        self.good("capabilities", words.trim_end_matches("; "))?;
        let login = self.password(peer, asked, stop)?;
        // These were reported before.
        self.is_silent = true;
        let session = open(self);
        self.is_silent = false;
        Ok((session?, login))
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

    /// Obtains the password or token.
    fn password(
        &mut self,
        peer: &Peer,
        asked: &mut PromptCache,
        stop: &Stop,
    ) -> Result<Login, FailedStep> {
        const NAME: &str = "password";
        let run = self.report.token_run(stop);
        if let Source::Login { .. } = peer.source {
            return self.token(peer, &run);
        }
        let mut attempts = asked.attempts(peer, &run).at(NAME)?;
        let first = attempts.next().unwrap_or(Err(password::Error::Nowhere)).at(NAME)?;
        let text = match &peer.source {
            Source::Text(_) => "it is in the configuration".to_owned(),
            Source::Command(_) => "the command prints it".to_owned(),
            Source::File(path) => format!("it is in {}", path.display()),
            Source::Terminal => "it was typed".to_owned(),
            Source::TokenCommand(_) | Source::Login { .. } => {
                "the command prints a token".to_owned()
            }
            Source::Certificate => "the client certificate is the login".to_owned(),
        };
        let is_blank = match &first.key {
            Key::Password(secret) | Key::Token(secret) => secret.has_blank_ends(),
            Key::Certificate => false,
        };
        let hint = is_blank.then(|| {
            "it begins or ends with a space; remove it if it is not part of the password".to_owned()
        });
        self.note(NAME, text, hint)?;
        Ok(self.known(first, attempts))
    }

    /// A token of a login by OAuth 2.0, renewed if that is due.
    fn token(&mut self, peer: &Peer, run: &token::Run) -> Result<Login, FailedStep> {
        const NAME: &str = "token";
        let attempts = peer.source.attempts(&peer.user, peer.host.as_str(), peer.auth, run);
        let mut attempts = attempts.and_then(Attempts::ready).at(NAME)?;
        let mut text = String::new();
        if let Some(access) = attempts.access() {
            let state = if access.is_new { "renewed, good" } else { "good" };
            text = format!("{state} for {}", minutes(access.left()));
            if let Some(since) = &access.since {
                text += &format!(", logged in {since}");
            }
        }
        let first = attempts.next().unwrap_or(Err(password::Error::Nowhere)).at(NAME)?;
        self.good(NAME, text)?;
        Ok(self.known(first, attempts))
    }

    /// From here on, what is secret in it is masked in all that a server says.
    fn known(&mut self, first: Credentials, attempts: Attempts) -> Login {
        self.secrets.extend(first.key.secret().cloned());
        Login { first, attempts }
    }

    /// A connection; if there is none, what else there might be.
    fn connect(&mut self, line: &Line<'_>) -> Result<Tcp, FailedStep> {
        const NAME: &str = "connection";
        let Peer { source_address, bounds, .. } = line.job.peer();
        let (_, port) = line.job.peer().dialled();
        if let Some(program) = &line.job.peer().connect_command {
            let tcp = line.way.tcp().at(NAME)?;
            let program = program.words().first().map(|word| shown(word)).unwrap_or_default();
            self.good(NAME, format!("`{program}` was started"))?;
            return Ok(tcp);
        }
        let tcp = line.way.tcp().at(NAME).map_err(|broken| line.other_port(broken))?;
        let reached = tcp.address();
        let others = line.addresses.iter().copied().filter(|other| Some(*other) != reached);
        let others: Vec<_> = others.take(limits::ADDRESSES).collect();
        let bounds = Bounds { per_wait: bounds.per_wait.min(ASIDE.per_wait), ..ASIDE };
        let answers = net::answers(&others, port, *source_address, bounds);
        let silent = answers.iter().filter_map(|(address, answer)| {
            answer.as_ref().err().map(|error| format!("{address} does not ({})", plain(error)))
        });
        let silent: Vec<_> = silent.collect();
        let mut text = reached.map(|address| format!("{address} answers")).unwrap_or_default();
        for words in &silent {
            text += &format!(", {words}");
        }
        let hint = "the address that answers is used; connecting may take a moment longer";
        self.note(NAME, text, (!silent.is_empty()).then(|| hint.to_owned()))?;
        Ok(tcp)
    }

    /// Connects where the server speaks first. One that waits for TLS would otherwise stay silent
    /// until the time-out.
    fn connect_in_the_clear(&mut self, line: &Line<'_>) -> Result<Tcp, FailedStep> {
        const NAME: &str = "greeting";
        let tcp = self.connect(line)?;
        if !tcp.is_silent_for(SILENCE.min(line.job.peer().bounds.per_wait)) {
            return Ok(tcp);
        }
        drop(tcp);
        let handshake = line.way.tcp().and_then(|tcp| line.way.handshake(tcp));
        if let Ok(_) | Err(Error::Tls(tls::Error::Certificate { .. })) = handshake {
            return Err(tls::Error::OnlyTls).at(NAME);
        }
        line.way.tcp().at(NAME)
    }

    /// TLS from the first octet.
    fn connect_by_tls(&mut self, line: &Line<'_>) -> Result<Box<dyn Private>, FailedStep> {
        let tcp = self.connect(line)?;
        let mut secured = None;
        let stream = line.secure(tcp, &mut secured);
        self.secured(secured, stream).map_err(|broken| match *broken.error {
            Error::Tls(tls::Error::NotTls) => {
                line.greeting_in_the_clear(broken, &disclosure(None, &self.secrets))
            }
            _ => broken,
        })
    }

    /// Reports the outcome of the TLS handshake.
    fn secured<T>(
        &mut self,
        secured: Option<TlsInfo>,
        outcome: Result<T, Error>,
    ) -> Result<T, FailedStep> {
        let Some(TlsInfo { agreed, certificate, now }) = secured else {
            let is_refusal = matches!(outcome, Err(Error::Tls(tls::Error::Certificate { .. })));
            return outcome.at(if is_refusal { "certificate" } else { "tls" });
        };
        self.good("tls", agreed)?;
        if let Some(certificate) = certificate {
            let days = certificate.days_left(now);
            let Certificate { subject, issuer, .. } = certificate;
            let text = format!("{subject}, by {issuer}, {} left", count_days(days));
            let hint = (days < SOON).then(|| "it should be renewed by now".to_owned());
            self.note("certificate", text, hint)?;
        }
        outcome.at("capabilities")
    }

    /// Reports the greeting, and the outcome of asking for capabilities.
    fn greeted<T, E: Into<Error>>(
        &mut self,
        heard: &GreetingCapture,
        opened: Result<T, E>,
    ) -> Result<T, FailedStep> {
        let opened = opened.map_err(Into::into);
        let greeting = heard.take();
        let turned_away = matches!(
            opened,
            Err(Error::Pop3(pop3::Error::TurnedAway(_)) | Error::Smtp(smtp::Error::TurnedAway(_)))
        );
        let Some(greeting) = greeting.filter(|_| !turned_away) else {
            return opened.at("greeting");
        };
        self.good("greeting", greeting)?;
        opened.at("capabilities")
    }

    /// A POP3 session on a private stream.
    fn pop3(
        &mut self,
        line: &Line<'_>,
    ) -> Result<pop3::Session<pop3::Authorization, Box<dyn Private>>, FailedStep> {
        use pop3::{Approach, Session};
        let (listener, heard) = listen(self.report);
        let disclosure = disclosure(Some(listener), &self.secrets);
        Ok(match line.job.peer().tls {
            Tls::Implicit => {
                let stream = self.connect_by_tls(line)?;
                self.greeted(&heard, Session::open(stream, disclosure, Approach::cautious()))?
            }
            Tls::Starttls => {
                let tcp = self.connect_in_the_clear(line)?;
                let session =
                    self.greeted(&heard, Session::open(tcp, disclosure, Approach::cautious()))?;
                let mut secured = None;
                let outcome =
                    session.stls(|tcp| line.secure(tcp, &mut secured), Approach::cautious());
                self.secured(secured, outcome)?
            }
            Tls::None => {
                let tcp = self.connect_in_the_clear(line)?.loopback().at("connection")?;
                let stream: Box<dyn Private> = Box::new(tcp);
                self.greeted(&heard, Session::open(stream, disclosure, Approach::cautious()))?
            }
        })
    }

    fn mailbox(
        &mut self,
        job: &FetchJob,
        line: &Line<'_>,
        login: Option<Login>,
        asked: &mut PromptCache,
    ) -> Result<Vec<String>, FailedStep> {
        use pop3::UniqueIds;
        const NAME: &str = "mailbox";
        let session = self.pop3(line)?;
        let offered = session.offered();
        let announces_uidl = offered.uidl;
        let words = capabilities(
            &[(announces_uidl, "UIDL"), (offered.pipelining, "PIPELINING")],
            ("SASL", &offered.sasl),
        );
        let user = offered.user.then(|| "USER".to_owned());
        let ways = user.into_iter().chain(offered.sasl.iter().cloned()).collect();
        if line.depth == Depth::Capabilities {
            self.good("capabilities", words.trim_end_matches("; "))?;
            return Ok(ways);
        }
        let is_known = login.is_some();
        let (session, login) =
            self.login(session, login, (&job.peer, asked, line.stop), &words, |list| {
                list.pop3(line)
            })?;
        let mechanism = session.mechanism(&login.first).at("capabilities")?.name();
        if is_known {
            self.good("capabilities", format!("{words}will log in by {mechanism}"))?;
        }
        let mut session =
            session.login(login.attempts(), pop3::Prefetch::UidsAndSizes).at("login")?;
        let mechanism = session.mechanism().map_or(mechanism, Mechanism::name);
        self.good("login", format!("{} by {mechanism}", job.peer.user))?;

        let listing = session.list(UniqueIds::default()).at(NAME)?;
        let sizes = session.sizes().at(NAME)?;
        let octets = listing.iter().filter_map(|listed| sizes.of(listed.number));
        let octets = octets.fold(0, u64::saturating_add);
        let known = Store::read_only(&Os, &job.state).at(NAME)?;
        session.abandon();
        let has_uids = match listing.as_slice() {
            [] => announces_uidl,
            some => some.iter().all(|listed| listed.uid().is_some()),
        };
        if !has_uids && job.keep != Keep::Days(0) && !listing.is_empty() {
            return Err(pop3::Error::Missing(pop3::Feature::Uidl)).at(NAME);
        }
        let is_new =
            |listed: &&pop3::ScanListing| listed.uid().is_none_or(|uid| known.get(uid).is_none());
        let new = listing.iter().filter(is_new).count();
        let messages = count(listing.len(), "message");
        let text = format!("{messages} ({}), {new} new", size(octets));
        let hint = (!has_uids).then(|| {
            "the server gives no unique-ids (UIDL), so messages can be fetched with `keep = \
             \"none\"` only"
                .to_owned()
        });
        self.note(NAME, text, hint)?;
        Ok(ways)
    }

    /// An SMTP session on a private stream.
    fn smtp(
        &mut self,
        job: &SendJob,
        line: &Line<'_>,
    ) -> Result<smtp::Session<smtp::Unauthenticated, Box<dyn Private>>, FailedStep> {
        use smtp::Session;
        let (listener, heard) = listen(self.report);
        let disclosure = disclosure(Some(listener), &self.secrets);
        let ehlo_name = job.ehlo_name.clone();
        Ok(match job.peer.tls {
            Tls::Implicit => {
                let stream = self.connect_by_tls(line)?;
                self.greeted(&heard, Session::open(stream, ehlo_name, disclosure))?
            }
            Tls::Starttls => {
                let tcp = self.connect_in_the_clear(line)?;
                let session = self.greeted(&heard, Session::open(tcp, ehlo_name, disclosure))?;
                let mut secured = None;
                let outcome = session.starttls(|tcp| line.secure(tcp, &mut secured));
                self.secured(secured, outcome)?
            }
            Tls::None => {
                let tcp = self.connect_in_the_clear(line)?.loopback().at("connection")?;
                let stream: Box<dyn Private> = Box::new(tcp);
                self.greeted(&heard, Session::open(stream, ehlo_name, disclosure))?
            }
        })
    }

    fn submission(
        &mut self,
        job: &SendJob,
        line: &Line<'_>,
        login: Option<Login>,
        asked: &mut PromptCache,
    ) -> Result<Vec<String>, FailedStep> {
        let session = self.smtp(job, line)?;
        let offered = session.offered();
        let limit = offered.size;
        let words = capabilities(
            &[
                (limit.is_some(), "SIZE"),
                (offered.pipelining, "PIPELINING"),
                (offered.eight_bit_mime, "8BITMIME"),
                (offered.smtp_utf8, "SMTPUTF8"),
            ],
            ("AUTH", &offered.auth),
        );
        let ways = offered.auth.clone();
        if line.depth == Depth::Capabilities {
            self.good("capabilities", words.trim_end_matches("; "))?;
            return Ok(ways);
        }
        let is_known = login.is_some();
        let open = |list: &mut Self| list.smtp(job, line);
        let (session, login) =
            self.login(session, login, (&job.peer, asked, line.stop), &words, open)?;
        let mechanism = session.mechanism(&login.first).at("capabilities")?.name();
        if is_known {
            self.good("capabilities", format!("{words}will log in by {mechanism}"))?;
        }
        let mut session = session.auth(login.attempts()).at("login")?;
        self.good("login", format!("{} by {mechanism}", job.peer.user))?;

        let mut text = match limit {
            Some(0) | None => "the server names no limit for a message's size".to_owned(),
            Some(limit) => format!("the server takes messages of up to {}", size(limit)),
        };
        if line.depth == Depth::Sender {
            session.probe(&job.from).at("submission")?;
            text += &format!(", and from {}", job.from);
        }
        session.quit();
        self.good("submission", text)?;
        Ok(ways)
    }
}

/// The way to a server, with what is known of it so far.
struct Line<'a> {
    job: &'a Job,
    way: &'a Connector<'a>,
    addresses: &'a [IpAddr],
    stop: &'a Stop,
    depth: Depth,
}

impl Line<'_> {
    /// TLS, and what was agreed on and shown, if it came to that.
    fn secure(&self, tcp: Tcp, secured: &mut Option<TlsInfo>) -> Result<Box<dyn Private>, Error> {
        let stream: TlsStream = self.way.handshake(tcp)?;
        *secured = Some(TlsInfo {
            agreed: stream.describe(),
            certificate: stream.certificate(),
            now: self.job.run_id().seconds,
        });
        Ok(Box::new(stream))
    }

    /// Adds which other port of this kind answers, and what to do about it.
    fn other_port(&self, broken: FailedStep) -> FailedStep {
        let Peer { host, port, source_address, .. } = self.job.peer();
        let usual = self.job.side().default_ports().ports().into_iter();
        let answering = usual.filter(|(other, _)| other != port).find(|(other, _)| {
            net::connect(host, *other, *source_address, ASIDE, self.stop).is_ok()
        });
        let Some((other, tls)) = answering else { return broken };
        FailedStep {
            beside: format!("; but port {other} answers"),
            hint: Some(format!("use `tls = \"{}\"` (--tls {0}), and no other port", tls.name())),
            ..broken
        }
    }

    /// Adds the plaintext greeting of a server that does not speak TLS here.
    fn greeting_in_the_clear(&self, broken: FailedStep, disclosure: &Disclosure) -> FailedStep {
        const GREETING: usize = 512;
        let Peer { host, port, source_address, connect_command, .. } = self.job.peer();
        if connect_command.is_some() {
            return broken;
        }
        let mut octets = [0; GREETING];
        let read = net::connect(host, *port, *source_address, ASIDE, self.stop)
            .map(|mut tcp| tcp.read(&mut octets).unwrap_or_default());
        let text = disclosure.masked(octets.get(..read.unwrap_or_default()).unwrap_or_default());
        let beside = match String::from_utf8_lossy(&text).lines().next() {
            Some(line) => format!(": it says `{}` in plaintext", shown(line)),
            None => String::new(),
        };
        FailedStep { beside, ..broken }
    }
}

/// The result of a TLS handshake.
struct TlsInfo {
    agreed: String,
    certificate: Option<Certificate>,
    now: u64,
}

/// Credentials, of which the first were examined already.
struct Login {
    first: Credentials,
    attempts: Attempts,
}

impl Login {
    fn attempts(self) -> impl Iterator<Item = Result<Credentials, Error>> {
        let rest = self.attempts.map(|attempt| attempt.map_err(Error::from));
        [Ok(self.first)].into_iter().chain(rest)
    }
}

/// The typed passwords of this run: both sides of an account mostly have the same one, which is
/// asked for once.
#[derive(Default)]
struct PromptCache(Vec<(String, String, Attempts)>);

impl PromptCache {
    /// Returns whether the password was typed before.
    fn knows(&self, peer: &Peer) -> bool {
        let (user, host) = (peer.user.as_str(), peer.host.as_str());
        self.0.iter().any(|(whose, at, _)| whose == user && at == host)
    }

    fn attempts(&mut self, peer: &Peer, run: &token::Run) -> Result<Attempts, password::Error> {
        let (user, host) = (peer.user.as_str(), peer.host.as_str());
        let is_typed = matches!(peer.source, Source::Terminal);
        let known = self.0.iter().find(|(whose, at, _)| is_typed && whose == user && at == host);
        if let Some((_, _, attempts)) = known {
            return Ok(attempts.clone());
        }
        let attempts = peer.source.attempts(user, host, peer.auth, run)?;
        if is_typed {
            self.0.push((user.to_owned(), host.to_owned(), attempts.clone()));
        }
        Ok(attempts)
    }
}

/// The first thing that a server said.
#[derive(Clone, Default)]
struct GreetingCapture(Arc<Mutex<Option<String>>>);

impl GreetingCapture {
    fn take(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Returns a trace that also keeps the greeting, beside the usual one.
fn listen(report: &Report) -> (Trace, GreetingCapture) {
    let (heard, mut trace, mut is_first) = (GreetingCapture::default(), report.trace(None), true);
    let said = heard.clone();
    let listener = move |words: TraceEvent<'_>| {
        if let (TraceEvent::Server(octets), true) = (&words, is_first) {
            let line = shown(String::from_utf8_lossy(octets).trim_end());
            *said.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(line);
            is_first = false;
        }
        if let Some(trace) = &mut trace {
            trace(words);
        }
    };
    (Box::new(listener), heard)
}

/// All of a conversation but these secrets.
fn disclosure(listener: Option<Trace>, secrets: &[Secret]) -> Disclosure {
    Disclosure::new(listener, secrets.iter().map(Secret::expose))
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

/// Lists the offered capabilities that postie uses.
fn capabilities(offered: &[(bool, &str)], (name, mechanisms): (&str, &[String])) -> String {
    let offered = offered.iter().filter(|(is_offered, _)| *is_offered);
    let mut words: Vec<_> = offered.map(|(_, word)| (*word).to_owned()).collect();
    if !mechanisms.is_empty() {
        words.push(format!("{name} {}", mechanisms.join(" ")));
    }
    if words.is_empty() { String::new() } else { format!("{}; ", shown(&words.join(", "))) }
}

fn list(addresses: &[IpAddr]) -> String {
    addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn minutes(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        _ => format!("{} min", seconds / 60),
    }
}

fn count_days(days: i64) -> String {
    if days == 1 { "1 day".to_owned() } else { format!("{days} days") }
}
