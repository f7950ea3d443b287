//! Readings in a range of times, out of the journal.
//!
//! They come in the order in which they were stored. That is the order of their times, but for readings that were
//! accepted or got their time later.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderMap};
use http_body_util::channel::{Channel, Sender};
use meter_core::{Reading, ServerId, Stamped, payload};
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use super::range::{Asked, Format, Range};
use super::{Api, csv, find, json};
use crate::journal::{Look, OpenError, Part, Record, Span};
use crate::serve::problem::Problem;

pub(super) async fn answer(
    State(api): State<Api>,
    Path(name): Path<String>,
    asked: Result<Query<Asked>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let range = Range::read(asked, &headers)?;
    let glance = api.site.glance();
    let (id, _) = find(&glance, &name)?;
    let span = Span {
        meter: id.into(),
        from: range.from,
        to: range.to,
    };
    let journal = api.site.journal.clone();
    let readers = Arc::clone(&api.readers);
    let look = read(&readers, move || journal.look()).await?;
    let reader = Reader {
        look,
        span,
        readers,
    };
    match range.format {
        Format::Json => one_page(reader, range).await,
        Format::Csv => whole(reader, range).await,
    }
}

fn away(error: &dyn std::error::Error) -> Problem {
    let detail = format!("the journal cannot be read at the moment: {error}");
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail)
}

/// Does what may wait for the disk, when it is its turn.
async fn read<T: Send + 'static>(
    readers: &Semaphore,
    work: impl FnOnce() -> Result<T, OpenError> + Send + 'static,
) -> Result<T, Problem> {
    let turn = readers.acquire().await.map_err(|closed| away(&closed))?;
    let done = spawn_blocking(work).await;
    drop(turn);
    match done {
        Ok(done) => done.map_err(|error| away(&error)),
        Err(error) => Err(away(&error)),
    }
}

/// The journal's file, open for one answer.
struct Reader {
    look: Look,
    span: Span,
    readers: Arc<Semaphore>,
}

impl Reader {
    /// The next readings behind `after`.
    async fn next(self, after: u64, limit: usize) -> Result<(Self, Part), Problem> {
        let readers = Arc::clone(&self.readers);
        let work = move || {
            let part = self.look.readings(&self.span, after, limit);
            part.map(|part| (self, part))
        };
        read(&readers, work).await
    }
}

/// As many readings as the limit and the memory allow, and where the next ones are.
async fn one_page(reader: Reader, range: Range) -> Result<Response, Problem> {
    let id = ServerId(&reader.span.meter)
        .meter_id()
        .compact()
        .to_string();
    let limit = range.limit.unwrap_or(usize::MAX);
    let (_, part) = reader.next(range.after, limit).await?;
    let mut body = "{\"readings\":[".to_owned();
    let written = part.records.iter().filter_map(written);
    body.push_str(&written.collect::<Vec<_>>().join(","));
    let next = part.next.map_or(Value::Null, |after| {
        let rest = Range { after, ..range };
        format!("/api/v1/meters/{id}/readings{rest}").into()
    });
    body.push_str("],\"next\":");
    body.push_str(&next.to_string());
    body.push('}');
    Ok(json(StatusCode::OK, body))
}

fn written(record: &Record) -> Option<String> {
    let reading = Reading::from_bytes(&record.body).ok()?;
    let time = record.time;
    let mut text = String::new();
    payload::json(&[Stamped { time, reading }], &mut text).ok()?;
    Some(text)
}

/// Why an answer breaks off, so that nobody takes it for a whole one.
#[derive(Debug, thiserror::Error)]
#[error("the journal cannot be read any further")]
struct BrokenOff;

/// All of it, as fast as the client takes it.
async fn whole(reader: Reader, range: Range) -> Result<Response, Problem> {
    let (sender, body) = Channel::<Bytes, BrokenOff>::new(1);
    // The first part now: if the disk does not answer, there is still a status to say so.
    let limit = range.limit.unwrap_or(usize::MAX);
    let (reader, part) = reader.next(range.after, limit).await?;
    tokio::spawn(copy(reader, part, limit, sender));
    let headers = [
        (CONTENT_TYPE, "text/csv; charset=utf-8; header=present"),
        (CACHE_CONTROL, "no-store"),
    ];
    Ok((headers, Body::new(body)).into_response())
}

async fn copy(
    mut reader: Reader,
    mut part: Part,
    mut left: usize,
    mut sender: Sender<Bytes, BrokenOff>,
) {
    let mut text = csv::HEAD.to_owned();
    loop {
        for record in &part.records {
            csv::write(record, &mut text);
        }
        left -= part.records.len();
        if !text.is_empty() && sender.send_data(text.into()).await.is_err() {
            return;
        }
        let Some(after) = part.next.filter(|_| left > 0) else {
            return;
        };
        match reader.next(after, left).await {
            Ok(next) => (reader, part) = next,
            Err(_) => return sender.abort(BrokenOff),
        }
        text = String::new();
    }
}
