//! One meter's registers at one time.

use sml_wire::{
    Error, ErrorKind, Full, GetListRes, Integer, ListEntry, Reader, Time, Wire, Writer,
};

use crate::decimal::Decimal;
use crate::meter_id::{MeterId, ServerId, text};
use crate::names::{Conductor, Description, Quantity, Sense, describe, power_register};
use crate::quirks::{Circumstances, Rule, is_reduced};
use crate::status::{Direction, StatusWord};
use crate::{Obis, Unit};

/// A meter's `GetList.Res`, seen as a person sees a meter.
///
/// A view: it borrows the meter's own bytes and keeps them as they are. Corrections are applied when
/// a register is looked at, so that a stored reading stays evidence and a better rule reaches old
/// readings too.
#[derive(Clone, Copy, Debug)]
pub struct Reading<'a> {
    list: GetListRes<'a>,
    circumstances: Circumstances,
}

impl<'a> Reading<'a> {
    /// The reading in a message.
    #[must_use]
    pub fn new(list: GetListRes<'a>) -> Self {
        let circumstances = Circumstances::new(server_id(&list), status_word(&list));
        Self {
            list,
            circumstances,
        }
    }

    /// The reading in the body of a `GetList.Res`, as [`emit`](Self::emit) wrote it: the list of
    /// seven elements, without the tag before and the checksum behind it.
    pub fn from_bytes(bytes: &'a [u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(bytes);
        let list = GetListRes::parse(&mut reader)?;
        if reader.rest().is_empty() {
            Ok(Self::new(list))
        } else {
            Err(ErrorKind::Length.at(reader.offset()))
        }
    }

    /// Writes the body of the `GetList.Res` and returns it. The registers keep the very bytes of the
    /// meter; what stands around them is written in as few bytes as it needs.
    pub fn emit<'b>(&self, buffer: &'b mut [u8]) -> Result<&'b [u8], Full> {
        let mut writer = Writer::new(&mut *buffer);
        self.list.emit(&mut writer)?;
        let length = writer.written().len();
        buffer.get(..length).ok_or(Full)
    }

    /// The message as the meter sent it.
    #[must_use]
    pub const fn list(&self) -> &GetListRes<'a> {
        &self.list
    }

    /// Which meter it is. A list without a server id has it in the register 96.1.0 or 0.0.9.
    #[must_use]
    pub fn server_id(&self) -> ServerId<'a> {
        server_id(&self.list)
    }

    /// Which meter it is, as printed on the nameplate.
    #[must_use]
    pub fn meter_id(&self) -> MeterId<'a> {
        self.server_id().meter_id()
    }

    /// The meter's own count of seconds; no time of day.
    #[must_use]
    pub fn seconds_index(&self) -> Option<u64> {
        self.list.sensor_time.and_then(Time::seconds_index)
    }

    /// The registers in the meter's order, corrected. Entries whose name is no OBIS code are left
    /// out; [`list`](Self::list) has them.
    pub fn registers(&self) -> impl Iterator<Item = Register<'a>> + use<'a> {
        let circumstances = self.circumstances;
        self.list
            .entries
            .iter()
            .filter_map(move |entry| Register::new(entry, &circumstances))
    }

    /// The register with a code.
    #[must_use]
    pub fn register(&self, obis: Obis) -> Option<Register<'a>> {
        self.registers().find(|register| register.obis == obis)
    }

    /// The power through the whole meter in W, negative when fed in. See [`power_of`](Self::power_of).
    #[must_use]
    pub fn power(&self) -> Option<Decimal> {
        self.power_of(Conductor::Sum)
    }

    /// The power through a conductor in W, negative when fed in, under whatever code it comes.
    ///
    /// The signed register comes first, then the absolute one where the status word tells its
    /// direction, then what is drawn less what is fed in. `None` when the meter sends none of them:
    /// an absolute power of unknown direction is none.
    #[must_use]
    pub fn power_of(&self, conductor: Conductor) -> Option<Decimal> {
        power_among(self.registers(), self.status(), conductor)
    }

    /// The status word of the counters.
    #[must_use]
    pub const fn status(&self) -> Option<StatusWord> {
        self.circumstances.status
    }

    /// Which way energy flows: by the status word, or by the sign of the power where there is none.
    /// `None` when the meter says nothing of it or the power is nought.
    #[must_use]
    pub fn direction(&self) -> Option<Direction> {
        if let Some(status) = self.status() {
            return Some(status.direction());
        }
        match self.power()? {
            power if power.is_zero() => None,
            power if power.is_negative() => Some(Direction::Export),
            _ => Some(Direction::Import),
        }
    }

    /// Whether this looks like a meter whose PIN was not entered: counters in whole kWh and no power.
    /// A [`ReducedDetector`](crate::ReducedDetector) over several readings is sure.
    #[must_use]
    pub fn reduced(&self) -> bool {
        is_reduced(self)
    }

    /// Who made the meter: the three letters or the name that it sends, else those in its server id.
    #[must_use]
    pub fn manufacturer(&self) -> Option<Manufacturer<'a>> {
        self.registers()
            .filter(|register| {
                register.description().map(|d| d.quantity) == Some(Quantity::Manufacturer)
            })
            .find_map(|register| register.text())
            .map(Manufacturer::Name)
            .or_else(|| self.meter_id().maker().map(Manufacturer::Maker))
    }
}

