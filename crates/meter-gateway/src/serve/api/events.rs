//! Readings as they come, as server-sent events.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt::Write as _;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http_body_util::channel::{Channel, Sender};
use meter_core::UnixMillis;
use serde::Deserialize;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{MissedTickBehavior, interval};

use super::meters::written;
use super::{Api, LISTENERS};
use crate::input::MeterName;
use crate::serve::problem::Problem;
use crate::serve::site::{Glance, Site};

/// While no reading comes, a comment says this often that the connection lives.
const STILL_HERE: Duration = Duration::from_secs(15);

/// What a request may say.
#[derive(Debug, Deserialize)]
pub(super) struct Asked {
    meter: Option<String>,
}

/// Begins with the newest reading of each meter that is fresh. A client that is slower than the meters
/// misses readings and never the newest one.
pub(super) async fn answer(
    State(api): State<Api>,
    Query(asked): Query<Asked>,
) -> Result<Response, Problem> {
    let meter = asked.meter.map(|meter| meter.parse::<MeterName>());
    let meter = meter
        .transpose()
        .map_err(|error| Problem::new(StatusCode::BAD_REQUEST, format!("meter: {error}")))?;
    let Ok(place) = api.listeners.clone().try_acquire_owned() else {
        let detail = format!("{LISTENERS} clients listen already, and one of them has to go first");
        return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail));
    };
    let (sender, body) = Channel::<Bytes, Infallible>::new(1);
    tokio::spawn(tell(api.site.clone(), meter, sender, place));
    let headers = [
        (CONTENT_TYPE, "text/event-stream"),
        (CACHE_CONTROL, "no-store"),
    ];
    Ok((headers, Body::new(body)).into_response())
}

/// Tells of readings until nobody listens any more, or the program ends.
async fn tell(
    mut site: Site,
    meter: Option<MeterName>,
    mut sender: Sender<Bytes>,
    place: OwnedSemaphorePermit,
) {
    let mut told = BTreeMap::new();
    let mut still_here = interval(STILL_HERE);
    still_here.set_missed_tick_behavior(MissedTickBehavior::Delay);
    still_here.reset();
    let mut first = true;
    loop {
        site.view.mark_unchanged();
        let glance = site.glance();
        let mut text = news(&glance, meter.as_ref(), &mut told);
        if std::mem::take(&mut first) {
            // So that a client knows at once that it is heard.
            text.insert_str(0, ": readings follow\n\n");
        }
        if !text.is_empty() && sender.send_data(text.into()).await.is_err() {
            break;
        }
        tokio::select! {
            changed = site.view.changed() => if changed.is_err() { break },
            _ = still_here.tick() => {
                if sender.send_data(Bytes::from_static(b": still here\n\n")).await.is_err() {
                    break;
                }
            }
        }
    }
    drop(place);
}

/// The readings that were not told yet. What was there before the first look is told while it is fresh.
fn news(
    glance: &Glance,
    meter: Option<&MeterName>,
    told: &mut BTreeMap<Box<[u8]>, UnixMillis>,
) -> String {
    let mut text = String::new();
    for (id, view) in &glance.snapshot.meters {
        let wanted = meter.is_none_or(|meter| meter.is(id));
        if !wanted || told.get(id) == Some(&view.time) {
            continue;
        }
        told.insert(id.clone(), view.time);
        if let Some(reading) = written(view).filter(|_| glance.is_fresh(view)) {
            let _ = write!(text, "event: reading\ndata: {reading}\n\n");
        }
    }
    text
}
