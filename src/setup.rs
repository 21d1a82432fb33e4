//! `postie setup`: from an address to a configuration that works. Prints the account's block; says
//! where it comes from, what to do first, and whether the servers answer. Asks for no password.

use std::borrow::Cow;

use serde_json::json;

use crate::cli;
use crate::config;
use crate::discovery::account::Account;
use crate::discovery::{Findings, Options, Source, discover};
use crate::error::{Error, Exit, Failure};
use crate::net::Stop;
use crate::report::{ErrorObject, Report};
use crate::settings::{self, Settings, Side};
use crate::steps;
use crate::text::shown;
use crate::tls::{Trust, TrustAnchor};

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
            report.sole_failure(&failure(error));
            return error.into();
        }
    };
    outcome.unwrap_or_else(|error| {
        report.sole_failure(&failure(&error));
        (&error).into()
    })
}

fn failure(error: &Error) -> Failure<'_> {
    Failure { command: "setup", account: None, peer: None, error, lasting: None }
}

struct Run<'a> {
    settings: &'a Settings,
    args: &'a cli::Setup,
    report: &'a Report,
    stop: &'a Stop,
}

impl Run<'_> {
    fn run(&self) -> Result<Exit, Error> {
        let cli::Setup { address, accept, ca_file, offline, write, .. } = self.args;
        let mut account = Account::new(address, self.discover()?);
        account.ca_file.clone_from(ca_file);
        if let Some(name) = &self.args.account {
            account.name.clone_from(name);
        }
        self.print_note(&account.findings.source.describe());
        let strangers = account.findings.strangers(address).into_iter();
        let strangers: Vec<_> = strangers.filter(|host| !accept.contains(host)).cloned().collect();
        let hosts: Vec<_> = strangers.iter().map(ToString::to_string).collect();
        let not_accepted = Error::NotAccepted { hosts: hosts.join(" and ") };
        if *write && !strangers.is_empty() {
            return Err(not_accepted);
        }
        // A server that no trusted source names is not contacted.
        let walked =
            if *offline || !strangers.is_empty() { Exit::Done } else { self.walk(&mut account)? };
        let (source, fetch) = (&account.findings.source, &account.findings.fetch);
        let lack = match source.provider() {
            _ if walked != Exit::Done => None,
            _ if !strangers.is_empty() => Some(not_accepted),
            Some(provider) if provider.fetch.is_none() => {
                Some(Error::NoPop3 { name: provider.name.to_owned(), instead: provider.instead })
            }
            None if fetch.is_none() && matches!(source, Source::Autoconfig(_)) => {
                let instead = "it publishes no server that postie could fetch from";
                Some(Error::NoPop3 { name: address.domain().to_owned(), instead })
            }
            _ => None,
        };
        let block = account.block();
        let block = if strangers.is_empty() { block } else { commented_out(&block) };
        for host in &strangers {
            self.print_note(&format!(
                "{host} is outside {}, and only an unsigned DNS answer names it: if your provider \
                 names it, too, use --accept {host}",
                address.domain()
            ));
        }
        let path = self.settings.own_config();
        let is_written = *write && walked == Exit::Done;
        if is_written {
            config::append(&path, &block).map_err(settings::Error::from)?;
            self.print_note(&format!("the account was written to {}", path.display()));
        }
        let exit = lack.as_ref().map_or(walked, Exit::from);
        self.answer(&account, &block, is_written, exit, lack.as_ref())?;
        let mut todo = preparation(&account.findings);
        if !is_written && strangers.is_empty() {
            let again = if *write {
                "nothing was written: when the servers answer, run this again, or write the lines to"
            } else {
                "run this again with --write, or write the lines to"
            };
            todo.push(format!("{again} {}", path.display()));
        }
        if strangers.is_empty() {
            todo.push(format!("postie check {}", as_word(&account.name)));
        }
        for (number, step) in todo.iter().enumerate() {
            self.print_note(&format!("{}. {step}", number + 1));
        }
        if let Some(error) = &lack {
            self.report.failure(&failure(error));
        }
        Ok(exit)
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

    fn answer(
        &self,
        account: &Account,
        block: &str,
        is_written: bool,
        exit: Exit,
        lack: Option<&Error>,
    ) -> Result<(), Error> {
        if !self.report.is_json() {
            return self.report.answer(block.trim_end());
        }
        let mut object = account.findings.object();
        if let Some(object) = object.as_object_mut() {
            object.insert("address".to_owned(), json!(self.args.address.as_str()));
            object.insert("account".to_owned(), json!(account.name));
            object.insert("config".to_owned(), json!(block));
            object.insert("written".to_owned(), json!(is_written));
            object.insert("first".to_owned(), json!(preparation(&account.findings)));
            object.insert("status".to_owned(), json!(exit.status()));
            let error = lack.map(|error| ErrorObject::new(exit, error));
            object.insert("error".to_owned(), json!(error));
        }
        self.report.object(&object)
    }

    /// Walks each server's steps as far as it tells what it offers. No login, no password.
    fn walk(&self, account: &mut Account) -> Result<Exit, Error> {
        let detours = self.args.elsewhere.connect_to.clone();
        let settings = self.settings.of_text(&account.block(), detours)?;
        let findings = &mut account.findings;
        let mut exit = Exit::Done;
        for side in [Side::Fetch, Side::Send] {
            let place = if side == Side::Fetch { &findings.fetch } else { &findings.send };
            if place.is_none() {
                self.print_note(&format!("no server to {} with was found", side.purpose()));
                continue;
            }
            let job = settings.checked_job(&account.name, side)?;
            let peer = job.peer();
            match steps::offered(&job, self.report, self.stop) {
                Ok(ways) => {
                    let words = ways.join(" ");
                    self.print_note(&format!(
                        "{peer} answers, and its certificate is valid; it offers {words}"
                    ));
                    let offers =
                        |known: &[&str]| ways.iter().any(|way| known.contains(&way.as_str()));
                    findings.wants_token |= offers(&["XOAUTH2", "OAUTHBEARER"])
                        && !offers(&["USER", "PLAIN", "LOGIN", "SCRAM-SHA-1", "SCRAM-SHA-256"]);
                }
                Err(broken) => {
                    let failure = Failure { peer: Some(peer), ..failure(&broken.error) };
                    self.report.warn(format_args!("{failure}{}", broken.beside));
                    self.report.hint(broken.hint(Some(peer)));
                    if exit == Exit::Done {
                        exit = Exit::from(&*broken.error);
                    }
                }
            }
        }
        Ok(exit)
    }
}

/// Returns the steps before the first login.
fn preparation(findings: &Findings) -> Vec<String> {
    const TOKEN: &str = "set `oauth`, see postie-login(1): the server accepts no passwords";
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

fn commented_out(block: &str) -> String {
    block
        .lines()
        .map(|line| if line.is_empty() { "#\n".to_owned() } else { format!("# {line}\n") })
        .collect()
}
/// Text as one word for a shell.
fn as_word(text: &str) -> Cow<'_, str> {
    let is_plain = |c: char| c.is_alphanumeric() || "@%+=:,./-_".contains(c);
    if text.chars().all(is_plain) {
        return text.into();
    }
    format!("'{}'", text.replace('\'', "'\\''")).into()
}
