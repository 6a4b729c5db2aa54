//! The ledger without the rest of the operator: what is written before a call and after it, what happens when the API
//! server fails meanwhile, and what another process reads.

use std::{sync::Arc, time::Duration};

use k8s_openapi::api::core::v1::Secret;
use kube::{Client, ResourceExt, api::DeleteParams};
use serde_json::{Value, json};
use waba_operator::{
    api::CodeMethod,
    calls::{CallGateway, CallInput, Operation},
    graph::{self, Access, AppCredentials},
    k8s::{
        lease::{Fence, Lease, LeaseConfig},
        secrets::ComparableSecret,
    },
    ledger::{CallOutcome, CallReport, CallRequest, Ledger, LedgerProblem, Ledgers, NewIntent, Owner, Target},
    run::GRAPH_VERSION,
    timing::Timing,
};

use crate::harness::{
    gate::{Gate, Hold},
    operator::{SPEEDUP, in_time},
    scenario::{PHONE, refusal, unverified_number, verified_number},
    seed::{ACCOUNT, APP, NUMBER},
    world::World,
};

const DIGITS: u64 = 33_612_345_678;
const NAME: &str = "waba-number-33612345678";
/// Requests for ledger Secrets.
const PATH: &str = "/secrets(/waba-number-[0-9]+)?$";
const PIN: &str = "004217";

/// One process that sends calls and writes ledgers; a gate lies between it and the API server.
struct LedgerProcess {
    world: World,
    gate: Gate,
    graph: graph::Client,
    access: Access,
    timing: Timing,
    ledgers: Arc<Ledgers>,
}

impl LedgerProcess {
    async fn new(prefix: &str, seed: Value) -> Self {
        Self::with(prefix, seed, Timing::new(SPEEDUP)).await
    }

