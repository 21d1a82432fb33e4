//! Recovery after an interrupted run: each message that the journal announced is found delivered, is
//! delivered now, or is void and fetched again. Sweeps from tmp/ what was written under this state
//! directory's mark and never announced.

use std::collections::{BTreeSet, HashSet};
use std::io;
use std::path::{Path, PathBuf};

use super::Store;
use super::error::Error;
use super::journal::{FollowUp, Outcome};
use super::seen::Intent;
use crate::text::Uid;

/// A message that a run before this one had not finished to deliver, and that is delivered now.
#[derive(Clone, Debug)]
pub struct Recovered {
    /// The unique-id.
    pub uid: Option<Uid>,
    /// The size in the listing.
    pub size: Option<u64>,
    /// The file's path until a mail reader moves it.
    pub path: PathBuf,
}

impl Store {
    /// Finishes or gives up every delivery that was announced and not confirmed.
    pub(super) fn recover(&mut self) -> Result<(), Error> {
        if self.journal.seen.intents.is_empty() {
            return Ok(());
        }
        // That they can be read does not mean that they are durable, nor that a sync would make them
        // so: one that failed gives up what it could not write.
        self.journal.rewrite()?;
        let intents = self.journal.seen.intents.clone();
        let places: BTreeSet<_> = intents.iter().map(|intent| intent.place).collect();
        let (mut found, mut recovered) = (HashSet::new(), Vec::new());
        for place in places {
            let root = self.journal.seen.places.get(place).cloned().unwrap_or_default();
            let (tmp, new, cur) = (root.join("tmp"), root.join("new"), root.join("cur"));
            for dir in [&tmp, &new, &cur] {
                // A disk that is not mounted looks like this.
                if !self.exists(dir)? {
                    return Err(Error::MaildirGone(root));
                }
            }
            let opened = [(self.open_dir(&new)?, new.clone()), (self.open_dir(&cur)?, cur.clone())];
            let read = self.names(&[&new, &cur])?;
            for intent in intents.iter().filter(|intent| intent.place == place) {
                let (from, to) = (tmp.join(&intent.name), new.join(&intent.name));
                if !read.contains(&intent.name) {
                    if !self.exists(&from)? {
                        continue;
                    }
                    self.publish(&from, &to)?;
                }
                found.insert(intent.name.clone());
                let (uid, size) = (intent.uid.clone(), intent.size);
                recovered.push(Recovered { uid, size, path: to });
            }
            for (dir, path) in opened {
                self.sync_opened(&*dir, &path)?;
            }
        }
        let outcome = |intent: &Intent| {
            Some(if found.contains(&intent.name) { Outcome::Done } else { Outcome::Void })
        };
        // The time since the interrupted session is unknown: they count as absent since.
        let follow_up = FollowUp::Missing(self.options.run_id.seconds.max(1));
        self.journal.resolve(outcome, follow_up)?;
        self.journal.sync()?;
        self.recovered = recovered;
        Ok(())
    }

    pub(super) fn exists(&self, path: &Path) -> Result<bool, Error> {
        self.disk.exists(path).map_err(|error| Error::io("look at", path, error))
    }

    /// The unique part of every file name in these directories: readers append `:2,` and flags.
    pub(super) fn names(&self, dirs: &[&Path]) -> Result<HashSet<String>, Error> {
        let mut names = HashSet::new();
        for dir in dirs {
            let list = self.disk.list(dir).map_err(|error| Error::io("read", dir, error))?;
            names.extend(list.iter().filter_map(|name| {
                let name = name.to_str()?;
                Some(name.split(':').next().unwrap_or(name).to_owned())
            }));
        }
        Ok(names)
    }

    /// Removes what runs that were cut off left in tmp/, apart from what they had announced: before
    /// anything is written, for the disk may be full of it.
    pub(super) fn sweep(&self) -> Result<(), Error> {
        let tmp = self.maildir.root().join("tmp");
        if !self.journal.is_begun() || !self.exists(&tmp)? {
            return Ok(());
        }
        let announced: HashSet<_> =
            self.journal.seen.intents.iter().map(|intent| intent.name.as_str()).collect();
        let names = self.disk.list(&tmp).map_err(|error| Error::io("read", &tmp, error))?;
        for name in names.iter().filter(|name| self.maildir.is_ours(name)) {
            if name.to_str().is_some_and(|name| announced.contains(name)) {
                continue;
            }
            let path = tmp.join(name);
            match self.disk.remove(&path) {
                // Another sweeper was faster.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                removed => removed.map_err(|error| Error::io("remove", &path, error))?,
            }
        }
        Ok(())
    }
}
