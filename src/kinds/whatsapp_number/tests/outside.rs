//! What is outside of the process: Meta and the API server, both in memory. [`Process`] is what runs against them: the
//! operator's own code.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{
    collections::VecDeque,
    sync::{Arc, LazyLock},
    time::{Duration, Instant},
};

use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use secrecy::{ExposeSecret, SecretString};

use super::{
    api_server::{ApiServer, DIGITS, Death, OPERATOR},
    fixtures::{ID, at},
};
use crate::{
    api::{AppKey, MetaApp, MetaAppSpec},
    calls::{CallInput, Charge, Meta, Operation, Reply, Target, WINDOW},
    controller::{
        context::Context,
        store::Objects,
        testing::{ACCOUNT, NAMESPACE},
        triggers::Triggers,
        user_secrets::Secrets,
    },
    graph::{self, Access, AppCredentials, Outcome, codes, types::Profile},
    k8s::{events::Events, fingerprint::Fingerprinter, lease::Fence, secrets::OwnedSecret},
    kinds::Numbers,
    ledger::{Ledger, Ledgers, secret_name, store},
    observe::{Inventory, Pollers, Polling},
    telemetry::Metrics,
    timing::{self, Timing},
};

/// The app.
const APP: &str = "ino-cx";

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Done,
    /// Meta refuses with this code; a throttle lasts for so many minutes.
    Refused(u32, i64),
    /// Meta is out of reach.
    NotSent,
    /// Meta gets the call, and its reply is lost.
    Lost,
    /// The budget has no room for so many minutes.
    Held(i64),
    /// Meta gets the call, and the process dies before the reply.
    Dies,
}

/// A call that has reached Meta.
#[derive(Debug, Clone)]
pub struct Heard {
    pub operation: Operation,
    pub at: Timestamp,
    pub instant: Instant,
    /// The PIN, code or verify token.
    pub secret: Option<String>,
    pub fate: Fate,
    /// Of the intent that was on record then.
    pub id: String,
}

/// See the module. Clones share it.
#[derive(Clone)]
pub struct Outside {
    pub api: ApiServer,
    pub death: Death,
    meta: Arc<Mutex<Calls>>,
    start: Instant,
}

struct Calls {
    usual: Fate,
    next: VecDeque<Fate>,
    heard: Vec<Heard>,
}

impl Outside {
    /// `usual` becomes of calls of which nothing else is said.
    pub fn new(usual: Fate) -> Self {
        let death = Death::default();
        let api = ApiServer::new(death.clone());
        api.apply(&mut MetaApp::new(APP, MetaAppSpec::default()));
        let calls = Calls { usual, next: VecDeque::new(), heard: Vec::new() };
        Self { api, death, meta: Arc::new(Mutex::new(calls)), start: timing::now() }
    }

    /// What becomes of the next calls.
    pub fn set_fates(&self, fates: Vec<Fate>) {
        self.meta.lock().next = fates.into();
    }

    /// The calls that have reached Meta.
    pub fn heard(&self) -> Vec<Heard> {
        self.meta.lock().heard.clone()
    }

    /// How many calls Meta counts as this operation now.
    pub fn counted(&self, operation: Operation) -> usize {
        let now = self.now();
        let counts =
            |heard: &&Heard| heard.operation.counted() == Some(operation) && now.duration_since(heard.at) < WINDOW;
        self.meta.lock().heard.iter().filter(counts).count()
    }
}

impl Meta for Outside {
    fn now(&self) -> Timestamp {
        at(0) + SignedDuration::try_from(timing::now() - self.start).unwrap()
    }

    async fn take_turn(&self, _: &Charge<'_>) -> Result<(), graph::Error> {
        let mut calls = self.meta.lock();
        let Some(Fate::Held(minutes)) = calls.next.front().copied() else { return Ok(()) };
        calls.next.pop_front();
        Err(graph::Error::for_test(80_007, self.now() + SignedDuration::from_mins(minutes)))
    }

