//! The door to Meta and the ledger behind it, without the rest of the operator: what is written down before a call and after
//! it, whatever the API server does meanwhile, and what another process reads of it.

use std::{sync::Arc, time::Duration};

use k8s_openapi::api::core::v1::Secret;
use kube::{Client, ResourceExt, api::DeleteParams};
use serde_json::{Value, json};
use waba_operator::{
    cluster::{
        lease::{Fence, Lease, LeaseConfig},
        secrets::Hidden,
    },
    graph::{self, Access, AppCredentials},
    ledger::{Begin, Door, Ended, Ledger, LedgerProblem, Ledgers, Operation, Order, Owner, Sending, Sent, Target},
    timing::Timing,
};

use crate::harness::{
    gate::{Gate, Hold},
    operator::{SPEEDUP, in_time},
    scenario::{PHONE, refusal, unverified, verified},
    seed::{ACCOUNT, APP, NUMBER},
    world::World,
};

const DIGITS: u64 = 33_612_345_678;
const NAME: &str = "waba-number-33612345678";
/// Requests about ledgers.
const PATH: &str = "/secrets(/waba-number-[0-9]+)?$";
const PIN: &str = "004217";

/// One process that works with ledgers, behind a gate.
struct Desk {
    world: World,
    gate: Gate,
    graph: graph::Client,
    access: Access,
    timing: Timing,
    ledgers: Arc<Ledgers>,
}

impl Desk {
    async fn new(prefix: &str, seed: Value) -> Self {
        Self::with(prefix, seed, Timing::new(SPEEDUP), graph::Timing::default()).await
    }

