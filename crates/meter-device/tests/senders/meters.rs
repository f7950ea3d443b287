//! Simulated meters, as the device sees them.

use meter_core::{Reading, Stamped, UnixMillis};
use meter_sim::{Meter, MeterConfig, Telegram, model};
use sml_wire::{Body, Decoder, Event};

/// A telegram and the body of its list, as the outbox keeps it.
pub(crate) struct Taken {
    pub(crate) telegram: Telegram,
    pub(crate) time: UnixMillis,
    body: Vec<u8>,
}

impl Taken {
    pub(crate) fn stamped(&self) -> Stamped<'_> {
        Stamped {
            time: self.time,
            reading: Reading::from_bytes(&self.body).unwrap(),
        }
    }
}

/// The first telegrams of a meter of this model.
pub(crate) fn take(model: &str, count: usize) -> Vec<Taken> {
    let config = MeterConfig {
        pv_peak_w: 9_900,
        ..MeterConfig::default()
    };
    let mut meter = Meter::new(model::find(model).unwrap(), &config);
    (0..count)
        .map(|_| {
            let time = UnixMillis(i64::try_from(meter.now_ms()).unwrap());
            let telegram = meter.telegram();
            let body = body(&telegram.bytes);
            Taken {
                telegram,
                time,
                body,
            }
        })
        .collect()
}

fn body(bytes: &[u8]) -> Vec<u8> {
    let mut decoder = Decoder::new([0; 2048]);
    let mut input = bytes;
    let frame = match decoder.next(&mut input) {
        Some(Event::Frame(frame)) => Some(frame),
        _ => None,
    }
    .unwrap();
    let mut messages = frame.file().messages().flatten();
    let list = messages.find_map(|message| match message.body {
        Body::GetListRes(list) => Some(list),
        _ => None,
    });
    let mut buffer = [0; 2048];
    Reading::new(list.unwrap())
        .emit(&mut buffer)
        .unwrap()
        .to_vec()
}
