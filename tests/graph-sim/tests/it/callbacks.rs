//! Who takes which webhooks: accounts' subscriptions, overrides on two levels, the app's own.

use reqwest::Method;
use serde_json::{Value, json};

use crate::callback::{Callback, WORD};
use crate::support::{APP, APP_TOKEN, Bench, NUMBER, Reply, TOKEN, WABA, estate};

const APPS: &str = "/v25.0/300/subscribed_apps";
const SUBSCRIPTIONS: &str = "/v25.0/100/subscriptions";

async fn delete(bench: &Bench, token: &str, path: &str) -> Reply {
    Bench::read(bench.request(Method::DELETE, path).bearer_auth(token)).await
}

async fn apps(bench: &Bench) -> Value {
    bench.get(APPS).await.body["data"].clone()
}

fn override_to(callback: &Callback) -> Value {
    json!({"override_callback_uri": callback.url, "verify_token": WORD})
}

#[tokio::test]
async fn an_account_is_subscribed_by_the_app_of_the_token() {
    let bench = Bench::new().await;
    assert_eq!(bench.post(APPS, json!({})).await.body, json!({"success": true}));
    assert_eq!(bench.effect().await, "account 300: app 100 subscribed");
    assert_eq!(apps(&bench).await[0]["whatsapp_business_api_data"]["id"], APP);
    bench.post(APPS, json!({})).await;
    assert_eq!((bench.effect().await, apps(&bench).await.as_array().unwrap().len()), (Value::Null, 1));
    assert_eq!(bench.post_as("EAAforeign", APPS, json!({})).await.status, 200, "another app comes as well");
    assert_eq!(delete(&bench, TOKEN, APPS).await.body, json!({"success": true}));
    assert_eq!(apps(&bench).await[0]["whatsapp_business_api_data"]["id"], "199", "and stays when ours leaves");
    assert_eq!(delete(&bench, TOKEN, APPS).await.status, 200);
    assert_eq!(bench.effect().await, Value::Null);
    assert_eq!(bench.post(APPS, json!({"app_id": APP})).await.error().0, 100, "there is no such parameter");
    assert_eq!(bench.post_as(APP_TOKEN, APPS, json!({})).await.error(), (100, 33), "not with an app token");
    assert!(bench.rules().await.is_empty());
}

#[tokio::test]
async fn an_override_needs_a_subscription_first_and_an_empty_post_ends_it() {
    let (bench, callback) = (Bench::new().await, Callback::start().await);
    let early = bench.post(APPS, override_to(&callback)).await;
    assert_eq!((early.status, early.error()), (400, (100, 0)));
    assert!(early.body["error"]["message"].as_str().unwrap().starts_with("(#100) Before override"));
    assert!(callback.asked.lock().unwrap().is_empty(), "no verification request was sent");
    bench.post(APPS, json!({})).await;
    assert_eq!(bench.post(APPS, override_to(&callback)).await.body, json!({"success": true}));
    assert_eq!(bench.effect().await, "account 300: override of app 100 set");
    assert_eq!(apps(&bench).await[0]["override_callback_uri"], callback.url);
    assert_eq!(callback.asked.lock().unwrap().len(), 1);
    assert!(!apps(&bench).await.to_string().contains(WORD), "the token is never read back");
    bench.post(APPS, json!({})).await;
    assert_eq!(apps(&bench).await[0].get("override_callback_uri"), None);
    assert_eq!(bench.rules().await, ["override-cleared"]);
}

#[tokio::test]
async fn a_callback_that_does_not_prove_itself_is_2200_and_changes_nothing() {
    let (bench, callback) = (Bench::new().await, Callback::start().await);
    bench.post(APPS, json!({})).await;
    for (reason, url, token, expected) in [
        ("wrong token", callback.url.clone(), "other", "HTTP Status Code = 403; HTTP Message = Forbidden"),
        ("wrong path", callback.at("/nowhere"), WORD, "HTTP Status Code = 404; HTTP Message = Not Found"),
        ("wrong answer", callback.at("/wrong"), WORD, "HTTP Status Code = 200"),
        ("nobody there", "http://127.0.0.1:1/".to_owned(), WORD, "curl_errno = 7"),
    ] {
        for path in [APPS.to_owned(), format!("/v25.0/{NUMBER}"), SUBSCRIPTIONS.to_owned()] {
            let configuration = json!({"override_callback_uri": url, "verify_token": token});
            let (token, body) = match path.as_str() {
                APPS => (TOKEN, configuration),
                SUBSCRIPTIONS => (
                    APP_TOKEN,
                    json!({"object": "whatsapp_business_account", "callback_url": url, "verify_token": token, "fields": ["messages"]}),
                ),
                _ => (TOKEN, json!({"webhook_configuration": configuration})),
            };
            let reply = bench.post_as(token, &path, body).await;
            assert_eq!((reply.status, reply.error()), (400, (2200, 0)), "{reason} {path}");
            assert!(
                reply.body["error"]["message"].as_str().unwrap().contains(expected),
                "{reason} {path}: {}",
                reply.body
            );
            assert!(!reply.header("x-app-usage").is_empty(), "as on every answer");
        }
    }
    assert_eq!(apps(&bench).await[0].get("override_callback_uri"), None);
    assert_eq!(bench.number(NUMBER, "webhook_configuration").await.get("webhook_configuration"), None);
    assert_eq!(bench.get_as(APP_TOKEN, SUBSCRIPTIONS).await.body, json!({"data": []}));
}

