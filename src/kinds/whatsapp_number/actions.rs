//! What a person asked for by an annotation: a code, a registration, a PIN. Pure.

use super::{
    hints,
    inputs::{Known, Step, Value},
    onboarding::{At, Rung, when},
    registration::{self, MOST_ATTEMPTS},
    requests::Requests,
    verification,
};
use crate::{
    api::Action,
    calls::{Operation, Order},
    graph::types::{CodeVerificationStatus, NameStatus},
    messages::commands,
};

/// The first request that can be acted on.
pub fn asked(at: &At<'_>, requests: &mut Requests) -> Option<Rung> {
    reset_pin(at, requests).or_else(|| register(at, requests)).or_else(|| request_code(at, requests))
}

/// This request, if it can be acted on.
pub fn one(at: &At<'_>, action: Action, requests: &mut Requests) -> Option<Rung> {
    match action {
        Action::ResetPin => reset_pin(at, requests),
        Action::Register => register(at, requests),
        Action::RequestCode => request_code(at, requests),
        _ => None,
    }
}

fn request_code(at: &At<'_>, requests: &mut Requests) -> Option<Rung> {
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

fn reset_pin(at: &At<'_>, requests: &mut Requests) -> Option<Rung> {
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
            let order = Order::SetPin { then_register: !at.facts.is_registered() };
            Some(at.send(order, Some(known), Some(action)))
        }
        Pin::Made => Some(Rung::Step(Step::MakePin)),
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

fn register(at: &At<'_>, requests: &mut Requests) -> Option<Rung> {
    let action = Action::Register;
    if !requests.is_open(action) {
        return None;
    }
    let ledger = &at.custody.ledger;
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
    let order = if registered { Order::RegisterAgain } else { Order::Register };
    match pin(at, registration::pin_is_known(at)) {
        Pin::Known(known) => Some(at.send(order, Some(known), Some(action))),
        Pin::Made => Some(Rung::Step(Step::MakePin)),
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

fn no_registration(at: &At<'_>) -> String {
    let block = commands::patch(at.object, r#"{"registration":{}}"#);
    format!("spec.registration is not set, and says where the PIN is: {block}; then ask again")
}

enum Pin {
    Known(Known),
    Made,
    Wanting(String),
    Unread,
}

/// The PIN to use; `fits` tells whether any PIN will do that is not the number's already.
fn pin(at: &At<'_>, fits: bool) -> Pin {
    if at.custody.pin_taken {
        return Pin::Wanting(registration::taken(at.object));
    }
    match &at.custody.pin {
        Value::Known(known) => Pin::Known(known.clone()),
        Value::Missing(trouble) if hints::given_pin_ref(at.object).is_some() => Pin::Wanting(trouble.message.clone()),
        Value::Missing(_) if fits => Pin::Made,
        Value::Missing(_) => Pin::Wanting(registration::unknown_pin(at)),
        Value::Bad(trouble) => Pin::Wanting(trouble.message.clone()),
        Value::Unasked | Value::Unread | Value::NotMade(_) => Pin::Unread,
    }
}
