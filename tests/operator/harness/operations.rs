//! Every call that changes a number: the state at Meta that it needs, what causes it, and the final state. A new operation does not compile without its row.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Secret;
use kube::{
    ResourceExt,
    api::{DeleteParams, ListParams},
};
use serde_json::{Value, json};
use waba_operator::{
    api::{MetaApp, WhatsAppNumber},
    calls::{Class, Operation},
};

use crate::harness::{
    gate::Gate,
    manifests::{INO, app, number},
    scenario::{PHONE, SUPPORT},
    seed::{self, ACCOUNT, NUMBER},
    world::{World, condition},
};

const CALLBACK: &str = "https://cc.example.com/hook";
const VERIFY_TOKEN: &str = "kVerifyTokenOfTheMatrix7";
const PIN: &str = "048213";

/// A world prepared for the operation (no operator runs yet), and a gate for its operator.
pub async fn world_for(prefix: &str, operation: Operation) -> (World, Gate) {
    let world = World::new(&namespace_prefix(prefix, operation), seed_for(operation)).await;
    let gate = Gate::start(world.config.clone()).await;
    (with_user_secrets(world, operation).await, gate)
}

/// The same on a control plane of the test's own, without a gate.
pub async fn world_for_on(plane: &control_plane::ControlPlane, prefix: &str, operation: Operation) -> World {
    with_user_secrets(World::on(plane, &namespace_prefix(prefix, operation), seed_for(operation)).await, operation)
        .await
}

fn namespace_prefix(prefix: &str, operation: Operation) -> String {
    format!("{prefix}-{}", operation.as_str().to_lowercase())
}

/// Creates the Secrets that people provide.
async fn with_user_secrets(mut world: World, operation: Operation) -> World {
    world.tracked_secrets.extend([VERIFY_TOKEN.to_owned(), "222222".to_owned()]);
    world.put_secret("cc-webhook", &[("verify-token", VERIFY_TOKEN)]).await;
    let own_pin = if operation == Operation::SetPin { "222222" } else { PIN };
    world.put_secret("own-pin", &[("pin", own_pin)]).await;
    world
}

/// Creates the app and, where the operation needs it, the number, and waits until [`trigger`] can cause the call.
pub async fn prepare(world: &World, operation: Operation) {
    prepare_with_app_fields(world, operation, json!({})).await;
}

/// As [`prepare`], with these fields in the app's spec.
pub async fn prepare_with_app_fields(world: &World, operation: Operation, fields: Value) {
    world.create(&app(INO, fields)).await;
    world.until_phase::<MetaApp>(INO, "Connected", "True/Connected").await;
    prepare_number(world, operation).await;
    if operation == Operation::SetPin {
        // Meta refused the wrong PIN; this is the one to be set.
        world.put_secret("own-pin", &[("pin", PIN)]).await;
        world.settle().await;
    }
}

