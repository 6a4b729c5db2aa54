//! Customers write to a number.

use rand::distr::{Alphanumeric, SampleString};
use serde_json::json;

use super::{Event, Message};
use crate::world::{Kind, World, dial};

/// Sends messages to a number and returns their ids; nothing when there is no such number. A number that is not connected
/// receives none: they are lost.
pub(crate) fn write(world: &mut World, to: &str, count: u32) -> Option<Vec<String>> {
    let number = world.estate.get(Kind::Number, to)?;
    let account = number.text("account").unwrap_or_default().to_owned();
    let connected = number.text("status").unwrap_or("CONNECTED") == "CONNECTED";
    let display = dial::digits(number.text("display_phone_number").unwrap_or_default());
    let now = world.clock.now();
    let mut ids = Vec::new();
    for nth in 0..count {
        let id = format!("wamid.{}", Alphanumeric.sample_string(&mut rand::rng(), 32));
        let state = if connected { "pending" } else { "lost" };
        world.deliveries.note_message(Message {
            id: id.clone(),
            to: to.to_owned(),
            time: now.to_string(),
            callback: None,
            state,
        });
        if connected {
            let value = json!({
                "messaging_product": "whatsapp",
                "metadata": {"display_phone_number": display, "phone_number_id": to},
                "contacts": [{"profile": {"name": "Zoé"}, "wa_id": "33600000000"}],
                "messages": [{
                    "from": "33600000000",
                    "id": id,
                    "timestamp": now.as_second().to_string(),
                    "text": {"body": format!("Message {} – où en est ma commande ?", nth + 1)},
                    "type": "text",
                }],
            });
            let number = Some(to.to_owned());
            let message = Some(id.clone());
            let (account, entry, told) = (account.clone(), None, Vec::new());
            world.deliveries.send(Event { account, entry, field: "messages", value, number, message, told });
        }
        ids.push(id);
    }
    Some(ids)
}
