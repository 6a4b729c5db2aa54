//! Display names: submitted, looked at, approved, registered, void.

use serde_json::{Value, json};

use crate::callback::Callback;
use crate::support::{APP, Bench, NUMBER, Reply, estate};

const FIELDS: &str = "verified_name,name_status,new_display_name,new_name_status";

async fn submit(bench: &Bench, name: &str) -> Reply {
    bench.post(&format!("/v25.0/{NUMBER}"), json!({"new_display_name": name})).await
}

async fn names(bench: &Bench) -> Value {
    let mut names = bench.number(NUMBER, FIELDS).await;
    names.as_object_mut().unwrap().remove("id");
    names
}

/// A bench whose number has a PIN, and a token that never expires.
async fn bench(seed: Value) -> Bench {
    let bench = Bench::with(seed).await;
    bench.control.patch("numbers/501", json!({"pin": "260417"})).await.unwrap();
    bench.control.patch("tokens/good", json!({"expires_at": 0})).await.unwrap();
    bench
}

#[tokio::test]
async fn a_name_is_in_force_once_it_is_approved_and_registered() {
    let bench = bench(estate()).await;
    assert_eq!(submit(&bench, "Better name").await.status, 200);
    assert_eq!(bench.effect().await, "number 501: name submitted");
    let pending = json!({"verified_name": "One", "name_status": "APPROVED", "new_display_name": "Better name",
        "new_name_status": "PENDING_REVIEW"});
    assert_eq!(names(&bench).await, pending);
    bench.register(NUMBER, "260417").await;
    assert_eq!(names(&bench).await, pending, "before the approval a registration has no effect");
    assert_eq!(bench.rules().await, ["register-connected"]);
    bench.control.patch("numbers/501", json!({"new_name_status": "APPROVED"})).await.unwrap();
    let approved = names(&bench).await;
    assert_eq!((&approved["verified_name"], &approved["new_name_status"]), (&json!("Better name"), &json!("APPROVED")));
    assert_eq!(bench.register(NUMBER, "260417").await.status, 200);
    assert_eq!(bench.effect().await, "number 501 registered under its new name");
    let done = json!({"verified_name": "Better name", "name_status": "APPROVED", "new_name_status": "NONE"});
    assert_eq!(names(&bench).await, done);
    assert_eq!(bench.rules().await.len(), 1, "this time there was a reason");
    assert_eq!(bench.number(NUMBER, "status").await["status"], "CONNECTED");
}

#[tokio::test]
async fn an_approved_name_that_nobody_registers_is_void_after_fourteen_days() {
    let bench = bench(estate()).await;
    submit(&bench, "Better name").await;
    bench.control.patch("numbers/501", json!({"new_name_status": "APPROVED"})).await.unwrap();
    bench.control.advance(14 * 86_400 - 60).await.unwrap();
    assert_eq!(names(&bench).await["new_name_status"], "APPROVED");
    bench.control.advance(120).await.unwrap();
    assert_eq!(names(&bench).await["new_name_status"], "EXPIRED");
    bench.register(NUMBER, "260417").await;
    assert_eq!(bench.rules().await, ["register-connected"], "too late");
}

#[tokio::test]
async fn meta_approves_by_itself_when_the_seed_says_so_and_tells_everybody() {
    let callback = Callback::start().await;
    let mut seed = estate();
    seed["name_review_seconds"] = json!(3_600);
    seed["apps"][0]["webhook"] = json!({"callback_url": callback.url, "verify_token": "v"});
    seed["accounts"][0]["subscribed_apps"] = json!([{"app": APP}]);
    let bench = bench(seed).await;
    submit(&bench, "Better name").await;
    let pin_and_pending = callback.changes(2).await;
    assert_eq!(pin_and_pending[0]["field"], "security", "the PIN was set by hand");
    assert_eq!(pin_and_pending[1]["value"]["decision"], "PENDING");
    bench.control.advance(3_601).await.unwrap();
    let approved = callback.changes(3).await.remove(2);
    assert_eq!(approved["field"], "phone_number_name_update");
    let value = &approved["value"];
    assert_eq!((&value["decision"], &value["requested_verified_name"]), (&json!("APPROVED"), &json!("Better name")));
    assert_eq!(value["display_phone_number"], "33612345678");
    assert_eq!(names(&bench).await["verified_name"], "Better name");
}

#[tokio::test]
async fn a_rejected_name_reads_declined_and_changes_nothing() {
    let bench = bench(estate()).await;
    submit(&bench, "Worse name").await;
    bench.control.patch("numbers/501", json!({"new_name_status": "DECLINED"})).await.unwrap();
    let names = names(&bench).await;
    assert_eq!((&names["verified_name"], &names["new_name_status"]), (&json!("One"), &json!("DECLINED")));
}

#[tokio::test]
async fn ten_names_in_thirty_days_and_none_that_is_too_short() {
    let bench = bench(estate()).await;
    for name in ["x", "", &"x".repeat(76)] {
        assert_eq!(submit(&bench, name).await.error().0, 100, "{name}");
    }
    for nth in 0..10 {
        assert_eq!(submit(&bench, &format!("Name {nth}")).await.status, 200);
    }
    assert_eq!(submit(&bench, "One too many").await.error().0, 100);
    assert_eq!(bench.counters(NUMBER).await["nameChanges"], 10);
    bench.control.advance(30 * 86_400 + 1).await.unwrap();
    assert_eq!(submit(&bench, "A month later").await.status, 200);
    bench.control.patch("numbers/501", json!({"is_official_business_account": true})).await.unwrap();
    assert_eq!(submit(&bench, "Official").await.error().0, 100);
}