    async fn with(prefix: &str, seed: Value, timing: Timing, at_meta: graph::Timing) -> Self {
        let world = World::new(prefix, seed).await;
        let gate = Gate::start(world.config.clone()).await;
        let config = graph::Config {
            base_url: world.settings().graph_url,
            user_agent: "waba-operator/test".to_owned(),
            timing: at_meta,
        };
        let graph = graph::Client::new(config, Arc::new(|_: &graph::Finished<'_>| {})).unwrap();
        let app = AppCredentials { app_id: APP.to_owned(), app_secret: world.app_secret(APP).await.into() };
        let access = Access { app, token: world.token("main").await.into(), version: "v25.0".to_owned() };
        let ledgers = ledgers(&world, gate.config(), &timing);
        Self { world, gate, graph, access, timing, ledgers }
    }

    /// Another process, which remembers nothing yet.
    fn another(&self) -> Arc<Ledgers> {
        ledgers(&self.world, self.world.config.clone(), &self.timing)
    }

    /// What another process reads.
    async fn written(&self) -> Ledger {
        let mut book = self.another().open(DIGITS).await;
        book.load(self.graph.now()).await.unwrap().cloned().unwrap_or_default()
    }

    async fn secret(&self) -> Option<Secret> {
        self.world.secrets().get_opt(NAME).await.unwrap()
    }

    fn sending(&self, id: &str, order: Order, secret: Option<&str>) -> Sending {
        let begin = Begin {
            id: id.to_owned(),
            order,
            inputs: format!("inputs of {id}"),
            before: "-".to_owned(),
            secret: secret.map(Hidden::from),
            action: None,
            now: self.graph.now(),
        };
        let target = Target {
            access: self.access.clone(),
            account: ACCOUNT.to_owned(),
            id: NUMBER.to_owned(),
            number: PHONE.to_owned(),
        };
        Sending { begin, target, verify_token: None, owner: owner() }
    }

    async fn send(&self, sending: Sending) -> Result<Sent, LedgerProblem> {
        self.send_while(sending, &Fence::always()).await
    }

    async fn send_while(&self, sending: Sending, fence: &Fence) -> Result<Sent, LedgerProblem> {
        let door = Door { graph: &self.graph, fence, timing: &self.timing };
        self.ledgers.open(DIGITS).await.send(&door, sending).await
    }
}

/// Each load looks, but for a moment after a write of its own.
fn ledgers(world: &World, mut config: kube::Config, timing: &Timing) -> Arc<Ledgers> {
    config.default_retry = false;
    let client = Client::try_from(config).unwrap();
    Ledgers::new(client, &world.namespace, |_| Some("some version".to_owned()), timing.clone())
}

fn owner() -> Owner {
    Owner { uid: "uid".to_owned(), namespace: "cc".to_owned(), name: "support".to_owned() }
}

fn request_code() -> Order {
    Order::RequestCode { method: "SMS".to_owned(), language: "en_US".to_owned(), baseline: None }
}

fn ended(sent: Result<Sent, LedgerProblem>) -> Ended {
    match sent.unwrap() {
        Sent::Ended(ended, _) => ended,
        Sent::Held(why) => panic!("not made: {why}"),
    }
}

#[tokio::test]
async fn what_became_of_a_call_is_there_for_the_next_process_and_so_is_whose_it_was() {
    let desk = Desk::new("outcome", unverified()).await;
    desk.world.fault(refusal("/request_code$", 136_024, "try later")).await;
    let Ended::Refused(refused) = ended(desk.send(desk.sending("one", request_code(), None)).await) else {
        panic!("Meta refuses it")
    };
    let written = desk.written().await;
    assert_eq!((written.intents, written.code), (Vec::new(), None), "no code was sent");
    assert_eq!(written.refusals.get(&Operation::RequestCode), Some(&refused));
    assert_eq!(written.owner, owner());

    assert_eq!(ended(desk.send(desk.sending("two", request_code(), None)).await), Ended::Done(None));
    let written = desk.written().await;
    assert!(written.intents.is_empty() && written.refusals.is_empty());
    assert!(written.code.is_some_and(|code| code.certain));
    desk.world.finish().await;
}

#[tokio::test]
async fn a_call_whose_note_may_have_been_written_is_not_made_and_taken_back() {
    let desk = Desk::new("unsure-note", unverified()).await;
    desk.gate.lose_answers("POST", PATH, 1);
    desk.send(desk.sending("one", request_code(), None)).await.unwrap_err();
    let there = desk.written().await;
    assert_eq!(there.intents.len(), 1, "it was written all the same");

    let mut book = desk.ledgers.open(DIGITS).await;
    let known = book.load(desk.graph.now()).await.unwrap().cloned().unwrap();
    for ledger in [known, desk.written().await] {
        assert_eq!((&ledger.intents, &ledger.code), (&Vec::new(), &None), "nobody takes it for sent");
        assert!(ledger.recent(Operation::RequestCode, desk.graph.now()).is_empty(), "nor counts it");
    }
    assert_eq!(desk.world.asked().await, Vec::<String>::new());
    drop(book);
    desk.world.finish().await;
}

/// The watch has not seen it yet, and nothing is known of it: it is looked at all the same.
#[tokio::test]
async fn a_first_note_that_may_have_been_written_is_looked_for_before_the_watch_shows_it() {
    let desk = Desk::new("unseen-note", unverified()).await;
    let mut config = desk.gate.config();
    config.default_retry = false;
    let client = Client::try_from(config).unwrap();
    let unseen = Ledgers::new(client, &desk.world.namespace, |_| None, desk.timing.clone());
    desk.gate.lose_answers("POST", PATH, 1);
    let door = Door { graph: &desk.graph, fence: &Fence::always(), timing: &desk.timing };
    let mut book = unseen.open(DIGITS).await;
    book.send(&door, desk.sending("one", request_code(), None)).await.unwrap_err();
    book.load(desk.graph.now()).await.unwrap();
    drop(book);
    assert_eq!(desk.written().await.intents, Vec::new(), "taken back");
    desk.world.finish().await;
}

#[tokio::test]
async fn an_outcome_that_the_api_server_does_not_take_at_once_is_brought_again() {
    let desk = Desk::new("stubborn", unverified()).await;
    for name in ["first", "second"] {
        desk.gate.hold(Hold::before(name, "PUT", PATH));
    }
    let (sent, ()) = tokio::join!(desk.send(desk.sending("one", request_code(), None)), async {
        for name in ["first", "second"] {
            desk.gate.reached(name).await;
            desk.gate.refuse(name);
        }
    });
    assert_eq!(ended(sent), Ended::Done(None));
    let written = desk.written().await;
    assert!(written.intents.is_empty() && written.code.is_some_and(|code| code.certain));
    desk.world.finish().await;
}

/// That is written with the next call, if one comes soon.
#[tokio::test]
async fn an_accepted_code_counts_at_once_and_is_written_down_soon() {
    let mut timing = Timing::new(SPEEDUP);
    timing.settle = Duration::from_millis(500);
    let desk = Desk::with("told-later", unverified(), timing, graph::Timing::default()).await;
    ended(desk.send(desk.sending("one", request_code(), None)).await);
    let code = desk.world.code(NUMBER).await;
    let verify = desk.sending("two", Order::VerifyCode, Some(&code));
    assert_eq!(ended(desk.send(verify).await), Ended::Done(None));

    let mut book = desk.ledgers.open(DIGITS).await;
    let known = book.load(desk.graph.now()).await.unwrap().cloned().unwrap();
    assert!(known.intents.is_empty() && known.verified_at.is_some(), "{known:?}");
    assert!(book.is_unwritten());
    drop(book);
    let is_written = async || {
        let mut book = desk.ledgers.open(DIGITS).await;
        book.load(desk.graph.now()).await.unwrap();
        (!book.is_unwritten()).then_some(())
    };
    desk.world.so("it is written down", is_written).await;
    let written = desk.written().await;
    assert_eq!((written.intents, written.verified_at), (Vec::new(), known.verified_at));
    desk.world.finish().await;
}

/// Two processes: one whose outcome is on its way, and one that writes the ledger meanwhile.
#[tokio::test]
async fn an_outcome_is_written_over_what_another_process_has_noted_meanwhile() {
    let desk = Desk::new("noted", verified(json!({}))).await;
    desk.gate.hold(Hold::before("outcome", "PUT", PATH));
    let register = desk.sending("one", Order::Register, Some(PIN));
    let (sent, ()) = tokio::join!(desk.send(register), async {
        desk.gate.reached("outcome").await;
        let other = desk.another();
        let mut book = other.open(DIGITS).await;
        book.load(desk.graph.now()).await.unwrap();
        book.save(|ledger| ledger.was_connected = true).await.unwrap();
        desk.gate.release("outcome");
    });
    assert_eq!(ended(sent), Ended::Done(None));
    let written = desk.written().await;
    assert!(written.intents.is_empty() && written.registered_at.is_some() && written.was_connected, "{written:?}");
    assert_eq!(written.pin, Some(PIN.into()));
    desk.world.finish().await;
}

#[tokio::test]
async fn an_outcome_that_another_process_has_found_out_is_not_written_again() {
    let desk = Desk::new("found-out", verified(json!({}))).await;
    desk.gate.hold(Hold::before("outcome", "PUT", PATH));
    let register = desk.sending("one", Order::Register, Some(PIN));
    let (sent, version) = tokio::join!(desk.send(register), async {
        desk.gate.reached("outcome").await;
        let other = desk.another();
        let mut book = other.open(DIGITS).await;
        book.load(desk.graph.now()).await.unwrap();
        book.settle("one", Ended::Done(None), desk.graph.now()).await.unwrap();
        let version = desk.secret().await.unwrap().resource_version();
        desk.gate.release("outcome");
        version
    });
    assert_eq!(ended(sent), Ended::Done(None));
    assert_eq!(desk.secret().await.unwrap().resource_version(), version);
    assert!(!desk.ledgers.open(DIGITS).await.is_unwritten());
    desk.world.finish().await;
}

#[tokio::test]
async fn what_a_restored_backup_does_not_have_is_written_anew_once_the_api_server_answers() {
    let desk = Desk::new("healed", verified(json!({}))).await;
    ended(desk.send(desk.sending("one", Order::Register, Some(PIN))).await);
    let before = desk.written().await;
    desk.world.secrets().delete(NAME, &DeleteParams::default()).await.unwrap();
    desk.gate.hold(Hold::before("away", "GET", PATH));
    let heal = in_time("it is healed", desk.ledgers.heal(desk.graph.now()));
    tokio::join!(heal, async {
        desk.gate.reached("away").await;
        desk.gate.refuse("away");
    });
    let written = desk.written().await;
    assert_eq!(Ledger { serial: before.serial, ..written }, before);
    desk.world.finish().await;
}

/// Has the note of a call arrive, and the answer to it only when `meanwhile` is over; the call is not made then.
async fn noted_too_late(desk: &Desk, fence: &Fence, meanwhile: impl Future<Output = ()>) {
    desk.gate.hold(Hold::after("noted", "POST", PATH));
    let (sent, ()) = tokio::join!(desk.send_while(desk.sending("one", request_code(), None), fence), async {
        desk.gate.reached("noted").await;
        meanwhile.await;
        desk.gate.release("noted");
    });
    assert!(matches!(sent, Ok(Sent::Held(_))), "{sent:?}");
    assert_eq!(desk.world.asked().await, Vec::<String>::new());
    let written = desk.written().await;
    assert_eq!((&written.intents, &written.code), (&Vec::new(), &None));
    assert!(written.recent(Operation::RequestCode, desk.graph.now()).is_empty());
}

#[tokio::test]
async fn a_call_is_not_made_when_the_lease_goes_while_it_is_noted() {
    let desk = Desk::new("lease-gone", unverified()).await;
    let config = LeaseConfig {
        namespace: desk.world.namespace.clone(),
        name: "lead".to_owned(),
        identity: "test".to_owned(),
        duration: Duration::from_mins(1),
        renew_every: Duration::from_secs(10),
        retry_every: Duration::from_secs(1),
    };
    let mut certain = desk.world.config.clone();
    certain.default_retry = false;
    let lease = Lease::acquire(Client::try_from(certain).unwrap(), config).await;
    noted_too_late(&desk, &lease.fence(), lease.release()).await;
    desk.world.finish().await;
}

/// Who knows what has happened meanwhile: the process may have stood still.
#[tokio::test]
async fn a_call_is_not_made_when_noting_it_has_taken_five_seconds() {
    let desk = Desk::new("slow-note", unverified()).await;
    // A little more: the clocks of timers are coarse.
    noted_too_late(&desk, &Fence::always(), tokio::time::sleep(Duration::from_millis(5_200))).await;
    desk.world.finish().await;
}

#[tokio::test]
async fn a_call_for_which_there_is_no_room_is_not_even_noted() {
    let desk = Desk::new("no-room", unverified()).await;
    desk.graph.restore_throttle(APP, Some(ACCOUNT), desk.graph.now() + jiff::SignedDuration::from_mins(20));
    let sent = desk.send(desk.sending("one", request_code(), None)).await;
    assert!(matches!(sent, Ok(Sent::Held(_))), "{sent:?}");
    assert_eq!(desk.secret().await, None);
    desk.world.finish().await;
}

#[tokio::test]
async fn where_little_room_is_left_a_call_waits_and_what_a_person_asks_for_does_not() {
    let mut seed = unverified();
    seed["accounts"][0]["rate_limit"] = json!(25);
    let at_meta =
        graph::Timing { pace_step: Duration::from_mins(5), longest_turn: Duration::ZERO, ..graph::Timing::default() };
    let desk = Desk::with("little-room", seed, Timing::new(SPEEDUP), at_meta).await;
    for _ in 0..24 {
        desk.graph.probe_account(&desk.access, ACCOUNT).await.unwrap();
    }
    let sent = desk.send(desk.sending("one", request_code(), None)).await;
    assert!(matches!(sent, Ok(Sent::Held(_))), "{sent:?}");
    assert_eq!(desk.secret().await, None);

    let mut asked = desk.sending("two", request_code(), None);
    asked.begin.action = Some((waba_operator::api::Action::RequestCode, asked.begin.now.to_string()));
    assert_eq!(ended(desk.send(asked).await), Ended::Done(None));
    desk.world.finish().await;
}
