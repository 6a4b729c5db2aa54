//! Objects that do not fit the operator's API, because their CRDs were upgraded before it.

use control_plane::{ControlPlane, Options};
use kube::{
    Api,
    api::{Patch, PatchParams},
};
use serde_json::{Value, json};
use waba_operator::api::{Kind, MetaApp, WhatsAppNumber, crds};

use crate::harness::{
    manifests::{INO, app, number},
    seed::{self, ACCOUNT, NUMBER},
    world::{World, condition, install_crds},
};

/// A management policy of a version of the API to come.
const FUTURE: &str = "Dream";

/// The CRDs of that version.
async fn upgrade_crds(plane: &ControlPlane) {
    let definitions: Vec<Value> = crds()
        .iter()
        .map(|crd| {
            let mut crd = serde_json::to_value(crd).unwrap();
            let spec = &mut crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"];
            spec["properties"]["managementPolicy"]["enum"].as_array_mut().unwrap().push(json!(FUTURE));
            crd
        })
        .collect();
    plane.apply_crds(&definitions).await.unwrap();
}

/// Patches the object as soon as the API server takes the value.
async fn patch<K: Kind>(world: &World, name: &str, patch: Value) {
    let (params, patch) = (PatchParams::default(), Patch::Merge(patch));
    // The reply does not fit this operator's API either.
    let api: Api<K> = world.api();
    world
        .eventually("the API server takes the value", async || api.patch_metadata(name, &params, &patch).await.ok())
        .await;
}

#[tokio::test]
async fn an_object_that_cannot_be_parsed_is_left_alone_and_keeps_its_number() {
    let plane = ControlPlane::start(Options::default()).await.unwrap();
    install_crds(&plane).await;
    let mut world = World::on(&plane, "unparsable", seed::small()).await;
    world.start().await;
    world.create(&app(INO, json!({}))).await;
    world.create(&number("support", "+33612345678", json!({}))).await;
    world.until_phase::<WhatsAppNumber>("support", "Enabled", "True/Enabled").await;
    upgrade_crds(&plane).await;

    patch::<WhatsAppNumber>(&world, "support", json!({"spec": {"managementPolicy": FUTURE}})).await;
    world.until_unparsable("WhatsAppNumber", 1).await;
    world.sim.patch(&format!("numbers/{NUMBER}"), json!({"status": "BANNED"})).await.unwrap();
    world.create(&number("other", "+33612345678", json!({}))).await;
    world.until_phase::<WhatsAppNumber>("other", "Conflict", "False/Conflict").await;
    for _ in 0..2 {
        let before = world.version_of_number("support").await;
        world.until_polled(ACCOUNT, 3).await;
        assert_eq!(world.version_of_number("support").await, before, "the operator changed what it cannot read");
        world.restart().await;
        world.until_unparsable("WhatsAppNumber", 1).await;
    }

    // The restarted operator tests the app first. What it began with the app that it could read, it completes.
    world.until_polled(ACCOUNT, 1).await;
    patch::<MetaApp>(&world, INO, json!({"spec": {"managementPolicy": FUTURE}})).await;
    world.create(&number("late", "+33699999999", json!({}))).await;
    let late = world.until::<WhatsAppNumber>("late", "its app cannot be read", |late| {
        condition(late, "Ready").is_some_and(|(ready, _)| ready == "Unknown/AppNotReady")
    });
    let message = condition(&late.await, "Ready").unwrap().1;
    assert!(message.contains("cannot read MetaApp") && message.contains("kubectl"), "{message}");
    let since = world.last_call().await;
    world.restart().await;
    world.until_unparsable("MetaApp", 1).await;
    world.create(&number("later", "+33699999998", json!({}))).await;
    world.until_phase::<WhatsAppNumber>("later", "Pending", "Unknown/AppNotReady").await;
    assert_eq!(world.last_call().await, since, "{:#?}", world.sim.calls(since).await);

    for name in ["support", "other"] {
        world.delete::<WhatsAppNumber>(name).await;
    }
    world.patch::<MetaApp>(INO, json!({"spec": {"managementPolicy": "Full"}})).await;
    world.until_phase::<MetaApp>(INO, "Connected", "True/Connected").await;
    world.create(&number("third", "+33612345678", json!({}))).await;
    world.until_phase::<WhatsAppNumber>("third", "Restricted", "False/Banned").await;
    world.until_unparsable("WhatsAppNumber", 0).await;
    world.finish().await;
}

impl World {
    async fn version_of_number(&self, name: &str) -> Option<String> {
        self.api::<WhatsAppNumber>().get_metadata(name).await.unwrap().metadata.resource_version
    }

    async fn until_unparsable(&self, kind: &str, count: u32) {
        let metric = async || self.operator().metric("waba_objects_unparsable", &[kind]).await;
        self.eventually(&format!("{count} {kind}s cannot be parsed"), async || {
            (metric().await.total_cmp(&f64::from(count)).is_eq()).then_some(())
        })
        .await;
    }
}
