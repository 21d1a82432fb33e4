//! `postie setup`: from an address to a configuration that works. Prints the account's block; says
//! where it comes from, what to do first, and whether the servers answer. Asks for no password.

use std::path::Path;

use serde_json::json;

use crate::cli;
use crate::config::{self, Tls};
use crate::connect::Connector;
use crate::discovery::{Findings, Options, Place, discover};
use crate::error::{Error, Exit, Failure};
use crate::net::Stop;
use crate::pop3;
use crate::report::Report;
use crate::settings::{Job, Settings, Side};
use crate::smtp;
use crate::text::{Mailbox, shown};
use crate::tls::{Trust, TrustAnchor};
use crate::wire::Private;

/// Finds the servers of an address and says what to write where.
pub fn setup(
    settings: &Result<Settings, Error>,
    args: &cli::Setup,
    report: &Report,
    stop: &Stop,
) -> Exit {
    let outcome = match settings {
        Ok(settings) => Run { settings, args, report, stop }.run(),
        Err(error) => {
            report.failure(&failure(error));
            return error.into();
        }
    };
    match outcome {
        Ok(exit) => exit,
        Err(error) => {
            report.failure(&failure(&error));
            if report.is_json() {
                let object = json!({
                    "address": args.address.as_str(),
                    "status": Exit::from(&error).status(),
                    "error": error.to_string(),
                });
                if let Err(error) = report.answer(object) {
                    return Exit::from(&error);
                }
            }
            (&error).into()
        }
    }
}

fn failure(error: &Error) -> Failure<'_> {
    Failure { command: "setup", account: None, peer: None, error, lasting: None }
}

/// Finds the account of an address, which is in no file yet: its settings and its name. `one_off` says
/// what is to be different.
pub fn account_of(
    settings: &Settings,
    address: &Mailbox,
    (one_off, elsewhere): (&cli::OneOff, &cli::Elsewhere),
    report: &Report,
    stop: &Stop,
) -> Result<(Settings, String), Error> {
    let args = cli::Setup {
        address: address.clone(),
        account: None,
        write: false,
        offline: false,
        accept: Vec::new(),
        ca_file: one_off.ca_file.clone(),
        elsewhere: elsewhere.clone(),
    };
    let run = Run { settings, args: &args, report, stop };
    let findings = run.discover()?;
    run.print_note(&findings.source.describe());
    let strangers: Vec<_> = findings.strangers(address).iter().map(ToString::to_string).collect();
    if !strangers.is_empty() {
        return Err(Error::NotAccepted { hosts: strangers.join(" and ") });
    }
    let account = run.account();
    let cli::OneOff { password_file, password_command, .. } = one_off;
    let password = match (password_file, password_command) {
        (Some(file), _) => Some(("password-file", absolute(file))),
        (_, Some(line)) => Some(("password-command", line.clone())),
        (None, None) => None,
    };
    let block = run.block(&account, &findings, password.as_ref());
    Ok((settings.of_text(&block, elsewhere.connect_to.clone())?, account))
}

/// A path as it is from anywhere.
fn absolute(path: &Path) -> String {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).display().to_string()
}

struct Run<'a> {
    settings: &'a Settings,
    args: &'a cli::Setup,
    report: &'a Report,
    stop: &'a Stop,
}

