//! Meters as data: one TOML file describes one model, to the last byte it sends.
//!
//! # To add a meter, add a file
//!
//! 1. Get one whole telegram of it, without and, if it has a lock, with its PIN entered, and look at
//!    it with `meterline decode --format tree`. A forum post or a Tasmota dump will do.
//! 2. Copy the file in `models/` that is most like it and change what differs: the order of the
//!    registers, the width of each integer, the scalers, the status word, the form of the times.
//!    Say in its head what is **documented** (and where) and what is **assumed**.
//! 3. Invent a serial number. Never use that of the telegram's owner.
//! 4. Add the file to the table in `src/model/catalogue.rs`. The tests of this crate then check that it is
//!    read, that every telegram decodes, that it gives the values the household made, and that
//!    the registers add up. If there is a recording, add it to `tests/captures.rs`, which compares
//!    the structure byte for byte.
//!
//! # The file
//!
//! Keys that a model does not need are left out; unknown keys are refused. The types of this module
//! say what each key means. This is `models/emh-mme40.toml`:
#![doc = concat!("```toml\n", include_str!("../models/emh-mme40.toml"), "```")]

mod catalogue;
mod text;

use serde::Deserialize;

pub use self::catalogue::{all, find, names};
pub use self::text::{Hex, IntegerType};

/// A model of meter, as its file describes it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Model {
    /// The file's name without `.toml`; what one asks for on the command line.
    #[serde(skip)]
    pub name: &'static str,
    /// Maker and type, as people say it.
    pub title: String,
    /// What is known for certain about its telegrams, and from where.
    pub documented: String,
    /// What is not, and was made up for the simulation.
    pub assumed: String,
    /// The server id, with an invented serial number.
    pub server_id: Hex,
    /// Milliseconds from telegram to telegram.
    pub interval_ms: u64,
    /// The seconds index when the simulation starts.
    pub seconds_start: u64,
    /// How the seconds index is encoded everywhere in the telegram: four bytes, or trimmed.
    #[serde(default = "four_bytes_unsigned")]
    pub seconds_type: IntegerType,
    /// Whether the meter shows little until a PIN has been entered.
    #[serde(default)]
    pub pin_lock: bool,
    /// Bytes of the tag that says which message a message is: 2, or 4.
    #[serde(default = "two")]
    pub tag_bytes: u8,
    /// The checksum of messages and frames.
    #[serde(default)]
    pub crc: Crc,
    /// Whether leading zeros of a message's checksum are left out.
    #[serde(default)]
    pub message_crc: MessageCrc,
    /// How many fill bytes stand before the end of the frame.
    #[serde(default)]
    pub fill: Fill,
    /// The transaction ids of its three messages.
    pub transaction: Transaction,
    /// Its `Open.Res`.
    pub open: Open,
    /// Its `GetList.Res`, but for the entries.
    #[serde(default)]
    pub list: List,
    /// The status word.
    #[serde(default)]
    pub status: Status,
    /// The list's entries in the meter's order.
    #[serde(rename = "entry")]
    pub entries: Vec<Entry>,
}

fn two() -> u8 {
    2
}

fn four_bytes_unsigned() -> IntegerType {
    IntegerType {
        signed: false,
        bytes: Some(4),
    }
}

/// The polynomial is the same for both; start value, final inversion and byte order differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Crc {
    /// CRC-16/X-25, what the specification asks for.
    #[default]
    X25,
    /// CRC-16/Kermit: some Holley meters.
    Kermit,
}

/// How a message's checksum is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MessageCrc {
    /// Always two bytes.
    #[default]
    Full,
    /// One byte if the high byte is zero: meters that trim every integer.
    Trimmed,
}

/// How many zeros fill the frame up to a multiple of four bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fill {
    /// None to three, as the specification says.
    #[default]
    ZeroToThree,
    /// One to four: four where none are needed. DZG (libsml issue 94).
    OneToFour,
}

/// The transaction ids of the messages.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Transaction {
    /// What the id is made of.
    pub id: Vec<IdPart>,
    /// The first value of the message count.
    #[serde(default)]
    pub start: u64,
    /// The count of each of the three messages, relative to the telegram's first.
    #[serde(default = "one_by_one")]
    pub steps: [u64; 3],
    /// How much the count grows from telegram to telegram; 0 where it starts anew each time.
    #[serde(default = "three")]
    pub per_telegram: u64,
}

