//! `/metrics`: what the meters say and how the program is, for Prometheus.
//!
//! In the text format that Prometheus has always read, or in `OpenMetrics` where the request asks for it. What a
//! meter says is there only while it [is fresh](super::Glance::is_fresh); its age is always there.

mod health;
mod meters;
mod page;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderMap, VARY};

use super::site::{Glance, Site};
use page::{Format, Page};

pub(super) fn router(site: Site) -> Router {
    Router::new()
        .route("/metrics", get(answer))
        .with_state(site)
}

async fn answer(State(site): State<Site>, headers: HeaderMap) -> Response {
    let accept = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok());
    let format = Format::wanted(accept.unwrap_or_default());
    let kind = [(CONTENT_TYPE, format.content_type()), (VARY, "Accept")];
    (kind, write(&site.glance(), format)).into_response()
}

/// The whole page.
fn write(glance: &Glance, format: Format) -> String {
    let mut page = Page::new(format);
    meters::write(glance, &mut page);
    health::write(glance, &mut page);
    page.finish()
}
