//! The kill matrix: for every call that changes a number, the operator is killed (SIGKILL) at every point on its way, and
//! the next one finds out what happened. Generated from the list of operations: a new one does not compile without a row.
//!
//! | point | what is so when the operator dies |
//! |---|---|
//! | `BeforeIntent` | it is about to write down the call: the API server never hears of it |
//! | `IntentWritten` | the call is written down, and not sent |
//! | `OnItsWay` | the call is sent; Meta carries it out later, when the next operator is at work |
//! | `AnswerNotRead` | Meta has carried it out, and the operator has not read the answer |
//! | `AnswerLost` | as before; the connection breaks, and the operator lives |

use std::collections::BTreeMap;

use kube::{Api, ResourceExt, api::DeleteParams};
use serde_json::{Value, json};
use waba_operator::{
    api::{MetaApp, WhatsAppNumber},
    ledger::Operation,
};

use crate::{
    gate::{Gate, Hold},
    harness::{World, condition},
    ladder::SUPPORT,
    manifests::{INO, app, number},
    program::ProgramSettings,
    seed::{self, ACCOUNT, NUMBER},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Point {
    BeforeIntent,
    IntentWritten,
    OnItsWay,
    AnswerNotRead,
    AnswerLost,
}

const POINTS: [Point; 5] =
    [Point::BeforeIntent, Point::IntentWritten, Point::OnItsWay, Point::AnswerNotRead, Point::AnswerLost];

const PHONE: &str = "+33612345678";
const CALLBACK: &str = "https://cc.example.com/hook";
const VERIFY_TOKEN: &str = "kVerifyTokenOfTheMatrix7";
const PIN: &str = "048213";

/// The estate in which the operation is due.
fn estate(operation: Operation) -> Value {
    let mut seed = seed::small();
    let mut row = seed::number(NUMBER, ACCOUNT, "+33 6 12 34 56 78");
    let mut set = |fields: Value| row.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    set(json!({"pending_seconds": 1}));
    let unregistered =
        json!({"status": "DISCONNECTED", "platform_type": "NOT_APPLICABLE", "last_onboarded_time": null});
    match operation {
        Operation::AddNumber => {}
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
            set(json!({"pin": PIN, "new_display_name": "INO Help", "new_name_status": "APPROVED"}))
        }
        Operation::Deregister | Operation::WriteProfile => {}
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
fn call(operation: Operation) -> (&'static str, &'static str) {
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
async fn ask_for(world: &World, operation: Operation) {
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
async fn must_be(world: &World, operation: Operation, sent: bool) {
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
        waba_operator::ledger::Class::Absorbing => 2,
        _ => 1,
    }
}

impl World {
    async fn numbers_at_meta(&self) -> usize {
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
    async fn effects(&self, operation: Operation) -> usize {
        let (method, path) = call(operation);
        let path = path.trim_end_matches('$');
        let calls = self.sim.calls(0).await.unwrap();
        let is_it = |call: &&Value| {
            call["method"] == method
                && call["path"].as_str().is_some_and(|p| p.ends_with(path))
                && !call["effect"].is_null()
        };
        calls.iter().filter(is_it).count()
    }
}

/// One cell: the operation, and the point at which the operator dies.
async fn cell(operation: Operation, point: Point) {
    let name = operation.as_str().to_lowercase();
    let mut world = World::new(&format!("m-{name}"), estate(operation)).await;
    world.planted.extend([VERIFY_TOKEN.to_owned(), "222222".to_owned()]);
    world.put_secret("cc-webhook", &[("verify-token", VERIFY_TOKEN)]).await;
    let own_pin = if operation == Operation::SetPin { "222222" } else { PIN };
    world.put_secret("own-pin", &[("pin", own_pin)]).await;
    let gate = Gate::start(world.config.clone()).await;
    let settings = ProgramSettings { kubeconfig: gate.kubeconfig(), ..world.program_settings() };
    world.start_program(&settings).await;
    world.create(&app(INO, json!({}))).await;
    world.stands::<MetaApp>(INO, "Connected", "True/Connected").await;
    prepare(&world, operation).await;
    if operation == Operation::SetPin {
        // The PIN that Meta refused was the wrong one; this is the one to be set.
        world.put_secret("own-pin", &[("pin", PIN)]).await;
        world.settle().await;
    }

    let (method, path) = call(operation);
    let at_meta = |at: &str| json!([{"name": "call", "method": method, "path": path, "at": at}]);
    // Writing down is a write of the ledger that names the operation as open.
    let intent = format!("\"waba.dev/open-calls\":\"[^\"]*{}", operation.as_str());
    let ledger = "/secrets(/waba-number-[0-9]+)?$";
    match point {
        Point::BeforeIntent => gate.hold(Hold::before("intent", "POST|PUT", ledger).body(&intent)),
        Point::IntentWritten => gate.hold(Hold::after("intent", "POST|PUT", ledger).body(&intent)),
        Point::OnItsWay => drop(world.sim.post("holds", at_meta("before")).await.unwrap()),
        Point::AnswerNotRead => drop(world.sim.post("holds", at_meta("after")).await.unwrap()),
        Point::AnswerLost => {
            world.fault(json!({"method": method, "path": path, "times": 1, "after": {"reset": true}})).await;
        }
    }
    ask_for(&world, operation).await;
    match point {
        Point::BeforeIntent | Point::IntentWritten => {
            gate.reached("intent").await;
            world.take_program().kill();
            gate.refuse("intent");
        }
        Point::OnItsWay | Point::AnswerNotRead => {
            crate::operator::in_time("Meta has the call", world.sim.reached("call")).await.unwrap();
            world.take_program().kill();
        }
        Point::AnswerLost => {}
    }
    if point == Point::OnItsWay {
        // Meta is slow: the next operator is at work before it is done.
        world.start_program(&settings).await;
        world.program().until_ready("running").await;
        world.sim.release("call").await.unwrap();
    } else if point != Point::AnswerLost {
        if point == Point::AnswerNotRead {
            world.sim.release("call").await.unwrap();
        }
        world.start_program(&settings).await;
    }
    let sent = !matches!(point, Point::BeforeIntent | Point::IntentWritten);
    // What was not even written down is simply done now.
    must_be(&world, operation, sent || point == Point::BeforeIntent).await;
    if operation != Operation::Deregister {
        world.settle().await;
    }
    let effects = world.effects(operation).await;
    assert!(
        (1..=most_effects(operation)).contains(&effects),
        "{operation} at {point:?}: {effects} effects\n{}",
        world.picture().await
    );
    let open = world.open_calls().await;
    assert!(open.is_empty(), "{operation} at {point:?}: still open: {open:?}");
    world.finish().await;
}

impl World {
    /// What ledgers say is under way.
    async fn open_calls(&self) -> BTreeMap<String, String> {
        let secrets = Api::<k8s_openapi::api::core::v1::Secret>::namespaced(self.client.clone(), &self.namespace);
        let secrets = secrets.list(&kube::api::ListParams::default()).await.unwrap();
        let open = |secret: &k8s_openapi::api::core::v1::Secret| {
            Some((secret.name_any(), secret.annotations().get("waba.dev/open-calls")?.clone()))
        };
        secrets.iter().filter_map(open).collect()
    }
}

/// All points of one operation, side by side.
async fn row(operation: Operation) {
    futures::future::join_all(POINTS.map(|point| cell(operation, point))).await;
}

macro_rules! rows {
    ($($test:ident: $operation:ident,)+) => {
        $(#[tokio::test]
        async fn $test() {
            row(Operation::$operation).await;
        })+

        #[test]
        fn no_operation_is_missing() {
            assert_eq!([$(Operation::$operation),+], Operation::ALL);
        }
    };
}

rows! {
    add_number: AddNumber,
    request_code: RequestCode,
    verify_code: VerifyCode,
    register: Register,
    register_again: RegisterAgain,
    set_pin: SetPin,
    deregister: Deregister,
    set_webhook: SetWebhook,
    clear_webhook: ClearWebhook,
    write_profile: WriteProfile,
}
