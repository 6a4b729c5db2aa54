//! What the messages of an account came to in a calendar month, from Meta's figures. Pure.

use std::{collections::BTreeMap, time::Instant};

use jiff::{Timestamp, tz::TimeZone};

use super::{digits, time_zones};
use crate::graph::{Pricing, PricingPoint};

/// Messages of the category that the monthly allowance is about.
const SERVICE: &str = "SERVICE";
/// Service messages that are free for another reason, and leave the allowance alone.
const FREE_ANYWAY: &str = "FREE_ENTRY_POINT";

/// A calendar month, up to now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Month {
    /// `2026-12`.
    pub name: String,
    /// Its first second.
    pub start: Timestamp,
}

impl Month {
    /// The month in which `now` is where the account is; in UTC, if the account's time zone is not known.
    #[must_use]
    pub fn of(time_zone: Option<&str>, now: Timestamp) -> Self {
        let zone = time_zone.and_then(time_zones::named).unwrap_or(TimeZone::UTC);
        let local = now.to_zoned(zone);
        let start = local.first_of_month().and_then(|first| first.start_of_day());
        Self { name: local.strftime("%Y-%m").to_string(), start: start.map_or(now, |start| start.timestamp()) }
    }
}

/// What messages came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Total {
    /// Service messages delivered that count towards the free ones of the month.
    pub service: i64,
    /// All messages delivered.
    pub messages: i64,
    /// What they cost, in millionths of the currency; `None` where Meta does not say.
    pub cost: Option<i64>,
}

impl Total {
    fn add(&mut self, point: &PricingPoint) {
        let volume = point.volume.unwrap_or(0).max(0);
        self.messages = self.messages.saturating_add(volume);
        if point.pricing_category.as_deref() == Some(SERVICE) && point.pricing_type.as_deref() != Some(FREE_ANYWAY) {
            self.service = self.service.saturating_add(volume);
        }
        if let Some(cost) = point.cost {
            self.cost = Some(self.cost.unwrap_or(0).saturating_add(cost));
        }
    }
}

/// The usage of an account in the current month, and whether it has a payment method.
#[derive(Debug, Clone)]
pub struct Usage {
    /// Whether the account has a payment method.
    pub funded: bool,
    /// ISO 4217, of the costs.
    pub currency: Option<Box<str>>,
    /// The month, `2026-12`.
    pub month: String,
    /// Of all numbers together.
    pub total: Total,
    /// By number, in digits.
    pub numbers: BTreeMap<u64, Total>,
    /// When it was read.
    pub read: Instant,
}

impl PartialEq for Usage {
    /// That it was read again is no change.
    fn eq(&self, other: &Self) -> bool {
        let parts = |usage: &Self| (usage.funded, usage.total);
        parts(self) == parts(other)
            && (&self.currency, &self.month, &self.numbers) == (&other.currency, &other.month, &other.numbers)
    }
}

impl Usage {
    /// Adds Meta's figures up.
    #[must_use]
    pub fn new(pricing: &Pricing, month: Month, read: Instant) -> Self {
        let (mut total, mut numbers) = (Total::default(), BTreeMap::<u64, Total>::new());
        for point in &pricing.points {
            total.add(point);
            if let Some(digits) = point.phone_number.as_deref().and_then(digits::parse) {
                numbers.entry(digits).or_default().add(point);
            }
        }
        Self { funded: pricing.funded, currency: pricing.currency.clone(), month: month.name, total, numbers, read }
    }
}

/// The usage of an account, or why the last read of it failed.
#[derive(Debug, Clone, Default)]
pub struct UsageState {
    /// As last read.
    pub usage: Option<std::sync::Arc<Usage>>,
    /// Set while reads fail: why.
    pub failure: Option<String>,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_month_begins_where_the_account_is() {
        let month = |zone, now: &str| {
            let month = Month::of(zone, now.parse().unwrap());
            (month.name, month.start.to_string())
        };
        let paris = (String::from("2026-12"), String::from("2026-11-30T23:00:00Z"));
        assert_eq!(month(Some("57"), "2026-11-30T23:30:00Z"), paris, "in Paris it is December");
        assert_eq!(month(Some("Europe/Paris"), "2026-12-31T22:59:59Z"), paris);
        let (name, start) = month(Some("1"), "2026-12-01T07:00:00Z");
        assert_eq!((&*name, &*start), ("2026-11", "2026-11-01T07:00:00Z"), "in Los Angeles it is still November");
        assert_eq!(month(None, "2026-12-15T00:00:00Z").1, "2026-12-01T00:00:00Z");
        assert_eq!(month(Some("999"), "2026-12-15T00:00:00Z").1, "2026-12-01T00:00:00Z", "unknown: UTC");
    }

    #[test]
    fn figures_are_added_up_by_number_and_free_entry_points_leave_the_allowance_alone() {
        let point = |number: &str, category: &str, type_: &str, volume, cost| PricingPoint {
            phone_number: Some(number.into()),
            pricing_category: Some(category.into()),
            pricing_type: Some(type_.into()),
            volume: Some(volume),
            cost,
        };
        let pricing = Pricing {
            funded: true,
            currency: Some("EUR".into()),
            points: vec![
                point("33612345678", "SERVICE", "FREE_CUSTOMER_SERVICE", 1000, Some(0)),
                point("+33 6 12 34 56 78", "SERVICE", "REGULAR", 20, Some(300_000)),
                point("33612345678", "SERVICE", "FREE_ENTRY_POINT", 5, Some(0)),
                point("33612345678", "UTILITY", "REGULAR", 10, Some(150_000)),
                point("33184882020", "MARKETING", "REGULAR", 3, None),
                PricingPoint { volume: Some(7), ..PricingPoint::default() },
            ],
        };
        let month = Month::of(None, "2026-12-15T00:00:00Z".parse().unwrap());
        let usage = Usage::new(&pricing, month, Instant::now());
        assert_eq!(usage.total, Total { service: 1020, messages: 1045, cost: Some(450_000) });
        assert_eq!(usage.numbers[&33_612_345_678], Total { service: 1020, messages: 1035, cost: Some(450_000) });
        assert_eq!(usage.numbers[&33_184_882_020], Total { service: 0, messages: 3, cost: None });
    }
}