/// The state at Meta in which the operation is needed.
fn seed_for(operation: Operation) -> Value {
    let mut seed = seed::small();
    // A high limit: Meta counts calls by its own hours, however long the test takes.
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

/// The spec blocks that cause the operation.
fn spec_for(operation: Operation) -> Value {
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

/// Causes the call; [`prepare`] has done everything before it.
pub async fn trigger(world: &World, operation: Operation) {
    match operation {
        Operation::AddNumber
        | Operation::RequestCode
        | Operation::Register
        | Operation::SetWebhook
        | Operation::WriteProfile => {
            world.create(&number(SUPPORT, PHONE, spec_for(operation))).await;
        }
        Operation::VerifyCode => {
            let code = world.sent_code(NUMBER).await;
            world.put_secret("support-code", &[("code", &code)]).await;
        }
        Operation::RegisterAgain => {
            world.request_action::<WhatsAppNumber>(SUPPORT, "waba.dev/register-at", 0).await;
        }
        Operation::SetPin => {
            world.request_action::<WhatsAppNumber>(SUPPORT, "waba.dev/reset-pin-at", 0).await;
        }
        Operation::Deregister => {
            world.api::<WhatsAppNumber>().delete(SUPPORT, &DeleteParams::default()).await.unwrap();
        }
        Operation::ClearWebhook => {
            world.patch::<WhatsAppNumber>(SUPPORT, json!({"spec": {"incoming": null}})).await;
        }
    }
}

/// Creates the number and waits, where the operation needs an existing object.
async fn prepare_number(world: &World, operation: Operation) {
    match operation {
        Operation::AddNumber
        | Operation::RequestCode
        | Operation::Register
        | Operation::WriteProfile
        | Operation::SetWebhook => return,
        _ => world.create(&number(SUPPORT, PHONE, spec_for(operation))).await,
    };
    match operation {
        Operation::VerifyCode => {
            world.until_phase::<WhatsAppNumber>(SUPPORT, "AwaitingCode", "False/AwaitingCode").await;
        }
        Operation::RegisterAgain => {
            world.until_condition::<WhatsAppNumber>(SUPPORT, "NameApproved", "False/ReRegisterRequired").await;
        }
        Operation::SetPin => {
            world.until_phase::<WhatsAppNumber>(SUPPORT, "PINRequired", "False/PINRefused").await;
        }
        Operation::ClearWebhook => {
            world.until_condition::<WhatsAppNumber>(SUPPORT, "RoutingConfigured", "True/Configured").await;
        }
        Operation::Deregister => {
            let waits = |object: &WhatsAppNumber| !object.finalizers().is_empty();
            world.until(SUPPORT, "the object has a finalizer", waits).await;
            world.until_phase::<WhatsAppNumber>(SUPPORT, "Enabled", "True/Enabled").await;
        }
        _ => {}
    }
}

/// Checks the final state, whatever happened on the way: one effect, nothing lost, nothing stuck. `sent`: whether Meta
/// may have received the call before the operator was killed.
pub async fn assert_outcome(world: &World, operation: Operation, sent: bool) {
    match operation {
        Operation::AddNumber => {
            world.until_phase::<WhatsAppNumber>(SUPPORT, "Unverified", "True/Adopted").await;
            assert_eq!(world.numbers_at_meta().await, 1);
        }
        Operation::RequestCode => {
            world.until_phase::<WhatsAppNumber>(SUPPORT, "AwaitingCode", "False/AwaitingCode").await;
            if !sent {
                // The operator cannot know that the call was not sent, so a person has to request it.
                assert_eq!(world.counters(NUMBER).await["codes"], 0);
                world.request_action::<WhatsAppNumber>(SUPPORT, "waba.dev/request-code-at", 0).await;
                world
                    .eventually("Meta sends a code", async || {
                        (world.counters(NUMBER).await["codes"] == 1).then_some(())
                    })
                    .await;
                world.until_phase::<WhatsAppNumber>(SUPPORT, "AwaitingCode", "False/AwaitingCode").await;
            }
            let code = world.sent_code(NUMBER).await;
            world.put_secret("support-code", &[("code", &code)]).await;
            world.until_condition::<WhatsAppNumber>(SUPPORT, "Verified", "True/Verified").await;
            assert_eq!(world.counters(NUMBER).await["codes"], 1);
        }
        Operation::VerifyCode => {
            world.until_condition::<WhatsAppNumber>(SUPPORT, "Verified", "True/Verified").await;
            assert_eq!(world.counters(NUMBER).await["codes"], 1);
        }
        Operation::Register => {
            world.until_phase::<WhatsAppNumber>(SUPPORT, "Enabled", "True/Enabled").await;
            let pin = world.secret_value("support-pin", "pin").await;
            assert_eq!((world.pin_at_meta(NUMBER).await, world.pins_set(NUMBER).await), (pin, 1));
            world.until_condition::<WhatsAppNumber>(SUPPORT, "PINSynced", "True/PINSynced").await;
        }
        Operation::RegisterAgain => {
            let renamed = async || {
                let shown = world.sim.get(&format!("numbers/{NUMBER}")).await.unwrap();
                shown["new_name_status"].is_null().then_some(())
            };
            if !sent {
                let message =
                    world.until_condition::<WhatsAppNumber>(SUPPORT, "NameApproved", "False/ReRegisterRequired").await;
                assert!(message.contains("waba.dev/register-at"), "{message}");
                world.settle().await;
                assert!(renamed().await.is_none(), "the operator does not send the call by itself");
                world.request_action::<WhatsAppNumber>(SUPPORT, "waba.dev/register-at", 0).await;
            }
            world.eventually("the new display name is in force", renamed).await;
            world.until_condition::<WhatsAppNumber>(SUPPORT, "NameApproved", "True/NameApproved").await;
            assert_eq!(world.counters(NUMBER).await["register"], 1);
        }
        Operation::SetPin => {
            world.until_phase::<WhatsAppNumber>(SUPPORT, "Enabled", "True/Enabled").await;
            assert_eq!(world.pin_at_meta(NUMBER).await.as_deref(), Some(PIN));
            world.until_condition::<WhatsAppNumber>(SUPPORT, "PINSynced", "True/PINSynced").await;
        }
        Operation::Deregister => {
            world.until_gone::<WhatsAppNumber>(SUPPORT).await;
            let shown = world.sim.get(&format!("numbers/{NUMBER}")).await.unwrap();
            assert_eq!(shown["platform_type"], "NOT_APPLICABLE");
        }
        Operation::SetWebhook => {
            world.until_condition::<WhatsAppNumber>(SUPPORT, "RoutingConfigured", "True/Configured").await;
            assert_eq!(world.callback_at_meta().await.as_deref(), Some(CALLBACK));
        }
        Operation::ClearWebhook => {
            world
                .eventually("the callback is removed", async || world.callback_at_meta().await.is_none().then_some(()))
                .await;
            let gone = |object: &WhatsAppNumber| condition(object, "RoutingConfigured").is_none();
            world.until(SUPPORT, "there is no RoutingConfigured condition", gone).await;
        }
        Operation::WriteProfile => {
            world.until_condition::<WhatsAppNumber>(SUPPORT, "ProfileSynced", "True/ProfileSynced").await;
            let shown = world.sim.get(&format!("numbers/{NUMBER}")).await.unwrap();
            assert_eq!(shown["profile"]["about"], "Here to help");
        }
    }
}

/// How often Meta may carry out the operation: once, or twice where a repetition changes nothing.
fn most_effects(operation: Operation) -> usize {
    match operation.class() {
        Class::Absorbing => 2,
        _ => 1,
    }
}

/// Checks that Meta carried out the operation once, and that no ledger has an open call.
pub async fn assert_done_once(world: &World, operation: Operation, cell: &str) {
    let effects = world.effects(operation).await;
    assert!(
        (1..=most_effects(operation)).contains(&effects),
        "{cell}: {effects} effects\n{}",
        world.diagnostics().await
    );
    let none_open = async || world.open_calls().await.is_empty().then_some(());
    world.eventually(&format!("{cell}: no call is open"), none_open).await;
}

impl World {
    pub async fn numbers_at_meta(&self) -> usize {
        self.sim.get("state").await.unwrap()["numbers"].as_array().unwrap().len()
    }

    async fn callback_at_meta(&self) -> Option<String> {
        let shown = self.sim.get(&format!("numbers/{NUMBER}")).await.unwrap();
        shown["webhook_configuration"]["override_callback_uri"].as_str().map(str::to_owned)
    }

    /// How many calls put a PIN in force.
    async fn pins_set(&self, id: &str) -> usize {
        let counters = self.counters(id).await;
        counters["pins"].as_array().unwrap().iter().filter(|pin| !pin["setBy"].is_null()).count()
    }

    /// How often Meta carried out the operation.
    pub async fn effects(&self, operation: Operation) -> usize {
        let (method, path) = call(operation);
        let path = path.trim_end_matches('$');
        // Three operations share one path.
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

    /// The open calls in all ledgers, by Secret.
    pub async fn open_calls(&self) -> BTreeMap<String, String> {
        let secrets = self.secrets().list(&ListParams::default()).await.unwrap();
        let open =
            |secret: &Secret| Some((secret.name_any(), secret.annotations().get("waba.dev/open-calls")?.clone()));
        secrets.iter().filter_map(open).collect()
    }
}
