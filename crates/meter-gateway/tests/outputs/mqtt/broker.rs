//! A mosquitto whose users may do what ours need.

use std::io;

use fixtures::Mosquitto;

const RIGHTS: &str = "user meterline\ntopic write meterline/#\ntopic read meterline/#\n\
    topic readwrite homeassistant/#\ntopic write v1/#\n\
    user stranger\ntopic write elsewhere/#\n";

/// With further lines of its settings. `None` where it is not installed.
pub async fn start(further: &str) -> io::Result<Option<Mosquitto>> {
    Mosquitto::start(RIGHTS, further).await
}