fn one_by_one() -> [u64; 3] {
    [0, 1, 2]
}

fn three() -> u64 {
    3
}

/// A part of a transaction id or a file id.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, untagged)]
pub enum IdPart {
    /// Octets that never change.
    Fixed {
        /// The octets.
        fixed: Hex,
    },
    /// The last bytes of a count.
    Count {
        /// What is counted.
        count: Count,
        /// How many bytes of the count are sent.
        bytes: u8,
        /// Which byte of it goes first.
        #[serde(default)]
        order: ByteOrder,
    },
}

/// What an id counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Count {
    /// Messages, by the transaction's start, steps and growth.
    Messages,
    /// Telegrams: a third of the transaction's start, plus one for each telegram.
    Telegrams,
    /// The seconds index.
    Seconds,
}

/// Which byte goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ByteOrder {
    /// The most significant one.
    #[default]
    Big,
    /// The least significant one.
    Little,
}

/// What stands in `Open.Res`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Open {
    /// The client's id.
    pub client_id: Option<Hex>,
    /// The id of the file, which names the request in a protocol that has requests.
    pub file_id: Vec<IdPart>,
    /// The reference time.
    pub ref_time: Option<TimeForm>,
    /// The version of SML.
    pub version: Option<u8>,
}

/// What stands around the entries of `GetList.Res`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct List {
    /// The client's id.
    pub client_id: Option<Hex>,
    /// The list's name, an OBIS code.
    pub name: Option<Hex>,
    /// The time of the measurement.
    pub sensor_time: Option<TimeForm>,
}

/// How a time is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TimeForm {
    /// The seconds index with its choice before it, `72 62 01 65 ...`.
    Index,
    /// The seconds index bare, `65 ...`: Holley (libsml issue 75).
    Bare,
    /// The choice and a zero, `72 62 01 62 00`: DZG on everything that has no time of its own.
    Zero,
}

/// The status word, by the direction of the energy.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Status {
    /// While the household draws power.
    pub import: u64,
    /// While it feeds in.
    pub export: u64,
    /// The bit that says that L1 feeds in; L2 and L3 have the next two.
    pub phase_bit: Option<u8>,
}

/// One entry of the list.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Entry {
    /// The OBIS code, `1-0:1.8.0*255`.
    #[serde(deserialize_with = "text::obis")]
    pub obis: sml_wire::Obis,
    /// Where the value comes from.
    pub value: Source,
    /// How an integer is encoded; needed for all sources but octet strings.
    #[serde(rename = "type")]
    pub integer: Option<IntegerType>,
    /// The unit.
    pub unit: Option<UnitName>,
    /// The power of ten.
    pub scaler: Option<i8>,
    /// The width of the status word, where the entry has one.
    pub status: Option<IntegerType>,
    /// The time, where the entry has one.
    pub time: Option<TimeForm>,
    /// What becomes of the entry while the PIN has not been entered.
    pub without_pin: Option<WithoutPin>,
    /// How the integer is encoded then, if otherwise.
    pub without_pin_type: Option<IntegerType>,
    /// A fault of the meter's firmware.
    pub fault: Option<Fault>,
}

/// Where the value of an entry comes from.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// Energy drawn: total, high tariff, low tariff.
    Import,
    /// See [`Source::Import`].
    ImportHigh,
    /// See [`Source::Import`].
    ImportLow,
    /// Energy fed in: total, high tariff, low tariff.
    Export,
    /// See [`Source::Export`].
    ExportHigh,
    /// See [`Source::Export`].
    ExportLow,
    /// Power, signed, the sum of the phases as they are printed.
    Power,
    /// Its magnitude; the direction is in the status word only.
    PowerMagnitude,
    /// Power of a phase, signed.
    PowerL1,
    /// See [`Source::PowerL1`].
    PowerL2,
    /// See [`Source::PowerL1`].
    PowerL3,
    /// Voltage of a phase.
    VoltageL1,
    /// See [`Source::VoltageL1`].
    VoltageL2,
    /// See [`Source::VoltageL1`].
    VoltageL3,
    /// Current of a phase.
    CurrentL1,
    /// See [`Source::CurrentL1`].
    CurrentL2,
    /// See [`Source::CurrentL1`].
    CurrentL3,
    /// Mains frequency.
    Frequency,
    /// Angle of the voltage of L2 and of L3 against L1.
    AngleU2U1,
    /// See [`Source::AngleU2U1`].
    AngleU3U1,
    /// Angle between current and voltage of a phase.
    AngleL1,
    /// See [`Source::AngleL1`].
    AngleL2,
    /// See [`Source::AngleL1`].
    AngleL3,
    /// The status word as four octets.
    StatusOctets,
    /// The server id.
    ServerId,
    /// The printed meter id without spaces, `1ESY1162232997`.
    PrintedId,
    /// 48 octets, made from the seed.
    PublicKey,
    /// A text that never changes.
    Text(String),
    /// Octets that never change.
    Hex(Hex),
}

