//! `postie login`: a person logs in by OAuth 2.0 once, with a browser on this machine or on another,
//! so that every later run has tokens by itself. Never begins without a terminal.

mod browser;

use std::io::{self, IsTerminal as _};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use serde_json::json;

use self::browser::Browser;
use crate::cli;
use crate::error::{Error, Exit, Failure};
use crate::limits;
use crate::net::Stop;
use crate::oauth::{self, Grant, Proof, Returned};
use crate::password::{self, Source};
use crate::report::Report;
use crate::settings::Settings;
use crate::steps::{self, Depth};
use crate::text::{Secret, shown};
use crate::token::{self, Access, Login};

/// Logs an account in and walks its steps, or forgets its login.
pub fn login(settings: &Settings, args: &cli::Login, report: &Report, stop: &Stop) -> Exit {
    let account = match settings.login_account(args.account.as_deref()) {
        Ok(account) => account,
        Err(error) => return refuse(report, args.account.as_deref(), &error.into()),
    };
    match run(settings, &account, args, report, stop) {
        Ok(()) if args.forget => Exit::Done,
        Ok(()) => {
            // What waits for a login needs to wait no longer.
            for outbox in settings.outboxes() {
                outbox.login_accepted(&account);
            }
            // Whether the mail servers take the new token.
            let accounts = vec![account];
            match settings.checks(&cli::Check { accounts, ..cli::Check::default() }) {
                Ok(checks) => steps::walk(checks, Depth::Login, report, stop),
                Err(error) => steps::fail("configuration", error.into(), None, report),
            }
        }
        Err(error) => refuse(report, Some(&account), &error),
    }
}

fn refuse(report: &Report, account: Option<&str>, error: &Error) -> Exit {
    let failure = Failure { command: "login", account, peer: None, error, lasting: None };
    report.sole_failure(&failure);
    error.into()
}

fn run(
    settings: &Settings,
    account: &str,
    args: &cli::Login,
    report: &Report,
    stop: &Stop,
) -> Result<(), Error> {
    for source in settings.logins(account)? {
        let Source::Login { login, secret } = source else { continue };
        let (login, run) = (Arc::clone(&login), report.token_run(stop));
        let sentence = if args.forget {
            let was_kept = login.forget().map_err(password::Error::from)?;
            let what = if was_kept { "the login is forgotten" } else { "there was no login" };
            format!("{account}: {what} at {}", login.host())
        } else {
            let secret = secret.as_ref().map(|secret| secret.client_secret());
            let secret = secret.transpose()?;
            let access = match login.client.grant {
                Grant::ClientCredentials => {
                    let access = login.access(None, &run, || Ok::<_, token::Error>(secret));
                    access.map_err(password::Error::from)?
                }
                Grant::Code => {
                    let person = Person { login: &login, secret: secret.as_ref(), report };
                    Some(person.log_in(args.device, &run).map_err(password::Error::from)?)
                }
            };
            let left = access.map(|access| access.left()).unwrap_or_default();
            format!("{account}: logged in at {} (a token for {left} s)", login.host())
        };
        let object = || {
            let host = login.host();
            json!({ "account": account, "user": login.user, "host": host, "forgotten": args.forget })
        };
        report.result(Some(&sentence), object)?;
    }
    Ok(())
}

/// The person who logs in.
struct Person<'a> {
    login: &'a Login,
    secret: Option<&'a Secret>,
    report: &'a Report,
}

