#![allow(clippy::panic)]

use super::*;
use Class::{AppCredentials, BadRequest, Conflict, NotFound, Permission, Policy, Precondition, Token, Transient};
use Endpoint::{AccessToken, Account, App, DebugToken};
use Kind::{Is, Throttled};

fn body(code: u32, subcode: u32) -> GraphErrorBody {
    GraphErrorBody { code: Some(code), subcode: (subcode != 0).then_some(subcode), ..GraphErrorBody::default() }
}

/// Every documented code: the reason, code, subcode (0: none), endpoint, HTTP status, class.
#[rustfmt::skip]
const DOCUMENTED: &[(&str, u32, u32, Endpoint, u16, Kind)] = &[
    ("the owner of the token is unknown", 0, 0, Account, 401, Is(Token)),
    ("1 is unknown, so transient", 1, 0, Account, 400, Is(Transient)),
    ("1 on oauth is a wrong secret", 1, 0, AccessToken, 400, Is(AppCredentials)),
    ("1 on oauth with its odd subcode", 1, 33, AccessToken, 400, Is(AppCredentials)),
    ("2 is down", 2, 0, Account, 503, Is(Transient)),
    ("3 is a capability", 3, 0, Account, 500, Is(Permission)),
    ("4 is the app's limit", 4, 0, Account, 400, Throttled(Scope::App)),
    ("10 is a permission", 10, 0, Account, 403, Is(Permission)),
    ("17 is a user's limit", 17, 0, Account, 400, Throttled(Scope::App)),
    ("32 is a page's limit", 32, 0, Account, 400, Throttled(Scope::App)),
    ("33 is a deleted number", 33, 0, Account, 400, Is(NotFound)),
    ("100 is a bad parameter", 100, 0, Account, 400, Is(BadRequest)),
    ("100/33 is missing or invisible", 100, 33, Account, 400, Is(NotFound)),
    ("100 on debug_token is a token of another app", 100, 0, DebugToken, 400, Is(Token)),
    ("101 is no such app", 101, 0, AccessToken, 400, Is(AppCredentials)),
    ("101 is no such app anywhere", 101, 0, App, 400, Is(AppCredentials)),
    ("102 is a dead session", 102, 0, Account, 401, Is(Token)),
    ("104 is the signature", 104, 0, Account, 400, Is(AppCredentials)),
    ("190 on the app's own token is the secret", 190, 0, App, 400, Is(AppCredentials)),
    ("190 on debug_token is the inspecting token", 190, 0, DebugToken, 400, Is(AppCredentials)),
    ("190 elsewhere is the token", 190, 0, Account, 401, Is(Token)),
    ("190 in an exchange is the token exchanged", 190, 463, AccessToken, 400, Is(Token)),
    ("190/458", 190, 458, Account, 401, Is(Token)),
    ("190/459", 190, 459, Account, 401, Is(Token)),
    ("190/460", 190, 460, Account, 401, Is(Token)),
    ("190/463", 190, 463, Account, 401, Is(Token)),
    ("190/464", 190, 464, Account, 401, Is(Token)),
    ("190/465", 190, 465, Account, 401, Is(Token)),
    ("190/466", 190, 466, Account, 401, Is(Token)),
    ("190/467", 190, 467, Account, 401, Is(Token)),
    ("190/468", 190, 468, Account, 401, Is(Token)),
    ("190/492", 190, 492, Account, 401, Is(Token)),
    ("190/493", 190, 493, Account, 401, Is(Token)),
    ("200 begins the permissions", 200, 0, Account, 403, Is(Permission)),
    ("294 is one of them", 294, 0, Account, 403, Is(Permission)),
    ("299 ends them", 299, 0, Account, 403, Is(Permission)),
    ("341 is an app's limit", 341, 0, Account, 400, Throttled(Scope::App)),
    ("368 is a policy", 368, 0, Account, 403, Is(Policy)),
    ("613 is a custom limit", 613, 1996, Account, 400, Throttled(Scope::App)),
    ("803 is what the specification has for 100/33", 803, 0, Account, 404, Is(NotFound)),
    ("2200 is the callback", 2200, 0, Account, 400, Is(Transient)),
    ("2500 is no token", 2500, 0, Account, 400, Is(Token)),
    ("80007 is the account's limit", 80_007, 0, Account, 400, Throttled(Scope::Account)),
    ("80008 is the account's limit", 80_008, 0, Account, 400, Throttled(Scope::Account)),
    ("130429 is throughput", 130_429, 0, Account, 400, Throttled(Scope::Object)),
    ("130497 is a country", 130_497, 0, Account, 403, Is(Policy)),
    ("131000 is internal", 131_000, 0, Account, 500, Is(Transient)),
    ("131005 is a permission", 131_005, 0, Account, 403, Is(Permission)),
    ("131008 is a missing parameter", 131_008, 0, Account, 400, Is(BadRequest)),
    ("131009 is a bad value", 131_009, 0, Account, 400, Is(BadRequest)),
    ("131009/2494102 is a media handle", 131_009, 2_494_102, Account, 400, Is(BadRequest)),
    ("131016 is unavailable", 131_016, 0, Account, 500, Is(Transient)),
    ("131031 is locked", 131_031, 0, Account, 403, Is(Policy)),
    ("131037 is the display name", 131_037, 0, Account, 400, Is(Precondition)),
    ("131042 is payment", 131_042, 0, Account, 400, Is(Policy)),
    ("131045 is the certificate", 131_045, 0, Account, 500, Is(Precondition)),
    ("131048 is spam", 131_048, 0, Account, 400, Throttled(Scope::Object)),
    ("131056 is a pair", 131_056, 0, Account, 400, Throttled(Scope::Object)),
    ("131057 is maintenance", 131_057, 0, Account, 500, Is(Transient)),
    ("131059 is a stale cursor", 131_059, 0, Account, 400, Is(BadRequest)),
    ("131064 is a cut limit", 131_064, 0, Account, 400, Throttled(Scope::Object)),
    ("133000 is a half deregistration", 133_000, 0, Account, 500, Is(Conflict)),
    ("133004 is the registration service", 133_004, 0, Account, 503, Is(Transient)),
    ("133005 is a wrong PIN", 133_005, 0, Account, 400, Is(BadRequest)),
    ("133006 needs verification", 133_006, 0, Account, 400, Is(Precondition)),
    ("133008 is too many PINs", 133_008, 0, Account, 400, Throttled(Scope::Object)),
    ("133009 is too fast", 133_009, 0, Account, 400, Throttled(Scope::Object)),
    ("133010 is not registered", 133_010, 0, Account, 400, Is(Precondition)),
    ("133015 was deleted just now", 133_015, 0, Account, 400, Is(Transient)),
    ("133016 locks the number, not the account", 133_016, 0, Account, 400, Throttled(Scope::Object)),
    ("136024 sent no code", 136_024, 0, Account, 400, Is(Conflict)),
    ("136024 as recorded", 136_024, 2_388_091, Account, 400, Is(Conflict)),
    ("136025 refused the code", 136_025, 0, Account, 400, Is(BadRequest)),
    ("136025 as recorded, though its subcode alone is another thing", 136_025, 2_388_093, Account, 400, Is(BadRequest)),
    ("200005 is no permission", 200_005, 0, Account, 400, Is(Precondition)),
    ("200006 is no permission", 200_006, 0, Account, 400, Is(Precondition)),
    ("200007 is no permission", 200_007, 0, Account, 400, Is(Precondition)),
    ("2388001", 2_388_001, 0, Account, 400, Is(Conflict)),
    ("2388004 wants a wait", 100, 2_388_004, Endpoint::RequestCode, 400, Throttled(Scope::Object)),
    ("2388005 has nothing pending", 100, 2_388_005, Endpoint::VerifyCode, 400, Is(Conflict)),
    ("2388006 is a wrong code", 100, 2_388_006, Endpoint::VerifyCode, 400, Is(BadRequest)),
    ("2388046 is a template's name", 100, 2_388_046, Account, 400, Is(BadRequest)),
    ("2388155 is a sample's name", 100, 2_388_155, Account, 400, Is(BadRequest)),
    ("2388012 as a code", 2_388_012, 0, Account, 400, Is(Conflict)),
    ("2388012 as a subcode", 100, 2_388_012, Account, 400, Is(Conflict)),
    ("2388091 alone", 2_388_091, 0, Account, 400, Is(Conflict)),
    ("2388093 alone", 2_388_093, 0, Account, 400, Is(Conflict)),
    ("2388103", 2_388_103, 0, Account, 400, Is(Conflict)),
    ("2388019", 100, 2_388_019, Account, 400, Is(Precondition)),
    ("2388023", 100, 2_388_023, Account, 400, Is(Conflict)),
    ("2388024", 100, 2_388_024, Account, 400, Is(Conflict)),
    ("2388039", 100, 2_388_039, Account, 400, Is(Precondition)),
    ("2388040", 100, 2_388_040, Account, 400, Is(BadRequest)),
    ("2388043", 100, 2_388_043, Account, 400, Is(BadRequest)),
    ("2388047", 100, 2_388_047, Account, 400, Is(BadRequest)),
    ("2388072", 100, 2_388_072, Account, 400, Is(BadRequest)),
    ("2388073", 100, 2_388_073, Account, 400, Is(BadRequest)),
    ("2388273", 100, 2_388_273, Account, 400, Is(BadRequest)),
    ("2388293", 100, 2_388_293, Account, 400, Is(BadRequest)),
    ("2388299", 100, 2_388_299, Account, 400, Is(BadRequest)),
    ("2494100", 2_494_100, 0, Account, 500, Is(Transient)),
    ("2593002 is a template that is not there", 100, 2_593_002, Account, 400, Is(NotFound)),
];

