//! How long a call to Meta may take, and the lease that has to outlast it.

use std::time::Duration;

use crate::{calls::FENCE_MARGIN, graph};

/// However much waits are shrunk, a busy machine has this long for an answer.
const SHORTEST_REQUEST: Duration = Duration::from_secs(5);

/// Longer than a call to Meta and its margin may take, or the fence would never let one through: the lease is renewed every
/// fifth of it, and what is left until then, and a little more while it is renewed, has to be enough.
pub const fn lease(request: Duration) -> Duration {
    let longest = request.as_secs() + FENCE_MARGIN.as_secs();
    Duration::from_secs((longest * 10).div_ceil(7))
}

/// How long a call to Meta may take.
pub fn request(speedup: u32) -> Duration {
    (graph::Timing::default().request / speedup).max(SHORTEST_REQUEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lease_outlasts_the_longest_call_also_just_before_it_is_renewed() {
        for (speedup, longest, duration) in [(1, 30, 50), (6, 5, 15), (600, 5, 15)] {
            let (longest, duration) = (Duration::from_secs(longest), Duration::from_secs(duration));
            assert_eq!((request(speedup), lease(longest)), (longest, duration), "{speedup}");
            assert!(duration > longest + FENCE_MARGIN + duration / 5, "{speedup}");
        }
    }
}
