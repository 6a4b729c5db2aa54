//! Mistakes in app ID, app secret and token: each is reported with what to do, and the app recovers once it is
//! corrected.

use serde_json::json;
use waba_operator::{
    api::{MetaApp, WhatsAppNumber},
    k8s::conditions::STALLED,
};

use crate::harness::{
    manifests::{CREDENTIALS, INO, app, importing, number},
    seed::{self, ACCOUNT, ACCOUNT_2, NUMBER_OBJECT, OTHER_APP},
    world::{World, condition},
};

#[tokio::test]
async fn a_wrong_app_secret_and_a_wrong_app_id_have_different_reasons() {
    let mut world = World::running("wrong-secret", seed::small()).await;
    let (right, wrong) = (world.app_secret(seed::APP).await, world.track_secret(seed::secret("")));
    world.put_secret(CREDENTIALS, &[("app-secret", &wrong), ("access-token", &world.token("main").await)]).await;
    world.create(&app(INO, json!({}))).await;
    world.create(&number("support", "+33612345678", json!({}))).await;
    world.create(&app("unknown", json!({"appID": "5555555555"}))).await;

    let found = world.until_phase::<MetaApp>(INO, "CredentialsInvalid", "False/WrongAppSecret").await;
    let (state, message) = condition(&found, "CredentialsValid").unwrap();
    assert_eq!(state, "False/WrongAppSecret");
    assert!(message.contains("key app-secret of Secret ino-cx-meta"), "{message}");
    assert!(condition(&found, STALLED).is_some());
    world.until_phase::<WhatsAppNumber>("support", "Pending", "Unknown/AppNotReady").await;
    world.until_phase::<MetaApp>("unknown", "CredentialsInvalid", "False/WrongAppID").await;
    assert!(world.secrets().get_opt("ino-cx-token").await.unwrap().is_none(), "nothing is kept that was not tested");

    world.put_secret(CREDENTIALS, &[("app-secret", &right), ("access-token", &world.token("main").await)]).await;
    world.until_phase::<MetaApp>(INO, "Connected", "True/Connected").await;
    world.until_phase::<WhatsAppNumber>("support", "Enabled", "True/Enabled").await;
    world.finish().await;
}

#[tokio::test]
async fn an_unusable_credentials_secret_is_reported_until_it_is_corrected() {
    let world = World::running("bad-secret", seed::small()).await;
    let (secret, token) = (world.app_secret(seed::APP).await, world.token("main").await);
    world.secrets().delete(CREDENTIALS, &kube::api::DeleteParams::default()).await.unwrap();
    world.create(&app(INO, json!({}))).await;
    let message = world.until_condition::<MetaApp>(INO, "Ready", "False/SecretNotFound").await;
    assert!(message.contains("create it with the keys app-secret and access-token"), "{message}");
    for (values, ready, words) in [
        (vec![("other", "x")], "False/SecretKeyNotFound", "has neither the key app-secret nor the key access-token"),
        (vec![("app-secret", "")], "False/SecretValueInvalid", "has nothing under the key app-secret"),
        (vec![("app-secret", " \n")], "False/SecretValueInvalid", "has nothing under the key app-secret"),
        (vec![("app-secret", "two\nlines")], "False/SecretValueInvalid", "needs a single line of UTF-8 text"),
        (vec![("app-secret", &secret)], "False/SecretKeyNotFound", "has no key access-token"),
        (vec![("app-secret", &secret), ("access-token", "\n")], "False/SecretValueInvalid", "key access-token"),
    ] {
        world.put_secret(CREDENTIALS, &values).await;
        let message = world.until_condition::<MetaApp>(INO, "Ready", ready).await;
        world.until::<MetaApp>(INO, words, |app| condition(app, "Ready").is_some_and(|(_, m)| m.contains(words))).await;
        assert!(message.contains(CREDENTIALS), "{message}");
    }
    // A common mistake: `echo` adds a newline.
    let (secret, token) = (format!("{secret}\n"), format!("{token}\r\n"));
    world.put_secret(CREDENTIALS, &[("app-secret", &secret), ("access-token", &token)]).await;
    world.until_phase::<MetaApp>(INO, "Connected", "True/Connected").await;
    assert_eq!(world.secret_value("ino-cx-token", "live").await.unwrap(), token.trim());
    world.finish().await;
}