/// The power through a conductor, as [`Reading::power_of`] finds it, among some of a reading's registers.
pub(crate) fn power_among<'a>(
    registers: impl Iterator<Item = Register<'a>>,
    status: Option<StatusWord>,
    conductor: Conductor,
) -> Option<Decimal> {
    let (mut signed, mut absolute, mut import, mut export) = (None, None, None, None);
    for register in registers {
        let (Some((of, sense)), Some(number)) = (power_register(register.obis), register.number())
        else {
            continue;
        };
        if of != conductor || !matches!(register.unit, None | Some(Unit::WATT)) {
            continue;
        }
        match sense {
            Sense::Signed => signed = signed.or(Some(number)),
            Sense::Absolute => absolute = absolute.or(Some(number)),
            Sense::Import => import = import.or(Some(number)),
            Sense::Export => export = export.or(Some(number.abs())),
        }
    }
    signed
        .or_else(|| {
            let status = status?;
            match (absolute?.abs(), status.direction_of(conductor)?) {
                (number, Direction::Import) => Some(number),
                (number, Direction::Export) => Some(-number),
            }
        })
        .or_else(|| match (import, export) {
            (Some(import), Some(export)) => import.checked_sub(export),
            (Some(import), None) => Some(import),
            (None, Some(export)) => Some(-export),
            (None, None) => None,
        })
}

/// Who made a meter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manufacturer<'a> {
    /// What the meter calls its maker.
    Name(&'a str),
    /// The letters in its server id.
    Maker(crate::meter_id::Maker),
}

impl core::fmt::Display for Manufacturer<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Maker(maker) => maker.fmt(f),
        }
    }
}

/// One OBIS code with its exact value, unit and status.
#[derive(Clone, Copy, Debug)]
pub struct Register<'a> {
    /// Which register.
    pub obis: Obis,
    /// Its value, corrected.
    pub value: Value<'a>,
    /// What the value counts; `None` where the meter sends none or code 0.
    pub unit: Option<Unit>,
    /// The status beside it.
    pub status: Option<u64>,
    /// The entry as the meter sent it.
    pub raw: ListEntry<'a>,
    /// The rule by which the value was corrected, if it was.
    pub rule: Option<Rule>,
}

