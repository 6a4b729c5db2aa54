//! Apps and tokens.

use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use waba_operator::graph::types::{AccountScope, Expiry, TokenKind};
use waba_operator::graph::{Access, Class, CredentialsError, Outcome, Priority, Want};

use crate::support::{
    APP, OTHER_APP, OTHER_SECRET, SECOND_WABA, TOKEN, VERSION, WABA, World, access, access_with, app, credentials,
    estate, estate_with,
};

#[tokio::test]
async fn good_credentials_cost_one_call() {
    let world = World::start(estate(0, 0)).await;
    let found = world.client.test_credentials(&app(), VERSION).await.unwrap();
    assert_eq!((&*found.id, found.name.as_deref()), (APP, Some("INO cx WA")));
    assert_eq!(world.paths().await, [APP]);
}

#[tokio::test]
async fn a_wrong_app_id_and_a_wrong_secret_have_different_errors() {
    let world = World::start(estate(0, 0)).await;
    let secret = world.client.test_credentials(&credentials(APP, "wrong"), VERSION).await;
    assert!(matches!(secret, Err(CredentialsError::WrongSecret)), "{secret:?}");
    let id = world.client.test_credentials(&credentials("42", crate::support::SECRET), VERSION).await;
    assert!(matches!(id, Err(CredentialsError::WrongAppId)), "{id:?}");
    let other = world.client.test_credentials(&credentials(OTHER_APP, crate::support::SECRET), VERSION).await;
    assert!(matches!(other, Err(CredentialsError::WrongSecret)), "another app's secret: {other:?}");
}

#[tokio::test]
async fn an_outage_says_nothing_about_credentials() {
    let world = World::start(estate(0, 0)).await;
    world.fault(json!({"path": "/", "before": {"html": true}})).await;
    let Err(CredentialsError::Untested(error)) = world.client.test_credentials(&app(), VERSION).await else {
        panic!("tested")
    };
    assert_eq!(error.class(), Class::Transient);
    world.control.delete("faults").await.unwrap();
    // The first call is refused, and the one that would find the reason fails.
    world.fault(json!({"path": "/oauth", "before": {"status": 500, "empty": true}})).await;
    let untested = world.client.test_credentials(&credentials(APP, "wrong"), VERSION).await;
    assert!(matches!(untested, Err(CredentialsError::Untested(_))), "{untested:?}");
}

#[tokio::test]
async fn an_invalid_app_id_never_changes_the_path() {
    let world = World::start(estate(0, 0)).await;
    let result = world.client.test_credentials(&credentials("me/accounts?x=", "wrong"), VERSION).await;
    assert!(matches!(result, Err(CredentialsError::WrongAppId)), "{result:?}");
    assert_eq!(world.calls().await[0]["path"], "/v25.0/me%2Faccounts%3Fx=");
}

async fn inspect(
    world: &World,
    token: &str,
) -> Result<waba_operator::graph::types::TokenInfo, waba_operator::graph::Error> {
    world.client.debug_token(&app(), VERSION, &SecretString::from(token)).await
}

#[tokio::test]
async fn tokens_are_inspected() {
    let world = World::start(estate_with(
        "tokens",
        json!([
            {"name": "forever", "token": "EAAforever", "app": APP},
            {"name": "ending", "token": "EAAending", "app": APP, "expires_at": "2099-01-01T00:00:00Z", "accounts": [WABA]},
            {"name": "ended", "token": "EAAended", "app": APP, "expires_at": "2020-01-01T00:00:00Z"},
            {"name": "foreign", "token": "EAAforeign", "app": OTHER_APP},
        ]),
    ))
    .await;
    let forever = inspect(&world, "EAAforever").await.unwrap();
    assert_eq!((forever.is_valid, forever.expires), (true, Expiry::Never));
    assert_eq!((forever.app_id.as_deref(), forever.kind.clone()), (Some(APP), Some(TokenKind::SystemUser)));
    assert_eq!(forever.account_scope(), AccountScope::All);

    let ending = inspect(&world, "EAAending").await.unwrap();
    assert_eq!(ending.expires, Expiry::At("2099-01-01T00:00:00Z".parse().unwrap()));
    assert_eq!(ending.account_scope(), AccountScope::Listed([WABA.into()].into()));

    let ended = inspect(&world, "EAAended").await.unwrap();
    assert!(!ended.is_valid, "a dead token is an answer");
    assert_eq!(ended.invalid_reason.map(|reason| (reason.code, reason.subcode)), Some((Some(190), Some(463))));

    let foreign = inspect(&world, "EAAforeign").await.unwrap_err();
    assert!(foreign.is_token(), "{foreign}");
    assert_eq!(foreign.detail(), "the access token was not issued by this app");

    let nonsense = inspect(&world, "nonsense").await.unwrap();
    assert!(!nonsense.is_valid);

    let wrong = credentials(APP, "wrong");
    let error = world.client.debug_token(&wrong, VERSION, &SecretString::from(TOKEN)).await.unwrap_err();
    assert!(error.is_app_credentials(), "{error}");
}