impl Person<'_> {
    fn log_in(&self, by_device: bool, run: &token::Run) -> Result<Access, token::Error> {
        if !io::stdin().is_terminal() && !io::stderr().is_terminal() {
            return Err(token::Error::Nobody);
        }
        if by_device { self.by_device(run) } else { self.by_browser(run) }
    }

    /// The authorization code grant, whose answer comes back to this machine by itself, or is typed.
    fn by_browser(&self, run: &token::Run) -> Result<Access, token::Error> {
        let Self { login, secret, report } = *self;
        let mut beginning = login.begin(run)?;
        let host = || login.host();
        let endpoint = beginning.endpoints().authorize.clone();
        let endpoint = endpoint.ok_or_else(|| token::Error::NoBrowser { host: host() })?;
        let (state, proof) = (oauth::state(random()?), Proof::new(random()?));
        let mut browser = Browser::listen(&login.client.redirect).map_err(token::Error::Listen)?;
        let redirect = login.client.redirect.at(browser.port());
        let url = login.client.authorization(&endpoint, &login.user, &redirect, &state, &proof);
        report.say(format_args!(
            "Open this address in a browser, and log in as {}:",
            shown(&login.user)
        ));
        report.say("");
        report.say(url);
        report.say("");
        report.say(
            "If the browser is on another machine, it ends at a page that it cannot show: paste the \
             address of that page here.",
        );
        let mut clock = report.stopwatch();
        let mut left = limits::LOGIN.as_millis();
        let returned = loop {
            left = left.saturating_sub(u128::from(clock.lap()));
            if left == 0 {
                let seconds = limits::LOGIN.as_secs();
                return Err(token::Error::NotInTime { seconds, last: None });
            }
            let wait = Duration::from_millis(u64::try_from(left).unwrap_or(u64::MAX));
            let read = |target: &str| {
                Returned::read(target, &login.client.redirect, &state, beginning.endpoints())
            };
            let pasted = |text: &str| {
                Returned::pasted(text, &login.client.redirect, &state, beginning.endpoints())
            };
            match browser.wait(wait, read, pasted).map_err(token::Error::Listen)? {
                Some(Ok(returned)) => break returned,
                Some(Err(unexpected)) => report.say(format_args!("{unexpected}; still waiting")),
                None => {}
            }
        };
        drop(browser);
        let code = match returned {
            Returned::Code(code) => code,
            Returned::Refused(refusal) => {
                return Err(token::Error::refused(
                    &endpoint,
                    refusal,
                    &[Some(proof.verifier()), secret],
                ));
            }
        };
        let form = login.client.code_form(&code, &redirect, &proof, secret);
        let sent = [Some(&code), Some(proof.verifier()), secret];
        beginning.exchange(form, &sent)?.map_err(|_| {
            let what = "expected a token, found the answer to a device's code".to_owned();
            token::Error::Protocol { host: host(), error: oauth::Error::Malformed(what) }
        })
    }

    /// The device grant: a code that is typed into a page on any machine.
    fn by_device(&self, run: &token::Run) -> Result<Access, token::Error> {
        let Self { login, secret, report } = *self;
        let mut beginning = login.begin(run)?;
        let endpoint = beginning.endpoints().device.clone();
        let endpoint = endpoint.ok_or_else(|| token::Error::NoDevice { host: login.host() })?;
        let device = beginning.device_code(&endpoint, secret)?;
        report
            .say(format_args!("Open {} in any browser, and enter this code:", shown(&device.uri)));
        report.say("");
        report.say(format_args!("    {}", shown(&device.user_code)));
        report.say("");
        let (mut interval, mut waited, mut last) = (device.interval, 0, None);
        while waited < device.lifetime {
            thread::sleep(Duration::from_secs(interval));
            waited += interval;
            let form = login.client.device_code_form(&device.code, secret);
            match beginning.exchange(form, &[Some(&device.code), secret]) {
                Ok(Ok(access)) => return Ok(access),
                Ok(Err(slower)) => {
                    interval += slower;
                    last = None;
                }
                // A connection that fails is no answer (RFC 8628 §3.5).
                Err(error @ (token::Error::Unreached { .. } | token::Error::Later { .. })) => {
                    interval *= 2;
                    last = Some(Box::new(error));
                }
                Err(error) => return Err(error),
            }
        }
        Err(token::Error::NotInTime { seconds: device.lifetime, last })
    }
}

fn random<const LENGTH: usize>() -> Result<[u8; LENGTH], token::Error> {
    let mut octets = [0; LENGTH];
    getrandom::fill(&mut octets).map_err(|_| token::Error::Random)?;
    Ok(octets)
}
