//! What a meter sends, and what a correct reader must make of it.

use std::fmt;

use sml_wire::Obis;

/// One telegram with the truth about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Telegram {
    /// The whole frame as it leaves the meter, from the start sequence to the checksum.
    pub bytes: Vec<u8>,
    /// Its number in this simulation, from 0.
    pub number: u64,
    /// The server id of the meter.
    pub server_id: Vec<u8>,
    /// The meter's seconds index when it was measured. It is in the telegram unless the model
    /// sends no times at all.
    pub seconds_index: u64,
    /// The registers a correct reader reports, in the meter's order, after correcting what this
    /// meter encodes wrongly.
    pub registers: Vec<TrueRegister>,
}

/// A register as it must come out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrueRegister {
    /// Its OBIS code.
    pub obis: Obis,
    /// Its value.
    pub value: TrueValue,
    /// Its unit's code in DLMS, 30 for watt-hours; none where the meter sends none or 0.
    pub unit: Option<u8>,
    /// Its status word.
    pub status: Option<u64>,
}

/// A value as it must come out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TrueValue {
    /// `mantissa` times ten to the `scaler`. Its text has all digits and no exponent.
    Number {
        /// The integer.
        mantissa: i64,
        /// The power of ten.
        scaler: i8,
    },
    /// An octet string. Its text is in hex.
    Octets(Vec<u8>),
}

impl Telegram {
    /// The register with this code.
    #[must_use]
    pub fn register(&self, obis: Obis) -> Option<&TrueRegister> {
        self.registers.iter().find(|register| register.obis == obis)
    }

    /// The number in the register with this code, as text: `"2941645.9"`.
    #[must_use]
    pub fn number_text(&self, obis: Obis) -> Option<String> {
        let register = self.register(obis)?;
        matches!(register.value, TrueValue::Number { .. }).then(|| register.value.to_string())
    }
}

impl fmt::Display for TrueValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number { mantissa, scaler } if *scaler >= 0 => {
                // Zero has no zeros behind it.
                let zeros = if *mantissa == 0 {
                    0
                } else {
                    usize::from(scaler.unsigned_abs())
                };
                write!(f, "{mantissa}{:0<zeros$}", "")
            }
            Self::Number { mantissa, scaler } => {
                let decimals = usize::from(scaler.unsigned_abs());
                let sign = if *mantissa < 0 { "-" } else { "" };
                let digits = format!("{:0>width$}", mantissa.unsigned_abs(), width = decimals + 1);
                let (whole, fraction) = digits.split_at(digits.len() - decimals);
                write!(f, "{sign}{whole}.{fraction}")
            }
            Self::Octets(octets) => octets.iter().try_for_each(|octet| write!(f, "{octet:02x}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::TrueValue;

    #[test]
    fn numbers_are_printed_in_full() {
        let text = |mantissa, scaler| TrueValue::Number { mantissa, scaler }.to_string();
        assert_eq!(text(29_416_459, -1), "2941645.9");
        assert_eq!(text(-10_550, -2), "-105.50");
        assert_eq!(text(-5, -2), "-0.05");
        assert_eq!(text(7, -4), "0.0007");
        assert_eq!(text(25_688, 3), "25688000");
        assert_eq!(text(0, 3), "0");
        assert_eq!(text(-42, 0), "-42");
    }
}
