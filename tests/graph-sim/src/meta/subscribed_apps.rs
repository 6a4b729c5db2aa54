//! `POST` and `DELETE /{account}/subscribed_apps`: which apps take an account's webhooks, and where.

use serde_json::{Value, json};

use super::callbacks::{self, Callback};
use super::errors::GraphError;
use super::tokens::Viewer;
use super::{Done, Turn, errors};
use crate::delivery::events;
use crate::world::{Kind, World};

/// Always about the app of the token.
pub(crate) fn write(turn: &mut Turn<'_>, viewer: &Viewer, account: &str) -> Result<Done, GraphError> {
    let app = viewer.app.to_string();
    if turn.call.method == "DELETE" {
        turn.allow(&[])?;
        return Ok(Done::success(unsubscribe(turn.world, account, &app)));
    }
    turn.allow(&["override_callback_uri", "verify_token"])?;
    let entry = subscription(turn.world, account, &app);
    let Some(url) = turn.params.string("override_callback_uri")? else {
        if turn.params.has("verify_token") {
            return Err(errors::missing_parameter("override_callback_uri"));
        }
        return Ok(Done::success(subscribe(turn, account, &app, entry.as_ref())));
    };
    let callback = Callback::overriding(&url, turn.params.string("verify_token")?)?;
    if entry.is_none() {
        return Err(callbacks::not_subscribed());
    }
    let (account, proven) = (account.to_owned(), callback.clone());
    Ok(Done::AfterHandshake(
        callback,
        Box::new(move |world| {
            let Callback { url, verify_token } = proven;
            let entry = json!({"app": app, "override_callback_uri": url, "verify_token": verify_token});
            replace(world, &account, &app, Some(entry));
            format!("account {account}: override of app {app} set")
        }),
    ))
}

/// The entry of an app, if it listens to the account.
pub(crate) fn subscription(world: &World, account: &str, app: &str) -> Option<Value> {
    let account = world.estate.get(Kind::Account, account)?;
    account.list("subscribed_apps").iter().find(|entry| entry["app"] == app).cloned()
}

/// Without parameters the app is subscribed, and an override it had is gone.
fn subscribe(turn: &mut Turn<'_>, account: &str, app: &str, entry: Option<&Value>) -> Option<String> {
    let overridden = entry.is_some_and(|entry| entry["override_callback_uri"].is_string());
    if entry.is_some() && !overridden {
        return None;
    }
    replace(turn.world, account, app, Some(json!({"app": app})));
    if overridden {
        let detail = format!("account {account}: the override of app {app} is gone");
        turn.world.journal.violation(turn.seq, "override-cleared", detail);
        return Some(format!("account {account}: override of app {app} cleared"));
    }
    if let Some(event) = events::of_app(turn.world, account, app, "PARTNER_APP_INSTALLED") {
        turn.world.deliveries.send(event);
    }
    Some(format!("account {account}: app {app} subscribed"))
}

fn unsubscribe(world: &mut World, account: &str, app: &str) -> Option<String> {
    subscription(world, account, app)?;
    // An app that unsubscribes gets the event too.
    let farewell = events::of_app(world, account, app, "PARTNER_APP_UNINSTALLED");
    replace(world, account, app, None);
    if let Some(event) = farewell {
        world.deliveries.send(event);
    }
    Some(format!("account {account}: app {app} unsubscribed"))
}

fn replace(world: &mut World, account: &str, app: &str, entry: Option<Value>) {
    let now = world.clock.unix();
    world.estate.edit(Kind::Account, account, now, |record| {
        let others = record.list("subscribed_apps").iter().filter(|other| other["app"] != app).cloned();
        let entries: Vec<Value> = others.chain(entry).collect();
        record.set("subscribed_apps", json!(entries));
    });
}
