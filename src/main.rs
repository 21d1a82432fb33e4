//! Runs one command and exits with its status.

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;
use clap::error::ErrorKind;

use postie::cli::{Args, Command, Global, OneOff};
use postie::error::{Error, Exit, Failure};
use postie::fetch::fetch;
use postie::report::{self, Report};
use postie::send::send;
use postie::settings::Settings;

fn main() -> ExitCode {
    let exit = match Args::try_parse() {
        Ok(args) => run(&args),
        Err(error) => refuse_arguments(&error),
    };
    drop(std::io::stdout().flush());
    ExitCode::from(exit.status())
}

/// What was asked for in place of a run, or why there is none.
fn refuse_arguments(error: &clap::Error) -> Exit {
    match error.kind() {
        // Whoever reads may have read enough.
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            drop(error.print());
            Exit::Done
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            drop(error.print());
            Exit::Usage
        }
        _ => {
            report::usage(&error.to_string());
            Exit::Usage
        }
    }
}

fn run(args: &Args) -> Exit {
    let report = Report::new(&args.global);
    match &args.command {
        Command::Fetch(fetching) => {
            let jobs = settings(&args.global, &fetching.one_off)
                .and_then(|settings| Ok(settings.fetch_jobs(fetching)?));
            match jobs {
                Ok(jobs) => {
                    jobs.iter().fold(Exit::Done, |worst, job| worst.worse(fetch(job, &report)))
                }
                Err(error) => refuse(&report, "fetch", &error),
            }
        }
        Command::Send(sending) => match settings(&args.global, &sending.one_off) {
            Ok(settings) => send(&settings, sending, &report),
            Err(error) => refuse(&report, "send", &error),
        },
    }
}

fn settings(global: &Global, one_off: &OneOff) -> Result<Settings, Error> {
    Ok(Settings::load(global, one_off)?)
}

fn refuse(report: &Report, command: &'static str, error: &Error) -> Exit {
    report.failure(&Failure { command, account: None, peer: None, error });
    error.into()
}
