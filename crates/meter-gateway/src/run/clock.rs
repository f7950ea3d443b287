//! What the clocks of this host say.

use std::path::Path;

use meter_core::clock::Now;

use crate::input::Moment;

/// Where the clocks are read; a test brings its own.
pub trait Clocks: Send + Sync {
    /// What they say now.
    fn now(&self) -> Now;
}

/// The clocks of this host.
#[derive(Debug, Clone, Copy, Default)]
pub struct HostClocks;

impl Clocks for HostClocks {
    fn now(&self) -> Now {
        let Moment { wall, mono } = Moment::now();
        // systemd-timesyncd's word for it. Where another program sets the clock nobody says so
        // without a system call that safe code cannot make, and a large step has to last instead.
        let synchronised = Path::new("/run/systemd/timesync/synchronized").exists();
        Now {
            wall,
            monotonic: mono,
            synchronised,
        }
    }
}

/// The boot that the monotonic clock belongs to: readings of another boot cannot be stamped by it.
#[must_use]
pub(super) fn boot_id() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id").map_or_else(
        |_| format!("process-{}", std::process::id()),
        |id| id.trim().to_owned(),
    )
}
