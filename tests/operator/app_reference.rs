//! Which namespaces may refer to an app, and what objects report when they may not.

use control_plane::{ControlPlane, Options};
use k8s_openapi::api::core::v1::Namespace;
use kube::{
    Api,
    api::{Patch, PatchParams},
};
use serde_json::json;
use waba_operator::api::{MetaApp, WhatsAppNumber};

use crate::harness::{
    manifests::{INO, app, number},
    seed::{self},
    world::{World, condition, install_crds},
};

#[tokio::test]
async fn allowed_namespaces_decide_who_may_refer_to_an_app() {
    let plane = ControlPlane::start(Options::default()).await.unwrap();
    install_crds(&plane).await;
    let mut world = World::on(&plane, "meta", seed::small()).await;
    let there = world.in_namespace(&plane.namespace("support").await);
    let mut settings = world.settings();
    settings.namespaces.clear();
    world.start_with(settings).await;
    world.create(&app(INO, json!({}))).await;
    let app_ref = json!({"name": INO, "namespace": world.namespace});
    there.create(&number("support", "+33612345678", json!({"appRef": app_ref}))).await;

    let refused = there.until_phase::<WhatsAppNumber>("support", "Pending", "Unknown/AppNotAllowed").await;
    let (_, message) = condition(&refused, "Ready").unwrap();
    assert!(message.contains("spec.allowedNamespaces") && message.contains(&there.namespace), "{message}");

    let allow = async |allowed: serde_json::Value| {
        // Two patches: a single merge patch would keep the selector.
        world.patch::<MetaApp>(INO, json!({"spec": {"allowedNamespaces": null}})).await;
        world.patch::<MetaApp>(INO, json!({"spec": {"allowedNamespaces": allowed}})).await;
    };
    allow(json!({"from": "All"})).await;
    there.until_phase::<WhatsAppNumber>("support", "Enabled", "True/Enabled").await;
    allow(json!({"from": "Selector", "selector": {"matchLabels": {"team": "support"}}})).await;
    let kept = there.until_phase::<WhatsAppNumber>("support", "Enabled", "Unknown/AppNotAllowed").await;
    assert!(kept.status.unwrap().quality_rating.is_some(), "the last values stay");

    // The namespace gets the label, then loses it.
    let namespaces = Api::<Namespace>::all(plane.client());
    for (team, ready) in [(json!("support"), "True/Enabled"), (json!("sales"), "Unknown/AppNotAllowed")] {
        let label = json!({"metadata": {"labels": {"team": team}}});
        namespaces.patch(&there.namespace, &PatchParams::default(), &Patch::Merge(label)).await.unwrap();
        there.until_phase::<WhatsAppNumber>("support", "Enabled", ready).await;
    }

    // Messages in another namespace do not name the app's Secrets.
    allow(json!({"from": "All"})).await;
    there.until_phase::<WhatsAppNumber>("support", "Enabled", "True/Enabled").await;
    world.sim.patch("tokens/main", json!({"expires_at": "-1m"})).await.unwrap();
    let expired = there.until_phase::<WhatsAppNumber>("support", "ExpiredToken", "False/ExpiredToken").await;
    let (_, message) = condition(&expired, "Ready").unwrap();
    assert!(!message.contains("ino-cx-meta") && message.contains("its owner"), "{message}");
    there.finish().await;
    world.finish().await;
}

#[tokio::test]
async fn a_namespace_selector_in_a_namespaced_operator_stops_nothing_else() {
    let world = World::running("no-selector", seed::small()).await;
    let selector = json!({"from": "Selector", "selector": {"matchLabels": {"team": "support"}}});
    world.create(&app(INO, json!({"allowedNamespaces": selector}))).await;
    let refused = world.until_phase::<MetaApp>(INO, "Connected", "False/InvalidSpec").await;
    let (_, message) = condition(&refused, "Ready").unwrap();
    assert!(message.contains("--namespaces") && message.contains("All or Same"), "{message}");
    world.create(&number("support", "+33612345678", json!({}))).await;
    world.until_phase::<WhatsAppNumber>("support", "Enabled", "True/Enabled").await;
    world.patch::<MetaApp>(INO, json!({"spec": {"allowedNamespaces": null}})).await;
    world.until_phase::<MetaApp>(INO, "Connected", "True/Connected").await;
    world.finish().await;
}

#[tokio::test]
async fn a_number_without_its_app_waits_for_it() {
    let world = World::running("no-app", seed::small()).await;
    world.create(&number("support", "+33612345678", json!({}))).await;
    let missing = world.until_phase::<WhatsAppNumber>("support", "Pending", "Unknown/AppNotFound").await;
    let (_, message) = condition(&missing, "Ready").unwrap();
    assert!(message.contains(&format!("no MetaApp {}/{INO}", world.namespace)), "{message}");
    world.create(&app(INO, json!({}))).await;
    world.until_phase::<WhatsAppNumber>("support", "Enabled", "True/Enabled").await;

    // `spec.appRef` is mutable.
    world.patch::<WhatsAppNumber>("support", json!({"spec": {"appRef": {"name": "another"}}})).await;
    world.until_phase::<WhatsAppNumber>("support", "Enabled", "Unknown/AppNotFound").await;
    world.patch::<WhatsAppNumber>("support", json!({"spec": {"appRef": {"name": INO}}})).await;
    world.until_phase::<WhatsAppNumber>("support", "Enabled", "True/Enabled").await;
    world.finish().await;
}
