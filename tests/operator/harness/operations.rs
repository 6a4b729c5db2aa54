//! Every call that changes a number: the estate in which it is due, how it comes about, the points at which it can be
//! stopped, and what has to be so in the end. A new operation does not compile without its row.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Secret;
use kube::{
    ResourceExt,
    api::{DeleteParams, ListParams},
};
use serde_json::{Value, json};
use waba_operator::{
    api::{MetaApp, WhatsAppNumber},
    ledger::{Class, Operation},
};

use crate::harness::{
    gate::{Gate, Hold},
    manifests::{INO, app, number},
    operator::in_time,
    scenario::{PHONE, SUPPORT},
    seed::{self, ACCOUNT, NUMBER},
    world::{World, condition},
};

/// Where a call is stopped on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Point {
    /// It is about to be written down: the API server has not heard of it.
    BeforeIntent,
    /// It is written down, the operator has not heard so, and it is not sent.
    IntentWritten,
    /// It is sent, and Meta has not carried it out.
    OnItsWay,
    /// Meta has carried it out, and the operator has not read the answer.
    AnswerNotRead,
}

impl Point {
    pub const ALL: [Self; 4] = [Self::BeforeIntent, Self::IntentWritten, Self::OnItsWay, Self::AnswerNotRead];

    /// Whether Meta has the call when it is stopped here.
    pub fn is_sent(self) -> bool {
        matches!(self, Self::OnItsWay | Self::AnswerNotRead)
    }

    /// Has the next such call stopped here.
    pub async fn hold(self, world: &World, gate: &Gate, operation: Operation) {
        // Writing down is a write of the ledger that names the operation as open.
        let intent = format!("\"waba.dev/open-calls\":\"[^\"]*{}", operation.as_str());
        let ledger = "/secrets(/waba-number-[0-9]+)?$";
        let (method, path) = call(operation);
        let at_meta = |at: &str| json!([{"name": HELD, "method": method, "path": path, "at": at}]);
        match self {
            Self::BeforeIntent => gate.hold(Hold::before(HELD, "POST|PUT", ledger).body(&intent)),
            Self::IntentWritten => gate.hold(Hold::after(HELD, "POST|PUT", ledger).body(&intent)),
            Self::OnItsWay => drop(world.sim.post("holds", at_meta("before")).await.unwrap()),
            Self::AnswerNotRead => drop(world.sim.post("holds", at_meta("after")).await.unwrap()),
        }
    }

    /// Waits until it is stopped here.
    pub async fn reached(self, world: &World, gate: &Gate) {
        if self.is_sent() {
            in_time("Meta has the call", world.sim.reached(HELD)).await.unwrap();
        } else {
            gate.reached(HELD).await;
        }
    }

    /// Lets it go on.
    pub async fn release(self, world: &World, gate: &Gate) {
        if self.is_sent() {
            world.sim.release(HELD).await.unwrap();
        } else {
            gate.release(HELD);
        }
    }
}

/// The name of the hold.
pub const HELD: &str = "held";

const CALLBACK: &str = "https://cc.example.com/hook";
const VERIFY_TOKEN: &str = "kVerifyTokenOfTheMatrix7";
const PIN: &str = "048213";

/// A world in which the operation is due, and a gate for its operator.
pub async fn due(prefix: &str, operation: Operation) -> (World, Gate) {
    let world = World::new(&prefixed(prefix, operation), estate(operation)).await;
    let gate = Gate::start(world.config.clone()).await;
    (stocked(world, operation).await, gate)
}

/// A world in which the operation is due, on a control plane of the test's own.
pub async fn due_on(plane: &control_plane::ControlPlane, prefix: &str, operation: Operation) -> World {
    stocked(World::on(plane, &prefixed(prefix, operation), estate(operation)).await, operation).await
}

fn prefixed(prefix: &str, operation: Operation) -> String {
    format!("{prefix}-{}", operation.as_str().to_lowercase())
}

/// The world with the Secrets that people keep in it.
async fn stocked(mut world: World, operation: Operation) -> World {
    world.planted.extend([VERIFY_TOKEN.to_owned(), "222222".to_owned()]);
    world.put_secret("cc-webhook", &[("verify-token", VERIFY_TOKEN)]).await;
    let own_pin = if operation == Operation::SetPin { "222222" } else { PIN };
    world.put_secret("own-pin", &[("pin", own_pin)]).await;
    world
}

