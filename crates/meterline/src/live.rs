//! From what the gateway says of itself to what is on the screen.

use std::time::{Duration, Instant};

use meter_core::{Decimal, Reading, Register, Rule, ServerId};
use meter_gateway::run::{MeterView, Snapshot};
use meter_gateway::times;
use tracing::Level;

use crate::logging;
use crate::screen::{Arrival, Condition, Meter, Output, Tone, View};

/// Meters send every one to four seconds: after this time a value is not what the meter says now.
const SILENT: Duration = Duration::from_secs(10);

/// Brings the meters on the screen up to date. `model` knows what a meter is, beyond its maker.
pub fn meters(view: &mut View, snapshot: &Snapshot, model: impl Fn(&[u8]) -> Option<String>) {
    for (server_id, newest) in &snapshot.meters {
        let Ok(reading) = Reading::from_bytes(&newest.body) else {
            continue;
        };
        let id = ServerId(server_id).meter_id().to_string();
        let at = view
            .meters
            .iter()
            .position(|meter| meter.id == id)
            .unwrap_or_else(|| {
                view.meters.push(Meter {
                    id,
                    ..Meter::default()
                });
                view.meters.len() - 1
            });
        let Some(meter) = view.meters.get_mut(at) else {
            continue;
        };
        if meter.model.is_empty() {
            let maker = reading.manufacturer().map(|maker| maker.to_string());
            meter.model = model(server_id).or(maker).unwrap_or_default();
        }
        if meter.readings < newest.readings {
            update(meter, newest, &reading);
            meter.last = Some(Instant::now());
        }
        let age = meter.last.map(|last| last.elapsed());
        meter.silent = age.filter(|age| *age >= SILENT);
    }
}

fn update(meter: &mut Meter, newest: &MeterView, reading: &Reading<'_>) {
    meter.readings = newest.readings;
    let power = reading.power();
    meter.power = power.map(|power| format!("{power} W"));
    if let Some(watts) = power.and_then(whole) {
        meter.push_watts(watts);
    }
    meter.import = counter(reading, 1);
    meter.export = counter(reading, 2);
    let rule = reading.registers().find_map(|register| register.rule);
    meter.reduced.observe(reading);
    meter.note = if meter.reduced.is_reduced() {
        Some("locked: its PIN has not been entered".to_owned())
    } else if newest.suspects > 0 {
        Some(format!(
            "{} readings were not plausible and are kept apart",
            newest.suspects
        ))
    } else {
        rule.map(corrected)
    };
}

/// What a rule did, for somebody who has never heard of it.
fn corrected(rule: Rule) -> String {
    match rule {
        Rule::DzgUnsignedPower => "corrected: wrong sign of the power".to_owned(),
        Rule::DirectionSign => "corrected: sign of the power added".to_owned(),
        rule => format!("corrected: {rule}"),
    }
}

/// Whole watts, cut.
fn whole(power: Decimal) -> Option<i64> {
    power.cut(0).to_string().parse().ok()
}

/// The counter of energy drawn (C = 1) or fed in (C = 2): in total, or else of the first tariff.
fn counter(reading: &Reading<'_>, which: u8) -> Option<String> {
    let counters = || reading.registers().filter(Register::is_counter);
    let of_tariff =
        |tariff| counters().find(|register| register.obis.quantity() == (which, 8, tariff));
    let register = of_tariff(0).or_else(|| of_tariff(1))?;
    Some(format!("{} Wh", register.number()?))
}

/// Brings one output on the screen up to date.
pub fn output(output: &mut Output, status: &meter_gateway::output::Status) {
    use meter_gateway::output::State;
    output.condition = match status.state {
        State::Starting => Condition::Starting,
        State::Idle | State::Delivering => Condition::Good,
        State::Retrying | State::Misconfigured => Condition::Retrying,
    };
    output.state = match status.state {
        State::Starting => "nothing was sent yet".to_owned(),
        State::Idle => "everything is delivered".to_owned(),
        State::Delivering => "delivering".to_owned(),
        State::Retrying => "away; it is tried again".to_owned(),
        State::Misconfigured => status.last_error.clone().unwrap_or_default(),
    };
    output.delivered = status.delivered;
    output.backlog = status.backlog;
    output.worst_backlog = output.worst_backlog.max(status.backlog);
}

