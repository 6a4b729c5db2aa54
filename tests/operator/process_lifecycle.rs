//! The operator as a process: health, metrics, shutdown, crash, leader election and RBAC.

use std::time::{Duration, Instant};

use k8s_openapi::api::{
    coordination::v1::Lease,
    rbac::v1::{Role, RoleBinding},
};
use kube::{
    Api,
    api::{Patch, PatchParams, PostParams},
};
use rustix::process::test_kill_process;
use serde_json::json;
use waba_operator::{
    api::{MessageTemplate, MetaApp, WhatsAppNumber},
    run::RunError,
};

use crate::harness::{
    manifests::{INO, app, importing, number},
    operator::{Operator, in_time},
    program::ProgramSettings,
    seed::{self, ACCOUNT, NUMBER, NUMBER_OBJECT},
    world::{World, install_crds, is_poll},
};

#[tokio::test]
async fn health_and_metrics_show_the_operators_work() {
    let world = World::running("metrics", seed::small()).await;
    world.operator().until_ready("running").await;
    assert_eq!(world.operator().page("/livez").await, (200, "ok\n".to_owned()));
    world.create(&importing()).await;
    world.until_phase::<WhatsAppNumber>(NUMBER_OBJECT, "Enabled", "True/Enabled").await;
    world.settle().await;
    let has = async |name: &str, labels: &[&str]| world.operator().metric(name, labels).await > 0.0;
    for (name, labels) in [
        ("waba_reconciles_total", &["MetaApp", "changed"][..]),
        ("waba_reconciles_total", &["WhatsAppNumber", "unchanged"]),
        ("waba_reconcile_duration_seconds_count", &["MessageTemplate"]),
        ("waba_meta_calls_total", &["account", "ok"]),
        ("waba_meta_call_duration_seconds_count", &["debug_token"]),
        ("waba_meta_budget_left_percent", &[seed::APP, ACCOUNT]),
        ("waba_token_expiry_timestamp_seconds", &[INO]),
        ("waba_objects", &["WhatsAppNumber", "Enabled"]),
        ("waba_objects", &["MessageTemplate", "Approved"]),
        ("waba_objects", &["MetaApp", "Connected"]),
        ("waba_objects_sendable", &["WhatsAppNumber"]),
        ("waba_objects_sendable", &["MessageTemplate"]),
        ("waba_numbers_at_meta", &["CONNECTED"]),
        ("waba_object_ready", &[NUMBER_OBJECT, "Enabled", INO]),
        ("waba_api_writes_total", &["metaapps/status", "patch"]),
        ("waba_leader", &[]),
    ] {
        world.eventually(&format!("{name} {labels:?}"), async || has(name, labels).await.then_some(())).await;
    }
    assert!(!has("waba_panics_total", &[]).await && !has("waba_reconciles_total", &["error"]).await);
    for name in ["waba_objects_stalled", "waba_objects_needing_action"] {
        assert!(!has(name, &[]).await, "nothing waits for a person");
    }

    // What is gone has no series any more, whatever the metric.
    world.delete::<MetaApp>(INO).await;
    let gone = async || {
        let metrics = world.operator().metrics().await;
        let of_app = [format!("name=\"{INO}\""), format!("app=\"{}\"", seed::APP)];
        (!metrics.lines().any(|line| of_app.iter().any(|label| line.contains(label)))).then_some(())
    };
    world.eventually("the app's series are gone", gone).await;
    world.finish().await;
}

#[tokio::test]
async fn the_operator_stops_in_time_while_meta_does_not_reply() {
    let mut world = World::running("stop", seed::small()).await;
    world.sim.post("holds", json!([{"name": "inspection", "path": "debug_token", "at": "before"}])).await.unwrap();
    world.create(&importing()).await;
    in_time("Meta receives a call", world.sim.reached("inspection")).await.unwrap();
    let operator = world.take_operator();
    let start = Instant::now();
    operator.stop().await;
    assert!(start.elapsed() < Duration::from_secs(8), "{:?}", start.elapsed());
    world.sim.release("inspection").await.unwrap();
    world.finish().await;
}

