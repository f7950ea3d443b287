//! The short answers by UDP that batteries steer by.

use std::time::Duration;

use serde_json::Value;
use tokio::net::UdpSocket;
use tokio::time::sleep;

use super::{Shelly, status};
use crate::serve::object::Object;
use crate::serve::shown::Unavailable;

/// No request is longer.
const LONGEST: usize = 1024;

/// The pause after an error of the socket.
const PAUSE: Duration = Duration::from_millis(100);

/// Answers until it is dropped. What is no request, and what cannot be answered honestly, gets no answer.
pub(in crate::serve) async fn answer(shelly: Shelly, socket: UdpSocket) {
    let mut buffer = [0; LONGEST];
    loop {
        let (length, peer) = match socket.recv_from(&mut buffer).await {
            Ok(received) => received,
            // An answer to somebody who was gone already comes back as an error.
            Err(error) => {
                tracing::debug!("http: {error}");
                sleep(PAUSE).await;
                continue;
            }
        };
        let request = buffer.get(..length).unwrap_or_default();
        let Some(answer) = reply(&shelly, request) else {
            tracing::debug!("http: {peer} asked by UDP for what is not there");
            continue;
        };
        if let Err(error) = socket.send_to(answer.as_bytes(), peer).await {
            tracing::debug!("http: {peer}: {error}");
        }
    }
}

fn reply(shelly: &Shelly, request: &[u8]) -> Option<String> {
    let request: Value = serde_json::from_slice(request).ok()?;
    if !request["params"]["id"].is_number() {
        return None;
    }
    let result = match request["method"].as_str()? {
        "EM.GetStatus" => three(shelly),
        "EM1.GetStatus" => one(shelly),
        _ => return None,
    };
    let frame = Object::new()
        .raw("id", &request["id"])
        .text("src", shelly.id()?)
        .text("dst", "unknown");
    Some(frame.raw("result", result.ok()?).end())
}

fn three(shelly: &Shelly) -> Result<String, Unavailable> {
    let glance = shelly.chooser.glance();
    let shown = shelly.chooser.shown(&glance)?;
    let mut result = Object::new();
    for (key, power) in ["a_act_power", "b_act_power", "c_act_power"]
        .into_iter()
        .zip(status::phases(&shown)?)
    {
        result = result.raw(key, status::fractional(power));
    }
    let total = status::fractional(shown.power()?);
    Ok(result.raw("total_act_power", total).end())
}

fn one(shelly: &Shelly) -> Result<String, Unavailable> {
    let glance = shelly.chooser.glance();
    let power = shelly.chooser.shown(&glance)?.power()?;
    Ok(Object::new()
        .raw("act_power", status::fractional(power))
        .end())
}
