//! The ladder: numbers from unverified to enabled, with nothing but objects and Secrets with the codes.
//!
//! There are as many accounts as it takes: Meta allows 200 calls an hour to an account without a registered number, and
//! 50 numbers take 100 for their codes alone. Whoever gets a code brings it at once, so what is measured is the operator
//! and the waits that it keeps; what is written here into Secrets is not counted.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use control_plane::ControlPlane;
use futures::{StreamExt, TryStreamExt, stream};
use serde_json::json;
use tokio::time::sleep;
use waba_operator::controller::CONCURRENCY;

use crate::{
    Failure, actions, bare,
    calls::Calls,
    estate::{Estate, Line, Size},
    objects::Objects,
    operator::{LOOK_AGAIN, Operator, Options, PATIENCE, Writes, in_time},
    progress, real,
    table::Table,
};

/// For each of the two ways to a PIN.
const ACCOUNTS: usize = 10;
const NUMBERS_EACH: f64 = 50.0;
/// Between two regular reads of an account.
const INTERVAL: Duration = Duration::from_mins(10);

/// Where the PIN comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pin {
    /// A person's Secret.
    Given,
    /// The operator makes one.
    Made,
}

/// Half of the numbers with given PINs, then half with PINs of the operator's; what people ask of them afterwards.
pub async fn measure(plane: &ControlPlane, estate: &mut Estate, scale: f64, table: &mut Table) -> Result<(), Failure> {
    estate.become_of(Size::scaled(2 * ACCOUNTS, NUMBERS_EACH, 0.0, scale).numbers_only()).await?;
    let lines = estate.lines().await?;
    let unverified = json!({
        "status": "DISCONNECTED", "code_verification_status": "NOT_VERIFIED", "platform_type": "NOT_APPLICABLE",
        "last_onboarded_time": null,
    });
    estate.change(&lines, &unverified).await?;
    let objects = Objects::prepare(plane).await?;
    let how = Options { namespace: Some(objects.namespace.clone()), ..Options::default() };
    let operator = Operator::start(plane, estate, &how).await?;
    let since = estate.last_call().await?;
    objects.connect().await?;
    estate.polled(since).await?;
    operator.quiet().await?;

    let (given, made) = lines.split_at(lines.len() / 2);
    let mut climb = Climb { plane, estate, objects: &objects, operator: &operator, table };
    climb.measure(given, Pin::Given).await?;
    climb.measure(made, Pin::Made).await?;
    let violations = estate.violations().await?;
    for violation in &violations {
        eprintln!("bench: violation: {violation}");
    }
    table.at_most("ladder: violations at Meta", real(violations.len()), 0.0);
    actions::measure(plane, estate, &objects, &operator, &lines, table).await?;
    operator.stop().await
}

/// The name of a number's object.
pub fn name(line: &Line) -> String {
    format!("line-{}", line.number.trim_start_matches('+'))
}

struct Climb<'a> {
    plane: &'a ControlPlane,
    estate: &'a Estate,
    objects: &'a Objects,
    operator: &'a Operator,
    table: &'a mut Table,
}

