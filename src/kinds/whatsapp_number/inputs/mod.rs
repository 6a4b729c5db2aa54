//! What a number's plan reads besides Meta's facts: the ledger, PIN and code, the profile, the binding Secret, and what
//! people requested.

pub(super) mod binding_secret;
pub(super) mod collect;

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use jiff::Timestamp;

use crate::messages::Reason;
use crate::{
    api::{Action, AppKey, SecretKeyRef},
    calls::{CallInput, Evidence, Intent},
    graph::types,
    k8s::secrets::{ComparableSecret, set_command},
    ledger::{Ledger, Observed},
};

/// What a Secret holds for the number.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum SecretRead {
    /// The spec does not need it.
    #[default]
    NotNeeded,
    /// It is there.
    Known(KnownSecret),
    /// There is no such Secret, or it lacks the key.
    Missing(Blocker),
    /// A tool deleted it a moment ago and may create it again: for so long that is no news.
    Away(Duration),
    /// The API server did not let the operator create it.
    NotCreated(Blocker),
    /// It exists, but cannot be used.
    Invalid(Blocker),
    /// The operator could not read it, and retries.
    Unread,
}

/// A value, and its fingerprint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownSecret {
    /// The value.
    pub value: ComparableSecret,
    /// Identifies it without showing it.
    pub fingerprint: String,
}

/// What is wrong with a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blocker {
    /// From the closed list.
    pub reason: Reason,
    /// What is wrong, where, and what to do.
    pub message: String,
    /// Identifies the value that is wrong, if there is one.
    pub fingerprint: Option<String>,
}

impl Blocker {
    /// About no value in particular.
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), fingerprint: None }
    }

    /// About the value under a key of a Secret: what is wrong with it, and the placeholder for another one in the command.
    pub fn invalid(
        namespace: &str,
        SecretKeyRef { name, key }: &SecretKeyRef,
        (why, placeholder): (&str, &str),
        fingerprint: String,
    ) -> Self {
        let command = set_command(namespace, name, key, placeholder);
        let message = format!("the value in Secret {name}, key {key}, {why}: {command}");
        Self { reason: Reason::SecretValueInvalid, message, fingerprint: Some(fingerprint) }
    }
}

impl SecretRead {
    /// The value, if there is one that can be used.
    pub fn known(&self) -> Option<&KnownSecret> {
        match self {
            Self::Known(known) => Some(known),
            _ => None,
        }
    }

    /// Identifies the value that is there, whether or not it can be used.
    pub fn fingerprint(&self) -> Option<&str> {
        match self {
            Self::Known(known) => Some(&known.fingerprint),
            Self::Invalid(blocker) => blocker.fingerprint.as_deref(),
            Self::NotNeeded | Self::Missing(_) | Self::Away(_) | Self::NotCreated(_) | Self::Unread => None,
        }
    }

    /// What is wrong with it.
    pub fn blocker(&self) -> Option<&Blocker> {
        match self {
            Self::Missing(blocker) | Self::NotCreated(blocker) | Self::Invalid(blocker) => Some(blocker),
            _ => None,
        }
    }
}

/// The binding Secret.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Binding {
    /// The spec wants none, and none exists.
    #[default]
    NotManaged,
    /// It cannot be written yet, or stays as it is; why.
    Waits(&'static str),
    /// It is as it should be; which token is in it.
    Current(HandedOut),
    /// It has to be written.
    Behind(Vec<(&'static str, ComparableSecret)>),
    /// It exists and must not.
    Unwanted,
    /// Somebody else's Secret has its name; the message.
    Taken(String),
    /// The API server does not let the operator write or delete it.
    Refused(Blocker),
}

/// Which token a binding hands out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HandedOut {
    /// The one that it should.
    Given,
    /// The one from before: the Secret that the app names for it is not there.
    Kept,
    /// None: the app's own stays in its namespace, and it names no other.
    NotNamed,
    /// None: the Secret that the app names for it is not there.
    Missing,
}

/// What is known of the number's profile.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum ProfileRead {
    /// It is not managed.
    #[default]
    NotManaged,
    /// This process has not read it, or failed to: it is due after this.
    Unread {
        /// When it is read.
        next: Duration,
    },
    /// It has to be read first.
    Due,
    /// What Meta shows, and whether the read began after the last write had settled.
    Shown {
        /// Meta's fields.
        profile: types::Profile,
        /// Whether it counts.
        fresh: bool,
        /// When it is read again.
        next: Duration,
    },
}

