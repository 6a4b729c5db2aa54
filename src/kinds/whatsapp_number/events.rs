//! Which Event reports a call. Pure.

use super::recovery::words;
use crate::{calls::Operation, k8s::events::EventType, ledger::CallOutcome};

/// Type, reason and note of the Event, if the status alone does not report the call: a refusal in Meta's words, and what no
/// phase shows.
pub fn event_for(
    operation: Operation,
    ended: &CallOutcome,
    quote: Option<&str>,
) -> Option<(EventType, &'static str, String)> {
    match ended {
        CallOutcome::Refused(refusal) => {
            let quote = quote.map_or_else(String::new, |quote| format!("; in its words: {quote}"));
            let note = format!("Meta did not {}: {}{quote}", words(operation), refusal.message);
            Some((EventType::Warning, "Refused", note))
        }
        CallOutcome::Done(_) if operation == Operation::SetPin => {
            Some((EventType::Normal, "PINSet", "Meta has put the PIN of the Secret in force".to_owned()))
        }
        CallOutcome::Done(_) if operation == Operation::Deregister => {
            Some((EventType::Normal, "Deregistered", "Meta deregistered the number from the Cloud API".to_owned()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::whatsapp_number::tests::fixtures::refusal;

    #[test]
    fn an_event_reports_what_no_phase_shows() {
        let ordinary = [Operation::AddNumber, Operation::RequestCode, Operation::VerifyCode, Operation::Register];
        for operation in Operation::ALL {
            let reason = |ended: &CallOutcome| event_for(*operation, ended, None).map(|(_, reason, _)| reason);
            assert_eq!(
                reason(&CallOutcome::Unknown).or(reason(&CallOutcome::NotSent)),
                None,
                "{operation}: the outcome is unknown"
            );
            assert_eq!(reason(&refusal(100, None)), Some("Refused"), "{operation}");
            let done = reason(&CallOutcome::Done(None));
            assert!(done.is_none() || !ordinary.contains(operation), "{operation}: its phase shows it");
        }
        let note = |quote| event_for(Operation::WriteProfile, &refusal(100, None), quote).map(|(_, _, note)| note);
        assert_eq!(note(None).as_deref(), Some("Meta did not change the profile: Meta refused with 100"));
        let quoted = note(Some("about is too long")).unwrap_or_default();
        assert!(quoted.ends_with("with 100; in its words: about is too long"), "{quoted}");
    }
}
