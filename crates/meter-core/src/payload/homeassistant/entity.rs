//! What each register is to Home Assistant.

use core::fmt::{self, Display, Write};

use super::super::{Hex, JsonString, Key, Octets, Shown};
use crate::decimal::Decimal;
use crate::names::{Conductor, Quantity, describe};
use crate::reading::{Register, Value};
use crate::{Obis, Unit};

/// A state of Home Assistant has at most 255 characters; so many octets in hex are below that.
const LONGEST_OCTETS: usize = 120;

/// The power of a meter under one code, whatever its own.
const POWER: Obis = Obis::electricity(16, 7, 0);

/// An entity of a meter.
pub(super) struct Entity<'a> {
    pub(super) key: EntityKey,
    name: EntityName<'a>,
    kind: Kind,
    pub(super) state: State<'a>,
}

/// A register, or the power that was made from several.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum EntityKey {
    Register(Obis),
    Power,
}

/// As in the state: `1.8.0`, `1-1:1.8.0`, `power`.
impl Display for EntityKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Register(obis) => Key::code(obis).fmt(f),
            Self::Power => f.write_str("power"),
        }
    }
}

/// A key in letters, digits and underscores: `1_8_0`. No two codes share one, since those with more
/// parts written have more numbers.
struct Word(EntityKey);

impl Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(Underscores(f), "{}", self.0)
    }
}

struct Underscores<'f, 'a>(&'f mut fmt::Formatter<'a>);

impl Write for Underscores<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.chars().try_for_each(|letter| {
            let word = letter.is_ascii_alphanumeric();
            self.0.write_char(if word { letter } else { '_' })
        })
    }
}

enum EntityName<'a> {
    Known(&'a str),
    Code(Obis),
}

impl Display for EntityName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Known(name) => f.write_str(name),
            Self::Code(obis) => obis.fmt(f),
        }
    }
}

/// How Home Assistant treats an entity.
enum Kind {
    /// A counter of energy, in kWh.
    Energy(&'static str),
    /// Something measured: its class if it has one, its unit, and how many decimals are of use.
    Measured(Option<&'static str>, &'static str, u8),
    /// Something about the meter, worth a look.
    Diagnostic,
    /// Something that nobody looks at unless he knows why.
    Hidden(Option<&'static str>),
}

/// What stands in the state: a JSON value.
pub(super) enum State<'a> {
    Number(Decimal),
    Value(Value<'a>),
}

impl Display for State<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cut = |octets: &'_ [u8]| octets.len().min(LONGEST_OCTETS);
        match self {
            Self::Number(number) | Self::Value(Value::Number(number)) => number.fmt(f),
            Self::Value(Value::Bool(value)) => value.fmt(f),
            Self::Value(Value::Time(time)) => time.seconds().fmt(f),
            Self::Value(Value::Octets(octets)) => {
                JsonString(Octets(octets.get(..cut(octets)).unwrap_or_default())).fmt(f)
            }
            Self::Value(Value::Unknown(bytes)) => {
                JsonString(Hex(bytes.get(..cut(bytes)).unwrap_or_default())).fmt(f)
            }
            Self::Value(Value::Absent) => f.write_str("null"),
        }
    }
}

/// The entities of a meter in the order of its registers. Of a code that comes twice, the first counts.
pub(super) fn entities<S: Shown>(shown: &S) -> impl Iterator<Item = Entity<'_>> {
    let registers = shown
        .registers()
        .enumerate()
        .filter(|(index, register)| {
            let mut before = shown.registers().take(*index);
            !before.any(|before| before.obis == register.obis)
        })
        .map(|(_, register)| Entity::new(&register, shown.name(register.obis)));
    let has_power = shown.registers().any(|register| register.obis == POWER);
    let power = if has_power {
        None
    } else {
        shown.power_of(Conductor::Sum)
    };
    registers.chain(power.map(|power| Entity {
        key: EntityKey::Power,
        name: EntityName::Known("Power"),
        kind: Kind::Measured(Some("power"), "W", 1),
        state: State::Number(power),
    }))
}

