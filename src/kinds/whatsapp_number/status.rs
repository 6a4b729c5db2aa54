//! The status of a number: its fields, from the spec, the ledger and Meta's facts; and phase and conditions, put together
//! from what each part of the plan reports. Pure.

use jiff::{SignedDuration, Timestamp};

use super::{
    actions::ActionRequests,
    binding, conditions,
    connection::Connection,
    decision::{ConditionReport, Decision, Impact, NumberReport, ReadyReport},
    inputs::{Binding, Inputs},
    number_view::NumberView,
    provisioning, registration,
};
use crate::{
    api::{
        Action, BindingStatus, Direction, DirectionSummary, Health, HealthError, Kind, LastError, ListingAccount,
        ManagementPolicy, NumberPhase, NumberWebhookStatus, RegistrationStatus, VerificationStatus, WhatsAppNumber,
        WhatsAppNumberStatus, whole_seconds,
    },
    calls::Operation,
    controller::{
        plan::Requeue,
        summary::{ConditionValue, Notice, Progress, StatusSummary, correct},
    },
    graph::types::{NameStatus, PhoneNumber, PlatformType},
    k8s::conditions::{READY, SENDABLE, State, find},
    messages::{Reason, commands, when},
};

/// How long an approved name waits for a registration.
const NAME_LIFE: SignedDuration = SignedDuration::from_hours(14 * 24);

/// WhatsApp's customer service window, and so the default of `spec.incoming.sessionTime`.
const SESSION_TIME: &str = "24h";
/// How many health errors are shown.
const ERRORS_SHOWN: usize = 10;

/// The status so far, with what follows from the spec and the ledger alone.
pub fn from_spec(number: &WhatsAppNumber, inputs: &Inputs) -> WhatsAppNumberStatus {
    let mut status = number.status.clone().unwrap_or_default();
    // Only the object that owns the number reports what the ledger records.
    let is_mine = number.metadata.uid.as_deref() == Some(inputs.ledger.owner.uid.as_str());
    if inputs.held && inputs.blocker.is_none() && inputs.ledger.serial > 0 && is_mine {
        remembered(&mut status, inputs);
    }
    status.binding = match &inputs.binding {
        Binding::Current(_) => Some(BindingStatus { name: binding::secret_name(number) }),
        Binding::Waits(_) | Binding::Behind(_) | Binding::Refused(_) => status.binding,
        Binding::NotManaged | Binding::Unwanted | Binding::Taken(_) => None,
    };
    status.direction = DirectionSummary::of(&number.spec.directions);
    status.session_time = number.spec.directions.contains(&Direction::Incoming).then(|| {
        let given = number.spec.incoming.as_ref().and_then(|incoming| incoming.session_time.as_ref());
        given.map_or_else(|| SESSION_TIME.to_owned(), ToString::to_string)
    });
    status
}

/// Reports what the ledger records.
fn remembered(status: &mut WhatsAppNumberStatus, inputs: &Inputs) {
    let ledger = &inputs.ledger;
    let attempts: Vec<_> = ledger.recent(Operation::Register, inputs.now).into_iter().map(whole_seconds).collect();
    // Meta's lock, or the pause that it requires after a refusal.
    let pause = ledger.refusals.get(&Operation::Register).and_then(|refusal| refusal.until);
    let blocked_until = [ledger.blocked_until, pause].into_iter().flatten().max();
    let blocked_until = blocked_until.filter(|until| inputs.now < *until).map(whole_seconds);
    let re_register_before = status.registration.take().and_then(|registration| registration.re_register_before);
    let registration =
        RegistrationStatus { last_attempt_at: attempts.last().cloned(), attempts, blocked_until, re_register_before };
    status.registration = (registration != RegistrationStatus::default()).then_some(registration);
    status.verification = ledger.code.as_ref().map(|code| VerificationStatus {
        requested_at: Some(whole_seconds(code.requested_at)),
        method: Some(code.method.as_str().to_owned()),
        attempts: i32::try_from(code.tried.len()).unwrap_or(i32::MAX),
    });
    if let Some(webhook) = &ledger.webhook {
        let known = Some(webhook.inputs.clone()).filter(|inputs| !inputs.is_empty());
        status.webhook.get_or_insert_default().verify_token_hash = known;
    }
    let input = [
        Operation::Register,
        Operation::SetPin,
        Operation::VerifyCode,
        Operation::RequestCode,
        Operation::AddNumber,
        Operation::Deregister,
        Operation::SetWebhook,
        Operation::ClearWebhook,
        Operation::WriteProfile,
    ];
    let refusal = input.iter().find_map(|operation| ledger.refusals.get(operation));
    status.last_error = refusal.map(|refusal| LastError {
        code: i64::from(refusal.code),
        subcode: refusal.subcode.map(i64::from),
        class: refusal.class.clone(),
        message: refusal.message.clone(),
    });
}

