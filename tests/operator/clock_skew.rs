//! While the clocks of the operator and of Meta differ by more than five minutes, the operator sends no changing call.

use serde_json::json;

use crate::harness::{
    manifests::{INO, app, number},
    scenario::{PHONE, SUPPORT, unverified_number},
    world::World,
};

#[tokio::test]
async fn no_changing_call_is_sent_while_the_clock_is_skewed() {
    let mut seed = unverified_number();
    seed["now"] = json!("2031-01-01T00:00:00Z");
    let mut world = World::new("skewed", seed).await;
    let mut settings = world.settings();
    settings.timing.largest_skew = std::time::Duration::from_mins(5);
    world.start_with(settings).await;
    world.create(&app(INO, json!({}))).await;
    world.create(&number(SUPPORT, PHONE, json!({"verification": {}}))).await;
    world.until_ready_message("Unverified", "False/ClockSkewed", &["timedatectl"]).await;
    world.assert_reconciling().await;
    world.assert_writes_at_meta(&[]).await;
    world.finish().await;
}
