//! What CEL cannot check.

use jiff::tz;

use super::WhatsAppNumberSpec;
use crate::api::SpecError;

/// The problems of a number's spec that the API server could not see.
#[must_use]
pub fn validate_number(spec: &WhatsAppNumberSpec) -> Vec<SpecError> {
    let zone = spec.time_zone.as_ref().filter(|zone| tz::db().get(zone).is_err());
    zone.map(|zone| SpecError {
        field: "spec.timeZone".to_owned(),
        condition: "Bound",
        message: format!("there is no time zone {zone:?}: write an IANA name, such as Europe/Paris"),
    })
    .into_iter()
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_time_zones_that_exist_pass() {
        for (zone, problems) in [(None, 0), (Some("Europe/Paris"), 0), (Some("UTC"), 0), (Some("Europe/Pariss"), 1)] {
            let spec = WhatsAppNumberSpec { time_zone: zone.map(str::to_owned), ..WhatsAppNumberSpec::default() };
            assert_eq!(validate_number(&spec).len(), problems, "{zone:?}");
        }
    }
}
