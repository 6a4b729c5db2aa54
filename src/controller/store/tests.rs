//! Which objects exist and claim what, while watches bring them, delete them and list them again.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use serde::Serialize;
use serde_json::{Value, json};

use super::*;
use crate::{
    api::{WhatsAppNumber, WhatsAppNumberSpec},
    controller::ownership::NumberClaim,
};

const LINE: u64 = 525_512_345_678;

fn number(namespace: &str, name: &str, phone_number: &str) -> WhatsAppNumber {
    let spec = WhatsAppNumberSpec { phone_number: phone_number.to_owned(), ..WhatsAppNumberSpec::default() };
    let mut number = WhatsAppNumber::new(name, spec);
    number.metadata.namespace = Some(namespace.to_owned());
    number
}

/// An object as the API server sends it.
fn sent(object: impl Serialize) -> Watched<WhatsAppNumber> {
    serde_json::from_str(&serde_json::to_string(&object).unwrap()).unwrap()
}

/// The view of some watches, and their writing ends.
struct View {
    objects: Objects<WhatsAppNumber>,
    feeds: Vec<ScopeFeed>,
}

impl View {
    fn over(namespaces: &[&str]) -> Self {
        let namespaces: Vec<String> = namespaces.iter().map(ToString::to_string).collect();
        let (objects, feeds) = Objects::new(&namespaces);
        Self { objects, feeds }
    }

    fn event(&mut self, namespace: Option<&str>, event: &Event<Watched<WhatsAppNumber>>) -> Update<WhatsAppNumber> {
        let feed = self.feeds.iter_mut().find(|feed| feed.namespace.as_deref() == namespace).unwrap();
        self.objects.update(feed, event)
    }

    fn apply(&mut self, number: impl Serialize) -> Update<WhatsAppNumber> {
        self.event(None, &Event::Apply(sent(number)))
    }

    fn list<T: Serialize>(&mut self, namespace: Option<&str>, numbers: &[T]) -> Update<WhatsAppNumber> {
        self.event(namespace, &Event::Init);
        for number in numbers {
            self.event(namespace, &Event::InitApply(sent(number)));
        }
        self.event(namespace, &Event::InitDone)
    }

    fn cached(&self, name: &str) -> Arc<Cached<WhatsAppNumber>> {
        self.objects.get(&Key::new("cc", name)).unwrap()
    }

    /// The names of those who claim the line.
    fn claimants(&self) -> Vec<String> {
        let keys = self.objects.claimant_keys(&NumberClaim::of(LINE));
        let mut names: Vec<String> = keys.iter().map(|key| key.name().to_owned()).collect();
        names.sort();
        names
    }
}

#[test]
fn every_spelling_of_a_line_is_the_same_claim() {
    let mut view = View::over(&[]);
    let (one, other) = (number("cc", "one", "+525512345678"), number("cc", "other", "+5215512345678"));
    view.apply(&one);
    assert!(view.objects.contested(|_| true).is_empty());
    assert!(view.objects.competitors(&one).is_empty(), "nobody competes with itself");
    view.apply(&other);
    assert_eq!(view.objects.contested(|_| true).len(), 2);
    assert_eq!(view.objects.competitors(&one), [other]);
}

#[test]
fn a_claim_ends_with_its_object() {
    let mut view = View::over(&[]);
    let (one, other) = (number("cc", "one", "+525512345678"), number("sales", "other", "+525512345678"));
    view.list(None, &[one.clone(), other.clone()]);
    view.apply(&one);
    assert_eq!(view.claimants(), ["one", "other"], "an object that comes again is no other one");
    view.event(None, &Event::Delete(sent(&one)));
    assert_eq!(view.claimants(), ["other"]);
    view.list::<Value>(None, &[]);
    assert!(!view.objects.is_claimed(&NumberClaim::of(LINE)), "it went while the watch was away");
}

#[test]
fn a_list_of_one_namespace_leaves_the_objects_of_others() {
    let mut view = View::over(&["cc", "sales"]);
    view.list(Some("cc"), &[number("cc", "one", "+525512345678")]);
    view.list(Some("sales"), &[number("sales", "other", "+525512345678")]);
    assert_eq!(view.claimants(), ["one", "other"]);
    view.list::<Value>(Some("cc"), &[]);
    assert_eq!(view.claimants(), ["other"]);
    assert_eq!(view.objects.len(), 1);
}

