//! Which face answers which path.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use tokio::time::timeout;

use super::config::Config;
use super::ecotracker::Minute;
use super::problem::Problem;
use super::shelly::Shelly;
use super::shown::Chooser;
use super::site::Site;
use super::{api, ecotracker, host, metrics, shelly, tasmota, vzlogger};

/// An answer begins within this.
const ANSWER: Duration = Duration::from_secs(20);

/// No request says more than this.
const LONGEST_BODY: usize = 16 * 1024;

/// The faces that the configuration turns on.
pub(super) fn router(config: &Config, shared: &Shared) -> Router {
    let site = || shared.site.clone();
    let mut faces = Faces::default();
    if config.metrics {
        faces.add("/metrics", metrics::router(site()));
    }
    if config.api {
        faces.add("/api/v1/openapi.json", api::router(site()));
    }
    if config.vzlogger {
        faces.add("/", vzlogger::router(site()));
    }
    if config.tasmota {
        let face = tasmota::router(shared.chooser.clone());
        faces.add("/cm?cmnd=status%2010", face);
    }
    if config.ecotracker {
        let face = ecotracker::router(shared.chooser.clone(), shared.minute.clone());
        faces.add("/v1/json", face);
    }
    if let Some(shelly) = shared.shelly.clone() {
        faces.add("/rpc/Shelly.ListMethods", shelly::router(shelly));
    }
    let there: Arc<str> = faces.there.join(", ").into();
    let hosts: Arc<[String]> = config.hosts.clone().into();
    faces
        .router
        .fallback(move || async move { nothing(&there) })
        .method_not_allowed_fallback(not_allowed)
        .layer(DefaultBodyLimit::max(LONGEST_BODY))
        .layer(from_fn_with_state(hosts, guard))
}

/// The faces so far, and where each of them begins.
#[derive(Default)]
struct Faces {
    router: Router,
    there: Vec<&'static str>,
}

impl Faces {
    fn add(&mut self, begin: &'static str, face: Router) {
        self.router = std::mem::take(&mut self.router).merge(face);
        self.there.push(begin);
    }
}

/// What several faces have in common.
pub(super) struct Shared {
    site: Site,
    pub(super) chooser: Chooser,
    pub(super) minute: Minute,
    pub(super) shelly: Option<Shelly>,
}

impl Shared {
    pub(super) fn new(config: &Config, site: &Site) -> Self {
        let chooser = Chooser::new(site.clone(), config.meter.clone());
        Self {
            shelly: config.shelly.map(|device| Shelly {
                device,
                chooser: chooser.clone(),
            }),
            minute: Minute::default(),
            site: site.clone(),
            chooser,
        }
    }
}

fn nothing(there: &str) -> Problem {
    let detail = if there.is_empty() {
        "the configuration turns on nothing in [http]".to_owned()
    } else {
        format!("nothing is here; there is: {there}")
    };
    Problem::new(StatusCode::NOT_FOUND, detail)
}

async fn not_allowed() -> Problem {
    Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "this can only be read, with GET",
    )
}

/// What holds for every request.
async fn guard(State(hosts): State<Arc<[String]>>, request: Request, next: Next) -> Response {
    if let Err(problem) = host::check(request.headers(), &hosts) {
        return problem.into_response();
    }
    timeout(ANSWER, next.run(request))
        .await
        .unwrap_or_else(|_| {
            let detail = "the answer took too long; the journal's disk may be busy, ask again";
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail).into_response()
        })
}
