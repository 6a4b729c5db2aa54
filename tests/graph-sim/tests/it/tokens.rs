//! Apps, tokens and proofs.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{APP, APP_TOKEN, Bench, FOREIGN_WABA, Reply, SECRET, TOKEN, WABA, estate, proof};

async fn credentials(bench: &Bench, id: &str, secret: &str) -> Reply {
    bench
        .bare(&format!("/oauth/access_token?grant_type=client_credentials&client_id={id}&client_secret={secret}"))
        .await
}

#[tokio::test]
async fn a_wrong_app_id_and_a_wrong_secret_are_told_apart() {
    let bench = Bench::new().await;
    let wrong_id = credentials(&bench, "123", SECRET).await;
    assert_eq!((wrong_id.status, wrong_id.error()), (400, (101, 0)));
    let wrong_secret = credentials(&bench, APP, "wrong").await;
    assert_eq!((wrong_secret.status, wrong_secret.error()), (400, (1, 0)));
    let right = credentials(&bench, APP, SECRET).await;
    assert_eq!((right.status, &right.body["token_type"]), (200, &json!("bearer")));
    let token = right.body["access_token"].as_str().unwrap();
    assert_eq!(bench.get_as(token, &format!("/v25.0/{APP}?fields=id,name")).await.body["name"], "Ours");
}

#[tokio::test]
async fn credentials_are_taken_from_a_form_too() {
    let bench = Bench::new().await;
    let form = [("grant_type", "client_credentials"), ("client_id", APP), ("client_secret", SECRET)];
    let reply = Bench::read(bench.request(Method::POST, "/v25.0/oauth/access_token").form(&form)).await;
    assert_eq!(reply.status, 200);
}

#[tokio::test]
async fn an_app_token_with_a_wrong_secret_is_190_and_a_bad_request() {
    let bench = Bench::new().await;
    let reply = bench.get_as("100|wrong", &format!("/v25.0/{APP}?fields=id,name")).await;
    assert_eq!((reply.status, reply.error()), (400, (190, 0)));
    assert_eq!(reply.body["error"]["message"], "Invalid OAuth access token signature.");
}

#[tokio::test]
async fn the_app_secret_is_never_readable() {
    let bench = Bench::new().await;
    let reply = bench.get_as(APP_TOKEN, &format!("/v25.0/{APP}?fields=secret")).await;
    assert_eq!(reply.error(), (100, 0));
    let state = bench.control.get("state").await.unwrap();
    assert_eq!(state["apps"][0]["secret"], SECRET, "the control side shows it");
}

#[tokio::test]
async fn calls_without_a_token_are_refused() {
    let bench = Bench::new().await;
    assert_eq!(bench.bare("/v25.0/me").await.error(), (2500, 0));
    assert_eq!(bench.bare(&format!("/v25.0/{WABA}")).await.error(), (104, 0));
}

#[tokio::test]
async fn a_token_is_taken_as_a_header_and_as_a_parameter() {
    let bench = Bench::new().await;
    assert_eq!(bench.get(&format!("/v25.0/{WABA}")).await.status, 200);
    assert_eq!(bench.bare(&format!("/v25.0/{WABA}?access_token={TOKEN}")).await.status, 200);
}

#[tokio::test]
async fn a_dead_token_is_401_on_whatsapp_objects_and_400_elsewhere() {
    let bench = Bench::new().await;
    bench.control.advance(2 * 86_400).await.unwrap();
    let reply = bench.get(&format!("/v25.0/{WABA}")).await;
    assert_eq!((reply.status, reply.error()), (401, (190, 463)));
    let reply = bench.get("/v25.0/me").await;
    assert_eq!((reply.status, reply.error()), (400, (190, 463)));
}

#[tokio::test]
async fn a_revoked_token_says_why() {
    let bench = Bench::new().await;
    bench.control.patch("tokens/good", json!({"is_valid": false, "invalid_subcode": 458})).await.unwrap();
    assert_eq!(bench.get(&format!("/v25.0/{WABA}")).await.error(), (190, 458));
}

#[tokio::test]
async fn proofs_are_checked_when_sent_and_demanded_where_the_app_does() {
    let bench = Bench::new().await;
    let path = |proof: &str| format!("/v25.0/{WABA}?appsecret_proof={proof}");
    assert_eq!(bench.get(&path(&proof(SECRET, TOKEN))).await.status, 200);
    let wrong = bench.get(&path(&proof("other-secret", TOKEN))).await;
    assert_eq!((wrong.status, wrong.error()), (400, (100, 0)));
    assert_eq!(wrong.body["error"]["type"], "GraphMethodException");
    assert_eq!(
        bench.get_as("EAAforeign", &path(&proof(SECRET, "EAAforeign"))).await.error(),
        (100, 0),
        "of another app"
    );
    bench.control.patch("apps/100", json!({"require_app_secret": true})).await.unwrap();
    assert_eq!(bench.get(&format!("/v25.0/{WABA}")).await.error(), (100, 0));
    assert_eq!(bench.get(&path(&proof(SECRET, TOKEN))).await.status, 200);
}

