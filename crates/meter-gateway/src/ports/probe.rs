use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use meter_core::ServerId;
use tokio::time::{Instant, timeout_at};

use super::{Candidate, Line, OpenError, Port};
use crate::input::{Evidence, Finding, Telegrams};

/// What a port is tried with after [`Line::SML`], if that brings no meter: the line, and what is
/// sent to make a meter speak. The first is the request of IEC 62056-21, 6.3.1.
pub const ALTERNATIVES: [(Line, &[u8]); 3] = [
    (Line::seven_even(300), b"/?!\r\n"),
    (Line::seven_even(9600), b""),
    (Line::eight(115_200), b""),
];

/// What one port had to say.
///
/// Its `Display` is one line: `/dev/ttyUSB0: meter 1 EMH00 1059 9732 at 9600 8N1`.
#[derive(Debug)]
pub struct Report {
    /// The port, by the name that is best written into a configuration.
    pub path: PathBuf,
    /// With which settings.
    pub line: Line,
    /// What was heard.
    pub heard: Heard,
}

/// What was heard on a port.
#[derive(Debug)]
pub enum Heard {
    /// A meter that speaks SML.
    Meter {
        /// Its server id.
        server_id: Box<[u8]>,
    },
    /// Something else, or nothing.
    Other(Finding),
    /// It could not be opened.
    Closed(OpenError),
    /// It went away meanwhile.
    Gone,
}

impl fmt::Display for Heard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Meter { server_id } => write!(f, "meter {}", ServerId(server_id).meter_id()),
            Self::Other(finding) => finding.fmt(f),
            Self::Closed(error) => error.fmt(f),
            Self::Gone => f.write_str("unplugged"),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.heard)?;
        match self.heard {
            Heard::Meter { .. } => write!(f, " at {}", self.line),
            _ => Ok(()),
        }
    }
}

/// What came of listening to an open port.
#[derive(Debug)]
pub(crate) struct Listened {
    /// The port and the bytes that came from it, while it is there.
    pub port: Option<(Port, Vec<u8>)>,
    /// What was heard.
    pub heard: Heard,
}

/// Sends `request` and listens until a telegram comes or the time is over.
pub(crate) async fn listen(mut port: Port, time: Duration, request: &[u8]) -> Listened {
    let gone = Listened {
        port: None,
        heard: Heard::Gone,
    };
    if !request.is_empty() && port.write(request).await.is_err() {
        return gone;
    }
    let until = Instant::now() + time;
    let mut telegrams = Telegrams::new();
    let mut buffer = [0; 512];
    let mut bytes = Vec::new();
    loop {
        let count = match timeout_at(until, port.read(&mut buffer)).await {
            Ok(Ok(count)) if count > 0 => count,
            Ok(_) => return gone,
            Err(_) => break,
        };
        bytes.extend_from_slice(&buffer[..count]);
        if let Some(telegram) = telegrams.next(&mut &buffer[..count]) {
            let server_id = telegram.server_id;
            return Listened {
                port: Some((port, bytes)),
                heard: Heard::Meter { server_id },
            };
        }
        // Noise comes for ever, and without a pause.
        if Instant::now() >= until {
            break;
        }
    }
    let finding = Finding::of(&Evidence {
        bytes: telegrams.bytes(),
        sample: telegrams.sample(),
        broken: telegrams.broken(),
        sent: request,
    });
    Listened {
        port: Some((port, bytes)),
        heard: Heard::Other(finding),
    }
}

/// Says what speaks on a port: with the settings of SML for as long as `time`, and where that
/// brings nothing clear, with each of [`ALTERNATIVES`] for as long again.
pub async fn probe(candidate: &Candidate, time: Duration) -> Report {
    let report = attempt(candidate, Line::SML, &[], time).await;
    if is_clear(&report.heard) {
        return report;
    }
    for (line, request) in ALTERNATIVES {
        let other = attempt(candidate, line, request, time).await;
        // What is not understood at the wrong speed says less than at the usual one.
        if is_clear(&other.heard) && !matches!(other.heard, Heard::Other(Finding::Repeated(_))) {
            return other;
        }
    }
    report
}

async fn attempt(candidate: &Candidate, line: Line, request: &[u8], time: Duration) -> Report {
    let heard = match Port::open(&candidate.device, line) {
        Ok(port) => listen(port, time, request).await.heard,
        Err(error) => Heard::Closed(error),
    };
    Report {
        path: candidate.stable_name().to_owned(),
        line,
        heard,
    }
}

fn is_clear(heard: &Heard) -> bool {
    !matches!(
        heard,
        Heard::Other(Finding::Dark | Finding::Noise | Finding::LongPulses)
    )
}
