//! From an address to the servers of its provider. Sources in order, the first that answers counts:
//! the table of providers, what the provider publishes by https, the mail exchangers of the domain as
//! far as they are a known provider's, SRV records, and names that are usual and have a certificate for
//! themselves. Every answer is bounded, and all of it takes ten seconds at most. No address and no
//! password is ever sent.

pub mod account;

use std::fs::File;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use serde_json::{Value, json};

use crate::autoconfig::{self, Servers};
use crate::bounded;
use crate::config::Tls;
use crate::dns::{self, Answer, Kind, Question, Record};
use crate::error::Error;
use crate::http::{self, Redirects};
use crate::net::{self, Allowance, Stop};
use crate::providers::{Endpoint, LoginName, Password, Provider};
use crate::report::Report;
use crate::text::{Detour, Domain, HttpsUrl, Mailbox};
use crate::tls::{self, Trust};

/// All sources together.
const IN_ALL: Duration = Duration::from_secs(10);

/// The time for one web page, redirects included.
const PAGE: Duration = Duration::from_secs(3);

/// The time for one look-up, all servers and retries included.
const LOOKUP: Duration = Duration::from_secs(2);

/// The time for one usual host name.
const NAME: Duration = Duration::from_secs(2);

/// Resolvers that are asked: the first of those that this machine has.
const RESOLVERS: usize = 2;

/// Octets of the file that names them.
const RESOLV_CONF: u64 = 64 << 10;

/// The options of a discovery.
#[derive(Debug)]
pub struct Options<'a> {
    /// The resolver to ask instead of this machine's.
    pub resolver: Option<SocketAddr>,
    /// The addresses to dial in place of the real ones.
    pub detours: &'a [Detour],
    /// The trust in web servers.
    pub trust: &'a Trust,
    /// True if no connection is made: the table of providers alone is used.
    pub is_offline: bool,
}

/// A mail server that was found: host, port and kind of TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The host name.
    pub host: Domain,
    /// The port.
    pub port: u16,
    /// The kind of TLS.
    pub tls: Tls,
}

/// A source of findings.
#[derive(Clone, Debug)]
pub enum Source {
    /// The table of providers.
    Table(&'static Provider),
    /// A page of the domain's.
    Autoconfig(HttpsUrl),
    /// A mail exchanger of the domain, which is a known provider's.
    Mx(Domain, &'static Provider),
    /// SRV records.
    Srv,
    /// Usual names.
    Names,
}

impl Source {
    /// Returns the word for this source in JSON.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Table(_) => "table",
            Self::Autoconfig(_) => "autoconfig",
            Self::Mx(..) => "mx",
            Self::Srv => "srv",
            Self::Names => "names",
        }
    }

    /// Describes the source and its trustworthiness.
    pub fn describe(&self) -> String {
        match self {
            Self::Table(Provider { name, is_confirmed: true, .. }) => {
                format!("{name}, from postie's own table of providers")
            }
            Self::Table(Provider { name, .. }) => {
                format!("{name}, from postie's own table of providers (not confirmed)")
            }
            Self::Autoconfig(url) => {
                format!("{url}, which is signed for the host (https)")
            }
            Self::Mx(host, provider) => format!(
                "the domain's mail exchanger {host} is {}'s; the DNS answer is not signed{}",
                provider.name,
                if provider.is_confirmed { "" } else { ", and the servers are not confirmed" }
            ),
            Self::Srv => "SRV records; the DNS answer is not signed".to_owned(),
            Self::Names => {
                "usual names, which have a certificate for themselves; nobody has said that they \
                 are the right ones"
                    .to_owned()
            }
        }
    }

    /// The provider, if it is a known one.
    pub fn provider(&self) -> Option<&'static Provider> {
        match self {
            Self::Table(provider) | Self::Mx(_, provider) => Some(provider),
            _ => None,
        }
    }
}

/// The findings for an address.
#[derive(Clone, Debug)]
pub struct Findings {
    /// The source.
    pub source: Source,
    /// The POP3 server.
    pub fetch: Option<Place>,
    /// The server for submission.
    pub send: Option<Place>,
    /// The name to log in with.
    pub user: String,
    /// True if the server takes OAuth 2.0 tokens and no passwords.
    pub wants_token: bool,
}

impl Findings {
    /// Returns the servers outside the address's domain that only an unsigned answer names.
    pub fn strangers(&self, address: &Mailbox) -> Vec<&Domain> {
        let Source::Srv = self.source else { return Vec::new() };
        let places = [&self.fetch, &self.send].into_iter().flatten();
        let is_strange = |host: &&Domain| !is_below(host.as_str(), address.domain());
        let mut strangers: Vec<_> = places.map(|place| &place.host).filter(is_strange).collect();
        strangers.dedup();
        strangers
    }

