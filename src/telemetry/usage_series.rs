//! What messages came to, per account and number, where an app asks for it.

use std::sync::atomic::AtomicU64;

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{family::Family, gauge::Gauge},
    registry::Registry,
};

/// What tells one series from another.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct UsageLabels {
    /// The app, `namespace/name`.
    pub app: String,
    /// The account.
    pub account: String,
    /// The number, in digits.
    pub number: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CostLabels {
    app: String,
    account: String,
    number: String,
    currency: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AccountLabels {
    app: String,
    account: String,
}

/// What the messages of one number came to in the current month.
#[derive(Clone, Debug)]
pub struct NumberSeries {
    /// Its labels.
    pub labels: UsageLabels,
    /// Service messages delivered.
    pub service: i64,
    /// All messages delivered.
    pub messages: i64,
    /// What they cost, and in which currency; `None` where Meta does not say.
    pub cost: Option<(f64, String)>,
}

/// An account, and whether it has a payment method.
#[derive(Clone, Debug)]
pub struct PaymentSeries {
    /// The app, `namespace/name`.
    pub app: String,
    /// The account.
    pub account: String,
    /// Whether it has a payment method.
    pub funded: bool,
}

/// The gauges.
#[derive(Clone, Debug, Default)]
pub struct UsageGauges {
    service: Family<UsageLabels, Gauge>,
    messages: Family<UsageLabels, Gauge>,
    cost: Family<CostLabels, Gauge<f64, AtomicU64>>,
    funded: Family<AccountLabels, Gauge>,
}

impl UsageGauges {
    pub(super) fn register(&self, r: &mut Registry) {
        let help = "Service messages delivered in the calendar month of the account, by number; 1,000 of each are free";
        r.register("usage_service_messages", help, self.service.clone());
        let help = "Messages delivered in the calendar month of the account, by number";
        r.register("usage_messages", help, self.messages.clone());
        let help = "What the messages of the calendar month cost so far, by number and currency";
        r.register("usage_cost", help, self.cost.clone());
        let help = "1 for an account with a payment method, 0 for one without";
        r.register("account_funded", help, self.funded.clone());
    }

    /// Shows these, and no others.
    pub fn set(&self, accounts: &[PaymentSeries], numbers: &[NumberSeries]) {
        self.service.clear();
        self.messages.clear();
        self.cost.clear();
        self.funded.clear();
        for PaymentSeries { app, account, funded } in accounts {
            let labels = AccountLabels { app: app.clone(), account: account.clone() };
            self.funded.get_or_create(&labels).set(i64::from(*funded));
        }
        for NumberSeries { labels, service, messages, cost } in numbers {
            self.service.get_or_create(labels).set(*service);
            self.messages.get_or_create(labels).set(*messages);
            if let Some((cost, currency)) = cost {
                let UsageLabels { app, account, number } = labels.clone();
                self.cost.get_or_create(&CostLabels { app, account, number, currency: currency.clone() }).set(*cost);
            }
        }
    }
}