impl<'a> Entity<'a> {
    fn new(register: &Register<'a>, given: Option<&'a str>) -> Self {
        let obis = register.obis;
        let (name, kind, state) = match known(register) {
            Some(known) => known,
            None => (
                EntityName::Code(obis),
                // A unit makes it a number to Home Assistant.
                Kind::Hidden(register.number().and(register.unit).and_then(Unit::symbol)),
                State::Value(register.value),
            ),
        };
        Self {
            key: EntityKey::Register(obis),
            name: given.map_or(name, EntityName::Known),
            kind,
            state,
        }
    }

    /// Writes it as a component of its device.
    pub(super) fn write(
        &self,
        device: &impl Display,
        expire_after: u32,
        out: &mut impl Write,
    ) -> fmt::Result {
        let word = Word(self.key);
        write!(
            out,
            "\"{word}\":{{\"p\":\"sensor\",\"unique_id\":\"{device}_{word}\",\"name\":{},\
             \"val_tpl\":\"{{{{ value_json.get('{}') }}}}\"",
            JsonString(&self.name),
            self.key
        )?;
        match self.kind {
            Kind::Energy(state_class) => write!(
                out,
                ",\"dev_cla\":\"energy\",\"stat_cla\":\"{state_class}\",\"unit_of_meas\":\"kWh\",\
                 \"sug_dsp_prc\":{}",
                self.state.decimals().min(3)
            )?,
            Kind::Measured(class, unit, most) => {
                if let Some(class) = class {
                    write!(out, ",\"dev_cla\":\"{class}\"")?;
                }
                write!(
                    out,
                    ",\"stat_cla\":\"measurement\",\"unit_of_meas\":\"{unit}\",\"sug_dsp_prc\":{}",
                    self.state.decimals().min(most)
                )?;
                if expire_after > 0 {
                    write!(out, ",\"exp_aft\":{expire_after}")?;
                }
            }
            Kind::Diagnostic => out.write_str(",\"ent_cat\":\"diagnostic\"")?,
            Kind::Hidden(unit) => {
                out.write_str(",\"ent_cat\":\"diagnostic\",\"en\":false")?;
                if let Some(unit) = unit {
                    write!(out, ",\"unit_of_meas\":{}", JsonString(unit))?;
                }
            }
        }
        out.write_char('}')
    }
}

impl State<'_> {
    /// How many digits the meter sends behind the point.
    fn decimals(&self) -> u8 {
        match self {
            Self::Number(number) => number.scaler().min(0).unsigned_abs(),
            Self::Value(_) => 0,
        }
    }
}

/// A register with a name whose value and unit are those that the name promises.
fn known<'a>(register: &Register<'a>) -> Option<(EntityName<'a>, Kind, State<'a>)> {
    let description = describe(register.obis)?;
    let quantity = description.quantity;
    let (kind, unit) = match quantity {
        Quantity::EnergyImport | Quantity::EnergyExport => {
            (Kind::Energy("total_increasing"), Unit::WATT_HOUR)
        }
        Quantity::Energy => (Kind::Energy("total"), Unit::WATT_HOUR),
        Quantity::Power => (Kind::Measured(Some("power"), "W", 1), Unit::WATT),
        Quantity::Voltage => (Kind::Measured(Some("voltage"), "V", 1), Unit::VOLT),
        Quantity::Current => (Kind::Measured(Some("current"), "A", 2), Unit::AMPERE),
        Quantity::Frequency => (Kind::Measured(Some("frequency"), "Hz", 2), Unit::HERTZ),
        Quantity::Angle => (Kind::Measured(None, "°", 1), Unit::DEGREE),
        Quantity::Status | Quantity::Identity | Quantity::Manufacturer | Quantity::Version => {
            let name = EntityName::Known(description.name);
            return Some((name, Kind::Diagnostic, State::Value(register.value)));
        }
        Quantity::Checksum | Quantity::PublicKey | Quantity::Vendor => {
            let name = EntityName::Known(description.name);
            return Some((name, Kind::Hidden(None), State::Value(register.value)));
        }
    };
    if register.unit != Some(unit) {
        return None;
    }
    let number = register.number()?;
    let number = match kind {
        Kind::Energy(_) => number.rescaled(-3)?,
        _ => number,
    };
    Some((
        EntityName::Known(description.name),
        kind,
        State::Number(number),
    ))
}