    async fn with(prefix: &str, seed: Value, timing: Timing) -> Self {
        let world = World::new(prefix, seed).await;
        let gate = Gate::start(world.config.clone()).await;
        let config = graph::Config {
            base_url: world.settings().graph_url,
            user_agent: "waba-operator/test".to_owned(),
            timing: timing.clone(),
        };
        let graph = graph::Client::new(config, Arc::new(|_: &graph::Finished<'_>| {})).unwrap();
        let app = AppCredentials { app_id: APP.to_owned(), app_secret: world.app_secret(APP).await.into() };
        let access = Access { app, token: world.token("main").await.into(), version: GRAPH_VERSION.to_owned() };
        let ledgers = ledgers(&world, gate.config(), &timing);
        Self { world, gate, graph, access, timing, ledgers }
    }

    /// Another process, without anything in memory.
    fn another_process(&self) -> Arc<Ledgers> {
        ledgers(&self.world, self.world.config.clone(), &self.timing)
    }

    /// The ledger as another process reads it.
    async fn stored_ledger(&self) -> Ledger {
        let mut book = self.another_process().open(DIGITS).await;
        book.load(self.graph.now()).await.unwrap().cloned().unwrap_or_default()
    }

    async fn secret(&self) -> Option<Secret> {
        self.world.secrets().get_opt(NAME).await.unwrap()
    }

    fn sending(&self, id: &str, input: CallInput, secret: Option<&str>) -> CallRequest {
        let begin = NewIntent {
            id: id.to_owned(),
            input,
            inputs: format!("inputs of {id}"),
            before: "-".to_owned(),
            secret: secret.map(ComparableSecret::from),
            action: None,
            now: self.graph.now(),
        };
        let target = Target {
            access: self.access.clone(),
            account: ACCOUNT.to_owned(),
            id: NUMBER.to_owned(),
            number: PHONE.to_owned(),
        };
        CallRequest { begin, target, owner: owner() }
    }

    async fn send(&self, sending: CallRequest) -> Result<CallReport, LedgerProblem> {
        self.send_while(sending, &Fence::always()).await
    }

    async fn send_while(&self, sending: CallRequest, fence: &Fence) -> Result<CallReport, LedgerProblem> {
        let gateway = CallGateway { graph: &self.graph, fence, timing: &self.timing };
        self.ledgers.open(DIGITS).await.send(&gateway, sending).await
    }
}

/// Every load reads the Secret again, except shortly after the process's own write.
fn ledgers(world: &World, mut config: kube::Config, timing: &Timing) -> Arc<Ledgers> {
    config.default_retry = false;
    let client = Client::try_from(config).unwrap();
    Ledgers::new(client, &world.namespace, |_| Some("some version".to_owned()), timing.clone())
}

fn owner() -> Owner {
    Owner { uid: "uid".to_owned(), namespace: "cc".to_owned(), name: "support".to_owned() }
}

fn request_code() -> CallInput {
    CallInput::RequestCode { method: CodeMethod::Sms, language: "en_US".to_owned(), baseline: None }
}

fn ended(sent: Result<CallReport, LedgerProblem>) -> CallOutcome {
    match sent.unwrap() {
        CallReport::CallOutcome(ended, _) => ended,
        CallReport::Held(why) => panic!("the call was not sent: {why}"),
    }
}

#[tokio::test]
async fn the_next_process_reads_the_outcome_of_a_call_and_its_owner() {
    let process = LedgerProcess::new("outcome", unverified_number()).await;
    process.world.inject_fault(refusal("/request_code$", 136_024, "try later")).await;
    let CallOutcome::Refused(refused) = ended(process.send(process.sending("one", request_code(), None)).await) else {
        panic!("Meta did not refuse the call")
    };
    let written = process.stored_ledger().await;
    assert_eq!((written.intents, written.code), (Vec::new(), None), "no code was sent");
    assert_eq!(written.refusals.get(&Operation::RequestCode), Some(&refused));
    assert_eq!(written.owner, owner());

    assert_eq!(ended(process.send(process.sending("two", request_code(), None)).await), CallOutcome::Done(None));
    let written = process.stored_ledger().await;
    assert!(written.intents.is_empty() && written.refusals.is_empty());
    assert!(written.code.is_some_and(|code| code.certain));
    process.world.finish().await;
}

#[tokio::test]
async fn a_call_is_not_sent_and_its_intent_is_removed_when_writing_the_intent_got_no_reply() {
    let process = LedgerProcess::new("unsure-note", unverified_number()).await;
    process.gate.drop_replies("POST", PATH, 1);
    process.send(process.sending("one", request_code(), None)).await.unwrap_err();
    let there = process.stored_ledger().await;
    assert_eq!(there.intents.len(), 1, "the intent was written although its reply was lost");

    let mut book = process.ledgers.open(DIGITS).await;
    let known = book.load(process.graph.now()).await.unwrap().cloned().unwrap();
    for ledger in [known, process.stored_ledger().await] {
        assert_eq!((&ledger.intents, &ledger.code), (&Vec::new(), &None), "the call does not count as sent");
        assert!(
            ledger.recent(Operation::RequestCode, process.graph.now()).is_empty(),
            "the call does not count as an attempt"
        );
    }
    assert_eq!(process.world.writes_at_meta().await, Vec::<String>::new());
    drop(book);
    process.world.finish().await;
}

/// The watch does not show the Secret yet, so the operator has to read it from the API server.
#[tokio::test]
async fn the_first_intent_of_a_number_is_removed_before_the_watch_shows_it() {
    let process = LedgerProcess::new("unseen-note", unverified_number()).await;
    let mut config = process.gate.config();
    config.default_retry = false;
    let client = Client::try_from(config).unwrap();
    let unseen = Ledgers::new(client, &process.world.namespace, |_| None, process.timing.clone());
    process.gate.drop_replies("POST", PATH, 1);
    let gateway = CallGateway { graph: &process.graph, fence: &Fence::always(), timing: &process.timing };
    let mut book = unseen.open(DIGITS).await;
    book.send(&gateway, process.sending("one", request_code(), None)).await.unwrap_err();
    book.load(process.graph.now()).await.unwrap();
    drop(book);
    assert_eq!(process.stored_ledger().await.intents, Vec::new(), "the intent is removed");
    process.world.finish().await;
}

#[tokio::test]
async fn writing_an_outcome_is_retried() {
    let process = LedgerProcess::new("stubborn", unverified_number()).await;
    for name in ["first", "second"] {
        process.gate.hold(Hold::before(name, "PUT", PATH));
    }
    let (sent, ()) = tokio::join!(process.send(process.sending("one", request_code(), None)), async {
        for name in ["first", "second"] {
            process.gate.reached(name).await;
            process.gate.refuse(name);
        }
    });
    assert_eq!(ended(sent), CallOutcome::Done(None));
    let written = process.stored_ledger().await;
    assert!(written.intents.is_empty() && written.code.is_some_and(|code| code.certain));
    process.world.finish().await;
}

#[tokio::test]
async fn an_accepted_code_is_written_at_once() {
    let process = LedgerProcess::new("accepted-code", unverified_number()).await;
    ended(process.send(process.sending("one", request_code(), None)).await);
    let code = process.world.sent_code(NUMBER).await;
    let verify = process.sending("two", CallInput::VerifyCode, Some(&code));
    assert_eq!(ended(process.send(verify).await), CallOutcome::Done(None));

    let mut book = process.ledgers.open(DIGITS).await;
    let known = book.load(process.graph.now()).await.unwrap().cloned().unwrap();
    assert!(known.intents.is_empty() && known.verified_at.is_some(), "{known:?}");
    assert!(!book.has_unwritten_outcomes());
    let written = process.stored_ledger().await;
    assert_eq!((written.intents, written.verified_at), (Vec::new(), known.verified_at));
    drop(book);
    process.world.finish().await;
}

/// Two processes: one is writing an outcome, the other changes the ledger meanwhile.
#[tokio::test]
async fn an_outcome_is_merged_into_what_another_process_wrote_meanwhile() {
    let process = LedgerProcess::new("noted", verified_number(json!({}))).await;
    process.gate.hold(Hold::before("outcome", "PUT", PATH));
    let register = process.sending("one", CallInput::Register, Some(PIN));
    let (sent, ()) = tokio::join!(process.send(register), async {
        process.gate.reached("outcome").await;
        let other = process.another_process();
        let mut book = other.open(DIGITS).await;
        book.load(process.graph.now()).await.unwrap();
        book.save(|ledger| ledger.was_connected = true).await.unwrap();
        process.gate.release("outcome");
    });
    assert_eq!(ended(sent), CallOutcome::Done(None));
    let written = process.stored_ledger().await;
    assert!(written.intents.is_empty() && written.registered_at.is_some() && written.was_connected, "{written:?}");
    assert_eq!(written.pin, Some(PIN.into()));
    process.world.finish().await;
}

#[tokio::test]
async fn an_outcome_that_another_process_has_resolved_is_not_written_again() {
    let process = LedgerProcess::new("found-out", verified_number(json!({}))).await;
    process.gate.hold(Hold::before("outcome", "PUT", PATH));
    let register = process.sending("one", CallInput::Register, Some(PIN));
    let (sent, version) = tokio::join!(process.send(register), async {
        process.gate.reached("outcome").await;
        let other = process.another_process();
        let mut book = other.open(DIGITS).await;
        book.load(process.graph.now()).await.unwrap();
        book.settle("one", CallOutcome::Done(None), process.graph.now()).await.unwrap();
        let version = process.secret().await.unwrap().resource_version();
        process.gate.release("outcome");
        version
    });
    assert_eq!(ended(sent), CallOutcome::Done(None));
    assert_eq!(process.secret().await.unwrap().resource_version(), version);
    assert!(!process.ledgers.open(DIGITS).await.has_unwritten_outcomes());
    process.world.finish().await;
}

#[tokio::test]
async fn a_ledger_missing_from_a_restored_backup_is_written_again_once_the_api_server_replies() {
    let process = LedgerProcess::new("healed", verified_number(json!({}))).await;
    ended(process.send(process.sending("one", CallInput::Register, Some(PIN))).await);
    let before = process.stored_ledger().await;
    process.world.secrets().delete(NAME, &DeleteParams::default()).await.unwrap();
    process.gate.hold(Hold::before("away", "GET", PATH));
    let heal = in_time("the ledger is written again", process.ledgers.heal(process.graph.now()));
    tokio::join!(heal, async {
        process.gate.reached("away").await;
        process.gate.refuse("away");
    });
    let written = process.stored_ledger().await;
    assert_eq!(Ledger { serial: before.serial, ..written }, before);
    process.world.finish().await;
}

/// Writes the intent of a call, and delays the API server's reply until `meanwhile` is over; the call must not be sent.
async fn noted_too_late(process: &LedgerProcess, fence: &Fence, meanwhile: impl Future<Output = ()>) {
    process.gate.hold(Hold::after("noted", "POST", PATH));
    let (sent, ()) = tokio::join!(process.send_while(process.sending("one", request_code(), None), fence), async {
        process.gate.reached("noted").await;
        meanwhile.await;
        process.gate.release("noted");
    });
    assert!(matches!(sent, Ok(CallReport::Held(_))), "{sent:?}");
    assert_eq!(process.world.writes_at_meta().await, Vec::<String>::new());
    let written = process.stored_ledger().await;
    assert_eq!((&written.intents, &written.code), (&Vec::new(), &None));
    assert!(written.recent(Operation::RequestCode, process.graph.now()).is_empty());
}

#[tokio::test]
async fn a_call_is_not_sent_when_the_lease_is_lost_while_its_intent_is_written() {
    let process = LedgerProcess::new("lease-gone", unverified_number()).await;
    let config = LeaseConfig {
        namespace: process.world.namespace.clone(),
        name: "lead".to_owned(),
        identity: "test".to_owned(),
        duration: Duration::from_mins(1),
        renew_every: Duration::from_secs(10),
        retry_every: Duration::from_secs(1),
    };
    let mut certain = process.world.config.clone();
    certain.default_retry = false;
    let lease = Lease::acquire(Client::try_from(certain).unwrap(), config).await;
    noted_too_late(&process, &lease.fence(), lease.release()).await;
    process.world.finish().await;
}

/// A process that was paused for so long may no longer lead.
#[tokio::test]
async fn a_call_is_not_sent_when_writing_its_intent_takes_five_seconds() {
    let process = LedgerProcess::new("slow-note", unverified_number()).await;
    // A little more than five seconds, because timers are coarse.
    noted_too_late(&process, &Fence::always(), tokio::time::sleep(Duration::from_millis(5_200))).await;
    process.world.finish().await;
}

#[tokio::test]
async fn no_intent_is_written_for_a_call_that_meta_throttles() {
    let process = LedgerProcess::new("no-room", unverified_number()).await;
    process.graph.restore_throttle(APP, Some(ACCOUNT), process.graph.now() + jiff::SignedDuration::from_mins(20));
    let sent = process.send(process.sending("one", request_code(), None)).await;
    assert!(matches!(sent, Ok(CallReport::Held(_))), "{sent:?}");
    assert_eq!(process.secret().await, None);
    process.world.finish().await;
}

#[tokio::test]
async fn with_little_budget_left_a_call_waits_and_an_action_does_not() {
    let mut seed = unverified_number();
    seed["accounts"][0]["rate_limit"] = json!(25);
    let hour = Duration::from_hours(1);
    let timing = Timing { pace_step: Duration::from_mins(5), budget_window: hour, ..Timing::new(SPEEDUP) };
    let process = LedgerProcess::with("little-room", seed, timing).await;
    for _ in 0..24 {
        process.graph.probe_account(&process.access, ACCOUNT).await.unwrap();
    }
    let sent = process.send(process.sending("one", request_code(), None)).await;
    assert!(matches!(sent, Ok(CallReport::Held(_))), "{sent:?}");
    assert_eq!(process.secret().await, None);

    let mut requested = process.sending("two", request_code(), None);
    requested.begin.action = Some((waba_operator::api::Action::RequestCode, requested.begin.now.to_string()));
    assert_eq!(ended(process.send(requested).await), CallOutcome::Done(None));
    process.world.finish().await;
}
