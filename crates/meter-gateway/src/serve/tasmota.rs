//! A Tasmota head: `/cm?cmnd=status 10`, and `status 8`, which is the same.
//!
//! With the names that evcc's description of such a head asks for. Energy is in kWh, and power in whole W as there:
//! readers take it for an integer.

use axum::Router;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::header::CONTENT_TYPE;
use meter_core::Decimal;
use serde::Deserialize;

use super::object::Object;
use super::problem::Problem;
use super::shown::{Chooser, Shown, Unavailable};

pub(super) fn router(chooser: Chooser) -> Router {
    Router::new().route("/cm", get(answer)).with_state(chooser)
}

/// What a request may say; user and password are not asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Asked {
    cmnd: String,
}

async fn answer(
    State(chooser): State<Chooser>,
    Query(asked): Query<Asked>,
) -> Result<Response, Problem> {
    let words: Vec<_> = asked
        .cmnd
        .split_whitespace()
        .map(str::to_lowercase)
        .collect();
    let body = match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["status", "8" | "10"] => {
            let glance = chooser.glance();
            sensors(&chooser.shown(&glance)?)?
        }
        _ => Object::new().text("Command", "Unknown").end(),
    };
    Ok(([(CONTENT_TYPE, "application/json")], body).into_response())
}

fn sensors(shown: &Shown<'_>) -> Result<String, Unavailable> {
    let kilo = |energy: Option<Decimal>| energy.and_then(|energy| energy.rescaled(-3));
    let mut sml = Object::new()
        .if_there("Total_in", kilo(shown.import(0)))
        .if_there("Total_out", kilo(shown.export()))
        .raw("Power_curr", shown.power()?.cut(0));
    let powers = shown.powers().map(|power| power.map(|power| power.cut(0)));
    for (key, power) in ["power_l1", "power_l2", "power_l3"].into_iter().zip(powers) {
        sml = sml.if_there(key, power);
    }
    let keys = ["voltage_l1", "voltage_l2", "voltage_l3"];
    for (key, voltage) in keys.into_iter().zip(shown.voltages()) {
        sml = sml.if_there(key, voltage);
    }
    let keys = ["current_l1", "current_l2", "current_l3"];
    for (key, current) in keys.into_iter().zip(shown.currents()) {
        sml = sml.if_there(key, current);
    }
    // Tasmota's time has neither fractions nor a zone.
    let time = shown.time.to_string();
    let time = time.split('.').next().unwrap_or_default();
    let sensors = Object::new().text("Time", time).raw("SML", sml.end());
    Ok(Object::new().raw("StatusSNS", sensors.end()).end())
}
