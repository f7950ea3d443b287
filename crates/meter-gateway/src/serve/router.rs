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
use super::problem::Problem;
use super::site::Site;
use super::{api, host, metrics};

/// An answer begins within this.
const ANSWER: Duration = Duration::from_secs(20);

/// No request says more than this.
const LONGEST_BODY: usize = 16 * 1024;

/// The faces that the configuration turns on.
pub(super) fn router(config: &Config, site: &Site) -> Router {
    let mut router = Router::new();
    let mut there = Vec::new();
    if config.metrics {
        router = router.merge(metrics::router(site.clone()));
        there.push("/metrics");
    }
    if config.api {
        router = router.merge(api::router(site.clone()));
        there.push("/api/v1/openapi.json");
    }
    let there: Arc<str> = there.join(", ").into();
    let hosts: Arc<[String]> = config.hosts.clone().into();
    router
        .fallback(move || async move { nothing(&there) })
        .method_not_allowed_fallback(not_allowed)
        .layer(DefaultBodyLimit::max(LONGEST_BODY))
        .layer(from_fn_with_state(hosts, guard))
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
