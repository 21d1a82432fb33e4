//! `postie send`: reads or composes a message and makes the first attempt to submit it.

mod input;
mod service;
pub mod smtp_input;

use std::io::{self, Write};

use serde_json::json;

use self::input::{Incomplete, Input, Taken};
use crate::cli;
use crate::error::{Error, Exit};
use crate::message::Transport;
use crate::net::Stop;
use crate::report::{Report, output, size, written};
use crate::settings::Settings;
use crate::smtp::{MailParameters, RecipientPolicy};
use crate::store::outbox::{Id, NotAdded, QueuedEnvelope};
use crate::submission::first_attempt::{Ended, fail, failure};
use crate::submission::{Attempt, SmtpSession, Submission};
use crate::text::Address;

/// Sends one message and reports how it went. `then` gets the account that it was sent with, and
/// the session in which more can be sent.
pub fn send(
    settings: &Settings,
    args: &cli::Send,
    report: &Report,
    stop: &Stop,
    then: impl FnOnce(&str, SmtpSession),
) -> Exit {
    send_as_far_as_possible(settings, args, None, report, stop, then)
}

/// Puts a message into the outbox when the configuration file cannot be read, for this reason.
pub fn send_later(
    settings: &Settings,
    args: &cli::Send,
    broken: Error,
    report: &Report,
    stop: &Stop,
    then: impl FnOnce(&str, SmtpSession),
) -> Exit {
    if !may_wait(settings, args) {
        return fail(report, None, &broken).exit;
    }
    send_as_far_as_possible(settings, args, Some(broken), report, stop, then)
}

fn send_as_far_as_possible(
    settings: &Settings,
    args: &cli::Send,
    broken: Option<Error>,
    report: &Report,
    stop: &Stop,
    then: impl FnOnce(&str, SmtpSession),
) -> Exit {
    let ended = match input::take(settings, args, broken, report) {
        Ok(taken) => dispatch(settings, args, taken, Attempt::First, report, stop, then),
        Err(error) => fail(report, None, &error),
    };
    ended.exit
}

/// Sends what there is, keeps it, or says why it can do neither.
fn dispatch(
    settings: &Settings,
    args: &cli::Send,
    taken: Taken,
    attempt: Attempt,
    report: &Report,
    stop: &Stop,
    then: impl FnOnce(&str, SmtpSession),
) -> Ended {
    let mut submission = match taken {
        Taken::Whole(input) => match submission(*input, args) {
            Ok(submission) => submission,
            Err(error) => return fail(report, None, &error),
        },
        Taken::ForService(taken) => return service::hand_in(*taken, args, attempt, report, stop),
        Taken::Incomplete(incomplete) => {
            return keep_incomplete(settings, args, *incomplete, report, stop);
        }
    };
    if args.dry_run {
        // Which server this would be is not known; most take eight bits.
        let shown = submission.message.encode_for(Transport::EightBit).map_err(Error::from);
        return match shown.and_then(|()| show(&mut submission, report)) {
            Ok(()) => Ended::new(Exit::Done, String::new()),
            Err(error) => fail(report, Some(&submission), &error),
        };
    }
    submission.first_attempt(settings, attempt, report, stop, then)
}

/// Composes the envelope of a message.
fn submission(input: Input, args: &cli::Send) -> Result<Submission, Error> {
    let Input { job, recipients, message, largest } = input;
    let terms = MailParameters {
        notify: args.dsn_notify.clone(),
        ret: args.dsn_return,
        id: job.run_id.unique(),
        require_tls: args.require_tls,
    };
    let demand = if args.all_or_nothing { RecipientPolicy::All } else { RecipientPolicy::Any };
    let submission = Submission::new(job, recipients, message, terms, demand)?;
    Ok(Submission { largest, ..submission })
}

/// Prints the envelope as it would be said, the size, and the message as it would be sent; for a
/// program, what is known of it.
fn show(submission: &mut Submission, report: &Report) -> Result<(), Error> {
    if report.is_json() {
        return report.object(&submission.plan());
    }
    let Submission { envelope, message, .. } = submission;
    let octets = message.octets();
    let (mut text, mut output) = (message.text()?, output());
    let mut show = || -> io::Result<()> {
        writeln!(output, "{:?}", envelope.mail())?;
        for recipient in envelope.recipients() {
            writeln!(output, "{:?}", envelope.rcpt(recipient))?;
        }
        writeln!(output, "size: {} ({octets} octets)\n", size(octets))?;
        io::copy(&mut text, &mut output)?;
        output.flush()
    };
    written(show())
}

/// Returns whether a message waits when the configuration cannot be used. An account's options on
/// the command line are not known later, so one with those does not.
fn may_wait(settings: &Settings, args: &cli::Send) -> bool {
    let is_wanted = args.queue || settings.queues_by_default();
    is_wanted && !args.dry_run && !args.one_off.is_given()
}

/// Takes in a message for which the configuration cannot be used; an attempt completes it. Where it
/// is not to wait, or cannot, the reason is how the run ends.
fn keep_incomplete(
    settings: &Settings,
    args: &cli::Send,
    incomplete: Incomplete,
    report: &Report,
    stop: &Stop,
) -> Ended {
    let Incomplete { recipients, mut message, error } = incomplete;
    // What was typed wrong is for the caller.
    if !may_wait(settings, args) || Exit::from(&error) != Exit::Config {
        return fail(report, None, &error);
    }
    let run_id = settings.run_id();
    if message.field("Date").is_none() {
        message.replace("Date", &run_id.date());
    }
    let mut order = QueuedEnvelope {
        received: run_id.seconds,
        config: settings.config(),
        account: args.account.clone(),
        from: args.from.as_ref().map(|from| from.path.clone()),
        is_incomplete: true,
        full_name: input::full_name(args).map(str::to_owned),
        recipients: Vec::new(),
        aliases: Vec::new(),
        notify: args.dsn_notify.clone(),
        ret: args.dsn_return,
        envid: run_id.unique(),
        subject: message.subject(),
        require_tls: args.require_tls,
        is_all_or_nothing: args.all_or_nothing,
    };
    for recipient in recipients {
        match recipient {
            Address::Mailbox(mailbox) => order.recipients.push(mailbox),
            Address::Local(name) => order.aliases.push(name),
        }
    }
    let id = Id::new(run_id);
    let outbox = match settings.outbox() {
        Ok(outbox) => outbox,
        Err(reason) => {
            report.failure(&failure(None, &reason.into()));
            return fail(report, None, &error);
        }
    };
    match outbox.add(&id, order, |file| message.copy(file)) {
        Ok(_) => {
            stop.decide(Some(Exit::Done.status()));
            let queued = json!({ "account": args.account, "queued": id.to_string() });
            let notice = format!("send: {error}; the message waits in the outbox as {id}");
            report.waits(notice);
            if let Err(error) = report.result(None, || queued) {
                report.failure(&failure(None, &error));
            }
            Ended::new(Exit::Done, format!("queued as {id}"))
        }
        Err(NotAdded { error: reason, .. }) => {
            report.failure(&failure(None, &reason.into()));
            fail(report, None, &error)
        }
    }
}
