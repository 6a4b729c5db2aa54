//! Meta, as the steps of a number reach it. Each call becomes a request of the Graph API in this one place.

use std::time::Duration;

use jiff::Timestamp;
use secrecy::SecretString;
use serde_json::Value;

use super::intent::CallInput;
use crate::{
    graph::{self, Access, Outcome, PinAfter, Priority, types::Profile},
    observe::digits,
};

/// Whom a call is about.
#[derive(Debug, Clone)]
pub struct Target {
    /// With what it is made.
    pub access: Access,
    /// The account that holds the number.
    pub account: String,
    /// The number's ID; empty for a number that is to be added.
    pub id: String,
    /// The number, E.164.
    pub number: String,
}

/// What a call that succeeded changed, as far as Meta's reply tells more than that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// What was requested.
    Done,
    /// The ID of the number that was added.
    Added(String),
    /// The number is registered, and Meta left its PIN alone.
    PinKept,
}

/// Whose budget at Meta a call uses.
pub struct Charge<'a> {
    /// With what the call is made.
    pub access: &'a Access,
    /// The account whose budget it uses.
    pub account: &'a str,
    /// How urgent it is.
    pub priority: Priority,
}

/// See the module.
pub trait Meta: Sync {
    /// The time on Meta's clock.
    fn now(&self) -> Timestamp;

    /// Takes the turn of a call; see [`graph::Client::pass`].
    fn take_turn(&self, charge: &Charge<'_>) -> impl Future<Output = Result<(), graph::Error>> + Send;

    /// Makes a call, once. `secret` is the PIN, code or verify token that it takes. `None`: it lacks an input, and was not
    /// made.
    fn call(
        &self,
        target: &Target,
        input: &CallInput,
        secret: Option<&SecretString>,
    ) -> impl Future<Output = Option<Outcome<Reply>>> + Send;

    /// Reads a number's profile. The error is the pause that Meta or the budget wants, where they want one.
    fn read_profile(
        &self,
        access: &Access,
        account: &str,
        id: &str,
    ) -> impl Future<Output = Result<Profile, Option<Duration>>> + Send;
}

impl Meta for graph::Client {
    fn now(&self) -> Timestamp {
        self.now()
    }

    async fn take_turn(&self, charge: &Charge<'_>) -> Result<(), graph::Error> {
        self.pass(charge.access, charge.account, charge.priority).await
    }

    async fn call(&self, target: &Target, input: &CallInput, secret: Option<&SecretString>) -> Option<Outcome<Reply>> {
        let Target { access, account, id, number } = target;
        let plain = |outcome: Outcome<()>| outcome.map(|()| Reply::Done);
        Some(match input {
            CallInput::AddNumber { account, name } => {
                let parts = digits::split_country(number)?;
                self.add_number(access, account, parts, name).await.map(|id| Reply::Added(id.into_string()))
            }
            CallInput::RequestCode { method, language, .. } => {
                plain(self.request_code(access, account, id, *method, language).await)
            }
            CallInput::VerifyCode => plain(self.verify_code(access, account, id, secret?).await),
            CallInput::Register | CallInput::RegisterAgain => {
                let outcome = self.register(access, account, id, secret?).await;
                outcome.map(|pin| if pin == PinAfter::Kept { Reply::PinKept } else { Reply::Done })
            }
            CallInput::SetPin { .. } => plain(self.set_pin(access, account, id, secret?).await),
            CallInput::Deregister => plain(self.deregister(access, account, id).await),
            CallInput::SetWebhook { url, .. } => plain(self.set_webhook(access, account, id, url, secret?).await),
            CallInput::ClearWebhook => plain(self.clear_webhook(access, account, id).await),
            CallInput::WriteProfile { fields } => {
                let fields = Value::Object(fields.clone().into_iter().collect());
                plain(self.write_profile(access, account, id, fields).await)
            }
        })
    }

    async fn read_profile(&self, access: &Access, account: &str, id: &str) -> Result<Profile, Option<Duration>> {
        self.read_profile(access, account, id).await.map_err(|error| self.pause_after(&error))
    }
}
