//! The thread that delivers messages, batch after batch, while the next ones are retrieved, and the
//! bounded queue between both.

use std::collections::{HashMap, HashSet};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::Halt;
use super::incoming::Incoming;
use super::outcome::{Fetched, FetchedFile, Lack};
use crate::error::Error;
use crate::limits;
use crate::pop3::{Deletable, RetrRefused, Retrieved, Sizes};
use crate::report::Report;
use crate::settings::FetchJob;
use crate::store::{Delivery, Purpose, Store};
use crate::text::Uid;

/// A reply in a flight of RETRs.
pub(super) enum Arrival {
    /// The sizes of all messages.
    Sizes(Sizes),
    /// A message that came whole.
    Message(Box<Retrieved<Incoming>>),
    /// A message that the server would not give.
    Refused(RetrRefused),
}

impl Arrival {
    fn octets(&self) -> u64 {
        if let Self::Message(message) = self { message.octets() } else { 0 }
    }
}

/// A bounded queue between the thread that reads from the server and the one that writes: the
/// reader adds, the writer takes a batch at a time. Neither is woken for a single message, since
/// there are thousands a second.
pub(super) struct DeliveryQueue {
    /// The most messages that wait, and so the most in a batch.
    most: usize,
    waiting: Mutex<Waiting>,
    added: Condvar,
    taken: Condvar,
}

#[derive(Default)]
struct Waiting {
    batch: Vec<Arrival>,
    octets: u64,
    /// True once one of the two threads has ended.
    is_over: bool,
}

impl DeliveryQueue {
    pub(super) fn new(most: usize) -> Self {
        let (added, taken) = (Condvar::new(), Condvar::new());
        Self { most, waiting: Mutex::default(), added, taken }
    }

    /// Adds a message once there is room. An error if the writer has ended.
    pub(super) fn add(&self, arrival: Arrival) -> Result<(), Halt> {
        let is_full = |waiting: &mut Waiting| waiting.batch.len() >= self.most && !waiting.is_over;
        let waiting = self.taken.wait_while(self.lock(), is_full);
        let mut waiting = waiting.unwrap_or_else(PoisonError::into_inner);
        if waiting.is_over {
            return Err(Halt::Unkept);
        }
        let is_first = waiting.batch.is_empty();
        waiting.octets += arrival.octets();
        waiting.batch.push(arrival);
        if is_first || self.is_batch(&waiting) {
            self.added.notify_one();
        }
        Ok(())
    }

    /// Takes what there is when it is a batch, or when nothing has come for a moment, or when
    /// nothing more will come. Empty at the end.
    fn take(&self) -> Vec<Arrival> {
        let is_empty = |waiting: &mut Waiting| waiting.batch.is_empty() && !waiting.is_over;
        let waiting = self.added.wait_while(self.lock(), is_empty);
        let mut waiting = waiting.unwrap_or_else(PoisonError::into_inner);
        let mut before = 0;
        while waiting.batch.len() > before && !self.is_batch(&waiting) && !waiting.is_over {
            before = waiting.batch.len();
            let moment = self.added.wait_timeout(waiting, limits::BATCH_WAIT);
            (waiting, _) = moment.unwrap_or_else(PoisonError::into_inner);
        }
        waiting.octets = 0;
        self.taken.notify_one();
        std::mem::take(&mut waiting.batch)
    }

    fn is_batch(&self, waiting: &Waiting) -> bool {
        waiting.batch.len() >= self.most || waiting.octets >= limits::BATCH_OCTETS
    }

    /// A guard for each of the two threads to hold until it ends, in any way.
    pub(super) fn present(&self) -> QueueGuard<'_> {
        QueueGuard(self)
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The presence of one of the two threads.
pub(super) struct QueueGuard<'a>(&'a DeliveryQueue);

impl Drop for QueueGuard<'_> {
    fn drop(&mut self) {
        self.0.lock().is_over = true;
        self.0.added.notify_one();
        self.0.taken.notify_one();
    }
}

/// Takes in what arrives.
pub(super) struct DeliveryWorker<'a> {
    pub(super) job: &'a FetchJob,
    pub(super) report: &'a Report,
    pub(super) store: &'a mut Store,
    pub(super) fetched: &'a mut Fetched,
    pub(super) deletable: &'a mut Vec<Deletable>,
    /// Unique-ids that several messages have.
    pub(super) shared: &'a HashMap<Uid, u32>,
    /// Known messages whose time on the server is over.
    pub(super) due: &'a HashSet<Uid>,
    pub(super) purpose: Purpose,
}

