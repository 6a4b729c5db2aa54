//! What is wrong in a number's spec, and what depends on it.

use jiff::tz;

use crate::api::{READY, SpecError, WhatsAppNumber, broken_rules};

/// The condition that depends on a field or on the fields below it; [`READY`] where there is no such condition.
const CONDITIONS: &[(&str, &str)] = &[
    ("spec.directions", "Bound"),
    ("spec.timeZone", "Bound"),
    ("spec.language", "Bound"),
    ("spec.incoming.webhook", "RoutingConfigured"),
    ("spec.incoming", "Bound"),
    ("spec.verification", "Verified"),
    ("spec.registration", "PINSynced"),
    ("spec.profile", "ProfileSynced"),
];

/// The mistakes in a number's spec: of what breaks a rule of the CRD, and of what CEL cannot check.
pub fn spec_errors(number: &WhatsAppNumber) -> Vec<SpecError> {
    let broken = broken_rules(number).into_iter();
    let mut errors: Vec<_> = broken.map(|error| SpecError { condition: condition_of(&error.field), ..error }).collect();
    if !errors.iter().any(|error| error.field == "spec.timeZone") {
        errors.extend(unknown_time_zone(number));
    }
    errors
}

fn condition_of(field: &str) -> &'static str {
    let is_within =
        |parent: &str| field.strip_prefix(parent).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']));
    CONDITIONS.iter().find(|(parent, _)| is_within(parent)).map_or(READY, |(_, condition)| condition)
}

fn unknown_time_zone(number: &WhatsAppNumber) -> Option<SpecError> {
    let zone = number.spec.time_zone.as_ref().filter(|zone| tz::db().get(zone).is_err())?;
    Some(SpecError {
        field: "spec.timeZone".to_owned(),
        condition: "Bound",
        message: format!("there is no time zone {zone:?}: write an IANA name, such as Europe/Paris"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{AppRef, Direction, Profile, WhatsAppNumberSpec};

    fn number(change: impl FnOnce(&mut WhatsAppNumberSpec)) -> WhatsAppNumber {
        let mut spec = WhatsAppNumberSpec {
            app_ref: AppRef { name: "ino-cx".to_owned(), ..AppRef::default() },
            phone_number: "+33612345678".to_owned(),
            directions: vec![Direction::Incoming],
            ..WhatsAppNumberSpec::default()
        };
        change(&mut spec);
        WhatsAppNumber::new("support", spec)
    }

    #[test]
    fn a_mistake_concerns_what_depends_on_the_field() {
        let profile = || Some(Profile { email: Some("support".to_owned()), ..Profile::default() });
        let cases: [(WhatsAppNumber, Option<(&str, &str)>); 6] = [
            (number(|_| ()), None),
            (number(|spec| spec.time_zone = Some("Europe/Paris".to_owned())), None),
            (number(|spec| spec.time_zone = Some("Europe/Pariss".to_owned())), Some(("spec.timeZone", "Bound"))),
            (number(|spec| spec.directions.clear()), Some(("spec.directions", "Bound"))),
            (number(|spec| spec.profile = profile()), Some(("spec.profile.email", "ProfileSynced"))),
            (number(|spec| spec.phone_number = "33 6 12".to_owned()), Some(("spec.phoneNumber", "Ready"))),
        ];
        for (number, expected) in cases {
            let errors = spec_errors(&number);
            let found: Vec<_> = errors.iter().map(|error| (error.field.as_str(), error.condition)).collect();
            assert_eq!(found, expected.into_iter().collect::<Vec<_>>());
        }
    }
}
