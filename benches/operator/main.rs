//! What the operator costs with a large estate: calls, writes, time and memory, as a table.
//!
//! The operator runs as a program of its own, as built for release, against a real API server and the simulator. The
//! import is set against a bare loop that creates the same objects and writes the same status once. Both are run on the
//! same control plane, each in a namespace of its own and in this order: import, loop, import. What the first run warms up
//! and what the last one suffers from a fuller etcd falls on the import, once each; the two times are averaged.
//!
//! Four parts: `estate` (import, restart, steady state), `tokens` (another token for a large estate), `ladder` (numbers from
//! unverified to enabled, then actions on them) and `large` (50,000 numbers: memory, and a restart).
//! `cargo bench -- ladder tokens` runs these two. `BENCH_SCALE=0.1` makes everything ten times smaller, to try things out.
//! The table marks an aim that is missed; the bench does not fail.

mod actions;
mod bare;
mod calls;
mod estate;
mod ladder;
mod large;
mod objects;
mod operator;
mod table;
mod tokens;

use std::time::{Duration, Instant};

use control_plane::{ControlPlane, Options};
use waba_operator::api;

use estate::{Estate, Size};
use objects::Objects;
use operator::{Operator, Options as How};
use table::Table;

/// Whatever keeps a measure from being taken.
type Failure = Box<dyn std::error::Error + Send + Sync>;

const ACCOUNTS: usize = 10;
/// Numbers of each account, and its templates in the steady state.
const MANY: f64 = 1000.0;
/// Templates of each account during the import.
const FEW: f64 = 100.0;
/// In the steady state the waits are shortened by this, the interval between two polls to 20 s.
const SPEEDUP: u32 = 3;
const POLLS: usize = 3;
/// What memory settles in after the start of a program.
const SETTLING: Duration = Duration::from_secs(5);

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let scale = match std::env::var("BENCH_SCALE") {
        Ok(scale) => scale.parse()?,
        Err(_) => 1.0,
    };
    let small = Size::scaled(ACCOUNTS, MANY, FEW, scale);
    let large = Size::scaled(ACCOUNTS, MANY, MANY, scale);
    let began = Instant::now();
    let plane = ControlPlane::start(Options::default()).await?;
    let definitions: Vec<_> = api::crds().iter().map(serde_json::to_value).collect::<Result<_, _>>()?;
    plane.apply_crds(&definitions).await?;
    let mut estate = Estate::of(small).await?;
    let mut table = Table::default();

    if wants("estate") {
        idle(&plane, &estate, &mut table).await?;
        let (objects, operator) = import(&plane, &estate, &mut table).await?;
        let operator = restart(operator, &objects, &estate, &mut table).await?;
        operator.stop().await?;
        estate.become_of(large).await?;
        steady(&plane, &objects, &estate, large.templates() - small.templates(), &mut table).await?;
    }
    if wants("tokens") {
        tokens::measure(&plane, &mut estate, small, &mut table).await?;
    }
    if wants("ladder") {
        ladder::measure(&plane, &mut estate, scale, &mut table).await?;
    }
    if wants("large") {
        large::measure(&plane, &mut estate, scale, &mut table).await?;
    }

    println!("\n{table}\ntook {:.0} s, the build aside", began.elapsed().as_secs_f64());
    Ok(())
}

/// Whether a part was asked for: by its name, or by none of any.
fn wants(part: &str) -> bool {
    let mut asked = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).peekable();
    asked.peek().is_none() || asked.any(|argument| argument == part)
}

fn progress(what: &str) {
    eprintln!("bench: {what}");
}

async fn idle(plane: &ControlPlane, estate: &Estate, table: &mut Table) -> Result<(), Failure> {
    progress("an operator with nothing to do");
    let operator = Operator::start(plane, estate, &How::default()).await?;
    tokio::time::sleep(SETTLING).await;
    table.at_most("memory, idle (MB)", operator.memory()?.resident, 12.0);
    operator.stop().await
}

