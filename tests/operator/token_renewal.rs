//! A new token reaches every number and every binding, whether a person or an exchange provides it. A refresh requested
//! on a number is passed on to its app.

use serde_json::{Value, json};
use waba_operator::api::{MetaApp, WhatsAppNumber};

use crate::harness::{
    manifests::{INO, app, number},
    seed::{self, ACCOUNT},
    world::{World, condition, is_call},
};

const NUMBERS: [(&str, &str, &str); 3] = [
    ("support", "+33612345678", "106540352242922"),
    ("sales", "+33184882020", "106540352242923"),
    ("hotline", "+33184882021", "106540352242924"),
];
const REFRESH_AT: &str = "waba.dev/refresh-token-at";

/// Three connected numbers, and a token that expires in `left`.
fn three_numbers(left: &str) -> Value {
    let mut seed = seed::small();
    let row = |(_, phone, id): (&str, &str, &str)| seed::number(id, ACCOUNT, phone);
    seed["numbers"] = NUMBERS.map(row).into();
    seed["tokens"][0]["expires_at"] = json!(left);
    seed
}

impl World {
    /// Waits until every number is enabled and its binding holds this token.
    async fn until_all_use(&self, token: &str) {
        for (name, ..) in NUMBERS {
            self.until_phase::<WhatsAppNumber>(name, "Enabled", "True/Enabled").await;
            let binding = format!("{name}-binding");
            self.eventually(&format!("{binding} has the token"), async || {
                (self.secret_value(&binding, "access-token").await.as_deref() == Some(token)).then_some(())
            })
            .await;
        }
    }

    /// Waits until the exchanged token is in use everywhere.
    async fn until_exchanged(&self) {
        self.eventually("a new token is in use", async || {
            let live = self.secret_value("ino-cx-token", "live").await?;
            (live != self.token("main").await).then_some(())
        })
        .await;
        self.until_all_use(&self.token("main-2").await).await;
        self.settle().await;
    }
}

async fn working(prefix: &str, left: &str, more: Value) -> World {
    let world = World::running(prefix, three_numbers(left)).await;
    world.create(&app(INO, more)).await;
    for (name, phone, _) in NUMBERS {
        world.create(&number(name, phone, json!({"binding": {}, "registration": {}}))).await;
    }
    world.until_all_use(&world.token("main").await).await;
    world
}

#[tokio::test]
async fn an_expired_token_stops_all_numbers_and_a_new_token_restores_them() {
    let mut world = working("expired-all", "+1440h", json!({})).await;
    world.settle().await;
    let old = world.token("main").await;
    world.sim.patch("tokens/main", json!({"expires_at": "-1m"})).await.unwrap();
    for (name, ..) in NUMBERS {
        let found = world.until_phase::<WhatsAppNumber>(name, "ExpiredToken", "False/ExpiredToken").await;
        let message = condition(&found, "Ready").unwrap().1;
        // What happened, that an exchange is impossible, and where the new token belongs.
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

    // An invalid token changes nothing, and known values stay.
    let nonsense = world.track_secret(seed::secret("EAA"));
    world.set_token(&nonsense).await;
    world
        .eventually("the new value is tried", async || {
            (world.secret_value("ino-cx-token", "candidate").await.as_ref() == Some(&nonsense)).then_some(())
        })
        .await;
    world.until_phase::<WhatsAppNumber>("sales", "ExpiredToken", "False/ExpiredToken").await;
    assert_eq!(world.secret_value("sales-binding", "access-token").await, Some(old));

    let next = world.token("next").await;
    world.set_token(&next).await;
    world.until_phase::<MetaApp>(INO, "Connected", "True/Connected").await;
    world.until_all_use(&next).await;
    assert!(world.writes_at_meta().await.is_empty(), "no changing call reached Meta");
    world.settle().await;
    world.finish().await;
}

#[tokio::test]
async fn a_token_refresh_requested_on_a_number_is_passed_to_its_app() {
    let world = working("refresh-number", "+1000h", json!({})).await;
    world.settle().await;
    let requested = world.request_action::<WhatsAppNumber>("sales", REFRESH_AT, 0).await;
    world
        .eventually("the request is passed to the app", async || {
            let app = world.get::<MetaApp>(INO).await?;
            (app.metadata.annotations?.get(REFRESH_AT) == Some(&requested)).then_some(())
        })
        .await;
    let echoed =
        |number: &WhatsAppNumber| number.status.as_ref().unwrap().handled.refresh_token_at.as_ref() == Some(&requested);
    world.until("sales", "the action is acknowledged in status.handled", echoed).await;
    world.until_exchanged().await;
    let calls = world.sim.calls(0).await.unwrap();
    let exchanges = calls.iter().filter(|call| is_call(call, "oauth/access_token")).count();
    assert_eq!(exchanges, 1, "one exchange");
    world.finish().await;
}

#[tokio::test]
async fn an_exchanged_token_reaches_all_bindings() {
    let world = World::running("exchanged-all", three_numbers("+100h")).await;
    world.create(&app(INO, json!({"tokenRefresh": {"before": "240h"}}))).await;
    for (name, phone, _) in NUMBERS {
        world.create(&number(name, phone, json!({"binding": {}}))).await;
    }
    world.until_exchanged().await;
    world.finish().await;
}
