//! Makes messages safe, batch after batch, while the next ones stream in.

use std::collections::HashMap;
use std::sync::mpsc::Receiver;

use super::{Fetched, Filed, Incoming};
use crate::error::Error;
use crate::limits;
use crate::pop3::{Declined, Doomed, Retrieved};
use crate::report::Report;
use crate::settings::FetchJob;
use crate::store::{Rejected, Store};
use crate::text::Uid;

/// A message that came whole, or that the server would not give.
pub(super) type Arrival = Result<Retrieved<Incoming>, Declined>;

/// Takes in what arrives.
pub(super) struct Keeper<'a> {
    pub(super) job: &'a FetchJob,
    pub(super) report: &'a Report,
    pub(super) store: &'a mut Store,
    pub(super) fetched: &'a mut Fetched,
    pub(super) doomed: &'a mut Vec<Doomed>,
    /// Unique-ids that several messages have.
    pub(super) shared: &'a HashMap<Uid, u32>,
    /// The most messages in a batch.
    pub(super) most: usize,
}

impl Keeper<'_> {
    /// Until nothing more can arrive. A batch is what has come when it is full, or when nothing
    /// has come for a moment.
    pub(super) fn keep(mut self, arrivals: &Receiver<Arrival>) -> Result<(), Error> {
        while let Ok(first) = arrivals.recv() {
            let (mut batch, mut octets, mut next) = (Vec::new(), 0, Some(first));
            while let Some(arrival) = next {
                match arrival {
                    Ok(retrieved) => {
                        octets += retrieved.octets();
                        batch.push(retrieved);
                    }
                    Err(Declined { listed, refusal }) => {
                        self.fetched.missed.push((listed.number, refusal.to_string()));
                    }
                }
                let is_full = batch.len() >= self.most || octets >= limits::BATCH_OCTETS;
                let wait = || arrivals.recv_timeout(limits::BATCH_WAIT).ok();
                next = if is_full { None } else { wait() };
            }
            self.deliver(batch)?;
        }
        Ok(())
    }

    fn deliver(&mut self, batch: Vec<Retrieved<Incoming>>) -> Result<(), Error> {
        let Self { job, report, store, fetched, doomed, shared, .. } = self;
        let drafts = store.drafts();
        store.deliver(batch, |message| match message {
            Ok(saved) => {
                let message = saved.get();
                let uid = message.listed().uid.clone();
                let is_shared = uid.as_ref().is_some_and(|uid| shared.contains_key(uid));
                let octets = message.octets();
                fetched.new += 1;
                fetched.octets += octets;
                if report.is_json() {
                    let path = job.maildir().map(|_| drafts.delivered(message.draft().as_ref()));
                    fetched.files.push(Filed { octets, uid, path });
                }
                if job.deletes_at_once() && !is_shared {
                    doomed.push(saved.into());
                }
            }
            Err(Rejected(message, reason)) => {
                fetched.missed.push((message.listed().number, reason));
            }
        })?;
        Ok(())
    }
}