#[tokio::test]
async fn a_credential_that_is_not_text_is_reported() {
    let world = World::running("binary", seed::small()).await;
    let binary = json!({"data": {"app-secret": "//79/A=="}});
    let params = kube::api::PatchParams::default();
    world.secrets().patch(CREDENTIALS, &params, &kube::api::Patch::Merge(&binary)).await.unwrap();
    world.create(&app(INO, json!({}))).await;
    let message = world.until_condition::<MetaApp>(INO, "Ready", "False/SecretValueInvalid").await;
    assert!(message.contains("needs a single line of UTF-8 text"), "{message}");
    world.finish().await;
}

#[tokio::test]
async fn a_foreign_secret_under_the_token_secrets_name_is_left_alone() {
    let world = World::running("name-taken", seed::small()).await;
    world.put_secret("ino-cx-token", &[("live", "somebody-else's")]).await;
    let theirs = world.secrets().get("ino-cx-token").await.unwrap();
    world.create(&app(INO, json!({}))).await;
    let message = world.until_condition::<MetaApp>(INO, "Ready", "False/SecretNameTaken").await;
    assert!(message.contains("/ino-cx-token exists and is not the operator's"), "{message}");
    world.until_condition::<MetaApp>(INO, STALLED, "True/SecretNameTaken").await;
    assert_eq!(world.secrets().get("ino-cx-token").await.unwrap(), theirs);

    world.secrets().delete("ino-cx-token", &kube::api::DeleteParams::default()).await.unwrap();
    world.until_phase::<MetaApp>(INO, "Connected", "True/Connected").await;
    world.finish().await;
}

#[tokio::test]
async fn a_token_of_another_app_is_reported() {
    let mut seed = seed::small();
    seed::push(&mut seed, "tokens", seed::token("foreign", OTHER_APP, &[ACCOUNT]));
    let world = World::running("foreign-token", seed).await;
    world.set_token(&world.token("foreign").await).await;
    world.create(&app(INO, json!({}))).await;
    let message = world.until_condition::<MetaApp>(INO, "TokenValid", "False/TokenOfAnotherApp").await;
    assert!(message.contains("another app") && message.contains("key access-token"), "{message}");
    world.set_token(&world.token("main").await).await;
    world.until_phase::<MetaApp>(INO, "Connected", "True/Connected").await;
    world.finish().await;
}

#[tokio::test]
async fn an_account_that_the_token_cannot_read_is_reported_and_the_others_work() {
    let mut seed = seed::two_accounts();
    seed["tokens"][0]["accounts"] = json!([ACCOUNT]);
    let world = World::running("no-rights", seed).await;
    world.create(&app(INO, json!({"businessAccountIDs": [ACCOUNT, ACCOUNT_2]}))).await;
    world.create(&number("support", "+33612345678", json!({}))).await;
    world.create(&number("sales", "+33184882020", json!({"businessAccountID": ACCOUNT_2}))).await;
    world.until_phase::<WhatsAppNumber>("support", "Enabled", "True/Enabled").await;
    world.until_phase::<MetaApp>(INO, "Connected", "False/AccountNotReadable").await;
    let message = world.until_condition::<MetaApp>(INO, "AccountsSynced", "False/AccountNotReadable").await;
    assert!(message.contains(ACCOUNT_2) && !message.contains(&format!("{ACCOUNT}:")), "{message}");

    world.sim.patch("tokens/main", json!({"accounts": [ACCOUNT, ACCOUNT_2]})).await.unwrap();
    world.until_phase::<MetaApp>(INO, "Connected", "True/Connected").await;
    world.until_phase::<WhatsAppNumber>("sales", "Enabled", "True/Enabled").await;
    world.finish().await;
}

