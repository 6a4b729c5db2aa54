#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use kube::{
    Api, CustomResource, CustomResourceExt as _,
    api::{DeleteParams, Patch, PatchParams, PostParams},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;
use waba_operator::{
    k8s::{
        client,
        status::{Patched, patch_status},
    },
    telemetry::Metrics,
};

const MANAGER: &str = "waba-operator-status";

#[derive(CustomResource, Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[kube(group = "test.waba.dev", version = "v1", kind = "Thing", namespaced, status = "ThingStatus")]
struct ThingSpec {
    size: i32,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct ThingStatus {
    #[serde(skip_serializing_if = "Option::is_none")]
    phase: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    display_name: Option<String>,
}

fn status(phase: &str, display_name: Option<&str>) -> ThingStatus {
    ThingStatus { phase: Some(phase.to_owned()), display_name: display_name.map(str::to_owned) }
}

async fn setup(prefix: &str, metrics: &Metrics) -> (Api<Thing>, Thing) {
    let plane = control_plane::shared().await;
    plane.apply_crds(&[serde_json::to_value(Thing::crd()).unwrap()]).await.unwrap();
    let client = client::counting(plane.config(), metrics).unwrap();
    let api = Api::namespaced(client, &plane.namespace(prefix).await);
    let thing = api.create(&PostParams::default(), &Thing::new("a", ThingSpec { size: 1 })).await.unwrap();
    (api, thing)
}

fn written(patched: Patched<Thing>) -> Thing {
    match patched {
        Patched::Written(thing) => *thing,
        other => panic!("not written: {other:?}"),
    }
}

#[tokio::test]
async fn a_status_is_written_completely_and_once() {
    let metrics = Metrics::new();
    let (api, thing) = setup("status", &metrics).await;
    let first = written(patch_status(&api, &thing, &status("Pending", Some("x")), MANAGER).await.unwrap());
    assert_eq!(first.status, Some(status("Pending", Some("x"))));
    let second = written(patch_status(&api, &first, &status("Enabled", None), MANAGER).await.unwrap());
    assert_eq!(second.status, Some(status("Enabled", None)), "what is no longer in the status is removed");
    assert_eq!(second.metadata.generation, thing.metadata.generation);
    let same = written(patch_status(&api, &second, &status("Enabled", None), MANAGER).await.unwrap());
    assert_eq!(same.metadata.resource_version, second.metadata.resource_version, "nothing changed, nothing written");
    assert_eq!((metrics.writes("things", "create"), metrics.writes("things/status", "patch")), (1, 3));
}

#[tokio::test]
async fn a_status_based_on_a_stale_object_is_not_written() {
    let (api, thing) = setup("status-stale", &Metrics::new()).await;
    let resize = json!({ "spec": { "size": 2 } });
    api.patch("a", &PatchParams::default(), &Patch::Merge(resize)).await.unwrap();
    let patched = patch_status(&api, &thing, &status("Enabled", None), MANAGER).await.unwrap();
    assert!(matches!(patched, Patched::Stale), "{patched:?}");
    assert_eq!(api.get("a").await.unwrap().status, None);
}

#[tokio::test]
async fn a_recreated_object_of_the_same_name_is_not_written() {
    let (api, thing) = setup("status-other", &Metrics::new()).await;
    api.delete("a", &DeleteParams::default()).await.unwrap();
    let patched = patch_status(&api, &thing, &status("Enabled", None), MANAGER).await.unwrap();
    assert!(matches!(patched, Patched::Gone | Patched::Stale), "{patched:?}");
    assert!(api.get_opt("a").await.unwrap().is_none(), "a status does not bring an object back");

    api.create(&PostParams::default(), &Thing::new("a", ThingSpec { size: 1 })).await.unwrap();
    let patched = patch_status(&api, &thing, &status("Enabled", None), MANAGER).await.unwrap();
    assert!(matches!(patched, Patched::Stale), "{patched:?}");
    assert_eq!(api.get("a").await.unwrap().status, None);
}
