//! Delivery of a batch: files synced, named in the journal, renamed into new/, directory synced, or
//! handed to a program one by one. What it returns as [`Saved`] is durable.

use std::iter;
use std::panic::resume_unwind;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::thread;

use super::disk::Dir;
use super::error::Error;
use super::journal::{FollowUp, Outcome};
use super::maildir::Draft;
use super::seen::Intent;
use super::{Destination, Purpose, Saved, Store, is_no_room};
use crate::limits;
use crate::store::command;
use crate::store::digest;
use crate::text::{Identified, plain};

/// The result of delivering a retrieved message.
#[derive(Debug)]
pub enum Delivery<T> {
    /// A new message that was delivered.
    New(Saved<T>),
    /// A message equal to the one that was delivered here before.
    Same(Saved<T>),
    /// A message equal to the one that was delivered elsewhere before.
    SameElsewhere(T),
    /// A message that was not delivered, with the reason.
    Rejected(T, String),
}

impl Store {
    /// Delivers messages, each of which carries its draft, and hands `each` what became of them.
    /// Those that are to be compared are delivered only if they are others than those that are known
    /// by their unique-ids.
    ///
    /// # Errors
    ///
    /// Returns an error if the disk fails; messages not yet handed to `each` are not delivered, or
    /// recovered by the next run.
    pub fn deliver<T: AsMut<Draft> + Identified + Measured>(
        &mut self,
        batch: Vec<T>,
        purpose: Purpose,
        mut each: impl FnMut(Delivery<T>),
    ) -> Result<(), Error> {
        let mut new = Vec::with_capacity(batch.len());
        for mut message in batch {
            if let Some(reason) = message.as_mut().take_failure() {
                each(Delivery::Rejected(message, reason));
                continue;
            }
            let digests = message.as_mut().take_digests();
            let digest = if message.uid().is_some() { digests.named } else { digests.whole };
            match message.uid().cloned() {
                Some(uid) if purpose == Purpose::Compare => {
                    if self.journal.seen.is_text_of(&uid, digest) {
                        self.journal.record_same(&uid, message.size())?;
                        let here = self.options.destination.place();
                        let is_here = self.journal.seen.is_at(&uid, &here);
                        // It is equal to what was delivered; only if that was here is it safe here.
                        each(if is_here {
                            Delivery::Same(Saved(message))
                        } else {
                            Delivery::SameElsewhere(message)
                        });
                        continue;
                    }
                    self.journal.record_reuse(&uid)?;
                }
                // That its text was delivered here more often than this session has met it proves that
                // this message is durable here: to the octet, whichever of them it is.
                None if self.is_known_text(message.number(), digest)? => {
                    each(Delivery::Same(Saved(message)));
                    continue;
                }
                _ => {}
            }
            new.push((message, digest));
        }
        match self.options.destination.clone() {
            Destination::Maildir(root) => self.commit(new, &root, &mut each),
            Destination::Program(words) => {
                for (message, digest) in new {
                    each(self.hand_over(message, digest, &words)?);
                }
                Ok(())
            }
        }
    }

    /// Returns whether a message without a unique-id was delivered here before.
    fn is_known_text(&mut self, number: u32, digest: digest::Digest) -> Result<bool, Error> {
        let here = self.options.destination.place();
        self.journal.meet_text(number, digest, self.options.run_id.seconds, &here)
    }

    pub(super) fn intent<T: AsMut<Draft> + Identified + Measured>(
        &self,
        message: &mut T,
        digest: digest::Digest,
    ) -> Intent {
        Intent {
            time: self.options.run_id.seconds,
            uid: message.uid().cloned(),
            size: message.size(),
            digest,
            name: message.as_mut().name.clone(),
            place: self.journal.seen.places.len(),
        }
    }

    fn hand_over<T: AsMut<Draft> + Identified + Measured>(
        &mut self,
        mut message: T,
        digest: digest::Digest,
        words: &[String],
    ) -> Result<Delivery<T>, Error> {
        let place = self.options.destination.place().into_owned();
        let intent = self.intent(&mut message, digest);
        // What could not be noted afterwards would be handed over again in every run.
        self.journal.reserve(&intent, &place)?;
        if let Err(reason) = command::run(words, message.as_mut(), limits::DELIVERY)? {
            return Ok(Delivery::Rejected(message, reason));
        }
        self.journal.record_delivery(intent, &place)?;
        self.journal.seen.has_delivered = true;
        self.count_repeated(digest);
        Ok(Delivery::New(Saved(message)))
    }

