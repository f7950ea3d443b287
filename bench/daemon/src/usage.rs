//! What a process takes, as the system counts it.

use std::fs;
use std::time::Duration;

use nix::time::clock_getcpuclockid;
use nix::unistd::Pid;

use crate::Failure;

/// Processor time of all its threads so far, ended ones too.
pub fn processor_time(process: u32) -> Result<Duration, Failure> {
    let pid = Pid::from_raw(i32::try_from(process)?);
    Ok(clock_getcpuclockid(pid)?.now()?.into())
}

/// The most memory that it had at once, in MiB.
pub fn peak_memory(process: u32) -> Result<f64, Failure> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .ok_or("the system does not say how much memory was used")?;
    let kib: u32 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(f64::from(kib) / 1024.0)
}