/// By when an approved name has to be registered: 14 days from when the approval was first seen.
pub fn reregister_before(at: &NumberView<'_>) -> Timestamp {
    let known = at.object.status.as_ref().and_then(|status| status.registration.as_ref()?.re_register_before.clone());
    known.map_or_else(|| at.now().checked_add(NAME_LIFE).unwrap_or(Timestamp::MAX), |time| time.0)
}

/// Notes by when an approved name has to be registered.
pub fn renamed(status: &mut WhatsAppNumberStatus, at: &NumberView<'_>) {
    let approved = at.facts.new_name_status == Some(NameStatus::Approved);
    if approved && at.object.spec.management_policy == ManagementPolicy::Full {
        let before = whole_seconds(reregister_before(at));
        status.registration.get_or_insert_default().re_register_before = Some(before);
    } else if let Some(registration) = &mut status.registration {
        registration.re_register_before = None;
    }
    if status.registration == Some(RegistrationStatus::default()) {
        status.registration = None;
    }
}

/// The status with what Meta shows.
pub fn observed(mut status: WhatsAppNumberStatus, account: &str, number: &PhoneNumber) -> WhatsAppNumberStatus {
    let text = |value: &Option<Box<str>>| value.as_ref().map(ToString::to_string);
    status.phone_number_id = Some(number.id.to_string());
    status.business_account_id = Some(account.to_owned());
    status.meta_status = number.status.as_ref().map(|status| status.as_str().to_owned());
    status.display_phone_number = text(&number.display_phone_number);
    status.verified_name = text(&number.verified_name);
    status.name_status = number.name_status.as_ref().map(|s| s.as_str().to_owned());
    status.provider = number.platform_type.as_ref().map(provider);
    status.quality_rating = number.quality_rating.as_ref().map(|q| q.as_str().to_owned());
    status.messaging_limit = number.messaging_limit.as_ref().map(|l| l.as_str().to_owned());
    status.throughput = number.throughput.as_ref().map(|t| t.as_str().to_owned());
    status.account_mode = number.account_mode.as_ref().map(|m| m.as_str().to_owned());
    status.is_official_business_account = number.is_official_business_account;
    status.last_onboarded_time = number.last_onboarded_time.map(whole_seconds);
    status.health = number.health.as_deref().map(health).filter(|health| *health != Health::default());
    let hash = status.webhook.take().and_then(|webhook| webhook.verify_token_hash);
    let webhook = webhook(number).map(|webhook| NumberWebhookStatus { verify_token_hash: hash, ..webhook });
    // An object whose last field goes away becomes null in the API server, which then refuses it.
    status.webhook = webhook.filter(|webhook| *webhook != NumberWebhookStatus::default());
    status
}

fn provider(platform: &PlatformType) -> String {
    match platform {
        PlatformType::CloudApi => "Meta Cloud API",
        PlatformType::OnPremise => "Meta On-Premises API",
        PlatformType::NotApplicable => "None",
        PlatformType::Other(word) => word,
    }
    .to_owned()
}

fn health(health: &crate::graph::types::Health) -> Health {
    let errors = health.entities.iter().flat_map(|entity| {
        entity.errors.iter().map(|error| HealthError {
            entity: entity.entity_type.as_ref().map(ToString::to_string),
            code: error.code.map_or(0, i64::from),
            description: error.description.as_ref().map(ToString::to_string),
            solution: error.solution.as_ref().map(ToString::to_string),
        })
    });
    Health {
        can_send_message: health.can_send_message.as_ref().map(|may| may.as_str().to_owned()),
        errors: errors.take(ERRORS_SHOWN).collect(),
    }
}

fn webhook(number: &PhoneNumber) -> Option<NumberWebhookStatus> {
    let configuration = number.webhook_configuration.as_ref()?;
    let text = |value: &Option<Box<str>>| value.as_ref().filter(|url| !url.is_empty()).map(ToString::to_string);
    let phone = text(&configuration.phone_number);
    let account = text(&configuration.whatsapp_business_account);
    let app = text(&configuration.application);
    let effective = phone.clone().or_else(|| account.clone()).or_else(|| app.clone());
    Some(NumberWebhookStatus { effective, phone, account, app, verify_token_hash: None })
}

/// The status of a number that Meta shows, as it is put together.
pub struct StatusBuilder<'a> {
    at: &'a NumberView<'a>,
    phase: NumberPhase,
    summary: StatusSummary,
    next: Requeue,
}

