//! Actions: what people request by annotations (a code, a registration, a PIN, a token), and what becomes of it. Pure.

use jiff::Timestamp;

use super::{
    Numbers,
    connection::{Connection, is_at_work, unclear},
    decision::{Decision, ReadyReport},
    inputs::{HandledValue, Inputs, SecretRead, Step},
    number_view::NumberView,
    registration::{self, MOST_ATTEMPTS, PinToUse},
    verification,
};
use crate::{
    api::{Action, ManagedStatus, ManagementPolicy},
    calls::{CallInput, Operation},
    controller::{
        account_resource::Input,
        actions::{EARLIEST, LATEST},
        app_reference::AppReference,
    },
    graph::types::{CodeVerificationStatus, NameStatus},
    messages::{commands, when},
};

/// The actions of a number that change something at Meta.
const CHANGING: [Action; 3] = [Action::RequestCode, Action::Register, Action::ResetPin];

/// What becomes of each request in one plan.
#[derive(Debug, Default)]
pub struct ActionRequests {
    requested: Vec<Action>,
    /// Not acted on, and why.
    pub ignored: Vec<(Action, String)>,
    /// Acted on later.
    pub waiting: Vec<Action>,
}

impl ActionRequests {
    /// Of the requests that have not been acted on.
    pub fn of(inputs: &Inputs) -> Self {
        let known =
            inputs.requested.keys().filter(|action| CHANGING.contains(action) || **action == Action::RefreshToken);
        // Another process that began to act on a request may not have sent anything: then it is still open.
        let begun = inputs.ledger.intents.iter().filter(|intent| inputs.foreign_call_grace.contains_key(&intent.id));
        let waiting =
            begun.filter_map(|intent| intent.input.operation().action().filter(|_| intent.action.is_some())).collect();
        Self { requested: known.copied().collect(), ignored: Vec::new(), waiting }
    }

    /// The operator does not act on it, for this reason.
    pub fn ignore(&mut self, action: Action, why: impl Into<String>) {
        if self.requested.contains(&action) && !self.ignored.iter().any(|(ignored, _)| *ignored == action) {
            self.ignored.push((action, why.into()));
        }
    }

    /// The operator acts on no request that changes something at Meta.
    pub fn ignore_all(&mut self, why: &str) {
        for action in CHANGING {
            self.ignore(action, why);
        }
    }

    /// All requests wait that are still open.
    pub fn wait_all(&mut self) {
        for action in self.requested.iter().filter(|action| CHANGING.contains(action)) {
            if !self.ignored.iter().any(|(ignored, _)| ignored == action) && !self.waiting.contains(action) {
                self.waiting.push(*action);
            }
        }
    }

    /// Whether it is still open.
    pub fn is_open(&self, action: Action) -> bool {
        self.requested.contains(&action) && !self.ignored.iter().any(|(ignored, _)| *ignored == action)
    }
}

/// A request for a new token is passed on to the app, if the object may refer to it.
pub fn refresh_token(input: &Input<'_, Numbers>, requests: &mut ActionRequests) -> Option<Step> {
    let Input { object, inputs, link, .. } = input;
    let value = inputs.requested.get(&Action::RefreshToken)?;
    let why = match link {
        AppReference::Missing => "there is no such MetaApp",
        AppReference::NotAllowed => "the MetaApp does not allow this namespace to refer to it",
        _ if object.spec.suspend => "spec.suspend is true",
        _ if object.spec.management_policy == ManagementPolicy::Observe => inputs.why_observed(),
        _ if input.competing_object.is_some() => "another object represents the number",
        _ => return Some(Step::RefreshToken(value.clone())),
    };
    requests.ignore(Action::RefreshToken, why);
    None
}

/// Values that the status shows as handled and the ledger does not have yet. Without them, a status that is restored to an older
/// one would have the operator act on a request a second time, even if the first time it was ignored.
pub fn unrecorded(input: &Input<'_, Numbers>) -> Option<Step> {
    let Input { object, inputs, .. } = input;
    let is_mine = inputs.ledger.owner.uid.is_empty() || object.metadata.uid.as_ref() == Some(&inputs.ledger.owner.uid);
    if !inputs.held || inputs.blocker.is_some() || !is_mine || input.competing_object.is_some() {
        return None;
    }
    let status = object.status.as_ref()?;
    let value = |action: &Action| {
        let value = status.handled(*action).filter(|value| !inputs.ledger.has_handled(*action, value))?;
        let ahead = value.parse::<Timestamp>().ok()?.duration_since(inputs.now);
        // An older one is not acted on in any case.
        (-ahead <= LATEST).then(|| HandledValue {
            action: *action,
            value: value.to_owned(),
            is_ahead: ahead > EARLIEST,
        })
    };
    let values: Vec<_> = CHANGING.iter().filter_map(value).collect();
    (!values.is_empty()).then_some(Step::RecordHandled(values))
}

