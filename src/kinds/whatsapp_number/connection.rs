//! Whether a number is connected: one decision from everything that Meta shows of it and the operator remembers. Pure.
//!
//! No single word of Meta decides. A number that somebody deregistered may still show `CLOUD_API`, one that was never
//! registered too, and a number at work often shows that its verification has expired.

use crate::{
    controller::summary::ConditionValue,
    graph::types::{CodeVerificationStatus, NumberStatus, PhoneNumber, PlatformType},
    messages::Reason,
};

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connection {
    /// On the Cloud API, and works.
    Connected,
    /// On the Cloud API; Meta is connecting it.
    Connecting,
    /// On the Cloud API, and Meta banned or restricted it.
    Restricted,
    /// On the On-Premises API.
    OnPremises,
    /// It was connected once, and no longer is: somebody deregistered it.
    Disconnected,
    /// Nobody has registered it yet.
    NeverConnected,
    /// Deleted, or moved to another account.
    Gone,
    /// Meta's words contradict each other, or are new to this version.
    Unclear,
}

impl Connection {
    /// From what Meta shows, and whether anybody remembers the number connected.
    pub fn of(facts: &PhoneNumber, was_connected: bool) -> Self {
        let on_cloud = facts.platform_type == Some(PlatformType::CloudApi);
        let off = if was_connected || facts.last_onboarded_time.is_some() {
            Self::Disconnected
        } else {
            Self::NeverConnected
        };
        match (&facts.status, &facts.platform_type) {
            (Some(NumberStatus::Deleted | NumberStatus::Migrated), _) => Self::Gone,
            (_, Some(PlatformType::OnPremise)) => Self::OnPremises,
            (Some(NumberStatus::Banned | NumberStatus::Restricted), _) if on_cloud => Self::Restricted,
            _ if is_at_work(facts) => {
                if on_cloud {
                    Self::Connected
                } else {
                    Self::Unclear
                }
            }
            (Some(NumberStatus::Disconnected | NumberStatus::Unverified), _) => off,
            // Verified or registered before, it is being connected; otherwise there is nothing to connect yet.
            (Some(NumberStatus::Pending), _) if on_cloud => {
                let has_come_far = facts.last_onboarded_time.is_some()
                    || facts.code_verification_status == Some(CodeVerificationStatus::Verified);
                if has_come_far { Self::Connecting } else { off }
            }
            (Some(NumberStatus::Other(_)), _) | (_, Some(PlatformType::CloudApi)) => Self::Unclear,
            _ => off,
        }
    }

    /// Whether the number is registered, be it of use or not.
    pub fn is_registered(self) -> bool {
        matches!(self, Self::Connected | Self::Connecting | Self::Restricted | Self::OnPremises)
    }

    /// Whether it is registered with the Cloud API, be it of use or not.
    pub fn is_on_cloud(self) -> bool {
        self.is_registered() && self != Self::OnPremises
    }

    /// Whether nobody has it registered now: only then is there anything to register.
    pub fn is_off(self) -> bool {
        matches!(self, Self::Disconnected | Self::NeverConnected)
    }

    /// Condition `Registered`.
    pub fn condition(self, number: &PhoneNumber) -> ConditionValue {
        match self {
            Self::Connected | Self::Restricted => {
                ConditionValue::yes(Reason::Registered, "registered with the Cloud API")
            }
            Self::Connecting => ConditionValue::no(Reason::Registering, "Meta is registering the number"),
            Self::OnPremises => {
                ConditionValue::no(Reason::NotOnCloudAPI, "registered with the On-Premises API, not the Cloud API")
            }
            Self::Disconnected => ConditionValue::no(
                Reason::Disconnected,
                "the number was connected once and no longer is: it was deregistered from the Cloud API",
            ),
            Self::Unclear if number.platform_type == Some(PlatformType::NotApplicable) => {
                ConditionValue::no(Reason::NotRegistered, unclear(number))
            }
            Self::Unclear => ConditionValue::unknown(Reason::UnknownStatus, unclear(number)),
            Self::NeverConnected | Self::Gone => {
                ConditionValue::no(Reason::NotRegistered, "not registered with the Cloud API")
            }
        }
    }

    /// Whether it works, so that Meta takes what needs a registered number.
    pub fn is_connected(self) -> bool {
        self == Self::Connected
    }
}

/// Whether its status alone says that it works.
pub fn is_at_work(number: &PhoneNumber) -> bool {
    matches!(number.status, Some(NumberStatus::Connected | NumberStatus::Flagged | NumberStatus::RateLimited))
}

/// Words of Meta that contradict each other, or that are new.
pub fn unclear(number: &PhoneNumber) -> String {
    let status = number.status.as_ref().map_or("no status", NumberStatus::as_str);
    let platform = number.platform_type.as_ref().map_or("no platform", PlatformType::as_str);
    format!(
        "Meta shows {status} with {platform}, from which this version of the operator cannot tell whether the number is connected; it \
         changes nothing"
    )
}
