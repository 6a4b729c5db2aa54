//! For tests of an app's plan: a Meta that answers as the test says, a cluster in memory, and the steps carried out as
//! the shell carries them out.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::ControlFlow,
    time::{Duration, Instant},
};

use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

mod meta;
mod shell;

pub use meta::Says;

use self::meta::{Meta, error};
use super::{
    custody::{Custody, Token},
    facts::{Credentials, Facts},
    import,
    plan::{Credential, Input, Problem, Report, plan},
};
use crate::{
    api::{Counts, ManagedStatus, MetaApp, MetaAppSpec, MetaAppStatus, SecretKeyRef},
    cluster::conditions::{READY, check_invariants, get},
    graph::AccountRead,
    observe::{AppKey, AppView, Estate, Failure, Standing},
    reconcile::{advice, reason::Reason, verdict::settle},
    timing::Timing,
};

/// The app's ID at Meta.
pub const APP: &str = "1234567890";
/// The account that tokens may manage where a test says nothing else.
pub const ACCOUNT: &str = "102290129340398";
/// More steps than any reconcile needs: some accounts, each probed, and a few tokens.
const MOST_STEPS: usize = 40;

/// An app in its circumstances.
pub struct Scene {
    pub app: MetaApp,
    pub meta: Meta,
    pub facts: Facts,
    pub custody: Result<Custody, Problem>,
    pub secret: Result<Credential, Problem>,
    pub user_token: Result<Credential, Problem>,
    pub rival: Option<String>,
    pub exchange_asked: bool,
    pub namespaced: bool,
    pub skew: SignedDuration,
    pub estate: Estate,
    /// Every step that was ever taken, by name.
    pub steps: Vec<&'static str>,
    /// The last report, but for its status.
    pub standing: Standing,
    pub wait: Option<Duration>,
    pub held: bool,
    /// Candidates that Meta called valid.
    proven: BTreeSet<String>,
    /// By account: the token it is read with, and its name.
    polled: BTreeMap<String, (SecretString, String)>,
    start: Instant,
    pub instant: Instant,
    timing: Timing,
}

fn fingerprint(value: &str) -> String {
    format!("fp({value})")
}

fn credential(value: &str) -> Credential {
    Credential { value: value.into(), fingerprint: fingerprint(value) }
}

/// What a person has to see to, or what may pass.
pub fn problem(reason: Reason, passing: bool) -> Problem {
    let message =
        format!("Secret meta/ino-cx-meta is not as it should be: {reason}: kubectl -n meta get secret ino-cx-meta");
    Problem { reason, message, passing }
}

fn key() -> AppKey {
    AppKey::new("meta", "ino-cx")
}

impl Scene {
    /// A new app with a token `A` that works for ever.
    pub fn new() -> Self {
        let reference = |key: &str| SecretKeyRef { name: "ino-cx-meta".to_owned(), key: key.to_owned() };
        let spec = MetaAppSpec {
            app_id: APP.to_owned(),
            app_secret_ref: reference("app-secret"),
            access_token_ref: Some(reference("access-token")),
            ..MetaAppSpec::default()
        };
        let mut app = MetaApp::new("ino-cx", spec);
        app.metadata.namespace = Some("meta".to_owned());
        app.metadata.generation = Some(1);
        let instant = Instant::now();
        let mut scene = Self {
            app,
            meta: Meta {
                credentials: Ok(Credentials::Valid("INO".to_owned())),
                tokens: BTreeMap::new(),
                refuses: BTreeMap::new(),
                lists: Ok(vec![ACCOUNT.to_owned()]),
                gives: Err(100),
            },
            facts: Facts::default(),
            custody: Ok(Custody::default()),
            secret: Ok(credential("SECRET-of-the-app")),
            user_token: Ok(credential("EAA-token-A")),
            rival: None,
            exchange_asked: false,
            namespaced: false,
            skew: SignedDuration::ZERO,
            estate: Estate::default(),
            steps: Vec::new(),
            standing: Standing::Starting,
            wait: None,
            held: false,
            proven: BTreeSet::new(),
            polled: BTreeMap::new(),
            start: instant,
            instant,
            timing: Timing::default(),
        };
        scene.says("A", Says::works());
        scene
    }

    /// An app that is connected, with these token's properties.
    pub fn connected(says: Says) -> Self {
        let mut scene = Self::new();
        scene.says("A", says);
        scene.settled();
        assert_eq!(scene.told(), "Connected True/Connected");
        scene
    }

    /// What Meta says of the token with this name.
    pub fn says(&mut self, token: &str, says: Says) {
        let now = self.now();
        self.meta.tokens.insert(format!("EAA-token-{token}"), (says, now));
    }

