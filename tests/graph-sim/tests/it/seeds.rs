//! Seeds: what is refused, what comes back.

use graph_sim::{Sim, parse_seed};
use serde_json::{Value, json};

use crate::support::{APP, Bench, TOKEN, WABA, estate};

async fn refusal(seed: Value) -> String {
    Sim::start(seed).await.unwrap_err().to_string()
}

#[tokio::test]
async fn wrong_seeds_are_refused_by_name() {
    let with = |kind: &str, item: Value| {
        let mut seed = estate();
        seed[kind].as_array_mut().unwrap().push(item);
        seed
    };
    for (seed, expected) in [
        (json!([]), "seed: an object is expected"),
        (json!({"app": []}), "seed: unknown field app"),
        (json!({"apps": {}}), "seed.apps: a list is expected"),
        (with("apps", json!({"id": "9", "name": "x"})), "apps[2]: field secret is missing"),
        (
            with("numbers", json!({"account": WABA, "display_phone_number": "+1", "stat": "X"})),
            "numbers[3]: unknown field stat",
        ),
        (
            with("numbers", json!({"account": "7", "display_phone_number": "+1"})),
            "numbers[3].account: accounts has no 7",
        ),
        (with("tokens", json!({"name": "t", "token": "x", "app": "7"})), "tokens[3].app: apps has no 7"),
        (
            with("tokens", json!({"name": "t", "token": "x", "app": APP, "accounts": ["7"]})),
            "tokens[3].accounts: accounts has no 7",
        ),
        (with("tokens", json!({"token": "x", "app": APP})), "tokens[3]: field name is missing"),
        (with("tokens", json!({"name": "good", "token": "x", "app": APP})), "tokens[3]: name good exists already"),
        (
            with("tokens", json!({"name": "t", "token": TOKEN, "app": APP})),
            "tokens[3].token: empty, or the value of another token",
        ),
        (
            with("tokens", json!({"name": "t", "token": "x", "app": APP, "exchange": "maybe"})),
            "tokens[3].exchange: one of new, same",
        ),
        (
            with("tokens", json!({"name": "t", "token": "x", "app": APP, "expires_at": "soon"})),
            "tokens[3].expires_at: unix seconds",
        ),
        (with("accounts", json!({"id": WABA})), "accounts[2]: id 300 exists already"),
        (with("accounts", json!({"id": "9", "business": "7"})), "accounts[2].business: businesses has no 7"),
        (with("accounts", json!({"id": "9", "name": 5})), "accounts[2].name: text is expected"),
        (
            with("accounts", json!({"id": "9", "subscribed_apps": [{"app": "7"}]})),
            "accounts[2].subscribed_apps: apps has no 7",
        ),
        (
            with("templates", json!({"account": WABA, "name": "hello_world", "language": "en_US"})),
            "templates[2]: its account has",
        ),
    ] {
        let text = refusal(seed).await;
        assert!(text.starts_with(expected), "{text:?} instead of {expected:?}");
    }
}

#[tokio::test]
async fn a_seed_that_fails_leaves_the_world_as_it_was() {
    let bench = Bench::new().await;
    let before = bench.control.get("state").await.unwrap()["apps"].clone();
    let wrong = json!({"apps": [], "numbers": [{"account": "7", "display_phone_number": "+1"}]});
    assert!(bench.control.put("state", wrong.clone()).await.is_err());
    assert!(bench.control.post("reset", json!({"seed": wrong})).await.is_err());
    assert_eq!(bench.control.get("state").await.unwrap()["apps"], before);
}

#[tokio::test]
async fn the_state_is_a_seed_that_brings_everything_back() {
    let bench = Bench::new().await;
    bench.control.patch("accounts/300", json!({"rate_limit": 2})).await.unwrap();
    bench
        .control
        .patch("numbers/502", json!({"pin": "000042", "health_status": {"can_send_message": "LIMITED"}}))
        .await
        .unwrap();
    bench.get(&format!("/v25.0/{WABA}")).await;
    let saved = bench.control.get("state").await.unwrap();
    bench.control.delete("accounts/300").await.unwrap();
    bench.get("/v25.0/me").await;
    bench.control.put("state", saved.clone()).await.unwrap();
    let mut back = bench.control.get("state").await.unwrap();
    assert!(back["now"].as_str() >= saved["now"].as_str());
    back["now"] = saved["now"].clone();
    assert_eq!(back, saved);
    assert_eq!(bench.get(&format!("/v25.0/{WABA}")).await.status, 200);
    assert_eq!(bench.get(&format!("/v25.0/{WABA}")).await.error().0, 80_007, "the budget came back with its calls");
}

#[tokio::test]
async fn times_may_be_relative_and_stay_where_they_are() {
    let mut seed = estate();
    seed["now"] = json!("2026-11-22T00:00:00Z");
    let bench = Bench::with(seed).await;
    let state = bench.control.get("state").await.unwrap();
    assert_eq!(state["tokens"][0]["expires_at"], 1_795_392_000, "24 h after the start");
}

#[tokio::test]
async fn a_seed_may_be_yaml() {
    let bench = Bench::with(json!({})).await;
    let yaml = "apps:\n- {id: 100, name: A, secret: s}\n";
    let url = format!("{}/_sim/reset", bench.sim.url());
    for body in [yaml.to_owned(), json!({"seed": yaml}).to_string(), format!("seed:\n  {}", yaml.replace('\n', "\n  "))]
    {
        let answer = bench.http.post(&url).body(body.clone()).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{body}");
        assert_eq!(bench.control.get("apps/100").await.unwrap()["secret"], "s");
    }
}

#[tokio::test]
async fn a_seed_may_be_json_as_meta_writes_it() {
    let bench = Bench::with(json!({})).await;
    let seed = r#"{"apps": [{"id": "100", "name": "Caf\u00e9 \ud83d\ude00", "secret": "s"}]}"#;
    assert_eq!(parse_seed(seed).unwrap()["apps"][0]["name"], "Café 😀");
    let url = format!("{}/_sim/reset", bench.sim.url());
    let answer = bench.http.post(&url).body(format!(r#"{{"seed": {seed}}}"#)).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(bench.control.get("apps/100").await.unwrap()["name"], "Café 😀");
    assert!(parse_seed(r#"{"apps": "\ud83d"}"#).is_err(), "half a pair is no text");
}

#[tokio::test]
async fn the_demo_seed_shows_every_phase_and_every_state() {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/demo-seed.yaml")).unwrap();
    let bench = Bench::with(parse_seed(&text).unwrap()).await;
    let state = bench.control.get("state").await.unwrap();
    let values = |kind: &str, field: &str, usual: &str| {
        let mut values: Vec<String> = state[kind]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| item[field].as_str().unwrap_or(usual).to_owned())
            .collect();
        values.sort_unstable();
        values.dedup();
        values
    };
    let numbers = ["BANNED", "CONNECTED", "DISCONNECTED", "FLAGGED", "MIGRATED", "PENDING", "RESTRICTED"];
    assert_eq!(values("numbers", "status", "CONNECTED"), numbers);
    let templates = [
        "APPROVED",
        "ARCHIVED",
        "DELETED",
        "DISABLED",
        "IN_APPEAL",
        "LIMIT_EXCEEDED",
        "PAUSED",
        "PENDING",
        "PENDING_DELETION",
        "REJECTED",
    ];
    assert_eq!(values("templates", "status", "APPROVED"), templates);
}
