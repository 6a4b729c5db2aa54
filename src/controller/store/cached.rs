//! An object as the cache keeps it: what is looked at across all objects, and the whole of it as packed JSON. Ten thousand
//! objects as Rust values, most of whose fields are empty, would take six times the memory; one is unpacked only to be
//! reconciled.

use std::{fmt, marker::PhantomData};

use tracing::error;

use super::{
    Key,
    packed::{Packed, Packer},
};
use crate::{
    api::{AppKey, Kind, ManagedStatus},
    k8s::conditions::{READY, SENDABLE, STALLED, State, find, is_true},
    messages::Reason,
};

/// See the module.
pub struct Cached<K: Kind> {
    /// Its name.
    pub key: Key,
    /// What it stands for at Meta.
    pub claim: K::Claim,
    /// The app it belongs to.
    pub app: AppKey,
    /// The account that holds what it stands for, as far as known.
    pub account: Option<Box<str>>,
    /// Its phase, once it has one.
    pub phase: Option<Box<str>>,
    /// Condition Ready, and its reason.
    pub ready: Option<(State, Reason)>,
    /// Whether a person must act before the operator goes on.
    pub stalled: bool,
    /// Whether a person has to act, here or at Meta.
    pub needs_action: bool,
    /// Whether it can send now, as far as known.
    pub sendable: Option<bool>,
    /// The status that Meta last showed, where the kind records it.
    pub meta_status: Option<Box<str>>,
    /// Whether the operator could read the whole object. If not, it keeps its claim, and is neither reconciled nor acted
    /// upon.
    pub usable: bool,
    /// The Secrets in its namespace that it looks at.
    pub secrets: Box<[Box<str>]>,
    packed: Packed,
    kind: PhantomData<K>,
}

impl<K: Kind> Cached<K> {
    /// Packs an object.
    ///
    /// # Errors
    /// When it cannot be written as JSON, which an object that came as JSON always can.
    pub fn new(object: &K, usable: bool, packer: &Packer) -> serde_json::Result<Self> {
        let status = object.status();
        let conditions = status.map_or(&[][..], ManagedStatus::conditions);
        Ok(Self {
            key: Key::of(object),
            claim: object.claim(),
            app: object.app(),
            account: object.held_by().map(Box::from),
            phase: status.and_then(|status| status.phase()).map(Box::from),
            ready: find(conditions, READY)
                .and_then(|ready| Some((State::named(&ready.status), Reason::named(&ready.reason)?))),
            stalled: is_true(conditions, STALLED),
            needs_action: status.is_some_and(ManagedStatus::needs_action),
            sendable: find(conditions, SENDABLE).map(|sendable| sendable.status == "True"),
            meta_status: object.meta_status().map(Box::from),
            usable,
            secrets: object.secrets().into_iter().map(Box::from).collect(),
            packed: packer.pack(&serde_json::to_vec(object)?),
            kind: PhantomData,
        })
    }

    /// The whole object.
    #[must_use]
    pub fn object(&self) -> Option<K> {
        self.unpack()
            .inspect_err(|error| error!(kind = K::NAME, object = %self.key, %error, "object not read from the cache"))
            .ok()
    }

    fn unpack(&self) -> Result<K, String> {
        let json = self.packed.unpack().ok_or("its packed JSON is damaged")?;
        serde_json::from_slice(&json).map_err(|error| error.to_string())
    }

    /// Whether it looks at this Secret.
    #[must_use]
    pub fn looks_at(&self, namespace: Option<&str>, secret: &str) -> bool {
        namespace == Some(self.key.namespace()) && self.secrets.iter().any(|name| **name == *secret)
    }
}

impl<K: Kind> fmt::Debug for Cached<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", K::NAME, self.key)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::*;
    use crate::api::WhatsAppNumber;

    #[test]
    fn an_object_comes_back_as_it_was() {
        let number: WhatsAppNumber = serde_json::from_value(json!({
            "apiVersion": "waba.dev/v1alpha1", "kind": "WhatsAppNumber",
            "metadata": {
                "name": "support-fr", "namespace": "cc", "uid": "4868e159", "resourceVersion": "7", "generation": 2,
                "creationTimestamp": "2026-11-22T23:12:10Z", "labels": {"team": "support"},
            },
            "spec": {
                "appRef": {"name": "ino-cx", "namespace": "meta"}, "phoneNumber": "+33612345678",
                "directions": ["Incoming"], "incoming": {"sessionTime": "12h"},
            },
            "status": {
                "observedGeneration": 2, "phase": "NotFound", "businessAccountID": "102290129340398",
                "conditions": [{
                    "type": "Stalled", "status": "True", "reason": "NotFound", "message": "it is gone",
                    "observedGeneration": 2, "lastTransitionTime": "2026-11-22T23:12:10Z",
                }],
            },
        }))
        .unwrap();
        let cached = Cached::new(&number, true, &Packer::default()).unwrap();
        let back = cached.object().unwrap();
        assert_eq!(serde_json::to_value(&back).unwrap(), serde_json::to_value(&number).unwrap());
        assert_eq!(back.status, number.status, "or a reconcile would see a change where there is none");
        assert_eq!((cached.key.namespace(), cached.key.name()), ("cc", "support-fr"));
        assert_eq!((cached.app, cached.stalled), (AppKey::new("meta", "ino-cx"), true));
        assert_eq!((cached.account.as_deref(), cached.phase.as_deref()), (Some("102290129340398"), Some("NotFound")));
    }
}
