//! The limits of a read that takes many calls: a listing without an end must fail, however Meta makes it long.

use std::time::Duration;

use parking_lot::Mutex;

use super::endpoint::Endpoint;
use super::errors::{Class, Error, Sent};
use crate::timing::{Timing, now};

/// Pages of one read in all. Meta's largest accounts (6,000 templates, some thousand numbers) stay far below.
const PAGES: u32 = 300;

/// Pages in a row that brought nothing new. Meta filters after it has cut the pages, so some may be empty.
const FRUITLESS_PAGES: u32 = 10;

const CIRCLE: &str = "Meta's list does not end: Meta returned a cursor that it had returned before";
const TOO_MANY_PAGES: &str = "Meta's list does not end: it has more than 300 pages";
const NOTHING_NEW: &str = "Meta's list does not end: ten pages in a row brought nothing new";
const TOO_SLOW: &str = "Meta took too long for all pages of a list together";

/// What a read may still take: shared by all its listings, and by their repetitions.
pub(super) struct Effort {
    longest: Duration,
    state: Mutex<State>,
}

struct State {
    /// What the calls took, without the waits for their turns.
    spent: Duration,
    pages: u32,
    fruitless: u32,
    odd_values: u32,
}

impl Effort {
    /// The effort of a new read.
    pub fn new(timing: &Timing) -> Self {
        let state = State { spent: Duration::ZERO, pages: 0, fruitless: 0, odd_values: 0 };
        Self { longest: timing.longest_read, state: Mutex::new(state) }
    }

    /// Sends one of the read's calls, within the time that is left.
    pub async fn spend<T>(
        &self,
        endpoint: Endpoint,
        call: impl Future<Output = Result<T, Error>> + Send,
    ) -> Result<T, Error> {
        let left = self.longest.saturating_sub(self.state.lock().spent);
        let started = now();
        let result = tokio::time::timeout(left, call).await;
        self.state.lock().spent += now().saturating_duration_since(started);
        result.unwrap_or_else(|_| Err(endless(endpoint, TOO_SLOW)))
    }

    /// Counts values of a reply that were left out.
    pub fn count_odd(&self, values: u32) {
        self.state.lock().odd_values += values;
    }

    /// How many values were left out in all.
    pub fn odd_values(&self) -> u32 {
        self.state.lock().odd_values
    }

    /// Counts a page; `fresh` is whether it brought anything new.
    pub fn count_page(&self, endpoint: Endpoint, fresh: bool) -> Result<(), Error> {
        let mut state = self.state.lock();
        state.pages += 1;
        state.fruitless = if fresh { 0 } else { state.fruitless + 1 };
        if state.pages > PAGES {
            return Err(endless(endpoint, TOO_MANY_PAGES));
        }
        if state.fruitless >= FRUITLESS_PAGES {
            return Err(endless(endpoint, NOTHING_NEW));
        }
        Ok(())
    }
}

/// The error of a listing that comes back to where it was.
pub(super) fn circle(endpoint: Endpoint) -> Error {
    endless(endpoint, CIRCLE)
}

fn endless(endpoint: Endpoint, detail: &'static str) -> Error {
    Error::without_reply(endpoint, Class::Transient, Sent::Endless, detail)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const ENDPOINT: Endpoint = Endpoint::MessageTemplates;

    fn effort() -> Effort {
        Effort::new(&Timing::default())
    }

    fn detail(result: Result<(), Error>) -> &'static str {
        let error = result.unwrap_err();
        assert!(error.is_endless() && error.is_transient(), "{error}");
        error.detail()
    }

    #[test]
    fn pages_are_limited_though_each_brings_something_new() {
        let effort = effort();
        for _ in 0..PAGES {
            effort.count_page(ENDPOINT, true).unwrap();
        }
        assert_eq!(detail(effort.count_page(ENDPOINT, true)), TOO_MANY_PAGES);
    }

    #[test]
    fn some_empty_pages_are_no_endless_list() {
        let effort = effort();
        for _ in 0..5 {
            for _ in 1..FRUITLESS_PAGES {
                effort.count_page(ENDPOINT, false).unwrap();
            }
            effort.count_page(ENDPOINT, true).unwrap();
        }
        for _ in 1..FRUITLESS_PAGES {
            effort.count_page(ENDPOINT, false).unwrap();
        }
        assert_eq!(detail(effort.count_page(ENDPOINT, false)), NOTHING_NEW);
    }

    #[tokio::test(start_paused = true)]
    async fn the_time_of_all_calls_together_is_limited() {
        let effort = effort();
        let longest = Timing::default().longest_read;
        let call = |takes: Duration| async move {
            tokio::time::sleep(takes).await;
            Ok(())
        };
        effort.spend(ENDPOINT, call(longest / 2)).await.unwrap();
        tokio::time::sleep(longest * 3).await;
        effort.spend(ENDPOINT, call(longest / 3)).await.unwrap();
        let started = now();
        assert_eq!(detail(effort.spend(ENDPOINT, call(longest)).await), TOO_SLOW);
        assert!(now() - started < longest / 4, "it was given only what was left");
    }
}
