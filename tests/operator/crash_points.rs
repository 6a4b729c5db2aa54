//! The operator is killed before and after one exact request to the API server; and what the gate itself guarantees.

use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api, Client, ResourceExt,
    api::{ListParams, ObjectMeta, Patch, PatchParams, PostParams},
};
use serde_json::json;
use tokio::{io::AsyncWriteExt, net::TcpStream};
use waba_operator::api::{MetaApp, WhatsAppNumber};

use crate::harness::{
    gate::{Gate, Hold, SeenRequest},
    manifests::{INO, importing, number},
    operator::in_time,
    program::ProgramSettings,
    seed::{self, ACCOUNT, NUMBER_OBJECT},
    world::World,
};

/// The request that creates the imported number.
const IMPORT: (&str, &str) = ("POST", "/whatsappnumbers$");

/// A world, a gate, and the settings of a program that connects through the gate.
async fn gated(prefix: &str) -> (World, Gate, ProgramSettings) {
    let world = World::new(prefix, seed::small()).await;
    let gate = Gate::start(world.config.clone()).await;
    let settings = ProgramSettings { kubeconfig: gate.kubeconfig(), ..world.program_settings() };
    (world, gate, settings)
}

/// Config maps through the gate, without retries.
fn config_maps(world: &World, gate: &Gate) -> Api<ConfigMap> {
    let mut config = gate.config();
    config.default_retry = false;
    Api::namespaced(Client::try_from(config).unwrap(), &world.namespace)
}

fn config_map(name: &str) -> ConfigMap {
    let metadata = ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() };
    ConfigMap { metadata, ..ConfigMap::default() }
}

/// How often the operator sent the request that creates the imported number.
fn imports(gate: &Gate) -> usize {
    let is_import = |request: &&SeenRequest| request.method == IMPORT.0 && request.path.ends_with("/whatsappnumbers");
    gate.writes().iter().filter(is_import).count()
}

#[tokio::test]
async fn an_operator_behind_a_gate_works_and_the_gate_sees_every_write() {
    let (mut world, gate, settings) = gated("gate").await;
    world.start_program(&settings).await;
    world.program().until_ready("running").await;
    world.create(&importing()).await;
    world.until_phase::<WhatsAppNumber>(NUMBER_OBJECT, "Enabled", "True/Enabled").await;
    // Its watches see a number that a person creates, and a token that a person writes.
    world.create(&number("support", "+33612345678", json!({}))).await;
    world.until_gone::<WhatsAppNumber>(NUMBER_OBJECT).await;
    world.until_phase::<WhatsAppNumber>("support", "Enabled", "True/Enabled").await;
    world.set_token("EAA-nothing-that-Meta-knows").await;
    world.until_condition::<MetaApp>(INO, "TokenValid", "False/TokenRejected").await;

    world.settle().await;
    let counted = world.program().metric("waba_api_writes_total", &[]).await;
    let writes = gate.writes();
    assert!((counted - f64::from(u32::try_from(writes.len()).unwrap())).abs() < 0.5, "{counted}: {writes:#?}");
    world.finish().await;
}

#[tokio::test]
async fn a_request_held_before_the_api_server_waits_until_it_is_released() {
    let (mut world, gate, _) = gated("held").await;
    // Two numbers are imported; only the body tells the requests apart.
    world.sim.post("numbers", seed::number("7001", ACCOUNT, "+33 6 99 99 99 99")).await.unwrap();
    gate.hold(Hold::before("import", IMPORT.0, IMPORT.1).body("33612345678"));
    world.config = gate.config();
    world.start().await;
    world.create(&importing()).await;
    let request = gate.reached("import").await;
    assert!(request.method == "POST" && request.body.contains("+33612345678"), "{request:?}");
    world.until_polled(ACCOUNT, 2).await;
    assert_eq!(world.get::<WhatsAppNumber>(NUMBER_OBJECT).await, None);
    gate.release("import");
    world.until_phase::<WhatsAppNumber>(NUMBER_OBJECT, "Enabled", "True/Enabled").await;
    world.until_phase::<WhatsAppNumber>("number-33699999999", "Enabled", "True/Enabled").await;
    world.finish().await;
}

#[tokio::test]
async fn a_request_held_before_the_api_server_dies_with_its_operator() {
    let (mut world, gate, settings) = gated("unsent").await;
    gate.hold(Hold::before("import", IMPORT.0, IMPORT.1));
    world.start_program(&settings).await;
    world.create(&importing()).await;
    gate.reached("import").await;
    world.take_program().kill();
    // Nothing runs between these lines: the gate sees the kill and the release at the same time.
    gate.release("import");
    config_maps(&world, &gate).create(&PostParams::default(), &config_map("later")).await.unwrap();
    assert_eq!(world.names::<WhatsAppNumber>().await, Vec::<String>::new());

    world.start_program(&settings).await;
    world.until_phase::<WhatsAppNumber>(NUMBER_OBJECT, "Enabled", "True/Enabled").await;
    assert_eq!(imports(&gate), 2);
    world.finish().await;
}