    /// The user puts the token with this name into the Secret.
    pub fn user(&mut self, token: &str) {
        self.user_token = Ok(credential(&format!("EAA-token-{token}")));
    }

    /// The app secret is in its Secret.
    pub fn put_secret(&mut self) {
        self.secret = Ok(credential("SECRET-of-the-app"));
    }

    /// Whether Meta said of the token with this name, when it was a candidate, that it works.
    pub fn is_proven(&self, token: &str) -> bool {
        self.proven.contains(&fingerprint(&format!("EAA-token-{token}")))
    }

    /// Meta gives the token with this name in exchange.
    pub fn gives(&mut self, token: &str) {
        self.meta.gives = Ok(format!("EAA-token-{token}"));
    }

    /// Reads of the account fail for the token (or, empty, for all) with this code.
    pub fn refuses(&mut self, token: &str, account: &str, code: u32) {
        let token = if token.is_empty() { String::new() } else { format!("EAA-token-{token}") };
        self.meta.refuses.insert((token, account.to_owned()), code);
    }

    /// The accounts of the spec.
    pub fn names(&mut self, accounts: &[&str]) {
        self.edit(|app| app.spec.business_account_ids = Some(accounts.iter().map(ToString::to_string).collect()));
    }

    /// A person changed the spec.
    pub fn edit(&mut self, change: impl FnOnce(&mut MetaApp)) {
        change(&mut self.app);
        self.app.metadata.generation = self.app.metadata.generation.map(|generation| generation + 1);
    }

    /// Another process takes over: what was in memory is gone.
    pub fn restart(&mut self) {
        self.facts = Facts::default();
        self.estate = Estate::default();
        self.polled.clear();
        self.standing = Standing::Starting;
    }

    pub fn pass(&mut self, minutes: u64) {
        self.instant += Duration::from_mins(minutes);
    }

    pub fn now(&self) -> Timestamp {
        let start: Timestamp = "2026-11-22T10:00:00Z".parse().unwrap();
        start + SignedDuration::try_from(self.instant - self.start).unwrap()
    }

    /// Every account that is polled is read once.
    pub fn poll(&mut self) {
        for (account, (token, name)) in &self.polled {
            match self.meta.read(token, account) {
                Ok(()) => {
                    let read = AccountRead {
                        account: serde_json::from_value(json!({"id": account, "name": "INO"})).unwrap(),
                        numbers: Vec::new(),
                        templates: Vec::new(),
                        started: self.instant,
                    };
                    self.estate.replace(&key(), account, read);
                }
                Err(code) => {
                    let failure = Failure { error: error(code), token: name.clone(), at: self.instant };
                    self.estate.fail(&key(), account, failure);
                }
            }
        }
    }

    /// A read that began with the token of this name ends now, and Meta says that it is dead.
    pub fn late_refusal(&mut self, token: &str) {
        let token = format!("{} and so on", fingerprint(&format!("EAA-token-{token}")));
        self.estate.fail(&key(), ACCOUNT, Failure { error: error(190), token, at: self.instant });
    }

    /// Polls and reconciles until nothing is new.
    pub fn settled(&mut self) {
        for _ in 0..4 {
            self.reconcile();
            self.poll();
        }
        self.reconcile();
    }

    fn input<'a>(&self, app: &'a MetaApp, timing: &'a Timing) -> Input<'a> {
        Input {
            app,
            rival: self.rival.clone(),
            exchange_asked: self.exchange_asked,
            secret: self.secret.clone(),
            user_token: Some(self.user_token.clone()),
            custody: self.custody.clone(),
            accounts: self.estate.accounts(&key()),
            counts: Counts::default(),
            import: import::Wanted::default(),
            import_failure: self.facts.import_failure.clone(),
            version: "v25.0".to_owned(),
            served: None,
            skew: self.skew,
            namespaced: self.namespaced,
            now: self.now(),
            instant: self.instant,
            timing,
        }
    }

    /// Reconciles once: takes the steps, writes the status, and checks it.
    pub fn reconcile(&mut self) {
        let (app, timing) = (self.app.clone(), self.timing.clone());
        let before = self.steps.len();
        loop {
            if let Ok(Custody { live: Some(live), .. }) = &self.custody {
                let live = live.fingerprint.clone();
                self.facts.note_refusals(&live, self.estate.accounts(&key()).values());
            }
            let input = self.input(&app, &timing);
            match plan(&input, &self.facts) {
                ControlFlow::Break(step) => self.carry_out(step, &input),
                ControlFlow::Continue(report) => return self.conclude(report),
            }
            let taken = &self.steps[before..];
            assert!(taken.len() < MOST_STEPS, "no end of steps: {taken:?}");
        }
    }