#[tokio::test]
async fn a_token_without_the_scope_is_200_and_without_the_account_100_33() {
    let bench = Bench::new().await;
    let reply = bench.get_as("EAAbare", &format!("/v25.0/{WABA}")).await;
    assert_eq!((reply.status, reply.error()), (403, (200, 0)));
    assert_eq!(bench.get_as("EAAbare", &format!("/v25.0/{FOREIGN_WABA}")).await.error(), (100, 33));
    assert_eq!(bench.get_as(APP_TOKEN, &format!("/v25.0/{WABA}")).await.error(), (100, 33), "an app is not a user");
}

#[tokio::test]
async fn a_token_of_embedded_signup_works_without_the_usual_scope() {
    let bench = Bench::new().await;
    let scopes = json!({"scopes": ["whatsapp_business_manage_events", "whatsapp_business_messaging"]});
    bench.control.patch("tokens/good", scopes).await.unwrap();
    assert_eq!(bench.get(&format!("/v25.0/{WABA}/phone_numbers?limit=1")).await.status, 200);
}

async fn inspect(bench: &Bench, input: &str, inspecting: &str) -> Reply {
    bench.get_as(inspecting, &format!("/v25.0/debug_token?input_token={input}")).await
}

#[tokio::test]
async fn debug_token_tells_a_dead_token_from_a_bad_inspector() {
    let bench = Bench::new().await;
    let alive = inspect(&bench, TOKEN, APP_TOKEN).await.body;
    let data = &alive["data"];
    assert_eq!((&data["app_id"], &data["type"], &data["is_valid"]), (&json!(APP), &json!("SYSTEM_USER"), &json!(true)));
    assert_eq!(data["granular_scopes"][0]["target_ids"], json!([WABA]));
    bench.control.advance(2 * 86_400).await.unwrap();
    let dead = inspect(&bench, TOKEN, APP_TOKEN).await;
    assert_eq!((dead.status, &dead.body["data"]["is_valid"]), (200, &json!(false)));
    assert_eq!(
        (&dead.body["data"]["error"]["code"], &dead.body["data"]["error"]["subcode"]),
        (&json!(190), &json!(463))
    );
    let unknown = inspect(&bench, "EAAnobody", APP_TOKEN).await;
    assert_eq!((unknown.status, &unknown.body["data"]["is_valid"]), (200, &json!(false)));
    assert_eq!(inspect(&bench, TOKEN, "100|wrong").await.error(), (190, 0), "the inspector's secret is wrong");
    assert_eq!(inspect(&bench, TOKEN, "199|other-secret").await.error(), (100, 0), "the inspector is another app");
    assert_eq!(bench.get_as(APP_TOKEN, "/v25.0/debug_token").await.error(), (100, 0), "nothing to inspect");
}

#[tokio::test]
async fn a_never_expiring_token_for_everything_says_so_with_zero_and_silence() {
    let mut seed = estate();
    seed["tokens"][0].as_object_mut().unwrap().retain(|key, _| !["accounts", "expires_at"].contains(&key.as_str()));
    let bench = Bench::with(seed).await;
    let data = inspect(&bench, TOKEN, APP_TOKEN).await.body["data"].clone();
    assert_eq!(data["expires_at"], 0);
    assert_eq!(data["granular_scopes"][0].get("target_ids"), None, "absent means all");
    assert_eq!(bench.get(&format!("/v25.0/{FOREIGN_WABA}")).await.status, 200);
}

#[tokio::test]
async fn the_order_of_target_ids_means_nothing() {
    let mut seed = estate();
    seed["tokens"][0]["accounts"] = json!([WABA, FOREIGN_WABA]);
    let bench = Bench::with(seed).await;
    let first = inspect(&bench, TOKEN, APP_TOKEN).await.body["data"]["granular_scopes"][0]["target_ids"][0].clone();
    let second = inspect(&bench, TOKEN, APP_TOKEN).await.body["data"]["granular_scopes"][0]["target_ids"][0].clone();
    assert_ne!(first, second);
}

