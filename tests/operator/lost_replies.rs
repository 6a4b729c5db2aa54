//! An hour in which one reply in five to changing calls is lost, while two hundred numbers are onboarded. A fifth of
//! the numbers has to be added at Meta first, and others need a PIN reset, a callback or a profile; half of the PINs
//! are given, half are generated.
//!
//! The hour is on the operator's clock: its waits are divided by [`SPEEDUP`]. Meta's clock is not moved, because the
//! operator sends no changing call when the two differ by more than five minutes. People do what the messages say, and
//! nothing else.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use kube::{ResourceExt, api::ListParams};
use regex::Regex;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use waba_operator::{
    api::{ManagedStatus, MetaApp, WhatsAppNumber, WhatsAppNumberHandled},
    k8s::conditions::{READY, STALLED},
};

use crate::harness::{
    manifests::{INO, app, number},
    operator::LOOK_AGAIN,
    seed::{self},
    world::{World, condition, is_poll},
};

const ACCOUNTS: usize = 4;
const NUMBERS: usize = 200;
/// How many calls of each number have a fate that is decided in advance.
const CALLS: usize = 20;
/// The same for calls that add numbers, and for all numbers that were added together.
const CALLS_OF_MANY: usize = 600;
/// How many polls of an account make up an hour.
const POLLS_OF_AN_HOUR: usize = 20;
/// Far more than the test takes.
const PATIENCE: Duration = Duration::from_mins(3);
const CALLBACK: &str = "https://cc.example.com/hook";
const VERIFY_TOKEN: &str = "kVerifyTokenOfTheHour7";

/// What a number needs besides the usual onboarding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Extra {
    Nothing,
    /// It must be added at Meta first.
    Added,
    /// It has an unknown PIN at Meta.
    Pin,
    Callback,
    Profile,
}

fn extra(n: usize) -> Extra {
    [Extra::Nothing, Extra::Added, Extra::Pin, Extra::Callback, Extra::Profile][n % 5]
}

fn account(n: usize) -> String {
    format!("20000000000{}", n % ACCOUNTS)
}

/// The ID of a number that exists at Meta from the start.
fn id(n: usize) -> String {
    format!("7000{n:04}")
}

fn digits(n: usize) -> String {
    format!("+336123{n:05}")
}

fn name(n: usize) -> String {
    format!("n-{n}")
}

/// The PIN, if it is given; some begin with zeros.
fn given_pin(n: usize) -> Option<String> {
    n.is_multiple_of(2).then(|| format!("{:06}", (n + 1) * 7_919 % 1_000_000))
}

fn seed() -> Value {
    let mut seed = seed::small();
    let accounts: Vec<String> = (0..ACCOUNTS).map(account).collect();
    // Limits are high here: other tests check Meta's limits for calls and numbers.
    let row = |id: &String| {
        json!({
            "id": id, "name": "INO", "currency": "EUR", "rate_limit": 100_000, "business": "90001",
            "subscribed_apps": [{"app": seed::APP}],
        })
    };
    seed["businesses"] = json!([{"id": "90001", "name": "INO", "number_limit": NUMBERS}]);
    seed["accounts"] = accounts.iter().map(row).collect();
    seed["templates"] = json!([]);
    seed["tokens"] = json!([seed::token("main", seed::APP, &accounts.iter().map(String::as_str).collect::<Vec<_>>())]);
    seed["receivers"] = json!([{"url": CALLBACK, "verify_token": VERIFY_TOKEN}]);
    (seed["pin_seconds"], seed["pending_seconds"]) = (json!(0), json!(1));
    let row = |n: usize| {
        let mut row = json!({
            "id": id(n), "account": account(n), "display_phone_number": digits(n), "verified_name": "INO Support",
            "status": "DISCONNECTED", "code_verification_status": "NOT_VERIFIED", "platform_type": "NOT_APPLICABLE",
            "expected_codes": CALLS,
        });
        if extra(n) == Extra::Pin {
            row["pin"] = json!("111111");
        }
        row
    };
    seed["numbers"] = (0..NUMBERS).filter(|n| extra(*n) != Extra::Added).map(row).collect();
    seed
}

