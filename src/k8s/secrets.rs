//! Secrets: the user's are read one key at a time and never written; the operator's own carry its label.

use std::{collections::BTreeMap, fmt};

use k8s_openapi::{ByteString, api::core::v1::Secret, apimachinery::pkg::apis::meta::v1::OwnerReference};
use kube::{
    Api, Client, ResourceExt as _,
    api::{DeleteParams, PostParams, Preconditions},
};
use secrecy::{ExposeSecret as _, SecretString};

use super::timeout::{ApiError, call};
use crate::messages::commands::line;

/// The label of the operator's own Secrets.
pub const MANAGED_BY: (&str, &str) = ("app.kubernetes.io/managed-by", "waba-operator");

const MANAGED_BY_TEXT: &str = "app.kubernetes.io/managed-by: waba-operator";

/// How many key names a message lists.
const KEYS_LISTED: usize = 10;

/// A secret value that can be compared, and is never shown.
#[derive(Clone)]
pub struct ComparableSecret(pub SecretString);

impl PartialEq for ComparableSecret {
    fn eq(&self, other: &Self) -> bool {
        self.0.expose_secret() == other.0.expose_secret()
    }
}

impl Eq for ComparableSecret {}

impl fmt::Debug for ComparableSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl From<&str> for ComparableSecret {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

/// A value a user keeps in a Secret.
#[derive(Clone, Debug)]
pub struct SecretValue {
    /// The text, without the white space around it that editors and `echo` leave behind.
    pub value: SecretString,
    /// Whether the Secret is one of the operator's.
    pub ours: bool,
    /// The number that the Secret is about, if the operator made it for one: digits.
    pub number: Option<String>,
}

/// The annotation with the digits of the number that a Secret was made for.
pub const FOR_NUMBER: &str = "waba.dev/number";

/// Placeholder for a value in commands, where the kind of value is not known.
pub const YOUR_VALUE: &str = "YOUR_VALUE";

/// Why a value could not be read. The message names the Secret, the key, and what to do.
#[derive(Debug, thiserror::Error)]
#[error("Secret {namespace}/{name} {problem}{}", self.command())]
pub struct SecretProblem {
    /// Of the Secret.
    pub namespace: String,
    /// Of the Secret.
    pub name: String,
    /// Whether there is such a Secret, and it is not the operator's.
    pub foreign: bool,
    /// What is wrong with it.
    #[source]
    pub problem: Unusable,
}

impl SecretProblem {
    /// The command for a person, if a person has to act.
    fn command(&self) -> String {
        let Self { namespace, name, problem, .. } = self;
        let command = match problem {
            Unusable::Missing { key } => {
                format!("kubectl -n {namespace} create secret generic {name} --from-literal={key}={YOUR_VALUE}")
            }
            Unusable::KeyMissing { key, .. } | Unusable::Empty { key } | Unusable::NotText { key } => {
                return format!(": {}", set_command(namespace, name, key, YOUR_VALUE));
            }
            Unusable::Reserved { key } => {
                format!("kubectl -n {namespace} create secret generic YOUR_NAME --from-literal={key}={YOUR_VALUE}")
            }
            Unusable::Unreadable(_) => return String::new(),
        };
        format!(": {}", line(&command))
    }
}

/// The command that sets the value under a key of a Secret that is there; its other keys stay. `what` stands for the value.
#[must_use]
pub fn set_command(namespace: &str, name: &str, key: &str, what: &str) -> String {
    line(&format!(
        "kubectl -n {namespace} patch secret {name} --type merge -p '{{\"stringData\":{{\"{key}\":\"{what}\"}}}}'"
    ))
}

/// The command that deletes a Secret, given as `namespace/name`.
#[must_use]
pub fn delete_command(path: &str) -> String {
    let (namespace, name) = path.split_once('/').unwrap_or(("", path));
    line(&format!("kubectl -n {namespace} delete secret {name}"))
}

/// What is wrong with a Secret or one of its keys.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// There is no such Secret.
    #[error("does not exist: create it with the key {key}")]
    Missing {
        /// The key that was requested.
        key: String,
    },
    /// The Secret lacks the key.
    #[error("has no key {key} ({}): add it, or name another key", listed(.present))]
    KeyMissing {
        /// The key that was requested.
        key: String,
        /// Names of the keys that are there, sorted.
        present: Vec<String>,
    },
    /// Nothing but white space is under the key.
    #[error("has nothing under the key {key}: set a value")]
    Empty {
        /// The key that was requested.
        key: String,
    },
    /// The value is not text in one line.
    #[error("needs a single line of UTF-8 text under the key {key}: set the plain value")]
    NotText {
        /// The key that was requested.
        key: String,
    },
    /// The Secret is the operator's, and not the object's own.
    #[error(
        "is one of the operator's own, which no object may name: put the value into a Secret of your own and name that one"
    )]
    Reserved {
        /// The key that was requested.
        key: String,
    },
    /// The API server did not return it.
    #[error("could not be read: {0}")]
    Unreadable(#[source] ApiError),
}

