//! A middleware: channels with one value for each time, which it does not take twice.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use meter_gateway::journal::Record;
use meter_gateway::output::volkszaehler::Config;
use serde_json::{Value as Json, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::stage::{METER_ID, Result, impatient};
use crate::suite::{Row, of_millis, of_records};

pub const IMPORT: &str = "6836dd20-00d5-11e0-bab1-856ed5f959ae";
pub const POWER: &str = "7f4b2c10-00d5-11e0-9c3d-0123456789ab";

/// The time in milliseconds and the value.
pub type Rows = BTreeMap<i64, f64>;

/// How it behaves, and what it holds.
#[derive(Default)]
pub struct Inside {
    pub channels: HashMap<String, Rows>,
    /// The resolution of the channel for energy.
    pub resolution: f64,
    /// Answers given instead of taking values: for a channel, and how often.
    pub faults: HashMap<String, (u32, StatusCode, String)>,
    /// A value at this time is refused by the database.
    pub refused: Option<i64>,
    /// Longer bodies are refused.
    pub longest: Option<usize>,
    /// Every body that was taken.
    pub bodies: Vec<String>,
    /// How many values came that were there before.
    pub repeated: usize,
}

type Shared = Arc<Mutex<Inside>>;

pub struct Middleware {
    pub port: u16,
    shared: Shared,
    task: Option<JoinHandle<()>>,
}

impl Drop for Middleware {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

fn inside(shared: &Shared) -> MutexGuard<'_, Inside> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Middleware {
    /// Knows where it will listen, and does not yet.
    pub fn away() -> Result<Self> {
        let port = std::net::TcpListener::bind("127.0.0.1:0")?
            .local_addr()?
            .port();
        let inside = Inside {
            channels: [IMPORT, POWER]
                .map(|uuid| (uuid.to_owned(), Rows::new()))
                .into(),
            resolution: 1000.0,
            ..Inside::default()
        };
        Ok(Self {
            port,
            shared: Arc::new(Mutex::new(inside)),
            task: None,
        })
    }

    pub async fn start() -> Result<Self> {
        let mut middleware = Self::away()?;
        middleware.come_back().await?;
        Ok(middleware)
    }

    pub async fn come_back(&mut self) -> Result {
        let router = Router::new()
            .route("/middleware.php/data/{name}", post(take))
            .route("/middleware.php/entity/{name}", get(tell))
            .fallback(|| async { "<html>the frontend</html>" })
            .with_state(Arc::clone(&self.shared));
        let listener = TcpListener::bind(("127.0.0.1", self.port)).await?;
        self.task = Some(tokio::spawn(async move {
            let _ = axum::serve(listener, router).await;
        }));
        Ok(())
    }

    pub fn inside(&self) -> MutexGuard<'_, Inside> {
        inside(&self.shared)
    }

    /// Nobody can reach it any more.
    pub fn go_away(&mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
        }
    }

    /// Every value of its channels, which are of one meter.
    pub fn rows(&self) -> Vec<Row> {
        let inside = self.inside();
        let channels = [("1.8.0", IMPORT), ("16.7.0", POWER)];
        let values = channels.into_iter().flat_map(|(register, uuid)| {
            let values = inside.channels.get(uuid).into_iter().flatten();
            values.map(move |(time, value)| of_millis(METER_ID, *time, register, *value))
        });
        values.collect()
    }

    /// Whether its channels hold what these records say, and nothing else.
    pub fn assert_holds(&self, records: &[Record]) -> Result {
        let (mut found, mut wanted) = (self.rows(), of_records(records)?);
        found.sort();
        wanted.sort();
        assert_eq!(found, wanted);
        Ok(())
    }
}

/// Two channels at this address.
pub fn config_of(url: String) -> Config {
    let channels = [("1.8.0", IMPORT), ("16.7.0", POWER)]
        .map(|(register, uuid)| (register.to_owned(), uuid.to_owned()));
    let mut config = Config::new(url, channels.into());
    config.remote.allow_insecure = true;
    impatient(&mut config.remote);
    config
}

/// The same at the middleware itself, or behind something on another port.
pub fn config(port: u16) -> Config {
    config_of(format!("http://localhost:{port}/middleware.php"))
}

fn exception(status: StatusCode, kind: &str, message: &str) -> (StatusCode, String) {
    let body = json!({
        "version": "0.3",
        "exception": { "message": message, "type": kind, "code": 0 },
    });
    (status, body.to_string())
}

async fn take(
    State(shared): State<Shared>,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
    body: String,
) -> (StatusCode, String) {
    let mut inside = inside(&shared);
    let uuid = name.trim_end_matches(".json").to_owned();
    if let Some((left, status, message)) = inside.faults.get_mut(&uuid)
        && *left > 0
    {
        *left -= 1;
        return exception(*status, "Exception", message);
    }
    if inside.longest.is_some_and(|longest| body.len() > longest) {
        let message = "Maximum message size exceeded";
        return exception(StatusCode::BAD_REQUEST, "Exception", message);
    }
    let Ok(tuples) = serde_json::from_str::<Vec<(i64, f64)>>(&body) else {
        return exception(StatusCode::BAD_REQUEST, "Exception", "Syntax error");
    };
    let refused = inside.refused;
    let Some(rows) = inside.channels.get_mut(&uuid) else {
        let message = format!("Invalid UUID: '{uuid}'");
        return exception(StatusCode::BAD_REQUEST, "Exception", &message);
    };
    let skips = query.is_some_and(|query| query == "options=skipduplicates");
    let repeated = tuples.iter().filter(|(time, _)| rows.contains_key(time));
    let repeated = repeated.count();
    if repeated > 0 && !skips {
        let kind = "UniqueConstraintViolationException";
        return exception(StatusCode::BAD_REQUEST, kind, "SQLSTATE[23000]");
    }
    if tuples.iter().any(|(time, _)| Some(*time) == refused) {
        let message = "SQLSTATE[22003]: Numeric value out of range";
        return exception(StatusCode::BAD_REQUEST, "DriverException", message);
    }
    let taken = tuples.len() - repeated;
    for (time, value) in tuples {
        rows.entry(time).or_insert(value);
    }
    inside.repeated += repeated;
    inside.bodies.push(body);
    let answer = json!({ "version": "0.3", "rows": taken });
    (StatusCode::OK, answer.to_string())
}

async fn tell(State(shared): State<Shared>, Path(name): Path<String>) -> (StatusCode, String) {
    let inside = inside(&shared);
    let uuid = name.trim_end_matches(".json");
    if !inside.channels.contains_key(uuid) {
        let message = format!("Invalid UUID: '{uuid}'");
        return exception(StatusCode::BAD_REQUEST, "Exception", &message);
    }
    let mut entity: Json = json!({ "uuid": uuid, "type": "powersensor", "title": "Power" });
    if uuid == IMPORT {
        entity["type"] = "electric meter".into();
        entity["resolution"] = inside.resolution.into();
    }
    let answer = json!({ "version": "0.3", "entity": entity });
    (StatusCode::OK, answer.to_string())
}
