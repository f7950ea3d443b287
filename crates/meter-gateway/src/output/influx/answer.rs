//! What a server that did not take everything says about it.

use http::StatusCode;
use serde::Deserialize;

use super::batch::Batch;
use crate::output::delivery::{Failure, Sent};
use crate::output::post::{Answer, Error, Obstacle, Refusal};

/// Some servers name no more than this many of the lines that they refused.
const MOST_NAMED: usize = 100;

/// The answer of version 3 to lines that it took in part.
#[derive(Deserialize)]
struct Partial {
    error: String,
    data: Vec<RefusedLine>,
}

#[derive(Deserialize)]
struct RefusedLine {
    /// Counts from 1.
    line_number: usize,
    error_message: String,
}

/// Version 1 calls a retention policy that is not there a fault of its own, but it does not pass.
pub(super) fn sorted(error: Error) -> Error {
    match error {
        Error::Retry {
            to,
            cause: Obstacle::Busy { answer },
            ..
        } if answer.text.contains("retention policy not found") => {
            let advice = "make the retention policy with `CREATE RETENTION POLICY`, or correct \
                          retention_policy";
            let cause = Refusal::Answered { answer, advice };
            Error::Misconfigured { to, cause }
        }
        error => error,
    }
}

/// What became of a batch that was not taken whole.
pub(super) fn settle(error: Error, batch: &Batch) -> Result<Sent, Failure> {
    match error {
        Error::Rejected { to, answer } => match refused(&answer, batch) {
            Some(refused) => Ok(Sent {
                readings: batch.readings,
                refused,
            }),
            None => Err(Error::Rejected { to, answer }.failure(batch.readings)),
        },
        error => Err(error.failure(batch.readings)),
    }
}

/// The readings whose lines were refused, if the server names all of them and took the others.
///
/// Versions 1 and 2 say only how many points they dropped. A point that is written twice is one
/// point, so it does no harm to find those by sending smaller batches.
fn refused(answer: &Answer, batch: &Batch) -> Option<Vec<(usize, String)>> {
    if answer.status != StatusCode::BAD_REQUEST {
        return None;
    }
    let partial: Partial = serde_json::from_str(&answer.whole).ok()?;
    let named = partial.data.len();
    let some = (1..MOST_NAMED.min(batch.of.len())).contains(&named);
    if !some || !partial.error.contains("partial write") {
        return None;
    }
    let refused = partial.data.into_iter().map(|line| {
        let reading = batch.of.get(line.line_number.checked_sub(1)?)?;
        let answer = Answer::new(answer.status, line.error_message);
        Some((*reading, answer.to_string()))
    });
    refused.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(lines: usize) -> Batch {
        Batch {
            text: String::new(),
            // Reading 0 has nothing to write.
            of: (1..=lines).collect(),
            readings: lines + 1,
        }
    }

    fn refused_of(lines: usize, body: &str) -> Option<Vec<(usize, String)>> {
        refused(
            &Answer::new(StatusCode::BAD_REQUEST, body.to_owned()),
            &batch(lines),
        )
    }

    #[test]
    fn lines_that_are_named_are_readings() {
        let body = r#"{"error":"partial write of line protocol occurred","data":[
            {"original_line":"a","line_number":2,"error_message":"invalid column type"}]}"#;
        let words = "400 Bad Request (\"invalid column type\")".to_owned();
        assert_eq!(refused_of(3, body), Some(vec![(2, words)]));
        // All of them: it may be the server's fault.
        assert_eq!(refused_of(1, body), None);
    }

    #[test]
    fn anything_else_is_narrowed_down() {
        let named = |number: usize| {
            format!(r#"{{"line_number":{number},"error_message":"no","original_line":""}}"#)
        };
        let many: Vec<String> = (1..=100).map(named).collect();
        let partial = |data: &str| format!(r#"{{"error":"partial write","data":[{data}]}}"#);
        for body in [
            String::new(),
            r#"{"error":"partial write: field type conflict dropped=1"}"#.to_owned(),
            format!(
                r#"{{"error":"parsing failed for write_lp endpoint","data":[{}]}}"#,
                named(1)
            ),
            format!(r#"{{"error":"partial write","data":{}}}"#, named(1)),
            partial(""),
            partial(&named(0)),
            partial(&named(301)),
            partial(&many.join(",")),
        ] {
            assert_eq!(refused_of(300, &body), None, "{body}");
        }
    }
}
