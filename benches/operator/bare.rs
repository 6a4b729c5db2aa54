//! The least that could be done: for an import, to create the objects and write their status once; for everything else,
//! to write a Secret as often.

use std::{
    ops::Range,
    time::{Duration, Instant},
};

use control_plane::ControlPlane;
use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api, ResourceExt,
    api::{ObjectMeta, Patch, PatchParams, PostParams},
};
use serde_json::json;
use waba_operator::{
    api::WhatsAppNumber,
    controller::CONCURRENCY,
    k8s::status::{Patched, patch_status},
};

use crate::Failure;

/// Creates objects like `models` in `namespace` and gives each the status that it had; how long that took.
pub async fn create(plane: &ControlPlane, namespace: &str, models: Vec<WhatsAppNumber>) -> Result<Duration, Failure> {
    let api = Api::<WhatsAppNumber>::namespaced(plane.client(), namespace);
    let params = PostParams { field_manager: Some("bare-import".to_owned()), ..PostParams::default() };
    let started = Instant::now();
    stream::iter(models)
        .map(|mut model| {
            let (api, params) = (&api, &params);
            async move {
                let status = model.status.take();
                let labels = model.metadata.labels.take();
                model.metadata = ObjectMeta { name: Some(model.name_any()), labels, ..ObjectMeta::default() };
                let created = api.create(params, &model).await?;
                match patch_status(api, &created, &status, "bare-status").await? {
                    Patched::Written(_) => Ok(()),
                    Patched::Stale | Patched::Gone => Err(Failure::from("somebody else is at the loop's objects")),
                }
            }
        })
        .buffer_unordered(usize::from(CONCURRENCY))
        .try_collect::<()>()
        .await?;
    Ok(started.elapsed())
}

/// Secrets that nobody looks at.
pub struct Secrets {
    api: Api<Secret>,
    count: usize,
}

impl Secrets {
    /// Creates them in a namespace of their own.
    pub async fn create(plane: &ControlPlane, count: usize) -> Result<Self, Failure> {
        let namespace = plane.namespace("bare").await;
        let secrets = Self { api: Api::namespaced(plane.client(), &namespace), count };
        stream::iter(0..count)
            .map(|n| {
                let api = &secrets.api;
                async move {
                    let secret = Secret {
                        metadata: ObjectMeta { name: Some(name(n)), ..ObjectMeta::default() },
                        ..Secret::default()
                    };
                    api.create(&PostParams::default(), &secret).await.map(drop)
                }
            })
            .buffer_unordered(usize::from(CONCURRENCY))
            .try_collect::<()>()
            .await?;
        Ok(secrets)
    }

    /// Writes each of them once per round; how long that took.
    pub async fn write(&self, rounds: Range<usize>) -> Result<Duration, Failure> {
        let started = Instant::now();
        let each_round = rounds.flat_map(|round| (0..self.count).map(move |n| (round, n)));
        stream::iter(each_round)
            .map(|(round, n)| self.write_one(n, round))
            .buffer_unordered(usize::from(CONCURRENCY))
            .try_collect::<()>()
            .await?;
        Ok(started.elapsed())
    }

    /// Writes one of them.
    pub async fn write_one(&self, n: usize, round: usize) -> Result<(), Failure> {
        let patch = json!({"stringData": {"round": round.to_string()}});
        self.api.patch(&name(n), &PatchParams::default(), &Patch::Merge(&patch)).await?;
        Ok(())
    }
}

fn name(n: usize) -> String {
    format!("bare-{n}")
}
