#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api, Client,
    api::{DeleteParams, Patch, PatchParams, PostParams},
};
use secrecy::ExposeSecret as _;
use serde_json::json;
use waba_operator::k8s::{
    fingerprint::{FingerprintError, Fingerprinter, KEY_SECRET},
    secrets::{MANAGED_BY, OwnedProblem, OwnedSecret, Unusable, read_key},
};

async fn setup(prefix: &str) -> (Client, String, Api<Secret>) {
    let plane = control_plane::shared().await;
    let (client, namespace) = (plane.client(), plane.namespace(prefix).await);
    let api = Api::namespaced(client.clone(), &namespace);
    (client, namespace, api)
}

fn foreign(name: &str) -> Secret {
    serde_json::from_value(json!({ "metadata": { "name": name }, "stringData": { "key": "theirs\n" } })).unwrap()
}

#[tokio::test]
async fn a_users_secret_is_read_by_its_key() {
    let (client, namespace, api) = setup("secret-read").await;
    api.create(&PostParams::default(), &foreign("user")).await.unwrap();
    let read = read_key(&client, &namespace, "user", "key").await.unwrap();
    assert_eq!(read.value.expose_secret(), "theirs");

    let problem = read_key(&client, &namespace, "nobody", "key").await.unwrap_err();
    assert!(matches!(problem.problem, Unusable::Missing { .. }));
    let expected = format!(
        "Secret {namespace}/nobody does not exist: create it with the key key: \nkubectl -n {namespace} create secret generic \
         nobody --from-literal=key=YOUR_VALUE\n"
    );
    assert_eq!(problem.to_string(), expected);
    let problem = read_key(&client, &namespace, "user", "other").await.unwrap_err();
    assert!(problem.to_string().contains("has no key other (it has key)"), "{problem}");
}

#[tokio::test]
async fn a_missing_permission_is_reported() {
    let (_, namespace, _) = setup("secret-rights").await;
    let alice = control_plane::shared().await.client_as("alice", &[]);
    let problem = read_key(&alice, &namespace, "user", "key").await.unwrap_err();
    assert!(matches!(&problem.problem, Unusable::Unreadable(error) if error.is_forbidden()), "{problem}");
    assert!(problem.to_string().contains("alice"), "the API server says who lacks the permission: {problem}");
}

#[tokio::test]
async fn a_foreign_secret_is_left_alone() {
    let (client, namespace, api) = setup("secret-foreign").await;
    let before = api.create(&PostParams::default(), &foreign("taken")).await.unwrap();
    let mut ours = OwnedSecret::new(&namespace, "taken", None);
    ours.set("key", &"ours".into());
    let problem = ours.save(&client).await.unwrap_err();
    assert!(matches!(problem, OwnedProblem::Taken(_)), "{problem}");
    assert!(problem.to_string().contains(&format!("{namespace}/taken")), "{problem}");
    let problem = OwnedSecret::read(&client, &namespace, "taken").await.unwrap_err();
    assert!(matches!(problem, OwnedProblem::Taken(_)), "{problem}");
    assert_eq!(api.get("taken").await.unwrap(), before);
}

#[tokio::test]
async fn a_secret_that_lost_its_label_is_not_written() {
    let (client, namespace, api) = setup("secret-became").await;
    let mut ours = OwnedSecret::new(&namespace, "ours", None).save(&client).await.unwrap();
    let unlabel = json!({ "metadata": { "labels": { MANAGED_BY.0: null } } });
    api.patch("ours", &PatchParams::default(), &Patch::Merge(unlabel)).await.unwrap();
    ours.set("key", &"ours".into());
    assert!(matches!(ours.save(&client).await.unwrap_err(), OwnedProblem::Stale(_)));
    assert!(matches!(OwnedSecret::read(&client, &namespace, "ours").await.unwrap_err(), OwnedProblem::Taken(_)));
    assert_eq!(api.get("ours").await.unwrap().data, None);
}

#[tokio::test]
async fn one_of_two_concurrent_writers_wins() {
    let (client, namespace, api) = setup("secret-race").await;
    let writer = |value: &str| {
        let mut secret = OwnedSecret::new(&namespace, "ours", None);
        secret.set("live", &value.into());
        secret
    };
    let (one, two) = (writer("one"), writer("two"));
    let (one, two) = tokio::join!(one.save(&client), two.save(&client));
    let (winner, loser) = match (one, two) {
        (Ok(winner), Err(loser)) | (Err(loser), Ok(winner)) => (winner, loser),
        other => panic!("not one winner: {other:?}"),
    };
    assert!(matches!(loser, OwnedProblem::Stale(_)), "{loser}");

    // The same for an update; keys and labels that others add stay.
    let label = json!({ "metadata": { "labels": { "team": "a" } } });
    let mut late = winner.clone();
    api.patch("ours", &PatchParams::default(), &Patch::Merge(label)).await.unwrap();
    late.set("live", &"late".into());
    assert!(matches!(late.save(&client).await.unwrap_err(), OwnedProblem::Stale(_)));
    let mut winner = OwnedSecret::read(&client, &namespace, "ours").await.unwrap().unwrap();
    winner.set("candidate", &"three".into());
    winner.annotate("waba.dev/app-id", Some("1"));
    let saved = winner.save(&client).await.unwrap();
    assert_ne!(saved.resource_version(), winner.resource_version());
    let stored = api.get("ours").await.unwrap();
    let labels = stored.metadata.labels.unwrap();
    assert_eq!((labels[MANAGED_BY.0].as_str(), labels["team"].as_str()), (MANAGED_BY.1, "a"));
    assert_eq!(stored.data.unwrap()["candidate"].0, b"three");
    assert_eq!(stored.metadata.owner_references, None);

    // The same for a deletion.
    api.delete("ours", &DeleteParams::default()).await.unwrap();
    assert!(matches!(saved.save(&client).await.unwrap_err(), OwnedProblem::Stale(_)));
    assert!(OwnedSecret::read(&client, &namespace, "ours").await.unwrap().is_none());
}

#[tokio::test]
async fn all_operators_use_the_same_fingerprint_key() {
    let (client, namespace, api) = setup("fingerprint").await;
    let loads = (0..8).map(|_| Fingerprinter::load(&client, &namespace));
    let of = |printer: &Fingerprinter| printer.of("token", &"a".into());
    let mut prints: Vec<_> = futures::future::try_join_all(loads).await.unwrap().iter().map(of).collect();
    prints.push(of(&Fingerprinter::load(&client, &namespace).await.unwrap()));
    prints.dedup();
    assert_eq!(prints.len(), 1, "{prints:?}");

    let damage = json!({ "stringData": { "key": "no key" } });
    api.patch(KEY_SECRET, &PatchParams::default(), &Patch::Merge(damage)).await.unwrap();
    let error = Fingerprinter::load(&client, &namespace).await.unwrap_err();
    assert!(matches!(error, FingerprintError::Damaged(_)), "{error}");

    api.delete(KEY_SECRET, &DeleteParams::default()).await.unwrap();
    api.create(&PostParams::default(), &foreign(KEY_SECRET)).await.unwrap();
    let error = Fingerprinter::load(&client, &namespace).await.unwrap_err();
    assert!(matches!(error, FingerprintError::Secret(OwnedProblem::Taken(_))), "{error}");
}
