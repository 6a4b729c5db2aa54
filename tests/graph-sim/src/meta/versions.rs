//! Graph API versions: which live when, and what a call to another one gets.

use jiff::Timestamp;
use jiff::civil::{Date, date};
use jiff::tz::TimeZone;

/// Major version, day of its release, day of its end where one is announced.
const VERSIONS: [(u32, Date, Option<Date>); 8] = [
    (20, date(2024, 5, 21), Some(date(2026, 9, 24))),
    (21, date(2024, 10, 2), Some(date(2027, 1, 21))),
    (22, date(2025, 1, 21), Some(date(2027, 5, 20))),
    (23, date(2025, 5, 29), Some(date(2027, 10, 8))),
    (24, date(2025, 10, 8), Some(date(2028, 2, 18))),
    (25, date(2026, 2, 18), Some(date(2028, 7, 29))),
    (26, date(2026, 7, 29), None),
    (27, date(2026, 11, 4), None),
];

/// What serves a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Served {
    pub(crate) version: u32,
    /// The version in the URL, when Meta silently forwarded the call to a newer one.
    pub(crate) forwarded_from: Option<u32>,
}

/// Splits a path into the version that will serve it and the rest; `floor` is the oldest version the calling app may use.
/// `None`: there is no such version, or not yet.
pub(crate) fn route(path: &str, floor: u32, now: Timestamp) -> Option<(Served, &str)> {
    let oldest = oldest(now).max(floor);
    let rest = path.strip_prefix('/').unwrap_or(path);
    let (first, after) = rest.split_once('/').unwrap_or((rest, ""));
    if !looks_like_version(first) {
        return Some((Served { version: oldest, forwarded_from: None }, rest));
    }
    let asked = parse(first)?;
    let newest = VERSIONS.iter().rev().find(|(_, from, _)| *from <= today(now))?.0;
    if asked > newest {
        return None;
    }
    let version = asked.max(oldest);
    Some((Served { version, forwarded_from: (version != asked).then_some(asked) }, after))
}

/// Whether a version's time is over.
pub(crate) fn has_ended(version: u32, now: Timestamp) -> bool {
    version < oldest(now)
}

/// The major version in `v25.0`; versions before v3 had minors up to 12.
pub(crate) fn parse(text: &str) -> Option<u32> {
    let (major, minor) = text.strip_prefix('v')?.split_once('.')?;
    let (major, minor): (u32, u32) = (major.parse().ok()?, minor.parse().ok()?);
    let existed = match major {
        2 => minor <= 12,
        3 => minor <= 3,
        1 | 4.. => minor == 0,
        0 => false,
    };
    existed.then_some(major)
}

fn looks_like_version(segment: &str) -> bool {
    segment.strip_prefix('v').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()) && rest.contains('.'))
}

fn oldest(now: Timestamp) -> u32 {
    let alive = |(_, from, to): &&(u32, Date, Option<Date>)| *from <= today(now) && to.is_none_or(|to| today(now) < to);
    VERSIONS.iter().find(alive).map_or(VERSIONS[0].0, |(version, ..)| *version)
}

fn today(now: Timestamp) -> Date {
    now.to_zoned(TimeZone::UTC).date()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn served(path: &str) -> Option<(u32, Option<u32>)> {
        let now: Timestamp = "2026-11-22T12:00:00Z".parse().unwrap();
        route(path, 0, now).map(|(served, _)| (served.version, served.forwarded_from))
    }

    #[test]
    fn dead_versions_are_forwarded_and_unknown_ones_refused() {
        assert_eq!(served("/v25.0/me"), Some((25, None)), "live");
        assert_eq!(served("/v20.0/me"), Some((21, Some(20))), "ended in September 2026");
        assert_eq!(served("/v2.12/me"), Some((21, Some(2))), "long gone");
        assert_eq!(served("/me"), Some((21, None)), "unversioned is the oldest live one");
        assert_eq!(served("/v27.0/me"), Some((27, None)), "the newest");
        assert_eq!(served("/v28.0/me"), None, "not released yet");
        assert_eq!(served("/v25.1/me"), None, "never existed");
    }
}
