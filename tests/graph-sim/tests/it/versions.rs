//! Versions, paths, methods and parameters that Meta does not have.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Bench, NUMBER, TOKEN, WABA};

#[tokio::test]
async fn each_version_by_its_dates() {
    let bench =
        Bench::with(json!({"now": "2026-11-22T12:00:00Z", "apps": [{"id": "100", "name": "A", "secret": "s"}]})).await;
    let served = async |path: &str| {
        let reply = bench.get_as("100|s", path).await;
        (reply.status, reply.header("facebook-api-version").to_owned(), reply.error().0)
    };
    assert_eq!(served("/v25.0/100").await, (200, "v25.0".into(), 0), "live");
    assert_eq!(served("/v20.0/100").await, (200, "v21.0".into(), 0), "dead: the oldest live one serves it");
    assert_eq!(served("/100").await, (200, "v21.0".into(), 0), "unversioned");
    assert_eq!(bench.rules().await, ["dead-version"], "unversioned calls ask for no version that has ended");
    for newest in ["v26.0", "v27.0"] {
        assert_eq!(served(&format!("/{newest}/100")).await, (200, newest.into(), 0));
    }
    assert_eq!(served("/v28.0/100").await, (400, String::new(), 2500), "not there yet");
    assert_eq!(served("/v25.3/100").await, (400, String::new(), 2500), "never was");
    bench.control.post("clock", json!({"set": "2027-02-01T00:00:00Z"})).await.unwrap();
    assert_eq!(served("/v21.0/100").await, (200, "v22.0".into(), 0), "v21 has ended meanwhile");
    assert_eq!(bench.rules().await, ["dead-version"; 2]);
}

#[tokio::test]
async fn removed_features_are_refused_or_ignored_and_always_noted() {
    let bench = Bench::new().await;
    let ids = bench.get(&format!("/v25.0/?ids={WABA},{NUMBER}")).await;
    assert_eq!((ids.status, ids.error()), (500, (100, 0)));
    assert_eq!(bench.get(&format!("/v25.0/{WABA}?date_format=U")).await.error(), (100, 0));
    let etag =
        bench.request(Method::GET, &format!("/v25.0/{WABA}")).bearer_auth(TOKEN).header("if-none-match", "\"x\"");
    assert_eq!(Bench::read(etag).await.status, 200, "never 304");
    assert_eq!(bench.rules().await, ["removed-feature"; 3]);
    let quiet = bench.get(&format!("/v25.0/{WABA}?pretty=1&debug=all&metadata=1")).await;
    assert_eq!(quiet.body.get("metadata"), None);
}

#[tokio::test]
async fn the_six_legacy_request_forms_are_refused_everywhere_and_named() {
    let bench = Bench::new().await;
    let account = format!("/v26.0/{WABA}");
    let get = |query: &str| bench.request(Method::GET, &format!("{account}?{query}"));
    let post = |path: &str, body: Value| bench.request(Method::POST, path).json(&body);
    let form = "--x\r\nContent-Disposition: form-data; name=\"batch\"\r\n\r\n[]\r\n--x--\r\n";
    let multipart =
        bench.request(Method::POST, "/").header("content-type", "multipart/form-data; boundary=x").body(form);
    for (request, name) in [
        (get("ids=300,301"), "ids"),
        (get("date_format=U"), "date_format"),
        (get("method=delete"), "method override"),
        (post(&format!("{account}/subscribed_apps"), json!({"method": "DELETE"})), "method override"),
        (get("callback=show"), "JSONP callback"),
        (get("fields=id,name.as(title)"), "field alias"),
        (get("fields=phone_numbers.limit(1){id,verified_name.as (title)}"), "field alias"),
        (post("/v26.0/", json!({"batch": [{"method": "GET", "relative_url": "me"}]})), "batch"),
        (multipart, "batch"),
    ] {
        let reply = Bench::read(request.bearer_auth(TOKEN)).await;
        assert_eq!((reply.status, reply.error()), (400, (100, 0)), "{name}");
        let violation = bench.control.violations().await.unwrap().pop().unwrap();
        assert_eq!(violation["rule"], "removed-feature");
        assert!(violation["detail"].as_str().unwrap().starts_with(&format!("{name} on ")), "{violation}");
    }
    assert_eq!(bench.rules().await.len(), 9);
    assert!(bench.control.calls(0).await.unwrap().iter().all(|call| call["effect"].is_null()));
}

#[tokio::test]
async fn unknown_paths_methods_and_parameters_are_refused() {
    let bench = Bench::new().await;
    assert_eq!(bench.get(&format!("/v25.0/{WABA}/phone_numbers/extra")).await.error(), (2500, 0));
    assert_eq!(bench.get("/v25.0/oauth/nonsense").await.error(), (100, 33));
    assert_eq!(bench.get("/v25.0").await.error(), (100, 33));
    assert_eq!(bench.get(&format!("/v25.0/{WABA}?colour=red")).await.error(), (100, 0));
    assert_eq!(bench.get("/v25.0/me/permissions?colour=red").await.error(), (100, 0));
    for method in [Method::PUT, Method::PATCH] {
        let reply = Bench::read(bench.request(method, &format!("/v25.0/{WABA}")).bearer_auth(TOKEN)).await;
        assert_eq!((reply.status, reply.error()), (400, (100, 0)));
    }
}

#[tokio::test]
async fn changes_that_are_not_modelled_are_refused_and_logged() {
    let bench = Bench::new().await;
    for (method, path) in [
        (Method::POST, format!("/v25.0/{NUMBER}/messages")),
        (Method::POST, format!("/v25.0/{WABA}/message_templates")),
        (Method::DELETE, format!("/v25.0/{WABA}/message_templates")),
        (Method::DELETE, format!("/v25.0/{NUMBER}")),
    ] {
        let request = bench.request(method.clone(), &path).bearer_auth(TOKEN).json(&json!({"pin": "123456"}));
        let reply = Bench::read(request).await;
        assert_eq!((reply.status, reply.error()), (400, (100, 33)), "{path}");
        let verb = method.as_str().to_lowercase();
        assert!(reply.body["error"]["message"].as_str().unwrap().starts_with(&format!("Unsupported {verb} request.")));
    }
    let calls = bench.control.calls(0).await.unwrap();
    assert_eq!(calls.len(), 4);
    assert!(calls.iter().all(|call| call["effect"].is_null() && call["code"] == 100));
}

#[tokio::test]
async fn every_refusal_has_a_trace_of_its_own() {
    let bench = Bench::new().await;
    let trace = async || bench.get("/v25.0/1").await.body["error"]["fbtrace_id"].clone();
    let (first, second) = (trace().await, trace().await);
    assert!(first.as_str().unwrap().len() > 20);
    assert_ne!(first, second);
}
