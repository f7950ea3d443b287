//! Whether everything works.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde_json::{Map, Value, json};

use super::{Api, json};
use crate::run::Snapshot;
use crate::{input, output};

/// 200 while nobody has to do anything, and 503 when somebody should look. An output whose server is
/// away is no reason for that: nothing is lost, and it mends by itself.
pub(super) async fn answer(State(api): State<Api>) -> Response {
    let glance = api.site.glance();
    let snapshot = &glance.snapshot;
    let problems = problems(snapshot);
    let (status, word) = if problems.is_empty() {
        (StatusCode::OK, "ok")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "trouble")
    };
    let inputs: Map<_, _> = snapshot
        .inputs
        .iter()
        .map(|(name, status)| (name.clone(), input(status)))
        .collect();
    let outputs: Map<_, _> = snapshot
        .outputs
        .iter()
        .map(|(name, status)| (name.clone(), output(status)))
        .collect();
    let body = json!({
        "status": word,
        "problems": problems,
        "version": env!("CARGO_PKG_VERSION"),
        "stored": snapshot.stored,
        "inputs": inputs,
        "outputs": outputs,
        "journal": {
            "bytes": snapshot.journal.bytes,
            "in_memory": snapshot.journal.in_memory,
            "suspects": snapshot.journal.suspects,
            "rejected": snapshot.journal.rejected,
            "waiting": snapshot.journal.provisional,
        },
    });
    json(status, body.to_string())
}

/// One sentence for each thing that somebody should look at.
fn problems(snapshot: &Snapshot) -> Vec<String> {
    let mut problems = Vec::new();
    for (name, status) in &snapshot.inputs {
        if let input::State::Trouble(trouble) = &status.state {
            problems.push(format!("input {name}: {trouble}"));
        }
    }
    for (name, status) in &snapshot.outputs {
        if status.state == output::State::Misconfigured {
            let why = status
                .last_error
                .as_deref()
                .unwrap_or("it is misconfigured");
            problems.push(format!("output {name}: {why}"));
        }
    }
    if let Some(trouble) = &snapshot.journal.trouble {
        problems.push(format!("journal: {trouble}"));
    }
    if snapshot.clock_wrong {
        problems.push("the clock is wrong, and readings wait for their time".to_owned());
    }
    if let Some(why) = &snapshot.bad_config {
        problems.push(format!("the new configuration was not taken: {why}"));
    }
    problems
}

fn input(status: &input::Status) -> Value {
    let state = match status.state {
        input::State::Opening => "opening",
        input::State::Listening => "listening",
        input::State::Reading => "reading",
        input::State::Trouble(_) => "trouble",
        input::State::Finished => "finished",
    };
    json!({
        "state": state,
        "source": status.source,
        "readings": status.readings,
        "frames": status.counts.frames,
    })
}

fn output(status: &output::Status) -> Value {
    json!({
        "state": state_of(status.state),
        "backlog": status.backlog,
        "oldest": status.oldest.map(|oldest| oldest.to_string()),
        "delivered": status.delivered,
        "rejected": status.rejected,
        "left_out": status.left_out,
        "last_error": status.last_error,
    })
}

const fn state_of(state: output::State) -> &'static str {
    match state {
        output::State::Starting => "starting",
        output::State::Idle => "idle",
        output::State::Delivering => "delivering",
        output::State::Retrying => "retrying",
        output::State::Misconfigured => "misconfigured",
    }
}
