//! How a template stands. Pure.

use super::{Templates, conditions, status, steps::Step};
use crate::{
    api::{Kind, MessageTemplate, MessageTemplateStatus, TemplatePhase, unsupported},
    controller::{
        account_resource::Input,
        plan::{Plan, Report},
        preconditions::{Preconditions, not_found, preconditions},
        summary::{ConditionValue, Progress, StatusSummary, mistake},
    },
    k8s::conditions::SENDABLE,
    messages::Reason,
};

/// What to do about a template.
pub fn plan(input: &Input<'_, Templates>) -> Plan<MessageTemplateStatus, Step> {
    let Input { object, app, .. } = input;
    let base = status::from_spec(object);
    let account = &object.spec.business_account_id;
    match preconditions(input) {
        Preconditions::Open(need) => Plan::Open(need),
        Preconditions::Unproven { account, id } => {
            Plan::Step(Step::ReadById { account: account.to_owned(), id: id.to_owned() })
        }
        Preconditions::Kept(verdict) => kept(base, verdict),
        // There is no phase for it: a template is as it is, whether or not the token reaches it.
        Preconditions::TokenExpired(why) => {
            let message = format!("{why}; meanwhile nothing is read, and the last values stay");
            let ready = ConditionValue::unknown(Reason::AppNotReady, message);
            let sendable = ConditionValue::no(Reason::ExpiredToken, "the MetaApp's token does not work");
            let conditions = vec![(SENDABLE, sendable)];
            let base = MessageTemplateStatus { sendable: Some(false), ..base };
            kept(base, StatusSummary { conditions, ..StatusSummary::keeping(ready, Progress::Settled) })
        }
        Preconditions::Suspended(verdict) => report(base, TemplatePhase::Suspended, verdict),
        Preconditions::Conflict(verdict) => unread(object, base, TemplatePhase::Conflict, verdict),
        Preconditions::Unmanaged(verdict) => unread(object, base, TemplatePhase::NotFound, verdict),
        // Meta moves no template to another account: where the list lacks it, the list is behind.
        Preconditions::Shown { facts: shown, .. } | Preconditions::Elsewhere { facts: shown } => {
            let (phase, mut verdict) = conditions::judge(object, shown);
            verdict.add_later(&unsupported::message_template(&object.spec));
            verdict.report_mistakes(*object);
            report(status::observed(base, object, shown), phase, verdict)
        }
        Preconditions::NeverThere => never_there(object, base),
        Preconditions::Gone { id } => {
            let message = format!(
                "{} (id {id}) is gone from business account {account}, or no longer visible to MetaApp {app}; delete \
                 this object, or create the template again in WhatsApp Manager > Message templates",
                object.title()
            );
            unread(object, base, TemplatePhase::NotFound, not_found(message))
        }
    }
}

/// The phase stays where nothing new is known; those that only told of the object itself are over.
fn kept(base: MessageTemplateStatus, verdict: StatusSummary) -> Plan<MessageTemplateStatus, Step> {
    let phase = match &base.phase {
        None => TemplatePhase::Pending,
        Some(TemplatePhase::Suspended | TemplatePhase::Conflict) => TemplatePhase::Unknown,
        Some(phase) => phase.clone(),
    };
    report(base, phase, verdict)
}

/// What is not there and is asked for waits to be sent; what is only to be observed is missing.
fn never_there(object: &MessageTemplate, base: MessageTemplateStatus) -> Plan<MessageTemplateStatus, Step> {
    if let Some(mistake) = mistake(object) {
        return unread(object, base, TemplatePhase::NotFound, StatusSummary::new(mistake, Progress::Stalled));
    }
    let nowhere = format!("business account {} has no {}", object.spec.business_account_id, object.title());
    let later = unsupported::message_template(&object.spec);
    if let Some(entry) = later.iter().find(|entry| entry.asks_for_more) {
        let finding = ConditionValue::no(Reason::NotYetSupported, format!("{nowhere}, and {}", entry.message));
        return unread(object, base, TemplatePhase::Pending, StatusSummary::new(finding, Progress::Stalled));
    }
    let message = format!(
        "{nowhere}; create it in WhatsApp Manager > Message templates, or delete this object and write one with the right \
         name, language and account"
    );
    unread(object, base, TemplatePhase::NotFound, not_found(message))
}

/// Without facts of Meta that count for this object: nobody should send by it.
fn unread(
    object: &MessageTemplate,
    base: MessageTemplateStatus,
    phase: TemplatePhase,
    mut verdict: StatusSummary,
) -> Plan<MessageTemplateStatus, Step> {
    if phase != TemplatePhase::Conflict {
        let sendable = ConditionValue::no(verdict.ready.reason, "the business account shows no such template");
        verdict.conditions.push((SENDABLE, sendable));
        verdict.add_later(&unsupported::message_template(&object.spec));
    }
    report(MessageTemplateStatus { sendable: Some(false), ..base }, phase, verdict)
}

fn report(
    mut status: MessageTemplateStatus,
    phase: TemplatePhase,
    verdict: StatusSummary,
) -> Plan<MessageTemplateStatus, Step> {
    status.phase = Some(phase);
    Plan::Report(Report::new(status, Some(verdict)))
}
