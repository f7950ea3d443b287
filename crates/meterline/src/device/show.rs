//! A device's answers for people.

use std::fmt::Write as _;

use meter_core::UnixMillis;
use meter_gateway::config::Duration;
use serde_json::Value;

/// The answer to `info`.
pub fn info(info: &Value) -> String {
    let mut out = String::new();
    let mut row = |name: &str, text: String| {
        // Writing into a String cannot fail.
        let _ = writeln!(out, "{name:<10}{text}");
    };
    row("node", text(&info["node"]));
    row(
        "firmware",
        format!(
            "{} on {}, run {} (started by {}), for {}",
            text(&info["firmware"]),
            text(&info["board"]),
            info["boot"],
            text(&info["start"]),
            span(&info["uptime_s"]),
        ),
    );
    row(
        "time",
        time(&info["time_ms"]).unwrap_or("not known yet".into()),
    );
    row("network", network(&info["network"]));
    row("meter", meter(&info["meter"]));
    row("waiting", waiting(&info["outbox"], &info["overrun"]));
    row("delivery", delivery(&info["delivery"]));
    let memory = &info["memory"];
    row(
        "memory",
        format!(
            "heap {} of {} bytes at most, stack {} of {}",
            memory["heap_peak"], memory["heap"], memory["stack_peak"], memory["stack"]
        ),
    );
    if let Some(error) = info["settings_error"].as_str() {
        row("settings", error.to_owned());
    }
    row("settings", info["settings"].to_string());
    out
}

/// The answer to `log`.
pub fn log(log: &Value) -> String {
    let entries = log.as_array().map(Vec::as_slice).unwrap_or_default();
    if entries.is_empty() {
        return "no crash and no error was recorded\n".to_owned();
    }
    let mut out = String::new();
    for entry in entries {
        let when = time(&entry["time_ms"]).unwrap_or("time not known".into());
        let kind = text(&entry["kind"]);
        let run = match entry["boot"].as_u64() {
            Some(boot) => format!(", run {boot} after {}", span(&entry["uptime_s"])),
            None => String::new(),
        };
        let what = match entry["status"].as_u64() {
            Some(status) => format!(
                "the server refused a reading for good ({status}): {}",
                text(&entry["reading"])
            ),
            None => text(&entry["text"]),
        };
        let _ = writeln!(out, "{when}{run}: {kind}: {what}");
    }
    out
}

fn network(network: &Value) -> String {
    if network.is_null() {
        return "not joined".to_owned();
    }
    let address = text(&network["address"]);
    match (network["ssid"].as_str(), network["signal_dbm"].as_i64()) {
        (Some(ssid), Some(signal)) => format!("{ssid}, {signal} dBm, {address}"),
        (Some(ssid), None) => format!("{ssid}, {address}"),
        (None, _) => format!("cable, {address}"),
    }
}

fn meter(meter: &Value) -> String {
    if meter.is_null() {
        return "none was heard: turn the head until the display says that it reads".to_owned();
    }
    let suspect = match meter["suspect"].as_bool() {
        Some(true) => {
            ": its readings are refused as implausible; if it is a new meter, `meterline device accept`"
        }
        _ => "",
    };
    format!(
        "{}, last reading {} ago{suspect}",
        text(&meter["id"]),
        span(&meter["age_s"])
    )
}

fn waiting(outbox: &Value, overrun: &Value) -> String {
    let mut out = format!(
        "{} in memory, {} in flash",
        outbox["in_memory"], outbox["in_flash"]
    );
    for (key, meaning) in [
        ("thinned", "thinned to quarter-hours"),
        ("dropped", "dropped"),
        ("corrupt", "places damaged"),
    ] {
        if outbox[key].as_u64() > Some(0) {
            let _ = write!(out, ", {} {meaning}", outbox[key]);
        }
    }
    if overrun.as_u64() > Some(0) {
        let _ = write!(out, "; {overrun} bytes of the meter came too fast");
    }
    out
}

fn delivery(delivery: &Value) -> String {
    let last = if delivery["last_s"].is_null() {
        "none yet".to_owned()
    } else {
        format!("{} ago", span(&delivery["last_s"]))
    };
    match delivery["error"].as_str() {
        Some(error) => format!("{last}; {error}"),
        None => last,
    }
}

/// What a device says is shown as it is, but for what would move the cursor.
fn text(value: &Value) -> String {
    let text = value.as_str().unwrap_or("?");
    text.replace(|c: char| c.is_control(), " ")
}

fn span(seconds: &Value) -> String {
    let seconds = seconds.as_u64().unwrap_or_default();
    Duration::from_secs(seconds).to_string()
}

fn time(millis: &Value) -> Option<String> {
    millis.as_i64().map(|millis| UnixMillis(millis).to_string())
}
