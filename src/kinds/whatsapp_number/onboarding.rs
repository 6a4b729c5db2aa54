//! From bare digits to connected: which rung is next for a number that Meta shows, or why none is. Pure.
//!
//! Guarded phases in a row; the first that has something to do or to say ends it.

use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};

use super::{
    inputs::{Custody, Step},
    recovery,
    requests::Requests,
};
use crate::{
    api::{Action, NumberPhase, WhatsAppNumber},
    calls::Order,
    controller::{
        preconditions::Need,
        summary::{Finding, Progress},
    },
    graph::types::{CodeVerificationStatus, NumberStatus, PhoneNumber, PlatformType},
    k8s::conditions::State,
    messages::{Reason, commands},
    timing::Timing,
};

/// A number that Meta shows, and all that is known of it.
pub struct At<'a> {
    /// The object.
    pub object: &'a WhatsAppNumber,
    /// What is known besides.
    pub custody: &'a Custody,
    /// The account that has it.
    pub account: &'a str,
    /// What Meta shows.
    pub facts: &'a PhoneNumber,
    /// Every wait.
    pub timing: &'a Timing,
}

/// What comes next.
#[derive(Debug)]
pub enum Rung {
    /// Nothing: what Meta shows says it all.
    Nothing,
    /// This.
    Step(Step),
    /// What to say instead of what Meta shows.
    Told(Told),
    /// Nothing yet: a step waits for a read that counts, and what was said stays until then.
    Wait(Need),
}

/// What the ladder says of a number.
#[derive(Debug)]
pub struct Told {
    /// The phase, where it is not the one that Meta's facts mean.
    pub phase: Option<NumberPhase>,
    /// Condition Ready.
    pub ready: Finding,
    /// Who acts next.
    pub progress: Progress,
    /// When to look again.
    pub next: Need,
}

impl Told {
    pub fn waits(phase: NumberPhase, reason: Reason, message: impl Into<String>, next: Need) -> Rung {
        let ready = Finding::no(reason, message);
        Rung::Told(Self { phase: Some(phase), ready, progress: Progress::Reconciling, next })
    }

    pub fn stalled(phase: NumberPhase, reason: Reason, message: impl Into<String>) -> Rung {
        Self::troubled(phase, reason, message, Need::Nothing)
    }

    /// A person has to act, which nothing may show.
    pub fn troubled(phase: NumberPhase, reason: Reason, message: impl Into<String>, next: Need) -> Rung {
        let ready = Finding::no(reason, message);
        Rung::Told(Self { phase: Some(phase), ready, progress: Progress::Stalled, next })
    }
}

/// The next rung.
pub fn climb(at: &At<'_>, requests: &mut Requests) -> Rung {
    let barred = barred(at.facts);
    if let Some(why) = &barred {
        requests.ignore_all(why);
    }
    if let Some(trouble) = &at.custody.trouble {
        requests.wait_all();
        let again = Need::Time(at.timing.retry_interval);
        return Told::troubled(at.phase(), trouble.reason, trouble.message.clone(), again);
    }
    if let Some(intent) = at.custody.open_rung() {
        let rung = recovery::closing(at, intent, requests).unwrap_or_else(|| {
            requests.wait_all();
            recovery::open(at, intent)
        });
        return match rung {
            Rung::Step(Step::Again { .. }) if barred.is_some() => Rung::Nothing,
            rung => held(at, rung, requests),
        };
    }
    if let Some(why) = barred {
        return left_alone(at, &why);
    }
    if let Some(why) = at.custody.no_writes.as_ref().filter(|_| at.wants_more()) {
        // What has expired, or is good for some time yet, is not told by a wrong clock.
        requests.wait_all();
        return Told::waits(at.phase(), Reason::ClockSkewed, why.clone(), Need::Time(at.timing.retry_interval));
    }
    let rung = super::actions::asked(at, requests)
        .or_else(|| super::verification::verify(at))
        .or_else(|| super::registration::register(at))
        .unwrap_or(Rung::Nothing);
    held(at, rung, requests)
}

