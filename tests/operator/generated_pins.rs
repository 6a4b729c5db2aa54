//! PINs that the operator generates: whatever the operator's caches show, a number is only registered with the PIN in
//! the Secret, and that PIN is never overwritten. A number whose PIN is known to Meta only would be lost.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use waba_operator::api::{MetaApp, WhatsAppNumber};

use crate::harness::{
    gate::{Gate, Hold},
    manifests::{INO, app, number},
    program::ProgramSettings,
    scenario::{PHONE, SUPPORT, refusal, verified_number},
    seed::NUMBER,
    world::World,
};

const SECRET: &str = "support-pin";
/// The Secrets of the test's namespace, which also holds the ledgers.
const SECRETS: &str = "/secrets$";
/// Meta's error code when it cannot register a number right now.
const UNAVAILABLE: u32 = 133_004;

/// Has Meta refuse the next `times` registrations.
async fn fail_registrations(world: &World, times: u32) {
    let mut fault = refusal("/register$", UNAVAILABLE, "Server temporarily unavailable");
    fault["times"] = json!(times);
    world.inject_fault(fault).await;
}

async fn create_registered_number(world: &World) {
    world.create(&number(SUPPORT, PHONE, json!({"registration": {}}))).await;
}

/// The registration calls that reached Meta.
async fn registrations(world: &World) -> Vec<Value> {
    let mut calls = world.sim.calls(0).await.unwrap();
    calls.retain(|call| call["path"].as_str().is_some_and(|path| path.ends_with("/register")));
    calls
}

/// How often the PIN's Secret was written through this gate.
fn writes(gate: &Gate) -> usize {
    let is_it = |body: &str| body.contains(&format!("\"name\":\"{SECRET}\""));
    gate.writes().iter().filter(|request| request.path.contains("/secrets") && is_it(&request.body)).count()
}

impl World {
    /// Checks that Meta got `times` registrations, all with the PIN that is in the Secret and in force; the PIN.
    async fn assert_one_pin(&self, times: usize) -> String {
        self.until_enabled().await;
        let in_secret = self.secret_value(SECRET, "pin").await.expect("a PIN exists");
        assert_eq!(self.pin_at_meta(NUMBER).await.as_ref(), Some(&in_secret), "{}", self.diagnostics().await);
        let registrations = registrations(self).await;
        // The simulator's log of calls replaces each PIN by a name.
        let names: BTreeSet<String> = registrations.iter().map(|call| call["body"]["pin"].to_string()).collect();
        assert_eq!((registrations.len(), names.len()), (times, 1), "{names:?}\n{}", self.diagnostics().await);
        self.until_condition::<WhatsAppNumber>(SUPPORT, "PINSynced", "True/PINSynced").await;
        in_secret
    }
}

#[tokio::test]
async fn a_pin_secret_that_the_watch_does_not_show_yet_is_not_created_again() {
    let mut world = World::new("fresh-pin", verified_number(json!({}))).await;
    let gate = Gate::start(world.config.clone()).await;
    world.config = gate.config();
    world.start().await;
    world.create(&app(INO, json!({}))).await;
    world.until_phase::<MetaApp>(INO, "Connected", "True/Connected").await;
    gate.freeze_watches(SECRETS);
    fail_registrations(&world, 3).await;
    create_registered_number(&world).await;

    let generated = world.eventually("a PIN", async || world.secret_value(SECRET, "pin").await).await;
    assert_eq!(world.assert_one_pin(4).await, generated);
    assert_eq!(writes(&gate), 1);
    gate.thaw_watches();
    world.settle().await;
    assert_eq!((world.assert_one_pin(4).await, writes(&gate)), (generated, 1));
    world.finish().await;
}

/// The previous operator ran until a moment ago, and the API server of the next one lags behind: its lists lack the
/// PIN's Secret and the ledger.
#[tokio::test]
async fn an_operator_with_a_stale_list_of_secrets_registers_with_the_existing_pin() {
    let mut world = World::new("old-list", verified_number(json!({}))).await;
    let (gate, behind) = (Gate::start(world.config.clone()).await, Gate::start(world.config.clone()).await);
    let first = ProgramSettings { kubeconfig: gate.kubeconfig(), ..world.program_settings() };
    let second = ProgramSettings { kubeconfig: behind.kubeconfig(), ..first.clone() };
    world.start_program(&first).await;
    world.create(&app(INO, json!({}))).await;
    world.until_phase::<MetaApp>(INO, "Connected", "True/Connected").await;
    behind.hold(Hold::after("list", "GET", SECRETS).query("limit=500"));
    behind.freeze_watches(SECRETS);
    let second = world.spawn_program(&second).await;
    behind.reached("list").await;

    gate.hold(
        Hold::before("again", "PUT", "/secrets/waba-number-33612345678$").body("\"waba.dev/open-calls\":\"register"),
    );
    fail_registrations(&world, 1).await;
    create_registered_number(&world).await;
    gate.reached("again").await;
    world.take_program().kill();
    gate.refuse("again");
    let generated = world.secret_value(SECRET, "pin").await.expect("the first operator created the PIN");
    assert_eq!(registrations(&world).await.len(), 1);

    world.program = Some(second);
    behind.release("list");
    assert_eq!(world.assert_one_pin(2).await, generated);
    assert_eq!((writes(&gate), writes(&behind)), (1, 0));
    behind.thaw_watches();
    world.settle().await;
    assert_eq!((world.assert_one_pin(2).await, writes(&behind)), (generated, 0));
    world.finish().await;
}

/// Two operators may overlap for a moment: the PIN that the later one generated must never be used.
#[tokio::test]
async fn of_two_operators_that_create_a_pin_the_later_one_uses_the_existing_pin() {
    const THEIRS: &str = "004217";
    let mut world = World::new("late-pin", verified_number(json!({}))).await;
    let gate = Gate::start(world.config.clone()).await;
    world.tracked_secrets.push(THEIRS.to_owned());
    world.config = gate.config();
    gate.hold(Hold::before("create", "POST", SECRETS).body(SECRET));
    world.start().await;
    world.create(&app(INO, json!({}))).await;
    world.until_phase::<MetaApp>(INO, "Connected", "True/Connected").await;
    gate.freeze_watches(SECRETS);
    create_registered_number(&world).await;
    let request = gate.reached("create").await;
    // As the other operator writes it, except for the PIN.
    let mut secret: k8s_openapi::api::core::v1::Secret = serde_json::from_str(&request.body).unwrap();
    secret.string_data = Some([("pin".to_owned(), THEIRS.to_owned())].into());
    world.secrets().create(&kube::api::PostParams::default(), &secret).await.unwrap();
    gate.release("create");

    assert_eq!(world.assert_one_pin(1).await, THEIRS);
    assert_eq!(writes(&gate), 1);
    gate.thaw_watches();
    world.settle().await;
    world.finish().await;
}
