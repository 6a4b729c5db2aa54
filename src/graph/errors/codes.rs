//! Meta's error codes that the operator compares in code. What each means to people is in [`table`](super::table).

/// An app secret that is wrong where a token is requested; elsewhere an unknown fault of Meta.
pub const UNKNOWN: u32 = 1;
/// Meta's service is down.
pub const SERVICE_DOWN: u32 = 2;
/// The number was deleted.
pub const NUMBER_DELETED: u32 = 33;
/// A parameter is not valid. Often the only code for a refusal that has no code of its own.
pub const INVALID_PARAMETER: u32 = 100;
/// The callback did not reply to Meta's verification request as it should.
pub const CALLBACK_NOT_VERIFIED: u32 = 2_200;
/// The account, or the PIN, is locked; when registering: the PIN does not match.
pub const ACCOUNT_LOCKED: u32 = 131_031;
/// Meta failed inside.
pub const INTERNAL: u32 = 131_000;
/// Meta's service is not available.
pub const SERVICE_UNAVAILABLE: u32 = 131_016;
/// The listing changed while it was read.
pub const LISTING_CHANGED: u32 = 131_059;
/// An earlier deregistration of the number is incomplete.
pub const HALF_DEREGISTERED: u32 = 133_000;
/// The PIN does not match.
pub const PIN_MISMATCH: u32 = 133_005;
/// The number has to be verified first.
pub const NOT_VERIFIED: u32 = 133_006;
/// Too many wrong PINs.
pub const TOO_MANY_PINS: u32 = 133_008;
/// PINs that came too fast.
pub const PINS_TOO_FAST: u32 = 133_009;
/// The number is not registered.
pub const NOT_REGISTERED: u32 = 133_010;
/// The number was deleted less than five minutes ago.
pub const RECENTLY_DELETED: u32 = 133_015;
/// The number is locked after too many registrations.
pub const REGISTRATION_LOCKED: u32 = 133_016;
/// The number cannot be moved: whoever owns it has not confirmed it.
pub const MOVE_NOT_CONFIRMED: u32 = 2_388_001;
/// A code was requested a short while ago.
pub const CODE_REQUESTED_ALREADY: u32 = 2_388_004;
/// No code is pending for the number.
pub const NO_CODE_PENDING: u32 = 2_388_005;
/// The number cannot be moved as it is.
pub const CANNOT_BE_MOVED: u32 = 2_388_103;
