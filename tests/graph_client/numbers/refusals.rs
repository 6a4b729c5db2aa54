//! Meta's refusals, as the simulator has them: code, class, and message.

use serde_json::{Value, json};

use super::{
    Add, CONNECTED, Deregister, Op, Register, RequestCode, Scene, SetPin, SetWebhook, UNVERIFIED, VERIFIED, VerifyCode,
    WriteProfile, error, name,
};
use crate::support::{SECOND_WABA, WABA};

/// A refused call: under which circumstances, and how.
struct Case {
    reason: &'static str,
    op: Op,
    /// What is changed at Meta before the call.
    given: (String, Value),
    code: u32,
    subcode: Option<u32>,
    http: u16,
    class: &'static str,
    text: &'static str,
}

fn case(
    reason: &'static str,
    op: Op,
    (object, fields): (&str, Value),
    (code, subcode, http): (u32, u32, u16),
    class: &'static str,
    text: &'static str,
) -> Case {
    let subcode = Some(subcode).filter(|subcode| *subcode != 0);
    Case { reason, op, given: (object.to_owned(), fields), code, subcode, http, class, text }
}

const LOCKED: &str = "Meta has locked the account (Meta code 131031)";
const LOCKED_OR_PIN: &str = "Meta has locked the account, or the PIN is not the number's PIN (Meta code 131031)";
const NO_CODE: &str =
    "Meta sent no code: the number is verified already, or cannot be reached (Meta code 136024/2388091)";
const PARAMETER: &str = "a parameter of the call is not valid (Meta code 100)";
const UNREGISTERED: &str = "the number is not registered (Meta code 133010)";
const GONE: &str = "there is no such object at Meta, or the access token cannot see it (Meta code 100/33)";