/// What becomes of an entry while the PIN has not been entered. Without this key energy is shown in
/// whole kilowatt-hours, other numbers are hidden and octet strings are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WithoutPin {
    /// It is shown all the same.
    Shown,
    /// It is left out of the list.
    Hidden,
    /// It is cut to whole kilowatt-hours, with a scaler of 3.
    Kwh,
}

/// A fault of a meter's firmware that a reader has to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// A positive value is cut to its bytes as if it were unsigned and then called signed, so that
    /// +507.00 W goes out as `53 c6 0c`: DZG DVS74 with serial numbers of 42 to 49 million
    /// (libsml issue 125, vzlogger issue 544).
    UnsignedAsSigned,
}

/// The units of the simulated registers, by the symbols of DLMS (IEC 62056-6-2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum UnitName {
    /// Watt-hours, 30.
    Wh,
    /// Watts, 27.
    W,
    /// Volts, 35.
    V,
    /// Amperes, 33.
    A,
    /// Hertz, 44.
    Hz,
    /// Degrees, 8.
    #[serde(rename = "deg")]
    Degree,
    /// No unit but sent all the same, 0: DZG.
    #[serde(rename = "0")]
    Zero,
}

impl UnitName {
    /// The unit's code on the wire.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Wh => 30,
            Self::W => 27,
            Self::V => 35,
            Self::A => 33,
            Self::Hz => 44,
            Self::Degree => 8,
            Self::Zero => 0,
        }
    }
}

impl Source {
    /// Whether the value is an energy, which a locked meter shows in whole kilowatt-hours.
    #[must_use]
    pub fn is_energy(&self) -> bool {
        matches!(
            self,
            Self::Import
                | Self::ImportHigh
                | Self::ImportLow
                | Self::Export
                | Self::ExportHigh
                | Self::ExportLow
        )
    }

    /// Whether the value is an octet string.
    #[must_use]
    pub fn is_octets(&self) -> bool {
        matches!(
            self,
            Self::StatusOctets
                | Self::ServerId
                | Self::PrintedId
                | Self::PublicKey
                | Self::Text(_)
                | Self::Hex(_)
        )
    }
}

impl Entry {
    /// What becomes of this entry without a PIN.
    #[must_use]
    pub fn when_locked(&self) -> WithoutPin {
        self.without_pin.unwrap_or(if self.value.is_energy() {
            WithoutPin::Kwh
        } else if self.value.is_octets() {
            WithoutPin::Shown
        } else {
            WithoutPin::Hidden
        })
    }
}

impl Model {
    /// The finest scaler of its energy registers: the resolution in which it counts.
    #[must_use]
    pub fn energy_scaler(&self) -> i8 {
        let energies = self.entries.iter().filter(|entry| entry.value.is_energy());
        energies
            .filter_map(|entry| entry.scaler)
            .min()
            .unwrap_or(-1)
    }
}

/// Why a model file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// The file is not TOML, or has an unknown or missing key.
    #[error("model {name}: {cause}")]
    Syntax {
        /// The model's name.
        name: &'static str,
        /// What is wrong, with line and column.
        cause: toml::de::Error,
    },
    /// An entry for a number lacks its type.
    #[error("model {name}: entry {obis} is a number and needs `type`")]
    TypeMissing {
        /// The model's name.
        name: &'static str,
        /// The entry's OBIS code.
        obis: sml_wire::Obis,
    },
    /// There is no such model.
    #[error("there is no simulated meter named {asked:?}; the names are: {known}")]
    Unknown {
        /// The name that was asked for.
        asked: String,
        /// All names, with commas.
        known: String,
    },
}
