//! The one table from Meta's errors to their meaning. The first row that matches wins.

use super::{Class, GraphErrorBody, codes};
use crate::graph::endpoint::Endpoint;

/// A class, before it is known when a throttle ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::graph) enum Kind {
    Is(Class),
    Throttled(Scope),
}

/// What a throttle stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::graph) enum Scope {
    /// Every call of the app.
    App,
    /// Every call of the app to the account.
    Account,
    /// One number or template.
    Object,
}

/// The meaning of an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::graph) struct Classification {
    pub kind: Kind,
    pub text: &'static str,
    pub documented: bool,
}

/// Which errors a row is about.
#[derive(Clone, Copy, Debug)]
enum On {
    /// The code, whatever the subcode.
    Code(u32),
    /// The code with this subcode.
    Pair(u32, u32),
    /// A number that Meta sends as code or as subcode.
    Either(u32),
    /// All codes from the first to the last.
    Range(u32, u32),
    /// The code, where the app's own token is used.
    AppToken(u32),
    /// The code, at one endpoint.
    At(Endpoint, u32),
    /// The code without a subcode, where the object does not take a call that changes something from this token.
    Method(u32),
    /// The code without a subcode.
    Bare(u32),
}

impl On {
    fn fits(self, error: &GraphErrorBody, endpoint: Endpoint) -> bool {
        let is = |code| error.code == Some(code);
        match self {
            Self::Code(code) => is(code),
            Self::Pair(code, subcode) => is(code) && error.subcode == Some(subcode),
            Self::Either(number) => is(number) || error.subcode == Some(number),
            Self::Range(first, last) => error.code.is_some_and(|code| (first..=last).contains(&code)),
            Self::AppToken(code) => is(code) && endpoint.takes_app_token(),
            Self::At(place, code) => is(code) && endpoint == place,
            Self::Method(code) => {
                is(code) && error.subcode.is_none() && error.method_refused && endpoint.changes_something()
            }
            Self::Bare(code) => is(code) && error.subcode.is_none(),
        }
    }
}

/// What an error of the Graph API means.
pub(in crate::graph) fn classify(error: &GraphErrorBody, endpoint: Endpoint, http: u16) -> Classification {
    if error.proof_refused {
        return Classification { kind: Kind::Is(Class::AppCredentials), text: PROOF_REFUSED, documented: true };
    }
    if let Some(field) = &error.refused_field {
        let text = field.other_than_account(endpoint).unwrap_or(UNKNOWN_FIELD);
        return Classification { kind: Kind::Is(Class::BadRequest), text, documented: true };
    }
    let row = TABLE.iter().find(|(on, ..)| on.fits(error, endpoint));
    let verdict = match row {
        Some(&(_, kind, text)) => Classification { kind, text, documented: true },
        None if http == 429 => Classification { kind: Kind::Is(Class::Transient), text: TOO_MANY, documented: false },
        None if http >= 500 => {
            Classification { kind: Kind::Is(Class::Transient), text: UNKNOWN_FAULT, documented: false }
        }
        None if error.code.is_none() => {
            Classification { kind: Kind::Is(Class::BadRequest), text: CODELESS_REFUSAL, documented: false }
        }
        None => Classification { kind: Kind::Is(Class::BadRequest), text: UNKNOWN_REFUSAL, documented: false },
    };
    // Meta marks throttles as transient too; an immediate retry would lengthen them.
    if error.is_transient && !matches!(verdict.kind, Kind::Throttled(_)) {
        return Classification { kind: Kind::Is(Class::Transient), text: TEMPORARY_ERROR, ..verdict };
    }
    verdict
}

const PROOF_REFUSED: &str =
    "the app secret does not fit the access token: the secret is wrong, or the token is of another app";
const UNKNOWN_FIELD: &str = "Meta does not have a field that the operator asks for";
const TEMPORARY_ERROR: &str = "Meta reports a temporary error";
const UNKNOWN_FAULT: &str = "Meta failed with an error that this operator does not know";
const UNKNOWN_REFUSAL: &str = "Meta refused the call with an error that this operator does not know";
const CODELESS_REFUSAL: &str = "Meta, or something on the way to it, refused the call without a code";
const TOO_MANY: &str = "Meta, or something on the way to it, refused the call because there were too many";
const THROTTLED_APP: &str = "Meta has throttled all calls of the app";
const THROTTLED_ACCOUNT: &str = "Meta has throttled the app's calls to this account";
const THROTTLED_SENDING: &str = "Meta has reached a sending limit of the number";
const INVALID_TOKEN: &str = "the access token is no longer valid";

use Class::{AppCredentials, BadRequest, Conflict, NotFound, Permission, Policy, Precondition, Token, Transient};
use Kind::{Is, Throttled};
use On::{AppToken, At, Bare, Code, Either, Method, Pair, Range};

