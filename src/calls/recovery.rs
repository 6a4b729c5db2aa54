//! What to do about a call whose outcome is unknown, by its class. Pure.

use super::operation::Class;

/// How often an absorbing call is made in all before a person decides.
const ABSORBING_TRIES: u32 = 3;
/// How often a guarded or observable call is made in all before a person decides.
const TRIES: u32 = 2;

/// What reads of Meta show about the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// The call took effect.
    Done,
    /// It did not take effect.
    NotDone,
    /// Something else is in its place.
    Other,
}

/// Which reads there were since the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Evidence {
    /// A read that began long enough after the call.
    pub fresh: bool,
    /// Two of them, far enough apart to prove that something did not happen.
    pub twice: bool,
}

impl Evidence {
    /// Where nothing was changed.
    pub const FULL: Self = Self { fresh: true, twice: true };
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recovery {
    /// Record that it happened.
    Adopt,
    /// Make the same call again, with the inputs of the intent.
    Repeat,
    /// Wait for a read that began after the call.
    AwaitRead,
    /// Wait for the two reads that prove that it did not happen.
    AwaitProof,
    /// Report that something else is in its place.
    Conflict,
    /// A person decides.
    AskPerson,
}

/// What to do about a call of this class, after so many attempts.
#[must_use]
pub fn next(class: Class, shown: Shown, evidence: Evidence, attempts: u32) -> Recovery {
    match (class, shown) {
        (Class::Blind, _) | (Class::Guarded | Class::Observable, Shown::Done) => Recovery::Adopt,
        (Class::Guarded | Class::Observable, Shown::Other) => Recovery::Conflict,
        (Class::Absorbing, _) if attempts >= ABSORBING_TRIES => Recovery::AskPerson,
        // Meta refuses a duplicate, so one read is enough.
        (Class::Absorbing | Class::Guarded, _) if !evidence.fresh => Recovery::AwaitRead,
        (Class::Observable, _) if !evidence.twice => Recovery::AwaitProof,
        (Class::Guarded | Class::Observable, _) if attempts >= TRIES => Recovery::AskPerson,
        _ => Recovery::Repeat,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Recovery::{Adopt, AskPerson, AwaitProof, AwaitRead, Conflict, Repeat};
    use Shown::{Done, NotDone, Other};

    #[test]
    fn each_class_recovers_by_its_own_rule() {
        let none = Evidence::default();
        let fresh = Evidence { fresh: true, twice: false };
        let twice = Evidence::FULL;
        for (class, shown, evidence, attempts, expected, reason) in [
            (Class::Absorbing, NotDone, none, 1, AwaitRead, "reads may still show the state before"),
            (Class::Absorbing, NotDone, fresh, 1, Repeat, "the same input leads to the same state"),
            (Class::Absorbing, NotDone, fresh, 3, AskPerson, "but not for ever"),
            (Class::Guarded, Done, none, 1, Adopt, "the look-up found it"),
            (Class::Guarded, Other, none, 1, Conflict, "the look-up found another one"),
            (Class::Guarded, NotDone, none, 1, AwaitRead, "the look-up may be too early"),
            (Class::Guarded, NotDone, fresh, 1, Repeat, "Meta refuses a double"),
            (Class::Guarded, NotDone, fresh, 2, AskPerson, "once"),
            (Class::Observable, Done, none, 1, Adopt, "reads show it"),
            (Class::Observable, NotDone, fresh, 1, AwaitProof, "one read proves no absence"),
            (Class::Observable, NotDone, twice, 1, Repeat, "two do"),
            (Class::Observable, NotDone, twice, 2, AskPerson, "once"),
            (Class::Blind, NotDone, twice, 1, Adopt, "it is never repeated"),
        ] {
            assert_eq!(next(class, shown, evidence, attempts), expected, "{class:?}, {shown:?}: {reason}");
        }
    }
}