#[tokio::test]
async fn the_standby_takes_over_when_the_leader_stops() {
    let mut world = World::new("leaders", seed::small()).await;
    let mut settings = world.settings();
    settings.leader_elect = true;
    world.start_with(settings.clone()).await;
    world.operator().until_ready("running").await;
    let second = Operator::start(settings, world.config.clone()).await;
    second.until_ready("standby").await;
    assert_eq!(second.page("/livez").await.0, 200);
    world.create(&importing()).await;
    world.until_phase::<WhatsAppNumber>(NUMBER_OBJECT, "Enabled", "True/Enabled").await;
    let versions = world.settle().await;
    assert!(
        second.writes().await.abs() < f64::EPSILON && second.metric("waba_meta_calls_total", &[]).await.abs() < 0.5
    );

    let leases = Api::<Lease>::namespaced(world.client.clone(), &world.namespace);
    let holder = async || leases.get("waba-operator").await.unwrap().spec.unwrap().holder_identity.unwrap_or_default();
    let first = holder().await;
    world.take_operator().stop().await;
    second.until_ready("running").await;
    assert_ne!(holder().await, first, "the first operator released the lease");
    world.until_polled(ACCOUNT, 2).await;
    world.versions().await.assert_unchanged_since(&versions);
    world.sim.patch(&format!("numbers/{NUMBER}"), json!({"status": "FLAGGED"})).await.unwrap();
    world.until_phase::<WhatsAppNumber>(NUMBER_OBJECT, "Enabled", "True/Flagged").await;

    // Another holder takes the lease: the operator exits at once.
    let theft = json!({"spec": {"holderIdentity": "thief"}});
    leases.patch("waba-operator", &PatchParams::default(), &Patch::Merge(theft)).await.unwrap();
    let ended = second.ended().await;
    assert!(matches!(ended, Err(RunError::LeaseLost)), "{ended:?}");
    let since = world.last_call().await;
    world.start().await;
    world.eventually("another operator calls Meta", async || (world.last_call().await > since).then_some(())).await;
    world.finish().await;
}

#[tokio::test]
async fn the_operator_survives_an_outage_of_the_api_server() {
    let mut plane = control_plane::ControlPlane::start(control_plane::Options::default()).await.unwrap();
    install_crds(&plane).await;
    let mut world = World::on(&plane, "api-outage", seed::small()).await;
    world.start().await;
    world.create(&importing()).await;
    world.until_phase::<WhatsAppNumber>(NUMBER_OBJECT, "Enabled", "True/Enabled").await;
    let versions = world.settle().await;

    plane.kill_apiserver();
    // Meta changes meanwhile, and polls continue.
    world.sim.patch(&format!("numbers/{NUMBER}"), json!({"status": "RESTRICTED"})).await.unwrap();
    world.until_polled(ACCOUNT, 5).await;
    assert_eq!(world.operator().page("/livez").await.0, 200);
    plane.restart_apiserver().await.unwrap();
    world.until_phase::<WhatsAppNumber>(NUMBER_OBJECT, "Restricted", "False/Restricted").await;
    world.sim.patch(&format!("numbers/{NUMBER}"), json!({"status": "CONNECTED"})).await.unwrap();
    world.until_phase::<WhatsAppNumber>(NUMBER_OBJECT, "Enabled", "True/Enabled").await;
    world.create(&number("other", "+33699999999", json!({}))).await;
    world.until_phase::<WhatsAppNumber>("other", "NotFound", "False/NotFound").await;
    drop(versions);
    world.finish().await;
}

#[tokio::test]
async fn a_namespaced_operator_needs_no_permission_beyond_its_namespace() {
    let mut world = World::new("rights", seed::small()).await;
    let user = format!("system:serviceaccount:{}:waba-operator", world.namespace);
    let role: Role = serde_json::from_value(json!({
        "metadata": {"name": "waba-operator"},
        "rules": [
            {"apiGroups": ["waba.dev"], "resources": ["metaapps"], "verbs": ["get", "list", "watch"]},
            {"apiGroups": ["waba.dev"], "resources": ["whatsappnumbers", "messagetemplates"],
             "verbs": ["get", "list", "watch", "create", "delete"]},
            {"apiGroups": ["waba.dev"], "verbs": ["get", "patch"],
             "resources": ["metaapps/status", "whatsappnumbers/status", "messagetemplates/status"]},
            {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "list", "watch", "create", "update"]},
            {"apiGroups": ["events.k8s.io"], "resources": ["events"], "verbs": ["create"]},
            {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["get", "create", "update"]},
        ],
    }))
    .unwrap();
    let binding: RoleBinding = serde_json::from_value(json!({
        "metadata": {"name": "waba-operator"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "waba-operator"},
        "subjects": [{"kind": "ServiceAccount", "name": "waba-operator", "namespace": world.namespace}],
    }))
    .unwrap();
    let params = PostParams::default();
    Api::<Role>::namespaced(world.client.clone(), &world.namespace).create(&params, &role).await.unwrap();
    Api::<RoleBinding>::namespaced(world.client.clone(), &world.namespace).create(&params, &binding).await.unwrap();
    world.config = control_plane::shared().await.config_as(&user, &[]);
    let mut settings = world.settings();
    settings.leader_elect = true;
    world.start_with(settings).await;

    world.create(&importing()).await;
    world.until_phase::<WhatsAppNumber>(NUMBER_OBJECT, "Enabled", "True/Enabled").await;
    world.create(&number("support", "+33612345678", json!({}))).await;
    world.until_gone::<WhatsAppNumber>(NUMBER_OBJECT).await;
    world.until_event(INO, "Imported").await;
    let template = world.eventually("imported", async || world.names::<MessageTemplate>().await.pop()).await;
    world.until_phase::<MessageTemplate>(&template, "Approved", "True/Approved").await;
    assert!(!world.logs.text().contains("forbidden"), "{}", world.logs.text());
    world.finish().await;
}

