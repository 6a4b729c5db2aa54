//! A large estate in one call.

use serde::Deserialize;
use serde_json::json;

use super::World;
use super::estate::meta_time;
use super::record::Record;
use super::schema::Kind;
use super::seed::SeedError;

/// How much to add.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Load {
    wabas: u64,
    #[serde(default)]
    numbers_per_waba: u64,
    #[serde(default)]
    templates_per_waba: u64,
}

impl World {
    /// Adds accounts with numbers and templates, all healthy, and returns the accounts' ids. Ids and numbers follow from the
    /// position alone, so that two runs compare.
    pub(crate) fn load(&mut self, load: &Load) -> Result<Vec<String>, SeedError> {
        let now = self.clock.unix();
        let first = (1..u64::MAX).find(|n| self.estate.get(Kind::Account, &account_id(*n)).is_none()).unwrap_or(1);
        let business = self.estate.all(Kind::Business).next().map(|(key, _)| key.to_string());
        let ids: Vec<String> = (first..first + load.wabas).map(account_id).collect();
        if let Some(taken) = ids.iter().find(|id| self.estate.kind_of(id).is_some()) {
            return Err(SeedError::new(format!("load: {taken} exists already")));
        }
        for (nth, id) in (first..).zip(&ids) {
            let mut account = Record::default();
            account.set("name", json!(format!("Load {nth}")));
            if let Some(business) = &business {
                account.set("business", json!(business));
            }
            self.estate.put(Kind::Account, id, account, now);
            for n in 0..load.numbers_per_waba {
                self.load_number(id, nth, n, now);
            }
            for n in 0..load.templates_per_waba {
                self.load_template(id, nth, n, now);
            }
        }
        Ok(ids)
    }

    fn load_number(&mut self, account: &str, nth: u64, n: u64, now: i64) {
        let mut record = Record::default();
        record.set("account", json!(account));
        record.set(
            "display_phone_number",
            json!(format!("+1 {:03}-{:03}-{:04}", 200 + nth, n / 10_000 + 200, n % 10_000)),
        );
        record.set("verified_name", json!(format!("Line {nth}-{n}")));
        record.set("last_onboarded_time", json!(meta_time(now - i64::try_from(n).unwrap_or(0) - 86_400)));
        self.estate.put(Kind::Number, &format!("91{nth:04}{n:09}"), record, now);
    }

    fn load_template(&mut self, account: &str, nth: u64, n: u64, now: i64) {
        let mut record = Record::default();
        record.set("account", json!(account));
        record.set("name", json!(format!("notice_{n}")));
        record.set("last_updated_time", json!(now - 86_400));
        let text = format!("Notice {n}: your request {{{{1}}}} has been received.");
        let example = json!({"body_text": [["A-1204"]]});
        record.set("components", json!([{"type": "BODY", "text": text, "example": example}]));
        self.estate.put(Kind::Template, &format!("92{nth:04}{n:09}"), record, now);
    }
}

fn account_id(nth: u64) -> String {
    format!("90{nth:013}")
}