#[tokio::test]
async fn every_call_has_the_app_secret_proof_and_no_token_in_its_url() {
    let world = World::start(estate(101, 1)).await;
    let access = access();
    world.client.read_account(&access, WABA, Want::default(), Priority::Poll).await.unwrap();
    world.client.assigned_accounts(&access).await.unwrap();
    world.client.probe_account(&access, WABA).await.unwrap();
    world.client.template_limit(&access, WABA).await.unwrap();
    world.client.read_number(&access, WABA, "900000", Priority::Poll).await.unwrap();
    world.client.read_template(&access, WABA, "700000", Priority::Poll).await.unwrap();
    let calls = world.calls().await;
    assert_eq!(calls.len(), 7);
    for call in calls {
        assert!(call["query"]["appsecret_proof"].is_string(), "{call}");
        assert!(call["query"]["access_token"].is_null(), "{call}");
        assert!(call["headers"]["authorization"].as_str().unwrap().contains("main"), "{call}");
        assert_eq!(call["method"], "GET", "{call}");
        assert_eq!(call["client"], "waba-operator/test", "{call}");
    }
    world.assert_well_behaved().await;
}

#[tokio::test]
async fn apps_that_require_the_app_secret_proof_get_it() {
    let mut seed = estate(1, 0);
    seed["apps"][0]["require_app_secret"] = json!(true);
    let world = World::start(seed).await;
    world.client.probe_account(&access(), WABA).await.unwrap();
}

#[tokio::test]
async fn invalid_tokens_are_reported() {
    let mut seed = estate(1, 0);
    seed["tokens"].as_array_mut().unwrap().extend([
        json!({"name": "ended", "token": "EAAended", "app": APP, "expires_at": "2020-01-01T00:00:00Z"}),
        json!({"name": "foreign", "token": "EAAforeign", "app": OTHER_APP}),
    ]);
    let world = World::start(seed).await;
    let probe = async |access: &Access| world.client.probe_account(access, WABA).await.unwrap_err();
    let ended = probe(&access_with("EAAended")).await;
    assert_eq!((ended.class(), ended.http_status()), (Class::Token, Some(401)));
    assert_eq!(ended.to_string(), "the access token has expired (Meta code 190/463)");
    let foreign = probe(&access_with("EAAforeign")).await;
    assert_eq!(foreign.class(), Class::AppCredentials, "the proof is refused: {foreign}");
    let broken = probe(&access_with("EAA\ntoken")).await;
    assert_eq!((broken.class(), broken.was_sent()), (Class::Token, false));
    let with_own_app =
        Access { app: credentials(OTHER_APP, OTHER_SECRET), token: "EAAforeign".into(), version: VERSION.into() };
    world.client.probe_account(&with_own_app, WABA).await.unwrap();
}

#[tokio::test]
async fn assigned_accounts_are_listed() {
    let world = World::start(estate(0, 0)).await;
    let accounts = world.client.assigned_accounts(&access()).await.unwrap();
    let named: Vec<_> = accounts.iter().map(|account| (&*account.id, account.name.as_deref())).collect();
    assert_eq!(named, [(WABA, Some("First")), (SECOND_WABA, Some("Second"))]);

    let many: Vec<_> = (0..230).map(|n| json!({"id": (60_000 + n).to_string()})).collect();
    let mut seed = estate_with("accounts", json!(many));
    seed["tokens"] = json!([{"name": "main", "token": TOKEN, "app": APP}]);
    let world = World::start(seed).await;
    assert_eq!(world.client.assigned_accounts(&access()).await.unwrap().len(), 230);
    assert_eq!(world.calls().await.len(), 3);
    world.assert_well_behaved().await;
}

#[tokio::test]
async fn tokens_are_exchanged() {
    let mut seed = estate(0, 0);
    seed["tokens"] = json!([
        {"name": "new", "token": "EAAnew", "app": APP, "expires_at": "+240h"},
        {"name": "same", "token": "EAAsame", "app": APP, "exchange": "same"},
        {"name": "refused", "token": "EAArefused", "app": APP, "exchange": "refused"},
        {"name": "ended", "token": "EAAended", "app": APP, "expires_at": "2020-01-01T00:00:00Z"},
    ]);
    let world = World::start(seed).await;
    let exchange = async |token: &str| world.client.exchange_token(&access_with(token)).await;

    let Outcome::Done(new) = exchange("EAAnew").await else { panic!("not exchanged") };
    let inspected = inspect(&world, new.token.expose_secret()).await.unwrap();
    let Expiry::At(expires) = inspected.expires else { panic!("{inspected:?}") };
    let days = expires.duration_since(world.client.now()).as_hours() / 24;
    assert_eq!(days, 59, "60 days, but for what has passed");
    assert!(inspected.is_valid);
    assert!(inspect(&world, "EAAnew").await.unwrap().is_valid, "the old one goes on");

    let Outcome::Done(same) = exchange("EAAsame").await else { panic!("not exchanged") };
    assert_eq!(same.token.expose_secret(), "EAAsame");

    let Outcome::Refused(refused) = exchange("EAArefused").await else { panic!("not refused") };
    assert_eq!(refused.class(), Class::Permission);
    let Outcome::Refused(ended) = exchange("EAAended").await else { panic!("not refused") };
    assert_eq!(ended.class(), Class::Token, "of the token exchanged, not of the app");

    let wrong = Access { app: credentials(APP, "wrong"), ..access_with("EAAnew") };
    let Outcome::Refused(wrong) = world.client.exchange_token(&wrong).await else { panic!("not refused") };
    assert_eq!(wrong.class(), Class::AppCredentials);
}

#[tokio::test]
async fn an_exchange_must_return_a_token_in_any_shape() {
    let world = World::start(estate(0, 0)).await;
    for body in [json!({"success": "true"}), json!({"success": false}), json!({"access_token": null})] {
        world.answer_once("/oauth/access_token", body.clone()).await;
        let outcome = world.client.exchange_token(&access()).await;
        assert!(matches!(outcome, Outcome::Unknown(_)), "{body}: {outcome:?}");
    }
}