#[test]
fn every_documented_code_has_its_class() {
    for &(reason, code, subcode, endpoint, http, expected) in DOCUMENTED {
        let verdict = classify(&body(code, subcode), endpoint, http);
        assert_eq!(verdict.kind, expected, "{reason}");
        assert!(verdict.documented, "{reason}");
    }
}

#[test]
fn unknown_codes_go_by_the_status() {
    assert_eq!(classify(&body(999_999, 0), Account, 500).kind, Is(Transient));
    assert_eq!(classify(&body(999_999, 0), Account, 400).kind, Is(BadRequest));
    assert!(!classify(&body(999_999, 0), Account, 400).documented);
}

#[test]
fn an_unknown_subcode_of_100_is_not_called_a_wrong_parameter() {
    let text = |code, subcode| classify(&body(code, subcode), Endpoint::Register, 400).text;
    assert_eq!(text(100, 0), "a parameter of the call is not valid");
    assert_eq!(text(100, 2_999_999), "Meta refused the call for a reason that this operator does not know");
}

#[test]
fn a_method_that_is_refused_is_the_tokens_right_where_something_changes() {
    let refused = |subcode| GraphErrorBody { method_refused: true, ..body(100, subcode) };
    for endpoint in [
        Endpoint::AddNumber,
        Endpoint::RequestCode,
        Endpoint::VerifyCode,
        Endpoint::Register,
        Endpoint::Deregister,
        Endpoint::SetPin,
        Endpoint::SetWebhook,
        Endpoint::Profile,
    ] {
        let verdict = classify(&refused(0), endpoint, 400);
        assert_eq!((verdict.kind, verdict.documented), (Is(Permission), true), "{endpoint:?}");
    }
    assert_eq!(classify(&refused(33), Endpoint::Register, 400).kind, Is(NotFound));
    assert_eq!(classify(&refused(0), Account, 400).kind, Is(BadRequest), "a read");
    assert_eq!(classify(&body(100, 0), Endpoint::Register, 400).kind, Is(BadRequest), "another type");
}