#[tokio::test]
async fn the_id_of_a_portfolio_is_named_as_such() {
    let mut seed = seed::small();
    seed["businesses"] = json!([{"id": "800", "name": "INO"}]);
    seed["accounts"][0]["business"] = json!("800");
    seed["tokens"][0]["scopes"].as_array_mut().unwrap().push(json!("business_management"));
    let world = World::running("portfolio", seed).await;
    world.create(&app(INO, json!({"businessAccountIDs": [ACCOUNT, "800"]}))).await;
    let message = world.until_condition::<MetaApp>(INO, "AccountsSynced", "False/AccountNotReadable").await;
    assert!(message.contains("800: the ID is that of a business portfolio"), "{message}");
    assert!(message.contains("WhatsApp accounts") && !message.contains("Assign"), "{message}");
    world.finish().await;
}

#[tokio::test]
async fn a_field_that_meta_does_not_have_hides_no_account() {
    let world = World::running("refused-field", seed::small()).await;
    world.create(&app(INO, json!({}))).await;
    world.create(&number("support", "+33612345678", json!({}))).await;
    let error = |field: &str| {
        let message =
            format!("(#100) Tried accessing nonexisting field ({field}) on node type (WhatsAppBusinessPhoneNumber)");
        json!({"status": 400, "body": {"error": {"code": 100, "type": "OAuthException", "message": message}}})
    };
    world.until_phase::<WhatsAppNumber>("support", "Enabled", "True/Enabled").await;
    let path = format!("/{ACCOUNT}$");
    world.inject_fault(json!({"path": path, "times": 1, "before": error("last_onboarded_time")})).await;
    world
        .until::<MetaApp>(INO, "the field is named", |app| {
            condition(app, "AccountsSynced").is_some_and(|(synced, message)| {
                synced == "True/Synced" && message.contains(&format!("{ACCOUNT}: last_onboarded_time of numbers"))
            })
        })
        .await;
    // One that is needed.
    world.inject_fault(json!({"path": path, "before": error("status")})).await;
    let message = world.until_condition::<MetaApp>(INO, "AccountsSynced", "False/AccountNotReadable").await;
    assert!(message.contains(": status (") && message.contains("spec.graphVersion"), "{message}");
    assert!(!message.contains("ssign"), "{message}");
    world.finish().await;
}

#[tokio::test]
async fn a_token_without_any_account_is_reported() {
    let mut seed = seed::small();
    seed["tokens"][0]["accounts"] = json!([]);
    let world = World::running("no-accounts", seed).await;
    world.create(&importing()).await;
    let message = world.until_condition::<MetaApp>(INO, "AccountsSynced", "False/NoAccounts").await;
    assert!(message.contains("system user"), "{message}");
    world.sim.patch("tokens/main", json!({"accounts": [ACCOUNT]})).await.unwrap();
    world.until_phase::<MetaApp>(INO, "Connected", "True/Connected").await;
    world.until_phase::<WhatsAppNumber>(NUMBER_OBJECT, "Enabled", "True/Enabled").await;
    world.finish().await;
}

#[tokio::test]
async fn a_token_without_listed_accounts_finds_all_of_them() {
    let mut seed = seed::two_accounts();
    // Meta lists no target IDs for such a token.
    seed["tokens"][0].as_object_mut().unwrap().remove("accounts");
    let world = World::running("all-accounts", seed).await;
    world.create(&importing()).await;
    world.until_phase::<WhatsAppNumber>("number-33184882020", "Enabled", "True/Enabled").await;
    let found = world.until_phase::<MetaApp>(INO, "Connected", "True/Connected").await;
    assert_eq!(found.status.unwrap().business_accounts.len(), 2);
    world.settle().await;
    world.finish().await;
}
