//! A Shelly energy meter of the second generation or later: RPC by HTTP and by UDP.
//!
//! | device | methods |
//! |---|---|
//! | Pro 3EM | `EM.GetStatus`, `EMData.GetStatus` |
//! | EM Gen3, Pro EM-50 | `EM1.GetStatus`, `EM1Data.GetStatus` |
//!
//! Batteries ask by UDP and steer by the answer, so there a value that is too old gets no answer at all; by HTTP it is
//! Shelly's own error for what is unavailable.

mod device;
mod status;
mod udp;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use serde_json::Value;

use super::object::Object;
use super::shown::{Chooser, Unavailable};

pub use device::Device;
pub(super) use udp::answer as answer_udp;

/// What a Shelly says of a method that it does not have.
const NO_METHOD: i32 = 404;

/// What it says of values that it cannot have now.
const UNAVAILABLE: i32 = -114;

/// What it says of a request that it does not understand.
const BAD_REQUEST: i32 = -103;

/// The device that is shown.
#[derive(Clone)]
pub(super) struct Shelly {
    pub(super) device: Device,
    pub(super) chooser: Chooser,
}

/// Why a method has no result.
struct Failure {
    code: i32,
    message: String,
}

impl From<Unavailable> for Failure {
    fn from(why: Unavailable) -> Self {
        Self {
            code: UNAVAILABLE,
            message: why.to_string(),
        }
    }
}

impl Failure {
    fn status(&self) -> StatusCode {
        match self.code {
            NO_METHOD => StatusCode::NOT_FOUND,
            UNAVAILABLE => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::BAD_REQUEST,
        }
    }

    fn written(&self) -> String {
        Object::new()
            .raw("code", self.code)
            .text("message", &self.message)
            .end()
    }
}

pub(super) fn router(shelly: Shelly) -> Router {
    Router::new()
        .route("/shelly", get(info))
        .route("/rpc", post(framed))
        .route("/rpc/{method}", get(plain).post(plain))
        .with_state(shelly)
}

fn json(status: StatusCode, body: String) -> Response {
    (status, [(CONTENT_TYPE, "application/json")], body).into_response()
}

async fn info(State(shelly): State<Shelly>) -> Response {
    bare(shelly.call("Shelly.GetDeviceInfo"))
}

/// A method in the path: the answer is its result alone. Parameters say which of several meters is meant, and there
/// is one.
async fn plain(State(shelly): State<Shelly>, Path(method): Path<String>) -> Response {
    bare(shelly.call(&method))
}

fn bare(outcome: Result<String, Failure>) -> Response {
    match outcome {
        Ok(result) => json(StatusCode::OK, result),
        Err(failure) => json(failure.status(), failure.written()),
    }
}

/// A request in a frame of JSON-RPC: so is its answer.
async fn framed(State(shelly): State<Shelly>, body: Bytes) -> Response {
    let request: Value = serde_json::from_slice(&body).unwrap_or_default();
    let Some(method) = request["method"].as_str() else {
        let failure = Failure {
            code: BAD_REQUEST,
            message: "this is no request of JSON-RPC: there is no method in it".to_owned(),
        };
        return bare(Err(failure));
    };
    let outcome = shelly.call(method);
    let source = shelly.id().unwrap_or_default();
    let destination = request["src"].as_str().unwrap_or("unknown");
    let frame = Object::new()
        .raw("id", &request["id"])
        .text("src", source)
        .text("dst", destination);
    match outcome {
        Ok(result) => json(StatusCode::OK, frame.raw("result", result).end()),
        Err(failure) => {
            let frame = frame.raw("error", failure.written());
            json(failure.status(), frame.end())
        }
    }
}

impl Shelly {
    /// The result of a method, as JSON.
    fn call(&self, method: &str) -> Result<String, Failure> {
        if !self.device.methods().contains(&method) {
            return Err(Failure {
                code: NO_METHOD,
                message: format!("No handler for {method}"),
            });
        }
        let glance = self.chooser.glance();
        let shown = || self.chooser.shown(&glance);
        Ok(match method {
            "Shelly.ListMethods" => self.device.list(),
            "Shelly.GetDeviceInfo" => {
                let (meter, _) = self.chooser.meter(&glance)?;
                self.device.info(meter)
            }
            "Shelly.GetStatus" => {
                let shown = shown()?;
                let (meter, _) = self.chooser.meter(&glance)?;
                self.device.status(meter, &shown)?
            }
            "EM.GetStatus" => status::em(&shown()?)?,
            "EMData.GetStatus" => status::em_data(&shown()?),
            "EM1.GetStatus" => status::em1(&shown()?)?,
            _ => status::em1_data(&shown()?),
        })
    }

    /// What the device calls itself, once it is known which meter it shows.
    fn id(&self) -> Option<String> {
        let glance = self.chooser.glance();
        let (meter, _) = self.chooser.meter(&glance).ok()?;
        Some(self.device.id(meter))
    }
}
