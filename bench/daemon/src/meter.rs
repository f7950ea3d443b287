//! The simulated meter that all are measured with, and what it sent.

use std::time::{Duration, Instant};

use rig::Head;
use sml_wire::Obis;
use tokio::time::sleep;

use crate::Failure;

/// A telegram that went over the line.
#[derive(Clone)]
pub struct Sent {
    /// When its last byte was written.
    pub at: Instant,
    /// Its counter of imported energy, by which it is known again.
    pub import: String,
}

/// A meter of the model that the peers were measured with, its telegrams `pace` apart.
pub fn head(pace: Duration) -> Result<Head, Failure> {
    Head::new("iskra-mt691", None, pace)
}

/// The input that reads every telegram of it.
pub fn input(head: &Head) -> String {
    let port = head.port();
    format!("type = \"serial\"\nport = {port:?}\ninterval = \"every\"")
}

/// Sends telegrams, the next one `pace` after the last one was due.
pub async fn send(head: &mut Head, count: u32, pace: Duration) -> Result<Vec<Sent>, Failure> {
    let start = Instant::now();
    let mut sent = Vec::new();
    for number in 1..=count {
        let telegram = head.send()?;
        let import = telegram.number_text(Obis::electricity(1, 8, 0));
        sent.push(Sent {
            at: Instant::now(),
            import: import.unwrap_or_default(),
        });
        let due = start + pace * number;
        sleep(due.saturating_duration_since(Instant::now())).await;
    }
    Ok(sent)
}