/// Brings the world, whose operator runs, to where the operation can be asked for.
pub async fn ready(world: &World, operation: Operation) {
    ready_with(world, operation, json!({})).await;
}

/// The same, with these fields in the app's spec.
pub async fn ready_with(world: &World, operation: Operation, fields: Value) {
    world.create(&app(INO, fields)).await;
    world.stands::<MetaApp>(INO, "Connected", "True/Connected").await;
    prepare(world, operation).await;
    if operation == Operation::SetPin {
        // The PIN that Meta refused was the wrong one; this is the one to be set.
        world.put_secret("own-pin", &[("pin", PIN)]).await;
        world.settle().await;
    }
}

/// The estate in which the operation is due.
fn estate(operation: Operation) -> Value {
    let mut seed = seed::small();
    // However long it takes: Meta counts by its own hours.
    seed["accounts"][0]["rate_limit"] = json!(100_000);
    let mut row = seed::number(NUMBER, ACCOUNT, "+33 6 12 34 56 78");
    let mut set = |fields: Value| row.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    set(json!({"pending_seconds": 1}));
    let unregistered =
        json!({"status": "DISCONNECTED", "platform_type": "NOT_APPLICABLE", "last_onboarded_time": null});
    match operation {
        Operation::AddNumber | Operation::Deregister | Operation::WriteProfile => {}
        Operation::RequestCode | Operation::VerifyCode => {
            set(unregistered);
            set(json!({"code_verification_status": "NOT_VERIFIED"}));
        }
        Operation::Register => {
            set(unregistered);
            set(json!({"code_verification_status": "VERIFIED"}));
        }
        Operation::SetPin => {
            set(unregistered);
            set(json!({"code_verification_status": "VERIFIED", "pin": "111111"}));
        }
        Operation::RegisterAgain => {
            set(json!({"pin": PIN, "new_display_name": "INO Help", "new_name_status": "APPROVED"}));
        }
        Operation::SetWebhook | Operation::ClearWebhook => {
            seed["accounts"][0]["subscribed_apps"] = json!([{"app": seed::APP}]);
            seed["receivers"] = json!([{"url": CALLBACK, "verify_token": VERIFY_TOKEN}]);
        }
    }
    row.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    seed["numbers"] = if operation == Operation::AddNumber { json!([]) } else { json!([row]) };
    seed
}

/// The call at Meta: its method and path.
pub fn call(operation: Operation) -> (&'static str, &'static str) {
    match operation {
        Operation::AddNumber => ("POST", "/phone_numbers$"),
        Operation::RequestCode => ("POST", "/request_code$"),
        Operation::VerifyCode => ("POST", "/verify_code$"),
        Operation::Register | Operation::RegisterAgain => ("POST", "/register$"),
        Operation::Deregister => ("POST", "/deregister$"),
        Operation::SetPin | Operation::SetWebhook | Operation::ClearWebhook => ("POST", "/106540352242922$"),
        Operation::WriteProfile => ("POST", "/whatsapp_business_profile$"),
    }
}

/// What the object asks for.
fn blocks(operation: Operation) -> Value {
    let webhook = json!({"webhook": {
        "callbackURL": CALLBACK, "verifyTokenRef": {"name": "cc-webhook", "key": "verify-token"},
    }});
    match operation {
        Operation::AddNumber => {
            json!({"provisioning": "AddIfMissing", "businessAccountID": ACCOUNT, "requestedName": "INO Support"})
        }
        Operation::RequestCode | Operation::VerifyCode => json!({"verification": {}}),
        Operation::Register => json!({"registration": {}}),
        Operation::RegisterAgain | Operation::SetPin => {
            json!({"registration": {"pinRef": {"name": "own-pin", "key": "pin"}}})
        }
        Operation::Deregister => json!({"deletionPolicy": "Deregister"}),
        Operation::SetWebhook | Operation::ClearWebhook => json!({"incoming": webhook}),
        Operation::WriteProfile => json!({"profile": {"about": "Here to help", "websites": ["https://INO.cx"]}}),
    }
}

