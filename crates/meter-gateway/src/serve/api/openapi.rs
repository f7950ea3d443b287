//! The description of the API for programs (`OpenAPI` 3.1).

use std::sync::LazyLock;

use axum::response::Response;
use http::StatusCode;
use meter_core::payload::json::SCHEMA;
use serde_json::Value;

use super::json;

/// All of it but the reading, which has a schema of its own.
const DESCRIPTION: &str = include_str!("openapi.json");

static WHOLE: LazyLock<String> = LazyLock::new(|| {
    let mut description: Value = serde_json::from_str(DESCRIPTION).unwrap_or_default();
    let mut reading: Value = serde_json::from_str(SCHEMA).unwrap_or_default();
    if let Some(reading) = reading.as_object_mut() {
        // OpenAPI 3.1 has the dialect of JSON Schema for all of them.
        reading.remove("$schema");
    }
    if let Some(place) = description.pointer_mut("/components/schemas/Reading") {
        *place = reading;
    }
    if let Some(place) = description.pointer_mut("/info/version") {
        *place = env!("CARGO_PKG_VERSION").into();
    }
    description.to_string()
});

pub(super) async fn answer() -> Response {
    json(StatusCode::OK, WHOLE.clone())
}
