#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{
    future::Future,
    time::{Duration, Instant},
};

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::{
    api::coordination::v1::{Lease as LeaseObject, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::MicroTime,
};
use kube::{
    Api, Client, Config,
    api::{DeleteParams, Patch, PatchParams, PostParams},
};
use serde_json::json;
use waba_operator::{
    k8s::{
        client,
        lease::{Fence, Lease, LeaseConfig},
    },
    telemetry::Metrics,
};

const NAME: &str = "leader";

/// Far more than anything here takes.
const PATIENCE: Duration = Duration::from_mins(1);

fn config(namespace: &str, identity: &str, duration: Duration) -> LeaseConfig {
    LeaseConfig {
        namespace: namespace.to_owned(),
        name: NAME.to_owned(),
        identity: identity.to_owned(),
        duration,
        renew_every: Duration::from_millis(100),
        retry_every: Duration::from_millis(100),
    }
}

fn client_of(config: Config) -> Client {
    client::counting_without_retries(config, &Metrics::new()).unwrap()
}

async fn setup(prefix: &str) -> (Client, String, Api<LeaseObject>) {
    let plane = control_plane::shared().await;
    let (client, namespace) = (client_of(plane.config()), plane.namespace(prefix).await);
    let api = Api::namespaced(client.clone(), &namespace);
    (client, namespace, api)
}

async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.unwrap_or_else(|_| panic!("not in time: {what}"))
}

/// Waits until `so` returns true.
async fn until(what: &str, so: impl AsyncFn() -> bool) {
    let ask = async {
        while !so().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    soon(what, ask).await;
}

async fn spec(api: &Api<LeaseObject>) -> LeaseSpec {
    api.get(NAME).await.unwrap().spec.unwrap()
}

#[tokio::test]
async fn only_one_process_holds_the_lease_until_it_is_released() {
    // The next holder does not wait for this lease to expire: it is released.
    let duration = PATIENCE * 10;
    let (client, namespace, api) = setup("lease-handover").await;
    let first = Lease::acquire(client.clone(), config(&namespace, "first", duration)).await;
    assert!(first.valid_for(PATIENCE) && !first.valid_for(duration));

    let mut second = tokio::spawn(Lease::acquire(client, config(&namespace, "second", duration)));
    // The first holder renews several times while the second asks for the lease: it stays with the first.
    let acquired = spec(&api).await;
    let mut renewed = acquired.renew_time.clone();
    for _ in 0..5 {
        until("a renewal", async || spec(&api).await.renew_time != renewed).await;
        renewed = spec(&api).await.renew_time;
    }
    assert_eq!(spec(&api).await.acquire_time, acquired.acquire_time);
    assert!(!second.is_finished() && first.valid_for(PATIENCE));

    let fence = first.fence();
    first.release().await;
    assert!(!fence.valid_for(Duration::ZERO), "what was released protects no write");
    let second = soon("the hand-over", &mut second).await.unwrap();
    assert!(second.valid_for(PATIENCE));
    let held = spec(&api).await;
    assert!(held.holder_identity.unwrap().starts_with("second_"));
    assert_eq!(held.lease_transitions, Some(1));
}

#[tokio::test]
async fn one_of_two_simultaneous_candidates_wins() {
    let (client, namespace, _) = setup("lease-race").await;
    let contend = |identity| Lease::acquire(client.clone(), config(&namespace, identity, PATIENCE * 10));
    let (one, other) = (contend("same"), contend("same"));
    tokio::pin!(one, other);
    let (winner, loser) = match soon("a winner", futures::future::select(one, other)).await {
        futures::future::Either::Left((lease, rest)) | futures::future::Either::Right((lease, rest)) => (lease, rest),
    };
    let mut loser = std::pin::pin!(loser);
    let waits = tokio::time::timeout(Duration::from_secs(1), &mut loser).await.is_err();
    assert!(waits, "the same name does not make the same process");
    winner.release().await;
    soon("the loser's turn", loser).await;
}

/// The holder's runtime is blocked, as in a paused process.
#[test]
fn a_frozen_holder_stops_leading_before_another_leads() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (holders, contenders) = (runtime(), runtime());
    let duration = Duration::from_secs(3);
    let (client, namespace, _) = contenders.block_on(setup("lease-frozen"));
    let frozen = holders.block_on(async {
        let client = client_of(control_plane::shared().await.config());
        Lease::acquire(client, config(&namespace, "frozen", duration)).await
    });
    assert!(frozen.valid_for(Duration::ZERO));
    let started = Instant::now();
    let (fence, next) = (frozen.fence(), Lease::acquire(client, config(&namespace, "next", duration)));
    let next = contenders.block_on(soon("the takeover", next));
    assert!(!fence.valid_for(Duration::ZERO), "two lead at the same time");
    assert!(started.elapsed() >= duration, "taken over after {:?}", started.elapsed());
    assert!(next.valid_for(Duration::ZERO));
    // It wakes up, and notices the loss instead of taking the lease back.
    holders.block_on(soon("the old holder notices", frozen.lost()));
    contenders.block_on(async {
        until("the next renews", async || next.valid_for(duration * 2 / 3)).await;
        next.release().await;
    });
}