impl<'a> StatusBuilder<'a> {
    /// What Meta shows; `ready` goes before it.
    pub fn new(at: &'a NumberView<'a>, ready: Option<ReadyReport>) -> Self {
        let (phase, summary) = at.shown();
        let mut status = Self { at, phase, summary, next: Requeue::Nothing };
        if let Some(app) = &at.inputs.observing_app {
            let message = &mut status.summary.ready.message;
            *message = format!(
                "{message}. The operator changes nothing at Meta for this number, because spec.managementPolicy of MetaApp {app} \
                 is Observe"
            );
        }
        let shows_all = ready.is_none();
        if let Some(ReadyReport { phase, ready, progress, next }) = ready {
            status.phase = phase.unwrap_or(status.phase);
            status.summary.ready = ready;
            status.summary.progress = progress;
            status.next = next;
        }
        status.tell_of_deregistration();
        status.name_differs();
        if shows_all && !at.is_observed() && is_renamed(at.facts) && status.phase == NumberPhase::Enabled {
            status.name_waits_for_registration();
        }
        status
    }

    /// Somebody deregistered a number that worked, and Ready does not say so.
    fn tell_of_deregistration(&mut self) {
        let last = self.at.object.status.as_ref().and_then(|status| status.phase.as_ref());
        let worked = last == Some(&NumberPhase::Enabled);
        if worked
            && self.at.connection() == Connection::Disconnected
            && self.summary.ready.reason != Reason::Disconnected
        {
            let message = "somebody deregistered the number from the Cloud API: it can neither send nor receive. The operator \
                           does not register it again by itself";
            self.summary.notices.push(Notice {
                reason: Reason::Disconnected,
                warns: true,
                message: message.to_owned(),
            });
        }
    }

    /// The spec requests another name than Meta shows. The operator leaves that to people.
    fn name_differs(&mut self) {
        let at = self.at;
        let Some(wanted) = at.object.spec.requested_name.as_deref().filter(|_| provisioning::adds(at.object)) else {
            return;
        };
        let shown = at.facts.verified_name.as_deref();
        if shown == Some(wanted) || at.facts.new_display_name.as_deref() == Some(wanted) {
            return;
        }
        let approved = self.summary.conditions.iter_mut().find(|(kind, _)| *kind == conditions::NAME_APPROVED);
        if let (Some((_, value)), Some(shown)) = (approved, shown) {
            value.message = format!(
                "{}; Meta shows {shown}, and spec.requestedName is {wanted}, which the operator sends only when it adds a \
                 number: change the name in WhatsApp Manager > Phone numbers",
                value.message
            );
        }
    }

    /// The number works under its old name until it is registered again.
    fn name_waits_for_registration(&mut self) {
        let at = self.at;
        let name = at.facts.new_display_name.as_deref().or(at.facts.verified_name.as_deref()).unwrap_or("the new name");
        let message = format!(
            "Meta approved the display name {name}; it takes effect when the number is registered again, before {}: {}{}",
            when(reregister_before(at)),
            commands::request(at.object, Action::Register),
            registration::last_refusal(at)
        );
        let value = ConditionValue::no(Reason::ReRegisterRequired, message);
        match self.summary.conditions.iter_mut().find(|(kind, _)| *kind == conditions::NAME_APPROVED) {
            Some((_, found)) => *found = value,
            None => self.summary.conditions.push((conditions::NAME_APPROVED, value)),
        }
    }

    /// A mistake in the spec makes the number not ready, where Meta's facts do not.
    pub fn report_mistakes(&mut self) {
        self.summary.report_mistakes(self.at.object);
    }

    /// One more condition, and what it means for Ready: the first that keeps the number from matching its spec takes Ready's
    /// place where that is True.
    pub fn add(&mut self, kind: &'static str, report: ConditionReport) {
        let value = report.value.or_else(|| last_value(self.at.object, kind));
        if let Impact::Waits(progress, next) = report.impact {
            self.look_again(next);
            if let Some(value) = &value
                && self.summary.ready.state == State::True
                && progress != Progress::Settled
            {
                self.summary.ready = value.clone();
                self.summary.progress = progress;
            }
        }
        self.summary.conditions.extend(value.map(|value| (kind, value)));
    }

    /// The number is reconciled again at the earliest time that any part needs. A part that needs a read of the account
    /// goes first: such reads are requeued within half a minute.
    fn look_again(&mut self, next: Requeue) {
        match (&self.next, &next) {
            (Requeue::Nothing, _) => self.next = next,
            (Requeue::After(earlier), Requeue::After(later)) if later < earlier => self.next = next,
            (Requeue::After(_), Requeue::AfterRead(_) | Requeue::AfterReadSince(_) | Requeue::PollUntilChanged(_)) => {
                self.next = next;
            }
            _ => {}
        }
    }