    /// Delivers messages to the Maildir: durable, in new/, and in the journal, all or none of them
    /// as far as the next run can tell.
    fn commit<T: AsMut<Draft> + Identified + Measured>(
        &mut self,
        mut batch: Vec<(T, digest::Digest)>,
        root: &Path,
        each: &mut impl FnMut(Delivery<T>),
    ) -> Result<(), Error> {
        if batch.is_empty() {
            return Ok(());
        }
        let (tmp, new) = (self.maildir.root().join("tmp"), self.maildir.root().join("new"));
        let mut drafts: Vec<&mut Draft> =
            batch.iter_mut().map(|(message, _)| message.as_mut()).collect();
        sync(&mut drafts)?;
        // A message for which there is no room, as is known only now, is not delivered; the others are.
        let mut kept = Vec::with_capacity(batch.len());
        for (mut message, digest) in batch {
            match message.as_mut().take_failure() {
                Some(reason) => each(Delivery::Rejected(message, reason)),
                None => kept.push((message, digest)),
            }
        }
        let mut batch = kept;
        self.sync_dir(&tmp)?;
        // From here on the journal may know the files, even if what follows fails half-way: they
        // stay where they are, and recovery has the last word.
        for (message, _) in &mut batch {
            message.as_mut().keep_file();
        }
        let intents: Vec<_> =
            batch.iter_mut().map(|(message, digest)| self.intent(message, *digest)).collect();
        self.journal.record_intents(root, intents.into_iter())?;
        let into = self.open_dir(&new)?;
        for (message, _) in &mut batch {
            let draft = message.as_mut();
            if let Err(error) = self.publish(&draft.path(), &new.join(&draft.name)) {
                // It was there a moment ago. Wherever it is now, it was not delivered.
                let name = draft.name.clone();
                let is_it = |intent: &Intent| (intent.name == name).then_some(Outcome::Void);
                self.journal.resolve(is_it, FollowUp::None)?;
                return Err(error);
            }
        }
        self.sync_opened(&*into, &new)?;
        // What will be deleted at once is noted as such with its delivery: if this run is cut off
        // before, another message may have its unique-id when the next one looks.
        let follow_up = if self.options.deletes_at_once {
            FollowUp::Deleted(self.options.run_id.seconds.max(1))
        } else {
            FollowUp::None
        };
        self.journal.resolve(|_| Some(Outcome::Done), follow_up)?;
        self.journal.seen.has_delivered = true;
        for (message, digest) in batch {
            self.count_repeated(digest);
            each(Delivery::New(Saved(message)));
        }
        Ok(())
    }

    /// Takes in the text of a message that was delivered.
    fn count_repeated(&mut self, digest: digest::Digest) {
        if self.options.repeat && !self.texts.insert(digest) {
            self.repeated += 1;
        }
    }

    pub(super) fn publish(&self, from: &Path, to: &Path) -> Result<(), Error> {
        self.disk.rename(from, to).map_err(|error| Error::io("deliver", to, error))
    }

    /// A directory that is about to get files. Its Maildir may go away before it is synced, and
    /// another one be in its place.
    pub(super) fn open_dir(&self, path: &Path) -> Result<Box<dyn Dir>, Error> {
        self.disk.open_dir(path).map_err(|error| Error::io("open", path, error))
    }

    pub(super) fn sync_opened(&self, dir: &dyn Dir, path: &Path) -> Result<(), Error> {
        let synced = self.disk.sync_opened(dir, path);
        synced.map_err(|error| Error::io("write", path, error))
    }

    pub(super) fn sync_dir(&self, path: &Path) -> Result<(), Error> {
        self.disk.sync_dir(path).map_err(|error| Error::io("write", path, error))
    }
}

/// A message in the listings of a session.
pub trait Measured {
    /// The message-number.
    fn number(&self) -> u32;

    /// Octets, as the server counts; `None` if it told none, or none that can be of this text.
    fn size(&self) -> Option<u64>;
}

/// Makes files durable: write-back is begun for all before the first is waited for, and a large
/// batch is waited for in parallel, since what waits together can be written together.
pub(super) fn sync(drafts: &mut [&mut Draft]) -> Result<(), Error> {
    let wait = |part: &mut [&mut Draft]| {
        for draft in part.iter_mut() {
            draft.begin_sync();
        }
        part.iter_mut().try_for_each(|draft| {
            let draft: &mut Draft = draft;
            match draft.sync() {
                // This file has no room, which others may have.
                Err(error) if is_no_room(&error) => {
                    draft.fail(plain(&error));
                    Ok(())
                }
                synced => synced.map_err(|error| Error::io("write", &draft.path(), error)),
            }
        })
    };
    let count = drafts.len().div_ceil(limits::WAIT_TOGETHER);
    let parts = Mutex::new(drafts.chunks_mut(limits::WAIT_TOGETHER));
    let next = || parts.lock().unwrap_or_else(PoisonError::into_inner).next();
    let work = || iter::from_fn(next).map(wait).fold(Ok(()), Result::and);
    thread::scope(|scope| {
        // Where there can be no more threads, those there are wait for one part after the other.
        let spawn = |_| thread::Builder::new().spawn_scoped(scope, work).ok();
        let others: Vec<_> = (1..count).map_while(spawn).collect();
        let done = work();
        let ended =
            others.into_iter().map(|other| other.join().unwrap_or_else(|p| resume_unwind(p)));
        ended.fold(done, Result::and)
    })
}
