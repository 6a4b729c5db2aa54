//! An hour of bad weather: of the answers to calls that change a number, one in five is lost, for two hundred numbers that
//! climb from unverified to connected.
//!
//! The hour is the operator's: its waits are divided by [`SPEEDUP`], and Meta's clock cannot run ahead of its own, for beyond
//! five minutes it writes nothing. People do what messages tell them, and nothing else.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use kube::{ResourceExt, api::ListParams};
use regex::Regex;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use waba_operator::{
    api::{Managed, ManagedStatus, MetaApp, WhatsAppNumber},
    cluster::conditions::{READY, STALLED},
    ledger::Operation,
};

use crate::{
    harness::{World, condition, is_poll},
    manifests::{INO, app, number},
    operator::LOOK_AGAIN,
    rungs::call,
    seed,
};

const ACCOUNTS: usize = 4;
const NUMBERS: usize = 200;
/// So many calls of each number have their fate decided beforehand.
const CALLS: usize = 20;
/// So many reads of an account are an hour.
const POLLS_OF_AN_HOUR: usize = 20;
/// Far more than it takes.
const PATIENCE: Duration = Duration::from_mins(3);
const CALLS_OF_A_NUMBER: [Operation; 3] = [Operation::RequestCode, Operation::VerifyCode, Operation::Register];

fn account(n: usize) -> String {
    format!("20000000000{}", n % ACCOUNTS)
}

fn id(n: usize) -> String {
    format!("7000{n:04}")
}

fn digits(n: usize) -> String {
    format!("+336123{n:05}")
}

fn name(n: usize) -> String {
    format!("n-{n}")
}

/// Given, and leading zeros are among them.
fn pin(n: usize) -> String {
    format!("{:06}", (n + 1) * 7_919 % 1_000_000)
}

fn estate() -> Value {
    let mut seed = seed::small();
    let accounts: Vec<String> = (0..ACCOUNTS).map(account).collect();
    // Two hundred numbers in an hour are not few: how many calls Meta allows is another test.
    let rows = accounts.iter().map(|id| json!({"id": id, "name": "INO", "currency": "EUR", "rate_limit": 100_000}));
    seed["accounts"] = rows.collect();
    seed["templates"] = json!([]);
    seed["tokens"] = json!([seed::token("main", seed::APP, &accounts.iter().map(String::as_str).collect::<Vec<_>>())]);
    let row = |n: usize| {
        json!({
            "id": id(n), "account": account(n), "display_phone_number": digits(n), "verified_name": "INO Support",
            "status": "DISCONNECTED", "code_verification_status": "NOT_VERIFIED", "platform_type": "NOT_APPLICABLE",
            "pending_seconds": 1, "expected_codes": CALLS,
        })
    };
    seed["numbers"] = (0..NUMBERS).map(row).collect();
    seed
}

/// Whether the answer to a number's call is lost, and how: the same in every run.
fn fate(number: usize, call: usize) -> Option<Value> {
    let dice = Sha256::digest(format!("call {call} of {number}"));
    if dice[0] >= 51 {
        return None;
    }
    Some(match dice[1] % 3 {
        0 => json!({"before": {"status": 500, "html": true}}),
        1 => json!({"after": {"status": 502, "html": true}}),
        _ => json!({"after": {"reset": true}}),
    })
}

/// Every fault to come. One that has struck hides its call from those behind it.
fn weather() -> Vec<Value> {
    let of_number = |n: usize| {
        let fates = (0..CALLS).filter_map(move |call| Some((call, fate(n, call)?)));
        fates.enumerate().map(move |(earlier, (call, mut fault))| {
            fault["method"] = json!("POST");
            fault["path"] = json!(format!("/{}/", id(n)));
            fault["skip"] = json!(call - earlier);
            fault["times"] = json!(1);
            fault
        })
    };
    (0..NUMBERS).flat_map(of_number).collect()
}

/// A person with one number: what they have done so far.
#[derive(Default)]
struct Person {
    /// Codes that came and were put into the Secret.
    brought: usize,
    /// Requests made, by annotation; the value of the last one.
    asked: BTreeMap<String, (usize, String)>,
}

impl Person {
    /// Does what the object says; whether the number works.
    async fn look(&mut self, world: &World, n: usize, object: &WhatsAppNumber) -> bool {
        let Some((ready, message)) = condition(object, READY) else { return false };
        match ready.as_str() {
            "True/Enabled" => return true,
            "False/AwaitingCode" | "False/WrongCode" | "False/CodeExpired" => {
                let codes = world.sim.get(&format!("numbers/{}/codes", id(n))).await.unwrap();
                let codes = codes.as_array().unwrap();
                if codes.len() > self.brought {
                    self.brought = codes.len();
                    let code = codes.last().unwrap()["code"].as_str().unwrap();
                    world.put_secret(&format!("{}-code", name(n)), &[("code", code)]).await;
                } else if ready != "False/AwaitingCode" || codes.is_empty() {
                    self.ask(world, object, &message).await;
                }
            }
            _ => {
                if condition(object, STALLED).is_some_and(|(stalled, _)| stalled.starts_with("True")) {
                    self.ask(world, object, &message).await;
                }
            }
        }
        false
    }