#[tokio::test]
async fn urls_that_meta_would_not_call_are_refused_without_asking() {
    let (bench, callback) = (Bench::new().await, Callback::start().await);
    bench.post(APPS, json!({})).await;
    for url in ["http://ino.cx/hook", "ino.cx", "ftp://ino.cx/", "", &format!("{}/{}", callback.url, "x".repeat(200))] {
        let reply = bench.post(APPS, json!({"override_callback_uri": url, "verify_token": WORD})).await;
        assert_eq!((reply.status, reply.error().0), (400, 100), "{url}");
    }
    for body in [json!({"override_callback_uri": callback.url}), json!({"verify_token": WORD})] {
        assert_eq!(bench.post(APPS, body.clone()).await.error().0, 100, "{body}");
    }
    assert!(callback.asked.lock().unwrap().is_empty());
    let plus = json!({"override_callback_uri": callback.at("/hook/+33612345678"), "verify_token": WORD});
    assert_eq!(bench.post(APPS, plus).await.status, 200);
    assert_eq!(*callback.asked.lock().unwrap(), ["/hook/%2033612345678"], "a plus becomes a space");
}

#[tokio::test]
async fn a_number_has_an_override_of_its_own() {
    let (bench, callback) = (Bench::new().await, Callback::start().await);
    let path = format!("/v25.0/{NUMBER}");
    let wanted = json!({"webhook_configuration": override_to(&callback)});
    assert_eq!(bench.post(&path, wanted.clone()).await.error(), (100, 0), "its app does not listen yet");
    bench.post(APPS, json!({})).await;
    assert_eq!(bench.post(&path, wanted).await.body, json!({"success": true}));
    assert_eq!(bench.effect().await, "number 501: override set");
    let read = bench.number(NUMBER, "webhook_configuration").await;
    assert_eq!(read["webhook_configuration"], json!({"phone_number": callback.url}));
    let removed = json!({"webhook_configuration": {"override_callback_uri": ""}});
    assert_eq!(bench.post(&path, removed).await.status, 200);
    assert_eq!(bench.number(NUMBER, "webhook_configuration").await.get("webhook_configuration"), None);
    let form = [("webhook_configuration", override_to(&callback).to_string())];
    let request = bench.request(Method::POST, &path).bearer_auth(TOKEN).form(&form);
    assert_eq!(Bench::read(request).await.status, 200, "as text in a form");
    assert!(!json!(bench.control.calls(0).await.unwrap()).to_string().contains(WORD), "the log hides the token");
    for wrong in [
        json!({}),
        json!({"webhook_configuration": {}}),
        json!({"webhook_configuration": {"override_callback_uri": 1}}),
        json!({"webhook_configuration": {"override_callback_uri": callback.url, "verify_token": WORD, "fields": []}}),
        json!({"webhook_configuration": "https://ino.cx/"}),
        json!({"webhook_configuration": {"override_callback_uri": callback.url}}),
        json!({"connection_status": "CONNECTED"}),
    ] {
        assert_eq!(bench.post(&path, wrong.clone()).await.error().0, 100, "{wrong}");
    }
}

#[tokio::test]
async fn numbers_on_the_business_app_in_a_clients_account_have_none() {
    let (bench, callback) = (Bench::new().await, Callback::start().await);
    bench.post(APPS, json!({})).await;
    bench.control.patch("numbers/501", json!({"is_on_biz_app": true})).await.unwrap();
    let path = format!("/v25.0/{NUMBER}");
    let wanted = json!({"webhook_configuration": override_to(&callback)});
    assert_eq!(bench.post(&path, wanted.clone()).await.status, 200, "in an account of its own it may");
    bench.control.patch(&format!("accounts/{WABA}"), json!({"ownership_type": "CLIENT_OWNED"})).await.unwrap();
    let reply = bench.post(&path, wanted.clone()).await;
    assert_eq!((reply.status, reply.error()), (403, (200, 0)));
    assert_eq!(bench.post(APPS, override_to(&callback)).await.status, 200, "the account's own override works");
    bench.control.patch("numbers/501", json!({"is_on_biz_app": false})).await.unwrap();
    assert_eq!(bench.post(&path, wanted).await.status, 200, "a client's other numbers may");
}

