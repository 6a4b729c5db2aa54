//! Reading an answer: what was asked for, an error of the Graph API, or nothing that makes sense.

use reqwest::StatusCode;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::errors::Told;
use super::scrub::scrub;
use super::wire::loose;

/// Why an answer is not what was asked for.
#[derive(Debug)]
pub(super) enum Fault {
    /// Meta told an error.
    Told(Told),
    /// Not a word of the Graph API.
    Unreadable(&'static str),
}

/// Reads an answer. The secrets are those of the call, to be taken out of whatever Meta quotes.
pub(super) fn read<T: DeserializeOwned>(status: StatusCode, body: &[u8], secrets: &[&str]) -> Result<T, Fault> {
    if status.is_redirection() {
        return Err(Fault::Unreadable("something on the way to Meta answered with a redirect"));
    }
    if status.is_success()
        && let Ok(value) = serde_json::from_slice(body)
    {
        return Ok(value);
    }
    match serde_json::from_slice::<Envelope>(body) {
        Ok(envelope) => Err(Fault::Told(envelope.error.told(secrets))),
        Err(_) => Err(Fault::Unreadable(unreadable(body))),
    }
}

fn unreadable(body: &[u8]) -> &'static str {
    match body.trim_ascii() {
        [] => "Meta's answer is empty",
        [b'<', ..] => "Meta, or something on the way to it, answered with a web page",
        _ => "Meta's answer cannot be read",
    }
}

#[derive(Deserialize)]
struct Envelope {
    error: GraphError,
}

#[derive(Deserialize)]
struct GraphError {
    #[serde(deserialize_with = "loose::count")]
    code: Option<u32>,
    #[serde(default, deserialize_with = "loose::count")]
    error_subcode: Option<u32>,
    #[serde(default, deserialize_with = "loose::flag")]
    is_transient: Option<bool>,
    #[serde(default, deserialize_with = "loose::text")]
    message: Option<Box<str>>,
    #[serde(default, deserialize_with = "loose::text")]
    error_user_msg: Option<Box<str>>,
    #[serde(default)]
    error_data: Option<ErrorData>,
    #[serde(default, deserialize_with = "loose::text")]
    fbtrace_id: Option<Box<str>>,
}

/// Sometimes an object, sometimes a plain text.
#[derive(Deserialize)]
#[serde(untagged)]
enum ErrorData {
    Object {
        #[serde(default, deserialize_with = "loose::text")]
        details: Option<Box<str>>,
    },
    Text(Box<str>),
    Other(serde::de::IgnoredAny),
}

impl ErrorData {
    fn details(self) -> Option<Box<str>> {
        match self {
            Self::Object { details } => details,
            Self::Text(text) => Some(text),
            Self::Other(_) => None,
        }
    }
}

impl GraphError {
    fn told(self, secrets: &[&str]) -> Told {
        // The name of a parameter, which Meta does not translate: there is no code of its own for this refusal.
        let proof_refused =
            self.code == Some(100) && self.message.as_deref().is_some_and(|text| text.contains("appsecret_proof"));
        let quote = self.error_user_msg.or(self.error_data.and_then(ErrorData::details)).or(self.message);
        Told {
            // An error without a code is what Meta calls unknown.
            code: self.code.unwrap_or(1),
            subcode: self.error_subcode,
            is_transient: self.is_transient.unwrap_or(false),
            proof_refused,
            quote: quote.map(|quote| scrub(&quote, secrets)),
            fbtrace_id: self.fbtrace_id,
        }
    }
}
