//! Crashes at an exact point: what the operator has asked of the API server, and what has become of it.

use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api, Client, ResourceExt,
    api::{ListParams, ObjectMeta, Patch, PatchParams, PostParams},
};
use serde_json::json;
use tokio::{io::AsyncWriteExt, net::TcpStream};
use waba_operator::api::{MetaApp, WhatsAppNumber};

use crate::harness::{
    gate::{Asked, Gate, Hold},
    manifests::{INO, importing, number},
    operator::in_time,
    program::ProgramSettings,
    seed::{self, ACCOUNT, NUMBER_OBJECT},
    world::World,
};

/// The request that imports the number.
const IMPORT: (&str, &str) = ("POST", "/whatsappnumbers$");

/// A world and a gate, and how a program is started behind it.
async fn gated(prefix: &str) -> (World, Gate, ProgramSettings) {
    let world = World::new(prefix, seed::small()).await;
    let gate = Gate::start(world.config.clone()).await;
    let settings = ProgramSettings { kubeconfig: gate.kubeconfig(), ..world.program_settings() };
    (world, gate, settings)
}

/// Config maps as somebody behind the gate sees them, who never tries again.
fn config_maps(world: &World, gate: &Gate) -> Api<ConfigMap> {
    let mut config = gate.config();
    config.default_retry = false;
    Api::namespaced(Client::try_from(config).unwrap(), &world.namespace)
}

fn config_map(name: &str) -> ConfigMap {
    let metadata = ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() };
    ConfigMap { metadata, ..ConfigMap::default() }
}

/// How often the operator has asked to import the number.
fn imports(gate: &Gate) -> usize {
    let is_import = |asked: &&Asked| asked.method == IMPORT.0 && asked.path.ends_with("/whatsappnumbers");
    gate.writes().iter().filter(is_import).count()
}

#[tokio::test]
async fn an_operator_behind_a_gate_works_and_nothing_that_it_writes_is_missed() {
    let (mut world, gate, settings) = gated("gate").await;
    world.start_program(&settings).await;
    world.program().until_ready("running").await;
    world.create(&importing()).await;
    world.stands::<WhatsAppNumber>(NUMBER_OBJECT, "Enabled", "True/Enabled").await;
    // It hears of a number that a person makes, and of a token that a person writes.
    world.create(&number("support", "+33612345678", json!({}))).await;
    world.gone::<WhatsAppNumber>(NUMBER_OBJECT).await;
    world.stands::<WhatsAppNumber>("support", "Enabled", "True/Enabled").await;
    world.set_token("nothing that Meta knows").await;
    world.condition::<MetaApp>(INO, "TokenValid", "True/TokenRejected").await;

    world.settle().await;
    let counted = world.program().metric("waba_api_writes_total", &[]).await;
    let writes = gate.writes();
    assert!((counted - f64::from(u32::try_from(writes.len()).unwrap())).abs() < 0.5, "{counted}: {writes:#?}");
    world.finish().await;
}

#[tokio::test]
async fn a_request_held_before_it_arrives_waits_and_then_goes_on() {
    let (mut world, gate, _) = gated("held").await;
    // Of two numbers, only the body tells which is which.
    world.sim.post("numbers", seed::number("7001", ACCOUNT, "+33 6 99 99 99 99")).await.unwrap();
    gate.hold(Hold::before("import", IMPORT.0, IMPORT.1).body("33612345678"));
    world.config = gate.config();
    world.start().await;
    world.create(&importing()).await;
    let asked = gate.reached("import").await;
    assert!(asked.method == "POST" && asked.body.contains("+33612345678"), "{asked:?}");
    world.polls(ACCOUNT, 2).await;
    assert_eq!(world.get::<WhatsAppNumber>(NUMBER_OBJECT).await, None);
    gate.release("import");
    world.stands::<WhatsAppNumber>(NUMBER_OBJECT, "Enabled", "True/Enabled").await;
    world.stands::<WhatsAppNumber>("number-33699999999", "Enabled", "True/Enabled").await;
    world.finish().await;
}

#[tokio::test]
async fn what_a_killed_operator_had_not_sent_never_arrives() {
    let (mut world, gate, settings) = gated("unsent").await;
    gate.hold(Hold::before("import", IMPORT.0, IMPORT.1));
    world.start_program(&settings).await;
    world.create(&importing()).await;
    gate.reached("import").await;
    world.take_program().kill();
    // Nothing runs in between: the gate learns of both at once.
    gate.release("import");
    config_maps(&world, &gate).create(&PostParams::default(), &config_map("later")).await.unwrap();
    assert_eq!(world.names::<WhatsAppNumber>().await, Vec::<String>::new());

    world.start_program(&settings).await;
    world.stands::<WhatsAppNumber>(NUMBER_OBJECT, "Enabled", "True/Enabled").await;
    assert_eq!(imports(&gate), 2);
    world.finish().await;
}

#[tokio::test]
async fn what_a_killed_operator_had_sent_was_done() {
    let (mut world, gate, settings) = gated("unheard").await;
    gate.hold(Hold::after("import", IMPORT.0, IMPORT.1));
    world.start_program(&settings).await;
    world.create(&importing()).await;
    gate.reached("import").await;
    assert_eq!(world.names::<WhatsAppNumber>().await, [NUMBER_OBJECT]);
    world.take_program().kill();
    gate.release("import");

    world.start_program(&settings).await;
    world.stands::<WhatsAppNumber>(NUMBER_OBJECT, "Enabled", "True/Enabled").await;
    assert_eq!(imports(&gate), 1);
    world.finish().await;
}

#[tokio::test]
async fn what_is_refused_never_arrives_and_what_is_lost_was_done() {
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

    gate.lose_answers("POST", "/configmaps", 1);
    create().await.unwrap_err();
    assert!(kept().await);
    let again = create().await.unwrap_err();
    assert!(matches!(&again, kube::Error::Api(status) if status.is_already_exists()), "{again}");

    // Only what was carried out is held after it.
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
async fn nobody_sends_on_what_somebody_dead_had_not_sent() {
    let (world, gate, _) = gated("dead").await;
    let maps = config_maps(&world, &gate);
    let address = gate.config().cluster_url.authority().unwrap().to_string();
    for n in 0..10 {
        let (alive, dead) = (format!("alive-{n}"), format!("dead-{n}"));
        // From here on there is a free connection to the API server: nothing has to wait for one.
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
async fn a_gate_that_goes_lets_nothing_through() {
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
