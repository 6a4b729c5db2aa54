//! From a person's annotation to the call that it asks for.
//!
//! The numbers are connected, and Meta has approved a new name of each, which the operator has read. What is asked for
//! is the registration that puts the name in force: the operator writes into the number's ledger what it is about to do,
//! then calls. The clock of the simulator's log and the one here are the same.

use std::time::Instant;

use control_plane::ControlPlane;
use futures::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use kube::ResourceExt;
use serde_json::json;
use tokio::time::sleep;
use waba_operator::api::{Action, ManagedStatus, WhatsAppNumber};

use crate::{
    Failure, bare,
    estate::{Estate, Line},
    ladder::name,
    objects::Objects,
    operator::{LOOK_AGAIN, Operator, PATIENCE, in_time},
    progress,
    table::Table,
};

/// Numbers asked one after the other, and as many in crowds.
const COUNT: usize = 200;
/// Numbers asked at once.
const CROWD: usize = 50;
/// How often the bare loops do the same.
const BARE: usize = 200;

/// Half of the lines, or [`COUNT`] of them, one at a time; as many in crowds.
pub async fn measure(
    plane: &ControlPlane,
    estate: &Estate,
    objects: &Objects,
    operator: &Operator,
    lines: &[Line],
    table: &mut Table,
) -> Result<(), Failure> {
    let count = COUNT.min(lines.len() / 2);
    let lines = &lines[..2 * count];
    progress("new names");
    estate.change(lines, &json!({"new_display_name": "Renamed", "new_name_status": "APPROVED"})).await?;
    let since = estate.last_call().await?;
    objects.read_now().await?;
    estate.polled(since).await?;
    operator.quiet().await?;

    progress("actions, one at a time");
    let (alone, crowded) = lines.split_at(count);
    let mut waits = Vec::new();
    for line in alone {
        waits.extend(ask(estate, objects, std::slice::from_ref(line)).await?);
    }
    tell("one at a time", &mut waits, table);
    let alone = percentile(&waits, 50);

    progress("actions, many at once");
    let mut waits = Vec::new();
    for crowd in crowded.chunks(CROWD) {
        waits.extend(ask(estate, objects, crowd).await?);
    }
    let crowd = CROWD.min(count);
    tell(&format!("{crowd} at once"), &mut waits, table);
    let crowded = percentile(&waits, 50);

    for (way, at_once, median) in [("one at a time".to_owned(), 1, alone), (format!("{crowd} at once"), crowd, crowded)]
    {
        let mut waits = bare(plane, estate, at_once).await?;
        tell(&format!("bare loop, {way}"), &mut waits, table);
        let measure = format!("action to call, {way}: against bare loop, p50 (ratio)");
        table.at_most(&measure, median / percentile(&waits, 50), 5.0);
    }
    Ok(())
}

/// Asks all of them at once, and waits until all is done and told; how long each call took to come, in milliseconds.
async fn ask(estate: &Estate, objects: &Objects, lines: &[Line]) -> Result<Vec<f64>, Failure> {
    let since = estate.last_call().await?;
    let asked: Vec<(&Line, Timestamp)> = stream::iter(lines)
        .map(|line| async move {
            let at = Timestamp::now();
            objects.annotate::<WhatsAppNumber>(&name(line), Action::Register).await?;
            Ok::<_, Failure>((line, at))
        })
        .buffer_unordered(lines.len())
        .try_collect()
        .await?;
    for line in lines {
        told(objects, line).await?;
    }
    let arrived = estate.calls(since).await?.carried_out("register");
    asked
        .into_iter()
        .map(|(line, at)| {
            let call = arrived.get(&line.id).ok_or_else(|| format!("{} was not registered again", line.number))?;
            Ok(call.duration_since(at).as_secs_f64() * 1e3)
        })
        .collect()
}

/// Waits until the number's status has the answer to the action.
async fn told(objects: &Objects, line: &Line) -> Result<(), Failure> {
    let patience = Instant::now() + PATIENCE;
    loop {
        let number = objects.api::<WhatsAppNumber>().get(&name(line)).await?;
        let asked = number.annotations().get(Action::Register.annotation()).map(String::as_str);
        let handled = number.status.as_ref().and_then(|status| status.handled(Action::Register));
        if handled.is_some() && handled == asked {
            return Ok(());
        }
        in_time(patience, "an action is handled")?;
        sleep(LOOK_AGAIN / 5).await;
    }
}

/// A write for the annotation, one for what is written down before the call, and the call: so many at a time.
async fn bare(plane: &ControlPlane, estate: &Estate, at_once: usize) -> Result<Vec<f64>, Failure> {
    let secrets = bare::Secrets::create(plane, 2 * at_once).await?;
    let mut waits = Vec::new();
    for round in 0..BARE.div_ceil(at_once) {
        let started = Instant::now();
        let crowd: Vec<f64> = stream::iter(0..at_once)
            .map(async |n| {
                secrets.write_one(2 * n, round).await?;
                secrets.write_one(2 * n + 1, round).await?;
                estate.greet().await?;
                Ok::<_, Failure>(started.elapsed().as_secs_f64() * 1e3)
            })
            .buffer_unordered(at_once)
            .try_collect()
            .await?;
        waits.extend(crowd);
    }
    Ok(waits)
}

fn tell(way: &str, waits: &mut [f64], table: &mut Table) {
    waits.sort_by(f64::total_cmp);
    for percent in [50, 99] {
        table.row(&format!("action to call, {way}: p{percent} (ms)"), percentile(waits, percent));
    }
}

/// The value below or at which so many percent of them lie, which are in order.
fn percentile(sorted: &[f64], percent: usize) -> f64 {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied().unwrap_or_default()
}
