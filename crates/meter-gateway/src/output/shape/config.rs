//! The settings for what of a reading is sent.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use meter_core::pattern::NotPattern;
use meter_core::{Obis, Pattern, Unit};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// What of each reading is sent, and how.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Shape {
    /// Only the registers whose OBIS codes match one of these, with `*` for any number: `1.8.*` is the
    /// energy that was drawn, in all tariffs, and `1.8.***` what the meter keeps of past months as well.
    /// All if empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("examples" = [["1.8.*", "16.7.0"]]))]
    pub registers: Vec<Codes>,
    /// What registers are called, instead of by their codes and units.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("examples" = [{ "1.8.0": "import", "16.7.0": "power" }]))]
    pub rename: BTreeMap<Codes, String>,
    /// The unit of energy: `"Wh"`, as meters send it, or `"kWh"`; so too for `VAh` and `varh`.
    pub energy_unit: EnergyUnit,
    /// Rounds every number to so many digits behind the point. Each digit of the meter is sent unless
    /// set.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("examples" = [3]))]
    pub decimals: Option<u8>,
    /// What the reading of an `interval` says of power: what the meter sent `"last"`, or the `"mean"`,
    /// `"min"` or `"max"` of all its readings in the interval.
    pub power_of_interval: OfInterval,
}

/// A unit of energy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum EnergyUnit {
    /// `Wh`, `VAh` and `varh`.
    #[default]
    #[serde(rename = "Wh")]
    WattHour,
    /// `kWh`, `kVAh` and `kvarh`.
    #[serde(rename = "kWh")]
    KilowattHour,
}

/// Which of the values in an interval stands for them all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OfInterval {
    /// The last one.
    #[default]
    Last,
    /// Their arithmetic mean, to a thousandth.
    Mean,
    /// The smallest.
    Min,
    /// The largest.
    Max,
}

/// A [`Pattern`] in the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Codes(pub Pattern);

impl FromStr for Codes {
    type Err = NotPattern;

    fn from_str(text: &str) -> Result<Self, NotPattern> {
        text.parse().map(Self)
    }
}

impl<'de> Deserialize<'de> for Codes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        text.parse()
            .map_err(|error| de::Error::custom(format_args!("`{text}` is {error}")))
    }
}

impl Serialize for Codes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl JsonSchema for Codes {
    fn schema_name() -> Cow<'static, str> {
        "Codes".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "examples": ["1.8.*"] })
    }
}

/// What is wrong with the settings for what is sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ShapeError {
    /// A mean of a single reading.
    #[error(
        "power_of_interval needs the interval that it is of: set interval, for example to \"15m\""
    )]
    NoInterval,
    /// A mean of an interval that is not over.
    #[error(
        "power_of_interval does not go with newest_first, which sends readings of intervals that are \
         not over: remove one of them"
    )]
    NewestFirst,
    /// One name for several registers.
    #[error("rename: `{0}` may be several registers: write all of the code, without `*`")]
    Several(Pattern),
    /// A name that some server would not take.
    #[error(
        "rename: `{0}` is no name: use letters, digits, spaces, `_`, `-`, `.` and `:`, 64 at most, and \
         not `time`, `meter` or `devid`, which are there already"
    )]
    Name(String),
    /// Two registers with one name.
    #[error("rename: `{0}` is the name of two registers: one would hide the other")]
    Same(String),
    /// This output has a form of its own.
    #[error("{key} is not for this output: {why}")]
    NotHere {
        /// The key.
        key: &'static str,
        /// Why it is not.
        why: &'static str,
    },
}

impl ShapeError {
    /// The key that is wrong.
    pub(in crate::output) fn key(&self) -> &'static str {
        match self {
            Self::NoInterval | Self::NewestFirst => "power_of_interval",
            Self::Several(_) | Self::Name(_) | Self::Same(_) => "rename",
            Self::NotHere { key, .. } => key,
        }
    }
}

impl Shape {
    /// Finds what is wrong. `fixed` are the keys that make no sense with an output, and why.
    pub(in crate::output) fn validate(&self, fixed: Fixed) -> Result<(), ShapeError> {
        let mut names = BTreeSet::new();
        for (codes, name) in &self.rename {
            if !codes.0.is_one() {
                return Err(ShapeError::Several(codes.0));
            }
            if !is_name(name) {
                return Err(ShapeError::Name(name.clone()));
            }
            if !names.insert(name) {
                return Err(ShapeError::Same(name.clone()));
            }
        }
        let set = [
            ("registers", !self.registers.is_empty()),
            ("rename", !self.rename.is_empty()),
            ("energy_unit", self.energy_unit != EnergyUnit::default()),
            ("decimals", self.decimals.is_some()),
        ];
        for (key, _) in set.into_iter().filter(|(_, is_set)| *is_set) {
            if fixed.keys.contains(&key) {
                return Err(ShapeError::NotHere {
                    key,
                    why: fixed.why,
                });
            }
        }
        Ok(())
    }

    /// Whether a register is sent.
    pub(super) fn keeps(&self, obis: Obis) -> bool {
        self.registers.is_empty() || self.registers.iter().any(|codes| codes.0.matches(obis))
    }

    /// What a register is called.
    pub(in crate::output) fn name(&self, obis: Obis) -> Option<&str> {
        let mut names = self.rename.iter();
        let found = names.find(|(codes, _)| codes.0.matches(obis));
        found.map(|(_, name)| name.as_str())
    }

    /// How a unit is written.
    pub(in crate::output) fn symbol(&self, unit: Unit) -> Option<&'static str> {
        if self.in_thousands(unit) {
            thousands(unit)
        } else {
            unit.symbol()
        }
    }

    /// Whether numbers of this unit are sent as thousands.
    pub(super) fn in_thousands(&self, unit: Unit) -> bool {
        self.energy_unit == EnergyUnit::KilowattHour && thousands(unit).is_some()
    }
}

/// Keys that make no sense with an output.
#[derive(Clone, Copy, Debug)]
pub(in crate::output) struct Fixed {
    /// Their names.
    pub(in crate::output) keys: &'static [&'static str],
    /// Why, and what to do instead.
    pub(in crate::output) why: &'static str,
}

impl Fixed {
    /// All keys make sense.
    pub(in crate::output) const NOTHING: Self = Self { keys: &[], why: "" };
    /// The form of the system that this one takes over.
    pub(in crate::output) const CLASSIC: Self = Self {
        keys: &["registers", "rename", "energy_unit", "decimals"],
        why: "format = \"classic\" has always the same five keys, in Wh and W: remove it, or choose \
              another format",
    };
}

/// The symbol of a thousand of what a unit of energy counts.
fn thousands(unit: Unit) -> Option<&'static str> {
    match unit.symbol()? {
        "Wh" => Some("kWh"),
        "VAh" => Some("kVAh"),
        "varh" => Some("kvarh"),
        _ => None,
    }
}

/// Names become keys of JSON, fields of `InfluxDB` and levels of topics.
fn is_name(name: &str) -> bool {
    let letter = |letter: char| letter.is_alphanumeric() || " _-.:".contains(letter);
    (1..=64).contains(&name.chars().count())
        && name.chars().all(letter)
        && name.trim() == name
        && !["time", "meter", "devid"].contains(&name)
}
