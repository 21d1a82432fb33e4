//! Runs one command and exits with its status.

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::thread;

use clap::Parser as _;
use clap::error::ErrorKind;
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGXFSZ};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;

use postie::check::check;
use postie::cli::sendmail::{self, Invocation};
use postie::cli::{self, Args, Command, Global, InvokedAs, OneOff};
use postie::error::{Error, Exit, Failure};
use postie::fetch::fetch;
use postie::import::import;
use postie::install::{completions, install, man, names};
use postie::login::login;
use postie::memory;
use postie::net::Stop;
use postie::password;
use postie::program;
use postie::queue::{flush_due, queue};
use postie::report::{self, Report};
use postie::send::smtp_input::speak;
use postie::send::{send, send_later};
use postie::settings::Settings;
use postie::setup::setup;
use postie::submission::SmtpSession;
use postie::submit_server::{listen, submit_server};

fn main() -> ExitCode {
    memory::make_private();
    let words: Vec<_> = std::env::args_os().collect();
    let is_json = wants_json(&words);
    let exit = match sendmail::parse(words) {
        Invocation::Args(invoked_as, words) => parse(invoked_as, words, is_json, |_| ()),
        Invocation::Smtp(invoked_as, words) => parse(invoked_as, words, is_json, |args| {
            if let Command::Send(sending) = &mut args.command {
                sending.speaks_smtp = true;
            }
        }),
        Invocation::Aliases(config) => check_aliases(config),
        Invocation::Refused(why) => {
            report::usage_error(&why);
            if is_json {
                report::misuse_object(&why);
            }
            Exit::Usage
        }
    };
    drop(io::stdout().flush());
    ExitCode::from(exit.status())
}

/// There are no aliases to compile: a wrong line of theirs is reported, as others report it then.
fn check_aliases(config: Option<PathBuf>) -> Exit {
    let global = Global { invoked_as: InvokedAs::Sendmail, config, ..Global::default() };
    match settings(&global, &OneOff::default()) {
        Ok(_) => Exit::Done,
        Err(error) => refuse(&Report::new(&global), "newaliases", None, &error),
    }
}

/// Returns whether JSON is wanted, even by a wrong command line. The words of a caller of sendmail
/// may be a stranger's, so they do not count.
fn wants_json(words: &[OsString]) -> bool {
    let is_ours = sendmail::invoked_as(words) == InvokedAs::Postie;
    let mut options = words.iter().take_while(|word| *word != "--");
    is_ours && options.any(|word| word == "--json")
}

/// Runs what the words say, with what else is known of it.
fn parse(
    invoked_as: InvokedAs,
    words: Vec<OsString>,
    is_json: bool,
    complete: impl FnOnce(&mut Args),
) -> Exit {
    let is_option_first =
        words.get(1).is_some_and(|word| word.as_encoded_bytes().starts_with(b"-"));
    match Args::try_parse_from(words) {
        Ok(mut args) => {
            args.global.invoked_as = invoked_as;
            complete(&mut args);
            run(&args)
        }
        Err(error) => {
            let exit = refuse_arguments(&error, is_json);
            let is_misplaced = error.kind() == ErrorKind::UnknownArgument
                && is_option_first
                && !error.to_string().contains("tip: ");
            if is_misplaced && invoked_as == InvokedAs::Postie {
                let hint = "an option of a command follows its name, as in `postie send -t`";
                Report::new(&Global::default()).hint(Some(hint.to_owned()));
            }
            exit
        }
    }
}

/// Prints what clap answers in place of a run: help, the version, or a usage error.
fn refuse_arguments(error: &clap::Error, is_json: bool) -> Exit {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            let printed = error.print().and_then(|()| io::stdout().flush());
            match report::written(printed) {
                Ok(()) => Exit::Done,
                Err(error) => refuse(&Report::new(&Global::default()), "help", None, &error),
            }
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            drop(error.print());
            Exit::Usage
        }
        _ => {
            report::usage(&error.to_string());
            if is_json {
                report::misuse_object(&error.to_string());
            }
            Exit::Usage
        }
    }
}