/// Brings the operation about, once the operator runs; what has to come before it is done already.
pub async fn ask_for(world: &World, operation: Operation) {
    match operation {
        Operation::AddNumber
        | Operation::RequestCode
        | Operation::Register
        | Operation::SetWebhook
        | Operation::WriteProfile => {
            world.create(&number(SUPPORT, PHONE, blocks(operation))).await;
        }
        Operation::VerifyCode => {
            let code = world.code(NUMBER).await;
            world.put_secret("support-code", &[("code", &code)]).await;
        }
        Operation::RegisterAgain => {
            world.ask::<WhatsAppNumber>(SUPPORT, "waba.dev/register-at", 0).await;
        }
        Operation::SetPin => {
            world.ask::<WhatsAppNumber>(SUPPORT, "waba.dev/reset-pin-at", 0).await;
        }
        Operation::Deregister => {
            world.api::<WhatsAppNumber>().delete(SUPPORT, &DeleteParams::default()).await.unwrap();
        }
        Operation::ClearWebhook => {
            world.patch::<WhatsAppNumber>(SUPPORT, json!({"spec": {"incoming": null}})).await;
        }
    }
}

/// What has to be so before the operation can be asked for.
async fn prepare(world: &World, operation: Operation) {
    match operation {
        Operation::AddNumber
        | Operation::RequestCode
        | Operation::Register
        | Operation::WriteProfile
        | Operation::SetWebhook => return,
        _ => world.create(&number(SUPPORT, PHONE, blocks(operation))).await,
    };
    match operation {
        Operation::VerifyCode => {
            world.stands::<WhatsAppNumber>(SUPPORT, "AwaitingCode", "False/AwaitingCode").await;
        }
        Operation::RegisterAgain => {
            world.condition::<WhatsAppNumber>(SUPPORT, "NameApproved", "False/ReRegisterRequired").await;
        }
        Operation::SetPin => {
            world.stands::<WhatsAppNumber>(SUPPORT, "PINRequired", "False/PINRefused").await;
        }
        Operation::ClearWebhook => {
            world.condition::<WhatsAppNumber>(SUPPORT, "RoutingConfigured", "True/Configured").await;
        }
        Operation::Deregister => {
            let waits = |object: &WhatsAppNumber| !object.finalizers().is_empty();
            world.until(SUPPORT, "it waits when it is deleted", waits).await;
            world.stands::<WhatsAppNumber>(SUPPORT, "Enabled", "True/Enabled").await;
        }
        _ => {}
    }
}

/// What must be in the end, whatever happened on the way: one effect, nothing lost, nothing stuck. `sent`: whether Meta was
/// ever asked before the operator died.
pub async fn must_be(world: &World, operation: Operation, sent: bool) {
    match operation {
        Operation::AddNumber => {
            world.stands::<WhatsAppNumber>(SUPPORT, "Unverified", "True/Adopted").await;
            assert_eq!(world.numbers_at_meta().await, 1);
        }
        Operation::RequestCode => {
            world.stands::<WhatsAppNumber>(SUPPORT, "AwaitingCode", "False/AwaitingCode").await;
            if !sent {
                // Nobody can know that it was not sent: a person asks, and then it is.
                assert_eq!(world.counters(NUMBER).await["codes"], 0);
                world.ask::<WhatsAppNumber>(SUPPORT, "waba.dev/request-code-at", 0).await;
                world.so("a code is sent", async || (world.counters(NUMBER).await["codes"] == 1).then_some(())).await;
                world.stands::<WhatsAppNumber>(SUPPORT, "AwaitingCode", "False/AwaitingCode").await;
            }
            let code = world.code(NUMBER).await;
            world.put_secret("support-code", &[("code", &code)]).await;
            world.condition::<WhatsAppNumber>(SUPPORT, "Verified", "True/Verified").await;
            assert_eq!(world.counters(NUMBER).await["codes"], 1);
        }
        Operation::VerifyCode => {
            world.condition::<WhatsAppNumber>(SUPPORT, "Verified", "True/Verified").await;
            assert_eq!(world.counters(NUMBER).await["codes"], 1);
        }
        Operation::Register => {
            world.stands::<WhatsAppNumber>(SUPPORT, "Enabled", "True/Enabled").await;
            let pin = world.secret_value("support-pin", "pin").await;
            assert_eq!((world.pin_at_meta(NUMBER).await, world.pins_set(NUMBER).await), (pin, 1));
            world.condition::<WhatsAppNumber>(SUPPORT, "PINSynced", "True/PINSynced").await;
        }
        Operation::RegisterAgain => {
            let renamed = async || {
                let shown = world.sim.get(&format!("numbers/{NUMBER}")).await.unwrap();
                shown["new_name_status"].is_null().then_some(())
            };
            if !sent {
                let told = world.condition::<WhatsAppNumber>(SUPPORT, "NameApproved", "False/ReRegisterRequired").await;
                assert!(told.contains("waba.dev/register-at"), "{told}");
                world.settle().await;
                assert!(renamed().await.is_none(), "it was not sent, and is not sent by itself");
                world.ask::<WhatsAppNumber>(SUPPORT, "waba.dev/register-at", 0).await;
            }
            world.so("the new name is in force", renamed).await;
            world.condition::<WhatsAppNumber>(SUPPORT, "NameApproved", "True/NameApproved").await;
            assert_eq!(world.counters(NUMBER).await["register"], 1);
        }
        Operation::SetPin => {
            world.stands::<WhatsAppNumber>(SUPPORT, "Enabled", "True/Enabled").await;
            assert_eq!(world.pin_at_meta(NUMBER).await.as_deref(), Some(PIN));
            world.condition::<WhatsAppNumber>(SUPPORT, "PINSynced", "True/PINSynced").await;
        }
        Operation::Deregister => {
            world.gone::<WhatsAppNumber>(SUPPORT).await;
            let shown = world.sim.get(&format!("numbers/{NUMBER}")).await.unwrap();
            assert_eq!(shown["platform_type"], "NOT_APPLICABLE");
        }
        Operation::SetWebhook => {
            world.condition::<WhatsAppNumber>(SUPPORT, "RoutingConfigured", "True/Configured").await;
            assert_eq!(world.callback_at_meta().await.as_deref(), Some(CALLBACK));
        }
        Operation::ClearWebhook => {
            world.so("it is removed", async || world.callback_at_meta().await.is_none().then_some(())).await;
            let gone = |object: &WhatsAppNumber| condition(object, "RoutingConfigured").is_none();
            world.until(SUPPORT, "nothing is said of a callback", gone).await;
        }
        Operation::WriteProfile => {
            world.condition::<WhatsAppNumber>(SUPPORT, "ProfileSynced", "True/ProfileSynced").await;
            let shown = world.sim.get(&format!("numbers/{NUMBER}")).await.unwrap();
            assert_eq!(shown["profile"]["about"], "Here to help");
        }
    }
}

