//! An entry of the outbox that this process has locked: its attempts and replies are added to its
//! journal, then it is removed or moved to failed/.

use std::io::{Read, Write};
use std::path::PathBuf;

use super::super::disk::{File, Lock};
use super::Error;
use super::record::{Answer, AttemptResult, DeliveryRecord};
use super::record::{encoded, octets, reverse_path};
use super::{Id, JOURNAL, Outbox, OutboxState};
use crate::text::{Mailbox, ReversePath, percent_encoded, shown};

/// A locked message that waits.
pub struct LockedEntry {
    pub(super) outbox: Outbox,
    pub(super) id: Id,
    pub(super) record: DeliveryRecord,
    pub(super) journal: Box<dyn File>,
    /// The length of the journal's whole lines, in octets, but for those that are owed.
    pub(super) length: u64,
    /// The last lines, which are not known to be durable.
    pub(super) owed: String,
    /// True if not all that is owed could be written.
    pub(super) is_torn: bool,
    pub(super) _lock: Lock,
}

/// A removed message. Its files, which are in tmp/, go when this is dropped.
pub struct RemovedEntry(pub(super) LockedEntry);

impl Drop for RemovedEntry {
    fn drop(&mut self) {
        self.0.outbox.clear(&self.0.id);
    }
}

impl LockedEntry {
    /// The id.
    pub fn id(&self) -> &Id {
        &self.id
    }

    /// The outbox that it waits in.
    pub fn outbox(&self) -> &Outbox {
        &self.outbox
    }

    /// The contents of its journal.
    pub fn record(&self) -> &DeliveryRecord {
        &self.record
    }

    /// The message, as it was written.
    ///
    /// # Errors
    ///
    /// Returns an error if the file cannot be opened.
    pub fn message(&self) -> Result<impl Read + use<>, Error> {
        self.outbox.message(&self.id)
    }

    /// Records that an account was chosen, and `[aliases]` resolved: the message is sent with it from
    /// now on, by this reverse-path and to these recipients.
    ///
    /// # Errors
    ///
    /// Returns an error if the journal cannot be written.
    pub fn resolve(
        &mut self,
        now: u64,
        account: &str,
        from: &ReversePath,
        recipients: &[Mailbox],
    ) -> Result<(), Error> {
        let account = percent_encoded(account.as_bytes());
        let mut text = format!("account {account}\nfrom {}\n", reverse_path(from));
        for mailbox in recipients {
            text += &format!("to {}\n", encoded(mailbox));
        }
        self.write(&format!("{text}resolved {now}\n"))
    }

    /// Records that the configuration lacks what the message needs, which is being reported.
    ///
    /// # Errors
    ///
    /// Returns an error if the journal cannot be written.
    pub fn missing(&mut self, now: u64, what: &str) -> Result<(), Error> {
        self.write(&format!("missing {now} {}\n", shown(what)))
    }

    /// Records that an attempt begins. It becomes durable with what is recorded next: one that a power
    /// cut makes forgotten had sent nothing.
    ///
    /// # Errors
    ///
    /// Returns an error if the journal cannot be written.
    pub fn begin(&mut self, now: u64) -> Result<(), Error> {
        self.append(&format!("attempt {now}\n"))
    }

    /// Records that the end of the message is about to leave, after which the server may have taken it.
    /// It may leave once [`Self::sync`] has returned.
    ///
    /// # Errors
    ///
    /// Returns an error if the journal cannot be written: then the end must not be sent.
    pub fn mark_data(&mut self, now: u64) -> Result<(), Error> {
        self.append(&format!("data {now}\n"))?;
        self.journal.begin_sync();
        Ok(())
    }

