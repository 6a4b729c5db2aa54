//! Calls of kinds that are to come fit the list, the journal and the recovery as they are.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

use super::{
    Budget, CallGateway, Class, Journal, Recovery, Sent, Shown,
    operation::operations,
    recovery::{self, Evidence},
};
use crate::{
    api::Action,
    graph::{self, Outcome},
    k8s::lease::Fence,
    timing::Timing,
};

operations! {
    /// What templates and app subscriptions will need.
    Later:
    /// Meta refuses a second template of the same name and language.
    CreateTemplate = "createTemplate", Guarded, Some(Action::Submit), None;
    /// Meta allows one edit a day, and ten in 30 days.
    EditTemplate = "editTemplate", Observable, Some(Action::Submit), Some(Self::EditTemplate);
    /// The same subscription twice is one.
    SubscribeApp = "subscribeApp", Absorbing, None, None;
}

/// An object's status, as far as a journal needs one.
#[derive(Default)]
struct Status {
    intents: Vec<(Later, u32)>,
    ids: Vec<String>,
    /// What the API server has taken, in order.
    writes: Vec<&'static str>,
    is_refused: bool,
}

impl Journal for Status {
    type Intent = (Later, u32);
    type Reply = String;
    type Report = ();
    type Problem = &'static str;

    async fn begin(&mut self, intent: (Later, u32)) -> Result<(), &'static str> {
        if self.is_refused {
            return Err("conflict");
        }
        self.intents.push(intent);
        self.writes.push("intent");
        Ok(())
    }

    async fn finish(&mut self, outcome: Option<Outcome<String>>) {
        match outcome {
            Some(Outcome::Unknown(_)) => self.writes.push("unknown"),
            Some(Outcome::Done(id)) => {
                self.ids.push(id);
                self.intents.clear();
                self.writes.push("done");
            }
            _ => self.intents.clear(),
        }
    }
}

fn graph() -> graph::Client {
    let base_url = "http://127.0.0.1:1".parse().unwrap();
    let config = graph::Config { base_url, user_agent: "test".to_owned(), timing: crate::timing::Timing::default() };
    graph::Client::new(config, Arc::new(|_: &graph::Finished<'_>| {})).unwrap()
}

#[tokio::test]
async fn a_template_and_a_subscription_go_through_the_door_with_a_status_as_their_journal() {
    let (graph, timing) = (graph(), Timing::default());
    for operation in Later::ALL {
        for (seconds, is_refused, written, reason) in [
            (60, false, vec!["intent", "done"], "before and after the call"),
            (34, false, vec![], "a lease that may end before the call does"),
            (60, true, vec![], "an intent that was not written"),
        ] {
            let fence = Fence::held_for(Duration::from_secs(seconds));
            let gateway = CallGateway { graph: &graph, fence: &fence, timing: &timing };
            let mut status = Status { is_refused, ..Status::default() };
            let mut calls = 0;
            let call = async {
                calls += 1;
                Some(Outcome::Done("7".to_owned()))
            };
            let sent = gateway.send(None, &mut status, (*operation, 1), call).await;
            assert_eq!(sent.is_err(), is_refused, "{reason}");
            assert_eq!(calls, usize::from(written.len() == 2), "{}: {reason}", operation.as_str());
            assert_eq!(matches!(sent, Ok(Sent::Held(_))), seconds == 34, "{reason}");
            assert_eq!(status.writes, written, "{}: {reason}", operation.as_str());
        }
    }
}

#[test]
fn a_template_whose_reply_was_lost_is_looked_up_and_a_subscription_is_made_again() {
    let fresh = Evidence { fresh: true, twice: false };
    for (operation, shown, expected) in [
        (Later::CreateTemplate, Shown::Done, Recovery::Adopt),
        (Later::CreateTemplate, Shown::Other, Recovery::Conflict),
        (Later::CreateTemplate, Shown::NotDone, Recovery::Repeat),
        (Later::EditTemplate, Shown::NotDone, Recovery::AwaitProof),
        (Later::SubscribeApp, Shown::NotDone, Recovery::Repeat),
    ] {
        assert_eq!(recovery::next(operation.class(), shown, fresh, 1), expected, "{}", operation.as_str());
    }
    assert_eq!(Later::CreateTemplate.action(), Some(Action::Submit));
    let counted = Later::ALL.iter().filter_map(|operation| operation.counted()).collect::<Vec<_>>();
    assert_eq!(counted, [Later::EditTemplate]);
    let edits = [(1, 24), (10, 30 * 24)]
        .map(|(calls, hours)| Budget { calls, window: jiff::SignedDuration::from_hours(hours) });
    let now = jiff::Timestamp::UNIX_EPOCH;
    assert!(edits[0].next(&[now], now).is_some() && edits[1].next(&[now], now).is_none());
    assert_eq!(Class::Guarded, Later::CreateTemplate.class());
}
