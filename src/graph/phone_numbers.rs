//! Calls that change a number, each tried exactly once. The caller has recorded its intent before: see `ledger`.

use std::collections::BTreeMap;

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};

use super::accounts::node;
use super::client::Client;
use super::config::{Access, Priority};
use super::endpoint::Endpoint;
use super::errors::{Class, Error, Sent};
use super::outcome::Outcome;
use super::transport::{Body, Call};
use super::types::{Profile, ProfileAnswer, lenient};
use crate::api::CodeMethod;

/// `{"success": true}`, or `"true"`. Without it the reply is something else, perhaps an error with a status of success.
#[derive(Deserialize)]
struct Success {
    #[serde(deserialize_with = "lenient::flag")]
    success: Option<bool>,
}

/// What a registration did to the number's PIN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PinAfter {
    /// The PIN that was sent is in force: it was put there, or it matched.
    Sent,
    /// The number was registered already: its PIN stays, whichever that is.
    Kept,
}

/// The reply to a registration. Meta does not document in which form it says that it left the PIN alone.
#[derive(Deserialize)]
struct Registered {
    // Required, as in `Success`: an error with a status of success has to be read as an error.
    #[serde(deserialize_with = "lenient::flag")]
    success: Option<bool>,
    #[serde(flatten)]
    more: BTreeMap<String, Value>,
}

impl Registered {
    /// To register a number anew, Meta says no more than `success`: whatever it says besides of the PIN, or of an earlier
    /// registration, means that it left the PIN alone.
    fn pin(&self) -> PinAfter {
        let says = |text: &str| {
            let text = text.to_lowercase();
            ["pin", "two_step", "two-step", "already"].iter().any(|word| text.contains(word))
        };
        let tells = |(name, value): (&String, &Value)| says(name) || value.as_str().is_some_and(says);
        if self.more.iter().any(tells) { PinAfter::Kept } else { PinAfter::Sent }
    }
}

#[derive(Deserialize)]
struct Added {
    #[serde(deserialize_with = "lenient::id")]
    id: Box<str>,
}

impl Client {
    /// Adds a number to an account; its new ID. `country` is its country calling code, `national` the digits behind it,
    /// `name` the display name that Meta will review.
    pub async fn add_number(
        &self,
        access: &Access,
        waba_id: &str,
        (country, national): (&str, &str),
        name: &str,
    ) -> Outcome<Box<str>> {
        let json = json!({"cc": country, "phone_number": national, "verified_name": name});
        let path = [waba_id, "phone_numbers"];
        let call = post(access, Endpoint::AddNumber, &path, waba_id, Body { json, secret: None });
        self.change::<Added>(call).await.map(|added| added.id)
    }

    /// Requests a code for the number. `language` as Meta spells it, `en_US`.
    pub async fn request_code(
        &self,
        access: &Access,
        waba_id: &str,
        id: &str,
        method: CodeMethod,
        language: &str,
    ) -> Outcome<()> {
        let method = match method {
            CodeMethod::Sms => "SMS",
            CodeMethod::Voice => "VOICE",
        };
        let json = json!({"code_method": method, "language": language});
        self.succeed(access, Endpoint::RequestCode, &[id, "request_code"], waba_id, json, None).await
    }

    /// Submits the code that was sent: six digits.
    pub async fn verify_code(&self, access: &Access, waba_id: &str, id: &str, code: &SecretString) -> Outcome<()> {
        let json = json!({"code": code.expose_secret()});
        self.succeed(access, Endpoint::VerifyCode, &[id, "verify_code"], waba_id, json, Some(code)).await
    }

    /// Registers the number with the Cloud API. Sets the PIN where none is in force, else it has to match. Of a number that is
    /// registered already Meta leaves the PIN alone, and says so.
    pub async fn register(&self, access: &Access, waba_id: &str, id: &str, pin: &SecretString) -> Outcome<PinAfter> {
        let json = json!({"messaging_product": "whatsapp", "pin": pin.expose_secret()});
        let path = [id, "register"];
        let call = post(access, Endpoint::Register, &path, waba_id, Body { json, secret: Some(pin) });
        let outcome = self.change::<Registered>(call).await;
        confirmed(outcome, Endpoint::Register, |reply| reply.success).map(|reply| reply.pin())
    }

