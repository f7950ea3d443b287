//! What the clocks of this host say.

use std::path::Path;
use std::time::{Duration, SystemTime};

use meter_core::clock::Now;

use crate::input::Moment;

/// systemd-timesyncd touches this file at each of its synchronisations.
const SYNCHRONISED: &str = "/run/systemd/timesync/synchronized";

/// A synchronisation is believed for this long. timesyncd asks its servers at least every 2048 s, and
/// one answer may be missing.
const FRESH: Duration = Duration::from_mins(70);

/// Where the kernel lists clock chips.
const CHIPS: &str = "/sys/class/rtc";

/// Where the clocks are read; a test brings its own.
pub trait Clocks: Send + Sync {
    /// What they say now.
    fn now(&self) -> Now;

    /// Whether the wall clock goes on while the host is switched off. Where it does not, the time at
    /// the start of the host is doubted until it is synchronised, is set, or ten minutes have passed.
    fn go_on_while_off(&self) -> bool {
        true
    }
}

/// The clocks of this host.
#[derive(Debug, Clone, Copy, Default)]
pub struct HostClocks;

impl Clocks for HostClocks {
    fn now(&self) -> Now {
        let Moment { wall, mono } = Moment::now();
        // Where another program sets the clock nobody says so without a system call that safe code
        // cannot make, and a large step has to last instead.
        let synchronised = synchronised_by(Path::new(SYNCHRONISED), SystemTime::now());
        Now {
            wall,
            monotonic: mono,
            synchronised,
        }
    }

    fn go_on_while_off(&self) -> bool {
        // Every PC has a clock chip, and a virtual one has its host's time, with or without a chip.
        cfg!(any(target_arch = "x86", target_arch = "x86_64"))
            || std::fs::read_dir(CHIPS).is_ok_and(|mut chips| chips.next().is_some())
    }
}

/// Whether the clock was synchronised a short while ago, by the clock itself: one that was set by hand
/// or jumped since is far from the time at which it was synchronised.
fn synchronised_by(touched: &Path, now: SystemTime) -> bool {
    std::fs::metadata(touched)
        .and_then(|data| data.modified())
        .is_ok_and(|at| now.duration_since(at).is_ok_and(|age| age <= FRESH))
}

/// The boot that the monotonic clock belongs to: readings of another boot cannot be stamped by it.
#[must_use]
pub(super) fn boot_id() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id").map_or_else(
        |_| format!("process-{}", std::process::id()),
        |id| id.trim().to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_was_set_since_its_synchronisation_is_not_synchronised() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("synchronized");
        let now = SystemTime::now();
        assert!(!synchronised_by(&file, now), "never");
        let touched = std::fs::File::create(&file).unwrap();
        touched.set_modified(now - Duration::from_mins(34)).unwrap();
        assert!(synchronised_by(&file, now));
        let day = Duration::from_hours(24);
        assert!(!synchronised_by(&file, now + day), "set forward");
        assert!(!synchronised_by(&file, now - day), "set back");
    }
}