    /// The whole status. A call that another process may be making is resolved when that is over, whether or not the spec
    /// still asks for it.
    pub fn finish(mut self, base: WhatsAppNumberStatus) -> Decision<NumberReport> {
        let at = self.at;
        if let Some(left) = at.inputs.foreign_call_grace.values().min() {
            self.look_again(Requeue::After(*left));
        }
        let last = at.object.status.as_ref().and_then(|status| status.phase.as_ref());
        if self.phase == NumberPhase::Registering && last == Some(&self.phase) && !at.inputs.evidence.fresh {
            // The first read that counts may show it connected: nothing is reported between.
            return Decision::Wait(at.fresh());
        }
        let mut status = observed(base, at.account, at.facts);
        let listing = at.inputs.listed_in.iter();
        status.business_accounts = listing.map(|id| ListingAccount { id: id.to_string() }).collect();
        renamed(&mut status, at);
        Decision::Report(NumberReport { next: self.next, ..NumberReport::new(status, self.phase, self.summary) })
    }
}

/// Whether Meta approved a new name that is not in force yet.
fn is_renamed(facts: &PhoneNumber) -> bool {
    facts.new_name_status == Some(NameStatus::Approved)
}

/// The value that a condition has.
fn last_value(object: &WhatsAppNumber, kind: &str) -> Option<ConditionValue> {
    let condition = find(&object.status.as_ref()?.conditions, kind)?;
    let reason = Reason::named(&condition.reason)?;
    let state = State::named(&condition.status);
    Some(ConditionValue { state, reason, message: condition.message.clone() })
}

/// The phase that stays where nothing new is known; `Suspended` and `Conflict` say nothing of the number at Meta.
pub fn last_phase(status: &WhatsAppNumberStatus) -> NumberPhase {
    match &status.phase {
        None => NumberPhase::Pending,
        Some(NumberPhase::Suspended | NumberPhase::Conflict) => NumberPhase::Unknown,
        Some(phase) => phase.clone(),
    }
}

/// Of a number that no read has shown yet.
pub fn pending(base: WhatsAppNumberStatus, report: ReadyReport) -> NumberReport {
    let ReadyReport { phase, ready, progress, next } = report;
    let summary = StatusSummary::new(ready, progress);
    NumberReport { next, ..NumberReport::new(base, phase.unwrap_or(NumberPhase::Pending), summary) }
}

/// Nothing can be reported yet; a status that was never written gets at least that.
pub fn nothing_known(base: WhatsAppNumberStatus, need: Requeue) -> Decision<NumberReport> {
    let ready = find(&base.conditions, READY).map(|ready| ready.reason.as_str());
    let is_first = base.phase.is_none() || ready == Some(Reason::Reading.as_str());
    if !is_first || !matches!(need, Requeue::After(_) | Requeue::AfterRead(_)) {
        return Decision::Wait(need);
    }
    let message = "no business account of the MetaApp lists the number; the operator confirms this with a second read one \
                   minute later";
    let ready = ConditionValue::no(Reason::Reading, message);
    Decision::Report(pending(base, ReadyReport { phase: None, ready, progress: Progress::Reconciling, next: need }))
}

/// Of a number whose app has a dead token.
pub fn token_expired(base: WhatsAppNumberStatus, why: String) -> NumberReport {
    let value = ConditionValue::no(Reason::ExpiredToken, why);
    let sendable = ConditionValue::no(Reason::ExpiredToken, "the MetaApp's token does not work");
    let conditions = vec![(conditions::TOKEN_VALID, value.clone()), (SENDABLE, sendable)];
    let summary = StatusSummary { conditions, ..StatusSummary::keeping(value, Progress::Stalled) };
    NumberReport::new(base, NumberPhase::ExpiredToken, summary)
}

/// Of a number that Meta does not have.
pub fn absent(base: WhatsAppNumberStatus, summary: StatusSummary, requests: &mut ActionRequests) -> NumberReport {
    requests.ignore_all("Meta does not have the number");
    let sendable = ConditionValue::no(Reason::NotFound, "no business account of the MetaApp lists the number");
    let conditions = vec![(SENDABLE, sendable)];
    NumberReport::new(base, NumberPhase::NotFound, StatusSummary { conditions, ..summary })
}

/// The mistake because of which no number at Meta can be this one, or none may be added for it.
pub fn identity_mistake(object: &WhatsAppNumber) -> Option<StatusSummary> {
    let errors = object.spec_errors();
    let error = errors.iter().find(|error| error.condition == READY)?;
    let immutable = ["spec.phoneNumber", "spec.businessAccountID", "metadata.name"].contains(&error.field.as_str());
    let mistake = if immutable {
        let message = format!(
            "{}: {}. The field cannot be changed: create another WhatsAppNumber, and delete this one: {}",
            error.field,
            error.message,
            commands::with("delete", object)
        );
        ConditionValue::no(Reason::InvalidSpec, message)
    } else {
        correct(object, error)
    };
    Some(StatusSummary::new(mistake, Progress::Stalled))
}