/// How often Meta may have carried it out: once, but for what has the same end however often it is done.
fn most_effects(operation: Operation) -> usize {
    match operation.class() {
        Class::Absorbing => 2,
        _ => 1,
    }
}

/// One effect, and nothing left open.
pub async fn must_be_over(world: &World, operation: Operation, cell: &str) {
    let effects = world.effects(operation).await;
    assert!((1..=most_effects(operation)).contains(&effects), "{cell}: {effects} effects\n{}", world.picture().await);
    let none_open = async || world.open_calls().await.is_empty().then_some(());
    world.so(&format!("{cell}: nothing is left open"), none_open).await;
}

impl World {
    pub async fn numbers_at_meta(&self) -> usize {
        self.sim.get("state").await.unwrap()["numbers"].as_array().unwrap().len()
    }

    async fn callback_at_meta(&self) -> Option<String> {
        let shown = self.sim.get(&format!("numbers/{NUMBER}")).await.unwrap();
        shown["webhook_configuration"]["override_callback_uri"].as_str().map(str::to_owned)
    }

    /// How often a PIN was put in force by a call.
    async fn pins_set(&self, id: &str) -> usize {
        let counters = self.counters(id).await;
        counters["pins"].as_array().unwrap().iter().filter(|pin| !pin["setBy"].is_null()).count()
    }

    /// How often Meta carried the operation out.
    pub async fn effects(&self, operation: Operation) -> usize {
        let (method, path) = call(operation);
        let path = path.trim_end_matches('$');
        // Three of them have one path.
        let effect = match operation {
            Operation::SetPin => "PIN set",
            Operation::SetWebhook => "override set",
            Operation::ClearWebhook => "override removed",
            _ => "",
        };
        let calls = self.sim.calls(0).await.unwrap();
        let is_it = |call: &&Value| {
            call["method"] == method
                && call["path"].as_str().is_some_and(|p| p.ends_with(path))
                && call["effect"].as_str().is_some_and(|done| done.contains(effect))
        };
        calls.iter().filter(is_it).count()
    }

    /// What ledgers say is under way.
    pub async fn open_calls(&self) -> BTreeMap<String, String> {
        let secrets = self.secrets().list(&ListParams::default()).await.unwrap();
        let open =
            |secret: &Secret| Some((secret.name_any(), secret.annotations().get("waba.dev/open-calls")?.clone()));
        secrets.iter().filter_map(open).collect()
    }
}