impl Run<'_> {
    fn run(&self) -> Result<Exit, Error> {
        let cli::Setup { address, accept, offline, write, .. } = self.args;
        let mut findings = self.discover()?;
        self.print_note(&findings.source.describe());
        let account = self.account();
        let strangers = findings.strangers(address);
        let strangers: Vec<_> =
            strangers.into_iter().filter(|host| !accept.contains(host)).collect();
        let strangers: Vec<_> = strangers.into_iter().map(ToString::to_string).collect();
        if *write && !strangers.is_empty() {
            return Err(Error::NotAccepted { hosts: strangers.join(" and ") });
        }
        let mut exit = Exit::Done;
        // A server that no trusted source names is not contacted.
        if !offline && strangers.is_empty() {
            exit = self.walk(&account, &mut findings)?;
        }
        let block = self.block(&account, &findings, None);
        let block = if strangers.is_empty() { block } else { commented_out(&block) };
        for host in &strangers {
            self.print_note(&format!(
                "{host} is not of {}, and only an unsigned DNS answer names it: if your provider \
                 says so, use --accept {host}",
                address.domain()
            ));
        }
        let path = self.settings.own_config();
        let is_written = *write && exit == Exit::Done;
        if is_written {
            config::append(&path, &block).map_err(crate::settings::Error::from)?;
        }
        self.answer(&account, &findings, &block, is_written, exit)?;
        let mut todo = preparation(&findings);
        if !is_written && strangers.is_empty() {
            todo.push(format!(
                "write the lines to {}, or run this again with --write",
                path.display()
            ));
        }
        if strangers.is_empty() {
            todo.push(format!("postie check {account}"));
        }
        for (number, step) in todo.iter().enumerate() {
            self.print_note(&format!("{}. {step}", number + 1));
        }
        match findings.source.provider() {
            Some(provider) if provider.fetch.is_none() && exit == Exit::Done => {
                Err(Error::NoPop3 { name: provider.name, instead: provider.instead })
            }
            _ => Ok(exit),
        }
    }

    fn discover(&self) -> Result<Findings, Error> {
        let cli::Setup { address, ca_file, elsewhere, offline, .. } = self.args;
        let anchor = ca_file.clone().map_or(TrustAnchor::Webpki, TrustAnchor::CaFile);
        let trust = Trust { anchor, identity: None };
        let options = Options {
            resolver: elsewhere.dns,
            detours: &elsewhere.connect_to,
            trust: &trust,
            is_offline: *offline,
        };
        discover(address, &options, self.report, self.stop)
    }

    /// Prints a line for a person, beside the result.
    fn print_note(&self, line: &str) {
        self.report.info(format_args!("setup: {}", shown_line(line)));
    }

    /// Returns the account's name: the one given, or the first part of the domain.
    fn account(&self) -> String {
        let label = self.args.address.domain().split('.').next().unwrap_or_default();
        self.args.account.clone().unwrap_or_else(|| label.to_ascii_lowercase())
    }

    fn answer(
        &self,
        account: &str,
        findings: &Findings,
        block: &str,
        is_written: bool,
        exit: Exit,
    ) -> Result<(), Error> {
        if !self.report.is_json() {
            return self.report.answer(block.trim_end());
        }
        let mut object = findings.object();
        if let Some(object) = object.as_object_mut() {
            object.insert("address".to_owned(), json!(self.args.address.as_str()));
            object.insert("account".to_owned(), json!(account));
            object.insert("config".to_owned(), json!(block));
            object.insert("written".to_owned(), json!(is_written));
            object.insert("first".to_owned(), json!(preparation(findings)));
            object.insert("status".to_owned(), json!(exit.status()));
        }
        self.report.answer(object)
    }

    /// The account as it stands in a configuration file.
    fn block(
        &self,
        account: &str,
        findings: &Findings,
        password: Option<&(&str, String)>,
    ) -> String {
        let cli::Setup { address, ca_file, .. } = self.args;
        let Findings { source, fetch, send, user, wants_token } = findings;
        let name = key(account);
        let mut block = format!("# {address}: {}\n[account.{name}]\n", source.describe());
        let mut fetch = fetch.as_ref();
        let mut send = send.as_ref();
        // One server with the usual ports stands for both sides.
        if let (Some(one), Some(other)) = (fetch, send)
            && (&one.host, one.tls) == (&other.host, other.tls)
            && is_usual(one, Side::Fetch)
            && is_usual(other, Side::Send)
        {
            block += &server(one, Side::Fetch);
            (fetch, send) = (None, None);
        }
        block += &format!("user = {}\n", config::quoted(user));
        if let Some(file) = ca_file {
            block += &format!("ca-file = {}\n", config::quoted(&absolute(file)));
        }
        if let Some((key, value)) = password {
            block += &format!("{key} = {}\n", config::quoted(value));
        }
        block += if password.is_some() {
            ""
        } else if *wants_token {
            "# token-command = \"...\"       # prints an OAuth 2.0 access token\n"
        } else {
            "# password-command = \"...\"    # prints the password; without it, you are asked for it\n"
        };
        if let Some(place) = fetch {
            block += &format!("\n[account.{name}.fetch]\n{}", server(place, Side::Fetch));
        }
        let needs_from = user != address.as_str();
        if send.is_some() || needs_from {
            block += &format!("\n[account.{name}.send]\n");
        }
        if let Some(place) = send {
            block += &server(place, Side::Send);
        }
        if needs_from {
            block += &format!("from = {}\n", config::quoted(address.as_str()));
        }
        block
    }

    /// Goes to each server as far as it tells what it offers. No login, no password.
    fn walk(&self, account: &str, findings: &mut Findings) -> Result<Exit, Error> {
        let block = self.block(account, findings, None);
        let detours = self.args.elsewhere.connect_to.clone();
        let settings = self.settings.of_text(&block, detours)?;
        let mut exit = Exit::Done;
        for side in [Side::Fetch, Side::Send] {
            let place = if side == Side::Fetch { &findings.fetch } else { &findings.send };
            if place.is_none() {
                self.print_note(&format!("no server to {} with was found", side.purpose()));
                continue;
            }
            let job = settings.checked_job(account, side)?;
            match self.offered(&job) {
                Ok(ways) => {
                    let words = ways.join(" ");
                    self.print_note(&format!(
                        "{} answers, and its certificate holds; it offers {words}",
                        job.peer()
                    ));
                    let offers =
                        |known: &[&str]| ways.iter().any(|way| known.contains(&way.as_str()));
                    findings.wants_token |= offers(&["XOAUTH2", "OAUTHBEARER"])
                        && !offers(&["USER", "PLAIN", "LOGIN", "SCRAM-SHA-1", "SCRAM-SHA-256"]);
                }
                Err(error) => {
                    let peer = Some(job.peer());
                    let failure = Failure {
                        command: "setup",
                        account: None,
                        peer,
                        error: &error,
                        lasting: None,
                    };
                    self.report.failure(&failure);
                    if exit == Exit::Done {
                        exit = (&error).into();
                    }
                }
            }
        }
        Ok(exit)
    }

    /// The ways to log in that the server offers.
    fn offered(&self, job: &Job) -> Result<Vec<String>, Error> {
        let peer = job.peer();
        let way = Connector::to(peer, self.report, self.stop)?;
        let tcp = way.tcp()?;
        let trace = || self.report.trace(Some(job.side().purpose()));
        let secured = |tcp| -> Result<Box<dyn Private>, Error> { way.tls(tcp) };
        match job {
            Job::Fetch(_) => {
                use pop3::{Approach, Session};
                let session = if peer.tls == Tls::Implicit {
                    Session::open(secured(tcp)?, trace(), Approach::cautious())?
                } else {
                    let session = Session::open(tcp, trace(), Approach::cautious())?;
                    session.stls(secured, Approach::cautious())?
                };
                let offered = session.offered();
                let user = offered.user.then(|| "USER".to_owned());
                Ok(user.into_iter().chain(offered.sasl.iter().cloned()).collect())
            }
            Job::Send(job) => {
                use smtp::Session;
                let session = if peer.tls == Tls::Implicit {
                    Session::open(secured(tcp)?, job.ehlo_name.clone(), trace())?
                } else {
                    let session = Session::open(tcp, job.ehlo_name.clone(), trace())?;
                    session.starttls(secured)?
                };
                Ok(session.offered().auth.clone())
            }
        }
    }
}