/// A line of the log, as it is shown.
pub fn log_line(line: logging::Line) -> Arrival {
    let tone = match line.level {
        Level::ERROR | Level::WARN => Tone::Bad,
        _ => Tone::Plain,
    };
    Arrival {
        time: now(),
        text: line.text,
        tone,
    }
}

/// The time of day in UTC.
pub fn now() -> String {
    let text = times::now().to_string();
    text.get(11..19).unwrap_or(&text).to_owned()
}

/// `1:07`, or `1:01:07` from an hour on.
pub fn elapsed(time: Duration) -> String {
    let seconds = time.as_secs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes}:{seconds:02}")
    }
}

/// A meter in one line, for those without a screen.
pub fn line(meter: &Meter) -> String {
    let power = meter.power.as_deref().unwrap_or("no power");
    let named =
        |name: &str, value: &Option<String>| value.as_ref().map(|value| format!("{name} {value}"));
    let parts = [
        Some(format!("{}  {power:>14}", meter.id)),
        named("import", &meter.import),
        named("export", &meter.export),
        meter.note.as_ref().map(|note| format!("({note})")),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join("  ")
}

#[cfg(test)]
mod tests {
    use std::error::Error;

    use meter_core::UnixMillis;
    use sml_wire::{GetListRes, Integer, ListEntry, Value};

    use super::*;

    const METER: &[u8] = &[0x0a, 1, b'E', b'M', b'H', 0, 0, 0xa1, 0xbd, 0x34];

    /// A meter without a power register, with this on its counter.
    fn body(watt_hours: u64) -> Result<Vec<u8>, Box<dyn Error>> {
        let entry = ListEntry {
            name: &[1, 0, 1, 8, 0, 255],
            status: None,
            time: None,
            unit: Some(Integer::unsigned(30)),
            scaler: Some(Integer::signed(0)),
            value: Value::Integer(Integer::unsigned(watt_hours)),
            signature: None,
        };
        let entries = [entry];
        let list = GetListRes {
            entries: entries.as_slice().into(),
            ..GetListRes::of(METER)
        };
        let mut buffer = [0; 512];
        let body = Reading::new(list).emit(&mut buffer);
        Ok(body.map_err(|_| "too long")?.to_vec())
    }

    /// What is said of the meter after each of these readings.
    fn notes(counters: &[u64]) -> Result<Vec<Option<String>>, Box<dyn Error>> {
        let mut view = View::default();
        let mut snapshot = Snapshot::default();
        let mut notes = Vec::new();
        for (readings, &counter) in (1..).zip(counters) {
            let newest = MeterView {
                input: None,
                time: UnixMillis(0),
                taken: None,
                pace: None,
                body: body(counter)?.into(),
                readings,
                suspects: 0,
            };
            snapshot.meters.insert(METER.into(), newest);
            meters(&mut view, &snapshot, |_| None);
            notes.push(view.meters.first().and_then(|meter| meter.note.clone()));
        }
        Ok(notes)
    }

    /// A round number on the counter is no proof that the PIN was not entered.
    #[test]
    fn one_round_number_does_not_lock_a_meter() -> Result<(), Box<dyn Error>> {
        assert_eq!(notes(&[4999, 5000, 5000, 5001])?, [None, None, None, None]);
        let notes = notes(&[5000; 12])?;
        assert_eq!(notes.first(), Some(&None));
        let last = notes.last().cloned().flatten().unwrap_or_default();
        assert!(last.contains("PIN"), "{last}");
        Ok(())
    }
}