#[tokio::test]
async fn me_knows_its_permissions_and_accounts() {
    let bench = Bench::new().await;
    let permissions = bench.get("/v25.0/me/permissions").await.body;
    assert_eq!(permissions["data"][0], json!({"permission": "whatsapp_business_management", "status": "granted"}));
    for user in ["me", "401"] {
        let reply = bench.get(&format!("/v25.0/{user}/assigned_whatsapp_business_accounts")).await;
        assert_eq!(reply.ids(), [WABA], "{user}");
    }
    assert_eq!(bench.get("/v25.0/me").await.body, json!({"id": "401", "name": "good"}));
    assert_eq!(bench.get_as("EAAbare", "/v25.0/401/permissions").await.error(), (100, 33), "somebody else");
    assert_eq!(bench.get_as(APP_TOKEN, "/v25.0/me").await.error(), (2500, 0), "an app is not a user");
}

#[tokio::test]
async fn a_business_lists_its_accounts_to_who_may_manage_it() {
    let bench = Bench::new().await;
    let path = "/v25.0/200/owned_whatsapp_business_accounts?fields=id,phone_numbers.limit(1){id}";
    assert_eq!(bench.get(path).await.error(), (100, 33));
    let scopes = json!({"scopes": ["whatsapp_business_management", "business_management"]});
    bench.control.patch("tokens/good", scopes).await.unwrap();
    let reply = bench.get(path).await;
    assert_eq!(reply.ids(), [WABA]);
    assert_eq!(reply.body["data"][0]["phone_numbers"]["data"][0]["id"], "501");
}

async fn exchange(bench: &Bench, token: &str, more: &str) -> Reply {
    let query =
        format!("grant_type=fb_exchange_token&client_id={APP}&client_secret={SECRET}&fb_exchange_token={token}{more}");
    bench.bare(&format!("/v25.0/oauth/access_token?{query}")).await
}

const SIXTY_DAYS: &str = "&set_token_expires_in_60_days=true";

async fn expiry(bench: &Bench, token: &str) -> i64 {
    inspect(bench, token, APP_TOKEN).await.body["data"]["expires_at"].as_i64().unwrap()
}

#[tokio::test]
async fn an_exchange_makes_a_new_token_and_leaves_the_old_one_alone() {
    let bench = Bench::new().await;
    let reply = exchange(&bench, TOKEN, SIXTY_DAYS).await;
    let fresh = reply.body["access_token"].as_str().unwrap().to_owned();
    assert_ne!(fresh, TOKEN);
    assert_eq!(reply.body["expires_in"], 5_183_944);
    assert!(expiry(&bench, &fresh).await > expiry(&bench, TOKEN).await);
    for token in [TOKEN, &fresh] {
        assert_eq!(bench.get_as(token, &format!("/v25.0/{WABA}")).await.status, 200);
    }
    let effects: Vec<Value> = bench.control.calls(0).await.unwrap().iter().map(|call| call["effect"].clone()).collect();
    assert_eq!(effects[0], "token good exchanged for good-2");
    assert!(effects[1..].iter().all(Value::is_null), "reads change nothing");
}

#[tokio::test]
async fn an_exchange_can_disappoint_in_three_ways() {
    let bench = Bench::new().await;
    let before = expiry(&bench, TOKEN).await;
    let set = async |how: &str| bench.control.patch("tokens/good", json!({"exchange": how})).await.unwrap();
    set("same").await;
    assert_eq!(exchange(&bench, TOKEN, SIXTY_DAYS).await.body["access_token"], TOKEN);
    set("no_later_expiry").await;
    let other = exchange(&bench, TOKEN, SIXTY_DAYS).await.body["access_token"].as_str().unwrap().to_owned();
    assert_ne!(other, TOKEN);
    assert_eq!(expiry(&bench, &other).await, before);
    set("refused").await;
    let refused = exchange(&bench, TOKEN, SIXTY_DAYS).await;
    assert_eq!((refused.status, refused.error()), (403, (10, 0)));
}

#[tokio::test]
async fn what_cannot_be_exchanged() {
    let bench = Bench::new().await;
    assert_eq!(exchange(&bench, TOKEN, "").await.body["access_token"], TOKEN, "without the flag nothing is new");
    assert_eq!(exchange(&bench, "EAAforeign", SIXTY_DAYS).await.error(), (190, 0), "another app's");
    assert_eq!(exchange(&bench, "EAAnobody", SIXTY_DAYS).await.error(), (190, 0));
    assert_eq!(exchange(&bench, APP_TOKEN, SIXTY_DAYS).await.error(), (100, 0));
    bench.control.advance(2 * 86_400).await.unwrap();
    assert_eq!(exchange(&bench, TOKEN, SIXTY_DAYS).await.error(), (190, 463), "expired");
}
