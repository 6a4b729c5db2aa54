//! Parses a reply: the requested object, an error of the Graph API, or nothing that makes sense.

use reqwest::StatusCode;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::errors::{GraphErrorBody, codes};
use super::scrub::scrub;
use super::types::lenient;

/// Why a reply is not the requested object.
#[derive(Debug)]
pub(super) enum Fault {
    /// An error of the Graph API.
    GraphErrorBody(GraphErrorBody),
    /// Nothing in the form of the Graph API.
    Unreadable(&'static str),
}

/// Parses a reply. `secrets` are those of the call: they are removed from Meta's texts.
pub(super) fn read<T: DeserializeOwned>(status: StatusCode, body: &[u8], secrets: &[&str]) -> Result<T, Fault> {
    if status.is_redirection() {
        return Err(Fault::Unreadable("something on the way to Meta replied with a redirect"));
    }
    if status.is_success()
        && let Ok(value) = serde_json::from_slice(body)
    {
        return Ok(value);
    }
    match serde_json::from_slice::<Envelope>(body) {
        Ok(envelope) => Err(Fault::GraphErrorBody(envelope.error.into_body(secrets))),
        Err(_) => Err(Fault::Unreadable(unreadable(body))),
    }
}

fn unreadable(body: &[u8]) -> &'static str {
    match body.trim_ascii() {
        [] => "Meta's reply is empty",
        [b'<', ..] => "Meta, or something on the way to it, replied with a web page",
        _ => "Meta's reply cannot be parsed",
    }
}

#[derive(Deserialize)]
struct Envelope {
    error: GraphError,
}

#[derive(Deserialize)]
struct GraphError {
    #[serde(default, deserialize_with = "lenient::count")]
    code: Option<u32>,
    #[serde(default, deserialize_with = "lenient::count")]
    error_subcode: Option<u32>,
    #[serde(default, deserialize_with = "lenient::flag")]
    is_transient: Option<bool>,
    #[serde(default, deserialize_with = "lenient::text")]
    message: Option<Box<str>>,
    #[serde(default, deserialize_with = "lenient::text")]
    error_user_msg: Option<Box<str>>,
    #[serde(default)]
    error_data: Option<ErrorData>,
    #[serde(default, deserialize_with = "lenient::text")]
    fbtrace_id: Option<Box<str>>,
}

/// Sometimes an object, sometimes a plain text.
#[derive(Deserialize)]
#[serde(untagged)]
enum ErrorData {
    Object {
        #[serde(default, deserialize_with = "lenient::text")]
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
    fn into_body(self, secrets: &[&str]) -> GraphErrorBody {
        // The name of a parameter, which Meta does not translate: there is no code of its own for this refusal.
        let proof_refused = self.code == Some(codes::INVALID_PARAMETER)
            && self.message.as_deref().is_some_and(|text| text.contains("appsecret_proof"));
        let quote = self.error_user_msg.or(self.error_data.and_then(ErrorData::details)).or(self.message);
        GraphErrorBody {
            // An error without a code counts as Meta's unknown error.
            code: self.code.unwrap_or(1),
            subcode: self.error_subcode,
            is_transient: self.is_transient.unwrap_or(false),
            proof_refused,
            quote: quote.map(|quote| scrub(&quote, secrets)),
            fbtrace_id: self.fbtrace_id,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::panic)]
    use super::*;
    use serde::de::IgnoredAny;

    #[derive(Debug, Deserialize)]
    struct Node {
        #[serde(deserialize_with = "lenient::id")]
        id: Box<str>,
    }

    fn error_body(status: u16, body: &str) -> GraphErrorBody {
        match read::<Node>(StatusCode::from_u16(status).unwrap_or_default(), body.as_bytes(), &["hush"]) {
            Err(Fault::GraphErrorBody(body)) => body,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_requested_object() {
        let node: Result<Node, _> = read(StatusCode::OK, br#"{"id":7}"#, &[]);
        assert_eq!(node.map(|node| node.id).ok().as_deref(), Some("7"));
    }

    #[test]
    fn nothing_that_makes_sense() {
        let cases = [
            ("a redirect is not followed", 302, r#"{"id":7}"#, "something on the way to Meta replied with a redirect"),
            ("nothing", 200, " ", "Meta's reply is empty"),
            ("a proxy's page", 502, "<html>", "Meta, or something on the way to it, replied with a web page"),
            ("cut off", 200, r#"{"id":"#, "Meta's reply cannot be parsed"),
            ("another shape than documented", 200, r#"{"data":[]}"#, "Meta's reply cannot be parsed"),
            ("a refusal without reason", 400, "{}", "Meta's reply cannot be parsed"),
        ];
        for (reason, status, body, expected) in cases {
            match read::<Node>(StatusCode::from_u16(status).unwrap_or_default(), body.as_bytes(), &[]) {
                Err(Fault::Unreadable(detail)) => assert_eq!(detail, expected, "{reason}"),
                other => panic!("{reason}: {other:?}"),
            }
        }
    }

    #[test]
    fn an_error_counts_whatever_the_status() {
        for status in [200, 400, 401, 403, 404, 500, 503] {
            let error = error_body(status, r#"{"error":{"code":100,"error_subcode":33,"fbtrace_id":"A1"}}"#);
            assert_eq!(
                (error.code, error.subcode, error.fbtrace_id.as_deref()),
                (100, Some(33), Some("A1")),
                "{status}"
            );
        }
    }

    #[test]
    fn errors_are_read_loosely() {
        let cases = [
            ("codes as text", r#"{"error":{"code":"190","error_subcode":"463"}}"#, 190, None),
            (
                "details in an object",
                r#"{"error":{"code":1,"error_data":{"details":"d"},"message":"m"}}"#,
                1,
                Some("d"),
            ),
            ("details as text", r#"{"error":{"code":1,"error_data":"d","message":"m"}}"#, 1, Some("d")),
            ("details as a list", r#"{"error":{"code":1,"error_data":[1],"message":"m"}}"#, 1, Some("m")),
            ("words for people first", r#"{"error":{"code":1,"error_user_msg":"u","message":"m"}}"#, 1, Some("u")),
            ("no code is the unknown error", r#"{"error":{"code":null,"message":"m"}}"#, 1, Some("m")),
            ("no code at all", r#"{"error":{"message":"m"}}"#, 1, Some("m")),
            ("secrets are taken out", r#"{"error":{"code":1,"message":"got hush"}}"#, 1, Some("got […]")),
        ];
        for (reason, body, code, quote) in cases {
            let error = error_body(400, body);
            assert_eq!(error.code, code, "{reason}");
            assert_eq!(error.quote.as_deref(), quote, "{reason}");
        }
    }

    #[test]
    fn flags_of_errors() {
        assert!(error_body(400, r#"{"error":{"code":2,"is_transient":true}}"#).is_transient);
        let proof = r#"{"error":{"code":100,"message":"Invalid appsecret_proof provided in the API argument"}}"#;
        assert!(error_body(400, proof).proof_refused);
        assert!(!error_body(400, r#"{"error":{"code":100,"message":"Invalid parameter"}}"#).proof_refused);
    }

    #[test]
    fn a_reply_whose_content_is_ignored_still_has_to_be_json() {
        assert!(read::<IgnoredAny>(StatusCode::OK, b"{}", &[]).is_ok());
        assert!(read::<IgnoredAny>(StatusCode::OK, b"<html>", &[]).is_err());
    }
}
