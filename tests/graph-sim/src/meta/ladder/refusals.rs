//! The errors with which Meta refuses an onboarding call.

use crate::meta::errors::{GraphError, Titled};

static NOT_SENT: Titled = Titled::new(
    ("Couldn't send the code", "The verification code could not be sent to this phone number. Try again later."),
    ("Code non envoyé", "Le code de vérification n’a pas pu être envoyé à ce numéro. Réessayez plus tard."),
);
static WRONG_CODE: Titled = Titled::new(
    ("Couldn't verify the code", "The verification code is not correct or has expired."),
    ("Code non vérifié", "Le code de vérification est incorrect ou a expiré."),
);
static THERE_ALREADY: Titled = Titled::new(
    ("Phone number is there already", "This phone number is already in the list of this WhatsApp Business Account."),
    ("Numéro déjà présent", "Ce numéro figure déjà dans ce compte WhatsApp Business."),
);
static ELSEWHERE: Titled = Titled::new(
    (
        "Phone number is in use",
        "This phone number belongs to another WhatsApp Business Account. Its owner has to let go of it.",
    ),
    (
        "Numéro déjà utilisé",
        "Ce numéro appartient à un autre compte WhatsApp Business. Son propriétaire doit le libérer.",
    ),
);
static NOT_MIGRATED: Titled = Titled::new(
    ("Phone number cannot be migrated", "The accounts do not meet the conditions for moving a phone number."),
    ("Numéro non transférable", "Les comptes ne remplissent pas les conditions du transfert d’un numéro."),
);
static TOO_MANY_NUMBERS: Titled = Titled::new(
    ("Phone number limit reached", "The business has as many phone numbers as it may have."),
    ("Limite de numéros atteinte", "L’entreprise a atteint le nombre maximal de numéros."),
);

/// The business number was deleted.
pub(super) fn deleted() -> GraphError {
    GraphError::new(33, "(#33) This business phone number has been deleted.")
}

pub(super) fn recently_deleted() -> GraphError {
    GraphError::new(133_015, "(#133015) Please wait a few minutes before attempting to register this phone number")
        .details("The phone number was deleted recently, and its deletion is not complete. Wait 5 minutes.")
}

/// Banned, or in an account that is.
pub(super) fn locked() -> GraphError {
    GraphError::new(131_031, "(#131031) Business Account locked")
        .details("The account has been restricted or disabled for violating a platform policy.")
        .status(403)
}

/// An account that may not add numbers now.
pub(super) fn policy() -> GraphError {
    GraphError::new(368, "(#368) Temporarily blocked for policies violations").status(403)
}

pub(super) fn not_sent() -> GraphError {
    GraphError::new(136_024, "(#136024) Request code error").subcode(2_388_091).titled(&NOT_SENT)
}

pub(super) fn wrong_code() -> GraphError {
    GraphError::new(136_025, "(#136025) Verify code error").subcode(2_388_093).titled(&WRONG_CODE)
}

pub(super) fn unverified() -> GraphError {
    GraphError::new(133_006, "(#133006) Phone number re-verification needed")
        .details("The phone number needs to be verified before it is registered.")
}

pub(super) fn half_deregistered() -> GraphError {
    GraphError::new(133_000, "(#133000) Incomplete Deregistration")
        .details("A previous deregistration attempt failed. Deregister the number again before registering it.")
        .status(500)
}

pub(super) fn not_registered() -> GraphError {
    GraphError::new(133_010, "(#133010) Phone number Not Registered")
        .details("The phone number is not registered on the WhatsApp Business Platform.")
}

pub(super) fn too_many_requests() -> GraphError {
    GraphError::new(133_016, "(#133016) Account register deregister rate limit exceeded")
        .details("Too many attempts for this phone number in a short period of time. It is blocked for 72 hours.")
}

pub(super) fn pin_mismatch() -> GraphError {
    GraphError::new(133_005, "(#133005) Two step verification PIN Mismatch")
        .details("The two-step verification PIN provided is incorrect.")
}

/// `wait` in seconds.
pub(super) fn too_many_pins(wait: i64) -> GraphError {
    GraphError::new(133_008, "(#133008) Too Many two step verification PIN Guesses")
        .details(format!("Too many PIN guesses for this phone number. Try again in {wait} seconds."))
}

/// `wait` in seconds.
pub(super) fn pin_too_fast(wait: i64) -> GraphError {
    GraphError::new(133_009, "(#133009) Two step verification PIN Guessed Too Fast")
        .details(format!("The PIN was entered too quickly. Try again in {wait} seconds."))
}

/// Numbers on the Business app are registered and let go there.
pub(super) fn on_app() -> GraphError {
    GraphError::new(100, "(#100) Invalid parameter")
        .details("The phone number is used on the WhatsApp Business app, where it has to be managed.")
}

pub(super) fn there_already() -> GraphError {
    GraphError::new(100, "(#100) Invalid parameter").subcode(2_388_012).titled(&THERE_ALREADY)
}

pub(super) fn elsewhere() -> GraphError {
    GraphError::new(100, "(#100) Invalid parameter").subcode(2_388_001).titled(&ELSEWHERE)
}

pub(super) fn not_migrated() -> GraphError {
    GraphError::new(100, "(#100) Invalid parameter").subcode(2_388_103).titled(&NOT_MIGRATED)
}

pub(super) fn too_many_numbers(limit: usize) -> GraphError {
    GraphError::new(100, "(#100) Invalid parameter")
        .details(format!("The business may have {limit} phone numbers and has them."))
        .titled(&TOO_MANY_NUMBERS)
}

pub(super) fn too_many_names() -> GraphError {
    GraphError::new(100, "(#100) Invalid parameter").details("The display name was changed 10 times within 30 days.")
}