/// The object's spec blocks.
fn blocks(n: usize) -> Value {
    let registration = given_pin(n).map_or(json!({}), |_| json!({"pinRef": {"name": "pins", "key": name(n)}}));
    let mut blocks = json!({"businessAccountID": account(n), "verification": {}, "registration": registration});
    match extra(n) {
        Extra::Nothing | Extra::Pin => {}
        Extra::Added => {
            blocks["provisioning"] = json!("AddIfMissing");
            blocks["requestedName"] = json!("INO Support");
        }
        Extra::Callback => {
            let verify_token = json!({"name": "cc-webhook", "key": "verify-token"});
            blocks["incoming"] = json!({"webhook": {"callbackURL": CALLBACK, "verifyTokenRef": verify_token}});
        }
        Extra::Profile => blocks["profile"] = json!({"about": format!("Number {n}")}),
    }
    blocks
}

/// Whether the reply to a call is lost, and how; the same in every run.
fn lost_reply(whose: &str, call: usize) -> Option<Value> {
    let dice = Sha256::digest(format!("call {call} of {whose}"));
    if dice[0] >= 51 {
        return None;
    }
    Some(match dice[1] % 3 {
        0 => json!({"before": {"status": 500, "html": true}}),
        1 => json!({"after": {"status": 502, "html": true}}),
        _ => json!({"after": {"reset": true}}),
    })
}

/// The faults on one path. A call that meets a fault is not counted by the faults behind it.
fn faults(path: &str, calls: usize) -> Vec<Value> {
    let fates = (0..calls).filter_map(|call| Some((call, lost_reply(path, call)?)));
    let fault = |(earlier, (call, mut fault)): (usize, (usize, Value))| {
        fault["method"] = json!("POST");
        fault["path"] = json!(path);
        fault["skip"] = json!(call - earlier);
        fault["times"] = json!(1);
        fault
    };
    fates.enumerate().map(fault).collect()
}

/// All faults of the hour.
fn all_faults() -> Vec<Value> {
    let there = (0..NUMBERS).flat_map(|n| faults(&format!("/{}(/|$)", id(n)), CALLS));
    // Which ID Meta gives to an added number is not known in advance.
    let added = ["/phone_numbers$", "/500[0-9]{12}(/|$)"].into_iter().flat_map(|path| faults(path, CALLS_OF_MANY));
    there.chain(added).collect()
}

/// A person with one number, and what they have done so far.
#[derive(Default)]
struct Person {
    /// How many of the codes that arrived were put into the Secret.
    entered_codes: usize,
    /// Actions requested, by annotation: how often, and the last value.
    requested: BTreeMap<String, (usize, String)>,
}

impl Person {
    /// Does what the object's message says; returns whether the number is enabled.
    async fn act_on(&mut self, world: &World, object: &WhatsAppNumber) -> bool {
        let Some((ready, message)) = condition(object, READY) else { return false };
        match ready.as_str() {
            "True/Enabled" => return true,
            "False/AwaitingCode" | "False/WrongCode" | "False/CodeExpired" => {
                let codes = world.sim.get(&format!("numbers/{}/codes", id_of(object))).await.unwrap();
                let codes = codes.as_array().unwrap();
                if codes.len() > self.entered_codes {
                    self.entered_codes = codes.len();
                    let code = codes.last().unwrap()["code"].as_str().unwrap();
                    world.put_secret(&format!("{}-code", object.name_any()), &[("code", code)]).await;
                } else if ready != "False/AwaitingCode" || codes.is_empty() {
                    self.follow(world, object, &message).await;
                }
            }
            _ => {
                if condition(object, STALLED).is_some_and(|(stalled, _)| stalled.starts_with("True")) {
                    self.follow(world, object, &message).await;
                }
            }
        }
        false
    }