#[rustfmt::skip]
const TABLE: &[(On, Kind, &str)] = &[
    // The app itself.
    (At(Endpoint::AccessToken, codes::UNKNOWN), Is(AppCredentials), "the app secret is wrong"),
    (Code(101), Is(AppCredentials), "there is no app with this ID"),
    (AppToken(190), Is(AppCredentials), "the app ID and the app secret do not belong together"),
    (Code(104), Is(AppCredentials), "Meta could not check the call's signature with the app secret"),
    (At(Endpoint::DebugToken, codes::INVALID_PARAMETER), Is(Token), "the access token was not issued by this app"),

    // Tokens. The subcode only explains.
    (Pair(190, 458), Is(Token), "the access token is no longer valid: its owner removed the app"),
    (Pair(190, 459), Is(Token), "the access token is blocked until its owner logs in at facebook.com"),
    (Pair(190, 460), Is(Token), "the access token is no longer valid: its owner changed the password"),
    (Pair(190, 463), Is(Token), "the access token has expired"),
    (Pair(190, 464), Is(Token), "the access token is blocked until its owner confirms the account at facebook.com"),
    (Pair(190, 466), Is(Token), "the access token was invalidated"),
    (Pair(190, 467), Is(Token), "the access token was revoked"),
    (Pair(190, 492), Is(Token), "the access token is no longer valid: its owner lost a role"),
    (Pair(190, 493), Is(Token), "the access token is blocked until its owner logs in again, after 90 days without a login"),
    (Code(190), Is(Token), INVALID_TOKEN),
    (Code(0), Is(Token), "Meta could not determine the owner of the access token"),
    (Code(102), Is(Token), "the access token's session is not valid"),
    (Code(2500), Is(Token), "Meta found no access token in the request"),

    // Too many calls.
    (Code(4), Throttled(Scope::App), THROTTLED_APP),
    (Code(17), Throttled(Scope::App), THROTTLED_APP),
    (Code(32), Throttled(Scope::App), THROTTLED_APP),
    (Code(341), Throttled(Scope::App), THROTTLED_APP),
    (Code(613), Throttled(Scope::App), THROTTLED_APP),
    (Code(80_007), Throttled(Scope::Account), THROTTLED_ACCOUNT),
    (Code(80_008), Throttled(Scope::Account), THROTTLED_ACCOUNT),
    (Code(130_429), Throttled(Scope::Object), THROTTLED_SENDING),
    (Code(131_048), Throttled(Scope::Object), THROTTLED_SENDING),
    (Code(131_056), Throttled(Scope::Object), THROTTLED_SENDING),
    (Code(131_064), Throttled(Scope::Object), THROTTLED_SENDING),
    (Code(codes::REGISTRATION_LOCKED), Throttled(Scope::Object), "Meta has locked the number for 72 hours after too many registrations"),
    (Code(codes::TOO_MANY_PINS), Throttled(Scope::Object), "too many wrong PINs were tried: Meta requires a pause"),
    (Code(codes::PINS_TOO_FAST), Throttled(Scope::Object), "PINs were tried too fast: Meta requires a pause"),

    // Meta has a fault.
    (Either(2_494_100), Is(Transient), "the number is under maintenance at Meta"),
    (Code(131_057), Is(Transient), "the number is under maintenance at Meta"),
    (Code(133_004), Is(Transient), "Meta's registration service is not available"),
    (Code(codes::RECENTLY_DELETED), Is(Transient), "the number was deleted a moment ago: Meta requires a wait of five minutes"),
    (Code(codes::CALLBACK_NOT_VERIFIED), Is(Transient), "Meta could not verify the webhook's callback URL"),
    (Code(codes::UNKNOWN), Is(Transient), "Meta failed with an unknown error"),
    (Code(codes::SERVICE_DOWN), Is(Transient), "Meta's service is temporarily down"),
    (Code(codes::INTERNAL), Is(Transient), "Meta failed with an internal error"),
    (Code(codes::SERVICE_UNAVAILABLE), Is(Transient), "Meta's service is not available"),

    // One provider's numbers for what others get as 136024 and 136025.
    (Either(codes::CODE_REQUESTED_ALREADY), Throttled(Scope::Object), "a code was requested a short while ago: Meta requires a wait before another"),
    (Either(codes::NO_CODE_PENDING), Is(Conflict), "the number is not waiting for a code at Meta"),
    (Either(2_388_006), Is(BadRequest), "Meta did not accept the code"),

    // Numbers. Codes before the migration subcodes that come with them.
    (Code(136_024), Is(Conflict), "Meta sent no code: the number is verified already, or cannot be reached"),
    (Code(136_025), Is(BadRequest), "Meta did not accept the code"),
    (Code(codes::HALF_DEREGISTERED), Is(Conflict), "an earlier deregistration of the number is incomplete"),
    (Code(codes::PIN_MISMATCH), Is(BadRequest), "the PIN is not the number's PIN"),
    (Code(codes::NOT_VERIFIED), Is(Precondition), "the number has to be verified first"),
    (Code(codes::NOT_REGISTERED), Is(Precondition), "the number is not registered"),
    (Code(131_037), Is(Precondition), "the number needs an approved display name first"),
    (Code(131_045), Is(Precondition), "the number's registration is faulty: it has to be registered again"),
    (Either(codes::MOVE_NOT_CONFIRMED), Is(Conflict), "the number cannot be moved: its ownership is not confirmed, or its two-step PIN is still on"),
    (Either(2_388_012), Is(Conflict), "the number is in use on WhatsApp already, in this account or elsewhere"),
    (Either(2_388_091), Is(Conflict), "Meta sent no code: the number is not being moved"),
    (Either(2_388_093), Is(Conflict), "Meta did not accept the code: the number is not being moved"),
    (Either(codes::CANNOT_BE_MOVED), Is(Conflict), "the number cannot be moved as it is"),

    // Templates.
    (Either(2_388_019), Is(Precondition), "the account has as many templates as Meta allows"),
    (Either(2_388_023), Is(Conflict), "the template's name is locked: Meta is still deleting this language of it"),
    (Either(2_388_024), Is(Conflict), "the account has a template of this name and language already"),
    (Either(2_388_039), Is(Precondition), "the template cannot be edited now: it is in review, or its edits are used up"),
    (Either(2_388_040), Is(BadRequest), "a field of the template is too long"),
    (Either(2_388_043), Is(BadRequest), "a sample of the template is missing or not valid"),
    (Either(2_388_046), Is(BadRequest), "the template's name is not valid"),
    (Either(2_388_155), Is(BadRequest), "the template's name is that of one of Meta's samples"),
    (Either(2_388_047), Is(BadRequest), "the template's header is not valid"),
    (Either(2_388_072), Is(BadRequest), "the template's body is not valid"),
    (Either(2_388_073), Is(BadRequest), "the template's footer is not valid"),
    (Either(2_388_273), Is(BadRequest), "the template's media header needs a valid sample"),
    (Either(2_388_293), Is(BadRequest), "the template has too many parameters for so little text"),
    (Either(2_388_299), Is(BadRequest), "the template's body must not start or end with a parameter"),
    (Either(2_494_102), Is(BadRequest), "the media handle is not valid"),
    (Either(2_593_002), Is(NotFound), "the account has no such template"),
    (Code(200_005), Is(Precondition), "template insights are not available for the account"),
    (Code(200_006), Is(Precondition), "template insights cannot be switched off"),
    (Code(200_007), Is(Precondition), "template insights are not switched on"),

    // Rights and rules.
    (Code(3), Is(Permission), "the app lacks the capability for this call"),
    (Code(10), Is(Permission), "the access token lacks the permission for this call"),
    (Range(200, 299), Is(Permission), "the access token lacks the permission for this call"),
    (Code(131_005), Is(Permission), "the access token lacks the permission for this call"),
    (Code(368), Is(Policy), "Meta blocks the account for a violation of its policies"),
    (Code(130_497), Is(Policy), "Meta does not allow the account to message this country"),
    (At(Endpoint::Register, codes::ACCOUNT_LOCKED), Is(Policy), "Meta has locked the account, or the PIN is not the number's PIN"),
    (Code(codes::ACCOUNT_LOCKED), Is(Policy), "Meta has locked the account"),
    (Code(131_042), Is(Policy), "the account's payment method is missing or failed"),

    // Other errors of a request.
    (Code(codes::NUMBER_DELETED), Is(NotFound), "the number was deleted at Meta"),
    (Pair(codes::INVALID_PARAMETER, 33), Is(NotFound), "there is no such object at Meta, or the access token cannot see it"),
    (Code(803), Is(NotFound), "there is no such object at Meta, or the access token cannot see it"),
    (Code(codes::LISTING_CHANGED), Is(BadRequest), "the listing changed while it was read"),
    (Code(131_008), Is(BadRequest), "the call lacks a parameter"),
    (Code(131_009), Is(BadRequest), "a value in the call is not valid"),
    (Method(codes::INVALID_PARAMETER), Is(Permission), "the access token has no right to do this on the account: give its system user full control of it in Business settings > System users"),
    (Bare(codes::INVALID_PARAMETER), Is(BadRequest), "a parameter of the call is not valid"),
    // The subcode says what is meant, and often it is no parameter.
    (Code(codes::INVALID_PARAMETER), Is(BadRequest), "Meta refused the call for a reason that this operator does not know"),
];