/// Returns the steps before the first login.
fn preparation(findings: &Findings) -> Vec<String> {
    const TOKEN: &str = "set `token-command` to a program that prints an OAuth 2.0 access token: \
                         the server takes no passwords";
    match findings.source.provider() {
        Some(provider) => provider.preparation(),
        None if findings.wants_token => vec![TOKEN.to_owned()],
        None => Vec::new(),
    }
}

/// Text on one line.
fn shown_line(text: &str) -> String {
    text.split(['\r', '\n']).map(shown).collect::<Vec<_>>().join(" ")
}

/// A key as it is written: bare if it can be.
fn key(name: &str) -> String {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if !name.is_empty() && name.chars().all(is_bare) {
        name.to_owned()
    } else {
        config::quoted(name)
    }
}

fn is_usual(place: &Place, side: Side) -> bool {
    side.default_ports().ports().contains(&(place.port, place.tls))
}

/// The keys that name a server.
fn server(place: &Place, side: Side) -> String {
    let Place { host, port, tls } = place;
    let mut keys = format!("server = {}\n", config::quoted(host.as_str()));
    if !is_usual(place, side) {
        keys += &format!("port = {port}\n");
    }
    if *tls != Tls::Implicit {
        keys += &format!("tls = {}\n", config::quoted(tls.name()));
    }
    keys
}

fn commented_out(block: &str) -> String {
    block
        .lines()
        .map(|line| if line.is_empty() { "#\n".to_owned() } else { format!("# {line}\n") })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_may_have_any_name() {
        assert_eq!(key("home"), "home");
        assert_eq!(key("a.b"), "\"a.b\"");
        assert_eq!(key(""), "\"\"");
    }
}