#[tokio::test]
async fn a_request_held_after_the_api_server_was_carried_out() {
    let (mut world, gate, settings) = gated("unheard").await;
    gate.hold(Hold::after("import", IMPORT.0, IMPORT.1));
    world.start_program(&settings).await;
    world.create(&importing()).await;
    gate.reached("import").await;
    assert_eq!(world.names::<WhatsAppNumber>().await, [NUMBER_OBJECT]);
    world.take_program().kill();
    gate.release("import");

    world.start_program(&settings).await;
    world.until_phase::<WhatsAppNumber>(NUMBER_OBJECT, "Enabled", "True/Enabled").await;
    assert_eq!(imports(&gate), 1);
    world.finish().await;
}

#[tokio::test]
async fn a_refused_request_has_no_effect_and_a_lost_reply_does() {
    let (world, gate, _) = gated("refused").await;
    let maps = config_maps(&world, &gate);
    let kept = async || {
        let maps = Api::<ConfigMap>::namespaced(world.client.clone(), &world.namespace);
        maps.get_opt("kept").await.unwrap().is_some()
    };
    let params = PostParams::default();
    let create = async || maps.create(&params, &config_map("kept")).await.map(drop);

    gate.hold(Hold::before("refused", "POST|PUT", "/configmaps"));
    let (created, ()) = tokio::join!(create(), async {
        gate.reached("refused").await;
        gate.refuse("refused");
    });
    created.unwrap_err();
    assert!(!kept().await);

    gate.drop_replies("POST", "/configmaps", 1);
    create().await.unwrap_err();
    assert!(kept().await);
    let again = create().await.unwrap_err();
    assert!(matches!(&again, kube::Error::Api(status) if status.is_already_exists()), "{again}");

    // `Hold::after` stops only replies of requests that succeeded.
    gate.hold(Hold::after("unheard", "PATCH|POST|PUT", "/configmaps"));
    create().await.unwrap_err();
    let (params, patch) = (PatchParams::default(), Patch::Merge(json!({"data": {"changed": "yes"}})));
    let (patched, ()) = tokio::join!(maps.patch("kept", &params, &patch), async {
        assert_eq!(gate.reached("unheard").await.method, "PATCH");
        gate.refuse("unheard");
    });
    patched.unwrap_err();
    assert!(maps.get("kept").await.unwrap().data.is_some());
    world.finish().await;
}

#[tokio::test]
async fn the_gate_does_not_forward_requests_of_closed_connections() {
    let (world, gate, _) = gated("dead").await;
    let maps = config_maps(&world, &gate);
    let address = gate.config().cluster_url.authority().unwrap().to_string();
    for n in 0..10 {
        let (alive, dead) = (format!("alive-{n}"), format!("dead-{n}"));
        // This opens a connection to the API server: the next request does not wait for one.
        maps.create(&PostParams::default(), &config_map(&alive)).await.unwrap();
        gate.hold(Hold::before(&dead, "POST", "/configmaps").body(&dead));
        let body = serde_json::to_string(&config_map(&dead)).unwrap();
        let head = format!(
            "POST /api/v1/namespaces/{}/configmaps HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json",
            world.namespace
        );
        let request = format!("{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        let mut socket = TcpStream::connect(&address).await.unwrap();
        socket.write_all(request.as_bytes()).await.unwrap();
        gate.reached(&dead).await;
        drop(socket);
        gate.release(&dead);
    }
    maps.create(&PostParams::default(), &config_map("last")).await.unwrap();
    let there = Api::<ConfigMap>::namespaced(world.client.clone(), &world.namespace);
    let there = there.list(&ListParams::default()).await.unwrap();
    assert!(there.iter().all(|map| !map.name_any().starts_with("dead")), "{there:#?}");
    world.finish().await;
}

#[tokio::test]
async fn a_dropped_gate_forwards_nothing() {
    let (world, gate, _) = gated("closed").await;
    let maps = config_maps(&world, &gate);
    gate.hold(Hold::before("held", "POST", "/configmaps"));
    let creating = tokio::spawn({
        let maps = maps.clone();
        async move { maps.create(&PostParams::default(), &config_map("held")).await }
    });
    gate.reached("held").await;
    drop(gate);
    in_time("the connection is cut", creating).await.unwrap().unwrap_err();
    maps.get_opt("held").await.unwrap_err();
    let real = Api::<ConfigMap>::namespaced(world.client.clone(), &world.namespace);
    assert_eq!(real.get_opt("held").await.unwrap(), None);
    world.finish().await;
}