    /// Returns the findings as a JSON object.
    pub fn object(&self) -> Value {
        let place = |place: &Option<Place>| {
            place.as_ref().map(|place| {
                json!({
                    "server": place.host.as_str(), "port": place.port, "tls": place.tls.name(),
                })
            })
        };
        json!({
            "source": self.source.word(),
            "provider": self.source.provider().map(|provider| provider.name),
            "confirmed": self.source.provider().is_some_and(|provider| provider.is_confirmed),
            "user": self.user,
            "fetch": place(&self.fetch),
            "send": place(&self.send),
        })
    }
}

/// Returns the POP3 and SMTP servers of an address: from the table of providers by its domain, else from
/// the network unless `options` say offline.
///
/// # Errors
///
/// Returns an error if nothing is found, the provider offers neither protocol, or TLS cannot be set up.
pub fn discover(
    address: &Mailbox,
    options: &Options<'_>,
    report: &Report,
    stop: &Stop,
) -> Result<Findings, Error> {
    if let Some(provider) = Provider::of_domain(address.domain()) {
        return of_provider(provider, Source::Table(provider), address);
    }
    let domain: Domain = address.domain().parse().map_err(|_| nothing(address))?;
    if options.is_offline {
        return Err(Error::NotInTable { domain: address.domain().to_owned() });
    }
    let client = tls::Client::new(options.trust)?;
    let allowance = Allowance::of(IN_ALL);
    let search = Search { address, domain, options, client, allowance, report, stop };
    let findings = search.run()?;
    findings.map_or_else(|| Err(nothing(address)), Ok)
}

fn nothing(address: &Mailbox) -> Error {
    Error::NothingFound { domain: address.domain().to_owned() }
}

fn of_provider(
    provider: &'static Provider,
    source: Source,
    address: &Mailbox,
) -> Result<Findings, Error> {
    if provider.fetch.is_none() && provider.send.is_none() {
        let (name, instead) = (provider.name.to_owned(), provider.instead);
        return Err(Error::NoPop3 { name, instead });
    }
    let place = |endpoint: Option<Endpoint>, usual: [u16; 2]| {
        let Endpoint { host, port, tls } = endpoint?;
        let [implicit, starttls] = usual;
        let usual = if tls == Tls::Implicit { implicit } else { starttls };
        Some(Place { host: host.parse().ok()?, port: port.unwrap_or(usual), tls })
    };
    let user = match provider.login {
        LoginName::Address => address.as_str(),
        LoginName::LocalPart => address.local_part(),
    };
    Ok(Findings {
        source,
        fetch: place(provider.fetch, [995, 110]),
        send: place(provider.send, [465, 587]),
        user: user.to_owned(),
        wants_token: provider.password == Password::Token,
    })
}

/// A search under way.
struct Search<'a> {
    address: &'a Mailbox,
    domain: Domain,
    options: &'a Options<'a>,
    client: tls::Client,
    allowance: Allowance,
    report: &'a Report,
    stop: &'a Stop,
}

