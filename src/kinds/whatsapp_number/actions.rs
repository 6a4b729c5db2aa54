//! What a person asked for by an annotation: a code, a registration, a PIN. Pure.

use super::{
    hints,
    inputs::{KnownSecret, SecretRead, Step},
    onboarding::{Decision, NumberView, when},
    registration::{self, MOST_ATTEMPTS},
    requests::Requests,
    verification,
};
use crate::{
    api::Action,
    calls::{CallInput, Operation},
    graph::types::{CodeVerificationStatus, NameStatus},
    messages::commands,
};

/// The first request that can be acted on.
pub fn asked(at: &NumberView<'_>, requests: &mut Requests) -> Option<Decision> {
    reset_pin(at, requests).or_else(|| register(at, requests)).or_else(|| request_code(at, requests))
}

/// This request, if it can be acted on.
pub fn one(at: &NumberView<'_>, action: Action, requests: &mut Requests) -> Option<Decision> {
    match action {
        Action::ResetPin => reset_pin(at, requests),
        Action::Register => register(at, requests),
        Action::RequestCode => request_code(at, requests),
        _ => None,
    }
}

fn request_code(at: &NumberView<'_>, requests: &mut Requests) -> Option<Decision> {
    let action = Action::RequestCode;
    if !requests.is_open(action) {
        return None;
    }
    let why = if at.object.spec.verification.is_none() {
        let block = commands::patch(at.object, r#"{"verification":{}}"#);
        format!("spec.verification is not set, and says how a code is to be sent: {block}; then ask again")
    } else if at.facts.is_registered() {
        "the number is registered, and needs no code".to_owned()
    } else if at.verified() {
        "the number is verified already".to_owned()
    } else {
        return Some(at.send(verification::request(at), None, Some(action)));
    };
    requests.ignore(action, why);
    None
}

fn reset_pin(at: &NumberView<'_>, requests: &mut Requests) -> Option<Decision> {
    let action = Action::ResetPin;
    if !requests.is_open(action) {
        return None;
    }
    if at.object.spec.registration.is_none() {
        requests.ignore(action, no_registration(at));
        return None;
    }
    match pin(at, true) {
        Pin::Known(known) => {
            let input = CallInput::SetPin { then_register: !at.facts.is_registered() };
            Some(at.send(input, Some(known), Some(action)))
        }
        Pin::Made => Some(Decision::Act(Step::CreatePinSecret)),
        Pin::Wanting(why) => {
            requests.ignore(action, why);
            None
        }
        Pin::Unread => {
            requests.wait_all();
            None
        }
    }
}

fn register(at: &NumberView<'_>, requests: &mut Requests) -> Option<Decision> {
    let action = Action::Register;
    if !requests.is_open(action) {
        return None;
    }
    let ledger = &at.inputs.ledger;
    let renamed = at.facts.new_name_status == Some(NameStatus::Approved);
    let registered = at.facts.is_registered();
    let why = if at.object.spec.registration.is_none() {
        Some(no_registration(at))
    } else if let Some(until) = ledger.blocked_until.filter(|until| at.now() < *until) {
        Some(format!("Meta has locked the number's registration until {}", when(until)))
    } else if ledger.recent(Operation::Register, at.now()).len() >= MOST_ATTEMPTS {
        Some("one more attempt within 72 hours, and Meta locks the number for 72 hours".to_owned())
    } else if registered && !renamed {
        Some("the number is registered, and no new display name was approved: there is nothing to register".to_owned())
    } else if registration::is_under_way(at) {
        Some("Meta has accepted a registration a moment ago, and does not show it yet".to_owned())
    } else if !registered
        && !at.verified()
        && at.facts.code_verification_status != Some(CodeVerificationStatus::Verified)
    {
        let block = commands::patch(at.object, r#"{"verification":{}}"#);
        Some(format!("the number is not verified: it has to be before it is registered, by spec.verification: {block}"))
    } else {
        None
    };
    if let Some(why) = why {
        requests.ignore(action, why);
        return None;
    }
    let input = if registered { CallInput::RegisterAgain } else { CallInput::Register };
    match pin(at, registration::pin_is_known(at)) {
        Pin::Known(known) => Some(at.send(input, Some(known), Some(action))),
        Pin::Made => Some(Decision::Act(Step::CreatePinSecret)),
        Pin::Wanting(why) => {
            requests.ignore(action, why);
            None
        }
        Pin::Unread => {
            requests.wait_all();
            None
        }
    }
}

fn no_registration(at: &NumberView<'_>) -> String {
    let block = commands::patch(at.object, r#"{"registration":{}}"#);
    format!("spec.registration is not set, and says where the PIN is: {block}; then ask again")
}

enum Pin {
    Known(KnownSecret),
    Made,
    Wanting(String),
    Unread,
}

/// The PIN to use; `fits` tells whether any PIN will do that is not the number's already.
fn pin(at: &NumberView<'_>, fits: bool) -> Pin {
    if at.inputs.pin_taken {
        return Pin::Wanting(registration::taken(at.object));
    }
    match &at.inputs.pin {
        SecretRead::Known(known) => Pin::Known(known.clone()),
        SecretRead::Missing(blocker) if hints::given_pin_ref(at.object).is_some() => {
            Pin::Wanting(blocker.message.clone())
        }
        SecretRead::Missing(_) if fits => Pin::Made,
        SecretRead::Missing(_) => Pin::Wanting(registration::unknown_pin(at)),
        SecretRead::Invalid(blocker) => Pin::Wanting(blocker.message.clone()),
        SecretRead::NotNeeded | SecretRead::Unread | SecretRead::NotCreated(_) => Pin::Unread,
    }
}