#[tokio::test]
async fn a_crash_in_the_middle_of_an_import_loses_nothing() {
    let mut seed = seed::small();
    for n in 0..60 {
        seed::push(&mut seed, "numbers", seed::number(&format!("7000{n}"), ACCOUNT, &format!("+3370000{n:04}")));
    }
    let mut world = World::running("crash", seed).await;
    world.create(&app(INO, json!({"import": {"numbers": {}}}))).await;
    world
        .eventually("some numbers are imported", async || {
            (world.names::<WhatsAppNumber>().await.len() > 5).then_some(())
        })
        .await;
    world.take_operator().kill().await;
    world.start().await;
    let complete = |app: &MetaApp| {
        app.status.as_ref().and_then(|s| s.counts.as_ref()).is_some_and(|c| (c.numbers, c.enabled) == (61, 61))
    };
    world.until::<MetaApp>(INO, "all numbers are imported", complete).await;
    let calls = world.sim.calls(0).await.unwrap();
    assert!(calls.iter().filter(|call| is_poll(call, ACCOUNT)).count() > 1);
    world.finish().await;
}

#[tokio::test]
async fn a_killed_program_leaves_no_process_and_a_stopped_one_logs_its_shutdown() {
    let mut world = World::new("killed", seed::small()).await;
    let settings = world.program_settings();
    world.start_program(&settings).await;
    world.create(&importing()).await;
    world.until_phase::<WhatsAppNumber>(NUMBER_OBJECT, "Enabled", "True/Enabled").await;
    let program = world.take_program();
    let (pid, output) = (program.pid(), program.output());
    test_kill_process(pid).unwrap();
    program.kill();
    test_kill_process(pid).unwrap_err();
    assert!(!output.text().contains("shutdown signal received"));

    let program = world.spawn_program(&settings).await;
    let output = program.output();
    program.stop().await;
    assert!(output.text().contains("shutdown signal received"), "a program that receives SIGTERM logs its shutdown");
    world.finish().await;
}

#[tokio::test]
async fn a_paused_program_does_nothing_until_it_is_resumed() {
    let mut world = World::new("paused", seed::small()).await;
    let settings = ProgramSettings { leader_elect: true, ..world.program_settings() };
    world.start_program(&settings).await;
    world.create(&importing()).await;
    world.until_phase::<WhatsAppNumber>(NUMBER_OBJECT, "Enabled", "True/Enabled").await;
    let versions = world.settle().await;

    world.program().pause().await;
    world.sim.patch(&format!("numbers/{NUMBER}"), json!({"status": "FLAGGED"})).await.unwrap();
    let last = world.last_call().await;
    // As a clock, another operator with its own simulator does what the paused one would have done.
    let clock = World::running("clock", seed::small()).await;
    clock.create(&importing()).await;
    clock.until_polled(ACCOUNT, 5).await;
    clock.finish().await;
    assert_eq!(world.last_call().await, last);
    world.versions().await.assert_unchanged_since(&versions);
    world.program().resume();
    world.until_phase::<WhatsAppNumber>(NUMBER_OBJECT, "Enabled", "True/Flagged").await;

    // The lease is taken while the program is paused: it detects that and exits.
    let program = world.take_program();
    program.pause().await;
    let leases = Api::<Lease>::namespaced(world.client.clone(), &world.namespace);
    let theft = Patch::Merge(json!({"spec": {"holderIdentity": "thief"}}));
    leases.patch("waba-operator", &PatchParams::default(), &theft).await.unwrap();
    program.resume();
    let output = program.output();
    assert_eq!(program.ended().await.code(), Some(1));
    assert!(output.text().contains("the lease was lost"), "{}", output.text());
    world.finish().await;
}