    /// Requests the action that the message names, unless a request is pending.
    async fn follow(&mut self, world: &World, object: &WhatsAppNumber, message: &str) {
        let named = Regex::new(r"waba\.dev/[a-z-]+-at").unwrap().find(message);
        let named = named.unwrap_or_else(|| panic!("the message names no action: {message}")).as_str();
        let action = WhatsAppNumberHandled::ACTIONS.iter().find(|action| action.annotation() == named).unwrap();
        let handled = object.status.as_ref().and_then(|status| status.handled(*action)).unwrap_or_default();
        let (times, last) = self.requested.entry(named.to_owned()).or_default();
        let now = jiff::Timestamp::from_second(jiff::Timestamp::now().as_second()).unwrap().to_string();
        if last == handled && *last != now {
            *last = world.request_action::<WhatsAppNumber>(&object.name_any(), named, 0).await;
            *times += 1;
        }
    }

    fn requested(&self, annotation: &str) -> usize {
        self.requested.get(annotation).map_or(0, |(times, _)| *times)
    }
}

fn id_of(object: &WhatsAppNumber) -> String {
    object.status.as_ref().and_then(|status| status.phone_number_id.clone()).expect("the status has the number's ID")
}

/// People follow the messages until every number is enabled.
async fn all_enabled(world: &World) -> Vec<Person> {
    let mut people: Vec<Person> = (0..NUMBERS).map(|_| Person::default()).collect();
    let mut left: BTreeSet<usize> = (0..NUMBERS).collect();
    let onboarding = async {
        while !left.is_empty() {
            let objects = world.api::<WhatsAppNumber>().list(&ListParams::default()).await.unwrap();
            for object in &objects {
                let n: usize = object.name_any()[2..].parse().unwrap();
                if left.contains(&n) && people[n].act_on(world, object).await {
                    left.remove(&n);
                }
            }
            tokio::time::sleep(LOOK_AGAIN * 4).await;
        }
    };
    let ended = tokio::time::timeout(PATIENCE, onboarding).await;
    let mut stuck = Vec::new();
    for n in &left {
        let object = world.get::<WhatsAppNumber>(&name(*n)).await.unwrap();
        stuck.push(format!("{}: {:?}", name(*n), condition(&object, READY)));
    }
    assert!(ended.is_ok(), "{} are not enabled: {stuck:#?}\n{}", stuck.len(), world.diagnostics().await);
    people
}

/// The calls about one number, as Meta logged them.
struct Done<'a> {
    id: String,
    calls: &'a [Value],
}

impl Done<'_> {
    /// How many calls on such a path had such an effect, and how many of those got a reply.
    fn effects(&self, path: &str, effect: &str) -> (usize, usize) {
        let path = format!("/{}{path}", self.id);
        let is_it = |call: &&Value| {
            call["path"].as_str().is_some_and(|p| p.ends_with(&path))
                && call["effect"].as_str().is_some_and(|e| e.contains(effect))
        };
        let done: Vec<&Value> = self.calls.iter().filter(is_it).collect();
        (done.len(), done.iter().filter(|call| !is_lost(call)).count())
    }

    fn times(&self, path: &str) -> usize {
        self.effects(path, "").0
    }

    /// Checks an operation that may be repeated: it was done, and not again after a reply.
    fn settled(&self, path: &str, effect: &str) {
        let (done, with_reply) = self.effects(path, effect);
        assert!(done >= 1 && with_reply <= 1, "{} {path}: carried out {done} times, {with_reply} replies", self.id);
    }

    fn added(&self) -> usize {
        let effect = format!("number {} added", self.id);
        self.calls.iter().filter(|call| call["effect"] == effect).count()
    }
}

fn is_lost(call: &Value) -> bool {
    call["status"].as_u64().is_none_or(|status| status >= 500)
}