/// A call is only made when it may be; else this tells what it waits for.
fn held(at: &At<'_>, rung: Rung, requests: &mut Requests) -> Rung {
    let asked = match &rung {
        Rung::Step(Step::Send { action, .. }) => action.is_some(),
        Rung::Step(Step::Again { .. }) => false,
        _ => return rung,
    };
    let again = Need::Time(at.timing.retry_interval);
    let waits = if let Some(why) = &at.custody.no_writes {
        Told::waits(at.phase(), Reason::ClockSkewed, why.clone(), again)
    } else if let Some(why) = &at.custody.held_back {
        let message = format!("the next call to Meta could not be made, and is tried again: {why}");
        Told::waits(at.phase(), Reason::HeldBack, message, again)
    } else if at.custody.evidence.fresh {
        return rung;
    } else {
        Rung::Wait(at.fresh())
    };
    if asked {
        requests.wait_all();
    }
    waits
}

/// What Meta shows says it all, unless the spec asks for what cannot be done.
fn left_alone(at: &At<'_>, why: &str) -> Rung {
    let (phase, verdict) = super::conditions::judge(at.object, at.facts);
    let asks = at.object.spec.verification.is_some() || at.object.spec.registration.is_some();
    if !asks || at.facts.platform_type == Some(PlatformType::CloudApi) || verdict.ready.state != State::True {
        return Rung::Nothing;
    }
    let message = format!(
        "spec.verification and spec.registration ask for what cannot be done: {why}. Remove them, or have the number deleted \
         there first; then the operator goes on. To remove them: {}",
        commands::patch(at.object, r#"{"verification":null,"registration":null}"#)
    );
    Told::stalled(phase, Reason::NotPermitted, message)
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

impl At<'_> {
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
            || self.custody.ledger.verified_at.is_some_and(|time| self.is_unseen(time))
    }

    /// Whether reads may not show yet what Meta said then: nothing has happened since, or not for long.
    pub fn is_unseen(&self, time: Timestamp) -> bool {
        let patience = SignedDuration::try_from(self.timing.connecting).unwrap_or_default();
        let last = self.custody.ledger.touched.is_none_or(|touched| touched <= time);
        !self.custody.evidence.twice && (last || self.ago(time) < patience)
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
        self.custody.now
    }

    /// Until a moment on Meta's clock.
    pub fn until(&self, time: Timestamp) -> Need {
        let left = Duration::try_from(time.duration_since(self.custody.now)).unwrap_or_default();
        // Rather a little late than a little early.
        Need::Time(left + Duration::from_millis(50))
    }

    /// A read that counts.
    pub fn fresh(&self) -> Need {
        Need::Since(self.custody.counts_from.unwrap_or_else(Instant::now))
    }

    /// The reads that prove that something did not happen.
    pub fn proof(&self) -> Need {
        if self.custody.evidence.fresh { Need::Watching(self.timing.absence_gap / 2) } else { self.fresh() }
    }

    /// A call about this number.
    pub fn send(&self, order: Order, secret: Option<super::inputs::Known>, action: Option<Action>) -> Rung {
        Rung::Step(Step::Send {
            order,
            secret,
            account: self.account.to_owned(),
            id: Some(self.facts.id.to_string()),
            before: self.before(),
            action,
        })
    }

    /// How long ago, on Meta's clock.
    pub fn ago(&self, time: Timestamp) -> SignedDuration {
        self.custody.now.duration_since(time)
    }
}

fn before(facts: &PhoneNumber) -> String {
    let status = facts.status.as_ref().map_or("-", NumberStatus::as_str);
    let code = facts.code_verification_status.as_ref().map_or("-", CodeVerificationStatus::as_str);
    let platform = facts.platform_type.as_ref().map_or("-", PlatformType::as_str);
    let onboarded = facts.last_onboarded_time.map_or_else(|| "-".to_owned(), |time| time.to_string());
    format!("{status} {code} {platform} {onboarded}")
}
