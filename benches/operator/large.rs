//! A very large estate: what it takes in memory, and how soon a restarted operator is ready.
//!
//! A restarted operator lists everything before it decides anything, and whoever waits for it waits for that list. It is set
//! against a client that lists the same numbers and does nothing with them, before and after, in pages of the usual size.

use std::time::{Duration, Instant};

use control_plane::ControlPlane;
use kube::{Api, api::ListParams};
use waba_operator::api::WhatsAppNumber;

use crate::{
    Failure,
    estate::{Estate, Size},
    objects::Objects,
    operator::{Operator, Options},
    progress,
    table::Table,
};

const ACCOUNTS: usize = 50;
const NUMBERS_EACH: f64 = 1000.0;
/// What kubectl and client-go ask for at a time.
const PAGE: u32 = 500;

/// Imports the numbers, restarts the operator.
pub async fn measure(plane: &ControlPlane, estate: &mut Estate, scale: f64, table: &mut Table) -> Result<(), Failure> {
    estate.become_of(Size::scaled(ACCOUNTS, NUMBERS_EACH, 0.0, scale).numbers_only()).await?;
    let count = estate.size().numbers();
    progress("an import of a very large estate");
    let objects = Objects::prepare(plane).await?;
    let how = Options { namespace: Some(objects.namespace.clone()), ..Options::default() };
    let operator = Operator::start(plane, estate, &how).await?;
    objects.import_numbers().await?;
    objects.complete(&operator, count, count).await?;
    operator.quiet().await?;
    let held = operator.memory()?;
    table.at_most(&format!("memory, {count} numbers, after the import (MB)"), held.resident, 120.0);
    table.row(&format!("memory, {count} numbers, peak of the import (MB)"), held.peak);

    progress("a restart with a very large estate");
    let operator = operator.stopped().await?;
    let before = list(&objects.api(), count).await?;
    let since = estate.last_call().await?;
    let started = Instant::now();
    let operator = operator.again().await?;
    let ready = started.elapsed();
    let cpu = operator.cpu()?;
    let after = list(&objects.api(), count).await?;
    let bare = (before + after) / 2;
    table.row(&format!("bare list of {count} numbers in pages of {PAGE} (s)"), bare.as_secs_f64());
    table.row(&format!("restart with {count} numbers: time to ready (s)"), ready.as_secs_f64());
    table.row(&format!("restart with {count} numbers: CPU until ready (s)"), cpu.as_secs_f64());
    let ratio = ready.as_secs_f64() / bare.as_secs_f64();
    table.at_most(&format!("restart with {count} numbers against bare list (ratio)"), ratio, 2.0);
    estate.polled(since).await?;
    operator.quiet().await?;
    table.at_most(&format!("restart with {count} numbers: writes"), operator.writes().await?, 0.0);
    let memory = operator.memory()?;
    table.at_most(&format!("memory, {count} numbers, after a restart (MB)"), memory.resident, 120.0);
    table.row(&format!("memory, {count} numbers, peak of the restart (MB)"), memory.peak);
    operator.stop().await
}

/// Lists all numbers once; how long that took.
async fn list(api: &Api<WhatsAppNumber>, count: usize) -> Result<Duration, Failure> {
    let started = Instant::now();
    let (mut listed, mut page) = (0, ListParams::default().limit(PAGE));
    loop {
        let numbers = api.list(&page).await?;
        listed += numbers.items.len();
        match numbers.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => page = page.continue_token(&token),
            None => break,
        }
    }
    if listed == count { Ok(started.elapsed()) } else { Err(format!("{listed} of {count} numbers are listed").into()) }
}
