//! From bare digits to connected: which rung is next for a number that Meta shows, or why none is. Pure.
//!
//! Guarded phases in a row; the first that has something to do or to say ends it.

use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};

use super::{
    inputs::{Inputs, Step},
    recovery,
    requests::Requests,
};
use crate::{
    api::{Action, NumberPhase, WhatsAppNumber},
    calls::CallInput,
    controller::{
        plan::Requeue,
        summary::{ConditionValue, Progress},
    },
    graph::types::{CodeVerificationStatus, NumberStatus, PhoneNumber, PlatformType},
    k8s::conditions::State,
    messages::{Reason, commands},
    timing::Timing,
};

/// A number that Meta shows, and all that is known of it.
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

/// What comes next.
#[derive(Debug)]
pub enum Decision {
    /// Nothing: what Meta shows says it all.
    NotManaged,
    /// This.
    Act(Step),
    /// What to say instead of what Meta shows.
    Report(ReadyReport),
    /// Nothing yet: a step waits for a read that counts, and what was said stays until then.
    Wait(Requeue),
}

/// What the ladder says of a number.
#[derive(Debug)]
pub struct ReadyReport {
    /// The phase, where it is not the one that Meta's facts mean.
    pub phase: Option<NumberPhase>,
    /// Condition Ready.
    pub ready: ConditionValue,
    /// Who acts next.
    pub progress: Progress,
    /// When to look again.
    pub next: Requeue,
}

impl ReadyReport {
    pub fn waits(phase: NumberPhase, reason: Reason, message: impl Into<String>, next: Requeue) -> Decision {
        let ready = ConditionValue::no(reason, message);
        Decision::Report(Self { phase: Some(phase), ready, progress: Progress::Reconciling, next })
    }

    pub fn stalled(phase: NumberPhase, reason: Reason, message: impl Into<String>) -> Decision {
        Self::troubled(phase, reason, message, Requeue::Nothing)
    }

    /// A person has to act, which nothing may show.
    pub fn troubled(phase: NumberPhase, reason: Reason, message: impl Into<String>, next: Requeue) -> Decision {
        let ready = ConditionValue::no(reason, message);
        Decision::Report(Self { phase: Some(phase), ready, progress: Progress::Stalled, next })
    }
}

/// The next rung.
pub fn next_step(at: &NumberView<'_>, requests: &mut Requests) -> Decision {
    let barred = barred(at.facts);
    if let Some(why) = &barred {
        requests.ignore_all(why);
    }
    if let Some(blocker) = &at.inputs.blocker {
        requests.wait_all();
        let again = Requeue::After(at.timing.retry_interval);
        return ReadyReport::troubled(at.phase(), blocker.reason, blocker.message.clone(), again);
    }
    if let Some(intent) = at.inputs.open_rung() {
        let rung = recovery::closing(at, intent, requests).unwrap_or_else(|| {
            requests.wait_all();
            recovery::open(at, intent)
        });
        return match rung {
            Decision::Act(Step::Repeat { .. }) if barred.is_some() => Decision::NotManaged,
            rung => held(at, rung, requests),
        };
    }
    if let Some(why) = barred {
        return left_alone(at, &why);
    }
    if let Some(why) = at.inputs.no_writes.as_ref().filter(|_| at.wants_more()) {
        // What has expired, or is good for some time yet, is not told by a wrong clock.
        requests.wait_all();
        return ReadyReport::waits(
            at.phase(),
            Reason::ClockSkewed,
            why.clone(),
            Requeue::After(at.timing.retry_interval),
        );
    }
    let rung = super::actions::asked(at, requests)
        .or_else(|| super::verification::verify(at))
        .or_else(|| super::registration::register(at))
        .unwrap_or(Decision::NotManaged);
    held(at, rung, requests)
}

/// A call is only made when it may be; else this tells what it waits for.
fn held(at: &NumberView<'_>, rung: Decision, requests: &mut Requests) -> Decision {
    let asked = match &rung {
        Decision::Act(Step::Send { action, .. }) => action.is_some(),
        Decision::Act(Step::Repeat { .. }) => false,
        _ => return rung,
    };
    let again = Requeue::After(at.timing.retry_interval);
    let waits = if let Some(why) = &at.inputs.no_writes {
        ReadyReport::waits(at.phase(), Reason::ClockSkewed, why.clone(), again)
    } else if let Some(why) = &at.inputs.held_back {
        let message = format!("the next call to Meta could not be made, and is tried again: {why}");
        ReadyReport::waits(at.phase(), Reason::HeldBack, message, again)
    } else if at.inputs.evidence.fresh {
        return rung;
    } else {
        Decision::Wait(at.fresh())
    };
    if asked {
        requests.wait_all();
    }
    waits
}