    fn conclude(&mut self, report: Report) {
        let view = AppView {
            standing: report.standing.clone(),
            allowed: report.allowed.clone(),
            stale_after: report.interval * self.timing.stale_intervals,
            ..AppView::default()
        };
        self.estate.set_app(&key(), view, &report.accounts);
        let polling = report.access.as_ref();
        self.polled.retain(|account, (_, name)| {
            polling.is_some_and(|(_, new)| new == name) && report.accounts.contains(account)
        });
        let mut anew = false;
        if let Some((access, name)) = polling {
            for account in &report.accounts {
                if !self.polled.contains_key(account) {
                    self.estate.start_anew(&key(), account);
                    self.polled.insert(account.clone(), (access.token.clone(), name.clone()));
                    anew = true;
                }
            }
        }
        self.standing = report.standing.clone();
        self.wait = report.wait;
        self.held = report.hold;
        if !report.hold {
            self.app.status = Some(self.checked(report));
            self.exchange_asked = false;
        }
        // Accounts that begin to be read anew are about to show something new.
        if !anew {
            self.plans_the_same();
        }
    }

    /// The status to write; it keeps the rules and holds nothing secret.
    fn checked(&self, report: Report) -> MetaAppStatus {
        let before = self.app.status.clone().unwrap_or_default();
        let generation = self.app.metadata.generation.unwrap();
        let mut status = report.status;
        settle(&mut status, &before, &report.verdict, generation, self.now());
        let broken = check_invariants(status.conditions(), status.observed_generation(), generation);
        assert!(broken.is_empty(), "{broken:?} in {status:#?}");
        let lacking = advice::lacking(status.conditions());
        assert!(lacking.is_empty(), "{lacking:?}");
        let shown = format!("{}{:?}", serde_json::to_string(&status).unwrap(), report.standing);
        for secret in ["EAA", "SECRET-of-the-app", "fp("] {
            assert!(!shown.contains(secret), "{secret} is shown: {shown}");
        }
        status
    }

    /// What was written stays as it is: now, and by the wall clock of a minute later.
    fn plans_the_same(&self) {
        let (app, timing) = (self.app.clone(), self.timing.clone());
        for later in [0, 1] {
            let mut input = self.input(&app, &timing);
            input.now += SignedDuration::from_mins(later);
            match plan(&input, &self.facts) {
                ControlFlow::Break(step) => assert!(later > 0, "a step after the end: {step:?}"),
                ControlFlow::Continue(report) if self.held => assert!(report.hold, "what was held back is said"),
                ControlFlow::Continue(report) => {
                    assert_eq!(
                        Some(self.checked(report)),
                        self.app.status,
                        "{later} minutes later it is written again"
                    );
                }
            }
        }
    }

    /// Phase, Ready, who has to act, and the tokens in custody: `Connected True/Connected`.
    pub fn told(&self) -> String {
        let Some(status) = &self.app.status else { return "nothing".to_owned() };
        let ready = self.condition(READY).unwrap_or_default();
        let mut told = vec![status.phase().unwrap_or("no phase"), &ready];
        told.extend(["Reconciling", "Stalled", "Suspended"].into_iter().filter(|mark| self.condition(mark).is_some()));
        told.join(" ")
    }

    /// Live token and candidate, by name: `A B`, `A -`.
    pub fn kept(&self) -> String {
        let custody = self.custody.as_ref().unwrap();
        let name = |token: &Option<Token>| {
            let value = token.as_ref().map(|token| token.value.expose_secret().to_owned());
            value.map_or_else(|| "-".to_owned(), |value| value.trim_start_matches("EAA-token-").to_owned())
        };
        format!("{} {}", name(&custody.live), name(&custody.candidate))
    }

    /// Status and reason of a condition: `True/Valid`.
    pub fn condition(&self, kind: &str) -> Option<String> {
        let condition = get(self.app.status.as_ref()?.conditions(), kind)?;
        Some(format!("{}/{}", condition.status, condition.reason))
    }

    /// The message of a condition.
    pub fn message(&self, kind: &str) -> String {
        let conditions = self.app.status.as_ref().map(ManagedStatus::conditions).unwrap_or_default();
        get(conditions, kind).map(|condition| condition.message.clone()).unwrap_or_default()
    }

    /// How often a step was taken.
    pub fn taken(&self, step: &str) -> usize {
        self.steps.iter().filter(|taken| **taken == step).count()
    }
}
