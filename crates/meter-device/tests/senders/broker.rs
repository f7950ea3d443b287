//! A real mosquitto for a device.

use std::fs;

use fixtures::Mosquitto;

use crate::http_server::{Secured, secure};

const RIGHTS: &str = "user device\ntopic write meterline/#\ntopic write homeassistant/device/#\n\
    topic read homeassistant/status\n";

/// With further lines of its settings. `None` where it is not installed, which is a failure in CI.
pub(crate) async fn start(further: &str) -> Option<Mosquitto> {
    Mosquitto::start(RIGHTS, further).await.unwrap()
}

/// A connection with TLS.
pub(crate) async fn connect(broker: &Mosquitto) -> Secured {
    secure(broker.tls, &fs::read_to_string(broker.ca()).unwrap()).await
}
