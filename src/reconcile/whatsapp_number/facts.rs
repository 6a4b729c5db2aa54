//! From Meta's facts of a number to the fields of its status.

use crate::{
    api::{
        Direction, DirectionSummary, Health, HealthError, NumberWebhookStatus, WhatsAppNumber, WhatsAppNumberStatus,
    },
    graph::wire::{PhoneNumber, PlatformType},
};

/// WhatsApp's customer service window, and so the default of `spec.incoming.sessionTime`.
const SESSION_TIME: &str = "24h";
/// How many health errors are shown.
const ERRORS_SHOWN: usize = 10;

/// The status so far, with what follows from the spec alone.
pub fn from_spec(number: &WhatsAppNumber) -> WhatsAppNumberStatus {
    let mut status = number.status.clone().unwrap_or_default();
    status.direction = DirectionSummary::of(&number.spec.directions);
    status.session_time = number.spec.directions.contains(&Direction::Incoming).then(|| {
        let given = number.spec.incoming.as_ref().and_then(|incoming| incoming.session_time.as_ref());
        given.map_or_else(|| SESSION_TIME.to_owned(), ToString::to_string)
    });
    status
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
    status.webhook = webhook(number);
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

fn health(health: &crate::graph::wire::Health) -> Health {
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
