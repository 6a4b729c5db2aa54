//! Calls that are neither sent nor recorded.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;

use super::*;
use crate::{
    calls::CallInput,
    graph::{Access, AppCredentials},
    k8s::lease::Fence,
    ledger::Ledgers,
};

/// Nothing listens there.
const NOWHERE: &str = "http://127.0.0.1:1";

#[tokio::test]
async fn a_process_whose_lease_ends_soon_sends_and_writes_nothing() {
    let timing = Timing::default();
    let client = kube::Client::try_from(kube::Config::new(NOWHERE.parse().unwrap())).unwrap();
    let ledgers = Ledgers::new(client, "waba", |_| None, timing.clone());
    let config =
        graph::Config { base_url: NOWHERE.parse().unwrap(), user_agent: "test".to_owned(), timing: timing.clone() };
    let graph = graph::Client::new(config, Arc::new(|_: &graph::Finished<'_>| {})).unwrap();
    let app = AppCredentials { app_id: "1".into(), app_secret: "secret".into() };
    let access = Access { app, token: "token".into(), version: "v25.0".into() };
    let sending = || CallRequest {
        begin: NewIntent {
            id: "one".to_owned(),
            input: CallInput::Deregister,
            inputs: "f".to_owned(),
            before: "-".to_owned(),
            secret: None,
            action: None,
            now: graph.now(),
        },
        target: Target {
            access: access.clone(),
            account: "102".to_owned(),
            id: "106".to_owned(),
            number: "+33612345678".to_owned(),
        },
        owner: Owner::default(),
    };
    // The longest call, and a little: a lease that ends before is none.
    for (left, sends) in [(Duration::ZERO, false), (Duration::from_secs(34), false), (Duration::from_mins(1), true)] {
        let fence = Fence::held_for(left);
        let gateway = CallGateway { graph: &graph, fence: &fence, timing: &timing };
        let mut book = ledgers.open(33_612_345_678).await;
        let sent = book.send(&gateway, sending()).await;
        assert_eq!(sent.is_err(), sends, "{left:?}: only a write of the ledger can fail here: {sent:?}");
    }
}

#[test]
fn pins_that_come_too_fast_wait_longer_each_time() {
    let now = Timestamp::UNIX_EPOCH;
    for (times, minutes) in [(1, 5), (2, 10), (3, 20), (4, 40), (5, 60), (9, 60)] {
        let until = lengthened(now + Duration::from_mins(5), times, now);
        assert_eq!(until, now + Duration::from_mins(minutes), "{times}");
    }
}
