//! From Meta's facts of a number to the fields of its status.

use jiff::{SignedDuration, Timestamp};

use super::{
    binding,
    inputs::{Binding, Inputs},
    onboarding::NumberView,
};
use crate::{
    api::{
        BindingStatus, Direction, DirectionSummary, Health, HealthError, LastError, ManagementPolicy,
        NumberWebhookStatus, RegistrationStatus, VerificationStatus, WhatsAppNumber, WhatsAppNumberStatus,
        whole_seconds,
    },
    calls::Operation,
    graph::types::{NameStatus, PhoneNumber, PlatformType},
};

/// How long an approved name waits for a registration.
const NAME_LIFE: SignedDuration = SignedDuration::from_hours(14 * 24);

/// WhatsApp's customer service window, and so the default of `spec.incoming.sessionTime`.
const SESSION_TIME: &str = "24h";
/// How many health errors are shown.
const ERRORS_SHOWN: usize = 10;

/// The status so far, with what follows from the spec and the ledger alone.
pub fn from_spec(number: &WhatsAppNumber, inputs: &Inputs) -> WhatsAppNumberStatus {
    let mut status = number.status.clone().unwrap_or_default();
    // What is remembered of a number is told to whoever has it, and to nobody else who writes its digits down.
    let is_mine = number.metadata.uid.as_deref() == Some(inputs.ledger.owner.uid.as_str());
    if inputs.held && inputs.blocker.is_none() && inputs.ledger.serial > 0 && is_mine {
        remembered(&mut status, inputs);
    }
    status.binding = match &inputs.binding {
        Binding::Current(_) => Some(BindingStatus { name: binding::secret_name(number) }),
        Binding::Waits(_) | Binding::Behind(_) | Binding::Refused(_) => status.binding,
        Binding::NotManaged | Binding::Unwanted | Binding::Taken(_) => None,
    };
    status.direction = DirectionSummary::of(&number.spec.directions);
    status.session_time = number.spec.directions.contains(&Direction::Incoming).then(|| {
        let given = number.spec.incoming.as_ref().and_then(|incoming| incoming.session_time.as_ref());
        given.map_or_else(|| SESSION_TIME.to_owned(), ToString::to_string)
    });
    status
}

/// What the ledger tells people.
fn remembered(status: &mut WhatsAppNumberStatus, inputs: &Inputs) {
    let ledger = &inputs.ledger;
    let attempts: Vec<_> = ledger.recent(Operation::Register, inputs.now).into_iter().map(whole_seconds).collect();
    // Meta's lock, or the pause that it wants after a refusal.
    let pause = ledger.refusals.get(&Operation::Register).and_then(|refusal| refusal.until);
    let blocked_until = [ledger.blocked_until, pause].into_iter().flatten().max();
    let blocked_until = blocked_until.filter(|until| inputs.now < *until).map(whole_seconds);
    let re_register_before = status.registration.take().and_then(|registration| registration.re_register_before);
    let registration =
        RegistrationStatus { last_attempt_at: attempts.last().cloned(), attempts, blocked_until, re_register_before };
    status.registration = (registration != RegistrationStatus::default()).then_some(registration);
    status.verification = ledger.code.as_ref().map(|code| VerificationStatus {
        requested_at: Some(whole_seconds(code.requested_at)),
        method: Some(code.method.as_str().to_owned()),
        attempts: i32::try_from(code.tried.len()).unwrap_or(i32::MAX),
    });
    if let Some(webhook) = &ledger.webhook {
        let known = Some(webhook.inputs.clone()).filter(|inputs| !inputs.is_empty());
        status.webhook.get_or_insert_default().verify_token_hash = known;
    }
    let input = [
        Operation::Register,
        Operation::SetPin,
        Operation::VerifyCode,
        Operation::RequestCode,
        Operation::AddNumber,
        Operation::Deregister,
        Operation::SetWebhook,
        Operation::ClearWebhook,
        Operation::WriteProfile,
    ];
    let refusal = input.iter().find_map(|operation| ledger.refusals.get(operation));
    status.last_error = refusal.map(|refusal| LastError {
        code: i64::from(refusal.code),
        subcode: refusal.subcode.map(i64::from),
        class: refusal.class.clone(),
        message: refusal.message.clone(),
    });
}

