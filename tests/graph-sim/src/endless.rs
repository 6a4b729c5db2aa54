//! Lists that do not end, on order.

use serde_json::{Value, json};

use crate::control::faults::Cursors;
use crate::meta::request::Call;

/// Makes the call one for the first page; the result is the cursor that it had.
pub(crate) fn start_over(call: &mut Call) -> Option<String> {
    let at = call.query.iter().position(|(name, _)| name == "after")?;
    Some(call.query.remove(at).1)
}

/// Makes the list go on: the answer itself, or the lists in it.
pub(crate) fn go_on(answer: &mut Value, cursors: Cursors, came_with: Option<&str>, seq: u64) {
    if answer["data"].is_array() {
        return page(answer, cursors, came_with, seq);
    }
    let Some(fields) = answer.as_object_mut() else { return };
    for list in fields.values_mut().filter(|field| field["data"].is_array()) {
        page(list, cursors, None, seq);
    }
}

fn page(list: &mut Value, cursors: Cursors, came_with: Option<&str>, seq: u64) {
    let cursor = match cursors {
        Cursors::Circle if came_with == Some("QQ") => "Qg".to_owned(),
        Cursors::Circle => "QQ".to_owned(),
        Cursors::Endless | Cursors::Repeating => format!("QVFI{seq:x}"),
    };
    if let (Cursors::Endless, Some(items)) = (cursors, list["data"].as_array_mut()) {
        for item in items {
            item["id"] = json!(format!("{}{seq}", item["id"].as_str().unwrap_or_default()));
        }
    }
    list["paging"]["cursors"]["after"] = json!(cursor);
    list["paging"]["next"] = json!(format!("https://graph.facebook.com/?after={cursor}"));
}