    /// Takes the number off the Cloud API.
    pub async fn deregister(&self, access: &Access, waba_id: &str, id: &str) -> Outcome<()> {
        // Meta documents no parameter.
        let json = json!({});
        self.succeed(access, Endpoint::Deregister, &[id, "deregister"], waba_id, json, None).await
    }

    /// Puts a PIN in force, in place of any other.
    pub async fn set_pin(&self, access: &Access, waba_id: &str, id: &str, pin: &SecretString) -> Outcome<()> {
        let json = json!({"pin": pin.expose_secret()});
        self.succeed(access, Endpoint::SetPin, &[id], waba_id, json, Some(pin)).await
    }

    /// Has the number's messages delivered to `url`, after a verification request to it with `verify_token`.
    pub async fn set_webhook(
        &self,
        access: &Access,
        waba_id: &str,
        id: &str,
        url: &str,
        verify_token: &SecretString,
    ) -> Outcome<()> {
        let json = json!({"webhook_configuration": {
            "override_callback_uri": url, "verify_token": verify_token.expose_secret(),
        }});
        self.succeed(access, Endpoint::SetWebhook, &[id], waba_id, json, Some(verify_token)).await
    }

    /// Removes the number's own callback: its account's receives its messages again.
    pub async fn clear_webhook(&self, access: &Access, waba_id: &str, id: &str) -> Outcome<()> {
        let json = json!({"webhook_configuration": {"override_callback_uri": ""}});
        self.succeed(access, Endpoint::SetWebhook, &[id], waba_id, json, None).await
    }

    /// Reads the number's profile.
    ///
    /// # Errors
    /// Any class; see [`Class`].
    pub async fn read_profile(&self, access: &Access, waba_id: &str, id: &str) -> Result<Profile, Error> {
        let path = [id, "whatsapp_business_profile"];
        let query = vec![("fields", Profile::FIELDS.into())];
        let call = node(access, Endpoint::Profile, &path, query, waba_id, Priority::Read);
        self.read::<ProfileAnswer>(call).await.map(ProfileAnswer::profile)
    }

    /// Changes the given fields of the number's profile, an object with Meta's own names; the others stay.
    pub async fn write_profile(&self, access: &Access, waba_id: &str, id: &str, mut fields: Value) -> Outcome<()> {
        fields["messaging_product"] = json!("whatsapp");
        self.succeed(access, Endpoint::Profile, &[id, "whatsapp_business_profile"], waba_id, fields, None).await
    }

    async fn succeed(
        &self,
        access: &Access,
        endpoint: Endpoint,
        path: &[&str],
        waba_id: &str,
        json: Value,
        secret: Option<&SecretString>,
    ) -> Outcome<()> {
        let call = post(access, endpoint, path, waba_id, Body { json, secret });
        let outcome = self.change::<Success>(call).await;
        confirmed(outcome, endpoint, |reply| reply.success).map(drop)
    }
}

/// A reply with a status of success counts only if it says so.
fn confirmed<T>(outcome: Outcome<T>, endpoint: Endpoint, success: impl Fn(&T) -> Option<bool>) -> Outcome<T> {
    match outcome {
        Outcome::Done(reply) if success(&reply) != Some(true) => {
            let detail = "Meta's reply says neither that the call succeeded nor why it failed";
            Outcome::Unknown(Error::without_reply(endpoint, Class::Transient, Sent::NoReply, detail))
        }
        other => other,
    }
}

/// A call that changes a number. It took its turn before its intent was recorded (`Client::pass`): it is sent at once or not at
/// all.
fn post<'a>(access: &'a Access, endpoint: Endpoint, path: &'a [&'a str], waba_id: &'a str, body: Body<'a>) -> Call<'a> {
    Call { body: Some(body), ..node(access, endpoint, path, Vec::new(), waba_id, Priority::Action) }
}