    /// Asks for what the message names, unless that is asked for already.
    async fn ask(&mut self, world: &World, object: &WhatsAppNumber, message: &str) {
        let named = Regex::new(r"waba\.dev/[a-z-]+-at").unwrap().find(message);
        let named = named.unwrap_or_else(|| panic!("it does not say what to do: {message}")).as_str();
        let action = WhatsAppNumber::ACTIONS.iter().find(|action| action.annotation() == named).unwrap();
        let handled = object.status.as_ref().and_then(|status| status.handled(*action)).unwrap_or_default();
        let (times, last) = self.asked.entry(named.to_owned()).or_default();
        let now = jiff::Timestamp::from_second(jiff::Timestamp::now().as_second()).unwrap().to_string();
        if last == handled && *last != now {
            *last = world.ask::<WhatsAppNumber>(&object.name_any(), named, 0).await;
            *times += 1;
        }
    }

    fn asked(&self, annotation: &str) -> usize {
        self.asked.get(annotation).map_or(0, |(times, _)| *times)
    }
}

/// Until every number works, people do what their objects say.
async fn all_enabled(world: &World) -> Vec<Person> {
    let mut people: Vec<Person> = (0..NUMBERS).map(|_| Person::default()).collect();
    let mut left: BTreeSet<usize> = (0..NUMBERS).collect();
    let climbing = async {
        while !left.is_empty() {
            let objects = world.api::<WhatsAppNumber>().list(&ListParams::default()).await.unwrap();
            for object in &objects {
                let n: usize = object.name_any()[2..].parse().unwrap();
                if left.contains(&n) && people[n].look(world, n, object).await {
                    left.remove(&n);
                }
            }
            tokio::time::sleep(LOOK_AGAIN * 4).await;
        }
    };
    let ended = tokio::time::timeout(PATIENCE, climbing).await;
    let mut stuck = Vec::new();
    for n in &left {
        let object = world.get::<WhatsAppNumber>(&name(*n)).await.unwrap();
        stuck.push(format!("{}: {:?}", name(*n), condition(&object, READY)));
    }
    assert!(ended.is_ok(), "{} are not enabled: {stuck:#?}\n{}", stuck.len(), world.picture().await);
    people
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_numbers_climb_while_one_answer_in_five_is_lost() {
    let mut world = World::new("lossy", estate()).await;
    let pins: Vec<(String, String)> = (0..NUMBERS).map(|n| (name(n), pin(n))).collect();
    let pins: Vec<(&str, &str)> = pins.iter().map(|(key, pin)| (key.as_str(), pin.as_str())).collect();
    world.put_secret("pins", &pins).await;
    world.sim.post("faults", json!(weather())).await.unwrap();
    let settings = world.program_settings();
    world.start_program(&settings).await;
    world.create(&app(INO, json!({}))).await;
    world.stands::<MetaApp>(INO, "Connected", "True/Connected").await;
    for n in 0..NUMBERS {
        let registration = json!({"pinRef": {"name": "pins", "key": name(n)}});
        let blocks = json!({"businessAccountID": account(n), "verification": {}, "registration": registration});
        world.create(&number(&name(n), &digits(n), blocks)).await;
    }
    let people = all_enabled(&world).await;
    let polls =
        async |account: &str| world.sim.calls(0).await.unwrap().iter().filter(|call| is_poll(call, account)).count();
    let account = account(0);
    world.so("an hour is over", async || (polls(&account).await >= POLLS_OF_AN_HOUR).then_some(())).await;

    let calls = world.sim.calls(0).await.unwrap();
    for (n, person) in people.iter().enumerate() {
        let name = name(n);
        world.stands::<WhatsAppNumber>(&name, "Enabled", "True/Enabled").await;
        world.condition::<WhatsAppNumber>(&name, "PINSynced", "True/PINSynced").await;
        let counters = world.counters(&id(n)).await;
        let counted = |counter: &str| counters[counter].as_u64().unwrap();
        let codes = usize::try_from(counted("codes")).unwrap();
        assert!(codes <= 1 + person.asked("waba.dev/request-code-at"), "{name}: {codes} codes");
        assert!(counted("register") <= 5, "{name}: {counters}");
        assert_eq!(world.pin_at_meta(&id(n)).await, Some(pin(n)), "{name}");
        let effects = |operation: Operation| {
            let (_, path) = call(operation);
            let path = format!("{}{}", id(n), path.trim_end_matches('$'));
            let is_it = |call: &&Value| call["path"].as_str().is_some_and(|p| p.ends_with(&path));
            calls.iter().filter(is_it).filter(|call| !call["effect"].is_null()).count()
        };
        assert_eq!(effects(Operation::RequestCode), codes, "{name}");
        assert_eq!((effects(Operation::VerifyCode), effects(Operation::Register)), (1, 1), "{name}");
    }
    assert!(world.open_calls().await.is_empty());

    // It was as wet as it was meant to be.
    let paths = CALLS_OF_A_NUMBER.map(|operation| call(operation).1.trim_end_matches('$'));
    let changing = |call: &&Value| call["path"].as_str().is_some_and(|p| paths.iter().any(|path| p.ends_with(path)));
    let made: Vec<&Value> = calls.iter().filter(changing).collect();
    let lost = made.iter().filter(|call| call["status"].as_u64().is_none_or(|status| status >= 500)).count();
    let asked: usize = people.iter().flat_map(|person| person.asked.values()).map(|(times, _)| times).sum();
    println!("{} calls, {lost} answers lost, {asked} requests of people", made.len());
    assert!((made.len() / 6..made.len() / 4).contains(&lost), "{lost} of {}", made.len());
    // Of four hundred secrets of six digits each, some are found by chance: other tests look for them.
    world.stop_carefully().await;
}
