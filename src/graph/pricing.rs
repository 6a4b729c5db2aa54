//! What an account's messages came to, and whether it has a payment method: figures for people, which no decision hangs on.

use jiff::Timestamp;
use serde::{Deserialize, Deserializer};

use super::accounts::node;
use super::client::Client;
use super::config::{Access, Priority};
use super::endpoint::Endpoint;
use super::errors::Error;
use super::types::lenient;

/// One figure of Meta's: the messages of one number, category and pricing type within a time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct PricingPoint {
    /// The business number, mostly digits without `+`.
    #[serde(deserialize_with = "lenient::text")]
    pub phone_number: Option<Box<str>>,
    /// What kind of message: `SERVICE`, `UTILITY`, `MARKETING` and so on.
    #[serde(deserialize_with = "lenient::text")]
    pub pricing_category: Option<Box<str>>,
    /// Why it is priced so: `REGULAR`, `FREE_ENTRY_POINT` and so on.
    #[serde(deserialize_with = "lenient::text")]
    pub pricing_type: Option<Box<str>>,
    /// Messages delivered.
    #[serde(deserialize_with = "lenient::number")]
    pub volume: Option<i64>,
    /// What they cost, in millionths of the account's currency. Meta leaves it out where a partner pays.
    #[serde(deserialize_with = "millionths")]
    pub cost: Option<i64>,
}

/// What Meta shows of an account's payment and messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pricing {
    /// Whether it has a payment method.
    pub funded: bool,
    /// ISO 4217, of the costs.
    pub currency: Option<Box<str>>,
    /// The figures.
    pub points: Vec<PricingPoint>,
}

impl Client {
    /// Reads the payment method of an account, and what its messages came to between two times. Meta's figures are
    /// approximations.
    ///
    /// # Errors
    /// Any class.
    pub async fn read_pricing(
        &self,
        access: &Access,
        waba_id: &str,
        start: Timestamp,
        end: Timestamp,
    ) -> Result<Pricing, Error> {
        let (start, end) = (start.as_second(), end.as_second());
        let fields = format!(
            "id,currency,primary_funding_id,pricing_analytics.start({start}).end({end}).granularity(MONTHLY)\
             .metric_types([\"COST\",\"VOLUME\"]).dimensions([\"PHONE\",\"PRICING_CATEGORY\",\"PRICING_TYPE\"])"
        );
        let path = [waba_id];
        let query = vec![("fields", fields.into())];
        let call = node(access, Endpoint::Pricing, &path, query, waba_id, Priority::Poll);
        let answer = self.read::<PricingAnswer>(call).await?;
        let found = answer.pricing_analytics.unwrap_or_default().data;
        Ok(Pricing {
            funded: answer.primary_funding_id.is_some_and(|id| &*id != "0"),
            currency: answer.currency,
            points: found.into_iter().flat_map(|data| data.data_points).collect(),
        })
    }
}

#[derive(Deserialize)]
struct PricingAnswer {
    #[expect(dead_code, reason = "an answer without it is none")]
    #[serde(deserialize_with = "lenient::id")]
    id: Box<str>,
    #[serde(default, deserialize_with = "lenient::text")]
    currency: Option<Box<str>>,
    #[serde(default, deserialize_with = "lenient::text")]
    primary_funding_id: Option<Box<str>>,
    #[serde(default, deserialize_with = "lenient::object")]
    pricing_analytics: Option<Analytics>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Analytics {
    #[serde(deserialize_with = "lenient::objects")]
    data: Vec<Data>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Data {
    #[serde(deserialize_with = "lenient::objects")]
    data_points: Vec<PricingPoint>,
}

/// A sum of money as number or text. Sums of fractions are exact only in whole millionths.
fn millionths<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    let sum = match serde_json::Value::deserialize(deserializer)? {
        serde_json::Value::Number(number) => number.as_f64(),
        serde_json::Value::String(text) => text.trim().parse::<f64>().ok(),
        serde_json::Value::Null => return Ok(None),
        _ => None,
    };
    let sum = sum.map(|sum| (sum * 1e6).round()).filter(|sum| sum.abs() < 1e15);
    if sum.is_none() {
        lenient::odd();
    }
    #[expect(clippy::cast_possible_truncation, reason = "a whole number below 10^15")]
    Ok(sum.map(|sum| sum as i64))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    #[test]
    fn a_reply_is_read_loosely_and_sums_of_money_exactly() {
        let answer: PricingAnswer = serde_json::from_value(json!({
            "id": 501, "currency": "EUR", "primary_funding_id": "77",
            "pricing_analytics": {"data": [{"data_points": [
                {"start": 1, "end": 2, "phone_number": "33612345678", "pricing_category": "SERVICE",
                 "pricing_type": "REGULAR", "volume": "12", "cost": 0.1},
                {"phone_number": 33_612_345_678_u64, "volume": 3, "cost": "0.2"},
                "odd", {"cost": {}},
            ]}]},
        }))
        .unwrap();
        let points = &answer.pricing_analytics.unwrap().data[0].data_points;
        assert_eq!((points[0].volume, points[0].cost), (Some(12), Some(100_000)));
        assert_eq!(points[1].phone_number.as_deref(), Some("33612345678"));
        assert_eq!(points[0].cost.unwrap() + points[1].cost.unwrap(), 300_000, "and not 0.30000000000000004");
        assert_eq!((points.len(), points[2].cost), (3, None));
        assert!(serde_json::from_value::<PricingAnswer>(json!({"data": []})).is_err(), "not an account");
    }
}
