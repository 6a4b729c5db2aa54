//! The world of one test: a namespace, a simulator of Meta, an operator, and a witness of every version of every
//! object.

use std::{collections::BTreeMap, fmt::Debug, path::PathBuf, sync::Arc};

use graph_sim::{Control, Sim};
use k8s_openapi::api::{core::v1::Secret, events::v1::Event};
use kube::{
    Api, Client, ResourceExt,
    api::{DeleteParams, ListParams, Patch, PatchParams, PostParams},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use tokio::sync::OnceCell;
use tracing::subscriber::DefaultGuard;
use waba_operator::{
    api::{Kind, ManagedStatus, MessageTemplate, MetaApp, WhatsAppNumber, crds},
    k8s::conditions,
    run::{GRAPH_VERSION, Settings},
};

use crate::harness::{
    logs::Logs,
    manifests::CREDENTIALS,
    operator::{Operator, SPEEDUP, settings},
    program::{Output, Program, ProgramSettings},
    seed::APP,
    witness::Witness,
};

pub struct World {
    pub namespace: String,
    pub client: Client,
    pub config: kube::Config,
    pub kubeconfig: PathBuf,
    pub sim: Control,
    pub logs: Logs,
    simulator: Arc<Sim>,
    pub operator: Option<Operator>,
    pub program: Option<Program>,
    /// The logs of all programs, also of those that have ended.
    pub outputs: Vec<Output>,
    pub witness: Witness,
    pub tracked_secrets: Vec<String>,
    _listening: Option<DefaultGuard>,
}

/// Every object in the API server, with its resource version.
#[derive(PartialEq)]
pub struct Versions(BTreeMap<String, String>);

impl Versions {
    /// Fails if an object was written since, and shows the difference.
    pub fn assert_unchanged_since(&self, before: &Self) {
        let names = self.0.keys().chain(before.0.keys().filter(|name| !self.0.contains_key(*name)));
        for name in names {
            let text = |versions: &Self| versions.0.get(name).cloned().unwrap_or_default();
            let (now, then) = (text(self), text(before));
            let new: Vec<_> = now.lines().filter(|line| !then.lines().any(|other| other == *line)).collect();
            let old: Vec<_> = then.lines().filter(|line| !now.lines().any(|other| other == *line)).collect();
            assert!(now == then, "{name} was written; new: {new:#?} old: {old:#?}");
        }
    }
}

impl World {
    /// A namespace with the app's Secret, and a simulator; no operator yet.
    pub async fn new(prefix: &str, seed: Value) -> Self {
        static DEFINED: OnceCell<()> = OnceCell::const_new();
        let plane = control_plane::shared().await;
        DEFINED.get_or_init(|| install_crds(plane)).await;
        Self::on(plane, prefix, seed).await
    }

    /// As [`World::new`], on a control plane of the test's own.
    pub async fn on(plane: &control_plane::ControlPlane, prefix: &str, seed: Value) -> Self {
        let (logs, listening) = Logs::listen();
        let namespace = plane.namespace(prefix).await;
        let (client, config) = (plane.client(), plane.config());
        let simulator = Sim::start(seed).await.unwrap();
        let (sim, witness) = (simulator.control(), Witness::of(&client, &namespace));
        let world = Self {
            namespace,
            client,
            config,
            kubeconfig: plane.kubeconfig(),
            sim,
            logs,
            simulator: Arc::new(simulator),
            operator: None,
            program: None,
            outputs: Vec::new(),
            witness,
            tracked_secrets: Vec::new(),
            _listening: Some(listening),
        };
        let secret = world.app_secret(APP).await;
        world.put_secret(CREDENTIALS, &[("app-secret", &secret), ("access-token", &world.token("main").await)]).await;
        world
    }

    /// The same world seen from another namespace, which is watched too.
    pub fn in_namespace(&self, namespace: &str) -> Self {
        Self {
            namespace: namespace.to_owned(),
            client: self.client.clone(),
            config: self.config.clone(),
            kubeconfig: self.kubeconfig.clone(),
            sim: self.sim.clone(),
            logs: self.logs.clone(),
            simulator: self.simulator.clone(),
            operator: None,
            program: None,
            outputs: Vec::new(),
            witness: Witness::of(&self.client, namespace),
            tracked_secrets: self.tracked_secrets.clone(),
            _listening: None,
        }
    }

    /// A world with a running operator.
    pub async fn running(prefix: &str, seed: Value) -> Self {
        let mut world = Self::new(prefix, seed).await;
        world.start().await;
        world
    }

    pub fn settings(&self) -> Settings {
        settings(&self.simulator.url(), &self.namespace)
    }

    pub async fn start(&mut self) {
        self.start_with(self.settings()).await;
    }

    pub async fn start_with(&mut self, settings: Settings) {
        assert!(self.operator.is_none(), "one operator at a time");
        self.operator = Some(Operator::start(settings, self.config.clone()).await);
    }

    pub fn operator(&self) -> &Operator {
        self.operator.as_ref().expect("the operator runs")
    }

    pub fn take_operator(&mut self) -> Operator {
        self.operator.take().expect("the operator runs")
    }

    /// Stops the operator and starts another one.
    pub async fn restart(&mut self) {
        self.take_operator().stop().await;
        self.start().await;
    }

    pub fn program_settings(&self) -> ProgramSettings {
        ProgramSettings {
            graph_url: self.simulator.url(),
            namespaces: vec![self.namespace.clone()],
            operator_namespace: self.namespace.clone(),
            kubeconfig: self.kubeconfig.clone(),
            leader_elect: false,
            speedup: SPEEDUP,
            more: Vec::new(),
        }
    }

    /// Starts the operator as a program.
    pub async fn start_program(&mut self, settings: &ProgramSettings) {
        assert!(self.operator.is_none() && self.program.is_none(), "one operator at a time");
        self.program = Some(self.spawn_program(settings).await);
    }

    /// Starts a further program; the test has to stop it.
    pub async fn spawn_program(&mut self, settings: &ProgramSettings) -> Program {
        let program = Program::start(settings).await;
        self.outputs.push(program.output());
        program
    }

    pub fn program(&self) -> &Program {
        self.program.as_ref().expect("the program runs")
    }

    pub fn take_program(&mut self) -> Program {
        self.program.take().expect("the program runs")
    }

    // The API server.

    pub fn api<K: Kind>(&self) -> Api<K> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    pub async fn create<K: Kind>(&self, object: &K) -> K {
        self.api().create(&PostParams::default(), object).await.unwrap()
    }

    pub async fn get<K: Kind>(&self, name: &str) -> Option<K> {
        self.api().get_opt(name).await.unwrap()
    }

    pub async fn names<K: Kind>(&self) -> Vec<String> {
        let list = self.api::<K>().list(&ListParams::default()).await.unwrap();
        list.iter().map(ResourceExt::name_any).collect()
    }

    /// Changes an object as `kubectl patch --type merge` does.
    pub async fn patch<K: Kind>(&self, name: &str, patch: Value) -> K {
        self.api().patch(name, &PatchParams::default(), &Patch::Merge(patch)).await.unwrap()
    }

    /// As a restore of a backup changes a status.
    pub async fn patch_status<K: Kind>(&self, name: &str, patch: Value) -> K {
        self.api().patch_status(name, &PatchParams::default(), &Patch::Merge(patch)).await.unwrap()
    }

    pub async fn delete<K: Kind>(&self, name: &str) {
        self.api::<K>().delete(name, &DeleteParams::default()).await.unwrap();
    }

    /// Requests an action by annotation, dated `ago` seconds before Meta's time; the value.
    pub async fn request_action<K: Kind>(&self, name: &str, action: &str, ago: i64) -> String {
        let clock = self.sim.get("clock").await.unwrap();
        let now: jiff::Timestamp = clock["now"].as_str().unwrap().parse().unwrap();
        let time = now - jiff::SignedDuration::from_secs(ago);
        // To the millisecond, so that two requests within a second differ.
        let value = jiff::Timestamp::from_millisecond(time.as_millisecond()).unwrap().to_string();
        self.patch::<K>(name, json!({"metadata": {"annotations": {action: value}}})).await;
        value
    }

    pub fn secrets(&self) -> Api<Secret> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// Creates or overwrites a Secret as a person does.
    pub async fn put_secret(&self, name: &str, values: &[(&str, &str)]) {
        let values: BTreeMap<&str, &str> = values.iter().copied().collect();
        let patch = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": values});
        let params = PatchParams::apply("a-person").force();
        self.secrets().patch(name, &params, &Patch::Apply(&patch)).await.unwrap();
    }

    pub async fn set_token(&self, value: &str) {
        let patch = json!({"stringData": {"access-token": value}});
        self.secrets().patch(CREDENTIALS, &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
    }

    /// The value of a Secret's key.
    pub async fn secret_value(&self, name: &str, key: &str) -> Option<String> {
        let secret = self.secrets().get_opt(name).await.unwrap()?;
        Some(String::from_utf8(secret.data?.get(key)?.0.clone()).unwrap())
    }

    /// The Events about an object: reason and note.
    pub async fn events(&self, name: &str) -> Vec<(String, String)> {
        let events = Api::<Event>::namespaced(self.client.clone(), &self.namespace);
        let events = events.list(&ListParams::default()).await.unwrap();
        let about = events.into_iter().filter(|e| e.regarding.as_ref().and_then(|r| r.name.as_deref()) == Some(name));
        about.map(|e| (e.reason.unwrap_or_default(), e.note.unwrap_or_default())).collect()
    }

    /// Waits for an Event about the object with this reason, and checks its type.
    pub async fn until_event_of_type(&self, name: &str, reason: &str, type_: &str) {
        let events = Api::<Event>::namespaced(self.client.clone(), &self.namespace);
        let found = self
            .eventually(&format!("an Event {reason} about {name}"), async || {
                let events = events.list(&ListParams::default()).await.unwrap();
                let is_it = |event: &Event| {
                    event.reason.as_deref() == Some(reason)
                        && event.regarding.as_ref().and_then(|regarding| regarding.name.as_deref()) == Some(name)
                };
                events.into_iter().find(is_it)
            })
            .await;
        assert_eq!(found.type_.as_deref(), Some(type_), "{found:?}");
    }

    /// Waits for an Event about the object with this reason; its note.
    pub async fn until_event(&self, name: &str, reason: &str) -> String {
        self.eventually(&format!("an Event {reason} about {name}"), async || {
            self.events(name).await.into_iter().find(|(found, _)| found == reason).map(|(_, note)| note)
        })
        .await
    }

    /// All objects of the operator's kinds, and all Secrets.
    pub async fn versions(&self) -> Versions {
        let mut versions = BTreeMap::new();
        self.add_versions::<MetaApp>(&mut versions).await;
        self.add_versions::<WhatsAppNumber>(&mut versions).await;
        self.add_versions::<MessageTemplate>(&mut versions).await;
        self.add_versions::<Secret>(&mut versions).await;
        Versions(versions)
    }

    async fn add_versions<K>(&self, versions: &mut BTreeMap<String, String>)
    where
        K: kube::Resource<DynamicType = (), Scope = kube::core::NamespaceResourceScope>
            + Clone
            + Debug
            + Serialize
            + DeserializeOwned,
    {
        let list = Api::<K>::namespaced(self.client.clone(), &self.namespace).list(&ListParams::default()).await;
        let named = |object: &K| format!("{} {}", K::kind(&()), object.name_any());
        versions.extend(list.unwrap().iter().map(|o| (named(o), serde_yaml::to_string(o).unwrap())));
    }

    // Meta.

    pub async fn app_secret(&self, app: &str) -> String {
        self.sim.get(&format!("apps/{app}")).await.unwrap()["secret"].as_str().unwrap().to_owned()
    }

    /// The value of a token, by its name in the seed.
    pub async fn token(&self, name: &str) -> String {
        self.sim.get(&format!("tokens/{name}")).await.unwrap()["token"].as_str().unwrap().to_owned()
    }

    /// Has [`World::finish`] scan for a secret that Meta does not know.
    pub fn track_secret(&mut self, value: String) -> String {
        self.tracked_secrets.push(value.clone());
        value
    }

    /// Injects a fault into the simulator.
    pub async fn inject_fault(&self, fault: Value) {
        self.sim.post("faults", json!([fault])).await.unwrap();
    }

    pub async fn clear_faults(&self) {
        self.sim.delete("faults").await.unwrap();
    }

    /// The number of the last call that reached Meta.
    pub async fn last_call(&self) -> u64 {
        self.sim.calls(0).await.unwrap().last().map_or(0, |call| call["seq"].as_u64().unwrap())
    }
}

/// Installs the CRDs.
pub async fn install_crds(plane: &control_plane::ControlPlane) {
    let definitions: Vec<Value> = crds().iter().map(|crd| serde_json::to_value(crd).unwrap()).collect();
    plane.apply_crds(&definitions).await.unwrap();
}

/// Whether a call is a poll: the regular read of an account with all its numbers and templates.
pub fn is_poll(call: &Value, account: &str) -> bool {
    call["method"] == "GET" && call["path"].as_str().is_some_and(|path| path.rsplit('/').next() == Some(account))
}

/// A call's path without its host and version.
pub fn path_of(call: &Value) -> &str {
    let path = call["path"].as_str().unwrap_or_default();
    path.strip_prefix(&format!("/{GRAPH_VERSION}/")).unwrap_or("?")
}

/// Whether a call goes to this path, with the version that the operator uses by default.
pub fn is_call(call: &Value, path: &str) -> bool {
    path_of(call) == path
}

/// A condition as `True/Enabled`, and its message.
pub fn condition<K: Kind>(object: &K, type_: &str) -> Option<(String, String)> {
    let found = conditions::find(object.status()?.conditions(), type_)?;
    Some((format!("{}/{}", found.status, found.reason), found.message.clone()))
}
