#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use k8s_openapi::api::{core::v1::ConfigMap, events::v1::Event};
use kube::{
    Api, Resource as _,
    api::{ListParams, ObjectMeta, PostParams},
};
use waba_operator::{
    k8s::events::{EventType, Events},
    telemetry::Metrics,
};

#[tokio::test]
async fn events_are_sent_even_during_shutdown() {
    let plane = control_plane::shared().await;
    let (client, namespace) = (plane.client(), plane.namespace("events").await);
    let name = "n".repeat(253);
    let map = ConfigMap {
        metadata: ObjectMeta { name: Some(name.clone()), ..ObjectMeta::default() },
        ..ConfigMap::default()
    };
    let map = Api::namespaced(client.clone(), &namespace).create(&PostParams::default(), &map).await.unwrap();

    let (events, sending) = Events::new(client.clone(), "waba-operator", "pod-0", &Metrics::new());
    let about = map.object_ref(&());
    events.publish(&about, EventType::Normal, "Enabled", "Observe", "The number is enabled.");
    events.publish(&about, EventType::Warning, "Restricted", "Observe", &"Meta restricts it. ".repeat(200));
    events.publish(&about, EventType::Warning, "Restricted", "Observe", &"Meta restricts it. ".repeat(200));
    drop(events);
    tokio::time::timeout(Duration::from_mins(1), sending).await.expect("it ends when nobody publishes any more");

    let api = Api::<Event>::namespaced(client, &namespace);
    let mut arrived = api.list(&ListParams::default()).await.unwrap().items;
    arrived.sort_by_key(|event| event.reason.clone());
    assert_eq!(arrived.len(), 3, "the same again is another event");
    let first = &arrived[0];
    assert_eq!(first.regarding.as_ref(), Some(&about));
    assert_eq!(first.note.as_deref(), Some("The number is enabled."));
    assert_eq!((first.type_.as_deref(), first.action.as_deref()), (Some("Normal"), Some("Observe")));
    assert_eq!(first.reporting_instance.as_deref(), Some("pod-0"));
    assert!(arrived[1].note.as_ref().unwrap().ends_with(" more characters)"));
}

#[tokio::test]
async fn a_rejected_event_blocks_nothing() {
    let plane = control_plane::shared().await;
    let namespace = plane.namespace("events-refused").await;
    let (events, sending) = Events::new(plane.client(), "waba-operator", "pod-0", &Metrics::new());
    let about = |namespace: &str| k8s_openapi::api::core::v1::ObjectReference {
        kind: Some("ConfigMap".to_owned()),
        name: Some("a".to_owned()),
        namespace: Some(namespace.to_owned()),
        ..Default::default()
    };
    events.publish(&about("no-such-namespace"), EventType::Normal, "Enabled", "Observe", "note");
    events.publish(&about(&namespace), EventType::Normal, "Enabled", "Observe", "note");
    drop(events);
    tokio::time::timeout(Duration::from_mins(1), sending).await.unwrap();
    let api = Api::<Event>::namespaced(plane.client(), &namespace);
    assert_eq!(api.list(&ListParams::default()).await.unwrap().items.len(), 1);
}