#[tokio::test]
async fn several_changes_of_a_number_are_made_together_or_not_at_all() {
    let (bench, callback) = (Bench::new().await, Callback::start().await);
    bench.post(APPS, json!({})).await;
    let path = format!("/v25.0/{NUMBER}");
    let both = |word: &str| json!({"pin": "123456", "webhook_configuration": {"override_callback_uri": callback.url, "verify_token": word}});
    assert_eq!(bench.post(&path, both("other")).await.error().0, 2200);
    assert_eq!(bench.counters(NUMBER).await["pins"], json!([]));
    assert_eq!(bench.post(&path, both(WORD)).await.status, 200);
    assert_eq!(bench.effect().await, "number 501: PIN set, override set");
    assert_eq!(bench.counters(NUMBER).await["pins"][0]["pin"], "123456");
}

#[tokio::test]
async fn an_apps_subscription_takes_an_app_token_and_merges() {
    let (bench, callback) = (Bench::new().await, Callback::start().await);
    let publish = async |fields: Value| {
        let mut body =
            json!({"object": "whatsapp_business_account", "callback_url": callback.url, "verify_token": WORD});
        if !fields.is_null() {
            body["fields"] = fields;
        }
        bench.post_as(APP_TOKEN, SUBSCRIPTIONS, body).await
    };
    let names = async || -> Vec<String> {
        let body = bench.get_as(APP_TOKEN, SUBSCRIPTIONS).await.body;
        let fields = body["data"][0]["fields"].as_array().cloned().unwrap_or_default();
        fields.iter().map(|field| field["name"].as_str().unwrap().to_owned()).collect()
    };
    for reply in [bench.get(SUBSCRIPTIONS).await, bench.post(SUBSCRIPTIONS, json!({})).await] {
        assert_eq!((reply.status, reply.error().0), (400, 15), "not with a user's token");
    }
    assert_eq!(publish(Value::Null).await.error().0, 100, "the first time fields are needed");
    assert_eq!(publish(json!(["messages", "security"])).await.body, json!({"success": true}));
    assert_eq!(bench.effect().await, "app 100: subscription changed");
    assert_eq!(publish(json!("security,account_update")).await.status, 200);
    assert_eq!(names().await, ["messages", "security", "account_update"], "nothing is lost");
    let shown = bench.get_as(APP_TOKEN, SUBSCRIPTIONS).await.body["data"][0].clone();
    assert_eq!((&shown["object"], &shown["active"]), (&json!("whatsapp_business_account"), &json!(true)));
    assert_eq!((&shown["callback_url"], shown.get("verify_token")), (&json!(callback.url), None));
    assert_eq!(shown["fields"][0], json!({"name": "messages", "version": "v25.0"}));
    bench
        .control
        .patch(
            "apps/100",
            json!({"webhook": {"callback_url": "https://old.cx/", "fields": ["messages"], "active": false}}),
        )
        .await
        .unwrap();
    assert_eq!(publish(Value::Null).await.status, 200, "an inactive one wakes up");
    assert_eq!(names().await, ["messages"]);
    let gone =
        delete(&bench, APP_TOKEN, &format!("{SUBSCRIPTIONS}?object=whatsapp_business_account&fields=messages")).await;
    assert_eq!((gone.status, names().await.len()), (200, 0));
}

#[tokio::test]
async fn fields_can_be_removed_and_everything_can() {
    let mut seed = estate();
    seed["apps"][0]["webhook"] = json!({"callback_url": "https://ino.cx/", "verify_token": "v"});
    let bench = Bench::with(seed).await;
    let all = bench.get_as(APP_TOKEN, SUBSCRIPTIONS).await.body["data"][0]["fields"].as_array().unwrap().len();
    assert_eq!(all, 26, "all fields but those of coexistence");
    assert_eq!(delete(&bench, APP_TOKEN, &format!("{SUBSCRIPTIONS}?fields=messages")).await.error().0, 100);
    assert_eq!(delete(&bench, APP_TOKEN, &format!("{SUBSCRIPTIONS}?object=page")).await.error().0, 100);
    let some = format!("{SUBSCRIPTIONS}?object=whatsapp_business_account&fields=messages,security");
    assert_eq!(delete(&bench, APP_TOKEN, &some).await.body, json!({"success": true}));
    let left = bench.get_as(APP_TOKEN, SUBSCRIPTIONS).await.body["data"][0]["fields"].as_array().unwrap().len();
    assert_eq!(left, 24);
    assert_eq!(delete(&bench, APP_TOKEN, SUBSCRIPTIONS).await.status, 200);
    assert_eq!(bench.get_as(APP_TOKEN, SUBSCRIPTIONS).await.body, json!({"data": []}));
}

