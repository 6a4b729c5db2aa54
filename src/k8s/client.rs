//! Clients for the API server that count what they write.

use axum::http::{Method, Request};
use kube::{
    Client, Config,
    client::{Body, ClientBuilder},
};
use tower::util::MapRequestLayer;

use crate::telemetry::Metrics;

/// A client that counts its writes by resource and verb. A write that the client repeats by itself counts once.
///
/// # Errors
/// When the configuration cannot make a client (certificates, TLS).
pub fn counting(config: Config, metrics: &Metrics) -> kube::Result<Client> {
    let metrics = metrics.clone();
    let count = MapRequestLayer::new(move |request: Request<Body>| {
        if let Some((resource, verb)) = write(request.method(), request.uri().path()) {
            metrics.written(&resource, verb);
        }
        request
    });
    Ok(ClientBuilder::try_from(config)?.with_layer(&count).build())
}

/// As [`counting`], and without retries of its own: for the lease, whose renewals must not arrive late, and for every
/// write whose outcome decides about a call to Meta.
///
/// # Errors
/// When the configuration cannot make a client (certificates, TLS).
pub fn counting_without_retries(mut config: Config, metrics: &Metrics) -> kube::Result<Client> {
    config.default_retry = false;
    counting(config, metrics)
}

/// The resource (with its subresource) and the verb of a request, if it writes.
fn write(method: &Method, path: &str) -> Option<(String, &'static str)> {
    let verb = match *method {
        Method::POST => "create",
        Method::PUT => "update",
        Method::PATCH => "patch",
        Method::DELETE => "delete",
        _ => return None,
    };
    let mut parts = path.split('/').filter(|part| !part.is_empty()).peekable();
    // `api/v1` or `apis/<group>/<version>`
    let prefix = if parts.next()? == "api" { 1 } else { 2 };
    let mut parts = parts.skip(prefix).peekable();
    let first = parts.next()?;
    let namespaced = first == "namespaces" && parts.clone().nth(1).is_some();
    let resource = if namespaced { parts.nth(1)? } else { first };
    let subresource = parts.nth(1);
    Some((subresource.map_or_else(|| resource.to_owned(), |sub| format!("{resource}/{sub}")), verb))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_are_named_by_resource_and_verb() {
        for (method, path, expected) in [
            (Method::GET, "/api/v1/namespaces/a/secrets/b", None),
            (Method::POST, "/api/v1/namespaces/a/secrets", Some(("secrets", "create"))),
            (Method::PUT, "/api/v1/namespaces/a/secrets/b", Some(("secrets", "update"))),
            (
                Method::PATCH,
                "/apis/waba.dev/v1alpha1/namespaces/a/metaapps/b/status",
                Some(("metaapps/status", "patch")),
            ),
            (Method::DELETE, "/apis/waba.dev/v1alpha1/namespaces/a/metaapps/b", Some(("metaapps", "delete"))),
            (Method::POST, "/apis/events.k8s.io/v1/namespaces/a/events", Some(("events", "create"))),
            (Method::POST, "/api/v1/namespaces", Some(("namespaces", "create"))),
            (Method::DELETE, "/api/v1/namespaces/a", Some(("namespaces", "delete"))),
            (Method::POST, "/", None),
        ] {
            let expected = expected.map(|(resource, verb): (&str, &str)| (resource.to_owned(), verb));
            assert_eq!(write(&method, path), expected, "{method} {path}");
        }
    }
}
