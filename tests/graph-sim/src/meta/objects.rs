//! `/{id}` and `/{id}/{edge}`: who may reach which object, and at whose expense.

use super::errors::{self, GraphError};
use super::read::{Reader, Subject};
use super::request::Params;
use super::tokens::{self, Viewer};
use super::{Done, Turn, ladder, subscribed_apps, subscriptions};
use crate::world::Kind;
use crate::world::lag::View;

/// Serves a call to an object or one of its edges.
pub(crate) fn serve(turn: &mut Turn<'_>, id: &str, edge: Option<&str>) -> Result<Done, GraphError> {
    let method = turn.call.method.clone();
    if !["GET", "POST", "DELETE"].contains(&method.as_str()) {
        return Err(errors::unsupported_method(&method));
    }
    let kind = turn.world.estate.kind_of(id);
    let Some(token) = turn.token.clone() else {
        return Err(if id == "me" {
            errors::no_current_user()
        } else {
            GraphError::new(104, "An access token is required to request this resource.")
        });
    };
    let viewer = turn.authenticate(&token, kind.is_some_and(Kind::is_whatsapp))?;
    tokens::check_proof(turn.world, &viewer, &turn.params)?;
    let subject = reach(turn, &viewer, id)?;
    if method == "GET" { read(turn, &viewer, &subject, id, edge) } else { write(turn, &viewer, &subject, edge) }
}

/// Counts the call and finds the object, if the caller may see it.
fn reach(turn: &mut Turn<'_>, viewer: &Viewer, id: &str) -> Result<Subject, GraphError> {
    let method = turn.call.method.clone();
    let subject = find(turn, viewer, id);
    let account = subject.as_ref().and_then(|subject| account_of(turn, subject));
    let visible = match &account {
        Some(account) => tokens::check_account(turn.world, viewer, account, &method, id),
        None => Ok(()),
    };
    // A caller without a right to the account pays from the app's budget.
    match account.filter(|_| visible.is_ok()) {
        Some(account) => turn.count_account(&viewer.app, &account)?,
        None => turn.count_app(&viewer.app)?,
    }
    visible?;
    let subject = subject.filter(|subject| may_see(turn, viewer, subject));
    subject.ok_or_else(|| if id == "me" { errors::no_current_user() } else { errors::unsupported(&method, id) })
}

fn find(turn: &Turn<'_>, viewer: &Viewer, id: &str) -> Option<Subject> {
    let estate = &turn.world.estate;
    if id == "me" {
        return viewer.token.clone().map(|token| Subject { kind: Kind::Token, key: token });
    }
    if let Some(kind) = estate.kind_of(id) {
        return Some(Subject { kind, key: id.into() });
    }
    // A system user is known by the token that stands for it; the caller's own first.
    let own = viewer
        .token
        .as_ref()
        .filter(|name| estate.get(Kind::Token, name).and_then(|token| token.text("user_id")) == Some(id));
    let token = own.or_else(|| {
        estate.all(Kind::Token).find(|(_, node)| node.record.text("user_id") == Some(id)).map(|(name, _)| name)
    });
    token.map(|token| Subject { kind: Kind::Token, key: token.clone() })
}

fn account_of(turn: &Turn<'_>, subject: &Subject) -> Option<String> {
    match subject.kind {
        Kind::Account => Some(subject.key.to_string()),
        Kind::Number | Kind::Template => {
            turn.world.estate.get(subject.kind, &subject.key)?.text("account").map(str::to_owned)
        }
        Kind::App | Kind::Business | Kind::Token => None,
    }
}

/// Apps show themselves to their own tokens, users to themselves, businesses to who manages them.
fn may_see(turn: &Turn<'_>, viewer: &Viewer, subject: &Subject) -> bool {
    let estate = &turn.world.estate;
    let token = viewer.token.as_ref().and_then(|name| estate.get(Kind::Token, name));
    match subject.kind {
        Kind::App => subject.key == viewer.app,
        Kind::Token => token.is_some_and(|token| {
            token.text("user_id") == estate.get(Kind::Token, &subject.key).and_then(|other| other.text("user_id"))
        }),
        Kind::Business => token.is_some_and(|token| {
            let mut accounts = estate.listed_keys(Kind::Account, &subject.key);
            tokens::scopes(token).contains(&"business_management")
                && (token.get("accounts").is_none() || accounts.any(|id| tokens::sees_account(token, id)))
        }),
        Kind::Account | Kind::Number | Kind::Template => true,
    }
}

/// What changes things at Meta.
fn write(turn: &mut Turn<'_>, viewer: &Viewer, subject: &Subject, edge: Option<&str>) -> Result<Done, GraphError> {
    let post = turn.call.method == "POST";
    match (subject.kind, edge) {
        (Kind::Number, edge) if post => ladder::serve(turn, viewer, &subject.key, edge),
        (Kind::Account, Some("phone_numbers")) if post => ladder::add::serve(turn, &subject.key),
        (Kind::Account, Some("subscribed_apps")) => subscribed_apps::write(turn, viewer, &subject.key),
        (Kind::App, Some("subscriptions")) => subscriptions::write(turn, viewer),
        _ => Err(errors::unsupported(&turn.call.method, &subject.key)),
    }
}

fn read(
    turn: &mut Turn<'_>,
    viewer: &Viewer,
    subject: &Subject,
    id: &str,
    edge: Option<&str>,
) -> Result<Done, GraphError> {
    if subject.kind == Kind::Number && edge.is_none() {
        let account = account_of(turn, subject).unwrap_or_default();
        let now = turn.world.clock.unix();
        turn.world.journal.number_read(turn.seq, &account, id, now);
    }
    match (subject.kind, edge) {
        (_, None) => turn.allow(&["fields"])?,
        (Kind::Number, Some("whatsapp_business_profile")) => return ladder::profile::read(turn, &subject.key),
        (Kind::Number, Some("settings")) => return ladder::settings::read(turn, &subject.key),
        (Kind::App, Some("subscriptions")) => return subscriptions::read(turn, viewer),
        _ => {}
    }
    let wants = super::fields::parse(&turn.params.text("fields").unwrap_or_default())?;
    let reader = Reader::new(turn.world, viewer, turn.served.version, &turn.call.base, turn.seq);
    let body = match edge {
        None => reader.node(View::Node, subject, &wants)?,
        Some(edge) => {
            let args: Vec<(String, String)> = turn
                .params
                .names()
                .filter(|name| *name != "fields" && !super::EVERYWHERE.contains(name))
                .filter_map(|name| Some((name.to_owned(), turn.params.text(name)?)))
                .collect();
            let args = Params::from_text(&args);
            reader.edge(View::List, subject, edge, &args, &wants)?.ok_or_else(|| errors::unsupported("GET", id))?
        }
    };
    Ok(Done::read(body))
}
