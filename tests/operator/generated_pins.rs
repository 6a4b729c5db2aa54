//! PINs that the operator makes: whatever it knows of its Secrets, a number is only ever registered with the PIN that is in
//! the Secret, and what is in there is never written over. A PIN that Meta knows and no Secret has is a number lost.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use waba_operator::api::{MetaApp, WhatsAppNumber};

use crate::harness::{
    gate::{Gate, Hold},
    manifests::{INO, app, number},
    program::ProgramSettings,
    scenario::{PHONE, SUPPORT, refusal, verified},
    seed::NUMBER,
    world::World,
};

const SECRET: &str = "support-pin";
/// Of the namespace in which the objects are, and the ledgers too.
const SECRETS: &str = "/secrets$";
/// What Meta answers while it cannot register just now.
const UNAVAILABLE: u32 = 133_004;

/// Orders that Meta does not register the number for so many times.
async fn unavailable(world: &World, times: u32) {
    let mut fault = refusal("/register$", UNAVAILABLE, "Server temporarily unavailable");
    fault["times"] = json!(times);
    world.fault(fault).await;
}

async fn register_it(world: &World) {
    world.create(&number(SUPPORT, PHONE, json!({"registration": {}}))).await;
}

/// The registrations that Meta was asked for.
async fn registrations(world: &World) -> Vec<Value> {
    let mut calls = world.sim.calls(0).await.unwrap();
    calls.retain(|call| call["path"].as_str().is_some_and(|path| path.ends_with("/register")));
    calls
}

/// How often the Secret was written through this gate.
fn writes(gate: &Gate) -> usize {
    let is_it = |body: &str| body.contains(&format!("\"name\":\"{SECRET}\""));
    gate.writes().iter().filter(|asked| asked.path.contains("/secrets") && is_it(&asked.body)).count()
}

impl World {
    /// Meta was asked so often, each time with one and the same PIN: the one that is in the Secret and now in force.
    async fn one_pin(&self, times: usize) -> String {
        self.enabled().await;
        let in_secret = self.secret_value(SECRET, "pin").await.expect("there is a PIN");
        assert_eq!(self.pin_at_meta(NUMBER).await.as_ref(), Some(&in_secret), "{}", self.picture().await);
        let registrations = registrations(self).await;
        // The log of calls has a name for each PIN.
        let names: BTreeSet<String> = registrations.iter().map(|call| call["body"]["pin"].to_string()).collect();
        assert_eq!((registrations.len(), names.len()), (times, 1), "{names:?}\n{}", self.picture().await);
        self.condition::<WhatsAppNumber>(SUPPORT, "PINSynced", "True/PINSynced").await;
        in_secret
    }
}

#[tokio::test]
async fn a_secret_that_the_watch_does_not_show_yet_is_not_taken_for_missing() {
    let mut world = World::new("fresh-pin", verified(json!({}))).await;
    let gate = Gate::start(world.config.clone()).await;
    world.config = gate.config();
    world.start().await;
    world.create(&app(INO, json!({}))).await;
    world.stands::<MetaApp>(INO, "Connected", "True/Connected").await;
    gate.freeze(SECRETS);
    unavailable(&world, 3).await;
    register_it(&world).await;

    let made = world.so("a PIN", async || world.secret_value(SECRET, "pin").await).await;
    assert_eq!(world.one_pin(4).await, made);
    assert_eq!(writes(&gate), 1);
    gate.thaw();
    world.settle().await;
    assert_eq!((world.one_pin(4).await, writes(&gate)), (made, 1));
    world.finish().await;
}

/// The one before was at work until a moment ago, and the API server that the next one asks has not heard of it: it lists
/// neither the Secret with the PIN nor the ledger.
#[tokio::test]
async fn an_operator_that_knows_an_old_list_of_secrets_registers_with_the_pin_that_is_there() {
    let mut world = World::new("old-list", verified(json!({}))).await;
    let (gate, behind) = (Gate::start(world.config.clone()).await, Gate::start(world.config.clone()).await);
    let first = ProgramSettings { kubeconfig: gate.kubeconfig(), ..world.program_settings() };
    let second = ProgramSettings { kubeconfig: behind.kubeconfig(), ..first.clone() };
    world.start_program(&first).await;
    world.create(&app(INO, json!({}))).await;
    world.stands::<MetaApp>(INO, "Connected", "True/Connected").await;
    behind.hold(Hold::after("list", "GET", SECRETS).query("limit=500"));
    behind.freeze(SECRETS);
    let second = world.spawn_program(&second).await;
    behind.reached("list").await;

    gate.hold(
        Hold::before("again", "PUT", "/secrets/waba-number-33612345678$").body("\"waba.dev/open-calls\":\"register"),
    );
    unavailable(&world, 1).await;
    register_it(&world).await;
    gate.reached("again").await;
    world.take_program().kill();
    gate.refuse("again");
    let made = world.secret_value(SECRET, "pin").await.expect("the first one made it");
    assert_eq!(registrations(&world).await.len(), 1);

    world.program = Some(second);
    behind.release("list");
    assert_eq!(world.one_pin(2).await, made);
    assert_eq!((writes(&gate), writes(&behind)), (1, 0));
    behind.thaw();
    world.settle().await;
    assert_eq!((world.one_pin(2).await, writes(&behind)), (made, 0));
    world.finish().await;
}

/// Two operators can be at it for a moment: whoever is late has made a PIN that nobody will ever see.
#[tokio::test]
async fn whoever_is_late_with_a_pin_uses_the_one_that_is_there() {
    const THEIRS: &str = "004217";
    let mut world = World::new("late-pin", verified(json!({}))).await;
    let gate = Gate::start(world.config.clone()).await;
    world.planted.push(THEIRS.to_owned());
    world.config = gate.config();
    gate.hold(Hold::before("make", "POST", SECRETS).body(SECRET));
    world.start().await;
    world.create(&app(INO, json!({}))).await;
    world.stands::<MetaApp>(INO, "Connected", "True/Connected").await;
    gate.freeze(SECRETS);
    register_it(&world).await;
    let asked = gate.reached("make").await;
    // As the other one writes it, but for the PIN.
    let mut secret: k8s_openapi::api::core::v1::Secret = serde_json::from_str(&asked.body).unwrap();
    secret.string_data = Some([("pin".to_owned(), THEIRS.to_owned())].into());
    world.secrets().create(&kube::api::PostParams::default(), &secret).await.unwrap();
    gate.release("make");

    assert_eq!(world.one_pin(1).await, THEIRS);
    assert_eq!(writes(&gate), 1);
    gate.thaw();
    world.settle().await;
    world.finish().await;
}