impl Climb<'_> {
    async fn measure(&mut self, lines: &[Line], pin: Pin) -> Result<(), Failure> {
        let way = if pin == Pin::Given { "given PIN" } else { "generated PIN" };
        progress(&format!("the ladder, {way}"));
        if pin == Pin::Given {
            self.each(lines, |line| self.bring_pin(line)).await?;
            self.operator.quiet().await?;
        }
        let (since, before) = (self.estate.last_call().await?, self.operator.writes_by_label().await?);
        let started = Instant::now();
        self.each(lines, |line| self.create(line, pin)).await?;
        self.bring_codes(lines, since).await?;
        let took = started.elapsed();
        let calls = self.estate.calls(since).await?;
        self.operator.quiet().await?;
        let writes = difference(&before, &self.operator.writes_by_label().await?);
        calls.print(&format!("calls of the ladder, {way}"));
        self.tell_calls(lines, way, &calls, took).await?;
        let each = self.tell_writes(lines, way, &writes);
        self.tell_time(lines, way, took, each).await
    }

    async fn each<'l, F>(&self, lines: &'l [Line], what: impl Fn(&'l Line) -> F) -> Result<(), Failure>
    where
        F: Future<Output = Result<(), Failure>>,
    {
        stream::iter(lines).map(what).buffer_unordered(usize::from(CONCURRENCY)).try_collect().await
    }

    async fn bring_pin(&self, line: &Line) -> Result<(), Failure> {
        let digits = &line.number[line.number.len() - 6..];
        self.objects.create_secret(&own_pin(line), &json!({"pin": digits})).await
    }

    async fn create(&self, line: &Line, pin: Pin) -> Result<(), Failure> {
        let registration = match pin {
            Pin::Given => json!({"pinRef": {"name": own_pin(line), "key": "pin"}}),
            Pin::Made => json!({}),
        };
        let blocks = json!({"verification": {}, "registration": registration});
        self.objects.create_number(&name(line), &line.number, blocks).await
    }

    /// Brings each code that is sent, until every number is enabled.
    async fn bring_codes(&self, lines: &[Line], mut since: u64) -> Result<(), Failure> {
        let patience = Instant::now() + PATIENCE;
        while !self.objects.all_are("Enabled").await? {
            let calls = self.estate.calls(since).await?.answered();
            since = calls.last().unwrap_or(since);
            let sent = calls.carried_out("request_code");
            let fresh: Vec<&Line> = lines.iter().filter(|line| sent.contains_key(&line.id)).collect();
            stream::iter(fresh)
                .map(|line| async move {
                    let code = self.estate.code(line).await?;
                    self.objects.create_secret(&format!("{}-code", name(line)), &json!({"code": code})).await
                })
                .buffer_unordered(usize::from(CONCURRENCY))
                .try_collect::<()>()
                .await?;
            in_time(patience, "every number is enabled")?;
            sleep(LOOK_AGAIN * 4).await;
        }
        Ok(())
    }

    async fn tell_calls(&mut self, lines: &[Line], way: &str, calls: &Calls, took: Duration) -> Result<(), Failure> {
        let count = real(lines.len());
        let accounts: BTreeSet<&str> = lines.iter().map(|line| line.account.as_str()).collect();
        let polls = real(accounts.len()) * took.as_secs_f64() / INTERVAL.as_secs_f64();
        let changing = real(calls.changing()) / count;
        let account_reads = (real(calls.account_reads(&accounts)) - polls).max(0.0) / count;
        let number_reads = real(calls.number_reads()) / count;
        let codes = real(self.estate.codes_sent(lines).await?) / count;
        let table = &mut *self.table;
        table.row(&format!("ladder, {way}: numbers"), count);
        table.row(&format!("ladder, {way}: changing calls per number"), changing);
        table.row(&format!("ladder, {way}: account reads besides polls, per number"), account_reads);
        table.row(&format!("ladder, {way}: reads of single numbers, per number"), number_reads);
        let all = changing + account_reads + number_reads;
        table.at_most(&format!("ladder, {way}: calls besides polls, per number"), all, 4.0);
        table.at_most(&format!("ladder, {way}: codes sent per number"), codes, 1.0);
        Ok(())
    }

    /// Tells, and returns, how many there were per number.
    fn tell_writes(&mut self, lines: &[Line], way: &str, writes: &Writes) -> f64 {
        let count = real(lines.len());
        for (label, writes) in writes {
            self.table.row(&format!("ladder, {way}: writes, {}", spoken(label)), writes / count);
        }
        let all = writes.values().fold(0.0, |sum, writes| sum + writes) / count;
        // Intent and outcome of three calls, three statuses and two Events; and the Secret of a PIN that the operator makes.
        let aim = if way == "given PIN" { 11.1 } else { 12.1 };
        self.table.at_most(&format!("ladder, {way}: writes to the API server per number"), all, aim);
        all
    }

    /// What takes that long: mostly the waits for reads that Meta's own delays ask for.
    async fn tell_time(&mut self, lines: &[Line], way: &str, took: Duration, writes: f64) -> Result<(), Failure> {
        let secrets = bare::Secrets::create(self.plane, lines.len()).await?;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few")]
        let bare = secrets.write(0..writes.round() as usize).await?;
        self.table.row(&format!("ladder, {way}: until all are Enabled (s)"), took.as_secs_f64());
        self.table.row(&format!("ladder, {way}: bare loop of as many writes (s)"), bare.as_secs_f64());
        Ok(())
    }
}

fn own_pin(line: &Line) -> String {
    format!("{}-own-pin", name(line))
}

/// What was written since.
fn difference(before: &Writes, after: &Writes) -> Writes {
    let since = |label: &String, writes: &f64| writes - before.get(label).copied().unwrap_or_default();
    let differences = after.iter().map(|(label, writes)| (label.clone(), since(label, writes)));
    differences.filter(|(label, writes)| *writes > 0.0 && !label.contains("\"leases\"")).collect()
}

/// A label of the metrics in words: `secrets, create`.
fn spoken(label: &str) -> String {
    let values = label.split(',').filter_map(|pair| Some(pair.split_once('=')?.1.trim_matches('"')));
    values.collect::<Vec<_>>().join(" ")
}