impl Search<'_> {
    fn run(&self) -> Result<Option<Findings>, Error> {
        for url in self.pages() {
            match self.page(url.clone()) {
                Ok(Servers { fetch: None, send: None }) => {
                    self.note(&format!("{url}: no server that postie could use"));
                }
                Ok(servers) => return Ok(Some(self.of_page(url, servers))),
                Err(error) => self.note(&format!("{url}: {error}")),
            }
        }
        let unanswered = match self.mx() {
            Ok(Some(findings)) => return Ok(Some(findings)),
            Ok(None) => {
                self.note("MX: no mail exchanger of a known provider");
                None
            }
            Err(error @ (Error::Net(_) | Error::Dns(_))) => {
                self.note(&format!("MX: {error}"));
                Some(error)
            }
            Err(error) => return Err(error),
        };
        if let Some(findings) = self.srv()? {
            return Ok(Some(findings));
        }
        self.note("SRV: no records of a mail server");
        // Without an answer of the domain name system nothing is known of what there is.
        match (self.names(), unanswered) {
            (None, Some(error)) => Err(error),
            (findings, _) => Ok(findings),
        }
    }

    fn note(&self, line: &str) {
        self.report.detail(format_args!("{line}"));
    }

    fn pages(&self) -> Vec<HttpsUrl> {
        let domain = &self.domain;
        let pages = [
            format!("https://autoconfig.{domain}/mail/config-v1.1.xml"),
            format!("https://{domain}/.well-known/autoconfig/mail/config-v1.1.xml"),
        ];
        pages.iter().filter_map(|url| url.parse().ok()).collect()
    }

    fn page(&self, url: HttpsUrl) -> Result<Servers, Error> {
        const TYPE: &str = "text/xml, application/xml";
        let bounds = self.allowance.bounds(PAGE);
        let connect = |url: &HttpsUrl| {
            let (host, port) = (url.host(), url.port());
            let tcp = net::connect_by(self.options.detours, host, port, None, bounds, self.stop)?;
            Ok::<_, Error>(self.client.handshake(tcp, host)?)
        };
        let (_, response) = http::get(url, TYPE, Redirects::AnyHost, connect)?;
        if !response.is_success() {
            return Err(Error::Page { reason: format!("status {}", response.status) });
        }
        let servers = Servers::read(&response.body, self.address);
        servers.map_err(|error| Error::Page { reason: error.to_string() })
    }

    fn of_page(&self, url: HttpsUrl, servers: Servers) -> Findings {
        let Servers { fetch, send } = servers;
        let place = |server: &autoconfig::Server| Place {
            host: server.host.clone(),
            port: server.port,
            tls: server.tls,
        };
        let of_both = [&fetch, &send];
        let user = of_both.iter().find_map(|server| Some(server.as_ref()?.user.clone()));
        let wants_token =
            of_both.iter().any(|server| server.as_ref().is_some_and(|it| it.wants_token));
        Findings {
            source: Source::Autoconfig(url),
            fetch: fetch.as_ref().map(place),
            send: send.as_ref().map(place),
            user: user.unwrap_or_else(|| self.address.to_string()),
            wants_token,
        }
    }

    fn mx(&self) -> Result<Option<Findings>, Error> {
        let records = match self.lookup(Kind::Mx, self.domain.as_str())? {
            Answer::Records(records) => records,
            Answer::NoSuchName => {
                let domain = self.domain.to_string();
                return Err(Error::NoSuchDomain { domain });
            }
            Answer::Truncated => return Ok(None),
        };
        let known = records.into_iter().find_map(|record| {
            let host = record.host?;
            Some((Provider::of_mx(host.as_str())?, host))
        });
        let Some((provider, host)) = known else { return Ok(None) };
        of_provider(provider, Source::Mx(host, provider), self.address).map(Some)
    }

    /// The servers of the domain's SRV records (RFC 6186). It is an error if they say that there are
    /// none, with the target `.` (RFC 2782).
    fn srv(&self) -> Result<Option<Findings>, Error> {
        let place = |services: [(&str, Tls); 2]| {
            let (services_asked, mut denied) = (services.len(), 0);
            let found = services.into_iter().find_map(|(service, tls)| {
                let name = format!("_{service}._tcp.{}", self.domain);
                match self.lookup(Kind::Srv, &name) {
                    Ok(Answer::Records(records)) => {
                        let is_denied = records.iter().all(|record| record.host.is_none());
                        denied += usize::from(is_denied && !records.is_empty());
                        records.into_iter().find_map(|record| {
                            let Record { host, port, .. } = record;
                            Some(Place { host: host?, port, tls }).filter(|place| place.port > 0)
                        })
                    }
                    Ok(_) => None,
                    Err(error) => {
                        self.note(&format!("{name}: {error}"));
                        None
                    }
                }
            });
            (found, denied == services_asked)
        };
        match (
            place([("pop3s", Tls::Implicit), ("pop3", Tls::Starttls)]),
            place([("submissions", Tls::Implicit), ("submission", Tls::Starttls)]),
        ) {
            ((None, true), (None, true)) => Err(Error::NoMail { domain: self.domain.to_string() }),
            ((fetch, _), (send, _)) => Ok(self.found(Source::Srv, fetch, send)),
        }
    }

    fn names(&self) -> Option<Findings> {
        let place = |names: &[&str], port| {
            names.iter().find_map(|name| {
                let host: Domain = format!("{name}.{}", self.domain).parse().ok()?;
                let bounds = self.allowance.bounds(NAME);
                let detours = self.options.detours;
                let tcp = net::connect_by(detours, &host, port, None, bounds, self.stop).ok()?;
                // What proves the name is its certificate.
                let stream = self.client.handshake(tcp, &host);
                stream.ok().map(|_| Place { host, port, tls: Tls::Implicit })
            })
        };
        let fetch = place(&["pop", "pop3", "mail"], 995);
        let send = place(&["smtp", "mail"], 465);
        self.found(Source::Names, fetch, send)
    }

    fn found(&self, source: Source, fetch: Option<Place>, send: Option<Place>) -> Option<Findings> {
        let user = self.address.to_string();
        let is_found = fetch.is_some() || send.is_some();
        is_found.then_some(Findings { source, fetch, send, user, wants_token: false })
    }

    /// Asks the resolvers in turn, and each again if there is time.
    fn lookup(&self, kind: Kind, name: &str) -> Result<Answer, Error> {
        let resolvers = match self.options.resolver {
            Some(resolver) => vec![resolver],
            None => resolvers(),
        };
        let allowance = self.allowance.part(LOOKUP);
        let mut last = Error::Dns(dns::Error::Failed);
        for resolver in resolvers.iter().chain(&resolvers) {
            let id = u16::try_from(getrandom::u32().unwrap_or_default() & 0xffff);
            let question = Question::new(id.unwrap_or_default(), kind, name);
            match ask(*resolver, &question, allowance, self.stop) {
                Ok(answer) => return Ok(answer),
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}

/// Asks one resolver: by UDP, and by TCP if the answer does not fit into a datagram (RFC 1035 §4.2).
fn ask(
    resolver: SocketAddr,
    question: &Question,
    allowance: Allowance,
    stop: &Stop,
) -> Result<Answer, Error> {
    const WAIT: Duration = Duration::from_millis(700);
    let octets = question.octets()?;
    // What is not an answer to this question is no reason to stop waiting for the right one.
    let read = |datagram: &[u8]| match question.answer(datagram) {
        Err(dns::Error::Another) => None,
        answer => Some(answer),
    };
    let answer = net::ask(resolver, &octets, allowance.part(WAIT), read)??;
    if answer != Answer::Truncated {
        return Ok(answer);
    }
    let reply = net::ask_by_stream(resolver, &octets, allowance.bounds(WAIT), stop)?;
    Ok(question.answer(&reply)?)
}

/// The resolvers of this machine.
fn resolvers() -> Vec<SocketAddr> {
    let text = File::open("/etc/resolv.conf")
        .and_then(|file| bounded::read_text(&file, RESOLV_CONF))
        .unwrap_or_default();
    let named = named_resolvers(&text);
    // Without any, one on this machine is meant (resolv.conf(5)).
    let local = || vec![SocketAddr::from(([127, 0, 0, 1], 53))];
    if named.is_empty() { local() } else { named }
}

fn named_resolvers(text: &str) -> Vec<SocketAddr> {
    let named = text.lines().filter_map(|line| {
        let mut words = line.split_ascii_whitespace();
        let address = words.next().filter(|word| *word == "nameserver").and(words.next())?;
        address.parse::<IpAddr>().ok()
    });
    named.take(RESOLVERS).map(|address| SocketAddr::new(address, 53)).collect()
}

fn is_below(host: &str, domain: &str) -> bool {
    let host = host.to_ascii_lowercase();
    let rest = host.strip_suffix(&domain.to_ascii_lowercase());
    rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;
    use std::thread;

    use super::*;

    #[test]
    fn an_answer_to_another_question_is_passed_over() {
        let resolver = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = resolver.local_addr().unwrap();
        let answering = thread::spawn(move || {
            let mut answer = [0; 512];
            let (length, from) = resolver.recv_from(&mut answer).unwrap();
            // The bit that tells an answer from a question (RFC 1035 §4.1.1).
            answer[2] |= 0x80;
            let mut another = answer;
            another[1] ^= 1;
            for octets in [another, answer] {
                resolver.send_to(&octets[..length], from).unwrap();
            }
        });
        let question = Question::new(7, Kind::Mx, "example.com");
        let answer = ask(address, &question, Allowance::of(IN_ALL), &Stop::default()).unwrap();
        assert_eq!(answer, Answer::Records(Vec::new()));
        answering.join().unwrap();
    }

    #[test]
    fn the_first_resolvers_of_this_machine_are_asked() {
        let text = "# nameserver 1.1.1.1\nsearch example\nnameserver 192.0.2.1\nnameserver fe80::1%eth0\n\
                    nameserver 2001:db8::1\nnameserver 192.0.2.3\n";
        let found: Vec<_> = named_resolvers(text).iter().map(ToString::to_string).collect();
        assert_eq!(found, ["192.0.2.1:53", "[2001:db8::1]:53"]);
    }

    #[test]
    fn a_host_is_below_a_domain_or_a_stranger() {
        assert!(
            is_below("mail.Example.com", "example.com") && is_below("example.com", "Example.com")
        );
        assert!(
            !is_below("notexample.com", "example.com")
                && !is_below("example.com.evil", "example.com")
        );
    }
}