#[test]
fn errors_without_a_code_go_by_the_status() {
    for (http, expected) in [(400, BadRequest), (403, BadRequest), (429, Transient), (500, Transient), (503, Transient)]
    {
        let verdict = classify(&GraphErrorBody::default(), Account, http);
        assert_eq!((verdict.kind, verdict.documented), (Is(expected), false), "{http}");
    }
}

#[test]
fn what_meta_calls_transient_is_so_but_for_throttles() {
    let transient = |code| GraphErrorBody { is_transient: true, ..body(code, 0) };
    for code in [100, 190, 10, 999_999] {
        assert_eq!(classify(&transient(code), Account, 400).kind, Is(Transient), "{code}");
    }
    assert_eq!(classify(&transient(4), Account, 400).kind, Throttled(Scope::App));
}

#[test]
fn a_refused_proof_is_the_app_secrets_fault() {
    let refused = GraphErrorBody { proof_refused: true, ..body(100, 0) };
    assert_eq!(classify(&refused, Account, 400).kind, Is(AppCredentials));
}

fn error(code: u32, subcode: u32) -> Error {
    let body = body(code, subcode);
    let verdict = classify(&body, Account, 400);
    let Is(class) = verdict.kind else { panic!("not a throttle") };
    body.into_error(class, verdict, Account, 400)
}

#[test]
fn only_a_deleted_number_is_proof_of_absence() {
    for (code, subcode, proof) in [(33, 0, true), (100, 33, false), (803, 0, false), (100, 2_593_002, false)] {
        let error = error(code, subcode);
        assert!(error.is_not_found(), "{code}/{subcode}");
        assert_eq!(error.proves_absence(), proof, "{code}/{subcode}");
    }
}

#[test]
fn displays_as_one_stable_sentence() {
    assert_eq!(error(190, 463).to_string(), "the access token has expired (Meta code 190/463)");
    assert_eq!(error(10, 0).to_string(), "the access token lacks the permission for this call (Meta code 10)");
    let blamed = GraphErrorBody { blamed: Some("pin".into()), ..body(100, 0) };
    let verdict = classify(&blamed, Account, 400);
    let blamed = blamed.into_error(BadRequest, verdict, Account, 400);
    assert_eq!(blamed.to_string(), "a parameter of the call is not valid: pin (Meta code 100)");
    let unread = Error::without_reply(Account, Transient, Sent::NoReply, "Meta's reply is empty").with_http(502);
    assert_eq!(unread.to_string(), "Meta's reply is empty (HTTP status 502)");
}
