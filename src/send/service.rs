//! Hands a message to the submission service of this machine, which sends it and answers with the
//! outcome. Nothing is kept here.

use std::io::{self, BufReader, BufWriter, Write as _};

use serde_json::Value;

use super::input::ForService;
use crate::cli;
use crate::connect::service::connect;
use crate::error::{Error, Exit};
use crate::limits;
use crate::message::Message;
use crate::net::local::LocalStream;
use crate::net::{Bounds, Stop};
use crate::report::{Report, output, size, written};
use crate::settings::ServiceJob;
use crate::submission::Attempt;
use crate::submission::first_attempt::{Ended, fail, failure};
use crate::submit_frame::{Answer, Error as FrameError, HandInError, LineKind, Request, write_end};

/// Hands the message in and reports how it went.
pub(super) fn hand_in(
    taken: ForService,
    args: &cli::Send,
    attempt: Attempt,
    report: &Report,
    stop: &Stop,
) -> Ended {
    let ForService { job, recipients, mut message } = taken;
    let request = Request {
        from: args.from.as_ref().map(|from| from.path.clone()),
        recipients,
        notify: args.dsn_notify.clone(),
        ret: args.dsn_return,
        require_tls: args.require_tls,
        // One reply is true of all recipients only if they all have the message, or none has it.
        is_all_or_nothing: args.all_or_nothing || attempt == Attempt::OneReply,
        octets: message.octets(),
    };
    let done = if args.dry_run {
        show(&request, &mut message, report).map(|()| Ended::new(Exit::Done, String::new()))
    } else {
        answer(&job, &request, &mut message, stop).map(|answer| repeat(answer, report))
    };
    done.unwrap_or_else(|error| fail(report, None, &error))
}

/// Prints the frame as it would be handed in; for a program, what is known of it.
fn show(request: &Request, message: &mut Message, report: &Report) -> Result<(), Error> {
    if report.is_json() {
        return report.object(&serde_json::json!({
            "recipients": request.recipients.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "size": request.octets,
            "message_id": message.field("Message-ID"),
        }));
    }
    let (mut text, mut output) = (message.text()?, output());
    let mut show = || -> io::Result<()> {
        request.write(&mut output)?;
        writeln!(output, "size: {} ({} octets)\n", size(request.octets), request.octets)?;
        io::copy(&mut text, &mut output)?;
        output.flush()
    };
    written(show())
}

/// Prints what the service answered, as if it had happened here. Its status stays, even if the result
/// cannot be printed: a caller that is not told is not to send the message again for that.
fn repeat(answer: Answer, report: &Report) -> Ended {
    let Answer { status, lines, sentence, object } = answer;
    let object = object.and_then(|object| serde_json::from_str(&object).ok());
    let result = report.result(sentence.as_deref(), || object.unwrap_or(Value::Null));
    for (kind, line) in &lines {
        match kind {
            LineKind::Error => report.warn(line),
            LineKind::Info => report.waits(line),
            LineKind::Hint => report.hint(Some(line.clone())),
        }
    }
    if let Err(error) = result {
        report.failure(&failure(None, &error));
    }
    let text = sentence.or_else(|| Some(lines.into_iter().next()?.1)).unwrap_or_default();
    // A status of a later version does not say whether the message was sent.
    Ended::new(Exit::of_status(status).unwrap_or(Exit::InDoubt), text)
}

/// Returns the service's answer to a message.
fn answer(
    job: &ServiceJob,
    request: &Request,
    message: &mut Message,
    stop: &Stop,
) -> Result<Answer, Error> {
    let failed = |error| Error::Service { socket: job.socket.clone(), error };
    if request.octets > limits::SUBMIT_MESSAGE {
        return Err(failed(HandInError::TooLarge(request.octets)));
    }
    let mut stream = connect(job)?;
    let text = message.text()?;
    let handed_in = hand_over(&mut stream, request, text);
    if let Err(error) = handed_in {
        // The service may have said why it reads no further.
        return Answer::read(&mut stream)
            .map_err(|_| failed(HandInError::NotTaken(FrameError::Io(error))));
    }
    // From here on the service may have the message, and no signal says that it has not.
    stop.decide(Some(Exit::InDoubt.status()));
    if let Err(error) = write_end(stream.get_mut()) {
        // Without its end it is no frame.
        stop.decide(None);
        return Answer::read(&mut stream)
            .map_err(|_| failed(HandInError::NotTaken(FrameError::Io(error))));
    }
    let (per_wait, in_all) = (limits::SUBMIT_WAIT, Some(limits::SUBMIT_WAIT));
    stream.get_mut().bound(Bounds { per_wait, in_all });
    let answer = Answer::read(&mut stream).map_err(|error| failed(HandInError::InDoubt(error)))?;
    stop.decide(Some(answer.status));
    Ok(answer)
}

/// Writes the frame but for its end mark.
fn hand_over(
    stream: &mut BufReader<LocalStream>,
    request: &Request,
    mut text: impl io::Read,
) -> io::Result<()> {
    let mut output = BufWriter::with_capacity(limits::BUFFER, stream.get_mut());
    request.write(&mut output)?;
    io::copy(&mut text, &mut output)?;
    output.flush()
}