fn listed(present: &[String]) -> String {
    match present.len() {
        0 => "it is empty".to_owned(),
        1..=KEYS_LISTED => format!("it has {}", present.join(", ")),
        more => format!("it has {} and {} more", present[..KEYS_LISTED].join(", "), more - KEYS_LISTED),
    }
}

/// Reads one key of a user's Secret.
///
/// # Errors
/// See [`Unusable`]; only [`Unusable::Unreadable`] may pass by itself.
pub async fn read_key(client: &Client, namespace: &str, name: &str, key: &str) -> Result<SecretValue, SecretProblem> {
    let read = call(Api::<Secret>::namespaced(client.clone(), namespace).get_opt(name)).await;
    let foreign = matches!(&read, Ok(Some(secret)) if !is_ours(secret));
    let value = match read {
        Ok(Some(secret)) => text_under(&secret, key),
        Ok(None) => Err(Unusable::Missing { key: key.to_owned() }),
        Err(error) => Err(Unusable::Unreadable(error)),
    };
    value.map_err(|problem| SecretProblem { namespace: namespace.to_owned(), name: name.to_owned(), foreign, problem })
}

fn text_under(secret: &Secret, key: &str) -> Result<SecretValue, Unusable> {
    let data = secret.data.iter().flatten();
    let Some((_, bytes)) = data.clone().find(|(name, _)| *name == key) else {
        return Err(Unusable::KeyMissing {
            key: key.to_owned(),
            present: data.map(|(name, _)| name.clone()).collect(),
        });
    };
    match std::str::from_utf8(&bytes.0).map(str::trim) {
        Ok("") => Err(Unusable::Empty { key: key.to_owned() }),
        Err(_) => Err(Unusable::NotText { key: key.to_owned() }),
        Ok(text) if text.contains(char::is_control) => Err(Unusable::NotText { key: key.to_owned() }),
        Ok(text) => Ok(SecretValue {
            value: text.into(),
            ours: is_ours(secret),
            number: secret.annotations().get(FOR_NUMBER).cloned(),
        }),
    }
}

/// Why the operator's own Secret could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum OwnedProblem {
    /// Somebody else's Secret has this name; the operator does not touch it.
    #[error(
        "Secret {path} exists and is not the operator's (it has no label {MANAGED_BY_TEXT}): rename or delete it: {}",
        delete_command(.0),
        path = .0
    )]
    Taken(String),
    /// It changed since it was read, appeared, or went away: plan again.
    #[error("Secret {0} changed meanwhile: the operator retries")]
    Stale(String),
    /// The API server failed or refused.
    #[error("Secret {path} could not be read or written: {error}{}", rights_command(.0, .1), path = .0, error = .1)]
    Api(String, #[source] ApiError),
}

impl OwnedProblem {
    /// Whether the API server refused, and would refuse again.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::Api(_, error) if error.is_refusal())
    }
}

/// The command that shows why the API server refused: a right that is missing, or a quota that is full.
fn rights_command(path: &str, error: &ApiError) -> String {
    let namespace = path.split_once('/').map_or("", |(namespace, _)| namespace);
    if error.is_refusal() {
        format!(
            ". Check the operator's rights and the namespace's quotas: {}",
            line(&format!("kubectl -n {namespace} get rolebindings,resourcequotas"))
        )
    } else {
        String::new()
    }
}

/// A Secret of the operator's: read or made here, changed in memory, saved under the version it was read at.
///
/// Labels, annotations and owners that others set stay as they are. By default it has no owner, so it outlives the object it
/// was made for.
#[derive(Clone)]
pub struct OwnedSecret(Secret);

impl fmt::Debug for OwnedSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys: Vec<&String> = self.0.data.iter().flatten().map(|(key, _)| key).collect();
        f.debug_struct("OwnedSecret").field("name", &path(&self.0)).field("keys", &keys).finish()
    }
}

impl OwnedSecret {
    /// A new one, not saved yet. `type_` is the Secret's type; `None` is `Opaque`.
    #[must_use]
    pub fn new(namespace: &str, name: &str, type_: Option<&str>) -> Self {
        let mut secret = Secret { type_: type_.map(str::to_owned), ..Secret::default() };
        secret.metadata.namespace = Some(namespace.to_owned());
        secret.metadata.name = Some(name.to_owned());
        secret.metadata.labels = Some(BTreeMap::from([(MANAGED_BY.0.to_owned(), MANAGED_BY.1.to_owned())]));
        Self(secret)
    }

    /// Without `managedFields`, which only the API server reads and which are most of it.
    fn slim(mut secret: Secret) -> Self {
        secret.metadata.managed_fields = None;
        Self(secret)
    }

