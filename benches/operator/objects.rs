//! The objects of one namespace, as the API server has them.

use std::{collections::BTreeMap, fmt::Debug, time::Instant};

use control_plane::ControlPlane;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api, Client, Resource, ResourceExt,
    api::{ListParams, Patch, PatchParams, PostParams},
    core::NamespaceResourceScope,
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::time::sleep;
use waba_operator::api::{Action, Kind, ManagedStatus, MessageTemplate, MetaApp, WhatsAppNumber};

use crate::{
    Failure,
    estate::{APP, APP_SECRET, TOKEN},
    operator::{LOOK_AGAIN, Operator, PATIENCE, in_time},
    real,
};

/// The app, and the Secret with its credentials.
const NAME: &str = "bench";

/// A namespace with an app's objects.
pub struct Objects {
    pub namespace: String,
    client: Client,
}

/// Which version every object has.
type Versions = BTreeMap<String, Option<String>>;

impl Objects {
    /// A new namespace with the app's Secret, and no app yet.
    pub async fn prepare(plane: &ControlPlane) -> Result<Self, Failure> {
        let objects = Self { namespace: plane.namespace("bench").await, client: plane.client() };
        objects.create_secret(NAME, &json!({"app-secret": APP_SECRET, "access-token": TOKEN})).await?;
        Ok(objects)
    }

    pub fn api<K: Resource<DynamicType = (), Scope = NamespaceResourceScope>>(&self) -> Api<K> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// Applies the app: it imports its numbers.
    pub async fn import_numbers(&self) -> Result<(), Failure> {
        self.apply("1m", &json!({"numbers": {}})).await
    }

    /// Applies the app: it imports its templates too.
    pub async fn import_templates(&self) -> Result<(), Failure> {
        self.apply("1m", &json!({"numbers": {}, "templates": {}})).await
    }

    /// Applies the app: it imports nothing, and polls as seldom as it does by default.
    pub async fn connect(&self) -> Result<(), Failure> {
        self.apply("10m", &Value::Null).await
    }

    /// Puts another token into the app's Secret.
    pub async fn change_token(&self, token: &str) -> Result<(), Failure> {
        let patch = json!({"stringData": {"access-token": token}});
        self.api::<Secret>().patch(NAME, &PatchParams::default(), &Patch::Merge(&patch)).await?;
        Ok(())
    }

    /// Has Meta read now.
    pub async fn read_now(&self) -> Result<(), Failure> {
        self.annotate::<MetaApp>(NAME, Action::Reconcile).await
    }

    /// Asks an object for an action.
    pub async fn annotate<K>(&self, name: &str, action: Action) -> Result<(), Failure>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned,
    {
        let patch = json!({"metadata": {"annotations": {action.annotation(): Timestamp::now().to_string()}}});
        self.api::<K>().patch(name, &PatchParams::default(), &Patch::Merge(&patch)).await?;
        Ok(())
    }

    /// Creates a Secret with these values.
    pub async fn create_secret(&self, name: &str, values: &Value) -> Result<(), Failure> {
        let secret = serde_json::from_value(json!({"metadata": {"name": name}, "stringData": values}))?;
        self.api::<Secret>().create(&PostParams::default(), &secret).await?;
        Ok(())
    }

    /// Creates a number of the app; `blocks` is added to its spec.
    pub async fn create_number(&self, name: &str, number: &str, mut blocks: Value) -> Result<(), Failure> {
        blocks["appRef"] = json!({"name": NAME});
        blocks["phoneNumber"] = json!(number);
        blocks["directions"] = json!(["Outgoing"]);
        let number = serde_json::from_value(json!({"metadata": {"name": name}, "spec": blocks}))?;
        self.api::<WhatsAppNumber>().create(&PostParams::default(), &number).await?;
        Ok(())
    }

    /// Whether every number is in this phase.
    pub async fn all_are(&self, phase: &str) -> Result<bool, Failure> {
        let others = ListParams::default().fields(&format!("status.phase!={phase}")).limit(1);
        Ok(self.api::<WhatsAppNumber>().list_metadata(&others).await?.items.is_empty())
    }

    async fn apply(&self, interval: &str, import: &Value) -> Result<(), Failure> {
        let mut app = json!({
            "apiVersion": "waba.dev/v1alpha1", "kind": "MetaApp", "metadata": {"name": NAME},
            "spec": {
                "appID": APP,
                "appSecretRef": {"name": NAME, "key": "app-secret"},
                "accessTokenRef": {"name": NAME, "key": "access-token"},
                "pollInterval": interval,
            },
        });
        if !import.is_null() {
            app["spec"]["import"] = import.clone();
        }
        self.api::<MetaApp>().patch(NAME, &PatchParams::apply("bench"), &Patch::Apply(&app)).await?;
        Ok(())
    }

    /// All numbers, with their status.
    pub async fn numbers(&self) -> Result<Vec<WhatsAppNumber>, Failure> {
        Ok(self.api().list(&ListParams::default()).await?.items)
    }

    /// Waits until `count` numbers and templates have their status, `written` of them from this operator; when that was,
    /// to the precision at which the operator's own count of writes is looked at. The API server is asked only once that
    /// count says yes: to watch ten thousand objects would cost the machine as much as to make them.
    pub async fn complete(&self, operator: &Operator, count: usize, written: usize) -> Result<Instant, Failure> {
        let patience = Instant::now() + PATIENCE;
        loop {
            let numbers = operator.writes_of("\"whatsappnumbers/status\"").await?;
            let templates = operator.writes_of("\"messagetemplates/status\"").await?;
            let at = Instant::now();
            if numbers + templates >= real(written) && self.reported().await? >= count {
                return Ok(at);
            }
            in_time(patience, "every object has its status")?;
            sleep(LOOK_AGAIN).await;
        }
    }

    async fn reported(&self) -> Result<usize, Failure> {
        Ok(self.reported_of::<WhatsAppNumber>().await? + self.reported_of::<MessageTemplate>().await?)
    }

    async fn reported_of<K: Kind>(&self) -> Result<usize, Failure> {
        let objects = self.api::<K>().list(&ListParams::default()).await?;
        Ok(objects.iter().filter(|object| object.status().is_some_and(|status| status.phase().is_some())).count())
    }

    /// The versions of all objects of the operator's kinds and of all Secrets.
    pub async fn versions(&self) -> Result<Versions, Failure> {
        let mut versions = Versions::new();
        self.add_versions::<MetaApp>(&mut versions).await?;
        self.add_versions::<WhatsAppNumber>(&mut versions).await?;
        self.add_versions::<MessageTemplate>(&mut versions).await?;
        self.add_versions::<Secret>(&mut versions).await?;
        Ok(versions)
    }

    async fn add_versions<K>(&self, versions: &mut Versions) -> Result<(), Failure>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned,
    {
        let list = self.api::<K>().list_metadata(&ListParams::default()).await?;
        versions.extend(list.iter().map(|o| (format!("{}/{}", K::kind(&()), o.name_any()), o.resource_version())));
        Ok(())
    }

    /// How many objects have another version than before, came or went.
    pub async fn changed_since(&self, before: &Versions) -> Result<usize, Failure> {
        let now = self.versions().await?;
        let other = now.iter().filter(|(object, version)| before.get(*object) != Some(*version)).count();
        let gone = before.keys().filter(|object| !now.contains_key(*object)).count();
        Ok(other + gone)
    }
}
