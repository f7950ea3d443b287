//! When to try again: exponential backoff with jitter that honours `Retry-After`.
//!
//! The waits grow `first`, `2 × first`, `4 × first`, … up to `max`, and each is drawn from the upper
//! half of its range, so that many meters which lost the same server do not come back at once.

use core::time::Duration;

/// Longest `Retry-After` that is believed. A server that asks for more is asked once a day.
pub const LONGEST_RETRY_AFTER: Duration = Duration::from_hours(24);

/// How long to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryConfig {
    /// Longest wait after the first failure.
    pub first: Duration,
    /// Longest wait after any failure, other than one that the server asked for.
    pub max: Duration,
}

impl Default for RetryConfig {
    fn default() -> Self {
        Self {
            first: Duration::from_secs(1),
            max: Duration::from_mins(5),
        }
    }
}

/// Decides when something that failed is tried again. Times are monotonic, from any origin.
#[derive(Clone, Copy, Debug)]
pub struct Retry {
    config: RetryConfig,
    failures: u32,
    poll_at: Duration,
}

impl Retry {
    /// Ready at once.
    #[must_use]
    pub const fn new(config: RetryConfig) -> Self {
        Self {
            config,
            failures: 0,
            poll_at: Duration::ZERO,
        }
    }

    /// Notes a failure at `now` and returns when to try again.
    ///
    /// `random` is any number that is evenly spread over the whole range of a `u32`. The next try is
    /// never earlier than `retry_after`, which is bounded by [`LONGEST_RETRY_AFTER`].
    pub fn on_failure(
        &mut self,
        now: Duration,
        random: u32,
        retry_after: Option<Duration>,
    ) -> Duration {
        let longest = self.backoff();
        self.failures = self.failures.saturating_add(1);
        let half = longest / 2;
        let wait = half.saturating_add(fraction(half, random));
        let wait = match retry_after {
            // Spread behind the asked time too: everybody was told the same one.
            Some(asked) => asked
                .min(LONGEST_RETRY_AFTER)
                .saturating_add(fraction(self.config.first, random))
                .max(wait),
            None => wait,
        };
        self.poll_at = now.saturating_add(wait);
        self.poll_at
    }

    /// Notes a success: the next failure starts with the shortest wait again.
    pub const fn on_success(&mut self) {
        self.failures = 0;
        self.poll_at = Duration::ZERO;
    }

    /// When to try again; already past when there is nothing to wait for.
    #[must_use]
    pub const fn poll_at(&self) -> Duration {
        self.poll_at
    }

    /// Failures since the last success.
    #[must_use]
    pub const fn failures(&self) -> u32 {
        self.failures
    }

    /// Longest wait after one more failure, without jitter.
    fn backoff(&self) -> Duration {
        // 2^31 times anything that is worth waiting for is above any `max`.
        let factor = 1_u32 << self.failures.min(31);
        self.config
            .first
            .saturating_mul(factor)
            .min(self.config.max)
    }
}

/// `random / 2^32` of a duration.
fn fraction(duration: Duration, random: u32) -> Duration {
    let nanos = ((duration.as_nanos() >> 16) * u128::from(random)) >> 16;
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CONFIG: RetryConfig = RetryConfig {
        first: Duration::from_secs(1),
        max: Duration::from_mins(1),
    };
    const NOW: Duration = Duration::from_secs(1000);

    fn wait(until: Duration) -> Duration {
        until.saturating_sub(NOW)
    }

    #[test]
    fn waits_double_up_to_the_longest() {
        let mut retry = Retry::new(CONFIG);
        assert_eq!(retry.poll_at(), Duration::ZERO);
        for seconds in [1, 2, 4, 8, 16, 32, 60, 60, 60] {
            let wait = wait(retry.on_failure(NOW, u32::MAX, None));
            let longest = Duration::from_secs(seconds);
            assert!(wait <= longest && wait > longest * 9 / 10, "{wait:?}");
        }
        retry.on_success();
        assert_eq!(retry.poll_at(), Duration::ZERO);
        assert!(wait(retry.on_failure(NOW, u32::MAX, None)) <= Duration::from_secs(1));
    }

    #[test]
    fn jitter_spreads_over_the_upper_half() {
        let with = |random| wait(Retry::new(CONFIG).on_failure(NOW, random, None));
        assert_eq!(with(0), Duration::from_millis(500));
        assert!(with(1 << 31) > Duration::from_millis(749));
        assert!(with(1 << 31) < Duration::from_millis(751));
    }

    #[test]
    fn the_server_s_wish_counts_when_it_is_longer() {
        let asked = Some(Duration::from_secs(30));
        let mut retry = Retry::new(CONFIG);
        assert!(wait(retry.on_failure(NOW, 0, asked)) >= Duration::from_secs(30));
        let short = Some(Duration::ZERO);
        assert!(wait(retry.on_failure(NOW, 0, short)) >= Duration::from_secs(1));
        let absurd = Some(Duration::MAX);
        assert!(wait(retry.on_failure(NOW, 0, absurd)) <= LONGEST_RETRY_AFTER + CONFIG.first);
    }

    proptest! {
        #[test]
        fn never_early_never_endless(
            randoms in proptest::collection::vec(any::<u32>(), 1..80),
            asked in proptest::option::of(0_u64..100_000),
        ) {
            let mut retry = Retry::new(CONFIG);
            for random in randoms {
                let asked = asked.map(Duration::from_secs);
                let wait = wait(retry.on_failure(NOW, random, asked));
                prop_assert!(wait >= CONFIG.first / 2);
                prop_assert!(wait >= asked.unwrap_or_default().min(LONGEST_RETRY_AFTER));
                prop_assert!(wait <= CONFIG.max.max(asked.unwrap_or_default() + CONFIG.first));
                prop_assert_eq!(retry.poll_at(), NOW + wait);
            }
        }

        #[test]
        fn nothing_panics(first: u64, max: u64, now: u64, random: u32, times in 0_u8..40) {
            let mut retry = Retry::new(RetryConfig {
                first: Duration::from_secs(first),
                max: Duration::from_secs(max),
            });
            for _ in 0..times {
                retry.on_failure(Duration::from_secs(now), random, Some(Duration::from_secs(max)));
            }
        }
    }
}
