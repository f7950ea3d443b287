//! `/api/v1/`: meters, readings and health as JSON, for dashboards.
//!
//! | path | what |
//! |---|---|
//! | `/api/v1/meters` | every meter that is known, with the age of its newest reading |
//! | `/api/v1/meters/{meter}` | one of them |
//! | `/api/v1/meters/{meter}/latest` | its newest reading |
//! | `/api/v1/meters/{meter}/readings` | its readings in a range of times, as JSON or CSV |
//! | `/api/v1/events` | readings as they come, as server-sent events |
//! | `/api/v1/health` | whether everything works |
//! | `/api/v1/openapi.json` | all of this for programs |
//!
//! A reading is the JSON of the output format `json`. Errors are RFC 9457 problems.

mod csv;
mod events;
mod health;
mod meters;
mod openapi;
mod range;
mod readings;

use std::sync::Arc;

use axum::Router;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use tokio::sync::Semaphore;

use super::problem::Problem;
use super::site::{Glance, Site};
use crate::input::MeterName;
use crate::run::MeterView;

/// Clients that may listen to events at once.
const LISTENERS: usize = 16;

/// Answers that may read the journal's file at once; the others wait.
const READERS: usize = 2;

/// What the answers are made from.
#[derive(Clone)]
pub(super) struct Api {
    site: Site,
    listeners: Arc<Semaphore>,
    readers: Arc<Semaphore>,
}

pub(super) fn router(site: Site) -> Router {
    let api = Api {
        site,
        listeners: Arc::new(Semaphore::new(LISTENERS)),
        readers: Arc::new(Semaphore::new(READERS)),
    };
    Router::new()
        .route("/api/v1/meters", get(meters::all))
        .route("/api/v1/meters/{meter}", get(meters::one))
        .route("/api/v1/meters/{meter}/latest", get(meters::latest))
        .route("/api/v1/meters/{meter}/readings", get(readings::answer))
        .route("/api/v1/events", get(events::answer))
        .route("/api/v1/health", get(health::answer))
        .route("/api/v1/openapi.json", get(openapi::answer))
        .with_state(api)
}

/// JSON that is already written.
fn json(status: StatusCode, body: String) -> Response {
    let headers = [
        (CONTENT_TYPE, "application/json"),
        (CACHE_CONTROL, "no-store"),
    ];
    (status, headers, body).into_response()
}

/// The meter that is called so, by its server id.
fn find<'g>(glance: &'g Glance, name: &str) -> Result<(&'g [u8], &'g MeterView), Problem> {
    let wanted = name.parse::<MeterName>().ok();
    let mut meters = glance.snapshot.meters.iter();
    let found = wanted.and_then(|wanted| meters.find(|(id, _)| wanted.is(id)));
    found.map(|(id, view)| (&**id, view)).ok_or_else(|| {
        let detail = format!("no meter is called {name:?}; /api/v1/meters lists them all");
        Problem::new(StatusCode::NOT_FOUND, detail)
    })
}
