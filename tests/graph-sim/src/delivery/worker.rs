//! The task that delivers: first attempts in order, retries by Meta's clock.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::{Delivery, Event, Target, Weather, payload, targets};
use crate::server::Shared;

/// Seconds between attempts; after the last one Meta gives up, a day and a half after the first.
const RETRIES: [i64; 9] = [10, 60, 300, 1_800, 3_600, 7_200, 14_400, 28_800, 73_800];
/// How long Meta waits for a callback's answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long events are collected, in real time, to be sent in the wrong order.
const COLLECTING: Duration = Duration::from_millis(200);

/// Delivers for as long as the simulator runs.
pub(crate) async fn run(shared: Shared) {
    let client = match reqwest::Client::builder().timeout(PATIENCE).user_agent("facebookexternalua").build() {
        Ok(client) => client,
        Err(error) => {
            tracing::error!(%error, "webhooks cannot be delivered");
            return;
        }
    };
    let wake = shared.world().deliveries.wake.clone();
    loop {
        wake.notified().await;
        if shared.world().deliveries.weather.reorder {
            tokio::time::sleep(COLLECTING).await;
        }
        let (mut events, weather) = {
            let mut world = shared.world();
            (std::mem::take(&mut world.deliveries.outbox), world.deliveries.weather)
        };
        if weather.reorder {
            events.reverse();
        }
        for event in events {
            dispatch(&shared, &client, event, weather).await;
        }
    }
}

async fn dispatch(shared: &Shared, client: &reqwest::Client, event: Event, weather: Weather) {
    let clock = shared.world().clock.clone();
    if weather.delay_seconds == 0 || weather.drop {
        first_attempts(shared, client, &event, weather).await;
        return;
    }
    let due = later(clock.now(), weather.delay_seconds.into());
    let (shared, client) = (shared.clone(), client.clone());
    tokio::spawn(async move {
        clock.sleep_until(due).await;
        first_attempts(&shared, &client, &event, weather).await;
    });
}

async fn first_attempts(shared: &Shared, client: &reqwest::Client, event: &Event, weather: Weather) {
    let found = targets(&shared.world(), event);
    if found.is_empty()
        && let Some(message) = &event.message
    {
        shared.world().deliveries.settle_message(message, None, "lost");
    }
    for target in found {
        let attempt = Attempt::open(shared, event, target);
        if weather.drop {
            attempt.settle(shared, 0, "dropped");
            continue;
        }
        for _ in 0..=u8::from(weather.duplicate) {
            attempt.first(shared, client).await;
        }
    }
}

/// One delivery on its way.
#[derive(Clone)]
struct Attempt {
    seq: u64,
    target: Target,
    body: Vec<u8>,
    message: Option<String>,
}

impl Attempt {
    fn open(shared: &Shared, event: &Event, target: Target) -> Self {
        let mut world = shared.world();
        let now = world.clock.now();
        let body = payload::bytes(event, &target, now.as_second());
        let seq = world.deliveries.note(Delivery {
            seq: 0,
            time: now.to_string(),
            field: event.field,
            account: event.account.clone(),
            app: target.app.clone(),
            callback: target.url.clone(),
            attempts: 0,
            state: "pending",
        });
        Self { seq, target, body, message: event.message.clone() }
    }

    fn settle(&self, shared: &Shared, attempts: u32, state: &'static str) {
        let message = self.message.as_deref();
        shared.world().deliveries.settle(self.seq, message, &self.target.url, attempts, state);
    }

    async fn first(&self, shared: &Shared, client: &reqwest::Client) {
        if self.post(shared, client).await {
            self.settle(shared, 1, "delivered");
            return;
        }
        self.settle(shared, 1, "pending");
        let (attempt, shared, client) = (self.clone(), shared.clone(), client.clone());
        tokio::spawn(async move { attempt.retry(&shared, &client).await });
    }

    async fn retry(&self, shared: &Shared, client: &reqwest::Client) {
        let clock = shared.world().clock.clone();
        for (nth, wait) in (2..).zip(RETRIES) {
            clock.sleep_until(later(clock.now(), wait)).await;
            if self.post(shared, client).await {
                self.settle(shared, nth, "delivered");
                return;
            }
            self.settle(shared, nth, "pending");
        }
        self.settle(shared, u32::try_from(RETRIES.len() + 1).unwrap_or(u32::MAX), "failed");
    }

    /// Whether the callback took it: nothing but 200 counts.
    async fn post(&self, shared: &Shared, client: &reqwest::Client) -> bool {
        if shared.world().habits.receiver(&self.target.url).is_some() {
            return true;
        }
        let answer = client
            .post(&self.target.url)
            .header("content-type", "application/json")
            .header("x-hub-signature-256", payload::signature(&self.target.secret, &self.body))
            .body(self.body.clone())
            .send()
            .await;
        answer.is_ok_and(|answer| answer.status() == 200)
    }
}

fn later(now: Timestamp, seconds: i64) -> Timestamp {
    now.checked_add(SignedDuration::from_secs(seconds)).unwrap_or(now)
}
