//! Who sees what has arrived.

mod files;
pub mod middleware;

use meter_gateway::config::Config;
use meter_gateway::output;
use meter_sim::backend::{self, Answer, Backend, Behaviour};
use serde_json::Value;
use tokio::sync::mpsc::{self, UnboundedReceiver};

use super::goal::{Goal, Kind};
use crate::failure::Failure;
use files::Files;
use middleware::Channels;

/// Sees readings where they arrive, and gives them as the format `json` has them: `meter_id` and
/// `registers`, at least.
pub enum Witness {
    /// A REST server of the demo's own.
    Server(Backend),
    /// A middleware of the demo's own.
    Middleware(Backend, Channels),
    /// Files that are read while they grow.
    Files(Files),
    /// A subscription.
    Broker(UnboundedReceiver<Value>),
    /// Nobody looks: the server's word is taken for it.
    Nobody,
}

impl Witness {
    /// Starts the server that the demo brings along.
    pub fn bring_along(kind: Kind, meter: &[u8]) -> Result<Self, Failure> {
        let backend = Backend::start(backend::Config::default()).map_err(Failure::Backend)?;
        if kind == Kind::Rest {
            return Ok(Self::Server(backend));
        }
        let answer = Answer::status(200).body(middleware::TAKEN);
        backend.set_behaviour(Behaviour::always(answer));
        Ok(Self::Middleware(backend, Channels::of(meter)))
    }

    /// Looks at a place that somebody else keeps.
    pub async fn of(goal: &Goal, config: &Config) -> Result<Self, Failure> {
        let mut outputs = config.output.values();
        match (goal.kind, outputs.next()) {
            (Kind::Csv | Kind::Jsonl, _) => Ok(Self::Files(Files::in_directory(goal))),
            (_, Some(output::Config::Mqtt(mqtt))) => {
                let heard = listen(mqtt).await.map_err(|error| Failure::NoGoal {
                    why: error.to_string(),
                    fix: "let the user that you are for the broker read meterline-demo/#",
                })?;
                Ok(Self::Broker(heard))
            }
            _ => Ok(Self::Nobody),
        }
    }

    /// The server that can be taken away.
    pub fn server(&self) -> Option<&Backend> {
        match self {
            Self::Server(backend) | Self::Middleware(backend, _) => Some(backend),
            Self::Files(_) | Self::Broker(_) | Self::Nobody => None,
        }
    }

    /// What has arrived since the last look, in the pieces in which it came; none where nobody looks.
    pub fn arrivals(&mut self) -> Option<Vec<Vec<Value>>> {
        match self {
            Self::Server(backend) => {
                let received = backend.take_received();
                let accepted = received.iter().filter(|request| request.accepted());
                Some(
                    accepted
                        .map(|request| request.readings().to_vec())
                        .collect(),
                )
            }
            Self::Middleware(backend, channels) => {
                let received = backend.take_received();
                let accepted = received.iter().filter(|request| request.accepted());
                accepted.for_each(|request| channels.take(request));
                Some(vec![channels.complete()])
            }
            Self::Files(files) => Some(vec![files.new_readings()]),
            Self::Broker(heard) => {
                let mut arrivals = Vec::new();
                while let Ok(reading) = heard.try_recv() {
                    arrivals.push(vec![reading]);
                }
                Some(arrivals)
            }
            Self::Nobody => None,
        }
    }
}

/// Subscribes to what the output publishes.
async fn listen(
    config: &output::mqtt::Config,
) -> Result<UnboundedReceiver<Value>, output::mqtt::ProbeError> {
    let mut listener = config.listen("meterline-demo/+").await?;
    let (sender, heard) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        // Who hears no more counts what is missing.
        while let Ok(payload) = listener.next().await {
            let reading = serde_json::from_slice(&payload).unwrap_or_default();
            if sender.send(reading).is_err() {
                break;
            }
        }
    });
    Ok(heard)
}
