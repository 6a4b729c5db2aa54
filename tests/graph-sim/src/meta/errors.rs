//! Meta's error envelope and the answers that several places give.

use serde_json::{Value, json};

/// One refusal, with everything Meta's envelope can carry.
#[derive(Clone, Debug)]
pub(crate) struct GraphError {
    pub(crate) status: u16,
    pub(crate) code: i64,
    message: String,
    kind: &'static str,
    subcode: Option<i64>,
    details: Option<String>,
    titled: Option<&'static Titled>,
    transient: bool,
    effect: Option<Box<str>>,
}

/// Texts for people, which Meta writes in the language of the user behind the token.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Titled {
    english: (&'static str, &'static str),
    french: (&'static str, &'static str),
}

impl Titled {
    /// Title and text, in both languages.
    pub(crate) const fn new(english: (&'static str, &'static str), french: (&'static str, &'static str)) -> Self {
        Self { english, french }
    }
}

pub(crate) static RATE_LIMITED: Titled = Titled::new(
    ("Rate limit reached", "Too many calls were made to this WhatsApp Business Account. Try again later."),
    (
        "Limite de débit atteinte",
        "Trop d’appels ont été effectués vers ce compte WhatsApp Business. Réessayez plus tard.",
    ),
);

impl GraphError {
    pub(crate) fn new(code: i64, message: impl Into<String>) -> Self {
        Self {
            status: 400,
            code,
            message: message.into(),
            kind: "OAuthException",
            subcode: None,
            details: None,
            titled: None,
            transient: false,
            effect: None,
        }
    }

    pub(crate) fn status(self, status: u16) -> Self {
        Self { status, ..self }
    }

    pub(crate) fn subcode(self, subcode: i64) -> Self {
        Self { subcode: Some(subcode), ..self }
    }

    pub(crate) fn details(self, details: impl Into<String>) -> Self {
        Self { details: Some(details.into()), ..self }
    }

    pub(crate) fn titled(self, titled: &'static Titled) -> Self {
        Self { titled: Some(titled), ..self }
    }

    pub(crate) fn transient(self) -> Self {
        Self { transient: true, ..self }
    }

    /// What was changed all the same.
    pub(crate) fn changed(self, effect: impl Into<Box<str>>) -> Self {
        Self { effect: Some(effect.into()), ..self }
    }

    pub(crate) fn effect(&self) -> Option<&str> {
        self.effect.as_deref()
    }

    fn method(self) -> Self {
        Self { kind: "GraphMethodException", ..self }
    }

    /// The JSON body; titles follow `locale`.
    pub(crate) fn body(&self, locale: &str, trace: &str) -> Value {
        let mut error = json!({"message": self.message, "type": self.kind, "code": self.code, "fbtrace_id": trace});
        if let Some(subcode) = self.subcode {
            error["error_subcode"] = json!(subcode);
        }
        if let Some(details) = &self.details {
            error["error_data"] = json!({"messaging_product": "whatsapp", "details": details});
        }
        if let Some(titled) = self.titled {
            let (title, text) = if locale.starts_with("fr") { titled.french } else { titled.english };
            error["error_user_title"] = json!(title);
            error["error_user_msg"] = json!(text);
        }
        if self.transient {
            error["is_transient"] = json!(true);
        }
        json!({"error": error})
    }
}

/// The object is missing, invisible to the token, or does not support the operation: Meta does not say which.
pub(crate) fn unsupported(method: &str, id: &str) -> GraphError {
    let method = method.to_lowercase();
    GraphError::new(
        100,
        format!(
            "Unsupported {method} request. Object with ID '{id}' does not exist, cannot be loaded due to missing permissions, \
             or does not support this operation. Please read the Graph API documentation at \
             https://developers.facebook.com/docs/graph-api"
        ),
    )
    .subcode(33)
    .method()
}

/// A method that the Graph API has nowhere.
pub(crate) fn unsupported_method(method: &str) -> GraphError {
    GraphError::new(100, format!("Unsupported request - method type: {}", method.to_lowercase())).method()
}

pub(crate) fn unknown_path(path: &str) -> GraphError {
    GraphError::new(2500, format!("Unknown path components: {path}"))
}

pub(crate) fn nonexisting_field(field: &str, node_type: &str) -> GraphError {
    GraphError::new(100, format!("(#100) Tried accessing nonexisting field ({field}) on node type ({node_type})"))
}

pub(crate) fn invalid_parameter(details: impl Into<String>) -> GraphError {
    GraphError::new(100, "(#100) Invalid parameter").details(details)
}

/// A callback that did not prove itself.
pub(crate) fn callback_failed(reason: &str) -> GraphError {
    GraphError::new(2200, format!("(#2200) Callback verification failed with the following errors: {reason}"))
}

/// A parameter of the wrong type, or outside of what it may be.
pub(crate) fn wrong_parameter(name: &str, expected: &str) -> GraphError {
    GraphError::new(100, format!("(#100) Param {name} must be {expected}"))
}

pub(crate) fn missing_parameter(name: &str) -> GraphError {
    GraphError::new(100, format!("(#100) The parameter {name} is required"))
}

pub(crate) fn invalid_proof() -> GraphError {
    GraphError::new(100, "Invalid appsecret_proof provided in the API argument").method()
}

pub(crate) fn missing_proof() -> GraphError {
    GraphError::new(100, "API calls from the server require an appsecret_proof argument").method()
}

pub(crate) fn no_current_user() -> GraphError {
    GraphError::new(2500, "An active access token must be used to query information about the current user.")
}

pub(crate) fn missing_permission(permission: &str) -> GraphError {
    GraphError::new(200, format!("(#200) Requires {permission} permission to manage the object")).status(403)
}
