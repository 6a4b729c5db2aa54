//! A number that Meta shows, and everything known of it: what the topics of the plan decide on. Pure.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::{
    conditions,
    connection::Connection,
    inputs::{Inputs, KnownSecret, Step},
};
use crate::{
    api::{Action, ManagementPolicy, NumberPhase, WhatsAppNumber},
    calls::{CallInput, Operation},
    controller::{plan::Requeue, summary::StatusSummary},
    graph::{
        codes,
        types::{CodeVerificationStatus, NumberStatus, PhoneNumber, PlatformType},
    },
    messages::when,
    timing::{self, Timing},
};

/// See the module.
pub struct NumberView<'a> {
    /// The object.
    pub object: &'a WhatsAppNumber,
    /// What is known besides.
    pub inputs: &'a Inputs,
    /// The account that has it.
    pub account: &'a str,
    /// What Meta shows.
    pub facts: &'a PhoneNumber,
    /// Every wait.
    pub timing: &'a Timing,
}

/// Why the operator can do nothing for the number at all.
pub fn barred(facts: &PhoneNumber) -> Option<String> {
    let why = match (&facts.status, &facts.platform_type) {
        (Some(NumberStatus::Deleted), _) => "the number is deleted at Meta",
        (Some(NumberStatus::Migrated), _) => "the number was moved to another account",
        (Some(NumberStatus::Banned), _) => "Meta has banned the number",
        (Some(NumberStatus::Restricted), _) => "Meta has restricted the number",
        (_, Some(PlatformType::OnPremise)) => "the number is on the On-Premises API",
        _ if facts.is_on_biz_app == Some(true) => {
            "the number is used in the WhatsApp Business app, where it is registered and verified"
        }
        _ => return None,
    };
    Some(why.to_owned())
}

impl NumberView<'_> {
    /// Whether the operator only reads and reports it.
    pub fn is_observed(&self) -> bool {
        self.object.spec.management_policy == ManagementPolicy::Observe
    }

    /// Whether it is connected.
    pub fn connection(&self) -> Connection {
        Connection::of(self.facts, self.inputs.was_connected())
    }

    /// The phase that Meta's facts mean.
    pub fn phase(&self) -> NumberPhase {
        self.shown().0
    }

    /// Phase and conditions that Meta's facts mean.
    pub fn shown(&self) -> (NumberPhase, StatusSummary) {
        conditions::phase_and_conditions(self.object, self.facts, self.connection())
    }

    /// Whether Meta refused to register the number because its verification has expired.
    pub fn is_verification_expired(&self) -> bool {
        self.inputs.ledger.refusals.get(&Operation::Register).is_some_and(|refusal| refusal.code == codes::NOT_VERIFIED)
    }

    /// Whether Meta shows the number as verified, or has just accepted its code.
    pub fn verified(&self) -> bool {
        !self.is_verification_expired()
            && (self.facts.code_verification_status == Some(CodeVerificationStatus::Verified)
                || self.inputs.ledger.verified_at.is_some_and(|time| self.is_unseen(time)))
    }

    /// Whether Meta accepted a registration and does not show it yet.
    pub fn is_being_registered(&self) -> bool {
        let patience = self.patience();
        let lately = |time: Timestamp| self.is_unseen(time) || self.ago(time) < patience;
        let unseen = |time: &Timestamp| lately(*time) && !self.was_enabled_since(*time);
        !self.connection().is_registered() && self.inputs.ledger.registered_at.is_some_and(|time| unseen(&time))
    }

    /// Whether the status has reported the number at work since then.
    pub fn was_enabled_since(&self, time: Timestamp) -> bool {
        let mut history = self.object.status.iter().flat_map(|status| &status.history);
        // The history has whole seconds.
        history
            .any(|entry| entry.phase == NumberPhase::Enabled.as_str() && entry.time.0.as_second() >= time.as_second())
    }

    /// Who took the number off the Cloud API: this operator, when an earlier object of it was deleted, or somebody else.
    pub fn who_deregistered(&self) -> String {
        match self.inputs.ledger.deregistered_at {
            Some(time) => format!(
                "the operator deregistered it at {}, when the object before this one was deleted (deletionPolicy: Deregister)",
                when(time)
            ),
            None => "somebody deregistered it".to_owned(),
        }
    }

    /// For how long Meta may take to show or connect a number.
    pub fn patience(&self) -> SignedDuration {
        SignedDuration::try_from(self.timing.connecting).unwrap_or_default()
    }

    /// Whether reads may not show yet what Meta replied then: nothing has happened since, or not for long.
    pub fn is_unseen(&self, time: Timestamp) -> bool {
        let last = self.inputs.ledger.last_change_at.is_none_or(|last_change_at| last_change_at <= time);
        !self.inputs.evidence.twice && (last || self.ago(time) < self.patience())
    }

    /// Whether nothing that is set at Meta can reach the number any more.
    pub fn is_out_of_reach(&self) -> bool {
        self.facts.status == Some(NumberStatus::Banned)
            || matches!(self.connection(), Connection::Gone | Connection::OnPremises)
    }

    /// What Meta shows, in a few words for the ledger.
    pub fn before(&self) -> String {
        let facts = self.facts;
        let status = facts.status.as_ref().map_or("-", NumberStatus::as_str);
        let code = facts.code_verification_status.as_ref().map_or("-", CodeVerificationStatus::as_str);
        let platform = facts.platform_type.as_ref().map_or("-", PlatformType::as_str);
        let onboarded = facts.last_onboarded_time.map_or_else(|| "-".to_owned(), |time| time.to_string());
        format!("{status} {code} {platform} {onboarded}")
    }

    /// Meta's clock.
    pub fn now(&self) -> Timestamp {
        self.inputs.now
    }

    /// How long ago, on Meta's clock.
    pub fn ago(&self, time: Timestamp) -> SignedDuration {
        self.inputs.now.duration_since(time)
    }

    /// Until a moment on Meta's clock.
    pub fn until(&self, time: Timestamp) -> Requeue {
        let left = Duration::try_from(time.duration_since(self.inputs.now)).unwrap_or_default();
        // Rather a little late than a little early.
        Requeue::After(left + Duration::from_millis(50))
    }

    /// Before the next attempt at what failed for now.
    pub fn retry(&self) -> Requeue {
        Requeue::After(self.timing.retry_interval)
    }

    /// A read that counts.
    pub fn fresh(&self) -> Requeue {
        Requeue::AfterReadSince(self.inputs.counts_from.unwrap_or_else(timing::now))
    }

    /// The reads that prove that something did not happen.
    pub fn proof(&self) -> Requeue {
        if self.inputs.evidence.fresh { Requeue::PollUntilChanged(self.timing.absence_gap / 2) } else { self.fresh() }
    }

    /// A call about this number.
    pub fn send(&self, input: CallInput, secret: Option<KnownSecret>, action: Option<Action>) -> Step {
        Step::Send {
            input,
            secret,
            account: self.account.to_owned(),
            id: Some(self.facts.id.to_string()),
            before: self.before(),
            action,
        }
    }
}
