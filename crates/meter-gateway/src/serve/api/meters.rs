//! The meters, and their newest readings.

use axum::extract::{Path, State};
use axum::response::Response;
use http::StatusCode;
use meter_core::{Reading, ServerId, Stamped, Unit, payload};
use serde_json::{Value, json};

use super::{Api, find, json};
use crate::run::MeterView;
use crate::serve::problem::Problem;
use crate::serve::site::Glance;
use crate::serve::vzlogger::channel;

pub(super) async fn all(State(api): State<Api>) -> Response {
    let glance = api.site.glance();
    let meters = glance.snapshot.meters.iter();
    let meters: Vec<_> = meters.map(|(id, view)| meter(&glance, id, view)).collect();
    json(StatusCode::OK, json!({ "meters": meters }).to_string())
}

pub(super) async fn one(
    State(api): State<Api>,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    let glance = api.site.glance();
    let (id, view) = find(&glance, &name)?;
    Ok(json(StatusCode::OK, meter(&glance, id, view).to_string()))
}

pub(super) async fn latest(
    State(api): State<Api>,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    let glance = api.site.glance();
    let (_, view) = find(&glance, &name)?;
    let reading = written(view).ok_or_else(|| {
        let detail = "the newest reading of this meter cannot be read back";
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, detail)
    })?;
    let fresh = glance.is_fresh(view);
    let age = seconds(&glance, view);
    let body = format!("{{\"fresh\":{fresh},\"age_seconds\":{age},\"reading\":{reading}}}");
    Ok(json(StatusCode::OK, body))
}

/// The newest reading of a meter as JSON.
pub(super) fn written(view: &MeterView) -> Option<String> {
    let reading = Reading::from_bytes(&view.body).ok()?;
    let time = view.time;
    let mut text = String::new();
    payload::json(&[Stamped { time, reading }], &mut text).ok()?;
    Some(text)
}

/// The age of its newest reading, to the millisecond.
fn seconds(glance: &Glance, view: &MeterView) -> Value {
    let millis = glance.age(view).map(|age| age.as_millis());
    millis.map_or(Value::Null, |millis| {
        let text = format!("{}.{:03}", millis / 1000, millis % 1000);
        serde_json::from_str(&text).unwrap_or_default()
    })
}

/// All that is known of a meter but the values.
fn meter(glance: &Glance, id: &[u8], view: &MeterView) -> Value {
    let server_id = ServerId(id);
    let reading = Reading::from_bytes(&view.body).ok();
    let maker = reading.as_ref().and_then(Reading::manufacturer);
    let registers = reading.iter().flat_map(Reading::registers).map(|register| {
        let description = register.description();
        json!({
            "obis": register.obis.to_string(),
            "name": description.map(|description| description.name),
            "unit": register.unit.and_then(Unit::symbol),
            "uuid": register.number().map(|_| channel(id, register.obis).to_string()),
        })
    });
    json!({
        "id": server_id.meter_id().compact().to_string(),
        "meter_id": server_id.meter_id().to_string(),
        "server_id": server_id.to_string(),
        "manufacturer": maker.map(|maker| maker.to_string()),
        "input": view.input,
        "time": view.time.to_string(),
        "age_seconds": seconds(glance, view),
        "fresh": glance.is_fresh(view),
        "readings": view.readings,
        "suspects": view.suspects,
        "registers": registers.collect::<Vec<_>>(),
    })
}
