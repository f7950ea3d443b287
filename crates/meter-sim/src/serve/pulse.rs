//! A meter behind a Tibber Pulse bridge, which serves its latest telegram over HTTP.
//!
//! | path | answer |
//! |---|---|
//! | `/nodes.json` | the list of nodes: `node_id` and `eui` of each |
//! | `/data.json?node_id=N` | the latest telegram, as bytes |
//! | `/metrics.json?node_id=N` | the state of the reading head: battery, radio, counts |
//!
//! All ask for the user `admin` and the password on the label. Documented, by the readers that
//! people have written for it: the paths, the shape of the metrics, that the node is often not
//! number 1, that frames are broken now and then. Assumed: the fields of a node beside its id and
//! `eui`, and the answer 503 to a reader that polls too fast (the bridge gets slow or silent). The
//! web socket that newer firmware offers beside these paths is not simulated.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::{Query, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

use super::{Address, Feed, Running, ServeError, Timing};
use crate::dice::Dice;

/// How a simulated bridge is set up.
#[derive(Debug, Clone)]
pub struct PulseConfig {
    /// Where it listens; port 0 for any.
    pub listen: SocketAddr,
    /// The number of the node that has the reading head.
    pub node_id: u32,
    /// The password on the label.
    pub password: String,
    /// Two polls of the data within less than this are too fast, and the second gets nothing.
    pub least_interval: Option<Duration>,
    /// How likely an answer is a broken frame, from 0 to 1.
    pub broken: f64,
    /// Seed for what is broken, and how.
    pub seed: u64,
}

impl Default for PulseConfig {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            // Not 1: readers that take it for granted are to fail here and not in a cellar.
            node_id: 3,
            password: "SIM0-METR".to_owned(),
            least_interval: None,
            broken: 0.0,
            seed: 1,
        }
    }
}

/// What readers asked of a bridge. The counts go on while it runs.
#[derive(Debug, Default)]
pub struct Polls {
    data: AtomicU64,
    too_fast: AtomicU64,
    refused: AtomicU64,
}

impl Polls {
    /// Polls of the data of the right node.
    #[must_use]
    pub fn data(&self) -> u64 {
        self.data.load(Ordering::Relaxed)
    }

    /// Those among them that came faster than the bridge allows.
    #[must_use]
    pub fn too_fast(&self) -> u64 {
        self.too_fast.load(Ordering::Relaxed)
    }

    /// Requests without the right user and password.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }
}

struct Bridge {
    config: PulseConfig,
    authorization: String,
    polls: Arc<Polls>,
    /// Without an interval each poll gets a new telegram.
    on_demand: bool,
    sent: Arc<AtomicU64>,
    limit: Option<u64>,
    head: Mutex<Head>,
}

/// The reading head: the meter, and the last bytes that came from it.
struct Head {
    feed: Feed,
    dice: Dice,
    latest: Vec<u8>,
    last_poll: Option<Instant>,
}

/// Serves a meter as a bridge would. A baud rate plays no part: the bridge answers at once.
///
/// After its last telegram it goes on answering with that one, until it is stopped.
///
/// # Errors
/// [`ServeError::Listen`].
pub async fn pulse(
    feed: Feed,
    timing: Timing,
    config: PulseConfig,
) -> Result<(Running, Arc<Polls>), ServeError> {
    let failed = |cause| ServeError::Listen {
        address: config.listen,
        cause,
    };
    let listener = TcpListener::bind(config.listen).await.map_err(failed)?;
    let address = Address::Http(listener.local_addr().map_err(failed)?);
    let polls = Arc::new(Polls::default());
    let sent = Arc::new(AtomicU64::new(0));
    let bridge = Arc::new(Bridge {
        authorization: format!(
            "Basic {}",
            STANDARD.encode(format!("admin:{}", config.password))
        ),
        polls: Arc::clone(&polls),
        on_demand: timing.interval.is_none(),
        sent: Arc::clone(&sent),
        limit: timing.telegrams,
        head: Mutex::new(Head {
            feed,
            dice: Dice::new(config.seed, 4),
            latest: Vec::new(),
            last_poll: None,
        }),
        config,
    });
    let (stop, stopped) = watch::channel(false);
    let task = tokio::spawn(serve(bridge, listener, timing.interval, stopped));
    Ok((
        Running {
            address,
            sent,
            stop,
            task,
        },
        polls,
    ))
}