impl DeliveryWorker<'_> {
    /// Delivers batches until no more can arrive.
    pub(super) fn keep(mut self, arrivals: &DeliveryQueue) -> Result<(), Error> {
        let _present = arrivals.present();
        loop {
            let taken = arrivals.take();
            if taken.is_empty() {
                return Ok(());
            }
            let mut batch = Vec::with_capacity(taken.len());
            for arrival in taken {
                match arrival {
                    Arrival::Sizes(sizes) => self.store.note_sizes(|number| sizes.of(number))?,
                    Arrival::Message(retrieved) => batch.push(*retrieved),
                    Arrival::Refused(RetrRefused { listed, refusal }) => {
                        let lack = Lack::Retrieval((&refusal).into());
                        self.fetched.miss(listed, lack, refusal.to_string());
                    }
                }
            }
            self.deliver(batch)?;
        }
    }

    fn deliver(&mut self, batch: Vec<Retrieved<Incoming>>) -> Result<(), Error> {
        let Self { job, report, store, fetched, deletable, shared, due, purpose } = self;
        let drafts = store.drafts();
        store.deliver(batch, *purpose, |message| match message {
            Delivery::New(saved) => {
                let message = saved.get();
                let uid = message.listed().uid.clone();
                let is_shared = uid.as_ref().is_some_and(|uid| shared.contains_key(uid));
                let (octets, is_short) = (message.octets(), message.is_short());
                let listed = message.listed().clone();
                fetched.new += 1;
                fetched.octets += octets;
                if report.is_json() {
                    let path = job.maildir().map(|_| drafts.delivered(message.draft().as_ref()));
                    fetched.files.push(FetchedFile { octets, uid, path });
                }
                // It is delivered, but which of several messages it is on the server is unknown, or
                // whether the server has more of it.
                if !job.deletes_at_once() || is_shared {
                } else if is_short {
                    fetched.miss(listed, Lack::Deletion, TOO_SHORT.to_owned());
                } else {
                    deletable.push(saved.into());
                }
            }
            Delivery::Same(saved) => {
                let message = saved.get();
                let uid = message.listed().uid.as_ref();
                let is_due = uid.map_or(job.deletes_at_once(), |uid| due.contains(uid));
                if is_due && message.is_short() {
                    let listed = message.listed().clone();
                    fetched.miss(listed, Lack::Deletion, TOO_SHORT.to_owned());
                } else if is_due {
                    deletable.push(saved.into());
                }
            }
            Delivery::SameElsewhere(_) => {}
            Delivery::Rejected(message, reason) => {
                fetched.miss(message.listed().clone(), Lack::Delivery, reason);
            }
        })?;
        Ok(())
    }
}

/// The reason why a delivered message stays on the server.
const TOO_SHORT: &str = "it came shorter than half of its listed size";

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;
    use crate::pop3::{Pop3, ScanListing};
    use crate::wire::Grammar as _;

    fn arrival(number: u32) -> Arrival {
        let (reply, _) = Pop3::parse(b"-ERR no\r\n").unwrap().unwrap();
        let refusal = reply.accepted().unwrap_err();
        Arrival::Refused(RetrRefused { listed: ScanListing { number, uid: None }, refusal })
    }

    #[test]
    fn what_arrives_is_taken_in_order_and_no_more_than_so_many_wait() {
        let arrivals = DeliveryQueue::new(2);
        let mut taken = Vec::new();
        thread::scope(|scope| {
            scope.spawn(|| {
                let _present = arrivals.present();
                (0..1_000).for_each(|number| assert!(arrivals.add(arrival(number)).is_ok()));
            });
            loop {
                let batch = arrivals.take();
                assert!(batch.len() <= 2);
                if batch.is_empty() {
                    break;
                }
                taken.extend(batch.into_iter().filter_map(|arrival| match arrival {
                    Arrival::Refused(refused) => Some(refused),
                    _ => None,
                }));
            }
        });
        let numbers: Vec<_> = taken.iter().map(|declined| declined.listed.number).collect();
        assert_eq!(numbers, (0..1_000).collect::<Vec<_>>());
    }

    #[test]
    fn nothing_is_added_for_a_keeper_who_is_gone() {
        let arrivals = DeliveryQueue::new(2);
        drop(arrivals.present());
        assert!(matches!(arrivals.add(arrival(1)), Err(Halt::Unkept)));
    }
}