/// What Meta shows says it all, unless the spec asks for what cannot be done.
fn left_alone(at: &NumberView<'_>, why: &str) -> Decision {
    let (phase, verdict) = super::conditions::judge(at.object, at.facts);
    let asks = at.object.spec.verification.is_some() || at.object.spec.registration.is_some();
    if !asks || at.facts.platform_type == Some(PlatformType::CloudApi) || verdict.ready.state != State::True {
        return Decision::NotManaged;
    }
    let message = format!(
        "spec.verification and spec.registration ask for what cannot be done: {why}. Remove them, or have the number deleted \
         there first; then the operator goes on. To remove them: {}",
        commands::patch(at.object, r#"{"verification":null,"registration":null}"#)
    );
    ReadyReport::stalled(phase, Reason::NotPermitted, message)
}

/// Why nothing can be done for the number at all.
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

/// A time in a message: whole seconds.
pub fn when(time: Timestamp) -> String {
    Timestamp::from_second(time.as_second()).unwrap_or(time).to_string()
}

impl NumberView<'_> {
    /// The phase that Meta's facts mean.
    pub fn phase(&self) -> NumberPhase {
        super::conditions::judge(self.object, self.facts).0
    }

    /// Whether Meta takes the number for verified, or has just said so.
    pub fn verified(&self) -> bool {
        if super::registration::is_lapsed(self) {
            return false;
        }
        self.facts.code_verification_status == Some(CodeVerificationStatus::Verified)
            || self.inputs.ledger.verified_at.is_some_and(|time| self.is_unseen(time))
    }

    /// Whether reads may not show yet what Meta said then: nothing has happened since, or not for long.
    pub fn is_unseen(&self, time: Timestamp) -> bool {
        let patience = SignedDuration::try_from(self.timing.connecting).unwrap_or_default();
        let last = self.inputs.ledger.last_change_at.is_none_or(|last_change_at| last_change_at <= time);
        !self.inputs.evidence.twice && (last || self.ago(time) < patience)
    }

    /// Whether nothing that is set at Meta can reach the number any more.
    pub fn is_out_of_reach(&self) -> bool {
        self.facts.is_gone()
            || self.facts.status == Some(NumberStatus::Banned)
            || self.facts.platform_type == Some(PlatformType::OnPremise)
    }

    /// Whether the spec asks for a step that was not made yet.
    fn wants_more(&self) -> bool {
        let spec = &self.object.spec;
        !self.facts.is_registered() && (spec.verification.is_some() || spec.registration.is_some())
    }

    /// What Meta shows, in a few words for the ledger.
    pub fn before(&self) -> String {
        before(self.facts)
    }

    /// Meta's clock.
    pub fn now(&self) -> Timestamp {
        self.inputs.now
    }

    /// Until a moment on Meta's clock.
    pub fn until(&self, time: Timestamp) -> Requeue {
        let left = Duration::try_from(time.duration_since(self.inputs.now)).unwrap_or_default();
        // Rather a little late than a little early.
        Requeue::After(left + Duration::from_millis(50))
    }

    /// A read that counts.
    pub fn fresh(&self) -> Requeue {
        Requeue::AfterReadSince(self.inputs.counts_from.unwrap_or_else(Instant::now))
    }

    /// The reads that prove that something did not happen.
    pub fn proof(&self) -> Requeue {
        if self.inputs.evidence.fresh { Requeue::PollUntilChanged(self.timing.absence_gap / 2) } else { self.fresh() }
    }

    /// A call about this number.
    pub fn send(
        &self,
        input: CallInput,
        secret: Option<super::inputs::KnownSecret>,
        action: Option<Action>,
    ) -> Decision {
        Decision::Act(Step::Send {
            input,
            secret,
            account: self.account.to_owned(),
            id: Some(self.facts.id.to_string()),
            before: self.before(),
            action,
        })
    }

    /// How long ago, on Meta's clock.
    pub fn ago(&self, time: Timestamp) -> SignedDuration {
        self.inputs.now.duration_since(time)
    }
}

fn before(facts: &PhoneNumber) -> String {
    let status = facts.status.as_ref().map_or("-", NumberStatus::as_str);
    let code = facts.code_verification_status.as_ref().map_or("-", CodeVerificationStatus::as_str);
    let platform = facts.platform_type.as_ref().map_or("-", PlatformType::as_str);
    let onboarded = facts.last_onboarded_time.map_or_else(|| "-".to_owned(), |time| time.to_string());
    format!("{status} {code} {platform} {onboarded}")
}
