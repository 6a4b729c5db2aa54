//! Reading objects: chosen fields, expanded edges.

use serde_json::{Map, Value, json};

use super::errors::{self, GraphError};
use super::fields::Want;
use super::paging::{self, Page};
use super::request::Params;
use super::tokens::{self, Viewer};
use super::{accounts, health, numbers, pricing, templates};
use crate::world::estate::{Estate, Key};
use crate::world::lag::View;
use crate::world::schema::{Absent, Field, Shown};
use crate::world::{Kind, Record, World};

/// An object that is read.
#[derive(Clone, Debug)]
pub(crate) struct Subject {
    pub(crate) kind: Kind,
    pub(crate) key: Key,
}

/// One read: the world as this caller sees it.
pub(crate) struct Reader<'a> {
    pub(crate) estate: &'a Estate,
    pub(crate) world: &'a World,
    pub(crate) viewer: &'a Viewer,
    pub(crate) version: u32,
    /// Scheme and host of the links in the answer.
    pub(crate) base: &'a str,
    pub(crate) now: i64,
    /// Changes from call to call, like the signatures in Meta's CDN links.
    pub(crate) nonce: u64,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(world: &'a World, viewer: &'a Viewer, version: u32, base: &'a str, nonce: u64) -> Self {
        Self { estate: &world.estate, world, viewer, version, base, now: world.clock.unix(), nonce }
    }

    /// An object with the requested fields, or its default ones. Absent values are left out, as are empty edges.
    pub(crate) fn node(&self, view: View, subject: &Subject, wants: &[Want]) -> Result<Value, GraphError> {
        let Subject { kind, key } = subject;
        let record = self.estate.see(view, *kind, key, self.now).ok_or_else(|| errors::unsupported("GET", key))?;
        let mut map = Map::new();
        if wants.is_empty() {
            for field in kind.fields().iter().filter(|field| field.shown == Shown::Default) {
                if let Some(value) = self.value(subject, record, field) {
                    map.insert(field.name.into(), value);
                }
            }
            if *kind == Kind::Token {
                map.insert("name".into(), json!(&**key));
            }
        }
        for want in wants.iter().filter(|want| want.name != "id") {
            if let Some(value) = self.wanted(subject, record, want)? {
                map.insert(want.name.clone(), value);
            }
        }
        let id = if *kind == Kind::Token { record.text("user_id").unwrap_or_default() } else { key };
        map.insert("id".into(), json!(id));
        Ok(Value::Object(map))
    }

    fn wanted(&self, subject: &Subject, record: &Record, want: &Want) -> Result<Option<Value>, GraphError> {
        if edges(subject.kind).contains(&want.name.as_str()) {
            let args = Params::from_text(&want.args);
            let edge = self.edge(View::Nested, subject, &want.name, &args, &want.inner)?;
            return Ok(edge.filter(|edge| {
                edge["data"].as_array().is_none_or(|data| !data.is_empty()) || edge.get("summary").is_some()
            }));
        }
        let unknown = || errors::nonexisting_field(&want.name, subject.kind.node_type());
        if subject.kind == Kind::Token && want.name == "name" {
            return Ok(Some(json!(&*subject.key)));
        }
        let field = subject.kind.field(&want.name).ok_or_else(unknown)?;
        if field.shown == Shown::Never || field.since > self.version {
            return Err(unknown());
        }
        if subject.kind == Kind::Account && want.name == pricing::FIELD {
            return pricing::analytics(record, want, self.now);
        }
        if let Some((argument, _)) = want.args.first() {
            return Err(errors::invalid_parameter(format!("Unexpected argument {argument} on field {}", want.name)));
        }
        Ok(self.value(subject, record, field).map(|value| pick(value, &want.inner)))
    }

    /// A field's value: what Meta works out, what is set, what an unset one reads as.
    fn value(&self, subject: &Subject, record: &Record, field: &Field) -> Option<Value> {
        let name = field.name;
        let computed = match subject.kind {
            Kind::Account => accounts::computed(self, subject, record, name),
            Kind::Number => numbers::computed(self, record, name),
            Kind::Template => templates::computed(self, subject, record, name),
            Kind::Business => accounts::business(record, name),
            Kind::App => accounts::app(subject, record, name),
            Kind::Token => None,
        };
        let computed = match name {
            "health_status" => Some(health::status(self.world, &self.viewer.app, subject, record)),
            _ => computed,
        };
        computed.or_else(|| record.get(name).cloned()).or(match field.absent {
            Absent::Omitted => None,
            Absent::Text(text) => Some(json!(text)),
            Absent::Flag(flag) => Some(json!(flag)),
        })
    }

    /// A list an object leads to; nothing when the object has no such edge.
    pub(crate) fn edge(
        &self,
        view: View,
        subject: &Subject,
        edge: &str,
        args: &Params,
        wants: &[Want],
    ) -> Result<Option<Value>, GraphError> {
        if !edges(subject.kind).contains(&edge) {
            return Ok(None);
        }
        let answer = match edge {
            "phone_numbers" => numbers::list(self, view, subject, args, wants),
            "message_templates" => templates::list(self, view, subject, args, wants),
            "subscribed_apps" => {
                check_args(args, &[])?;
                Ok(accounts::subscribed_apps(self, view, subject))
            }
            "permissions" => {
                check_args(args, &[])?;
                Ok(self.estate.get(Kind::Token, &subject.key).map_or(Value::Null, tokens::permissions))
            }
            "assigned_whatsapp_business_accounts" => {
                check_args(args, paging::ARGUMENTS)?;
                let keys = accounts::assigned(self, subject);
                paging::whole(self, &Page::of(subject, edge, args, wants), view, Kind::Account, keys)
            }
            _ => {
                check_args(args, paging::ARGUMENTS)?;
                let keys: Vec<Key> = self
                    .estate
                    .listed_keys(Kind::Account, &subject.key)
                    .filter(|id| accounts::visible(self, id))
                    .cloned()
                    .collect();
                paging::whole(self, &Page::of(subject, edge, args, wants), view, Kind::Account, keys)
            }
        };
        answer.map(Some)
    }
}

/// The edges that can be read, by path or in `fields`.
fn edges(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Account => &["phone_numbers", "message_templates", "subscribed_apps"],
        Kind::Token => &["permissions", "assigned_whatsapp_business_accounts"],
        Kind::Business => &["owned_whatsapp_business_accounts"],
        Kind::App | Kind::Number | Kind::Template => &[],
    }
}

/// Refuses arguments that an edge does not have.
pub(crate) fn check_args(args: &Params, known: &[&str]) -> Result<(), GraphError> {
    match args.names().find(|name| !known.contains(name)) {
        Some(unknown) => Err(errors::invalid_parameter(format!("Unexpected parameter: {unknown}"))),
        None => Ok(()),
    }
}

/// Keeps the chosen parts of a value that is itself an object, or a list of them.
fn pick(value: Value, inner: &[Want]) -> Value {
    if inner.is_empty() {
        return value;
    }
    match value {
        Value::Object(map) => {
            Value::Object(map.into_iter().filter(|(key, _)| inner.iter().any(|want| want.name == *key)).collect())
        }
        Value::Array(list) => list.into_iter().map(|item| pick(item, inner)).collect(),
        scalar => scalar,
    }
}
