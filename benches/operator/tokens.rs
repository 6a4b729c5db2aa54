//! Another token in the app's Secret: how long until all of a large estate uses it.
//!
//! The operator proves the token at every account before it uses it, then reads the accounts with it. A tenth of the
//! numbers have a binding Secret, in which applications find the token; a bare loop writes as many Secrets once.

use std::{collections::BTreeMap, time::Instant};

use control_plane::ControlPlane;
use futures::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use kube::{
    ResourceExt,
    api::{ListParams, Patch, PatchParams},
};
use serde_json::json;
use tokio::time::sleep;
use waba_operator::{api::WhatsAppNumber, controller::CONCURRENCY};

use crate::{
    Failure, bare,
    estate::{self, Estate, Size},
    objects::Objects,
    operator::{LOOK_AGAIN, Operator, Options, PATIENCE, in_time},
    progress, real,
    table::Table,
};

/// One number in so many has a binding.
const BOUND: usize = 10;
/// The new token, and its name in the simulator's log.
const TOKEN: &str = "EAAbenchnew456789abcdef0123456789abcdef";
const NAME: &str = "new";

/// Imports the estate, binds a tenth of it, changes the token.
pub async fn measure(plane: &ControlPlane, estate: &mut Estate, size: Size, table: &mut Table) -> Result<(), Failure> {
    estate.become_of(size.numbers_only()).await?;
    let count = size.numbers();
    progress("an import for a change of token");
    let objects = Objects::prepare(plane).await?;
    let how = Options { namespace: Some(objects.namespace.clone()), ..Options::default() };
    let operator = Operator::start(plane, estate, &how).await?;
    objects.import_numbers().await?;
    objects.complete(&operator, count, count).await?;
    progress("bindings");
    let bound = bind(&objects).await?;
    operator.quiet().await?;
    let before = operator.memory()?;

    progress("a change of token");
    estate.add_token(NAME, TOKEN).await?;
    let since = estate.last_call().await?;
    let writes = operator.writes_of("\"secrets\"").await?;
    let (started, instant) = (Timestamp::now(), Instant::now());
    objects.change_token(TOKEN).await?;
    let rotated = rotated(&objects, &operator, writes, bound);
    let ((), rotated) = tokio::try_join!(estate.polled_with(NAME, since), rotated)?;
    operator.quiet().await?;
    let calls = estate.calls(since).await?;
    calls.print("calls of the change of token");
    let after = |times: BTreeMap<String, Timestamp>| {
        times.into_values().max().map_or(0.0, |last| last.duration_since(started).as_secs_f64())
    };
    let secrets = bare::Secrets::create(plane, bound).await?;
    let bare = secrets.write(0..1).await?;
    let rotated = rotated.duration_since(instant);
    table.row("token change: numbers", real(count));
    table.row("token change: until every account was called with it (s)", after(calls.first_with(NAME)));
    table.row("token change: until every account was polled with it (s)", after(calls.first_polls_with(NAME)));
    table.row(&format!("token change: until all of {bound} bindings have it (s)"), rotated.as_secs_f64());
    table.row("token change: bare loop of as many writes (s)", bare.as_secs_f64());
    table.row("token change: bindings against bare loop (ratio)", rotated.as_secs_f64() / bare.as_secs_f64());
    let written = operator.writes_of("\"secrets\"").await? - writes;
    table.row("token change: Secrets written per binding", written / real(bound));
    table.row("memory before the change of token (MB)", before.resident);
    let memory = operator.memory()?;
    table.row("memory after the change of token (MB)", memory.resident);
    table.row("memory, peak so far (MB)", memory.peak);
    operator.stop().await
}

/// Asks for a binding of every tenth number, and waits for them; how many there are.
async fn bind(objects: &Objects) -> Result<usize, Failure> {
    let names: Vec<String> = objects.numbers().await?.iter().step_by(BOUND).map(ResourceExt::name_any).collect();
    let patch = Patch::Merge(json!({"spec": {"binding": {}}}));
    stream::iter(&names)
        .map(|name| {
            let patch = &patch;
            async move {
                objects.api::<WhatsAppNumber>().patch(name, &PatchParams::default(), patch).await?;
                Ok::<_, Failure>(())
            }
        })
        .buffer_unordered(usize::from(CONCURRENCY))
        .try_collect::<()>()
        .await?;
    let patience = Instant::now() + PATIENCE;
    while bindings_with(objects, estate::TOKEN).await? < names.len() {
        in_time(patience, "every number is bound")?;
        sleep(LOOK_AGAIN * 4).await;
    }
    Ok(names.len())
}

/// Waits until every binding has the new token; when that was. As in [`Objects::complete`], the API server is asked only
/// once the operator's own count says yes.
async fn rotated(objects: &Objects, operator: &Operator, before: f64, bound: usize) -> Result<Instant, Failure> {
    let patience = Instant::now() + PATIENCE;
    loop {
        let writes = operator.writes_of("\"secrets\"").await? - before;
        let at = Instant::now();
        if writes >= real(bound) && bindings_with(objects, TOKEN).await? == bound {
            return Ok(at);
        }
        in_time(patience, "every binding has the new token")?;
        sleep(LOOK_AGAIN).await;
    }
}

async fn bindings_with(objects: &Objects, token: &str) -> Result<usize, Failure> {
    let bindings = ListParams::default().fields("type=servicebinding.io/whatsapp");
    let secrets = objects.api::<Secret>().list(&bindings).await?;
    let holds = |secret: &&Secret| {
        let value = secret.data.as_ref().and_then(|data| data.get("access-token"));
        value.is_some_and(|value| value.0 == token.as_bytes())
    };
    Ok(secrets.iter().filter(holds).count())
}
