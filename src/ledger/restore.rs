//! Rebuilds a lost ledger from a number's status. Pure.

use jiff::Timestamp;

use super::{parts::SentCode, record::Ledger};
use crate::{
    api::{CodeMethod, WhatsAppNumberStatus},
    calls::Operation,
};

impl Ledger {
    /// What Meta counts, and the code that was sent: the rest is not in the status.
    #[must_use]
    pub fn from_status(status: &WhatsAppNumberStatus) -> Self {
        let mut ledger = Self::default();
        if let Some(registration) = &status.registration {
            let attempts: Vec<Timestamp> = registration.attempts.iter().map(|time| time.0).collect();
            if !attempts.is_empty() {
                ledger.attempts.insert(Operation::Register, attempts);
            }
            ledger.blocked_until = registration.blocked_until.as_ref().map(|time| time.0);
        }
        if let Some(verification) = &status.verification
            && let Some(requested_at) = &verification.requested_at
        {
            let method = verification.method.as_deref().and_then(CodeMethod::named).unwrap_or_default();
            let (baseline, tried) = (None, Vec::new());
            ledger.code = Some(SentCode { requested_at: requested_at.0, method, baseline, tried, certain: false });
        }
        ledger
    }
}
