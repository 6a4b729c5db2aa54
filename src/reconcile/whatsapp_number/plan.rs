//! How a number stands, or what has to be found out first. Pure.

use std::time::{Duration, Instant};

use super::{facts, phase};
use crate::{
    api::{ManagementPolicy, NumberPhase, Problem, WhatsAppNumber, WhatsAppNumberStatus, later},
    graph::wire::PhoneNumber,
    observe::{AppKey, Seen},
    reconcile::{
        link::Link,
        reason::Reason,
        verdict::{Finding, Progress, Verdict},
    },
    timing::Timing,
};

/// What a read by id says of a number that no account lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// Meta does not have it, or does not show it to this token.
    Gone,
    /// Meta has it, but in an account that the app does not manage.
    Elsewhere,
}

/// Everything a plan is made from.
pub struct Input<'a> {
    /// The object.
    pub number: &'a WhatsAppNumber,
    /// Its namespace.
    pub namespace: &'a str,
    /// The app it refers to.
    pub app: &'a AppKey,
    /// How the app stands.
    pub link: &'a Link,
    /// What the app's accounts show.
    pub seen: Seen<PhoneNumber>,
    /// Who stands for the number before this object, if anybody; told only where it may be.
    pub rival: Option<String>,
    /// What the spec asks for and cannot be.
    pub problems: Vec<Problem>,
    /// What a read by id said, where one was made.
    pub proof: Option<Proof>,
    /// For waits.
    pub instant: Instant,
    /// Every wait.
    pub timing: &'a Timing,
}

/// What is to be done.
#[derive(Debug)]
pub enum Plan {
    /// Nothing is known that would change anything.
    Keep,
    /// Read the account again and look once more after this time.
    Recheck(Duration),
    /// Read the number by its id.
    Prove {
        /// The account that held it.
        account: String,
        /// Its id.
        id: String,
    },
    /// Write this, if it is not what stands there already.
    Report(Box<WhatsAppNumberStatus>, Verdict),
}

/// How the number stands.
pub fn plan(input: &Input<'_>) -> Plan {
    let spec = &input.number.spec;
    let base = facts::from_spec(input.number);
    let keep = |verdict: Verdict| report(base.clone(), base.phase.clone().unwrap_or(NumberPhase::Pending), verdict);
    if spec.suspend {
        let message = "spec.suspend is true: Meta is not called for this number";
        let verdict = Verdict::new(Finding::unknown(Reason::Suspended, message), Progress::Suspended);
        return report(base, NumberPhase::Suspended, verdict);
    }
    if let Some(problem) = input.problems.first() {
        let message = format!("{}: {}", problem.field, problem.message);
        return keep(Verdict::new(Finding::no(Reason::InvalidSpec, message), Progress::Stalled));
    }
    if let Some(rival) = &input.rival {
        let message =
            format!("{} is managed by {rival}; delete one of the two, nothing is done for this one", spec.phone_number);
        return report(
            base,
            NumberPhase::Conflict,
            Verdict::new(Finding::no(Reason::Conflict, message), Progress::Stalled),
        );
    }
    if let Some(verdict) = input.link.verdict(input.app, input.namespace) {
        return keep(verdict);
    }
    if let Link::Expired(why) = input.link {
        let finding = Finding::no(Reason::ExpiredToken, format!("MetaApp {}: {why}", input.app));
        let mut verdict = Verdict::new(finding.clone(), Progress::Stalled);
        verdict.facets.push((phase::TOKEN_VALID, finding));
        return report(base, NumberPhase::ExpiredToken, verdict);
    }
    if *input.link == Link::Waiting {
        return Plan::Keep;
    }
    match &input.seen {
        Seen::Unread => Plan::Keep,
        Seen::Unmanaged => {
            let account = spec.business_account_id.as_deref().unwrap_or_default();
            not_found(
                base,
                format!(
                    "MetaApp {} does not manage business account {account}; add it to the MetaApp's \
                 spec.businessAccountIDs, or assign it to its token",
                    input.app
                ),
            )
        }
        Seen::Present { stale: true, .. } | Seen::Absent { stale: true, .. } => {
            let message =
                "Meta could not be read for a while; what is shown may be out of date, and the MetaApp says why";
            keep(Verdict::new(Finding::unknown(Reason::Stale, message), Progress::Settled))
        }
        Seen::Present { account, facts: number, .. } => {
            let status = facts::observed(base, account, number);
            let (phase, verdict) = phase::judge(input.number, number);
            report(status, phase, with_later(input.number, verdict))
        }
        Seen::Absent { since, read, .. } => absent(input, base, *since, *read),
    }
}

