//! The least that an import could do: create the objects, write their status once.

use std::time::{Duration, Instant};

use control_plane::ControlPlane;
use futures::{StreamExt, TryStreamExt, stream};
use kube::{
    Api, ResourceExt,
    api::{ObjectMeta, PostParams},
};
use waba_operator::{
    api::WhatsAppNumber,
    cluster::status::{Patched, patch_status},
    reconcile::CONCURRENCY,
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
