//! The six legacy request forms, on every version: since 4 November 2026 new apps may not use them, and others may not begin to.

use super::Turn;
use super::errors::GraphError;

/// A parameter that makes a request one of the forms, and how the violations list and the refusal name it.
const PARAMETERS: [(&str, &str, &str); 5] = [
    ("ids", "ids", "The ids query parameter is"),
    ("date_format", "date_format", "The date_format query parameter is"),
    ("method", "method override", "Overriding the HTTP method by the method parameter is"),
    ("callback", "JSONP callback", "JSONP by the callback parameter is"),
    ("batch", "batch", "Batch requests are"),
];

/// Refuses a call in one of the forms and notes each that it has.
pub(super) fn refuse(turn: &mut Turn<'_>, at_root: bool) -> Result<(), GraphError> {
    let mut refusal = None;
    for (parameter, name, text) in PARAMETERS {
        if turn.params.has(parameter) || is_in_multipart(turn, parameter) {
            turn.note_removed(name);
            // Meta's answer to `ids` at the root is a 500.
            let status = if parameter == "ids" && at_root { 500 } else { 400 };
            refusal.get_or_insert_with(|| refused(text).status(status));
        }
    }
    let fields = turn.params.text("fields").unwrap_or_default();
    if fields.split_whitespace().collect::<String>().contains(".as(") {
        turn.note_removed("field alias");
        refusal.get_or_insert_with(|| refused("Field aliases by .as() are"));
    }
    refusal.map_or(Ok(()), Err)
}

fn refused(what: &str) -> GraphError {
    GraphError::new(100, format!("(#100) {what} deprecated in v26.0+"))
}

/// Batches come as multipart forms, too, which hold nothing else that is looked at.
fn is_in_multipart(turn: &Turn<'_>, parameter: &str) -> bool {
    let multipart = turn.call.header("content-type").is_some_and(|kind| kind.starts_with("multipart/form-data"));
    multipart && String::from_utf8_lossy(&turn.call.body).contains(&format!("name=\"{parameter}\""))
}