#[tokio::test]
async fn a_kind_is_synced_once_every_namespace_is_listed() {
    let mut view = View::over(&["cc", "sales"]);
    let objects = view.objects.clone();
    let waiting: Vec<_> = (0..3)
        .map(|_| {
            tokio::spawn({
                let objects = objects.clone();
                async move { objects.synced().await }
            })
        })
        .collect();
    view.list::<Value>(Some("cc"), &[]);
    tokio::task::yield_now().await;
    assert!(waiting.iter().all(|waiting| !waiting.is_finished()), "one of two");
    view.list::<Value>(Some("sales"), &[]);
    for waiting in waiting {
        waiting.await.unwrap();
    }
}

#[test]
fn all_claimants_of_a_line_are_enqueued() {
    let mut view = View::over(&[]);
    for (name, phone) in [("one", "+525512345678"), ("other", "+5215512345678"), ("third", "+33612345678")] {
        view.apply(number("cc", name, phone));
    }
    view.objects.enqueue_claimants(&NumberClaim::of(LINE));
    let mut woken = Vec::new();
    while let Ok(key) = view.feeds[0].woken.try_recv() {
        woken.push(key.name().to_owned());
    }
    woken.sort();
    assert_eq!(woken, ["one", "other"]);
}

/// A version of the number that a newer CRD lets in, and this operator does not understand.
fn misfit(name: &str) -> Value {
    let mut object = serde_json::to_value(number("cc", name, "+525512345678")).unwrap();
    object["metadata"]["resourceVersion"] = json!("8");
    object["spec"]["suspend"] = json!(true);
    object["spec"]["appRef"] = json!({"name": "ino-cx", "namespace": "meta"});
    object["spec"]["directions"] = json!(["Sideways"]);
    object["status"] = json!({"observedGeneration": 1, "phase": "Enabled"});
    object
}

#[test]
fn an_object_that_cannot_be_parsed_keeps_its_claim_and_is_unusable() {
    for known_before in [true, false] {
        let mut view = View::over(&[]);
        if known_before {
            view.apply(number("cc", "one", "+525512345678"));
            assert!(view.cached("one").usable);
        }
        let update = view.apply(misfit("one"));
        assert_eq!(update.changed.iter().map(|object| object.usable).collect::<Vec<_>>(), [false]);
        assert_eq!(view.claimants(), ["one"]);
        let cached = view.cached("one");
        let object = cached.object().unwrap();
        assert!(!cached.usable && object.spec.suspend, "what can be read of it is its newest version");
        assert_eq!(
            (cached.app.to_string(), object.metadata.resource_version.as_deref()),
            ("meta/ino-cx".into(), Some("8"))
        );
        assert_eq!(cached.phase.as_deref(), Some("Enabled"));
        let other = number("sales", "other", "+525512345678");
        view.apply(&other);
        assert_eq!(view.objects.competitors(&other).len(), 1, "others still compete with it");
        assert_eq!(view.objects.contested(|_| true), [other], "nothing is decided about it");
    }
}

#[test]
fn an_object_without_a_readable_claim_keeps_the_one_before() {
    let mut view = View::over(&[]);
    view.apply(number("cc", "one", "+525512345678"));
    let mut object = misfit("one");
    object["spec"]["phoneNumber"] = json!({"digits": "525512345678"});
    view.apply(&object);
    assert_eq!(view.claimants(), ["one"]);
    object["spec"] = json!("nothing");
    view.apply(&object);
    assert_eq!((view.claimants(), view.cached("one").usable), (vec!["one".to_owned()], false));
}

#[test]
fn an_object_that_cannot_be_parsed_ends_with_its_deletion() {
    let mut view = View::over(&[]);
    view.apply(number("cc", "one", "+525512345678"));
    let update = view.event(None, &Event::Delete(sent(misfit("one"))));
    assert_eq!(update.gone.len(), 1);
    assert!(view.objects.is_empty() && view.claimants().is_empty());
}

#[test]
fn a_list_with_an_object_that_cannot_be_parsed_does_not_delete_it() {
    let mut view = View::over(&[]);
    view.list(None, &[number("cc", "one", "+525512345678")]);
    let update = view.list(None, &[misfit("one"), misfit("new")]);
    assert!(update.gone.is_empty(), "{:?}", update.gone);
    assert_eq!(view.claimants(), ["new", "one"]);
    assert!(!view.cached("one").usable && !view.cached("new").usable);
    let fits = number("cc", "one", "+525512345678");
    assert_eq!(view.apply(&fits).due.len(), 2);
    assert!(view.cached("one").usable, "until it can be parsed again");
}