#[tokio::test]
async fn a_field_the_app_may_not_have_fails_the_whole_subscription() {
    let (bench, callback) = (Bench::new().await, Callback::start().await);
    let body = json!({"object": "whatsapp_business_account", "callback_url": callback.url, "verify_token": WORD,
        "fields": ["messages", "smb_message_echoes"]});
    let reply = bench.post_as(APP_TOKEN, SUBSCRIPTIONS, body.clone()).await;
    assert_eq!((reply.status, reply.error().0), (400, 100));
    assert!(reply.body["error"]["message"].as_str().unwrap().contains("Invalid field smb_message_echoes"));
    bench.control.patch("apps/100", json!({"coexistence": true})).await.unwrap();
    assert_eq!(bench.post_as(APP_TOKEN, SUBSCRIPTIONS, body).await.status, 200);
    for (field, value) in [
        ("object", json!("page")),
        ("fields", json!(["feed"])),
        ("fields", json!([1])),
        ("callback_url", json!("http://ino.cx/")),
        ("include_values", json!("maybe")),
        ("secret", json!("x")),
    ] {
        let mut body = json!({"object": "whatsapp_business_account", "callback_url": callback.url, "verify_token": WORD, "fields": ["messages"]});
        body[field] = value;
        assert_eq!(bench.post_as(APP_TOKEN, SUBSCRIPTIONS, body.clone()).await.error().0, 100, "{body}");
    }
}

#[tokio::test]
async fn an_app_hears_that_it_was_installed_and_removed_in_the_name_of_the_business() {
    let callback = Callback::start().await;
    let mut seed = estate();
    seed["apps"][0]["webhook"] = json!({"callback_url": callback.url, "verify_token": "v"});
    let bench = Bench::with(seed).await;
    bench.post(APPS, json!({})).await;
    delete(&bench, TOKEN, APPS).await;
    let entries = callback.entries(2).await;
    for (entry, event) in entries.iter().zip(["PARTNER_APP_INSTALLED", "PARTNER_APP_UNINSTALLED"]) {
        assert_eq!(entry["id"], "200", "the business, not the account");
        let value = &entry["changes"][0]["value"];
        assert_eq!(value["event"], event);
        let info = json!({"waba_id": WABA, "owner_business_id": "200", "partner_app_id": APP});
        assert_eq!(value["waba_info"], info);
    }
}

#[tokio::test]
async fn without_values_only_the_names_of_changes_are_sent() {
    let (bench, callback) = (Bench::new().await, Callback::start().await);
    let body = json!({"object": "whatsapp_business_account", "callback_url": callback.url, "verify_token": WORD,
        "fields": ["account_review_update"], "include_values": false});
    assert_eq!(bench.post_as(APP_TOKEN, SUBSCRIPTIONS, body).await.status, 200);
    bench.post(APPS, json!({})).await;
    bench.control.patch("accounts/300", json!({"account_review_status": "REJECTED"})).await.unwrap();
    let entry = callback.entries(1).await.remove(0);
    assert_eq!((&entry["changed_fields"], entry.get("changes")), (&json!(["account_review_update"]), None));
}

#[tokio::test]
async fn messages_follow_the_override_that_is_nearest() {
    let (bench, callback) = (Bench::new().await, Callback::start().await);
    let path =
        |name: &str| json!({"override_callback_uri": callback.at(&format!("/hook/{name}")), "verify_token": WORD});
    let app = json!({"object": "whatsapp_business_account", "callback_url": callback.url, "verify_token": WORD, "fields": ["messages"]});
    bench.post_as(APP_TOKEN, SUBSCRIPTIONS, app).await;
    bench.post(APPS, json!({})).await;
    let mut expected = Vec::new();
    for (place, body, callback) in [
        (None, Value::Null, callback.url.clone()),
        (Some(APPS.to_owned()), path("account"), callback.at("/hook/account")),
        (
            Some(format!("/v25.0/{NUMBER}")),
            json!({"webhook_configuration": path("number")}),
            callback.at("/hook/number"),
        ),
    ] {
        if let Some(place) = place {
            assert_eq!(bench.post(&place, body).await.status, 200);
        }
        bench.control.post("messages", json!({"to": NUMBER, "count": 1})).await.unwrap();
        expected.push(callback);
    }
    callback.received(3).await;
    loop {
        let messages = bench.control.get("messages").await.unwrap();
        if messages.as_array().unwrap().iter().all(|message| message["state"] == "delivered") {
            let took: Vec<&str> =
                messages.as_array().unwrap().iter().map(|message| message["callback"].as_str().unwrap()).collect();
            assert_eq!(took, expected);
            return;
        }
        tokio::task::yield_now().await;
    }
}
