//! Writes the corpus that fuzzing starts from: telegrams of simulated meters.

use std::error::Error;
use std::path::Path;
use std::{fs, io};

use meter_sim::{Faults, Line, Meter, MeterConfig, model};
use sml_wire::{Decoder, Event};

fn main() -> Result<(), Box<dyn Error>> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for model in model::all()? {
        for pin_entered in [true, false] {
            if !pin_entered && !model.pin_lock {
                continue;
            }
            let config = MeterConfig {
                pin_entered,
                pv_peak_w: 5000,
                ..MeterConfig::default()
            };
            let mut meter = Meter::new(model.clone(), &config);
            let pin = if pin_entered { "pin" } else { "locked" };
            write(&corpus, &format!("{}-{pin}", model.name), &mut meter)?;
        }
    }
    Ok(())
}

fn write(corpus: &Path, name: &str, meter: &mut Meter) -> io::Result<()> {
    let telegram = meter.telegram().bytes;
    let mut decoder = Decoder::new(vec![0; 4096]);
    if let Some(Event::Frame(frame)) = decoder.next(&mut telegram.as_slice()) {
        for target in ["file", "round_trip"] {
            fs::write(corpus.join(target).join(name), frame.payload)?;
        }
    }
    // The first byte says into what pieces the rest is split.
    let mut whole = vec![16];
    whole.extend_from_slice(&telegram);
    fs::write(corpus.join("stream").join(name), whole)?;
    let mut line = Line::new(Faults::POOR, 7);
    let mut poor = vec![60];
    for _ in 0..3 {
        poor.extend(line.pass(&meter.telegram().bytes).bytes);
    }
    fs::write(corpus.join("stream").join(format!("{name}-poor")), poor)
}
