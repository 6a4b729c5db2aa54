//! How a template stands. Pure.

use std::convert::Infallible;

use super::{conditions, status};
use crate::{
    api::{MessageTemplate, MessageTemplateStatus, TemplatePhase, unsupported},
    controller::{
        managed_resource::Subject,
        preconditions::{Input, Outlook, Plan, Report, not_found, outlook},
        summary::{Finding, Progress, Verdict},
    },
    messages::Reason,
};

/// What to do about a template.
pub fn plan(input: &Input<'_, MessageTemplate>) -> Plan<MessageTemplateStatus, Infallible> {
    let Input { object, app, .. } = input;
    let base = status::from_spec(object);
    let account = &object.spec.business_account_id;
    match outlook(input) {
        Outlook::Open(need) => Plan::Open(need),
        Outlook::Kept(verdict) => kept(base, verdict),
        // There is no phase for it: a template is as it is, whether or not the token reaches it.
        Outlook::TokenExpired(why) => {
            let message = format!("{why}; meanwhile nothing is read, and the last values stay");
            kept(base, Verdict::keeping(Finding::unknown(Reason::AppNotReady, message), Progress::Settled))
        }
        Outlook::Suspended(verdict) => report(base, TemplatePhase::Suspended, verdict),
        Outlook::Conflict(verdict) => unread(object, base, TemplatePhase::Conflict, verdict),
        Outlook::Unmanaged(verdict) => unread(object, base, TemplatePhase::NotFound, verdict),
        // Meta moves no template to another account: where the list lacks it, the list is behind.
        Outlook::Shown { facts: shown, .. } | Outlook::Elsewhere { facts: shown } => {
            let (phase, mut verdict) = conditions::judge(object, shown);
            verdict.add_later(&unsupported::message_template(&object.spec));
            report(status::observed(base, object, shown), phase, verdict)
        }
        Outlook::NeverThere => never_there(object, base),
        Outlook::Gone { id } => {
            let message = format!(
                "{} (id {id}) is gone from business account {account}, or no longer visible to MetaApp {app}; delete \
                 this object, or create the template again in WhatsApp Manager > Message templates",
                object.known_as()
            );
            unread(object, base, TemplatePhase::NotFound, not_found(message))
        }
    }
}

/// The phase stays where nothing new is known; those that only told of the object itself are over.
fn kept(base: MessageTemplateStatus, verdict: Verdict) -> Plan<MessageTemplateStatus, Infallible> {
    let phase = match &base.phase {
        None => TemplatePhase::Pending,
        Some(TemplatePhase::Suspended | TemplatePhase::Conflict) => TemplatePhase::Unknown,
        Some(phase) => phase.clone(),
    };
    report(base, phase, verdict)
}

/// What is not there and is asked for waits to be sent; what is only to be observed is missing.
fn never_there(object: &MessageTemplate, base: MessageTemplateStatus) -> Plan<MessageTemplateStatus, Infallible> {
    let nowhere = format!("business account {} has no {}", object.spec.business_account_id, object.known_as());
    let later = unsupported::message_template(&object.spec);
    if let Some(entry) = later.iter().find(|entry| entry.asks_for_more) {
        let finding = Finding::no(Reason::NotYetSupported, format!("{nowhere}, and {}", entry.message));
        return unread(object, base, TemplatePhase::Pending, Verdict::new(finding, Progress::Stalled));
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
    mut verdict: Verdict,
) -> Plan<MessageTemplateStatus, Infallible> {
    if phase != TemplatePhase::Conflict {
        verdict.add_later(&unsupported::message_template(&object.spec));
    }
    report(MessageTemplateStatus { sendable: Some(false), ..base }, phase, verdict)
}

fn report(
    mut status: MessageTemplateStatus,
    phase: TemplatePhase,
    verdict: Verdict,
) -> Plan<MessageTemplateStatus, Infallible> {
    status.phase = Some(phase);
    Plan::Report(Report::new(status, verdict))
}