fn run(args: &Args) -> Exit {
    let report = match &args.command {
        Command::Send(sending) if sending.speaks_smtp => {
            Report::new(&args.global).without_results()
        }
        _ => Report::new(&args.global),
    };
    let interrupted = Interrupted::default();
    let stop = match interrupted.watch() {
        Ok(stop) => stop,
        Err(error) => return refuse(&report, "start", None, &error),
    };
    let exit = match &args.command {
        Command::Fetch(fetching) => {
            let prepared = settings(&args.global, &fetching.one_off).and_then(|settings| {
                let jobs = settings.each_fetch_job(fetching)?;
                Ok((settings, jobs))
            });
            match prepared {
                Ok((settings, jobs)) => {
                    let at_once = fetching.jobs.map(usize::from);
                    let then = |account: &str| flush_due(&settings, account, None, &report, &stop);
                    let (mut complete, mut exit) = (Vec::with_capacity(jobs.len()), Exit::Done);
                    for (account, job) in jobs {
                        match job {
                            Ok(job) => complete.push(job),
                            Err(error) => {
                                let (command, account) = ("fetch", account.as_deref());
                                exit = exit.worse(refuse(&report, command, account, &error.into()));
                            }
                        }
                    }
                    exit.worse(fetch(&complete, at_once, &report, &stop, then))
                }
                Err(error) => refuse(&report, "fetch", None, &error),
            }
        }
        Command::Send(sending) => {
            let load = || match settings(&args.global, &sending.one_off) {
                Ok(settings) => (Ok(settings), None),
                // What a caller of sendmail names is refused as ever.
                Err(error) => match Settings::without_file(&args.global) {
                    Ok(settings) if !names_file_to_sendmail(&args.global) => {
                        (Ok(settings), Some(error))
                    }
                    _ => (Err(error), None),
                },
            };
            let flush = |settings: &Settings, account: &str, session: SmtpSession| {
                flush_due(settings, account, Some(session), &report, &stop);
            };
            let exit = if sending.speaks_smtp {
                speak(load, &report, &stop, flush)
            } else {
                match load() {
                    (Ok(settings), None) => {
                        send(&settings, sending, &report, &stop, |name, session| {
                            flush(&settings, name, session);
                        })
                    }
                    (Ok(settings), Some(error)) => {
                        send_later(&settings, sending, error, &report, &stop, |name, session| {
                            flush(&settings, name, session);
                        })
                    }
                    (Err(error), _) => refuse(&report, "send", None, &error),
                }
            };
            match (args.global.invoked_as, exit) {
                // To callers of sendmail this status says that the message waits in a queue.
                (InvokedAs::Sendmail, Exit::Later) => Exit::Missing,
                _ => exit,
            }
        }
        Command::Queue(queueing) => match Settings::load_for_queue(&args.global) {
            Ok(settings) => queue(&settings, queueing, &report, &stop),
            // What waits can be seen and dropped all the same.
            Err(error) => match Settings::without_file(&args.global) {
                Ok(settings) if !queueing.is_flush() => {
                    report.warn(format_args!("queue: {error}"));
                    queue(&settings, queueing, &report, &stop)
                }
                _ => refuse(&report, "queue", None, &error.into()),
            },
        },
        Command::SubmitServer(serving) => match &serving.listen {
            Some(path) => listen(path, &args.global, &report),
            None => match Settings::without_file(&args.global) {
                Ok(bare) => {
                    let load = || settings(&args.global, &OneOff::default());
                    submit_server(&bare, load, &args.global, &report, &stop)
                }
                Err(error) => refuse(&report, "submit-server", None, &error.into()),
            },
        },
        Command::Import(importing) => match Settings::without_file(&args.global) {
            Ok(settings) => import(&settings, importing, &report),
            Err(error) => refuse(&report, "import", None, &error.into()),
        },
        Command::Check(checking) => {
            let settings = settings(&args.global, &checking.one_off);
            check(settings, checking, &report, &stop)
        }
        Command::Version => match report.answer(concat!("postie ", env!("CARGO_PKG_VERSION"))) {
            Ok(()) => Exit::Done,
            Err(error) => refuse(&report, "version", None, &error),
        },
        Command::Setup(setting_up) => {
            // What is wrong in the file is said when the account is written to it.
            let settings = Settings::without_file(&args.global).map_err(Error::from);
            setup(&settings, setting_up, &report, &stop)
        }
        Command::Install(installing) => install(installing, &report),
        Command::Man(printing) => man(&printing.page, &report),
        Command::Completions(cli::Completions { list: Some(list), .. }) => {
            // Nobody is there to be told what is wrong: a line is being typed.
            let settings = settings(&args.global, &OneOff::default());
            let settings = settings.or_else(|_| Settings::without_file(&args.global));
            settings.map_or(Exit::Done, |settings| names(&settings, *list, &report))
        }
        Command::Completions(printing) => {
            completions(printing.shell.as_deref().unwrap_or_default(), &report)
        }
        Command::Login(logging_in) => match settings(&args.global, &OneOff::default()) {
            Ok(settings) => login(&settings, logging_in, &report, &stop),
            Err(error) => refuse(&report, "login", None, &error),
        },
    };
    if stop.decided().is_none() {
        interrupted.die();
    }
    exit
}

