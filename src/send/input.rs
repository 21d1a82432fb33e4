//! What the command line and standard input come to: a message, and who is to get it.

use std::io::{self, Read};

use crate::cli;
use crate::compose::{self, Attachment, Parts};
use crate::error::Error;
use crate::message::Message;
use crate::report::Report;
use crate::settings::{SendJob, Settings};
use crate::text::{Address, Addressee, Addressees, FullName, Mailbox};

/// A whole message, and what is known of it.
pub(super) struct Input {
    pub(super) job: SendJob,
    pub(super) recipients: Vec<Mailbox>,
    pub(super) message: Message,
}

impl Input {
    /// Composes the message, or reads it to its end.
    pub(super) fn take(
        settings: &Settings,
        args: &cli::Send,
        report: &Report,
    ) -> Result<Self, Error> {
        if args.compose.is_wanted() {
            composed(settings, args, report)
        } else {
            given(settings, args, report)
        }
    }
}

/// A message composed of what the command line says.
fn composed(settings: &Settings, args: &cli::Send, report: &Report) -> Result<Input, Error> {
    let cli::Compose { to, cc, bcc, reply_to, subject, header, body, html, attach } = &args.compose;
    let list = |addressees: &[Addressees]| -> Vec<Addressee> {
        addressees.iter().flat_map(|Addressees(list)| list.iter().cloned()).collect()
    };
    let mut recipients = settings.mailboxes(typed(args))?;
    for addressees in [to, cc, bcc] {
        recipients.extend(list(addressees).into_iter().map(|addressee| addressee.address));
    }
    if recipients.is_empty() {
        return Err(Error::NoRecipients);
    }
    let job = settings.send_job(args, &[])?;
    let attachments = attach.iter().map(|path| Attachment::open(path)).collect::<Result<_, _>>()?;
    let html = html.as_ref().map(|path| Attachment::open(path)?.text()).transpose()?;
    let text = if let Some(text) = body {
        text.clone()
    } else {
        report.prompt("write the text; Ctrl-D on a line of its own ends it");
        compose::utf8("the text on standard input", text()?)?
    };
    let parts = Parts {
        from: Addressee { name: full_name(args).map(str::to_owned), address: job.from.clone() },
        to: list(to),
        cc: list(cc),
        bcc: list(bcc),
        reply_to: list(reply_to),
        subject: subject.clone(),
        fields: header.clone(),
        text,
        html,
        attachments,
        date: job.moment.date(),
        unique: job.moment.unique(),
    };
    let mut message = parts.compose()?;
    message.remove_bcc();
    Ok(Input { job, recipients, message })
}

/// The message on standard input, completed.
fn given(settings: &Settings, args: &cli::Send, report: &Report) -> Result<Input, Error> {
    let mut recipients = typed(args);
    if recipients.is_empty() && !args.read_recipients {
        return Err(Error::NoRecipients);
    }
    report.prompt("reading a message, header and all; Ctrl-D on a line of its own ends it");
    let mut message = Message::read(&mut io::stdin().lock())?;
    let is_resent = message.is_resent();
    // Who resends a message is its sender, and its author stays who wrote it (RFC 5322 §3.6.6).
    let field = if is_resent { "Resent-From" } else { "From" };
    let author = message.author(field);
    let address = author.as_ref().map(|author| &author.address);
    let from = message.author("From").map(|author| author.address);
    let authors = [address, from.as_ref()].into_iter().flatten().filter_map(Address::mailbox);
    let job = settings.send_job(args, &authors.cloned().collect::<Vec<_>>())?;
    if args.read_recipients {
        recipients.extend(message.addressees()?);
    }
    message.remove_bcc();
    if message.field("Date").is_none() {
        // To find out the time zone takes a while.
        message.replace("Date", &job.moment.date());
    }
    message.add_missing("Message-ID", &format!("<{}@{}>", job.moment.unique(), job.from.domain()));
    let name = match message.field(field) {
        None => Some(full_name(args)),
        Some(_) if job.rewrites(address) => {
            Some(author.as_ref().and_then(|author| author.name.as_deref()))
        }
        Some(_) => None,
    };
    if let Some(name) = name {
        let value = compose::named(name, &job.from);
        if is_resent { message.set_resent_from(&value) } else { message.replace("From", &value) }
    }
    let recipients = settings.mailboxes(recipients)?;
    Ok(Input { job, recipients, message })
}

fn full_name(args: &cli::Send) -> Option<&str> {
    args.full_name.as_ref().map(FullName::as_str)
}

/// The recipients that are arguments.
fn typed(args: &cli::Send) -> Vec<Address> {
    args.recipients.iter().cloned().flat_map(Addressees::addresses).collect()
}

#[expect(clippy::disallowed_methods, reason = "the user chose the text and its size")]
fn text() -> Result<Vec<u8>, Error> {
    let mut text = Vec::new();
    let read = io::stdin().lock().read_to_end(&mut text);
    read.map_err(|source| Error::Stdio { doing: "cannot read the text", source })?;
    Ok(text)
}
