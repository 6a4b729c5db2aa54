//! `spec.usage`: volumes, costs and the payment method of accounts, read once an hour and only where the app asks for it.

use serde_json::{Value, json};
use waba_operator::api::MetaApp;

use crate::harness::{
    manifests::{INO, app},
    seed::{self, ACCOUNT},
    world::{World, is_poll},
};

const PAYMENT: &str = "PaymentReady";

/// Polls of the account, and reads of its usage.
async fn reads(world: &World) -> (usize, usize) {
    let calls = world.sim.calls(0).await.unwrap();
    let to_account = calls.iter().filter(|call| is_poll(call, ACCOUNT));
    let of_usage = |call: &&Value| call["query"]["fields"].as_str().unwrap_or_default().contains("pricing_analytics");
    let (usage, polls): (Vec<&Value>, Vec<&Value>) = to_account.partition(of_usage);
    (polls.len(), usage.len())
}

#[tokio::test]
async fn usage_and_payment_are_read_hourly_where_the_app_asks_for_it() {
    let mut seed = seed::small();
    seed["accounts"][0]["pricing_analytics"] = json!([
        {"phone_number": "33612345678", "pricing_category": "SERVICE", "pricing_type": "REGULAR", "volume": 1020, "cost": 0.5},
        {"phone_number": "33612345678", "pricing_category": "UTILITY", "pricing_type": "REGULAR", "volume": 10, "cost": 0.25},
    ]);
    let world = World::running("usage", seed).await;
    world.create(&app(INO, json!({}))).await;
    world.until_phase::<MetaApp>(INO, "Connected", "True/Connected").await;
    world.until_polled(ACCOUNT, 3).await;
    assert_eq!(reads(&world).await.1, 0, "nobody asked for it");

    world.patch::<MetaApp>(INO, json!({"spec": {"usage": {}}})).await;
    let message = world.until_condition::<MetaApp>(INO, PAYMENT, "False/NoPaymentMethod").await;
    assert!(message.contains(ACCOUNT), "{message}");
    world.until_event_of_type(INO, "NoPaymentMethod", "Warning").await;
    let status = world.get::<MetaApp>(INO).await.unwrap().status.unwrap();
    let account = &status.business_accounts[0];
    let usage = account.usage.clone().unwrap();
    assert!(!account.payment.as_ref().unwrap().funded && status.needs_action);
    assert_eq!((usage.service_messages, usage.messages, usage.free_left), (1020, 1030, 0));
    assert_eq!((usage.cost.as_deref(), usage.currency.as_deref()), (Some("0.75"), Some("EUR")));
    world
        .eventually("the metric", async || {
            let labels = [ACCOUNT, "33612345678"];
            (world.operator().metric("waba_usage_service_messages", &labels).await > 1019.0).then_some(())
        })
        .await;

    world.sim.patch(&format!("accounts/{ACCOUNT}"), json!({"primary_funding_id": "77"})).await.unwrap();
    world.until_condition::<MetaApp>(INO, PAYMENT, "True/PaymentMethodSet").await;
    world.until_event_of_type(INO, "PaymentMethodSet", "Normal").await;
    let (polls, usage) = reads(&world).await;
    assert!(usage >= 2 && polls > 5 * usage, "{usage} reads of usage beside {polls} polls");
    world.settle().await;
    world.finish().await;
}