/// The signal that wanted this process to end, if there was one.
#[derive(Clone, Default)]
struct Interrupted(Arc<AtomicI32>);

impl Interrupted {
    /// Waits for signals. The first ends every wait for a peer or a program, and with it the run,
    /// in order. If nothing waits, or at the second signal, the process ends where it stands, which
    /// is safe anywhere: by the signal, or with the status that is final already.
    fn watch(&self) -> Result<Stop, Error> {
        let failed = |source| Error::Stdio { doing: "cannot watch for signals", source };
        let (caught, stop) = (Arc::clone(&self.0), Stop::default());
        // A file that may not grow further (`ulimit -f`) is an error of that file, not the end.
        signal_hook::flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false))).map_err(failed)?;
        // What whoever started this has us ignore stays ignored: nohup, a script's `&`.
        let ignored = program::ignored_signals();
        let wanted = [SIGHUP, SIGINT, SIGQUIT, SIGTERM].into_iter();
        let wanted = wanted.filter(|signal| ignored >> (signal - 1) & 1 == 0);
        let mut signals = Signals::new(wanted).map_err(failed)?;
        let watched = stop.clone();
        let handle = move || {
            for signal in signals.forever() {
                // Also where the run goes on, the prompt is over.
                let _is_over = password::give_back_the_terminal();
                let is_first = caught.swap(signal, Ordering::SeqCst) == 0;
                // Both are told, even if there is none of either.
                let (goes_on, was_running) = (watched.stop(), program::end_all());
                match watched.decided() {
                    Some(status) if !is_first => end(status),
                    None if !is_first || !(goes_on || was_running) => {
                        drop(emulate_default_handler(signal));
                    }
                    _ => {}
                }
            }
        };
        thread::Builder::new().spawn(handle).map_err(Error::Thread)?;
        Ok(stop)
    }

    /// Ends the process by its signal, so that its parent knows the cause.
    fn die(&self) {
        match self.0.load(Ordering::SeqCst) {
            0 => {}
            signal => drop(emulate_default_handler(signal)),
        }
    }
}

fn names_file_to_sendmail(global: &Global) -> bool {
    global.invoked_as == InvokedAs::Sendmail && global.config.is_some()
}

#[expect(clippy::disallowed_methods, reason = "all that counts is done, and the disk knows of it")]
fn end(status: u8) {
    std::process::exit(status.into());
}

fn settings(global: &Global, one_off: &OneOff) -> Result<Settings, Error> {
    Ok(Settings::load(global, one_off)?)
}

fn refuse(report: &Report, command: &'static str, account: Option<&str>, error: &Error) -> Exit {
    report.sole_failure(&Failure { command, account, peer: None, error, lasting: None });
    error.into()
}
