use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Speed and character format of a serial line, shown as `9600 8N1`.
///
/// Every SML meter that pushes by itself uses 9600 8N1 (BSI TR-03109, and all
/// captures); the other formats are there for heads that convert, and to
/// recognise meters that do not speak SML.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Line {
    /// Speed in bit/s.
    pub baud: u32,
    /// Data bits of a character.
    pub data_bits: DataBits,
    /// Parity bit.
    pub parity: Parity,
    /// Stop bits.
    pub stop_bits: StopBits,
}

impl Line {
    /// What SML meters use.
    pub const SML: Self = Self::eight(9600);

    /// The given speed with eight data bits, no parity, one stop bit.
    #[must_use]
    pub const fn eight(baud: u32) -> Self {
        Self {
            baud,
            data_bits: DataBits::Eight,
            parity: Parity::None,
            stop_bits: StopBits::One,
        }
    }

    /// The given speed with seven data bits, even parity, one stop bit:
    /// the format of IEC 62056-21 ("D0").
    #[must_use]
    pub const fn seven_even(baud: u32) -> Self {
        Self {
            baud,
            data_bits: DataBits::Seven,
            parity: Parity::Even,
            stop_bits: StopBits::One,
        }
    }
}

impl Default for Line {
    fn default() -> Self {
        Self::SML
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parity = match self.parity {
            Parity::None => 'N',
            Parity::Even => 'E',
            Parity::Odd => 'O',
        };
        let data = u8::from(self.data_bits);
        let stop = u8::from(self.stop_bits);
        write!(f, "{} {data}{parity}{stop}", self.baud)
    }
}

/// Parity of a serial line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Parity {
    /// No parity bit.
    #[default]
    None,
    /// Even parity.
    Even,
    /// Odd parity.
    Odd,
}

/// Data bits of a serial line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "u8", into = "u8")]
#[schemars(with = "u8", extend("enum" = [7, 8]))]
pub enum DataBits {
    /// Seven, as in IEC 62056-21.
    Seven,
    /// Eight, as SML needs.
    #[default]
    Eight,
}

/// Stop bits of a serial line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "u8", into = "u8")]
#[schemars(with = "u8", extend("enum" = [1, 2]))]
pub enum StopBits {
    /// One stop bit.
    #[default]
    One,
    /// Two stop bits.
    Two,
}

/// A number that a serial line cannot have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    /// Neither 7 nor 8 data bits.
    #[error("{0} data bits: a meter's line has 7 or 8")]
    DataBits(u8),
    /// Neither 1 nor 2 stop bits.
    #[error("{0} stop bits: a meter's line has 1 or 2")]
    StopBits(u8),
}

impl TryFrom<u8> for DataBits {
    type Error = LineError;

    fn try_from(bits: u8) -> Result<Self, Self::Error> {
        match bits {
            7 => Ok(Self::Seven),
            8 => Ok(Self::Eight),
            other => Err(LineError::DataBits(other)),
        }
    }
}

impl From<DataBits> for u8 {
    fn from(bits: DataBits) -> Self {
        match bits {
            DataBits::Seven => 7,
            DataBits::Eight => 8,
        }
    }
}

impl TryFrom<u8> for StopBits {
    type Error = LineError;

    fn try_from(bits: u8) -> Result<Self, Self::Error> {
        match bits {
            1 => Ok(Self::One),
            2 => Ok(Self::Two),
            other => Err(LineError::StopBits(other)),
        }
    }
}

impl From<StopBits> for u8 {
    fn from(bits: StopBits) -> Self {
        match bits {
            StopBits::One => 1,
            StopBits::Two => 2,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_written_as_people_write_it() {
        assert_eq!(Line::SML.to_string(), "9600 8N1");
        assert_eq!(Line::seven_even(300).to_string(), "300 7E1");
    }

    #[test]
    fn impossible_numbers_are_refused() {
        assert_eq!(DataBits::try_from(9), Err(LineError::DataBits(9)));
        assert_eq!(StopBits::try_from(0), Err(LineError::StopBits(0)));
    }
}