/// The final state of one number.
async fn assert_number_outcome(world: &World, n: usize, person: &Person, calls: &[Value]) {
    let name = name(n);
    let object = world.until_phase::<WhatsAppNumber>(&name, "Enabled", "True/Enabled").await;
    world.until_condition::<WhatsAppNumber>(&name, "PINSynced", "True/PINSynced").await;
    let done = Done { id: id_of(&object), calls };
    let counters = world.counters(&done.id).await;
    let counted = |counter: &str| usize::try_from(counters[counter].as_u64().unwrap()).unwrap();
    let codes = counted("codes");
    assert!(codes <= 1 + person.requested("waba.dev/request-code-at"), "{name}: {codes} codes");
    assert!(counted("register") <= 5, "{name}: {counters}");
    assert_eq!(done.times("/request_code"), codes, "{name}");
    assert_eq!((done.times("/verify_code"), done.times("/register")), (1, 1), "{name}");

    let generated = world.secret_value(&format!("{name}-pin"), "pin").await;
    let pin = given_pin(n).or(generated).expect("a PIN exists");
    assert!(pin.len() == 6 && pin.bytes().all(|byte| byte.is_ascii_digit()), "{name}: {pin}");
    let pins = counters["pins"].as_array().unwrap();
    let set: Vec<&Value> = pins.iter().filter(|pin| !pin["setBy"].is_null()).map(|pin| &pin["pin"]).collect();
    assert!(!set.is_empty() && set.iter().all(|set| **set == pin), "{name}: {counters}");
    match extra(n) {
        Extra::Nothing => {}
        Extra::Added => assert_eq!(done.added(), 1, "{name}"),
        Extra::Pin => {
            assert!(person.requested("waba.dev/reset-pin-at") >= 1, "{name}: no person requested the reset");
            done.settled("", "PIN set");
        }
        Extra::Callback => {
            world.until_condition::<WhatsAppNumber>(&name, "RoutingConfigured", "True/Configured").await;
            done.settled("", "override set");
        }
        Extra::Profile => {
            world.until_condition::<WhatsAppNumber>(&name, "ProfileSynced", "True/ProfileSynced").await;
            let shown = world.sim.get(&format!("numbers/{}", done.id)).await.unwrap();
            assert_eq!(shown["profile"]["about"], format!("Number {n}"));
            done.settled("/whatsapp_business_profile", "");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_numbers_are_onboarded_while_one_reply_in_five_is_lost() {
    let mut world = World::new("lost-replies", seed()).await;
    let pins: Vec<(String, String)> = (0..NUMBERS).filter_map(|n| Some((name(n), given_pin(n)?))).collect();
    let pins: Vec<(&str, &str)> = pins.iter().map(|(key, pin)| (key.as_str(), pin.as_str())).collect();
    world.put_secret("pins", &pins).await;
    world.put_secret("cc-webhook", &[("verify-token", VERIFY_TOKEN)]).await;
    world.sim.post("faults", json!(all_faults())).await.unwrap();
    let settings = world.program_settings();
    world.start_program(&settings).await;
    world.create(&app(INO, json!({}))).await;
    world.until_phase::<MetaApp>(INO, "Connected", "True/Connected").await;
    for n in 0..NUMBERS {
        world.create(&number(&name(n), &digits(n), blocks(n))).await;
    }
    let people = all_enabled(&world).await;
    let polls =
        async |account: &str| world.sim.calls(0).await.unwrap().iter().filter(|call| is_poll(call, account)).count();
    let account = account(0);
    world
        .eventually("an hour of polls has passed", async || (polls(&account).await >= POLLS_OF_AN_HOUR).then_some(()))
        .await;
    for n in (0..NUMBERS).filter(|n| extra(*n) == Extra::Profile) {
        world.until_condition::<WhatsAppNumber>(&name(n), "ProfileSynced", "True/ProfileSynced").await;
    }

    let calls = world.sim.calls(0).await.unwrap();
    for (n, person) in people.iter().enumerate() {
        assert_number_outcome(&world, n, person, &calls).await;
    }
    assert!(world.open_calls().await.is_empty());
    assert_eq!(world.numbers_at_meta().await, NUMBERS);

    // The share of lost replies was as planned.
    let sent: Vec<&Value> = calls.iter().filter(|call| call["method"] == "POST").collect();
    let lost = sent.iter().filter(|call| is_lost(call)).count();
    let requested: usize = people.iter().flat_map(|person| person.requested.values()).map(|(times, _)| times).sum();
    println!("{} calls, {lost} replies lost, {requested} requests by people", sent.len());
    assert!((sent.len() / 6..sent.len() / 4).contains(&lost), "{lost} of {}", sent.len());
    // Among four hundred secrets of six digits each, the scan would find some by chance; other tests scan.
    world.stop_and_check().await;
}