    async fn call(&self, _: &Target, input: &CallInput, secret: Option<&SecretString>) -> Option<Outcome<Reply>> {
        let (operation, now) = (input.operation(), self.now());
        let secret = secret.map(|secret| secret.expose_secret().to_owned());
        let needs = operation.takes_pin() || matches!(operation, Operation::VerifyCode | Operation::SetWebhook);
        assert_eq!(secret.is_some(), needs, "{operation} with its secret");
        let ledger = self.api.ledger().unwrap_or_default();
        let intent = ledger.intents.iter().find(|intent| !intent.unknown && intent.input == *input);
        let intent = intent.unwrap_or_else(|| panic!("Meta gets a call that is not on record: {input:?}, {ledger:?}"));
        let fate = {
            let mut calls = self.meta.lock();
            let fate = calls.next.pop_front().unwrap_or(calls.usual);
            if !matches!(fate, Fate::NotSent | Fate::Held(_)) {
                calls.heard.push(Heard {
                    operation,
                    at: now,
                    instant: timing::now(),
                    secret,
                    fate,
                    id: intent.id.clone(),
                });
            }
            fate
        };
        let error = |code, minutes| graph::Error::for_test(code, now + SignedDuration::from_mins(minutes));
        Some(match fate {
            Fate::Done if operation == Operation::AddNumber => Outcome::Done(Reply::Added(ID.to_owned())),
            Fate::Done => Outcome::Done(Reply::Done),
            Fate::Refused(code, minutes) => Outcome::Refused(error(code, minutes)),
            Fate::NotSent | Fate::Held(_) => Outcome::NotSent(error(codes::SERVICE_DOWN, 0)),
            Fate::Lost => Outcome::Unknown(error(codes::SERVICE_DOWN, 0)),
            Fate::Dies => self.death.comes().await,
        })
    }

    async fn read_profile(&self, _: &Access, _: &str, _: &str) -> Result<Profile, Option<Duration>> {
        Ok(Profile::default())
    }
}

/// One process of the operator.
#[derive(Clone)]
pub struct Process(Arc<Numbers>);

/// Reaches nothing, and is slow to build.
static GRAPH: LazyLock<graph::Client> = LazyLock::new(|| {
    let base_url = "http://127.0.0.1:1".parse().unwrap();
    let config = graph::Config { base_url, user_agent: "test".to_owned(), timing: Timing::default() };
    graph::Client::new(config, Arc::new(|_: &graph::Finished<'_>| {})).unwrap()
});

impl Process {
    /// It knows nothing but what is outside.
    pub fn start(outside: &Outside) -> Self {
        // A test says what Meta shows: no poller gets so far as to read.
        let timing = Timing { start_spread: Duration::from_hours(1_000_000 * 365 * 24), ..Timing::default() };
        let client = outside.api.client();
        let (apps, numbers, templates) = (Objects::new(&[]).0, Objects::new(&[]).0, Objects::new(&[]).0);
        let triggers = Triggers::new(apps.clone(), numbers.clone(), templates.clone());
        let inventory = Arc::new(Inventory::default());
        let pollers = Pollers::new(inventory.clone(), GRAPH.clone(), timing.clone(), Arc::new(triggers.clone()));
        let app = AppCredentials { app_id: "1".into(), app_secret: "secret".into() };
        let access = Access { app, token: "token".into(), version: "v25.0".into() };
        let polling =
            Polling { access, token: "token".to_owned(), interval: timing.default_poll_interval, usage: false };
        pollers.set(&AppKey::new(NAMESPACE, APP), Some(&polling), &[ACCOUNT.to_owned()]);
        let secrets = Arc::new(Secrets::new(client.clone(), vec![(None, outside.api.seen.clone())]));
        let watched = secrets.clone();
        let versions = move |name: &str| watched.version(OPERATOR, name);
        let metrics = Metrics::new();
        let (events, sending) = Events::new(client.clone(), "waba-operator", "pod-0", &metrics);
        tokio::spawn(sending);
        let context = Context {
            client: client.clone(),
            graph: GRAPH.clone(),
            inventory,
            pollers,
            apps,
            numbers,
            templates,
            namespaces: None,
            secrets,
            ledgers: Ledgers::new(client, OPERATOR, versions, timing.clone()),
            fingerprints: Fingerprinter::new(&[7; 32]).unwrap(),
            fence: Fence::always(),
            events,
            metrics,
            timing,
            graph_version: "v25.0".to_owned(),
            graph_url: "https://graph.facebook.com".to_owned(),
        };
        Self(Arc::new(Numbers::new(Arc::new(context), triggers, Arc::default())))
    }

    /// An earlier process has recorded this.
    pub async fn put_ledger(&self, ledger: &Ledger) {
        let mut secret = OwnedSecret::new(OPERATOR, &secret_name(DIGITS), None);
        store::write(&Ledger { serial: 1, ..ledger.clone() }, &mut secret);
        secret.save(&self.context().client).await.unwrap();
    }

    /// The watch brings the ledger.
    pub fn watch(&self) {
        let Context { secrets, ledgers, .. } = self.context();
        ledgers.notice(DIGITS, secrets.version(OPERATOR, &secret_name(DIGITS)).as_deref());
    }

    pub fn numbers(&self) -> &Numbers {
        &self.0
    }

    pub fn context(&self) -> &Context {
        &self.0.context
    }
}
