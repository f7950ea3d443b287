use std::fmt;
use std::fs;
use std::path::Path;

/// The process that has a port open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Its process id.
    pub pid: u32,
    /// Its short name.
    pub name: String,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.pid == std::process::id() {
            f.write_str("this very program (another input?)")
        } else {
            write!(f, "{} (process {})", self.name, self.pid)
        }
    }
}

/// Finds who has `device` open, as far as `/proc` lets us look: other users'
/// processes show only to root.
#[must_use]
pub fn holder(device: &Path) -> Option<Holder> {
    let device = fs::canonicalize(device).ok()?;
    let own = std::process::id();
    let mut found = None;
    for process in fs::read_dir("/proc").ok()?.flatten() {
        let Some(pid) = process
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok())
        else {
            continue;
        };
        if has_open(&process.path(), &device) {
            let name = fs::read_to_string(process.path().join("comm")).unwrap_or_default();
            let name = name.trim().to_owned();
            // Another process tells more than this one, which may have the
            // port open only to ask.
            if pid != own {
                return Some(Holder { pid, name });
            }
            found = Some(Holder { pid, name });
        }
    }
    found
}

fn has_open(process: &Path, device: &Path) -> bool {
    let Ok(descriptors) = fs::read_dir(process.join("fd")) else {
        return false;
    };
    descriptors
        .flatten()
        .any(|descriptor| fs::read_link(descriptor.path()).is_ok_and(|target| target == device))
}
