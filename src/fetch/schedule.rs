//! The order in which accounts have their turn: several side by side, few of them at one host.
//!
//! A server that does not take so many connections turns some of them away. Those accounts wait until
//! others at this host have ended, and from then on no more are connected than it took.

use std::collections::{HashMap, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Jobs that wait for their turns, by host.
pub(super) struct Schedule<J> {
    hosts: Mutex<Vec<Host<J>>>,
    ended: Condvar,
}

struct Host<J> {
    /// The jobs that wait, with their places in the order of all.
    waiting: VecDeque<(usize, J)>,
    /// The number of jobs that have their turns.
    running: usize,
    /// The most that may.
    most: usize,
}

/// The turn of a job, until it is dropped.
pub(super) struct Turn<'a, J> {
    schedule: &'a Schedule<J>,
    place: usize,
    host: usize,
}

impl<J> Schedule<J> {
    /// Jobs in their order, each with its host; at most `most` have their turns at one host.
    pub(super) fn new<'a>(jobs: impl IntoIterator<Item = (&'a str, J)>, most: usize) -> Self {
        let (mut numbers, mut hosts) = (HashMap::new(), Vec::<Host<J>>::new());
        for (place, (name, job)) in jobs.into_iter().enumerate() {
            let number = *numbers.entry(name).or_insert(hosts.len());
            match hosts.get_mut(number) {
                Some(host) => host.waiting.push_back((place, job)),
                None => hosts.push(Host { waiting: [(place, job)].into(), running: 0, most }),
            }
        }
        Self { hosts: Mutex::new(hosts), ended: Condvar::new() }
    }

    /// The number of jobs that can have their turns at once.
    pub(super) fn width(&self) -> usize {
        self.hosts().iter().map(|host| host.waiting.len().min(host.most)).sum()
    }

    /// The first job that waits at a host with room, once there is one; `None` if none waits.
    pub(super) fn next(&self) -> Option<(J, Turn<'_, J>)> {
        let mut hosts = self.hosts();
        loop {
            let with_room = |host: &&mut Host<J>| host.running < host.most;
            let place = |host: &Host<J>| host.waiting.front().map(|(place, _)| *place);
            let numbered = hosts.iter_mut().enumerate().filter(|(_, host)| with_room(host));
            let first = numbered.filter_map(|(number, host)| Some((place(host)?, number, host)));
            if let Some((place, number, host)) = first.min_by_key(|(place, ..)| *place)
                && let Some((_, job)) = host.waiting.pop_front()
            {
                host.running += 1;
                return Some((job, Turn { schedule: self, place, host: number }));
            }
            if hosts.iter().all(|host| host.waiting.is_empty()) {
                return None;
            }
            hosts = self.ended.wait(hosts).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn hosts(&self) -> MutexGuard<'_, Vec<Host<J>>> {
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<J> Turn<'_, J> {
    /// Returns whether a server that turned this job away may have done so because of the others.
    /// Then their number is the most from here on, and the job may wait for another turn.
    pub(super) fn is_one_too_many(&self) -> bool {
        let mut hosts = self.schedule.hosts();
        let Some(host) = hosts.get_mut(self.host).filter(|host| host.running > 1) else {
            return false;
        };
        host.most = host.most.min(host.running - 1);
        true
    }

    /// Ends this turn, and lets the job wait for another one.
    pub(super) fn give_back(self, job: J) {
        if let Some(host) = self.schedule.hosts().get_mut(self.host) {
            host.waiting.push_front((self.place, job));
        }
    }
}

impl<J> Drop for Turn<'_, J> {
    fn drop(&mut self) {
        if let Some(host) = self.schedule.hosts().get_mut(self.host) {
            host.running -= 1;
        }
        self.schedule.ended.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    use super::*;

    /// Runs all jobs of `threads` threads; the most that ran at once, and the order of their ends.
    fn run(schedule: &Schedule<usize>, threads: usize) -> (usize, Vec<usize>) {
        let (running, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let ended = Mutex::new(Vec::new());
        thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    while let Some((job, _turn)) = schedule.next() {
                        let now = running.fetch_add(1, Ordering::SeqCst) + 1;
                        most.fetch_max(now, Ordering::SeqCst);
                        thread::yield_now();
                        running.fetch_sub(1, Ordering::SeqCst);
                        ended.lock().unwrap().push(job);
                    }
                });
            }
        });
        (most.into_inner(), ended.into_inner().unwrap())
    }

    #[test]
    fn at_one_host_there_are_never_more_than_its_most() {
        let schedule = Schedule::new((0..100).map(|job| ("host", job)), 3);
        assert_eq!(schedule.width(), 3);
        let (most, mut ended) = run(&schedule, 8);
        assert!(most <= 3, "{most}");
        ended.sort_unstable();
        assert_eq!(ended, (0..100).collect::<Vec<_>>());
    }

    #[test]
    fn a_host_that_is_full_does_not_keep_others_from_their_turns() {
        let hosts = ["a", "a", "a", "b"];
        let schedule = Schedule::new(hosts.into_iter().zip(0..), 2);
        assert_eq!(schedule.width(), 3);
        let turns: Vec<_> = (0..3).filter_map(|_| schedule.next()).collect();
        assert_eq!(turns.iter().map(|(job, _)| *job).collect::<Vec<_>>(), [0, 1, 3]);
        drop(turns);
        assert_eq!(schedule.next().map(|(job, _)| job), Some(2));
        assert!(schedule.next().is_none());
    }

    #[test]
    fn a_job_that_is_one_too_many_waits_for_the_others() {
        let schedule = Schedule::new((0..4).map(|job| ("host", job)), 3);
        let mut turns: Vec<_> = (0..3).filter_map(|_| schedule.next()).collect();
        // The server takes one.
        for _ in 0..2 {
            let (job, turn) = turns.pop().unwrap();
            assert!(turn.is_one_too_many());
            turn.give_back(job);
        }
        let (_, last) = turns.pop().unwrap();
        assert!(!last.is_one_too_many());
        drop(last);
        // Their order is as it was.
        let (job, turn) = schedule.next().unwrap();
        assert_eq!((job, schedule.hosts()[0].most), (1, 1));
        assert!(!turn.is_one_too_many());
        drop(turn);
        assert_eq!(run(&schedule, 4), (1, vec![2, 3]));
    }
}