    /// Reads it; `None` when there is none.
    ///
    /// # Errors
    /// [`OwnedProblem::Taken`] when it lacks the operator's label, [`OwnedProblem::Api`].
    pub async fn read(client: &Client, namespace: &str, name: &str) -> Result<Option<Self>, OwnedProblem> {
        match call(Api::<Secret>::namespaced(client.clone(), namespace).get_opt(name)).await {
            Ok(None) => Ok(None),
            Ok(Some(secret)) if is_ours(&secret) => Ok(Some(Self::slim(secret))),
            Ok(Some(secret)) => Err(OwnedProblem::Taken(path(&secret))),
            Err(error) => Err(OwnedProblem::Api(format!("{namespace}/{name}"), error)),
        }
    }

    /// Creates it if it was made by [`OwnedSecret::new`], else replaces what was read, under its `resourceVersion`.
    /// Returns it as the API server has it now, ready for the next change.
    ///
    /// # Errors
    /// See [`OwnedProblem`]. After [`OwnedProblem::Api`] it may have been written: read it again.
    pub async fn save(&self, client: &Client) -> Result<Self, OwnedProblem> {
        let path = path(&self.0);
        let (namespace, name) = (self.0.namespace().unwrap_or_default(), self.0.name_any());
        let api = Api::<Secret>::namespaced(client.clone(), &namespace);
        let params = PostParams::default();
        let new = self.0.metadata.resource_version.is_none();
        let saved = if new {
            call(api.create(&params, &self.0)).await
        } else {
            call(api.replace(&name, &params, &self.0)).await
        };
        match saved {
            Ok(secret) => Ok(Self::slim(secret)),
            Err(error) if new && error.is_already_exists() => {
                // A read distinguishes a foreign Secret from a race with our own.
                Self::read(client, &namespace, &name).await?;
                Err(OwnedProblem::Stale(path))
            }
            Err(error) if !new && (error.is_conflict() || error.is_not_found()) => Err(OwnedProblem::Stale(path)),
            Err(error) => Err(OwnedProblem::Api(path, error)),
        }
    }

    /// The value under a key; `None` when there is none, or it is not text and so was not written by the operator.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<SecretString> {
        let bytes = self.0.data.as_ref()?.get(key)?;
        std::str::from_utf8(&bytes.0).ok().map(SecretString::from)
    }

    /// The keys that there are.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.data.iter().flatten().map(|(key, _)| key.as_str())
    }

    /// Deletes it, if it is still as it was read.
    ///
    /// # Errors
    /// See [`OwnedProblem`]; a Secret that is gone is no error.
    pub async fn delete(&self, client: &Client) -> Result<(), OwnedProblem> {
        let (namespace, name) = (self.0.namespace().unwrap_or_default(), self.0.name_any());
        let preconditions = Preconditions { uid: self.0.uid(), resource_version: self.0.resource_version() };
        let params = DeleteParams::default().preconditions(preconditions);
        match call(Api::<Secret>::namespaced(client.clone(), &namespace).delete(&name, &params)).await {
            Ok(_) => Ok(()),
            Err(error) if error.is_not_found() => Ok(()),
            Err(error) if error.is_conflict() => Err(OwnedProblem::Stale(path(&self.0))),
            Err(error) => Err(OwnedProblem::Api(path(&self.0), error)),
        }
    }

    /// Sets the value under a key.
    pub fn set(&mut self, key: &str, value: &SecretString) {
        let value = ByteString(value.expose_secret().as_bytes().to_vec());
        self.0.data.get_or_insert_default().insert(key.to_owned(), value);
    }

    /// Removes a key.
    pub fn unset(&mut self, key: &str) {
        if let Some(data) = &mut self.0.data {
            data.remove(key);
        }
    }

    /// An annotation. Annotations are readable by many more people than the data: no secrets here.
    #[must_use]
    pub fn annotation(&self, key: &str) -> Option<&str> {
        self.0.annotations().get(key).map(String::as_str)
    }

    /// Sets an annotation, or removes it with `None`.
    pub fn annotate(&mut self, key: &str, value: Option<&str>) {
        match value {
            Some(value) => self.0.annotations_mut().insert(key.to_owned(), value.to_owned()),
            None => self.0.annotations_mut().remove(key),
        };
    }

    /// Makes `owner` its owner: it goes when the owner goes.
    pub fn owned_by(&mut self, owner: OwnerReference) {
        self.0.metadata.owner_references = Some(vec![owner]);
    }

    /// The uid of its owner, if it has one.
    #[must_use]
    pub fn owner(&self) -> Option<&str> {
        self.0.owner_references().first().map(|owner| owner.uid.as_str())
    }

    /// The version it was read at; `None` when it is not saved yet.
    #[must_use]
    pub fn resource_version(&self) -> Option<&str> {
        self.0.metadata.resource_version.as_deref()
    }
}

fn is_ours(secret: &Secret) -> bool {
    secret.labels().get(MANAGED_BY.0).is_some_and(|owner| owner == MANAGED_BY.1)
}

fn path(secret: &Secret) -> String {
    format!("{}/{}", secret.namespace().unwrap_or_default(), secret.name_any())
}

#[cfg(test)]
#[path = "secrets_tests.rs"]
mod tests;
