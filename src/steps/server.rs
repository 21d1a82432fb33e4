//! The steps with a server: from the connection to the mailbox, or to the readiness to take mail.

use std::io::Read as _;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::login::{Login, PromptCache};
use super::{At as _, Checklist, Depth, FailedStep};
use crate::config::{Keep, Tls};
use crate::connect::Connector;
use crate::error::Error;
use crate::limits;
use crate::net::{self, Bounds, Stop, Tcp};
use crate::pop3;
use crate::report::{Report, count, size};
use crate::sasl::Mechanism;
use crate::settings::{FetchJob, Job, Peer, SendJob};
use crate::smtp;
use crate::store::Store;
use crate::store::disk::Os;
use crate::text::{Identified as _, Secret, plain, shown};
use crate::tls::{self, Certificate, TlsStream};
use crate::wire::{Disclosure, Private, Trace, TraceEvent};

/// The silence after which a server is suspected of waiting for TLS.
const SILENCE: Duration = Duration::from_secs(5);

/// The bounds of an additional connection that only improves an error message.
const ASIDE: Bounds = Bounds { per_wait: Duration::from_secs(3), in_all: None };

/// Certificates are renewed before they have so few days left.
const SOON: i64 = 14;

impl Checklist<'_> {
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
        let mut text = reached.map(|address| format!("{address} answers")).unwrap_or_default();
        let mut hint = None;
        for (address, answer) in net::answers(&others, port, *source_address, bounds) {
            if let Err(error) = answer {
                text += &format!(", {address} does not ({})", plain(&error));
                hint = Some(
                    "the address that answers is used; connecting may take a moment longer"
                        .to_owned(),
                );
            }
        }
        self.note(NAME, text, hint)?;
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

    pub(super) fn mailbox(
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
        let (mut listing, ahead) = (Vec::new(), pop3::Prefetch::UidsAndSizes);
        let mut session = session.login(login.attempts(), ahead, &mut listing).at("login")?;
        let mechanism = session.mechanism().map_or(mechanism, Mechanism::name);
        self.good("login", format!("{} by {mechanism}", job.peer.user))?;

        session.list(UniqueIds::default(), &mut listing).at(NAME)?;
        let sizes = session.sizes().at(NAME)?;
        let octets = listing.iter().filter_map(|listed| sizes.of(listed.number));
        let octets = octets.fold(0, u64::saturating_add);
        let known = Store::read_only(&Os, &job.state, job.run_id.seconds).at(NAME)?;
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

    pub(super) fn submission(
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
                (offered.chunking, "CHUNKING"),
                (offered.dsn, "DSN"),
                (offered.require_tls, "REQUIRETLS"),
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
pub(super) struct Line<'a> {
    pub(super) job: &'a Job,
    pub(super) way: &'a Connector<'a>,
    pub(super) addresses: &'a [IpAddr],
    pub(super) stop: &'a Stop,
    pub(super) depth: Depth,
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

/// Lists the offered capabilities that postie uses.
fn capabilities(offered: &[(bool, &str)], (name, mechanisms): (&str, &[String])) -> String {
    let offered = offered.iter().filter(|(is_offered, _)| *is_offered);
    let mut words: Vec<_> = offered.map(|(_, word)| (*word).to_owned()).collect();
    if !mechanisms.is_empty() {
        words.push(format!("{name} {}", mechanisms.join(" ")));
    }
    if words.is_empty() { String::new() } else { format!("{}; ", shown(&words.join(", "))) }
}

fn count_days(days: i64) -> String {
    if days == 1 { "1 day".to_owned() } else { format!("{days} days") }
}