/// See the module.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own, not a state")]
#[derive(Debug, Clone)]
pub struct Inputs {
    /// Whether this object uses a ledger at all.
    pub held: bool,
    /// The ledger; empty where there is none.
    pub ledger: Ledger,
    /// Whether that was restored from the status, and has to be recorded before anything in it changes.
    pub recalled: bool,
    /// Why the ledger cannot be used, for people.
    pub blocker: Option<Blocker>,
    /// What reads prove since the last call that changed the number.
    pub evidence: Evidence,
    /// From when on a read counts.
    pub counts_from: Option<Instant>,
    /// For how long the operator leaves intents alone that another process may still be working on, by ID.
    pub foreign_call_grace: BTreeMap<String, Duration>,
    /// The PIN.
    pub pin: SecretRead,
    /// Whether somebody else's Secret has the name under which a PIN would be created.
    pub pin_taken: bool,
    /// The code.
    pub code: SecretRead,
    /// The verify token of the number's callback.
    pub verify_token: SecretRead,
    /// Fingerprint of callback and verify token together.
    pub webhook_fingerprint: String,
    /// The profile.
    pub profile: ProfileRead,
    /// The binding Secret.
    pub binding: Binding,
    /// Requests that are to be acted on, with their values.
    pub requested: BTreeMap<Action, String>,
    /// Why the last call was not made, if it was not.
    pub held_back: Option<String>,
    /// An object that claims the same number and takes precedence, whether or not its app sees the number.
    pub earlier_claimant: Option<String>,
    /// Whether the object's status shows that the number once worked.
    pub was_enabled: bool,
    /// The app's accounts that list the number, sorted.
    pub listed_in: Vec<Box<str>>,
    /// Whether any other object claims the same number.
    pub claimed: bool,
    /// The number's app, where that is only observed: then so is the number.
    pub observing_app: Option<AppKey>,
    /// Why nothing may be written to Meta just now.
    pub no_writes: Option<String>,
    /// Whether the object has the operator's finalizer.
    pub has_finalizer: bool,
    /// Meta's clock.
    pub now: Timestamp,
}

impl Default for Inputs {
    fn default() -> Self {
        Self {
            held: false,
            ledger: Ledger::default(),
            recalled: false,
            blocker: None,
            evidence: Evidence::FULL,
            counts_from: None,
            foreign_call_grace: BTreeMap::new(),
            pin: SecretRead::default(),
            pin_taken: false,
            code: SecretRead::default(),
            verify_token: SecretRead::default(),
            webhook_fingerprint: String::new(),
            profile: ProfileRead::default(),
            binding: Binding::default(),
            requested: BTreeMap::new(),
            held_back: None,
            earlier_claimant: None,
            listed_in: Vec::new(),
            claimed: false,
            was_enabled: false,
            observing_app: None,
            no_writes: None,
            has_finalizer: false,
            now: Timestamp::UNIX_EPOCH,
        }
    }
}

impl Inputs {
    /// Whether the number was ever connected, as far as anybody remembers.
    pub fn was_connected(&self) -> bool {
        self.ledger.was_connected || self.ledger.registered_at.is_some() || self.was_enabled
    }

    /// Why nothing is changed at Meta for an observed number.
    pub fn why_observed(&self) -> &'static str {
        if self.observing_app.is_some() {
            "spec.managementPolicy of its MetaApp is Observe"
        } else {
            "spec.managementPolicy is Observe"
        }
    }

    /// The open intent of an onboarding call, if there is one.
    pub fn open_onboarding_call(&self) -> Option<&Intent> {
        self.ledger.intents.iter().find(|intent| intent.input.operation().is_onboarding())
    }
}

/// What `steps` does before the number is planned again.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Make this call to Meta.
    Send {
        /// What is sent.
        input: CallInput,
        /// Fingerprint of the secret input, where there is one.
        secret: Option<KnownSecret>,
        /// Which account.
        account: String,
        /// Which number; none where it is to be added.
        id: Option<String>,
        /// What Meta shows now, for people who read the ledger.
        before: String,
        /// The action that requests it.
        action: Option<Action>,
    },
    /// The same call once more, as it was.
    Repeat {
        /// The intent's ID.
        id: String,
        /// What Meta shows now.
        before: String,
    },
    /// Record the outcome of a call.
    Resolve {
        /// The intent's ID.
        id: String,
        /// Its outcome.
        end: Resolution,
    },
    /// Record that the number belongs to this object, and what Meta shows of it.
    RecordObservation(Observed),
    /// Record values of annotations that the status shows as handled.
    RecordHandled(Vec<HandledValue>),
    /// Create a Secret with a PIN.
    CreatePinSecret,
    /// Request a new token from the app.
    RefreshToken(String),
    /// Read the number by its id.
    ReadById {
        /// The account that held it.
        account: String,
        /// Its id.
        id: String,
    },
    /// Read the profile.
    ReadProfile {
        /// Which account.
        account: String,
        /// Which number.
        id: String,
    },
    /// Write the binding Secret.
    WriteBinding(Vec<(&'static str, ComparableSecret)>),
    /// Delete the binding Secret.
    DeleteBinding,
    /// Set or remove the finalizer.
    Finalizer(bool),
    /// The object may go; the note of its Event.
    RemoveFinalizer(Option<String>),
}

/// A value of an action's annotation that was acted on or ignored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandledValue {
    /// The action.
    pub action: Action,
    /// Its annotation's value.
    pub value: String,
    /// Whether it was ahead of its time.
    pub is_ahead: bool,
}

/// What reads showed of a call whose outcome was unknown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolution {
    /// It took effect; the ID of what was added.
    Happened(Option<String>),
    /// The number is registered, and another account that lists it may have done that with another PIN.
    PinOpen,
    /// It did not, and is not repeated.
    DidNot(String),
    /// The process that made it is gone; its outcome is unknown.
    Lost,
    /// It did not take effect, and is no longer wanted.
    GivenUp,
}
