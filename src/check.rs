//! `postie check`: walks the steps of each account and reports them. A word that is an address and no
//! account stands for the servers that are found for it. Writes nothing but with --save.

use crate::cli;
use crate::config;
use crate::discovery::account::{Account, absolute};
use crate::discovery::{Options, discover};
use crate::error::{Error, Exit};
use crate::net::Stop;
use crate::report::Report;
use crate::settings::{self, Settings};
use crate::steps::{self, Depth};
use crate::text::Mailbox;
use crate::tls::{Trust, TrustAnchor};

/// Checks what `args` name and reports each step. The status is that of the first that failed.
pub fn check(
    settings: Result<Settings, Error>,
    args: &cli::Check,
    report: &Report,
    stop: &Stop,
) -> Exit {
    match settings {
        Ok(settings) => check_words(&settings, args, report, stop),
        Err(error) => steps::fail("configuration", error, None, report),
    }
}

/// Checks the accounts that are named, by themselves or by an address, and the servers for each address
/// that no account has.
fn check_words(settings: &Settings, args: &cli::Check, report: &Report, stop: &Stop) -> Exit {
    let (mut accounts, mut strange) = (Vec::new(), Vec::new());
    for word in &args.accounts {
        let address = word.parse::<Mailbox>().ok().filter(|_| !settings.has_account(word));
        let Some(address) = address else {
            accounts.push(word.clone());
            continue;
        };
        // What is to be saved is another account.
        let mut found = if args.save { Vec::new() } else { settings.accounts_of(&address) };
        if found.is_empty() {
            strange.push(address);
        }
        found.retain(|name| !accounts.contains(name));
        accounts.append(&mut found);
    }
    let mut exit = Exit::Done;
    if strange.is_empty() || !accounts.is_empty() {
        let args = cli::Check { accounts, ..args.clone() };
        exit = check_accounts(settings, &args, report, stop);
    }
    for address in strange {
        let this = check_address(settings, &address, args, report, stop);
        if exit == Exit::Done {
            exit = this;
        }
    }
    exit
}

/// Checks the servers that are found for an address.
fn check_address(
    settings: &Settings,
    address: &Mailbox,
    args: &cli::Check,
    report: &Report,
    stop: &Stop,
) -> Exit {
    let cli::OneOff { password_file, password_command, ca_file, .. } = &args.one_off;
    let anchor = ca_file.clone().map_or(TrustAnchor::Webpki, TrustAnchor::CaFile);
    let trust = Trust { anchor, identity: None };
    let options = Options {
        resolver: args.elsewhere.dns,
        detours: &args.elsewhere.connect_to,
        trust: &trust,
        is_offline: false,
    };
    let findings = match discover(address, &options, report, stop) {
        Ok(findings) => findings,
        Err(error) => return steps::fail("configuration", error, None, report),
    };
    report.info(format_args!("check: {}", findings.source.describe()));
    let strangers: Vec<_> = findings.strangers(address).iter().map(ToString::to_string).collect();
    if !strangers.is_empty() {
        let accept = strangers.join(" --accept ");
        let hint = format!(
            "if your provider confirms it, run `postie setup {address} --accept {accept} --write` \
             first"
        );
        let error = Error::NotAccepted { hosts: strangers.join(" and ") };
        return steps::fail("configuration", error, Some(hint), report);
    }
    let password = match (password_file, password_command) {
        (Some(file), _) => Some(("password-file", absolute(file))),
        (_, Some(line)) => Some(("password-command", line.clone())),
        (None, None) => None,
    };
    let ca_file = ca_file.clone();
    let mut account = Account { ca_file, password, ..Account::new(address, findings) };
    if !args.save {
        account.name = settings.free_name(&account.name);
    }
    let found = settings.of_text(&account.block(), args.elsewhere.connect_to.clone());
    match found {
        Ok(found) => {
            let args = cli::Check { accounts: vec![account.name], ..args.clone() };
            check_accounts(&found, &args, report, stop)
        }
        Err(error) => steps::fail("configuration", error.into(), None, report),
    }
}

/// Checks accounts, and keeps or shows what is in no file yet and works.
fn check_accounts(settings: &Settings, args: &cli::Check, report: &Report, stop: &Stop) -> Exit {
    let checks = match settings.checks(args) {
        Ok(checks) => checks,
        Err(error) => return steps::fail("configuration", error.into(), None, report),
    };
    let block = settings.permanent(args, &checks);
    let depth = if args.probe_sender { Depth::Sender } else { Depth::Login };
    let exit = steps::walk(checks, depth, report, stop);
    let Some(block) = block.filter(|_| exit == Exit::Done) else { return exit };
    match keep(settings, &block, args, report) {
        Ok(()) => exit,
        Err(error) => steps::fail("output", error, None, report),
    }
}

/// Adds an account to the configuration file with --save; shows it otherwise.
fn keep(settings: &Settings, block: &str, args: &cli::Check, report: &Report) -> Result<(), Error> {
    let path = settings.own_config();
    if !args.save {
        let path = path.display();
        return report
            .block(&format!("To keep this account (or use --save), write to {path}:\n\n{block}"));
    }
    config::append(&path, block).map_err(settings::Error::from)?;
    report.info(format_args!("check: the account was written to {}", path.display()));
    Ok(())
}