/// Gone is what two complete reads far enough apart lack, and, where there once was an id, a read by that id too.
fn absent(input: &Input<'_>, base: WhatsAppNumberStatus, since: Instant, read: Instant) -> Plan {
    let gap = input.timing.absence_gap;
    if read.saturating_duration_since(since) < gap {
        let due = (since + gap).saturating_duration_since(input.instant);
        return Plan::Recheck(due.max(input.timing.absence_gap / 10));
    }
    let number = &input.number.spec.phone_number;
    let known = base.phase == Some(NumberPhase::NotFound);
    match (&base.phone_number_id, &base.business_account_id, input.proof) {
        (Some(id), Some(account), None) if !known => Plan::Prove { account: account.clone(), id: id.clone() },
        (Some(id), _, Some(Proof::Elsewhere)) => not_found(
            base.clone(),
            format!(
                "{number} (id {id}) is at Meta, but in no business account of MetaApp {}; add its account to the \
             MetaApp's spec.businessAccountIDs, or correct spec.appRef",
                input.app
            ),
        ),
        // Said once it stays said: without a new read by id, nobody knows it better.
        (Some(_), _, None) if known => Plan::Keep,
        (Some(id), ..) => not_found(
            base.clone(),
            format!(
                "{number} (id {id}) is gone from Meta, or no longer visible to MetaApp {}; delete this object, or add the \
             number again in WhatsApp Manager",
                input.app
            ),
        ),
        (None, ..) => not_found(
            base,
            format!(
                "no business account of MetaApp {} has {number}; add it in WhatsApp Manager, or correct \
             spec.phoneNumber or spec.businessAccountID",
                input.app
            ),
        ),
    }
}

fn not_found(base: WhatsAppNumberStatus, message: String) -> Plan {
    report(base, NumberPhase::NotFound, Verdict::new(Finding::no(Reason::NotFound, message), Progress::Stalled))
}

fn report(mut status: WhatsAppNumberStatus, phase: NumberPhase, verdict: Verdict) -> Plan {
    status.phase = Some(phase);
    Plan::Report(Box::new(status), verdict)
}

/// Says of every field that a person set and this version does not act on that it does not. Where the number is not
/// enabled and one of them asks for more, that is why it is not ready.
fn with_later(number: &WhatsAppNumber, mut verdict: Verdict) -> Verdict {
    let later = later::whatsapp_number(&number.spec);
    let adopted = verdict.ready.reason == Reason::Adopted;
    if let Some(first) = later.iter().find(|l| l.asks_for_more)
        && adopted
        && number.spec.management_policy == ManagementPolicy::Full
    {
        let message = format!("{} ({})", first.message, verdict.ready.message);
        verdict.ready = Finding::no(Reason::NotYetSupported, message);
        verdict.progress = Progress::Stalled;
    }
    for entry in later {
        let finding = Finding::no(Reason::NotYetSupported, entry.message);
        match verdict.facets.iter_mut().find(|(kind, _)| *kind == entry.condition) {
            // What is so at Meta is so, whoever did it.
            Some((_, found)) if found.state == crate::cluster::conditions::State::True => {}
            Some((_, found)) => *found = finding,
            None => verdict.facets.push((entry.condition, finding)),
        }
    }
    verdict
}