#[rustfmt::skip]
fn cases() -> Vec<Case> {
    let number = |id: &str| format!("numbers/{id}");
    let (connected, verified, unverified) = (&*number(CONNECTED), &*number(VERIFIED), &*number(UNVERIFIED));
    let (account, business) = (&*format!("accounts/{WABA}"), "businesses/500");
    let here = json!({"display_phone_number": "+33 6 99 99 99 99"});
    let elsewhere = json!({"display_phone_number": "+33 6 99 99 99 99", "account": SECOND_WABA});
    vec![
        case("there already", Add, (unverified, here), (100, 2_388_012, 400), "Conflict",
            "the number is in use on WhatsApp already, in this account or elsewhere (Meta code 100/2388012)"),
        case("in another account", Add, (unverified, elsewhere), (100, 2_388_001, 400), "Conflict",
            "the number cannot be moved: its ownership is not confirmed, or its two-step PIN is still on (Meta code 100/2388001)"),
        case("as many as it may have", Add, (business, json!({"number_limit": 3})), (100, 0, 400), "BadRequest", PARAMETER),
        case("into a closed account", Add, (account, json!({"status": "DISABLED"})), (368, 0, 403), "Policy",
            "Meta blocks the account for a violation of its policies (Meta code 368)"),
        case("verified already", RequestCode, (unverified, json!({"code_verification_status": "VERIFIED"})),
            (136_024, 2_388_091, 400), "Conflict", NO_CODE),
        case("cannot be reached", RequestCode, (unverified, json!({"undeliverable": ["SMS"]})),
            (136_024, 2_388_091, 400), "Conflict", NO_CODE),
        case("on the Business app", RequestCode, (unverified, json!({"is_on_biz_app": true})),
            (136_024, 2_388_091, 400), "Conflict", NO_CODE),
        case("a wrong code", VerifyCode, (unverified, json!({})), (136_025, 2_388_093, 400), "BadRequest",
            "Meta did not accept the code (Meta code 136025/2388093)"),
        case("another PIN", Register, (verified, json!({"pin": "111111"})), (133_005, 0, 400), "BadRequest",
            "the PIN is not the number's PIN (Meta code 133005)"),
        case("a PIN that nobody knows", Register, (verified, json!({"is_pin_enabled": true})), (133_005, 0, 400), "BadRequest",
            "the PIN is not the number's PIN (Meta code 133005)"),
        case("not verified", Register, (verified, json!({"code_verification_status": "EXPIRED"})), (133_006, 0, 400),
            "Precondition", "the number has to be verified first (Meta code 133006)"),
        case("half deregistered", Register, (verified, json!({"half_deregistered": true})), (133_000, 0, 500), "Conflict",
            "an earlier deregistration of the number is incomplete (Meta code 133000)"),
        case("banned", Register, (verified, json!({"status": "BANNED"})), (131_031, 0, 403), "Policy", LOCKED_OR_PIN),
        case("in a closed account", Register, (account, json!({"status": "DISABLED"})), (131_031, 0, 403), "Policy", LOCKED_OR_PIN),
        case("deleted", Register, (verified, json!({"status": "DELETED"})), (33, 0, 400), "NotFound",
            "the number was deleted at Meta (Meta code 33)"),
        case("moved", Register, (verified, json!({"status": "MIGRATED"})), (100, 33, 400), "NotFound", GONE),
        case("on the Business app", Register, (verified, json!({"is_on_biz_app": true})), (100, 0, 400), "BadRequest", PARAMETER),
        case("not registered", Deregister, (connected, json!({"status": "DISCONNECTED"})), (133_010, 0, 400), "Precondition",
            UNREGISTERED),
        case("stopped half way", Deregister, (connected, json!({"incomplete_deregistrations": 1})), (133_000, 0, 500), "Conflict",
            "an earlier deregistration of the number is incomplete (Meta code 133000)"),
        case("on the Business app", Deregister, (connected, json!({"is_on_biz_app": true})), (100, 0, 400), "BadRequest", PARAMETER),
        case("banned", SetPin, (connected, json!({"status": "BANNED"})), (131_031, 0, 403), "Policy", LOCKED),
        case("the app does not listen", SetWebhook, (account, json!({"subscribed_apps": []})), (100, 0, 400), "BadRequest",
            PARAMETER),
        case("not registered", WriteProfile, (connected, json!({"platform_type": "NOT_APPLICABLE"})), (133_010, 0, 400),
            "Precondition", UNREGISTERED),
        case("no right to register", Register, ("tokens/main", json!({"scopes": ["whatsapp_business_management"]})),
            (200, 0, 403), "Permission", "the access token lacks the permission for this call (Meta code 200)"),
        case("another's account", SetPin, ("tokens/main", json!({"accounts": []})), (100, 33, 400), "NotFound", GONE),
        case("a dead token", SetPin, ("tokens/main", json!({"expires_at": "-1h"})), (190, 463, 401), "Token",
            "the access token has expired (Meta code 190/463)"),
    ]
}

#[tokio::test]
async fn each_refusal_has_its_code_class_and_message() {
    let scene = Scene::new().await;
    for Case { reason, op, given: (object, fields), code, subcode, http, class, text } in cases() {
        scene.reset().await;
        scene.patch(&object, fields).await;
        let outcome = scene.send(op).await;
        assert_eq!(name(&outcome), "Refused", "{op:?}, {reason}: {outcome:?}");
        let error = error(outcome);
        let found = (error.code(), error.subcode(), error.http_status());
        assert_eq!(found, (Some(code), subcode, Some(http)), "{op:?}, {reason}");
        assert_eq!((error.class().as_str(), error.to_string().as_str()), (class, text), "{op:?}, {reason}");
        assert_eq!(scene.world.calls().await.len(), 1, "{op:?}, {reason}: sent once");
    }
}

#[tokio::test]
async fn a_callback_that_fails_verification_is_refused() {
    let scene = Scene::new().await;
    let outcome = SetWebhook.send(&scene.world.client, "http://127.0.0.1:1/").await;
    assert_eq!(name(&outcome), "Refused");
    let error = error(outcome);
    assert_eq!((error.code(), error.class().as_str()), (Some(2200), "Transient"));
    assert_eq!(error.to_string(), "Meta could not verify the webhook's callback URL (Meta code 2200)");
}

