//! Parses a reply: the requested object, an error of the Graph API, or nothing that makes sense.

use reqwest::StatusCode;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::errors::{GraphErrorBody, codes};
use super::refused_field::RefusedField;
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
        Ok(envelope) => Err(Fault::GraphErrorBody(envelope.into_body(secrets))),
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

/// Some errors are only a text, as OAuth has them; some have their texts for people beside the error.
#[derive(Deserialize)]
struct Envelope {
    error: Refusal,
    #[serde(default, deserialize_with = "lenient::text")]
    error_description: Option<Box<str>>,
    #[serde(default, deserialize_with = "lenient::text")]
    error_user_msg: Option<Box<str>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Refusal {
    Object(Box<GraphError>),
    Text(Box<str>),
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct GraphError {
    #[serde(deserialize_with = "lenient::count")]
    code: Option<u32>,
    #[serde(deserialize_with = "lenient::count")]
    error_subcode: Option<u32>,
    #[serde(deserialize_with = "lenient::flag")]
    is_transient: Option<bool>,
    #[serde(rename = "type", deserialize_with = "lenient::text")]
    kind: Option<Box<str>>,
    #[serde(deserialize_with = "lenient::text")]
    message: Option<Box<str>>,
    #[serde(deserialize_with = "lenient::text")]
    error_user_msg: Option<Box<str>>,
    error_data: Value,
    #[serde(deserialize_with = "lenient::text")]
    fbtrace_id: Option<Box<str>>,
}

impl Envelope {
    fn into_body(self, secrets: &[&str]) -> GraphErrorBody {
        match self.error {
            Refusal::Object(mut error) => {
                error.error_user_msg = error.error_user_msg.or(self.error_user_msg);
                error.into_body(secrets)
            }
            Refusal::Text(text) => {
                let quote = self.error_user_msg.or(self.error_description).unwrap_or(text);
                GraphErrorBody { quote: Some(scrub(&quote, secrets)), ..GraphErrorBody::default() }
            }
        }
    }
}

impl GraphError {
    fn into_body(self, secrets: &[&str]) -> GraphErrorBody {
        // The name of a parameter, which Meta does not translate: there is no code of its own for this refusal.
        let proof_refused = self.code == Some(codes::INVALID_PARAMETER)
            && self.message.as_deref().is_some_and(|text| text.contains("appsecret_proof"));
        let refused_field = Some(codes::INVALID_PARAMETER)
            .filter(|code| self.code == Some(*code))
            .and_then(|_| RefusedField::find(self.message.as_deref()?));
        let data = ErrorData::of(self.error_data);
        let blamed = data.blamed.or_else(|| refused_field.as_ref().map(|field| field.name.to_string()));
        let quote = self.error_user_msg.or(data.details).or(self.message);
        GraphErrorBody {
            code: self.code,
            subcode: self.error_subcode,
            is_transient: self.is_transient.unwrap_or(false),
            proof_refused,
            method_refused: self.kind.as_deref() == Some("GraphMethodException"),
            blamed: blamed.map(|blamed| scrub(&blamed, secrets)),
            refused_field,
            quote: quote.map(|quote| scrub(&quote, secrets)),
            fbtrace_id: self.fbtrace_id,
        }
    }
}

/// What an error has to say besides: an object, the same as text, or a plain text.
#[derive(Default)]
struct ErrorData {
    details: Option<Box<str>>,
    blamed: Option<String>,
}

impl ErrorData {
    fn of(data: Value) -> Self {
        match data {
            Value::String(text) => match serde_json::from_str(&text) {
                Ok(inner @ Value::Object(_)) => Self::of(inner),
                _ => Self { details: Some(text.into()), blamed: None },
            },
            Value::Object(fields) => Self {
                details: fields.get("details").and_then(Value::as_str).map(Into::into),
                blamed: fields.get("blame_field_specs").and_then(blamed),
            },
            _ => Self::default(),
        }
    }
}

/// The parameters that Meta blames, each a path: `[["name"],["components","0","text"]]` is `name, components.0.text`. Values that
/// are not names of parameters are left out, lest a message differ from one call to the next.
fn blamed(specs: &Value) -> Option<String> {
    const MOST: usize = 5;
    let specs = specs.as_array()?;
    let mut names: Vec<String> = Vec::new();
    for spec in specs {
        let steps = spec.as_array().map_or(std::slice::from_ref(spec), Vec::as_slice);
        let name: Option<Vec<_>> = steps.iter().map(step).collect();
        let name = name.unwrap_or_default().join(".");
        if !name.is_empty() && !names.contains(&name) {
            names.push(name);
        }
    }
    names.truncate(MOST);
    (!names.is_empty()).then(|| names.join(", "))
}

fn step(step: &Value) -> Option<String> {
    const LONGEST: usize = 40;
    match step {
        Value::String(name)
            if (1..=LONGEST).contains(&name.len())
                && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.[]".contains(&byte)) =>
        {
            Some(name.clone())
        }
        Value::Number(place) => place.as_u64().map(|place| place.to_string()),
        _ => None,
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
                (Some(100), Some(33), Some("A1")),
                "{status}"
            );
        }
    }

