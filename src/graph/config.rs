//! What the client is told when it is built, and with each call.

use std::time::Duration;

use reqwest::Url;
use secrecy::SecretString;

/// Where Meta is, and how long things may take.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where the Graph API answers, without a version: `https://graph.facebook.com`.
    pub base_url: Url,
    /// The `User-Agent` of every call.
    pub user_agent: String,
    /// Every wait and every limit.
    pub timing: Timing,
}

/// Every wait and every limit of the client in one value, so that tests and the demo can shrink them.
#[derive(Clone, Debug)]
pub struct Timing {
    /// The time one call may take in all, body included.
    pub request: Duration,
    /// The time a connection may take to be made; a call that got no further was certainly not carried out.
    pub connect: Duration,
    /// How often a read is tried in all when Meta is unwell.
    pub read_tries: usize,
    /// The pause before a read's second try; it doubles from there, with jitter.
    pub retry_pause: Duration,
    /// The window in which Meta counts calls.
    pub bucket: Duration,
    /// Calls per window, app and account while the account has no registered number.
    pub account_limit: u32,
    /// Calls per window, app and account once a number of the account is registered.
    pub active_account_limit: u32,
    /// Calls per window that the operator allows itself on an app's own small bucket.
    pub app_limit: u32,
    /// The first stop after a throttle for which Meta names no end; it doubles with each further one.
    pub throttle_first: Duration,
    /// The longest stop after a throttle for which Meta names no end.
    pub throttle_longest: Duration,
    /// The pause between two polls that each percent of usage above 80 adds.
    pub pace_step: Duration,
    /// How long polls rest when the bucket is all but empty, before one of them looks again.
    pub rest: Duration,
    /// The longest a poll waits for its turn before it is refused unsent.
    pub longest_turn: Duration,
    /// How long Meta locks a number after too many registrations (code 133016).
    pub register_lock: Duration,
    /// How long to leave a number alone after other limits of its own, whose end Meta tells in prose only.
    pub number_rest: Duration,
    /// How long to try no other PIN after they came too fast (code 133009).
    pub pin_rest: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        const MINUTE: Duration = Duration::from_mins(1);
        Self {
            request: Duration::from_secs(30),
            connect: Duration::from_secs(10),
            read_tries: 3,
            retry_pause: Duration::from_millis(500),
            bucket: 60 * MINUTE,
            account_limit: 200,
            active_account_limit: 5000,
            app_limit: 200,
            throttle_first: 5 * MINUTE,
            throttle_longest: 60 * MINUTE,
            pace_step: Duration::from_secs(1),
            rest: 5 * MINUTE,
            longest_turn: Duration::from_secs(90),
            register_lock: 72 * 60 * MINUTE,
            number_rest: 60 * MINUTE,
            pin_rest: 5 * MINUTE,
        }
    }
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
    /// The Graph version to ask for: `v25.0`.
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
    /// What a person asked for and waits for.
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
    /// What is left of the account's (or the app's) budget, in percent, where Meta told.
    pub budget_left: Option<u8>,
}

/// Hears of every call that was sent, each try on its own. Must not block.
pub trait Recorder: Send + Sync {
    /// A call has ended.
    fn finished(&self, call: &Finished<'_>);
}

impl<F: Fn(&Finished<'_>) + Send + Sync> Recorder for F {
    fn finished(&self, call: &Finished<'_>) {
        self(call);
    }
}
