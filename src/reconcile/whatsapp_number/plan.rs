//! How a number stands. Pure.

use super::{facts, phase};
use crate::{
    api::{ManagementPolicy, NumberPhase, WhatsAppNumber, WhatsAppNumberStatus, later},
    reconcile::{
        outlook::{Input, Outlook, Plan, not_found, outlook},
        reason::Reason,
        verdict::{Finding, Progress, Verdict},
    },
};

/// What to do about a number.
pub fn plan(input: &Input<'_, WhatsAppNumber>) -> Plan<WhatsAppNumberStatus> {
    let Input { object, app, .. } = input;
    let base = facts::from_spec(object);
    let number = &object.spec.phone_number;
    match outlook(input) {
        Outlook::Open(need) => Plan::Open(need),
        Outlook::Kept(verdict) => {
            let phase = last_phase(&base);
            report(base, phase, verdict)
        }
        Outlook::Suspended(verdict) => report(base, NumberPhase::Suspended, verdict),
        Outlook::Conflict(verdict) => report(base, NumberPhase::Conflict, verdict),
        Outlook::TokenExpired(why) => report(base, NumberPhase::ExpiredToken, token_expired(why)),
        Outlook::Unmanaged(verdict) => missing(object, base, verdict),
        Outlook::Shown { account, facts: shown } => {
            let (phase, verdict) = phase::judge(object, shown);
            report(facts::observed(base, account, shown), phase, with_later(object, verdict))
        }
        Outlook::NeverThere => missing(
            object,
            base,
            not_found(format!(
                "no business account of MetaApp {app} has {number}; add it in WhatsApp Manager, or correct \
             spec.phoneNumber or spec.businessAccountID"
            )),
        ),
        Outlook::Gone { id } => missing(
            object,
            base,
            not_found(format!(
                "{number} (id {id}) is gone from Meta, or no longer visible to MetaApp {app}; delete this object, or add \
             the number again in WhatsApp Manager"
            )),
        ),
        Outlook::Elsewhere { facts: shown } => missing(
            object,
            base,
            not_found(format!(
                "{number} (id {}) is at Meta, but in no business account of MetaApp {app}; add its account to the \
             MetaApp's spec.businessAccountIDs, or correct spec.appRef",
                shown.id
            )),
        ),
    }
}

/// The phase that stays where nothing new is known; those that only told of the object itself are over.
fn last_phase(status: &WhatsAppNumberStatus) -> NumberPhase {
    match &status.phase {
        None => NumberPhase::Pending,
        Some(NumberPhase::Suspended | NumberPhase::Conflict) => NumberPhase::Unknown,
        Some(phase) => phase.clone(),
    }
}

fn report(mut status: WhatsAppNumberStatus, phase: NumberPhase, verdict: Verdict) -> Plan<WhatsAppNumberStatus> {
    status.phase = Some(phase);
    Plan::Report(Box::new(status), verdict)
}

fn token_expired(why: String) -> Verdict {
    let finding = Finding::no(Reason::ExpiredToken, why);
    let facets = vec![(phase::TOKEN_VALID, finding.clone())];
    Verdict { facets, ..Verdict::keeping(finding, Progress::Stalled) }
}

fn missing(object: &WhatsAppNumber, base: WhatsAppNumberStatus, verdict: Verdict) -> Plan<WhatsAppNumberStatus> {
    report(base, NumberPhase::NotFound, with_later(object, verdict))
}

/// With what this version does not act on yet. Where the number is not enabled and one of those fields asks for more,
/// that is why it is not ready.
fn with_later(object: &WhatsAppNumber, mut verdict: Verdict) -> Verdict {
    let later = later::whatsapp_number(&object.spec);
    if let Some(first) = later.iter().find(|entry| entry.asks_for_more)
        && verdict.ready.reason == Reason::Adopted
        && object.spec.management_policy == ManagementPolicy::Full
    {
        let message = format!("{} ({})", first.message, verdict.ready.message);
        verdict.ready = Finding::no(Reason::NotYetSupported, message);
        verdict.progress = Progress::Stalled;
    }
    verdict.add_later(&later);
    verdict
}
