//! What `decode` can print, and for each output how it would send a reading.

use std::fmt::{self, Write as _};

use meter_core::Stamped;
use meter_core::payload::{self, Key, Plain, influx, volkszaehler};

/// What is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// A table for a person
    Text,
    /// One JSON object for each telegram and line
    Json,
    /// Every message and field, with its bytes
    Tree,
    /// The output csv: a line for each register
    Csv,
    /// The output jsonl: a line for each reading; so does rest with `format = "json"`
    Jsonl,
    /// The output rest
    Thingsboard,
    /// The output rest with `format = "classic"`
    Classic,
    /// The output mqtt: topic and message
    Mqtt,
    /// The output mqtt with `format = "registers"`
    MqttRegisters,
    /// The output influx: a line for each reading
    Influx,
    /// The output volkszaehler: a register, and what its channel gets
    Volkszaehler,
    /// The output postgres: rows as COPY has them
    Postgres,
}

/// Writes what an output sends for a reading.
pub type Payload = fn(&Stamped<'_>, &mut String) -> fmt::Result;

impl Format {
    /// Whether it is read by people, who want to see there what was skipped.
    pub fn is_for_people(self) -> bool {
        matches!(self, Self::Text | Self::Tree)
    }

    /// What goes before everything else.
    pub fn header(self) -> &'static str {
        match self {
            Self::Csv => payload::csv::HEADER,
            _ => "",
        }
    }

    /// What an output with default settings makes of a reading; none for what is shown of telegrams.
    pub fn payload(self) -> Option<Payload> {
        Some(match self {
            Self::Text | Self::Json | Self::Tree => return None,
            Self::Csv => |stamped, out| payload::csv(stamped, out),
            Self::Jsonl => |stamped, out| line(out, |out| payload::json(&[*stamped], out)),
            Self::Thingsboard => {
                |stamped, out| line(out, |out| payload::thingsboard(&[*stamped], out))
            }
            Self::Classic => |stamped, out| line(out, |out| payload::classic(stamped, out)),
            Self::Mqtt => mqtt,
            Self::MqttRegisters => mqtt_registers,
            Self::Influx => influx,
            Self::Volkszaehler => channels,
            Self::Postgres => |stamped, out| payload::postgres(stamped, out),
        })
    }
}

fn line(out: &mut String, write: impl FnOnce(&mut String) -> fmt::Result) -> fmt::Result {
    write(out)?;
    out.write_char('\n')
}

/// Topic, space, message: as `mosquitto_sub -v` shows them.
fn mqtt(stamped: &Stamped<'_>, out: &mut String) -> fmt::Result {
    write!(out, "meterline/{} ", stamped.reading.meter_id().compact())?;
    line(out, |out| payload::json(&[*stamped], out))
}

fn mqtt_registers(stamped: &Stamped<'_>, out: &mut String) -> fmt::Result {
    let meter = stamped.reading.meter_id().compact();
    for register in stamped.reading.registers() {
        let code = Key::code(register.obis);
        let value = Plain(register.value).to_string();
        if !value.is_empty() {
            writeln!(out, "meterline/{meter}/{code} {value}")?;
        }
    }
    Ok(())
}

fn influx(stamped: &Stamped<'_>, out: &mut String) -> fmt::Result {
    let line = influx::Line {
        measurement: "electricity",
        tags: &[],
        texts: false,
    };
    line.write(stamped, out).map(drop)
}

/// The register as it stands in `channels`, then the body.
fn channels(stamped: &Stamped<'_>, out: &mut String) -> fmt::Result {
    for register in stamped.reading.registers() {
        let Some(number) = register.number() else {
            continue;
        };
        let code = Key::code(register.obis);
        write!(out, "{code} ")?;
        line(out, |out| {
            volkszaehler::tuples(&[(stamped.time, number)], out)
        })?;
    }
    Ok(())
}