#[tokio::test]
async fn a_business_app_number_in_a_clients_account_gets_no_own_callback() {
    let scene = Scene::new().await;
    scene.patch(&format!("numbers/{CONNECTED}"), json!({"is_on_biz_app": true})).await;
    scene.patch(&format!("accounts/{WABA}"), json!({"ownership_type": "CLIENT_OWNED"})).await;
    let error = error(scene.send(SetWebhook).await);
    assert_eq!((error.code(), error.http_status(), error.class().as_str()), (Some(200), Some(403), "Permission"));
}

#[tokio::test]
async fn too_many_pins_and_registrations_are_refused() {
    let scene = Scene::new().await;
    scene.patch(&format!("numbers/{VERIFIED}"), json!({"pin": "111111"})).await;
    let mut found = Vec::new();
    for wait in [0, 0, 60, 60, 60, 60, 60, 60, 60, 60, 60] {
        scene.world.control.advance(wait).await.unwrap();
        let outcome = scene.send(Register).await;
        assert_eq!(name(&outcome), "Refused", "{outcome:?}");
        found.push(error(outcome));
    }
    let codes: Vec<_> = found.iter().map(|error| error.code().unwrap()).collect();
    let expected = [133_005, 133_009, 133_005, 133_005, 133_005, 133_005, 133_008, 133_008, 133_008, 133_008, 133_016];
    assert_eq!(codes, expected, "only ten of them counted");
    let hours = |nth: usize| {
        let until: jiff::Timestamp = found[nth].throttled_until().unwrap();
        until.duration_since(scene.world.client.now()).as_hours()
    };
    assert_eq!(found[1].to_string(), "PINs were tried too fast: Meta requires a pause (Meta code 133009)");
    assert_eq!(found[6].to_string(), "too many wrong PINs were tried: Meta requires a pause (Meta code 133008)");
    let locked = "Meta has locked the number for 72 hours after too many registrations (Meta code 133016)";
    assert_eq!(found[10].to_string(), locked);
    assert!((71..=72).contains(&hours(10)), "{}", hours(10));
    assert_eq!(name(&scene.send(SetPin).await), "Done", "a limit of one number closes no gate");
}

/// Codes that Meta documents for onboarding, each with its documented status.
const DOCUMENTED: [(u32, u32, u16); 33] = [
    (0, 0, 401),
    (3, 0, 500),
    (10, 0, 403),
    (33, 0, 400),
    (100, 0, 400),
    (100, 33, 400),
    (190, 463, 401),
    (200, 0, 403),
    (368, 0, 403),
    (803, 0, 404),
    (2200, 0, 400),
    (130_497, 0, 403),
    (131_005, 0, 403),
    (131_009, 0, 400),
    (131_031, 0, 403),
    (131_037, 0, 400),
    (131_042, 0, 400),
    (131_045, 0, 500),
    (131_057, 0, 500),
    (133_000, 0, 500),
    (133_004, 0, 503),
    (133_005, 0, 400),
    (133_006, 0, 400),
    (133_008, 0, 400),
    (133_009, 0, 400),
    (133_010, 0, 400),
    (133_015, 0, 400),
    (133_016, 0, 400),
    (136_024, 2_388_091, 400),
    (136_025, 2_388_093, 400),
    (2_388_012, 0, 400),
    (2_388_103, 0, 400),
    (2_494_100, 0, 500),
];

#[tokio::test]
async fn a_documented_code_is_a_refusal_for_every_call_and_http_status() {
    let scene = Scene::new().await;
    for op in Op::ALL {
        for (code, subcode, documented) in DOCUMENTED {
            // One call is enough where the status differs from the documented one.
            let other = (op == Register && documented != 500).then_some(500);
            for status in [documented].into_iter().chain(other) {
                let body = json!({"error": {"code": code, "error_subcode": subcode, "message": "no"}});
                scene.reply_with(op, "before", &json!({"status": status, "body": body})).await;
                let outcome = scene.send(op).await;
                assert_eq!(name(&outcome), "Refused", "{op:?}: {code}/{subcode} with {status}: {outcome:?}");
                assert_eq!(error(outcome).code(), Some(code));
                assert_eq!(scene.world.calls().await.len(), 1, "{op:?}: {code}/{subcode}: sent once");
            }
        }
    }
}
