//! Status, written under the version of the object that was planned on.

use std::fmt::Debug;

use kube::{
    Api, Resource, ResourceExt as _,
    api::{Patch, PatchParams},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::json;

use super::timeout::{ApiError, call};

/// What became of a status.
#[derive(Clone, Debug)]
pub enum Patched<K> {
    /// It was written; the object as it is now.
    Written(Box<K>),
    /// The object changed, or was replaced by another of the same name, since it was read: nothing was written. Plan again when the watch catches up;
    /// never read again and force, since the plan was made from what is no longer so.
    Stale,
    /// The object is gone.
    Gone,
}

/// Writes the whole status by server-side apply, as `manager`, under the object's `resourceVersion` and `uid`.
///
/// Fields that `manager` owned and that are not in `status` any more are removed.
///
/// # Errors
/// When the API server cannot be reached or refuses for another reason than a newer version or a missing object.
pub async fn patch_status<K>(
    api: &Api<K>,
    object: &K,
    status: &impl Serialize,
    manager: &str,
) -> Result<Patched<K>, ApiError>
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned,
{
    let meta = object.meta();
    let patch = json!({
        "apiVersion": K::api_version(&()),
        "kind": K::kind(&()),
        "metadata": { "name": meta.name, "uid": meta.uid, "resourceVersion": meta.resource_version },
        "status": status,
    });
    let params = PatchParams::apply(manager).force();
    match call(api.patch_status(&object.name_any(), &params, &Patch::Apply(&patch))).await {
        Ok(written) => Ok(Patched::Written(Box::new(written))),
        Err(error) if error.is_conflict() => Ok(Patched::Stale),
        Err(error) if error.is_not_found() => Ok(Patched::Gone),
        Err(error) => Err(error),
    }
}