async fn serve(
    bridge: Arc<Bridge>,
    listener: TcpListener,
    interval: Option<Duration>,
    mut stopped: watch::Receiver<bool>,
) -> Result<(), ServeError> {
    let router = Router::new()
        .route("/nodes.json", get(nodes))
        .route("/data.json", get(data))
        .route("/metrics.json", get(metrics))
        .layer(middleware::from_fn_with_state(
            Arc::clone(&bridge),
            authorize,
        ))
        .with_state(Arc::clone(&bridge));
    let read = async {
        if let Some(every) = interval {
            let mut clock = tokio::time::interval(every.max(Duration::from_millis(1)));
            clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                clock.tick().await;
                bridge.read_meter();
            }
        }
        std::future::pending::<()>().await;
    };
    let stop = async move {
        // An error means that the handle is gone, which is a stop as well.
        let _ = stopped.wait_for(|stop| *stop).await;
    };
    tokio::select! {
        served = axum::serve(listener, router).with_graceful_shutdown(stop) => {
            served.map_err(|cause| ServeError::Write { cause })
        }
        () = read => Ok(()),
    }
}

impl Bridge {
    fn head(&self) -> std::sync::MutexGuard<'_, Head> {
        self.head.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets the meter send its next telegram, unless that was the last.
    fn read_meter(&self) {
        if self
            .limit
            .is_some_and(|limit| self.sent.load(Ordering::Relaxed) >= limit)
        {
            return;
        }
        let mut head = self.head();
        let (telegram, passed) = head.feed.telegram();
        if !passed.bytes.is_empty() {
            head.latest = passed.bytes;
        }
        self.sent.fetch_add(1, Ordering::Relaxed);
        head.feed.tell(telegram, passed.intact);
    }

    /// What a poll of the data gets; nothing if it comes too fast.
    fn poll(&self) -> Option<Vec<u8>> {
        self.polls.data.fetch_add(1, Ordering::Relaxed);
        let now = Instant::now();
        let last = self.head().last_poll.replace(now);
        let allowed = self.config.least_interval.unwrap_or_default();
        if last.is_some_and(|last| now.duration_since(last) < allowed) {
            self.polls.too_fast.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        if self.on_demand {
            self.read_meter();
        }
        let mut head = self.head();
        let mut bytes = head.latest.clone();
        if head.dice.chance(self.config.broken) {
            // What the bridge breaks is its end: the radio packets behind the first are missing.
            let length = u64::try_from(bytes.len()).unwrap_or_default();
            bytes.truncate(usize::try_from(head.dice.below(length)).unwrap_or_default());
        }
        Some(bytes)
    }
}

async fn authorize(State(bridge): State<Arc<Bridge>>, request: Request, next: Next) -> Response {
    if authorized(request.headers(), &bridge.authorization) {
        return next.run(request).await;
    }
    bridge.polls.refused.fetch_add(1, Ordering::Relaxed);
    (
        StatusCode::UNAUTHORIZED,
        [(header::WWW_AUTHENTICATE, "Basic realm=\"tibber\"")],
    )
        .into_response()
}

fn authorized(headers: &HeaderMap, expected: &str) -> bool {
    headers
        .get(header::AUTHORIZATION)
        .is_some_and(|given| given.as_bytes() == expected.as_bytes())
}

/// Which node is asked about.
#[derive(Deserialize)]
struct Node {
    node_id: u32,
}

async fn nodes(State(bridge): State<Arc<Bridge>>) -> Response {
    Json(json!([{
        "node_id": bridge.config.node_id,
        "eui": "00124b00feed5173",
        "product_id": "0xc0c0",
        "available": true,
    }]))
    .into_response()
}

async fn data(State(bridge): State<Arc<Bridge>>, Query(node): Query<Node>) -> Response {
    if node.node_id != bridge.config.node_id {
        return StatusCode::NOT_FOUND.into_response();
    }
    match bridge.poll() {
        Some(bytes) => {
            ([(header::CONTENT_TYPE, "application/octet-stream")], bytes).into_response()
        }
        None => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}

async fn metrics(State(bridge): State<Arc<Bridge>>, Query(node): Query<Node>) -> Response {
    if node.node_id != bridge.config.node_id {
        return StatusCode::NOT_FOUND.into_response();
    }
    let sent = bridge.sent.load(Ordering::Relaxed);
    Json(json!({
        "$type": "node_status",
        "node_status": {
            "product_id": 49344,
            "meter_mode": 3,
            "node_battery_voltage": 3.021,
            "node_temperature": 21.5,
            "node_avg_rssi": -63.5,
            "node_avg_lqi": 190.2,
            "meter_msg_count_sent": sent,
        },
        "hub_attachments": {
            "meter_reading_count_recv": sent,
            "node_version": "simulated",
        },
    }))
    .into_response()
}
