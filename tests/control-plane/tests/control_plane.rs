//! The control plane starts, keeps its promises, and leaves nothing behind.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use control_plane::{ControlPlane, Options, binary, shared};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use kube::api::{Api, DeleteParams, ListParams, ObjectMeta, Patch, PatchParams, PostParams};
use kube::config::Kubeconfig;
use serde_json::json;

fn config_map(name: &str) -> ConfigMap {
    let metadata = ObjectMeta { name: Some(name.into()), ..ObjectMeta::default() };
    ConfigMap { metadata, ..ConfigMap::default() }
}

async fn until(what: &str, mut check: impl AsyncFnMut() -> bool) {
    let started = Instant::now();
    while !check().await {
        assert!(started.elapsed() < Duration::from_mins(1), "not true within a minute: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn the_shared_one_is_ready_and_gives_each_test_its_namespace() {
    let plane = shared().await;
    let (one, other) = (plane.namespace("own").await, plane.namespace("own").await);
    assert_ne!(one, other);
    let maps = Api::<ConfigMap>::namespaced(plane.client(), &one);
    maps.create(&PostParams::default(), &config_map("a")).await.unwrap();
    assert!(Api::<ConfigMap>::namespaced(plane.client(), &other).get_opt("a").await.unwrap().is_none());
}

#[test]
fn the_shared_one_outlives_the_runtime_that_started_it() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let first = runtime().block_on(async { shared().await.namespace("runtime").await });
    let second = runtime().block_on(async { shared().await.namespace("runtime").await });
    assert_ne!(first, second);
}

#[tokio::test]
async fn somebody_else_has_only_the_rights_that_rbac_gives() {
    let plane = shared().await;
    let namespace = plane.namespace("rights").await;
    let account = format!("system:serviceaccount:{namespace}:someone");
    let maps = Api::<ConfigMap>::namespaced(plane.client_as(&account, &[]), &namespace);
    let refused = maps.list(&ListParams::default()).await.unwrap_err().to_string();
    assert!(refused.contains(&account) && refused.contains("forbidden"), "{refused}");
    Api::<ConfigMap>::namespaced(plane.client_as("root", &["system:masters"]), &namespace)
        .list(&ListParams::default())
        .await
        .expect("a member of system:masters may do everything");
}

#[tokio::test]
async fn crds_are_served_when_apply_returns_whoever_else_applies_them() {
    let crd = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "tries.control-plane.test"},
        "spec": {
            "group": "control-plane.test", "scope": "Namespaced",
            "names": {"plural": "tries", "singular": "try", "kind": "Try"},
            "versions": [{"name": "v1", "served": true, "storage": true,
                "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": {"type": "object"}}}}}],
        },
    });
    let plane = shared().await;
    let crds = [crd];
    let appliers = (0..10).map(|_| plane.apply_crds(&crds));
    for applied in futures::future::join_all(appliers).await {
        applied.unwrap();
    }
    let request = http::Request::get("/apis/control-plane.test/v1/tries").body(Vec::new()).unwrap();
    plane.client().request_text(request).await.unwrap();
}

#[tokio::test]
async fn two_run_side_by_side_and_share_nothing() {
    let (one, other) = tokio::join!(ControlPlane::start(Options::default()), ControlPlane::start(Options::default()));
    let (one, other) = (one.unwrap(), other.unwrap());
    let namespace = one.namespace("only-here").await;
    assert!(Api::<Namespace>::all(other.client()).get_opt(&namespace).await.unwrap().is_none());
    one.stop();
    other.namespace("still-there").await;
}

#[tokio::test]
async fn an_api_server_that_was_killed_comes_back_on_the_same_port_with_the_same_data() {
    let mut plane = ControlPlane::start(Options::default()).await.unwrap();
    let client = plane.client();
    let namespace = plane.namespace("kept").await;

    plane.kill_apiserver();
    let mut config = plane.config();
    config.default_retry = false;
    let while_down = kube::Client::try_from(config).unwrap();
    Api::<Namespace>::all(while_down).get(&namespace).await.expect_err("nobody listens");

    plane.restart_apiserver().await.unwrap();
    Api::<Namespace>::all(client).get(&namespace).await.expect("the old client reaches the old data");
}

