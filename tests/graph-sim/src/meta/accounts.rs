//! What Meta works out about accounts, the businesses that own them and the apps that watch them.

use serde_json::{Value, json};

use super::read::{Reader, Subject};
use super::tokens;
use crate::world::estate::{Estate, Key};
use crate::world::lag::View;
use crate::world::{Kind, Record};

/// Fields of an account that follow from other things.
pub(crate) fn computed(reader: &Reader<'_>, subject: &Subject, record: &Record, name: &str) -> Option<Value> {
    let owner = || {
        let id = record.text("business")?;
        Some((id, reader.estate.get(Kind::Business, id)?))
    };
    match name {
        "owner_business" | "owner_business_info" if record.get(name).is_none() => {
            let (id, business) = owner()?;
            Some(json!({"name": business.text("name"), "id": id}))
        }
        "business_verification_status" if record.get(name).is_none() => {
            let verified = owner().is_some_and(|(_, business)| is_verified(business));
            Some(json!(if verified { "verified" } else { "not_verified" }))
        }
        "whatsapp_business_manager_messaging_limit" if record.get(name).is_none() => {
            Some(json!(messaging_limit(reader.estate, &subject.key)))
        }
        _ => None,
    }
}

/// The portfolio's messaging limit, which holds for all its accounts and numbers.
pub(crate) fn messaging_limit(estate: &Estate, account: &str) -> String {
    let business = estate.get(Kind::Account, account).and_then(|account| account.text("business"));
    let business = business.and_then(|id| estate.get(Kind::Business, id));
    let set = business.and_then(|business| business.text("whatsapp_business_manager_messaging_limit"));
    let usual = if business.is_some_and(is_verified) { "TIER_2K" } else { "TIER_250" };
    set.unwrap_or(usual).to_owned()
}

pub(crate) fn is_verified(business: &Record) -> bool {
    business.flag("verified") == Some(true)
}

/// Fields of a business that follow from others.
pub(crate) fn business(record: &Record, name: &str) -> Option<Value> {
    let unset = name == "verification_status" && record.get(name).is_none();
    unset.then(|| json!(if is_verified(record) { "verified" } else { "not_verified" }))
}

/// Fields of an app that follow from others.
pub(crate) fn app(subject: &Subject, record: &Record, name: &str) -> Option<Value> {
    match name {
        "link" if record.get(name).is_none() => Some(json!(app_link(&subject.key))),
        "app_name" if record.get(name).is_none() => record.get("name").cloned(),
        _ => None,
    }
}

fn app_link(app: &str) -> String {
    format!("https://www.facebook.com/games/?app_id={app}")
}

/// `GET /{account}/subscribed_apps`: every app that takes the account's webhooks, with its override if it has one.
pub(crate) fn subscribed_apps(reader: &Reader<'_>, view: View, subject: &Subject) -> Value {
    let account = reader.estate.see(view, Kind::Account, &subject.key, reader.now);
    let entries =
        account.map(|account| account.list("subscribed_apps")).unwrap_or_default().iter().filter_map(|entry| {
            let id = entry["app"].as_str()?;
            let name = reader.estate.get(Kind::App, id)?.text("name")?;
            let mut shown = json!({"whatsapp_business_api_data": {"link": app_link(id), "name": name, "id": id}});
            if let Some(url) = entry["override_callback_uri"].as_str() {
                shown["override_callback_uri"] = json!(url);
            }
            Some(shown)
        });
    json!({"data": entries.collect::<Vec<_>>()})
}

/// The accounts a system user was given, oldest first.
pub(crate) fn assigned(reader: &Reader<'_>, user: &Subject) -> Vec<Key> {
    let Some(token) = reader.estate.get(Kind::Token, &user.key) else { return Vec::new() };
    let mut accounts: Vec<_> =
        reader.estate.all(Kind::Account).filter(|(id, _)| tokens::sees_account(token, id)).collect();
    accounts.sort_by_key(|(_, node)| node.serial);
    accounts.into_iter().map(|(id, _)| id.clone()).collect()
}

/// Whether the caller was given an account.
pub(crate) fn visible(reader: &Reader<'_>, account: &str) -> bool {
    let token = reader.viewer.token.as_ref().and_then(|name| reader.estate.get(Kind::Token, name));
    token.is_some_and(|token| tokens::sees_account(token, account))
}
