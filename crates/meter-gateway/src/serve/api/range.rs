//! What a request for readings asks for.

use std::fmt;

use axum::extract::Query;
use axum::extract::rejection::QueryRejection;
use http::StatusCode;
use http::header::{ACCEPT, HeaderMap};
use meter_core::UnixMillis;
use serde::Deserialize;

use crate::serve::problem::Problem;
use crate::times;

/// Readings of one answer in JSON, unless it asks for fewer or more.
const LIMIT: usize = 1000;

/// More than this no answer in JSON has.
const MOST: usize = 10_000;

/// The parameters as they stand in the address.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Asked {
    from: Option<String>,
    to: Option<String>,
    limit: Option<usize>,
    after: Option<u64>,
    format: Option<Format>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Format {
    Json,
    Csv,
}

/// The parameters as they are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Range {
    /// From this time on.
    pub(super) from: UnixMillis,
    /// Before this time.
    pub(super) to: UnixMillis,
    /// Behind this place in the journal.
    pub(super) after: u64,
    /// At most so many, if there is a bound.
    pub(super) limit: Option<usize>,
    pub(super) format: Format,
}

impl Range {
    pub(super) fn read(
        asked: Result<Query<Asked>, QueryRejection>,
        headers: &HeaderMap,
    ) -> Result<Self, Problem> {
        let refuse = |why: String| Problem::new(StatusCode::BAD_REQUEST, why);
        let Query(asked) = asked.map_err(|rejection| refuse(rejection.body_text()))?;
        let time = |key: &str, given: Option<String>, without: i64| match given {
            Some(text) => {
                times::parse(&text).map_err(|why| refuse(format!("{key}: {text:?} {why}")))
            }
            None => Ok(UnixMillis(without)),
        };
        let format = asked.format.unwrap_or_else(|| wanted(headers));
        let limit = match format {
            Format::Json => Some(asked.limit.unwrap_or(LIMIT).clamp(1, MOST)),
            Format::Csv => asked.limit,
        };
        Ok(Self {
            from: time("from", asked.from, i64::MIN)?,
            to: time("to", asked.to, i64::MAX)?,
            after: asked.after.unwrap_or(0),
            limit,
            format,
        })
    }
}

/// What the header `Accept` wants: JSON unless it is plainly CSV.
fn wanted(headers: &HeaderMap) -> Format {
    let accept = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok());
    let first = accept.unwrap_or_default().split([',', ';']).next();
    match first.map(str::trim) {
        Some("text/csv") => Format::Csv,
        _ => Format::Json,
    }
}

/// The query for what comes behind `after`.
impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "?after={}", self.after)?;
        if self.from.0 != i64::MIN {
            write!(f, "&from={}", self.from.0)?;
        }
        if self.to.0 != i64::MAX {
            write!(f, "&to={}", self.to.0)?;
        }
        self.limit
            .map_or(Ok(()), |limit| write!(f, "&limit={limit}"))
    }
}
