//! Announces simulated meters to Home Assistant as the device does, and publishes their states until it
//! is stopped: `cargo run -p meter-device --example announce -- HOST:PORT`, a broker without TLS.

use std::error::Error;
use std::time::Duration;

use embedded_io_adapters::tokio_1::FromTokio;
use meter_core::payload::homeassistant::{Origin, Statistic};
use meter_core::{Reading, Stamped, UnixMillis};
use meter_device::board::Time;
use meter_device::format::Format;
use meter_device::mqtt::{Discovery, Room, Session, Target};
use meter_sim::{Meter, MeterConfig, model};
use sml_wire::{Body, Decoder, Event};
use tokio::net::TcpStream;
use tokio::time::Instant;

struct Clock(Instant);

impl Time for Clock {
    fn now(&self) -> Duration {
        self.0.elapsed()
    }

    async fn until(&self, at: Duration) {
        tokio::time::sleep_until(self.0 + at).await;
    }
}

const TARGET: Target<'_> = Target {
    client_id: "meterline",
    user: None,
    password: None,
    topic: "meterline/{meter}",
    format: Format::Json,
    discovery: Some(Discovery {
        origin: Origin {
            name: "meterline",
            version: env!("CARGO_PKG_VERSION"),
            url: "https://example.org/meterline",
        },
        expire_after: 60,
    }),
};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).ok_or("say HOST:PORT of a broker")?;
    let clock = Clock(Instant::now());
    let mut room = Room;
    let connection = FromTokio::new(TcpStream::connect(address).await?);
    let mut session = Session::open(&mut room, connection, &clock, &TARGET)
        .await
        .map_err(|error| format!("{error:?}"))?;
    let config = MeterConfig {
        pv_peak_w: 9_900,
        ..MeterConfig::default()
    };
    let mut meters: Vec<Meter> = model::all()?
        .into_iter()
        .map(|model| Meter::new(model, &config))
        .collect();
    let mut buffer = [0; 8192];
    loop {
        for meter in &mut meters {
            let time = UnixMillis(i64::try_from(meter.now_ms())?);
            let telegram = meter.telegram();
            let mut decoder = Decoder::new([0; 2048]);
            let Some(Event::Frame(frame)) = decoder.next(&mut telegram.bytes.as_slice()) else {
                continue;
            };
            for message in frame.file().messages().flatten() {
                if let Body::GetListRes(list) = message.body {
                    let reading = Reading::new(list);
                    let stamped = Stamped { time, reading };
                    session.show(&stamped, &STATISTICS, &mut buffer).await?;
                }
            }
        }
        session
            .idle(clock.now() + Duration::from_secs(5), 0)
            .await?;
    }
}

const STATISTICS: [Statistic<'_>; 3] = [
    Statistic {
        key: "crc_errors",
        name: "CRC errors",
        value: 3,
        unit: None,
        class: None,
        counts: true,
    },
    Statistic {
        key: "backlog",
        name: "Backlog",
        value: 12,
        unit: None,
        class: None,
        counts: false,
    },
    Statistic {
        key: "signal",
        name: "Signal",
        value: -67,
        unit: Some("dBm"),
        class: Some("signal_strength"),
        counts: false,
    },
];