/// Import, bare loop, import. The objects of the last import and their operator stay.
async fn import(plane: &ControlPlane, estate: &Estate, table: &mut Table) -> Result<(Objects, Operator), Failure> {
    let count = estate.size().numbers();
    let (first, operator, objects) = import_once(plane, estate).await?;
    operator.stop().await?;
    progress("the bare loop");
    let bodies = objects.numbers().await?;
    let namespace = plane.namespace("bare").await;
    let bare = bare::create(plane, &namespace, bodies).await?;
    let (second, operator, objects) = import_once(plane, estate).await?;
    let mean = (first + second) / 2;
    table.row(&format!("bare loop: {count} numbers created and reported (s)"), bare.as_secs_f64());
    table.row(&format!("import of {count} numbers, first (s)"), first.as_secs_f64());
    table.row(&format!("import of {count} numbers, second (s)"), second.as_secs_f64());
    table.at_most("import against bare loop (ratio)", mean.as_secs_f64() / bare.as_secs_f64(), 1.5);
    let writes = operator.writes().await?;
    table.row("writes to the API server per imported number", writes / real(count));

    progress("the templates of the same accounts");
    objects.import_templates().await?;
    let all = count + estate.size().templates();
    objects.complete(&operator, all, all).await?;
    operator.quiet().await?;
    let memory = operator.memory()?;
    let held = format!("{count} numbers + {} templates", estate.size().templates());
    table.at_most(&format!("memory, {held}, after the import (MB)"), memory.resident, 38.0);
    table.row("memory, peak of the import (MB)", memory.peak);
    Ok((objects, operator))
}

async fn import_once(plane: &ControlPlane, estate: &Estate) -> Result<(Duration, Operator, Objects), Failure> {
    progress("an import");
    let count = estate.size().numbers();
    let objects = Objects::prepare(plane).await?;
    let how = How { namespace: Some(objects.namespace.clone()), ..How::default() };
    let operator = Operator::start(plane, estate, &how).await?;
    let started = Instant::now();
    objects.import_numbers().await?;
    let took = objects.complete(&operator, count, count).await? - started;
    Ok((took, operator, objects))
}

async fn restart(
    operator: Operator,
    objects: &Objects,
    estate: &Estate,
    table: &mut Table,
) -> Result<Operator, Failure> {
    progress("a restart");
    let operator = operator.stopped().await?;
    let before = objects.versions().await?;
    let since = estate.last_call().await?;
    let started = Instant::now();
    let operator = operator.again().await?;
    let ready = started.elapsed();
    let complete = estate.polled(since).await? - started;
    operator.quiet().await?;
    let calls = estate.calls(since).await?;
    let changed = objects.changed_since(&before).await?;
    table.at_most("restart: writes to the API server", operator.writes().await?, 0.0);
    table.at_most("restart: objects with a new resourceVersion", real(changed), 0.0);
    table.at_most("restart: calls to Meta (aim: one poll)", real(calls.len()), real(estate.size().calls_per_poll()));
    calls.print("calls of the restart");
    table.row("restart: time to ready (s)", ready.as_secs_f64());
    table.row("restart: time to the first complete poll (s)", complete.as_secs_f64());
    let memory = operator.memory()?;
    table.at_most("memory, the same objects, after a restart (MB)", memory.resident, 38.0);
    table.row("memory, peak of the restart (MB)", memory.peak);
    Ok(operator)
}

/// `more` templates are still to be imported.
async fn steady(
    plane: &ControlPlane,
    objects: &Objects,
    estate: &Estate,
    more: usize,
    table: &mut Table,
) -> Result<(), Failure> {
    let size = estate.size();
    progress("an import of more templates");
    let how = How { namespace: Some(objects.namespace.clone()), speedup: SPEEDUP };
    let operator = Operator::start(plane, estate, &how).await?;
    objects.complete(&operator, size.numbers() + size.templates(), more).await?;
    operator.quiet().await?;
    progress("the steady state");
    let (before, writes) = (objects.versions().await?, operator.writes().await?);
    let (since, cpu) = (estate.last_call().await?, operator.cpu()?);
    let polls = estate.polls(since, POLLS).await?;
    let cpu = operator.cpu()?.saturating_sub(cpu);
    let changed = objects.changed_since(&before).await?;
    table.row("steady state: numbers and templates", real(size.numbers() + size.templates()));
    table.at_most(
        &format!("steady state: writes to the API server in {POLLS} polls"),
        operator.writes().await? - writes,
        0.0,
    );
    table.at_most("steady state: objects with a new resourceVersion", real(changed), 0.0);
    table.at_most("steady state: calls per account and poll", real(polls.most_calls), real(size.calls_per_account()));
    table.row("steady state: CPU of one poll of everything (s)", cpu.as_secs_f64() / polls.rounds);
    let memory = operator.memory()?;
    table.row("steady state: memory (MB)", memory.resident);
    table.row("steady state: memory, peak (MB)", memory.peak);
    estate.calls(since).await?.print("calls of the steady state");
    estate.violations().await?.into_iter().for_each(|violation| eprintln!("bench: violation: {violation}"));
    operator.stop().await
}

#[expect(clippy::cast_precision_loss, reason = "counts here are far below 2⁵²")]
fn real(count: usize) -> f64 {
    count as f64
}
