//! A token dies, and a new one brings everything back: all numbers, and what applications hold. Asking for a new one on a
//! number asks its app.

use serde_json::{Value, json};
use waba_operator::api::{MetaApp, WhatsAppNumber};

use crate::harness::{
    manifests::{INO, app, number},
    seed::{self, ACCOUNT},
    world::{World, condition},
};

const NUMBERS: [(&str, &str, &str); 3] = [
    ("support", "+33612345678", "106540352242922"),
    ("sales", "+33184882020", "106540352242923"),
    ("hotline", "+33184882021", "106540352242924"),
];
const REFRESH_AT: &str = "waba.dev/refresh-token-at";

/// Three numbers that work, and a token that ends in `left`.
fn estate(left: &str) -> Value {
    let mut seed = seed::small();
    let row = |(_, phone, id): (&str, &str, &str)| seed::number(id, ACCOUNT, phone);
    seed["numbers"] = NUMBERS.map(row).into();
    seed["tokens"][0]["expires_at"] = json!(left);
    seed
}

impl World {
    /// Waits until every number works and its binding holds this token.
    async fn all_work_with(&self, token: &str) {
        for (name, ..) in NUMBERS {
            self.stands::<WhatsAppNumber>(name, "Enabled", "True/Enabled").await;
            let binding = format!("{name}-binding");
            self.so(&format!("{binding} has the token"), async || {
                (self.secret_value(&binding, "access-token").await.as_deref() == Some(token)).then_some(())
            })
            .await;
        }
    }
}

async fn working(prefix: &str, left: &str, more: Value) -> World {
    let world = World::running(prefix, estate(left)).await;
    world.create(&app(INO, more)).await;
    for (name, phone, _) in NUMBERS {
        world.create(&number(name, phone, json!({"binding": {}, "registration": {}}))).await;
    }
    world.all_work_with(&world.token("main").await).await;
    world
}

#[tokio::test]
async fn an_expired_token_stops_all_numbers_and_a_new_value_brings_all_back() {
    let mut world = working("expired-all", "+1440h", json!({})).await;
    world.settle().await;
    let old = world.token("main").await;
    world.sim.patch("tokens/main", json!({"expires_at": "-1m"})).await.unwrap();
    for (name, ..) in NUMBERS {
        let found = world.stands::<WhatsAppNumber>(name, "ExpiredToken", "False/ExpiredToken").await;
        let message = condition(&found, "Ready").unwrap().1;
        // What happened, that no exchange helps, and where the new one goes.
        for words in ["expired", "cannot be exchanged", "key access-token of Secret ino-cx-meta"] {
            assert!(message.contains(words), "{words}: {message}");
        }
        assert!(condition(&found, "Stalled").is_some());
        let status = found.status.unwrap();
        assert_eq!(
            (status.verified_name.as_deref(), status.quality_rating.as_deref()),
            (Some("INO Support"), Some("GREEN"))
        );
        assert_eq!(status.binding.unwrap().name, format!("{name}-binding"), "bindings stay");
    }
    let app = world.get::<MetaApp>(INO).await.unwrap();
    assert_eq!(condition(&app, "TokenValid").unwrap().0, "False/ExpiredToken");

    // Nonsense does not help, and what there was stays.
    let nonsense = world.plant(seed::secret("EAA"));
    world.set_token(&nonsense).await;
    world
        .so("it is tried", async || {
            (world.secret_value("ino-cx-token", "candidate").await.as_ref() == Some(&nonsense)).then_some(())
        })
        .await;
    world.stands::<WhatsAppNumber>("sales", "ExpiredToken", "False/ExpiredToken").await;
    assert_eq!(world.secret_value("sales-binding", "access-token").await, Some(old));

    let next = world.token("next").await;
    world.set_token(&next).await;
    world.stands::<MetaApp>(INO, "Connected", "True/Connected").await;
    world.all_work_with(&next).await;
    assert!(world.asked().await.is_empty(), "nothing at Meta was changed by all this");
    world.settle().await;
    world.finish().await;
}

#[tokio::test]
async fn asking_for_a_new_token_on_a_number_asks_its_app() {
    let world = working("refresh-number", "+1000h", json!({})).await;
    world.settle().await;
    let asked = world.ask::<WhatsAppNumber>("sales", REFRESH_AT, 0).await;
    world
        .so("the app is asked", async || {
            let app = world.get::<MetaApp>(INO).await?;
            (app.metadata.annotations?.get(REFRESH_AT) == Some(&asked)).then_some(())
        })
        .await;
    let echoed =
        |number: &WhatsAppNumber| number.status.as_ref().unwrap().handled.refresh_token_at.as_ref() == Some(&asked);
    world.until("sales", "the echo", echoed).await;
    world
        .so("a new token is in use", async || {
            let live = world.secret_value("ino-cx-token", "live").await?;
            (live != world.token("main").await).then_some(())
        })
        .await;
    world.all_work_with(&world.token("main-2").await).await;
    world.settle().await;
    let calls = world.sim.calls(0).await.unwrap();
    let exchanges = calls.iter().filter(|call| call["path"] == "/v25.0/oauth/access_token").count();
    assert_eq!(exchanges, 1, "once");
    world.finish().await;
}

#[tokio::test]
async fn a_token_that_is_exchanged_in_time_reaches_all_bindings() {
    let world = World::running("exchanged-all", estate("+100h")).await;
    world.create(&app(INO, json!({"tokenRefresh": {"before": "240h"}}))).await;
    for (name, phone, _) in NUMBERS {
        world.create(&number(name, phone, json!({"binding": {}}))).await;
    }
    world
        .so("a new token is in use", async || {
            let live = world.secret_value("ino-cx-token", "live").await?;
            (live != world.token("main").await).then_some(())
        })
        .await;
    world.all_work_with(&world.token("main-2").await).await;
    world.settle().await;
    world.finish().await;
}