    #[test]
    fn errors_are_read_loosely() {
        let cases = [
            ("codes as text", r#"{"error":{"code":"190","error_subcode":"463"}}"#, Some(190), None),
            (
                "details in an object",
                r#"{"error":{"code":1,"error_data":{"details":"d"},"message":"m"}}"#,
                Some(1),
                Some("d"),
            ),
            ("details as text", r#"{"error":{"code":1,"error_data":"d","message":"m"}}"#, Some(1), Some("d")),
            ("an object as text", r#"{"error":{"code":1,"error_data":"{\"details\":\"d\"}"}}"#, Some(1), Some("d")),
            ("details as a list", r#"{"error":{"code":1,"error_data":[1],"message":"m"}}"#, Some(1), Some("m")),
            (
                "words for people first",
                r#"{"error":{"code":1,"error_user_msg":"u","message":"m"}}"#,
                Some(1),
                Some("u"),
            ),
            ("also beside it", r#"{"error":{"code":1,"message":"m"},"error_user_msg":"u"}"#, Some(1), Some("u")),
            ("null is no code", r#"{"error":{"code":null,"message":"m"}}"#, None, Some("m")),
            ("no code at all", r#"{"error":{"message":"m"}}"#, None, Some("m")),
            ("nothing at all", r#"{"error":{}}"#, None, None),
            ("only a text", r#"{"error":"invalid_request"}"#, None, Some("invalid_request")),
            ("a text, and why", r#"{"error":"no","error_description":"hush, it is"}"#, None, Some("[…], it is")),
            ("secrets are taken out", r#"{"error":{"code":1,"message":"got hush"}}"#, Some(1), Some("got […]")),
        ];
        for (reason, body, code, quote) in cases {
            let error = error_body(400, body);
            assert_eq!(error.code, code, "{reason}");
            assert_eq!(error.quote.as_deref(), quote, "{reason}");
        }
    }

    #[test]
    fn the_parameters_that_meta_blames() {
        let cases = [
            (r#"{"blame_field_specs":[["name"]]}"#, Some("name")),
            (r#""{\"blame_field_specs\":[[\"name\"]]}""#, Some("name")),
            (r#"{"blame_field_specs":["pin"]}"#, Some("pin")),
            (
                r#"{"blame_field_specs":[["components",0,"text"],["name"],["name"]],"details":"d"}"#,
                Some("components.0.text, name"),
            ),
            (r#"{"blame_field_specs":[["hush"]]}"#, Some("[…]")),
            (r#"{"blame_field_specs":[["Le nom n'est pas valide"]]}"#, None),
            (r#"{"blame_field_specs":[]}"#, None),
            (r#"{"blame_field_specs":{"name":1}}"#, None),
            (r#"{"blame_field_specs":null}"#, None),
            ("7", None),
        ];
        for (data, expected) in cases {
            let error = error_body(400, &format!(r#"{{"error":{{"code":100,"error_data":{data}}}}}"#));
            assert_eq!(error.blamed.as_deref(), expected, "{data}");
        }
    }

    #[test]
    fn flags_of_errors() {
        assert!(error_body(400, r#"{"error":{"code":2,"is_transient":true}}"#).is_transient);
        let field =
            r#"{"error":{"code":100,"message":"(#100) Tried accessing nonexisting field (foo) on node type (X)"}}"#;
        let field = error_body(400, field);
        assert!(field.refused_field.is_some());
        assert_eq!(field.blamed.as_deref(), Some("foo"));
        let method = r#"{"error":{"code":100,"type":"GraphMethodException"}}"#;
        assert!(error_body(400, method).method_refused);
        assert!(!error_body(400, r#"{"error":{"code":100,"type":"OAuthException"}}"#).method_refused);
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