/// The value of a register.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    /// An exact number, with its scaler applied.
    Number(Decimal),
    /// Text, an id or a key.
    Octets(&'a [u8]),
    /// True or false.
    Bool(bool),
    /// A time.
    Time(Time),
    /// The register has no value at this time, or one with a scaler that no number can have.
    Absent,
    /// The bytes of a list that SML does not define here.
    Unknown(&'a [u8]),
}

impl<'a> Register<'a> {
    /// `None` when the name of the entry is no OBIS code.
    fn new(raw: ListEntry<'a>, circumstances: &Circumstances) -> Option<Self> {
        let obis = raw.obis()?;
        let (value, rule) = match raw.value {
            sml_wire::Value::Integer(integer) => match scaler(raw.scaler) {
                Some(scaler) => {
                    let (number, rule) = circumstances.correct(obis, integer, scaler);
                    (Value::Number(number), rule)
                }
                None => (Value::Absent, None),
            },
            sml_wire::Value::Octets(octets) => (Value::Octets(octets), None),
            sml_wire::Value::Bool(value) => (Value::Bool(value), None),
            sml_wire::Value::Time(time) => (Value::Time(time), None),
            sml_wire::Value::Absent => (Value::Absent, None),
            sml_wire::Value::Other(element) => (Value::Unknown(element.bytes()), None),
        };
        Some(Self {
            obis,
            value,
            unit: unit(raw.unit),
            status: raw.status.map(bits),
            raw,
            rule,
        })
    }

    /// The number in it.
    #[must_use]
    pub const fn number(&self) -> Option<Decimal> {
        match self.value {
            Value::Number(number) => Some(number),
            _ => None,
        }
    }

    /// The text in it: octets that are all printable ASCII.
    #[must_use]
    pub fn text(&self) -> Option<&'a str> {
        match self.value {
            Value::Octets(octets) => text(octets),
            _ => None,
        }
    }

    /// Name and kind, for registers that are known.
    #[must_use]
    pub fn description(&self) -> Option<Description> {
        describe(self.obis)
    }

    /// Whether it is a running counter of energy: drawn or fed in, in total or of one tariff, in Wh.
    #[must_use]
    pub fn is_counter(&self) -> bool {
        is_counter(self.obis) && self.unit == Some(Unit::WATT_HOUR)
    }
}

/// Counters have F = 255; meters keep those of past days and months under other numbers.
fn is_counter(obis: Obis) -> bool {
    matches!(obis.0, [1, _, 1 | 2, 8, _, 255])
}

fn server_id<'a>(list: &GetListRes<'a>) -> ServerId<'a> {
    if !list.server_id.is_empty() {
        return ServerId(list.server_id);
    }
    let octets = |wanted: (u8, u8, u8)| {
        list.entries.iter().find_map(|entry| match entry.value {
            sml_wire::Value::Octets(octets) if entry.obis()?.quantity() == wanted => Some(octets),
            _ => None,
        })
    };
    ServerId(
        octets((96, 1, 0))
            .or_else(|| octets((0, 0, 9)))
            .unwrap_or_default(),
    )
}

/// The status word beside the total counters, import first. That of a tariff's counter counts only
/// if it is plainly the word of an mME (EFR SGM): Hager's eHZ361 has one of another layout there.
fn status_word(list: &GetListRes<'_>) -> Option<StatusWord> {
    let mut best: Option<(u8, StatusWord)> = None;
    for entry in list.entries {
        let (Some(Obis([1, _, c @ (1 | 2), 8, tariff, 255])), Some(status)) =
            (entry.obis(), entry.status)
        else {
            continue;
        };
        let status = StatusWord(bits(status));
        let rank = match (c, tariff) {
            (1, 0) => return Some(status),
            (_, 0) => 1,
            _ if status.is_mme() => 2,
            _ => continue,
        };
        if best.is_none_or(|(other, _)| rank < other) {
            best = Some((rank, status));
        }
    }
    best.map(|(_, status)| status)
}

/// The bits of an integer that is no number.
fn bits(integer: Integer) -> u64 {
    integer.reinterpret_unsigned().magnitude()
}

/// The scaler of an entry: 0 when absent, two's complement in one byte whatever its type says.
/// `None` when it is wider and out of range.
fn scaler(scaler: Option<Integer>) -> Option<i8> {
    let Some(scaler) = scaler else { return Some(0) };
    if scaler.width() == 1 {
        return u8::try_from(bits(scaler)).ok().map(u8::cast_signed);
    }
    i8::try_from(scaler.as_i64()?).ok()
}

/// The unit of an entry. DZG sends code 0 for none.
fn unit(unit: Option<Integer>) -> Option<Unit> {
    match u8::try_from(unit?.as_u64()?) {
        Ok(0) | Err(_) => None,
        Ok(code) => Some(Unit(code)),
    }
}
