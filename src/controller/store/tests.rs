//! Who claims what, while objects come, go, and are listed anew.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

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

/// The view of some watches, and their writing ends.
struct Watched {
    objects: Objects<WhatsAppNumber>,
    feeds: Vec<ScopeFeed<WhatsAppNumber>>,
}

impl Watched {
    fn over(namespaces: &[&str]) -> Self {
        let namespaces: Vec<String> = namespaces.iter().map(ToString::to_string).collect();
        let (objects, feeds) = Objects::new(&namespaces);
        Self { objects, feeds }
    }

    fn event(&mut self, namespace: Option<&str>, event: &Event<Cached<WhatsAppNumber>>) {
        let feed = self.feeds.iter_mut().find(|feed| feed.namespace.as_deref() == namespace).unwrap();
        feed.writer.apply_watcher_event(event);
        self.objects.index(namespace, event);
    }

    fn apply(&mut self, number: &WhatsAppNumber) {
        self.event(None, &Event::Apply(Cached::new(number).unwrap()));
    }

    fn list(&mut self, namespace: Option<&str>, numbers: &[WhatsAppNumber]) {
        self.event(namespace, &Event::Init);
        for number in numbers {
            self.event(namespace, &Event::InitApply(Cached::new(number).unwrap()));
        }
        self.event(namespace, &Event::InitDone);
    }

    /// The names of those who claim the line.
    fn claimants(&self) -> Vec<String> {
        let keys = self.objects.claimant_keys(&NumberClaim::of(LINE));
        let mut names: Vec<String> = keys.iter().map(|key| key.name.clone()).collect();
        names.sort();
        names
    }
}

#[test]
fn every_spelling_of_a_line_is_the_same_claim() {
    let mut watched = Watched::over(&[]);
    let (one, other) = (number("cc", "one", "+525512345678"), number("cc", "other", "+5215512345678"));
    watched.apply(&one);
    assert!(watched.objects.contested(|_| true).is_empty());
    assert!(watched.objects.competitors(&one).is_empty(), "nobody competes with itself");
    watched.apply(&other);
    assert_eq!(watched.objects.contested(|_| true).len(), 2);
    assert_eq!(watched.objects.competitors(&one), [other]);
}

#[test]
fn a_claim_ends_with_its_object() {
    let mut watched = Watched::over(&[]);
    let (one, other) = (number("cc", "one", "+525512345678"), number("sales", "other", "+525512345678"));
    watched.list(None, &[one.clone(), other.clone()]);
    watched.apply(&one);
    assert_eq!(watched.claimants(), ["one", "other"], "an object that comes again is no other one");
    watched.event(None, &Event::Delete(Cached::new(&one).unwrap()));
    assert_eq!(watched.claimants(), ["other"]);
    watched.list(None, &[]);
    assert!(!watched.objects.is_claimed(&NumberClaim::of(LINE)), "it went while the watch was away");
}

#[test]
fn a_list_of_one_namespace_says_nothing_of_another() {
    let mut watched = Watched::over(&["cc", "sales"]);
    watched.list(Some("cc"), &[number("cc", "one", "+525512345678")]);
    watched.list(Some("sales"), &[number("sales", "other", "+525512345678")]);
    assert_eq!(watched.claimants(), ["one", "other"]);
    watched.list(Some("cc"), &[]);
    assert_eq!(watched.claimants(), ["other"]);
    assert_eq!(watched.objects.len(), 1);
}

#[tokio::test]
async fn a_kind_is_synced_when_every_namespace_is_and_everybody_hears_of_it() {
    let mut watched = Watched::over(&["cc", "sales"]);
    let objects = watched.objects.clone();
    let waiting: Vec<_> = (0..3)
        .map(|_| {
            tokio::spawn({
                let objects = objects.clone();
                async move { objects.synced().await }
            })
        })
        .collect();
    watched.list(Some("cc"), &[]);
    tokio::task::yield_now().await;
    assert!(waiting.iter().all(|waiting| !waiting.is_finished()), "one of two");
    watched.list(Some("sales"), &[]);
    for waiting in waiting {
        waiting.await.unwrap();
    }
}

#[test]
fn whoever_claims_the_same_is_woken() {
    let mut watched = Watched::over(&[]);
    for (name, phone) in [("one", "+525512345678"), ("other", "+5215512345678"), ("third", "+33612345678")] {
        watched.apply(&number("cc", name, phone));
    }
    watched.objects.enqueue_claimants(&NumberClaim::of(LINE));
    let mut woken = Vec::new();
    while let Ok(key) = watched.feeds[0].woken.try_recv() {
        woken.push(key.name);
    }
    woken.sort();
    assert_eq!(woken, ["one", "other"]);
}
