//! A MIME message from its parts (RFC 2045 and its kin, by mail-builder), for `send --to`.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use mail_builder::MessageBuilder;
use mail_builder::headers::Header;
use mail_builder::headers::address::Address;
use mail_builder::headers::raw::Raw;

use crate::message::{self, Intake, Message};
use crate::text::{Addressee, Mailbox, plain};

/// Why the parts do not make a message.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file to be attached cannot be read.
    #[error("cannot attach {}: {}", path.display(), plain(source))]
    Attachment {
        /// Which.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The text cannot be declared as what it is.
    #[error("the text on standard input is not UTF-8 (octet {0} is the first that is not)")]
    NotText(usize),
    /// The message cannot be kept.
    #[error(transparent)]
    Message(#[from] message::Error),
}

/// What a message is made of.
pub struct Parts {
    /// Who writes.
    pub from: Addressee,
    /// Who it is for.
    pub to: Vec<Addressee>,
    /// Who gets a copy.
    pub cc: Vec<Addressee>,
    /// What it is about.
    pub subject: Option<String>,
    /// The text; must be UTF-8.
    pub text: Vec<u8>,
    /// Files that go along.
    pub attachments: Vec<PathBuf>,
    /// The Date field's value.
    pub date: String,
    /// The Message-ID field's value, in angle brackets.
    pub message_id: String,
}

impl Parts {
    /// Puts the parts together. Each attachment is in memory until the message is complete.
    pub fn compose(self) -> Result<Message, Error> {
        let text = String::from_utf8(self.text)
            .map_err(|error| Error::NotText(error.utf8_error().valid_up_to() + 1))?;
        let mut builder = MessageBuilder::new()
            .header("Date", Raw::new(self.date))
            .from(list(std::slice::from_ref(&self.from)))
            .header("Message-ID", Raw::new(self.message_id));
        if !self.to.is_empty() {
            builder = builder.to(list(&self.to));
        }
        if !self.cc.is_empty() {
            builder = builder.cc(list(&self.cc));
        }
        if let Some(subject) = self.subject {
            // A line end in it would be folded, and shown as a blank in the end.
            builder = builder.subject(subject.split_whitespace().collect::<Vec<_>>().join(" "));
        }
        builder = builder.text_body(text);
        for path in &self.attachments {
            let octets = read(path)?;
            let kind = mime_guess::from_path(path).first_or_octet_stream();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            builder = builder.attachment(kind.essence_str().to_owned(), name, octets);
        }
        let mut intake = Intake::new();
        builder.write_to(&mut intake).map_err(|error| intake.reason(error))?;
        Ok(intake.finish()?)
    }
}

/// An address with a name before it, as it stands in From. Names from elsewhere may have been
/// encoded already (RFC 2047), so what can stand there as it is, does.
pub fn named(name: Option<&str>, mailbox: &Mailbox) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || " !#$%&'*+-/=?^_`{|}~".contains(c);
    match name.map(str::trim).filter(|name| !name.is_empty()) {
        None => mailbox.to_string(),
        Some(name) if name.chars().all(is_plain) => format!("{name} <{mailbox}>"),
        Some(name) => {
            let mut value = Vec::new();
            Address::new_address(Some(name), mailbox.as_str())
                .write_header(&mut value, "From: ".len());
            String::from_utf8_lossy(&value).trim_end().to_owned()
        }
    }
}

fn list(addressees: &[Addressee]) -> Address<'_> {
    let address = |addressee: &Addressee| {
        let name = addressee.name.as_deref().map(str::to_owned);
        Address::new_address(name, addressee.address.as_str().to_owned())
    };
    Address::new_list(addressees.iter().map(address).collect())
}

#[expect(clippy::disallowed_methods, reason = "the user chose the file and its size")]
fn read(path: &Path) -> Result<Vec<u8>, Error> {
    let failed = |source| Error::Attachment { path: path.to_owned(), source };
    let mut octets = Vec::new();
    let mut file = fs::File::open(path).map_err(failed)?;
    file.read_to_end(&mut octets).map_err(failed)?;
    Ok(octets)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::Addressees;

    fn parts() -> Parts {
        Parts {
            from: Addressee { name: None, address: "ann@x.example".parse().unwrap() },
            to: "\"Smith, Bob\" <bob@x.example>".parse::<Addressees>().unwrap().0,
            cc: Vec::new(),
            subject: Some("Grüße".to_owned()),
            text: b"hello\n.\nbye".to_vec(),
            attachments: Vec::new(),
            date: "Tue, 24 Nov 2026 12:00:00 +0100".to_owned(),
            message_id: "<1@x.example>".to_owned(),
        }
    }

    fn composed(parts: Parts) -> String {
        let mut text = Vec::new();
        io::copy(&mut parts.compose().unwrap().text().unwrap(), &mut text).unwrap();
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn names_and_subjects_are_encoded() {
        let text = composed(parts());
        for line in [
            "Date: Tue, 24 Nov 2026 12:00:00 +0100\r\n",
            "From: <ann@x.example>\r\n",
            "To: \"Smith, Bob\" <bob@x.example>\r\n",
            "Subject: =?utf-8?",
            "Message-ID: <1@x.example>\r\n",
            "Content-Type: text/plain; charset=\"utf-8\"\r\n",
            "\r\n\r\nhello\r\n.\r\nbye",
        ] {
            assert!(text.contains(line), "expected {line:?} in:\n{text}");
        }
        assert_eq!(text.matches("Message-ID").count(), 1);
        assert!(text.is_ascii());
    }

    #[test]
    fn a_subject_is_one_line() {
        let mut parts = parts();
        parts.subject = Some("hello\r\nBcc: eve@x.example".to_owned());
        let text = composed(parts);
        assert!(text.contains("Subject: hello Bcc: eve@x.example\r\n"), "{text}");
    }

    #[test]
    fn an_attachment_has_type_and_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("Füße – 写真.pdf");
        #[expect(clippy::disallowed_methods, reason = "a test may be blunt")]
        fs::write(&path, b"%PDF\0\xff\r\n").unwrap();
        let mut with = parts();
        with.attachments = vec![path];
        let text = composed(with);
        for part in ["application/pdf", "filename*=UTF-8''F%C3%BC%C3%9Fe", "JVBERgD/DQo="] {
            assert!(text.contains(part), "expected {part:?} in:\n{text}");
        }
        let mut without = parts();
        without.attachments = vec![dir.path().join("gone.jpg")];
        assert!(matches!(without.compose(), Err(Error::Attachment { .. })));
    }

    #[test]
    fn a_name_before_an_address_is_encoded_once() {
        let ann = "ann@x.example".parse().unwrap();
        for (name, expected) in [
            (None, "ann@x.example"),
            (Some(" "), "ann@x.example"),
            (Some("Cron Daemon"), "Cron Daemon <ann@x.example>"),
            (Some("=?utf-8?Q?J=C3=BCrgen?="), "=?utf-8?Q?J=C3=BCrgen?= <ann@x.example>"),
            (Some("Smith, J. \"X\""), "\"Smith, J. \\\"X\\\"\" <ann@x.example>"),
        ] {
            assert_eq!(named(name, &ann), expected);
        }
        let encoded = named(Some("Jürgen"), &ann);
        assert!(encoded.is_ascii() && encoded.contains("=?utf-8?"), "{encoded}");
    }

    #[test]
    fn a_text_that_is_not_utf8_is_refused() {
        let mut parts = parts();
        parts.text = b"caf\xe9".to_vec();
        assert!(matches!(parts.compose(), Err(Error::NotText(4))));
    }
}
