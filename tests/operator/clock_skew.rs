//! While the clocks of the operator and of Meta differ too much, the operator calls nobody for a change.

use serde_json::json;

use crate::harness::{
    manifests::{INO, app, number},
    scenario::{PHONE, SUPPORT, unverified},
    world::World,
};

#[tokio::test]
async fn nothing_is_called_while_the_clock_is_not_metas() {
    let mut seed = unverified();
    seed["now"] = json!("2031-01-01T00:00:00Z");
    let mut world = World::new("skewed", seed).await;
    let mut settings = world.settings();
    settings.timing.largest_skew = std::time::Duration::from_mins(5);
    world.start_with(settings).await;
    world.create(&app(INO, json!({}))).await;
    world.create(&number(SUPPORT, PHONE, json!({"verification": {}}))).await;
    world.says("Unverified", "False/ClockSkewed", &["timedatectl"]).await;
    world.goes_on().await;
    world.asked_only(&[]).await;
    world.finish().await;
}
