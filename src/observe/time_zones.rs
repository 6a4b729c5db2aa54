//! The time zones that Meta gives by number (`timezone_id` of an account), after the table "Time zone IDs" of Meta's Marketing
//! API, which has them in this order.

use jiff::tz::{self, TimeZone};

/// By Meta's number, from 1 on.
const BY_NUMBER: &str = "America/Los_Angeles America/Denver Pacific/Honolulu America/Anchorage America/Phoenix America/Chicago \
    America/New_York Asia/Dubai America/Argentina/San_Luis America/Argentina/Buenos_Aires America/Argentina/Salta Europe/Vienna \
    Australia/Perth Australia/Broken_Hill Australia/Sydney Europe/Sarajevo Asia/Dhaka Europe/Brussels Europe/Sofia Asia/Bahrain \
    America/La_Paz America/Noronha America/Campo_Grande America/Belem America/Sao_Paulo America/Nassau America/Dawson \
    America/Vancouver America/Dawson_Creek America/Edmonton America/Rainy_River America/Regina America/Atikokan America/Iqaluit \
    America/Toronto America/Blanc-Sablon America/Halifax America/St_Johns Europe/Zurich Pacific/Easter America/Santiago \
    Asia/Shanghai America/Bogota America/Costa_Rica Asia/Nicosia Europe/Prague Europe/Berlin Europe/Copenhagen \
    America/Santo_Domingo Pacific/Galapagos America/Guayaquil Europe/Tallinn Africa/Cairo Atlantic/Canary Europe/Madrid \
    Europe/Helsinki Europe/Paris Europe/London Africa/Accra Europe/Athens America/Guatemala Asia/Hong_Kong America/Tegucigalpa \
    Europe/Zagreb Europe/Budapest Asia/Jakarta Asia/Makassar Asia/Jayapura Europe/Dublin Asia/Jerusalem Asia/Kolkata \
    Asia/Baghdad Atlantic/Reykjavik Europe/Rome America/Jamaica Asia/Amman Asia/Tokyo Africa/Nairobi Asia/Seoul Asia/Kuwait \
    Asia/Beirut Asia/Colombo Europe/Vilnius Europe/Luxembourg Europe/Riga Africa/Casablanca Europe/Skopje Europe/Malta \
    Indian/Mauritius Indian/Maldives America/Tijuana America/Hermosillo America/Mazatlan America/Mexico_City Asia/Kuala_Lumpur \
    Africa/Lagos America/Managua Europe/Amsterdam Europe/Oslo Pacific/Auckland Asia/Muscat America/Panama America/Lima \
    Asia/Manila Asia/Karachi Europe/Warsaw America/Puerto_Rico Asia/Gaza Atlantic/Azores Europe/Lisbon America/Asuncion \
    Asia/Qatar Europe/Bucharest Europe/Belgrade Europe/Kaliningrad Europe/Moscow Europe/Samara Asia/Yekaterinburg Asia/Omsk \
    Asia/Krasnoyarsk Asia/Irkutsk Asia/Yakutsk Asia/Vladivostok Asia/Magadan Asia/Kamchatka Asia/Riyadh Europe/Stockholm \
    Asia/Singapore Europe/Ljubljana Europe/Bratislava America/El_Salvador Asia/Bangkok Africa/Tunis Europe/Istanbul \
    America/Port_of_Spain Asia/Taipei Europe/Kiev America/Montevideo America/Caracas Asia/Ho_Chi_Minh Africa/Johannesburg";

/// The zone that Meta means by a number or an IANA name; `None` where that is not known.
pub fn named(meta: &str) -> Option<TimeZone> {
    let name = match meta.parse::<usize>() {
        Ok(number) => BY_NUMBER.split_whitespace().nth(number.checked_sub(1)?)?,
        Err(_) => meta,
    };
    tz::db().get(name).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_number_of_the_table_has_a_zone() {
        let count = BY_NUMBER.split_whitespace().count();
        assert_eq!(count, 141);
        for number in 1..=count {
            assert!(named(&number.to_string()).is_some(), "{number}");
        }
        let name = |meta: &str| named(meta).and_then(|zone| zone.iana_name().map(str::to_owned));
        for (meta, zone) in [("1", "America/Los_Angeles"), ("57", "Europe/Paris"), ("71", "Asia/Kolkata")] {
            assert_eq!(name(meta).as_deref(), Some(zone));
        }
        assert_eq!(name("Europe/Paris").as_deref(), Some("Europe/Paris"));
        for unknown in ["0", "999", "", "Mars/Olympus"] {
            assert_eq!(name(unknown), None, "{unknown}");
        }
    }
}
