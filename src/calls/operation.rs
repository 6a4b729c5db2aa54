//! Every call that changes something at Meta: one closed list per journal, so that a ledger cannot hold an app's call. Each
//! row says how the operator recovers from a lost reply, which action asks for the call, and as what Meta counts it. The tests
//! that kill the operator at every point are generated from the list of numbers.

use std::fmt;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use crate::api::Action;

/// The window in which Meta counts registrations, and the operator codes.
pub const WINDOW: SignedDuration = SignedDuration::from_hours(72);

/// What can be believed and done after a call whose outcome is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// The same input leads to the same end: it is done again.
    Absorbing,
    /// Meta refuses a double: it is looked up, then adopted or made again.
    Guarded,
    /// Meta shows whether it happened: reads decide, and if it did not, it is done again, once.
    Observable,
    /// Nothing shows whether it happened, and it must not happen twice: it is taken to have happened.
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

            /// As what Meta counts the call within [`WINDOW`], or the operator does; `None`: nobody counts it.
            #[must_use]
            pub fn counted(self) -> Option<Self> {
                match self { $(Self::$name => $counted,)+ }
            }

            /// What a lost reply leads to.
            #[must_use]
            pub fn class(self) -> Class {
                match self { $(Self::$name => Class::$class,)+ }
            }

            /// The action by which a person asks for it, and settles it where nobody else can.
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
    /// Has a code sent.
    RequestCode = "requestCode", Blind, Some(Action::RequestCode), Some(Self::RequestCode);
    /// Brings a code back.
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
    /// Whether it moves the number along its ladder: of those, one at a time.
    #[must_use]
    pub fn is_onboarding(self) -> bool {
        !matches!(self, Self::SetWebhook | Self::ClearWebhook | Self::WriteProfile)
    }

    /// Whether a PIN goes with it.
    #[must_use]
    pub fn takes_pin(self) -> bool {
        matches!(self, Self::Register | Self::RegisterAgain | Self::SetPin)
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

    /// Whether a lost answer leaves it open, until reads or another try settle it. What the spec keeps asking for is done
    /// again anyway.
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
            (AddNumber, Register, true, "one rung at a time"),
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
