//! A browser that sets up a device: the public SDK of Improv Wi-Fi, run by Node.js.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use super::Result;

/// All that the SDK needs, in a folder of this crate.
const FILES: [&str; 4] = [
    "package.json",
    "package-lock.json",
    "bundler.mjs",
    "browser.mjs",
];

/// Connects to the console at `place`, `tcp:HOST:PORT` or `unix:PATH`, and calls methods of the SDK:
/// `[["scan"], ["provision", "SSID", "PASSWORD"]]`. Gives what it was told.
///
/// `None`, which is said, where there is no Node.js, or the SDK cannot be installed.
///
/// # Panics
///
/// With `CI=true` where one of them is missing.
pub fn browser(place: &str, calls: &Value) -> Result<Option<Value>> {
    let folder = tempfile::tempdir()?;
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("improv");
    for file in FILES {
        fs::copy(from.join(file), folder.path().join(file))?;
    }
    let install = [
        "ci",
        "--prefer-offline",
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
    ];
    match run("npm", &install, folder.path())? {
        Some(output) if output.status.success() => {}
        Some(output) => {
            recordings::missing(&format!(
                "the SDK of Improv cannot be installed: {}",
                String::from_utf8_lossy(&output.stderr)
            ));
            return Ok(None);
        }
        None => {
            recordings::missing("no npm to install the SDK of Improv with: install Node.js");
            return Ok(None);
        }
    }
    let calls = calls.to_string();
    let output = run("node", &["browser.mjs", place, &calls], folder.path())?;
    let output = output.ok_or("npm is there, and node is not")?;
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(format!("the SDK failed: {said}").into());
    }
    if !said.is_empty() {
        return Err(format!("the SDK found something wrong: {said}").into());
    }
    Ok(Some(serde_json::from_slice(&output.stdout)?))
}

/// Runs a program in a folder; `None` where there is none of this name.
fn run(program: &str, arguments: &[&str], folder: &Path) -> Result<Option<Output>> {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .output();
    match output {
        Ok(output) => Ok(Some(output)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(format!("{program}: {error}").into()),
    }
}
