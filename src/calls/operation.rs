//! Every call that changes something at Meta: one closed list per journal, so that a ledger cannot hold an app's call. Each
//! row defines how the operator recovers from a lost reply, which action requests the call, and as what Meta counts it. The tests
//! that kill the operator at every point are generated from the list of numbers.

use std::fmt;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use crate::api::Action;

/// The window in which Meta counts registrations, and the operator codes.
pub const WINDOW: SignedDuration = SignedDuration::from_hours(72);

/// What is known, and what to do, after a call without a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// The same input has the same effect: it is repeated.
    Absorbing,
    /// Meta refuses a duplicate: the operator reads whether it exists, then adopts it or repeats the call.
    Guarded,
    /// Meta shows whether it took effect: if reads prove that it did not, it is repeated once.
    Observable,
    /// Nothing shows whether it took effect, and it must not happen twice: it counts as made.
    Blind,
}

macro_rules! operations {
    (
        $(#[$about:meta])* $list:ident:
        $($(#[$meta:meta])* $name:ident = $word:literal, $class:ident, $action:expr, $counted:expr;)+
    ) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum $list { $($(#[$meta])* #[serde(rename = $word)] $name,)+ }

        impl $list {
            /// All there are.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// As the ledger and its annotation spell it.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $word,)+ }
            }

            /// As what Meta or the operator counts the call within [`WINDOW`]; `None`: it is not counted.
            #[must_use]
            pub fn counted(self) -> Option<Self> {
                match self { $(Self::$name => $counted,)+ }
            }

            /// What a lost reply leads to.
            #[must_use]
            pub fn class(self) -> Class {
                match self { $(Self::$name => Class::$class,)+ }
            }

            /// The action by which a person requests it, and settles an unknown outcome.
            #[must_use]
            pub fn action(self) -> Option<Action> {
                match self { $(Self::$name => $action,)+ }
            }
        }
    };
}

operations! {
    /// A call that changes a number. Its journal is the number's ledger.
    Operation:
    /// Adds the number to its account.
    AddNumber = "addNumber", Observable, Some(Action::Reconcile), None;
    /// Requests a code.
    RequestCode = "requestCode", Blind, Some(Action::RequestCode), Some(Self::RequestCode);
    /// Submits a code.
    VerifyCode = "verifyCode", Observable, Some(Action::RequestCode), None;
    /// Registers a number that is not registered.
    Register = "register", Observable, Some(Action::Register), Some(Self::Register);
    /// Registers a connected number again, for its new name.
    RegisterAgain = "registerAgain", Blind, Some(Action::Register), Some(Self::Register);
    /// Puts a PIN in force.
    SetPin = "setPin", Absorbing, Some(Action::ResetPin), None;
    /// Takes the number off the Cloud API.
    Deregister = "deregister", Observable, Some(Action::Register), Some(Self::Deregister);
    /// Sets the number's own callback.
    SetWebhook = "setWebhook", Absorbing, None, None;
    /// Removes the number's own callback.
    ClearWebhook = "clearWebhook", Absorbing, None, None;
    /// Changes fields of the profile.
    WriteProfile = "writeProfile", Absorbing, None, None;
}

operations! {
    /// A call that changes what an app has. Its journal is the app's token Secret.
    AppOperation:
    /// Exchanges the token for one that lasts longer.
    ExchangeToken = "exchangeToken", Absorbing, Some(Action::RefreshToken), None;
}

#[cfg(test)]
pub(super) use operations;

impl Operation {
    /// Whether it is part of onboarding: of those, only one call is open at a time.
    #[must_use]
    pub fn is_onboarding(self) -> bool {
        !matches!(self, Self::SetWebhook | Self::ClearWebhook | Self::WriteProfile)
    }

    /// Whether a PIN goes with it.
    #[must_use]
    pub fn takes_pin(self) -> bool {
        matches!(self, Self::Register | Self::RegisterAgain | Self::SetPin)
    }

    /// Whether its success proves that the PIN that goes with it is in force.
    #[must_use]
    pub fn puts_pin_in_force(self) -> bool {
        matches!(self, Self::Register | Self::SetPin)
    }

    /// The operation under which its attempts and refusals are kept: both ways to register are one.
    #[must_use]
    pub fn counted_as(self) -> Self {
        self.counted().unwrap_or(self)
    }

    /// Whether Meta may show the number otherwise afterwards, so that reads from before count no more. A code that was sent
    /// is not seen.
    #[must_use]
    pub fn is_seen(self) -> bool {
        self != Self::RequestCode
    }

    /// Whether it stays open without a reply, until reads or another attempt settle it. The others are repeated anyway as long as
    /// the spec requires them.
    #[must_use]
    pub fn is_settled_later(self) -> bool {
        self.class() == Class::Observable || self == Self::SetPin
    }

    /// Whether one must wait until the outcome of the other is known.
    #[must_use]
    pub fn conflicts(self, other: Self) -> bool {
        match (self.is_onboarding(), other.is_onboarding()) {
            (true, true) => true,
            (false, false) => (self == Self::WriteProfile) == (other == Self::WriteProfile),
            _ => false,
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_open_call_blocks_only_what_it_is_about() {
        use Operation::{AddNumber, ClearWebhook, Register, SetPin, SetWebhook, WriteProfile};
        for (one, other, expected, reason) in [
            (AddNumber, Register, true, "one onboarding call at a time"),
            (Register, SetPin, true, "both are about the PIN"),
            (Register, SetWebhook, false, "where messages go has nothing to do with it"),
            (SetWebhook, ClearWebhook, true, "both are about the callback"),
            (SetWebhook, WriteProfile, false, "profile and callback"),
            (WriteProfile, WriteProfile, true, "itself"),
        ] {
            assert_eq!((one.conflicts(other), other.conflicts(one)), (expected, expected), "{reason}");
        }
    }
}