    /// The server has answered for these recipients: they have the message, or never will. Without
    /// a final reply to the message, what was in doubt stays so. It is durable when the entry is
    /// removed, or [`Self::sync`] has returned; a power cut before leaves the message in doubt.
    ///
    /// # Errors
    ///
    /// Returns an error if the journal cannot be written.
    pub fn answer<'a>(
        &mut self,
        now: u64,
        answers: impl IntoIterator<Item = (&'a Mailbox, Answer)>,
        final_reply: Option<&str>,
    ) -> Result<(), Error> {
        let mut text = String::new();
        for (mailbox, answer) in answers {
            let (word, reply) = answer.parts();
            text += &format!("{word} {} {}\n", encoded(mailbox), shown(reply));
        }
        if let Some(final_reply) = final_reply {
            text += &format!("reply {now} {}\n", shown(final_reply));
        }
        if text.is_empty() { Ok(()) } else { self.append(&text) }
    }

    /// Records that the sender was told of every recipient that will never get the message.
    ///
    /// # Errors
    ///
    /// Returns an error if the journal cannot be written.
    pub fn record_notification(&mut self, now: u64) -> Result<(), Error> {
        self.write(&format!("notified {now}\n"))
    }

    /// Records that the attempt is over for those who are still to get the message.
    ///
    /// # Errors
    ///
    /// Returns an error if the journal cannot be written.
    pub fn end(&mut self, now: u64, ending: AttemptResult, reason: &str) -> Result<(), Error> {
        let word =
            AttemptResult::NAMES.iter().find(|(_, named)| *named == ending).map_or("", |row| row.0);
        self.write(&format!("{word} {now} {}\n", shown(reason)))
    }

    /// Drops the message: each recipient has it, or the sender knows of those who have not.
    ///
    /// # Errors
    ///
    /// Returns an error if the message cannot be removed.
    pub fn remove(self) -> Result<(), Error> {
        Outbox::remove_all([self]).map(drop)
    }

    /// Puts the message where a person will look at it, and says where that is.
    ///
    /// # Errors
    ///
    /// Returns an error if the message cannot be moved.
    pub fn fail(mut self) -> Result<PathBuf, Error> {
        self.sync()?;
        let Self { outbox, id, .. } = &self;
        outbox.publish(&self.path(), OutboxState::Failed, id)?;
        outbox.sync(&outbox.root.join(OutboxState::Waiting.name()))?;
        Ok(outbox.place(OutboxState::Failed, id))
    }

    pub(super) fn path(&self) -> PathBuf {
        self.outbox.place(OutboxState::Waiting, &self.id)
    }

    /// Makes durable all that was recorded.
    ///
    /// # Errors
    ///
    /// Returns an error if the journal cannot be made durable.
    pub fn sync(&mut self) -> Result<(), Error> {
        if self.is_torn {
            self.append("")?;
        }
        // Also what a run before this one has written, and was killed before it could wait for it.
        let synced = self.journal.sync();
        // What a failed sync leaves on the disk is unknown.
        self.is_torn = synced.is_err();
        synced.map_err(|error| Error::io("write", &self.path().join(JOURNAL), error))?;
        self.length = self.length.saturating_add(octets(self.owed.len()));
        self.owed.clear();
        Ok(())
    }

    /// Adds lines and makes them durable.
    fn write(&mut self, text: &str) -> Result<(), Error> {
        self.append(text)?;
        self.sync()
    }

    /// Adds lines. What they say is true, even if it cannot be written; the next are written behind
    /// it then, and not behind the half of it that was.
    fn append(&mut self, text: &str) -> Result<(), Error> {
        text.lines().for_each(|line| self.record.take(line).unwrap_or_default());
        self.owed += text;
        let path = self.path().join(JOURNAL);
        let written = if self.is_torn {
            let mended = self.outbox.disk.truncate(&path, self.length);
            mended.and_then(|()| self.journal.write_all(self.owed.as_bytes()))
        } else {
            self.journal.write_all(text.as_bytes())
        };
        self.is_torn = written.is_err();
        written.map_err(|error| Error::io("write", &path, error))
    }
}
