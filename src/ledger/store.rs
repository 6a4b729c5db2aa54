//! A ledger as a Secret: the memory as JSON, PINs and codes as keys of their own, so that a person can read a PIN with
//! kubectl.

use std::collections::BTreeSet;

use secrecy::ExposeSecret;

use super::entry::Ledger;
use crate::cluster::secrets::{Hidden, OwnedProblem, OwnedSecret};

/// How the names of all ledgers begin; the digits of the number follow.
pub const PREFIX: &str = "waba-number-";

const LEDGER: &str = "ledger";
const PIN: &str = "pin";
const PIN_TRIED: &str = "pin-tried";
const CODE_TRIED: &str = "code-tried";
/// For people: whose number it is, and what is under way.
const OWNER: &str = "waba.dev/owner";
const OPEN_CALLS: &str = "waba.dev/open-calls";

/// The name of a number's ledger.
#[must_use]
pub fn secret_name(digits: u64) -> String {
    format!("{PREFIX}{digits}")
}

/// Why a ledger cannot be used. Nothing is asked of Meta without it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LedgerProblem {
    /// The Secret could not be read or written.
    #[error(transparent)]
    Secret(#[from] std::sync::Arc<OwnedProblem>),
    /// The Secret is there, and what it holds is no ledger.
    #[error(
        "Secret {0} does not hold what the operator wrote into it: restore it from a backup; only if that is impossible \
         delete it, and the operator will know nothing of earlier codes, registrations and PINs"
    )]
    Damaged(String),
}

impl From<OwnedProblem> for LedgerProblem {
    fn from(problem: OwnedProblem) -> Self {
        Self::Secret(std::sync::Arc::new(problem))
    }
}

impl LedgerProblem {
    /// Whether nothing is wrong: somebody else wrote it meanwhile.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        matches!(self, Self::Secret(problem) if matches!(**problem, OwnedProblem::Stale(_)))
    }

    /// Whether a person has to act, as opposed to an API server that is away.
    #[must_use]
    pub fn is_lasting(&self) -> bool {
        match self {
            Self::Secret(problem) => matches!(**problem, OwnedProblem::Taken(_)),
            Self::Damaged(_) => true,
        }
    }
}

/// Reads a ledger out of its Secret.
pub(super) fn read(secret: &OwnedSecret, path: &str) -> Result<Ledger, LedgerProblem> {
    let text = secret.get(LEDGER);
    let ledger = text.and_then(|text| serde_json::from_str::<Ledger>(text.expose_secret()).ok());
    let mut ledger = ledger.ok_or_else(|| LedgerProblem::Damaged(path.to_owned()))?;
    let hidden = |key: &str| secret.get(key).map(Hidden);
    ledger.pin = hidden(PIN);
    ledger.pin_tried = hidden(PIN_TRIED);
    ledger.code_tried = hidden(CODE_TRIED);
    Ok(ledger)
}

/// Puts a ledger into its Secret.
pub(super) fn write(ledger: &Ledger, secret: &mut OwnedSecret) {
    // A map with text keys and plain values can always be written as JSON.
    let text = serde_json::to_string(ledger).unwrap_or_default();
    secret.set(LEDGER, &text.into());
    for (key, value) in [(PIN, &ledger.pin), (PIN_TRIED, &ledger.pin_tried), (CODE_TRIED, &ledger.code_tried)] {
        match value {
            Some(Hidden(value)) => secret.set(key, value),
            None => secret.unset(key),
        }
    }
    let owner = format!("{}/{}", ledger.owner.namespace, ledger.owner.name);
    secret.annotate(OWNER, Some(&owner));
    let open: BTreeSet<&str> = ledger.intents.iter().map(|intent| intent.order.operation().as_str()).collect();
    let open = open.into_iter().collect::<Vec<_>>().join(",");
    secret.annotate(OPEN_CALLS, (!open.is_empty()).then_some(open.as_str()));
}
