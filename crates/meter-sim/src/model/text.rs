//! How octets, integer types and OBIS codes are written in a model file.

use std::fmt::Write as _;
use std::str::FromStr as _;

use serde::de::{Deserialize, Deserializer, Error};

/// Octets, written as hex digits with spaces at will: `"0a 01 45 4d 48"`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hex(pub Vec<u8>);

impl<'de> Deserialize<'de> for Hex {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let digits: Option<Vec<u32>> = text
            .chars()
            .filter(|c| !c.is_whitespace())
            .map(|c| c.to_digit(16))
            .collect();
        let pairs = digits.filter(|digits| digits.len() % 2 == 0);
        let Some(pairs) = pairs else {
            return Err(D::Error::custom(format_args!(
                "{text:?} is not an even number of hex digits"
            )));
        };
        let octets = pairs
            .chunks_exact(2)
            .map(|pair| u8::try_from(pair[0] * 16 + pair[1]));
        octets
            .collect::<Result<_, _>>()
            .map(Self)
            .map_err(D::Error::custom)
    }
}

/// How an integer is encoded: `"u8"` to `"u64"` and `"i8"` to `"i64"` in steps of one byte for a
/// fixed width, `"unsigned"` and `"signed"` for as few bytes as the value needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IntegerType {
    /// Whether it has a sign.
    pub signed: bool,
    /// Its width in bytes; none for as few as needed.
    pub bytes: Option<u8>,
}

impl<'de> Deserialize<'de> for IntegerType {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        integer_type(&text).ok_or_else(|| {
            D::Error::custom(format_args!(
                "{text:?} is no integer type; write u8, u16 ... u64, i8 ... i64, unsigned or signed"
            ))
        })
    }
}

fn integer_type(text: &str) -> Option<IntegerType> {
    match text {
        "unsigned" => {
            return Some(IntegerType {
                signed: false,
                bytes: None,
            });
        }
        "signed" => {
            return Some(IntegerType {
                signed: true,
                bytes: None,
            });
        }
        _ => {}
    }
    let (signed, bits) = match text.split_at_checked(1)? {
        ("u", bits) => (false, bits),
        ("i", bits) => (true, bits),
        _ => return None,
    };
    let bits: u8 = bits.parse().ok()?;
    let valid = (8..=64).contains(&bits) && bits.is_multiple_of(8);
    valid.then_some(IntegerType {
        signed,
        bytes: Some(bits / 8),
    })
}

pub(super) fn obis<'de, D: Deserializer<'de>>(deserializer: D) -> Result<sml_wire::Obis, D::Error> {
    let text = String::deserialize(deserializer)?;
    sml_wire::Obis::from_str(&text).map_err(|_| {
        let mut message = String::new();
        // Writing to a string cannot fail.
        let _ = write!(
            message,
            "{text:?} is no OBIS code; write it like 1-0:1.8.0*255"
        );
        D::Error::custom(message)
    })
}
