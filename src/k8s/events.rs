//! Events (`events.k8s.io/v1`), sent in the background: a slow API server slows no reconcile, and no failure to tell
//! people something becomes a failure to do it.

use std::future::Future;

use jiff::Timestamp;
use k8s_openapi::{
    api::{core::v1::ObjectReference, events::v1::Event},
    apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta},
};
use kube::{Api, Client, api::PostParams};
use tokio::sync::mpsc;

use super::{conditions::truncate, timeout::call};
use crate::{messages::lay_out, telemetry::Metrics};

pub use kube::runtime::events::EventType;

/// How many events may wait; one more is dropped.
const WAITING: usize = 1024;

/// The API server's limit of a note, in bytes.
const NOTE_LIMIT: usize = 1024;

/// The API server's limit of a name.
const NAME_LIMIT: usize = 253;

/// Where events are put; clones share the queue.
#[derive(Clone, Debug)]
pub struct Events {
    queue: mpsc::Sender<Event>,
    controller: String,
    instance: String,
    metrics: Metrics,
}

impl Events {
    /// A queue, and the future that empties it: to be spawned, and awaited on the way out. It ends when all clones of
    /// the queue are dropped and what waited in it is sent.
    ///
    /// `controller` names the operator, `instance` this process (the pod's name).
    pub fn new(
        client: Client,
        controller: &str,
        instance: &str,
        metrics: &Metrics,
    ) -> (Self, impl Future<Output = ()> + Send + 'static) {
        let (queue, waiting) = mpsc::channel(WAITING);
        let (controller, instance) = (controller.to_owned(), instance.to_owned());
        (Self { queue, controller, instance, metrics: metrics.clone() }, send_all(client, waiting))
    }

    /// Tells people that something happened to an object. Returns at once.
    ///
    /// `reason` is why (CamelCase, from a closed list), `action` what was done or tried (CamelCase), `note` the
    /// sentence for people, cut to 1 kB. Say each thing once: events are not counted up.
    pub fn publish(&self, object: &ObjectReference, type_: EventType, reason: &str, action: &str, note: &str) {
        let event = self.event(object, type_, reason, action, note, Timestamp::now());
        if self.queue.try_send(event).is_err() {
            self.metrics.event_dropped();
            tracing::warn!(reason, namespace = object.namespace, name = object.name, "event dropped");
        }
    }

    fn event(
        &self,
        object: &ObjectReference,
        type_: EventType,
        reason: &str,
        action: &str,
        note: &str,
        now: Timestamp,
    ) -> Event {
        // Random rather than the time alone: two events of one object in one instant are two.
        let suffix = format!(".{:08x}{:08x}", now.as_second(), rand::random::<u32>());
        let name: String = object.name.iter().flat_map(|name| name.chars()).take(NAME_LIMIT - suffix.len()).collect();
        Event {
            metadata: ObjectMeta {
                name: Some(name.trim_end_matches(['.', '-']).to_owned() + &suffix),
                // Events about cluster-wide objects live in "default".
                namespace: Some(object.namespace.clone().unwrap_or_else(|| "default".to_owned())),
                ..ObjectMeta::default()
            },
            event_time: Some(MicroTime(now)),
            type_: Some(
                match type_ {
                    EventType::Normal => "Normal",
                    EventType::Warning => "Warning",
                }
                .to_owned(),
            ),
            reason: Some(reason.to_owned()),
            action: Some(action.to_owned()),
            note: Some(note_of(note)),
            regarding: Some(object.clone()),
            reporting_controller: Some(self.controller.clone()),
            reporting_instance: Some(self.instance.clone()),
            ..Event::default()
        }
    }
}

/// The note in at most [`NOTE_LIMIT`] bytes.
fn note_of(note: &str) -> String {
    let note = lay_out(note);
    let mut limit = NOTE_LIMIT;
    loop {
        let cut = truncate(&note, limit);
        match cut.len().checked_sub(NOTE_LIMIT) {
            None | Some(0) => return cut,
            // A character has at most 4 bytes: this many fewer characters come nearer without overshooting far.
            Some(excess) => limit -= excess.div_ceil(4),
        }
    }
}

async fn send_all(client: Client, mut waiting: mpsc::Receiver<Event>) {
    while let Some(event) = waiting.recv().await {
        let namespace = event.metadata.namespace.clone().unwrap_or_default();
        let api = Api::<Event>::namespaced(client.clone(), &namespace);
        if let Err(error) = call(api.create(&PostParams::default(), &event)).await {
            let (reason, name) = (event.reason.as_deref(), event.regarding.as_ref().and_then(|r| r.name.as_deref()));
            if error.is_namespace_ending() {
                tracing::debug!(%error, reason, namespace, name, "event not sent");
            } else {
                tracing::warn!(%error, reason, namespace, name, "event not sent");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    /// A client that no test here lets send anything.
    fn client() -> Client {
        Client::try_from(kube::Config::new("http://127.0.0.1:9".parse().unwrap())).unwrap()
    }

    #[tokio::test]
    async fn a_full_queue_drops_and_counts_and_does_not_wait() {
        let metrics = Metrics::new();
        let (events, sending) = Events::new(client(), "waba-operator", "pod-0", &metrics);
        for _ in 0..WAITING + 3 {
            events.publish(&ObjectReference::default(), EventType::Normal, "Reason", "Action", "note");
        }
        assert!(metrics.encode().contains("waba_events_dropped_total 3\n"), "{}", metrics.encode());
        drop(sending);
    }

    #[tokio::test]
    async fn limits_of_the_api_server_are_kept() {
        let (events, _sending) = Events::new(client(), "waba-operator", "pod-0", &Metrics::new());
        let object = ObjectReference { name: Some("n".repeat(252) + "."), ..ObjectReference::default() };
        for note in ["short".to_owned(), "x".repeat(5000), "é".repeat(1000), "😀".repeat(700)] {
            let event = events.event(&object, EventType::Warning, "R", "A", &note, Timestamp::UNIX_EPOCH);
            let (cut, name) = (event.note.unwrap(), event.metadata.name.unwrap());
            assert!(cut.len() <= NOTE_LIMIT && cut.len() > NOTE_LIMIT - 64 || cut == note, "{} bytes", cut.len());
            assert!(name.len() <= NAME_LIMIT, "{name}");
        }
    }
}