/// Whether the holder renews matters, not the time that its clock writes.
#[tokio::test]
async fn the_lease_does_not_depend_on_the_holders_clock() {
    let (client, namespace, api) = setup("lease-skew").await;
    for hours in [-10, 10] {
        let time = MicroTime(Timestamp::now() + SignedDuration::from_hours(hours));
        let dead = LeaseObject {
            metadata: kube::api::ObjectMeta { name: Some(NAME.to_owned()), ..Default::default() },
            spec: Some(LeaseSpec {
                holder_identity: Some("elsewhere".to_owned()),
                lease_duration_seconds: Some(2),
                renew_time: Some(time.clone()),
                acquire_time: Some(time),
                ..LeaseSpec::default()
            }),
        };
        api.create(&PostParams::default(), &dead).await.unwrap();
        let started = Instant::now();
        let lease = soon("the takeover", Lease::acquire(client.clone(), config(&namespace, "here", PATIENCE))).await;
        assert!(started.elapsed() >= Duration::from_secs(2), "{hours} h: the holder's stated 2 s were not waited for");
        drop(lease);
        api.delete(NAME, &DeleteParams::default()).await.unwrap();
    }
}

#[tokio::test]
async fn a_deleted_or_stolen_lease_is_lost() {
    let (client, namespace, api) = setup("lease-lost").await;
    let lease = Lease::acquire(client.clone(), config(&namespace, "first", PATIENCE)).await;
    api.delete(NAME, &DeleteParams::default()).await.unwrap();
    soon("the deletion is noticed", lease.lost()).await;
    assert!(!lease.valid_for(Duration::ZERO));

    let lease = soon("a new lease", Lease::acquire(client, config(&namespace, "first", PATIENCE))).await;
    let theft = json!({ "spec": { "holderIdentity": "thief" } });
    api.patch(NAME, &PatchParams::default(), &Patch::Merge(theft)).await.unwrap();
    soon("the theft is noticed", lease.lost()).await;
    assert!(!lease.valid_for(Duration::ZERO));
    lease.release().await;
    assert_eq!(spec(&api).await.holder_identity.as_deref(), Some("thief"), "a lost lease is not ours to empty");
}

#[tokio::test]
async fn a_label_does_not_end_the_lease() {
    let (client, namespace, api) = setup("lease-label").await;
    let lease = Lease::acquire(client, config(&namespace, "first", PATIENCE)).await;
    let label = json!({ "metadata": { "labels": { "team": "a" } } });
    for _ in 0..3 {
        let labelled = api.patch(NAME, &PatchParams::default(), &Patch::Merge(&label)).await.unwrap();
        let before = labelled.spec.unwrap().renew_time;
        until("a renewal", async || spec(&api).await.renew_time != before).await;
    }
    assert!(lease.valid_for(Duration::ZERO));
    assert!(api.get(NAME).await.unwrap().metadata.labels.is_some(), "renewals keep what others wrote");
}

#[tokio::test]
async fn an_outage_of_the_api_server_ends_leadership_but_not_the_lease() {
    let mut plane = control_plane::ControlPlane::start(control_plane::Options::default()).await.unwrap();
    let namespace = plane.namespace("lease-outage").await;
    let client = client_of(plane.config());
    let lease = Lease::acquire(client, config(&namespace, "first", Duration::from_secs(2))).await;
    until("it leads", async || lease.valid_for(Duration::ZERO)).await;
    plane.kill_apiserver();
    until("it no longer dares to write", async || !lease.valid_for(Duration::ZERO)).await;
    plane.restart_apiserver().await.unwrap();
    until("it leads again", async || lease.valid_for(Duration::ZERO)).await;
    assert!(futures::FutureExt::now_or_never(lease.lost()).is_none());
}

#[test]
fn an_operator_without_leader_election_always_leads() {
    assert!(Fence::always().valid_for(Duration::MAX));
}