/// By when an approved name has to be registered: 14 days from when the approval was first seen.
pub fn reregister_before(at: &NumberView<'_>) -> Timestamp {
    let known = at.object.status.as_ref().and_then(|status| status.registration.as_ref()?.re_register_before.clone());
    known.map_or_else(|| at.now().checked_add(NAME_LIFE).unwrap_or(Timestamp::MAX), |time| time.0)
}

/// Notes by when an approved name has to be registered.
pub fn renamed(status: &mut WhatsAppNumberStatus, at: &NumberView<'_>) {
    let approved = at.facts.new_name_status == Some(NameStatus::Approved);
    if approved && at.object.spec.management_policy == ManagementPolicy::Full {
        let before = whole_seconds(reregister_before(at));
        status.registration.get_or_insert_default().re_register_before = Some(before);
    } else if let Some(registration) = &mut status.registration {
        registration.re_register_before = None;
    }
    if status.registration == Some(RegistrationStatus::default()) {
        status.registration = None;
    }
}

/// The status with what Meta shows.
pub fn observed(mut status: WhatsAppNumberStatus, account: &str, number: &PhoneNumber) -> WhatsAppNumberStatus {
    let text = |value: &Option<Box<str>>| value.as_ref().map(ToString::to_string);
    status.phone_number_id = Some(number.id.to_string());
    status.business_account_id = Some(account.to_owned());
    status.display_phone_number = text(&number.display_phone_number);
    status.verified_name = text(&number.verified_name);
    status.name_status = number.name_status.as_ref().map(|s| s.as_str().to_owned());
    status.provider = number.platform_type.as_ref().map(provider);
    status.quality_rating = number.quality_rating.as_ref().map(|q| q.as_str().to_owned());
    status.messaging_limit = number.messaging_limit.as_ref().map(|l| l.as_str().to_owned());
    status.throughput = number.throughput.as_ref().map(|t| t.as_str().to_owned());
    status.account_mode = number.account_mode.as_ref().map(|m| m.as_str().to_owned());
    status.is_official_business_account = number.is_official_business_account;
    status.health = number.health.as_deref().map(health);
    let hash = status.webhook.take().and_then(|webhook| webhook.verify_token_hash);
    status.webhook = webhook(number).map(|webhook| NumberWebhookStatus { verify_token_hash: hash, ..webhook });
    status
}

fn provider(platform: &PlatformType) -> String {
    match platform {
        PlatformType::CloudApi => "Meta Cloud API",
        PlatformType::OnPremise => "Meta On-Premises API",
        PlatformType::NotApplicable => "None",
        PlatformType::Other(word) => word,
    }
    .to_owned()
}

fn health(health: &crate::graph::types::Health) -> Health {
    let errors = health.entities.iter().flat_map(|entity| {
        entity.errors.iter().map(|error| HealthError {
            entity: entity.entity_type.as_ref().map(ToString::to_string),
            code: error.code.map_or(0, i64::from),
            description: error.description.as_ref().map(ToString::to_string),
            solution: error.solution.as_ref().map(ToString::to_string),
        })
    });
    Health {
        can_send_message: health.can_send_message.as_ref().map(|may| may.as_str().to_owned()),
        errors: errors.take(ERRORS_SHOWN).collect(),
    }
}

fn webhook(number: &PhoneNumber) -> Option<NumberWebhookStatus> {
    let configuration = number.webhook_configuration.as_ref()?;
    let text = |value: &Option<Box<str>>| value.as_ref().filter(|url| !url.is_empty()).map(ToString::to_string);
    let phone = text(&configuration.phone_number);
    let account = text(&configuration.whatsapp_business_account);
    let app = text(&configuration.application);
    let effective = phone.clone().or_else(|| account.clone()).or_else(|| app.clone());
    Some(NumberWebhookStatus { effective, phone, account, app, verify_token_hash: None })
}
