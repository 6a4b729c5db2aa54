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
    /// The object changed, or was replaced by another of the same name, since it was read: nothing was written. Plan again
    /// when the watch catches up; never read again and force, since the plan was made from what is no longer so.
    Stale,
    /// The object is gone.
    Gone,
}

/// Writes the whole status by server-side apply, as `manager`, under the object's `resourceVersion` and `uid`.
///
/// Fields that `manager` owned and that are not in `status` any more are removed.
///
/// A write whose reply was lost counts as written if a read shows it: what goes with it, an Event, is not lost too. The
/// client itself may have repeated the write and got a conflict with its own first one.
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
    K: Resource<DynamicType = ()> + Clone + Debug + Serialize + DeserializeOwned,
{
    let meta = object.meta();
    let patch = json!({
        "apiVersion": K::api_version(&()),
        "kind": K::kind(&()),
        "metadata": { "name": meta.name, "uid": meta.uid, "resourceVersion": meta.resource_version },
        "status": status,
    });
    let params = PatchParams::apply(manager).force();
    let name = object.name_any();
    let error = match call(api.patch_status(&name, &params, &Patch::Apply(&patch))).await {
        Ok(written) => return Ok(Patched::Written(Box::new(written))),
        Err(error) if error.is_not_found() => return Ok(Patched::Gone),
        Err(error) if error.is_refusal() => return Err(error),
        Err(error) => error,
    };
    let is_ours = |there: &K| {
        let shown = serde_json::to_value(there).ok().and_then(|mut there| Some(there.get_mut("status")?.take()));
        there.meta().uid == meta.uid && shown.is_some() && shown == serde_json::to_value(status).ok()
    };
    match call(api.get(&name)).await {
        Ok(there) if is_ours(&there) => Ok(Patched::Written(Box::new(there))),
        _ if error.is_conflict() => Ok(Patched::Stale),
        _ => Err(error),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use axum::http::{Method, Request, Response, StatusCode};
    use k8s_openapi::api::core::v1::{Pod, PodStatus};
    use kube::{Client, client::Body};

    use super::*;

    fn pod(message: &str) -> Pod {
        let object =
            json!({"metadata": {"name": "a", "uid": "1", "resourceVersion": "7"}, "status": {"message": message}});
        serde_json::from_value(object).unwrap()
    }

    /// An API server whose reply to the patch is this, and that then shows this status.
    fn server(patched: u16, shown: &'static str) -> Client {
        let reply = move |request: Request<Body>| async move {
            let (code, body) = match *request.method() {
                Method::GET => (200, serde_json::to_value(pod(shown))),
                _ if patched == 200 => (200, serde_json::to_value(pod("new"))),
                _ => {
                    let reason = if patched == 409 { "Conflict" } else { "Timeout" };
                    (patched, Ok(json!({"status": "Failure", "code": patched, "reason": reason, "message": "no"})))
                }
            };
            let status = StatusCode::from_u16(code).unwrap();
            let body = Body::from(serde_json::to_vec(&body.unwrap()).unwrap());
            Ok::<_, std::convert::Infallible>(Response::builder().status(status).body(body).unwrap())
        };
        Client::new(tower::service_fn(reply), "default")
    }

    #[tokio::test]
    async fn a_status_that_a_read_shows_was_written() {
        for (reason, patched, shown, expected) in [
            ("the server confirms it", 200, "new", "Written"),
            ("its reply was lost", 504, "new", "Written"),
            ("its reply was lost, and the client repeated the write", 409, "new", "Written"),
            ("the object changed before", 409, "old", "Stale"),
            ("it was not written", 504, "old", "Err"),
            ("it was refused", 422, "new", "Err"),
        ] {
            let api = Api::<Pod>::namespaced(server(patched, shown), "default");
            let status = PodStatus { message: Some("new".to_owned()), ..PodStatus::default() };
            let result = match patch_status(&api, &pod("old"), &status, "test").await {
                Ok(Patched::Written(_)) => "Written",
                Ok(Patched::Stale) => "Stale",
                Ok(Patched::Gone) => "Gone",
                Err(_) => "Err",
            };
            assert_eq!(result, expected, "{reason}");
        }
    }
}
