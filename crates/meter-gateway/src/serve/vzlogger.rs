//! vzlogger's local interface: `/` for all channels, `/<uuid>` for one.
//!
//! A channel is a register of a meter. Its UUID is made from both (version 5, RFC 9562), so that it is the same on
//! every machine and for ever; `/api/v1/meters` tells which is which. A channel whose value is too old has no tuples,
//! as vzlogger's own when nothing was read yet.

use axum::Router;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use meter_core::{Obis, Reading, ServerId};
use uuid::Uuid;

use super::object::Object;
use super::problem::Problem;
use super::site::{Glance, Site};
use crate::run::MeterView;

/// The vzlogger whose answers these are: the first that tells the OBIS code.
const VERSION: &str = "0.8.10";

pub(super) fn router(site: Site) -> Router {
    Router::new()
        .route("/", get(all))
        .route("/{uuid}", get(one))
        .with_state(site)
}

/// The channel of a register.
pub(super) fn channel(meter: &[u8], obis: Obis) -> Uuid {
    let name = format!("meterline:{}:{obis}", ServerId(meter));
    Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes())
}

async fn all(State(site): State<Site>) -> Response {
    answer(&site.glance(), |_| true)
}

async fn one(State(site): State<Site>, Path(name): Path<String>) -> Response {
    match name.parse::<Uuid>() {
        Ok(wanted) => answer(&site.glance(), |channel| channel == wanted),
        Err(_) => Problem::new(
            StatusCode::NOT_FOUND,
            "this is no channel; / lists them all",
        )
        .into_response(),
    }
}

fn answer(glance: &Glance, wanted: impl Fn(Uuid) -> bool) -> Response {
    let mut data = Vec::new();
    for (id, view) in &glance.snapshot.meters {
        let fresh = glance.is_fresh(view);
        let reading = Reading::from_bytes(&view.body).ok();
        for register in reading.iter().flat_map(Reading::registers) {
            let uuid = channel(id, register.obis);
            if let Some(number) = register.number().filter(|_| wanted(uuid)) {
                let number = fresh.then(|| number.to_string());
                data.push(written(uuid, register.obis, view, number));
            }
        }
    }
    // vzlogger lists nothing and says 404 where it knows no such channel.
    let status = if data.is_empty() {
        StatusCode::NOT_FOUND
    } else {
        StatusCode::OK
    };
    let body = Object::new()
        .text("version", VERSION)
        .text("generator", "vzlogger")
        .raw("data", format_args!("[{}]", data.join(",")))
        .end();
    (status, [(CONTENT_TYPE, "application/json")], body).into_response()
}

fn written(uuid: Uuid, obis: Obis, view: &MeterView, number: Option<String>) -> String {
    let time = view.time.0;
    Object::new()
        .text("uuid", uuid)
        .text("obis", obis)
        .raw("last", time)
        .raw("interval", -1)
        .text("protocol", "sml")
        .if_there(
            "tuples",
            number.map(|number| format!("[[{time},{number}]]")),
        )
        .end()
}