/// The first request that can be acted on.
pub fn requested(at: &NumberView<'_>, requests: &mut ActionRequests) -> Decision<ReadyReport> {
    let next = reset_pin(at, requests).or_else(|| register(at, requests)).or_else(|| request_code(at, requests));
    next.into()
}

/// This request, if it can be acted on.
pub fn one(at: &NumberView<'_>, action: Action, requests: &mut ActionRequests) -> Decision<ReadyReport> {
    let next = match action {
        Action::ResetPin => reset_pin(at, requests),
        Action::Register => register(at, requests),
        Action::RequestCode => request_code(at, requests),
        _ => None,
    };
    next.into()
}

fn request_code(at: &NumberView<'_>, requests: &mut ActionRequests) -> Option<Step> {
    let action = Action::RequestCode;
    if !requests.is_open(action) {
        return None;
    }
    let why = if at.object.spec.verification.is_none() {
        let block = commands::patch(at.object, r#"{"verification":{}}"#);
        format!("spec.verification is not set: add it ({block}), then request again")
    } else if at.connection().is_registered() {
        "the number is registered and needs no code".to_owned()
    } else if at.verified() {
        "the number is verified already".to_owned()
    } else if matches!(at.inputs.code, SecretRead::Away(_)) {
        // The value that comes back is not the code that Meta sends now.
        requests.wait_all();
        return None;
    } else {
        return Some(at.send(verification::code_request(at), None, Some(action)));
    };
    requests.ignore(action, why);
    None
}

fn reset_pin(at: &NumberView<'_>, requests: &mut ActionRequests) -> Option<Step> {
    let action = Action::ResetPin;
    if !requests.is_open(action) {
        return None;
    }
    if at.object.spec.registration.is_none() {
        requests.ignore(action, no_registration(at));
        return None;
    }
    let input = CallInput::SetPin { then_register: at.connection().is_off() };
    send_pin(at, action, input, true, requests)
}

fn register(at: &NumberView<'_>, requests: &mut ActionRequests) -> Option<Step> {
    let action = Action::Register;
    if !requests.is_open(action) {
        return None;
    }
    let ledger = &at.inputs.ledger;
    let renamed = at.facts.new_name_status == Some(NameStatus::Approved);
    let registered = at.connection().is_registered();
    let why = if at.object.spec.registration.is_none() {
        Some(no_registration(at))
    } else if let Some(until) = ledger.blocked_until.filter(|until| at.now() < *until) {
        Some(format!("Meta locked the registration of the number until {}", when(until)))
    } else if ledger.recent(Operation::Register, at.now()).len() >= MOST_ATTEMPTS {
        Some("one more attempt within 72 hours makes Meta lock the number for 72 hours".to_owned())
    } else if at.connection() == Connection::Unclear && is_at_work(at.facts) {
        Some(unclear(at.facts))
    } else if registered && !renamed {
        Some("the number is registered and Meta approved no new display name: there is nothing to register".to_owned())
    } else if at.is_being_registered() {
        Some("Meta accepted a registration a moment ago and does not show it yet".to_owned())
    } else if !registered
        && !at.verified()
        && at.facts.code_verification_status != Some(CodeVerificationStatus::Verified)
    {
        let block = commands::patch(at.object, r#"{"verification":{}}"#);
        Some(format!("the number is not verified, which registration requires: add spec.verification: {block}"))
    } else {
        None
    };
    if let Some(why) = why {
        requests.ignore(action, why);
        return None;
    }
    let input = if registered { CallInput::RegisterAgain } else { CallInput::Register };
    send_pin(at, action, input, registration::pin_is_known(at), requests)
}

/// A call with the PIN; `any_fits`: whether any PIN will do that the number does not have already.
fn send_pin(
    at: &NumberView<'_>,
    action: Action,
    input: CallInput,
    any_fits: bool,
    requests: &mut ActionRequests,
) -> Option<Step> {
    match registration::pin_to_use(at, any_fits) {
        PinToUse::Known(pin) => return Some(at.send(input, Some(pin), Some(action))),
        PinToUse::ToCreate => return Some(Step::CreatePinSecret),
        PinToUse::Blocked(blocker) => requests.ignore(action, blocker.message),
        PinToUse::NotCreated(_) | PinToUse::Away(_) | PinToUse::Unread => requests.wait_all(),
    }
    None
}

fn no_registration(at: &NumberView<'_>) -> String {
    let block = commands::patch(at.object, r#"{"registration":{}}"#);
    format!("spec.registration is not set: add it ({block}), then request again")
}
