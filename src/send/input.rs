//! What the command line and standard input come to: a message, and who is to get it.

use std::io::{self, Read};

use crate::cli;
use crate::compose::{self, Attachment, Parts};
use crate::error::Error;
use crate::message::Message;
use crate::report::Report;
use crate::settings::{self, Route, SendJob, ServiceJob, Settings};
use crate::submission::complete;
use crate::text::{Address, Addressee, Addressees, FullName, Mailbox};

/// A whole message, and what is known of it.
pub(super) struct Input {
    pub(super) job: SendJob,
    pub(super) recipients: Vec<Mailbox>,
    pub(super) message: Message,
    /// The largest attachment of a composed message: its name and octets.
    pub(super) largest: Option<(String, u64)>,
}

/// A message for the submission service, which completes it and resolves its recipients.
pub(super) struct ForService {
    pub(super) job: ServiceJob,
    pub(super) recipients: Vec<Address>,
    pub(super) message: Message,
}

/// A message without a configuration that completes it.
pub(super) struct Incomplete {
    pub(super) recipients: Vec<Address>,
    pub(super) message: Message,
    /// The fault of the configuration.
    pub(super) error: Error,
}

/// A message as command line and standard input give it.
pub(super) enum Taken {
    Whole(Box<Input>),
    ForService(Box<ForService>),
    Incomplete(Box<Incomplete>),
}

/// Composes the message, or reads it to its end. `broken` is what is wrong with the configuration
/// file as a whole.
pub(super) fn take(
    settings: &Settings,
    args: &cli::Send,
    broken: Option<Error>,
    report: &Report,
) -> Result<Taken, Error> {
    if args.compose.is_wanted() {
        composed(settings, args, broken, report)
    } else {
        given(settings, args, broken, report)
    }
}

/// A message composed of what the command line says.
fn composed(
    settings: &Settings,
    args: &cli::Send,
    broken: Option<Error>,
    report: &Report,
) -> Result<Taken, Error> {
    let cli::Compose { to, cc, bcc, reply_to, subject, header, .. } = &args.compose;
    let mut recipients = typed(args);
    for Addressees(list) in [to, cc, bcc].into_iter().flatten() {
        recipients.extend(list.iter().map(|addressee| addressee.address.clone()));
    }
    if recipients.is_empty() {
        return Err(Error::NoRecipients);
    }
    let route = match broken {
        Some(error) => Err(error),
        None => settings.route(args, &[]).map_err(Error::from),
    };
    let Contents { text, html, attachments } = Contents::read(&args.compose, report)?;
    let sizes = attachments.iter().filter_map(|it: &Attachment| Some((it.name(), it.size()?)));
    let largest = sizes.max_by_key(|&(_, octets)| octets);
    let known = match &route {
        Ok(Route::Server(job)) => Some((job.from.clone(), job.name.as_deref())),
        Ok(Route::Service(ServiceJob { from: Some(own), .. })) => {
            Some((own.address.clone(), own.name.as_deref()))
        }
        Ok(Route::Service(_)) | Err(_) => None,
    };
    let is_sender_known = known.is_some();
    let (from, name) = match known {
        Some(known) => known,
        // It gives way to the account's when there is one.
        None => (UNKNOWN.parse().map_err(|_| settings::Error::NoSender)?, None),
    };
    let name = full_name(args).or(name).map(str::to_owned);
    let run_id = settings.run_id();
    let parts = Parts {
        from: Addressee { name, address: from },
        to: listed(settings, to),
        cc: listed(settings, cc),
        bcc: listed(settings, bcc),
        reply_to: reply_to.iter().flat_map(|Addressees(list)| list.iter().cloned()).collect(),
        subject: subject.clone(),
        fields: header.clone(),
        text,
        html,
        attachments,
        date: run_id.date(),
        unique: run_id.unique(),
    };
    let mut message = parts.compose()?;
    message.remove_bcc();
    if !is_sender_known {
        message.replace("From", "");
        message.replace("Message-ID", "");
    }
    match route {
        Ok(Route::Server(job)) => {
            let recipients = settings.mailboxes(recipients)?;
            Ok(Taken::Whole(Box::new(Input { job: *job, recipients, message, largest })))
        }
        Ok(Route::Service(job)) => {
            // A name without a domain has no place in what is composed, but the service knows it.
            for (field, lists) in [("To", to), ("Cc", cc)] {
                if let Some(value) = with_local_names(settings, lists) {
                    message.replace(field, &value);
                }
            }
            let recipients = aliased(settings, recipients);
            Ok(Taken::ForService(Box::new(ForService { job, recipients, message })))
        }
        Err(error) => Ok(Taken::Incomplete(Box::new(Incomplete { recipients, message, error }))),
    }
}

/// What a composed message contains.
struct Contents {
    text: Vec<u8>,
    html: Option<Vec<u8>>,
    attachments: Vec<Attachment>,
}