#[tokio::test]
async fn a_restored_snapshot_undoes_what_happened_since() {
    let mut plane = ControlPlane::start(Options::default()).await.unwrap();
    let namespace = plane.namespace("restored").await;
    let maps = Api::<ConfigMap>::namespaced(plane.client(), &namespace);
    let before = maps.create(&PostParams::default(), &config_map("old")).await.unwrap();

    let snapshot = plane.snapshot().await.unwrap();
    assert_eq!(maps.get("old").await.unwrap(), before, "it goes on as before");
    for _ in 0..2 {
        let change = Patch::Merge(json!({"data": {"changed": "yes"}}));
        let changed = maps.patch("old", &PatchParams::default(), &change).await.unwrap();
        assert_ne!(changed, before);
        maps.create(&PostParams::default(), &config_map("new")).await.unwrap();

        plane.restore(&snapshot).await.unwrap();
        assert_eq!(maps.get("old").await.unwrap(), before);
        assert_eq!(maps.get_opt("new").await.unwrap(), None);
    }
    let folder = plane.kubeconfig().parent().unwrap().to_owned();
    plane.stop();
    assert!(!folder.exists());
}

#[tokio::test]
async fn with_controller_manager_restored_namespaces_can_go_again() {
    let mut plane = ControlPlane::start(Options { controller_manager: true }).await.unwrap();
    let name = plane.namespace("goes").await;
    let snapshot = plane.snapshot().await.unwrap();
    for _ in 0..2 {
        let namespaces = Api::<Namespace>::all(plane.client());
        namespaces.delete(&name, &DeleteParams::default()).await.unwrap();
        until("the namespace is gone", async || namespaces.get_opt(&name).await.unwrap().is_none()).await;
        plane.restore(&snapshot).await.unwrap();
    }
    assert!(Api::<Namespace>::all(plane.client()).get_opt(&name).await.unwrap().is_some());
}

#[tokio::test]
async fn with_controller_manager_deleted_namespaces_go() {
    let plane = ControlPlane::start(Options { controller_manager: true }).await.unwrap();
    let namespaces = Api::<Namespace>::all(plane.client());
    let name = plane.namespace("goes").await;
    namespaces.delete(&name, &DeleteParams::default()).await.unwrap();
    until("the namespace is gone", async || namespaces.get_opt(&name).await.unwrap().is_none()).await;
}

/// A `control-plane run` in a process of its own, and what it left on this machine.
struct Running {
    process: Child,
    folder: std::path::PathBuf,
    port: u16,
}

impl Running {
    fn start() -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_control-plane"))
            .arg("run")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let path = Path::new(line.trim());
        let server = Kubeconfig::read_from(path).unwrap().clusters[0].cluster.clone().unwrap().server.unwrap();
        let port = server.rsplit(':').next().unwrap().parse().unwrap();
        Self { process, folder: path.parent().unwrap().into(), port }
    }

    async fn nothing_is_left(&self) {
        until("the API server is gone", async || TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_err()).await;
        // etcd's guard removes the folder after it has seen etcd end.
        until("the folder is gone", async || !self.folder.exists()).await;
    }
}

#[tokio::test]
async fn nothing_is_left_when_its_process_is_killed() {
    let mut running = Running::start();
    assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, running.port)).is_ok());
    running.process.kill().unwrap();
    running.process.wait().unwrap();
    running.nothing_is_left().await;
}

#[tokio::test]
async fn nothing_is_left_when_it_is_stopped() {
    let mut running = Running::start();
    drop(running.process.stdin.take());
    assert!(running.process.wait().unwrap().success());
    assert!(!running.folder.exists());
    running.nothing_is_left().await;
}

#[tokio::test]
async fn nothing_is_left_when_a_test_panics() {
    let plane = ControlPlane::start(Options::default()).await.unwrap();
    let folder = plane.kubeconfig().parent().unwrap().to_owned();
    let panicked = tokio::spawn(async move {
        let _plane = plane;
        panic!("on purpose");
    });
    panicked.await.expect_err("it panicked");
    assert!(!folder.exists());
}

#[test]
fn a_missing_binary_says_how_to_get_it() {
    let message = binary("kube-flying-saucer").unwrap_err().to_string();
    assert!(message.contains("kube-flying-saucer") && message.contains("make control-plane"), "{message}");
}
