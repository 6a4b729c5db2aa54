//! The objects that wait for a reconcile: each is in the queue once, and never reconciled twice at a time.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use ahash::AHashMap;
use tokio::time::Instant;

use super::store::Key;

/// Keys in the order in which they became due.
#[derive(Debug, Default)]
pub struct Queue {
    due: VecDeque<Key>,
    /// By time, and by a counter that tells those of the same time apart.
    later: BTreeMap<(Instant, u64), Key>,
    states: AHashMap<Key, State>,
    scheduled: u64,
}

/// A key without a state does not wait and is not reconciled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Due,
    Later(Instant, u64),
    Running,
    /// Due again as soon as it is done.
    RunningDue,
}

impl Queue {
    /// The object is due now.
    pub fn push(&mut self, key: Key) {
        match self.states.get(&key) {
            Some(State::Due | State::RunningDue) => {}
            Some(State::Running) => {
                self.states.insert(key, State::RunningDue);
            }
            Some(&State::Later(at, n)) => {
                self.later.remove(&(at, n));
                self.enqueue(key);
            }
            None => self.enqueue(key),
        }
    }

    /// The next object to reconcile, which is [`done`](Self::done) at some time.
    pub fn pop(&mut self, now: Instant) -> Option<Key> {
        while let Some(entry) = self.later.first_entry().filter(|entry| entry.key().0 <= now) {
            let key = entry.remove();
            self.enqueue(key);
        }
        let key = self.due.pop_front()?;
        self.states.insert(key.clone(), State::Running);
        Some(key)
    }

    /// A reconcile has ended, and wants the next one after this long, if nothing happens before.
    pub fn done(&mut self, key: Key, requeue: Option<Duration>, now: Instant) {
        let again = self.states.remove(&key) == Some(State::RunningDue);
        // A wait beyond what the clock can count is one for ever.
        let at = requeue.and_then(|wait| now.checked_add(wait));
        if again {
            self.enqueue(key);
        } else if let Some(at) = at {
            self.scheduled += 1;
            self.states.insert(key.clone(), State::Later(at, self.scheduled));
            self.later.insert((at, self.scheduled), key);
        }
    }

    /// When the first of those that are not due yet becomes due.
    pub fn next_due(&self) -> Option<Instant> {
        self.later.first_key_value().map(|((at, _), _)| *at)
    }

    fn enqueue(&mut self, key: Key) {
        self.states.insert(key.clone(), State::Due);
        self.due.push_back(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_mins(1);

    fn key(name: &str) -> Key {
        Key::new("cc", name)
    }

    #[test]
    fn an_object_is_queued_once() {
        let (mut queue, now) = (Queue::default(), Instant::now());
        for name in ["a", "b", "a"] {
            queue.push(key(name));
        }
        assert_eq!([queue.pop(now), queue.pop(now), queue.pop(now)], [Some(key("a")), Some(key("b")), None]);
    }

    #[test]
    fn an_object_that_becomes_due_while_it_is_reconciled_runs_again_afterwards() {
        let (mut queue, now) = (Queue::default(), Instant::now());
        queue.push(key("a"));
        assert_eq!(queue.pop(now), Some(key("a")));
        queue.push(key("a"));
        queue.push(key("a"));
        assert_eq!(queue.pop(now), None, "never twice at a time");
        queue.done(key("a"), Some(LONG), now);
        assert_eq!(queue.pop(now), Some(key("a")), "at once, whatever it asked for");
        queue.done(key("a"), None, now);
        assert_eq!((queue.pop(now + LONG), queue.next_due()), (None, None));
    }

    #[test]
    fn a_requeue_runs_in_time_unless_something_comes_before() {
        let (mut queue, now) = (Queue::default(), Instant::now());
        for name in ["a", "b"] {
            queue.push(key(name));
            assert_eq!(queue.pop(now), Some(key(name)));
            queue.done(key(name), Some(LONG), now);
        }
        assert_eq!((queue.pop(now), queue.next_due()), (None, Some(now + LONG)));
        queue.push(key("b"));
        assert_eq!(queue.pop(now), Some(key("b")));
        queue.done(key("b"), None, now);
        assert_eq!([queue.pop(now + LONG), queue.pop(now + LONG)], [Some(key("a")), None], "the event took b's place");
    }

    #[test]
    fn a_wait_beyond_the_clock_is_for_ever() {
        let (mut queue, now) = (Queue::default(), Instant::now());
        queue.push(key("a"));
        assert_eq!(queue.pop(now), Some(key("a")));
        queue.done(key("a"), Some(Duration::MAX), now);
        assert_eq!(queue.next_due(), None);
    }
}
