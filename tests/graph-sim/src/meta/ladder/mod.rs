//! The number ladder: what callers do with one phone number, from its first code to its last deregistration.

pub(crate) mod add;
mod node;
pub(crate) mod profile;
mod refusals;
mod register;
pub(crate) mod settings;
mod verify;

use super::errors::{self, GraphError};
use super::request::Params;
use super::tokens::{self, Viewer};
use super::{Done, Turn, numbers};
use crate::world::{Kind, Record};

/// The right to register and to deregister, besides the one to manage.
const MESSAGING: &str = "whatsapp_business_messaging";

/// The number a call is about, as it is before the call.
struct Number<'a> {
    id: &'a str,
    record: Record,
}

impl Number<'_> {
    /// On the Cloud API, and not thrown off it since.
    fn registered(&self) -> bool {
        numbers::registered(&self.record) && !["DISCONNECTED", "UNVERIFIED"].contains(&self.status())
    }

    fn status(&self) -> &str {
        self.record.text("status").unwrap_or("CONNECTED")
    }

    fn verified(&self) -> bool {
        self.record.text("code_verification_status").unwrap_or("VERIFIED") == "VERIFIED"
    }

    /// Whether it lives on the WhatsApp Business app as well.
    fn on_app(&self) -> bool {
        self.record.flag("is_on_biz_app") == Some(true)
    }

    fn text(&self, field: &str) -> &str {
        self.record.text(field).unwrap_or_default()
    }
}

/// `POST /{number}` and `POST /{number}/{edge}`.
pub(super) fn serve(turn: &mut Turn<'_>, viewer: &Viewer, id: &str, edge: Option<&str>) -> Result<Done, GraphError> {
    let unsupported = || errors::unsupported("POST", id);
    let record = turn.world.estate.get(Kind::Number, id).cloned().ok_or_else(unsupported)?;
    let number = Number { id, record };
    match edge {
        None => node::update(turn, viewer, &number),
        Some("request_code") => verify::request_code(turn, &number),
        Some("verify_code") => verify::verify_code(turn, &number),
        Some("register") => register::register(turn, viewer, &number),
        Some("deregister") => register::deregister(turn, viewer, &number),
        Some("whatsapp_business_profile") => profile::write(turn, &number),
        Some("settings") => settings::write(turn, &number),
        Some(_) => Err(unsupported()),
    }
}

/// Refuses what nobody can do anything with: numbers that are gone, banned, or of an account that is closed.
fn usable(turn: &Turn<'_>, number: &Number<'_>) -> Result<(), GraphError> {
    let account = turn.world.estate.get(Kind::Account, number.text("account"));
    let open = account.and_then(|account| account.text("status")).unwrap_or("ACTIVE") == "ACTIVE";
    match number.status() {
        "DELETED" => Err(refusals::deleted()),
        "MIGRATED" => Err(errors::unsupported("POST", number.id)),
        "BANNED" => Err(refusals::locked()),
        _ if !open => Err(refusals::locked()),
        _ => Ok(()),
    }
}

/// `messaging_product` has to be `whatsapp`.
fn check_product(params: &Params) -> Result<(), GraphError> {
    if params.required("messaging_product")? == "whatsapp" {
        Ok(())
    } else {
        Err(errors::wrong_parameter("messaging_product", "one of {WHATSAPP}"))
    }
}

/// A PIN is six digits.
fn check_pin(pin: &str) -> Result<(), GraphError> {
    if pin.len() == 6 && pin.bytes().all(|byte| byte.is_ascii_digit()) {
        Ok(())
    } else {
        Err(errors::wrong_parameter("pin", "6 digits"))
    }
}

/// Registering and deregistering take more than the right to manage.
fn check_messaging(turn: &Turn<'_>, viewer: &Viewer) -> Result<(), GraphError> {
    tokens::check_scope(turn.world, viewer, MESSAGING)
}

/// Meta's policy on names goes further; these are the rules that need no person.
fn check_name(parameter: &str, name: &str) -> Result<(), GraphError> {
    if (2..=75).contains(&name.trim().chars().count()) {
        Ok(())
    } else {
        Err(errors::wrong_parameter(parameter, "2 to 75 characters long"))
    }
}
