//! What the client needs when it is built, and with each call.

use std::time::Duration;

use reqwest::Url;
use secrecy::SecretString;

use crate::timing::Timing;

/// Meta's address, and every wait.
#[derive(Clone, Debug)]
pub struct Config {
    /// Address of the Graph API, without a version: `https://graph.facebook.com`.
    pub base_url: Url,
    /// The `User-Agent` of every call.
    pub user_agent: String,
    /// Every wait and every limit.
    pub timing: Timing,
}

/// A Meta app's ID and secret: what makes app tokens, proofs and signatures.
#[derive(Clone, Debug)]
pub struct AppCredentials {
    /// The app's ID, digits.
    pub app_id: String,
    /// The app's secret.
    pub app_secret: SecretString,
}

/// All that a call in the name of a user or system user needs.
#[derive(Clone, Debug)]
pub struct Access {
    /// The app that issued the token: its secret proves that we may use it.
    pub app: AppCredentials,
    /// The access token.
    pub token: SecretString,
    /// The Graph version to request: `v25.0`.
    pub version: String,
}

/// Who goes first when the budget runs low.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority {
    /// A read of a reconcile: shares the pollers' half of the bucket and lets them go first. Never waits for its turn.
    Read,
    /// Regular reading by a poller, which may wait for its turn; keeps to half of the bucket.
    Poll,
    /// What a change at Meta needs.
    Write,
    /// What a person requested and waits for.
    Action,
}

/// A finished call, for metrics. Nothing in it is secret and every label is from a closed set.
#[derive(Clone, Copy, Debug)]
pub struct Finished<'a> {
    /// Which endpoint: [`Endpoint::as_str`](super::Endpoint::as_str).
    pub endpoint: &'static str,
    /// `ok`, or the class of the error: [`Class::as_str`](super::Class::as_str).
    pub outcome: &'static str,
    /// The app in whose name the call was made.
    pub app_id: &'a str,
    /// The account whose budget the call used, if any.
    pub waba_id: Option<&'a str>,
    /// From the first byte sent to the last byte read.
    pub duration: Duration,
    /// How many values of the reply make no sense and were left out.
    pub odd: u32,
    /// What is left of the account's (or the app's) budget, in percent, where Meta reported it.
    pub budget_left: Option<u8>,
}

/// Is called after every call that was sent, each try on its own. Must not block.
pub trait Recorder: Send + Sync {
    /// A call has ended.
    fn finished(&self, call: &Finished<'_>);
}

impl<F: Fn(&Finished<'_>) + Send + Sync> Recorder for F {
    fn finished(&self, call: &Finished<'_>) {
        self(call);
    }
}