impl Contents {
    /// Opens the attachments, and reads text and HTML. One of all these may be standard input, which
    /// is the text's if it is no other's.
    fn read(args: &cli::Compose, report: &Report) -> Result<Self, Error> {
        let is_text_on_stdin = args.body.as_deref() == Some("-");
        let mut readers = usize::from(is_text_on_stdin);
        for path in args.attach.iter().chain(&args.html) {
            readers += usize::from(compose::is_stdin(path));
        }
        if readers > 1 {
            return Err(compose::Error::StdinTwice.into());
        }
        let mut attachments = Vec::new();
        for path in &args.attach {
            attachments.push(Attachment::open(path)?);
        }
        let html = match &args.html {
            Some(path) => Some(Attachment::open(path)?.octets()?),
            None => None,
        };
        let text = match &args.body {
            Some(text) if !is_text_on_stdin => text.clone().into_bytes(),
            // Something else is read from there.
            None if readers > 0 => Vec::new(),
            _ => {
                report.prompt("write the text; Ctrl-D on a line of its own ends it");
                text()?
            }
        };
        Ok(Self { text, html, attachments })
    }
}

/// The sender's address in a message that is composed before it is known.
const UNKNOWN: &str = "unknown@invalid";

/// The message on standard input, completed.
fn given(
    settings: &Settings,
    args: &cli::Send,
    broken: Option<Error>,
    report: &Report,
) -> Result<Taken, Error> {
    let recipients = typed(args);
    if recipients.is_empty() && !args.read_recipients {
        return Err(Error::NoRecipients);
    }
    report.prompt("reading a message, header and all; Ctrl-D on a line of its own ends it");
    let message = Message::read(&mut io::stdin().lock())?;
    completed(settings, args, broken, message, recipients)
}

/// A whole message with what is missing in it, or as far as that is known.
pub(super) fn completed(
    settings: &Settings,
    args: &cli::Send,
    broken: Option<Error>,
    mut message: Message,
    mut recipients: Vec<Address>,
) -> Result<Taken, Error> {
    if args.read_recipients {
        recipients.extend(message.addressees()?);
    }
    if recipients.is_empty() {
        return Err(Error::NobodyNamed);
    }
    let authors = complete::authors(&message);
    let route = broken.map_or_else(|| Ok(settings.route(args, &authors)?), Err);
    match route {
        Ok(Route::Service(job)) => {
            let recipients = aliased(settings, recipients);
            message.remove_bcc();
            if let Some(own) = job.from.as_ref().filter(|_| !message.is_resent()) {
                let name = full_name(args).or(own.name.as_deref());
                message.add_missing("From", &compose::named(name, &own.address));
            }
            Ok(Taken::ForService(Box::new(ForService { job, recipients, message })))
        }
        Ok(Route::Server(job)) => {
            let job = *job;
            let recipients = settings.mailboxes(recipients)?;
            message.remove_bcc();
            complete::complete(&mut message, &job, full_name(args));
            complete::rewrite_recipients(&mut message, &job, settings);
            Ok(Taken::Whole(Box::new(Input { job, recipients, message, largest: None })))
        }
        Err(error) => {
            message.remove_bcc();
            Ok(Taken::Incomplete(Box::new(Incomplete { recipients, message, error })))
        }
    }
}

/// The sender's name that was typed.
pub(super) fn full_name(args: &cli::Send) -> Option<&str> {
    args.full_name.as_ref().map(FullName::as_str)
}

/// The addressees of a header field. A local name is replaced by its alias, since servers refuse
/// such addresses in a header.
fn listed(settings: &Settings, lists: &[Addressees<Address>]) -> Vec<Addressee> {
    let mut listed = Vec::new();
    for Addressee { name, address } in lists.iter().flat_map(|Addressees(list)| list) {
        let own = address.mailbox().map(std::slice::from_ref);
        let mailboxes = settings.alias(address).or(own).unwrap_or_default();
        let named = mailboxes.iter().cloned();
        listed.extend(named.map(|address| Addressee { name: name.clone(), address }));
    }
    listed
}

/// A field's addressees as text, if one of them is a name that the submission service may know; else
/// `None`.
fn with_local_names(settings: &Settings, lists: &[Addressees<Address>]) -> Option<String> {
    let listed = || lists.iter().flat_map(|Addressees(list)| list);
    let is_unknown =
        |address: &Address| address.mailbox().is_none() && settings.alias(address).is_none();
    if !listed().any(|addressee| is_unknown(&addressee.address)) {
        return None;
    }
    let addresses = listed().map(|addressee| addressee.address.clone()).collect();
    let words = aliased(settings, addresses).iter().map(ToString::to_string).collect::<Vec<_>>();
    Some(words.join(", "))
}

/// Resolves the local names that have an alias here; the others are for the submission service.
fn aliased(settings: &Settings, addresses: Vec<Address>) -> Vec<Address> {
    let mut resolved = Vec::with_capacity(addresses.len());
    for address in addresses {
        match settings.alias(&address) {
            Some(alias) => resolved.extend(alias.iter().cloned().map(Address::Mailbox)),
            None => resolved.push(address),
        }
    }
    resolved
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
