//! What the script of Home Assistant does and shows.

use std::collections::BTreeMap;
use std::env;
use std::error::Error;
use std::process::Command;

use serde_json::Value as Json;

/// One of the script's own commands, such as `broker-restart`.
pub fn control(what: &str) -> Result<Vec<u8>, Box<dyn Error>> {
    let command = format!("{} {what}", env::var("HA_CTL")?);
    let output = Command::new("sh").arg("-c").arg(&command).output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    Ok(output.stdout)
}

/// What Home Assistant shows, by the ids that the program gave; nothing while it starts.
pub fn entities() -> BTreeMap<String, Json> {
    let states = control("states").unwrap_or_default();
    let list: Json = serde_json::from_slice(&states).unwrap_or_default();
    let list = list.as_array().cloned().unwrap_or_default();
    let with_id = list
        .into_iter()
        .filter_map(|entity| Some((entity["unique_id"].as_str()?.to_owned(), entity)));
    with_id.collect()
}
