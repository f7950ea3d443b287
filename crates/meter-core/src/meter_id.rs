//! Server ids and the meter ids that people know from the nameplate and the bill.
//!
//! | octets | printed | form |
//! |---|---|---|
//! | `0a 01 45 4d 48 00 00a1bd34` | `1 EMH00 1059 9732` | DIN 43863-5: medium, maker, block, number |
//! | `06 45 4d 48 01 02 71 56 cd 45` | `06-EMH-01027156CD45` | before DIN 43863-5; its number cannot be told |
//! | `01 a8 15 98 64 80 02 01 02` | `M-Bus EMH 02806498 v1 m2` | M-Bus: maker, number, version, medium |
//! | `30 32 32 38 30 38 31 36` | `02280816` | text |
//! | any other | `FF-00-12` | hex |
//!
//! The block of a DIN number prints as hex: an `EasyMeter` calls itself `1ESY1162232997` and has the
//! octets `09 01 455359 11 03b599a5`.

use core::fmt::{self, Write};

/// The octets by which a meter names itself in its telegrams.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServerId<'a>(pub &'a [u8]);

impl<'a> ServerId<'a> {
    /// The octets as sent.
    #[must_use]
    pub const fn as_bytes(self) -> &'a [u8] {
        self.0
    }

    /// The id as printed on the nameplate, as far as it can be told.
    #[must_use]
    pub fn meter_id(self) -> MeterId<'a> {
        let form = din(self.0)
            .or_else(|| edl(self.0))
            .or_else(|| mbus(self.0))
            .or_else(|| text(self.0).map(Form::Text))
            .unwrap_or(Form::Octets(self.0));
        MeterId { form }
    }
}

/// Lower-case hex without separators.
impl fmt::Display for ServerId<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}

impl fmt::Debug for ServerId<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ServerId({self})")
    }
}

/// A server id in the form people know. See the [module](self) for how it prints.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct MeterId<'a> {
    form: Form<'a>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Form<'a> {
    Din {
        octets: &'a [u8],
        medium: u8,
        maker: [u8; 3],
        block: u8,
        number: u32,
    },
    Edl {
        maker: [u8; 3],
        rest: &'a [u8],
    },
    MBus {
        maker: [u8; 3],
        /// Eight digits, four bits each.
        number: u32,
        version: u8,
        medium: u8,
    },
    Text(&'a str),
    Octets(&'a [u8]),
}

impl<'a> MeterId<'a> {
    /// The id in one word of letters and digits, safe in topics, paths, file names and JSON keys:
    /// `1EMH0010599732`. What is not a letter, a digit or a dash in a text id becomes `_2F`.
    #[must_use]
    pub const fn compact(self) -> CompactMeterId<'a> {
        CompactMeterId(self)
    }

    /// The maker's three letters, where the id holds them: `EMH`.
    #[must_use]
    pub const fn maker(self) -> Option<Maker> {
        match self.form {
            Form::Din { maker, .. } | Form::Edl { maker, .. } | Form::MBus { maker, .. } => {
                Some(Maker(maker))
            }
            Form::Text(_) | Form::Octets(_) => None,
        }
    }

    /// The form that the predecessor of this program sent as `devid`: `1EMH00 10599732`. Ids of
    /// other forms, which it could not read, print as usual.
    #[must_use]
    pub const fn classic(self) -> ClassicMeterId<'a> {
        ClassicMeterId(self)
    }
}

impl fmt::Display for MeterId<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.form {
            Form::Din {
                octets,
                medium,
                maker,
                block,
                number,
            } => {
                let (high, low) = (number / 10_000, number % 10_000);
                write!(
                    f,
                    "{medium:X} {}{block:02X} {high:04} {low:04}",
                    Maker(maker)
                )?;
                // Beyond what DIN 43863-5 allows, so that the octets are shown as well.
                if number > 99_999_999 || block > 0x99 {
                    write!(f, " ({})", ServerId(octets))?;
                }
                Ok(())
            }
            Form::Edl { maker, rest } => {
                write!(f, "06-{}-", Maker(maker))?;
                rest.iter().try_for_each(|octet| write!(f, "{octet:02X}"))
            }
            Form::MBus {
                maker,
                number,
                version,
                medium,
            } => write!(
                f,
                "M-Bus {} {number:08X} v{version} m{medium}",
                Maker(maker)
            ),
            Form::Text(text) => f.write_str(text),
            Form::Octets([]) => f.write_str("no meter id"),
            Form::Octets([first, rest @ ..]) => {
                write!(f, "{first:02X}")?;
                rest.iter().try_for_each(|octet| write!(f, "-{octet:02X}"))
            }
        }
    }
}

impl fmt::Debug for MeterId<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MeterId({self})")
    }
}

/// See [`MeterId::compact`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CompactMeterId<'a>(MeterId<'a>);

impl fmt::Display for CompactMeterId<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.form {
            Form::Din {
                medium,
                maker,
                block,
                number,
                ..
            } => write!(f, "{medium:X}{}{block:02X}{number:08}", Maker(maker)),
            Form::Edl { maker, rest } => {
                write!(f, "06{}", Maker(maker))?;
                rest.iter().try_for_each(|octet| write!(f, "{octet:02X}"))
            }
            Form::MBus {
                maker,
                number,
                version,
                medium,
            } => write!(f, "MBus{}{number:08X}v{version}m{medium}", Maker(maker)),
            Form::Text(text) => text.chars().try_for_each(|letter| {
                if letter.is_ascii_alphanumeric() || letter == '-' {
                    f.write_char(letter)
                } else {
                    write!(f, "_{:02X}", u32::from(letter))
                }
            }),
            Form::Octets([]) => f.write_str("_none"),
            Form::Octets(octets) => {
                f.write_str("_")?;
                octets.iter().try_for_each(|octet| write!(f, "{octet:02X}"))
            }
        }
    }
}

/// See [`MeterId::classic`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ClassicMeterId<'a>(MeterId<'a>);

impl fmt::Display for ClassicMeterId<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.form {
            Form::Din {
                medium,
                maker,
                block,
                number,
                ..
            } => write!(f, "{medium:X}{}{block:02X} {number:08}", Maker(maker)),
            _ => self.0.fmt(f),
        }
    }
}

/// The three letters of a meter's maker in the list of the FLAG association.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Maker([u8; 3]);

impl Maker {
    /// DZG Metering, whose older meters encode power wrongly.
    pub const DZG: Self = Self(*b"DZG");

    /// The letters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(&self.0).unwrap_or_default()
    }

    fn new(letters: [u8; 3]) -> Option<Self> {
        letters
            .iter()
            .all(u8::is_ascii_uppercase)
            .then_some(Self(letters))
    }
}

impl fmt::Display for Maker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// DIN 43863-5 in ten octets: 09 or 0a, medium, maker, block, number.
fn din(octets: &[u8]) -> Option<Form<'_>> {
    let [0x09 | 0x0a, medium, m0, m1, m2, block, n0, n1, n2, n3] = *octets else {
        return None;
    };
    Some(Form::Din {
        octets,
        medium,
        maker: Maker::new([m0, m1, m2])?.0,
        block,
        number: u32::from_be_bytes([n0, n1, n2, n3]),
    })
}

/// The form of the EDL meters: 06, maker, six octets of the maker's own.
fn edl(octets: &[u8]) -> Option<Form<'_>> {
    let [0x06, m0, m1, m2, rest @ ..] = octets else {
        return None;
    };
    let maker = Maker::new([*m0, *m1, *m2])?.0;
    (rest.len() == 6).then_some(Form::Edl { maker, rest })
}

/// The address of an M-Bus device (EN 13757-3): 01, maker in three times five bits, number as BCD,
/// version, medium; the first two with the low octet first.
fn mbus(octets: &[u8]) -> Option<Form<'_>> {
    let [0x01, m0, m1, n0, n1, n2, n3, version, medium] = *octets else {
        return None;
    };
    let packed = u16::from_le_bytes([m0, m1]);
    let letter = |shift: u16| u8::try_from(packed >> shift & 31).map_or(0, |bits| bits + 64);
    Some(Form::MBus {
        maker: Maker::new([letter(10), letter(5), letter(0)])?.0,
        number: u32::from_le_bytes([n0, n1, n2, n3]),
        version,
        medium,
    })
}

/// Octets that are all printable ASCII, as text.
pub(crate) fn text(octets: &[u8]) -> Option<&str> {
    let printable = !octets.is_empty() && octets.iter().all(|octet| matches!(octet, 0x20..=0x7e));
    printable
        .then(|| core::str::from_utf8(octets).ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use proptest::prelude::*;
    use std::format;
    use std::string::{String, ToString};
    use std::vec::Vec;

    fn octets(hex: &str) -> Vec<u8> {
        (0..hex.len() / 2)
            .filter_map(|index| u8::from_str_radix(hex.get(2 * index..2 * index + 2)?, 16).ok())
            .collect()
    }

    fn print(hex: &str) -> String {
        ServerId(&octets(hex)).meter_id().to_string()
    }

    #[test]
    fn known_meters_print_as_on_their_nameplates() {
        for (hex, text) in [
            ("0a01445a47000282225e", "1 DZG00 4208 2910"),
            ("0a01445a4700039e2055", "1 DZG00 6069 4613"),
            ("0901444e540100002030", "1 DNT01 0000 8240"),
            ("0a01454d480000a1bd34", "1 EMH00 1059 9732"),
            ("09014553591103b599a5", "1 ESY11 6223 2997"),
            ("0a01484c5902000d6be6", "1 HLY02 0087 9590"),
            ("090149534b000403df63", "1 ISK00 6736 2659"),
            ("0a0149534b00047a5544", "1 ISK00 7512 6084"),
            ("0a01495452000348f58e", "1 ITR00 5511 3102"),
            ("090145425a010002ec3b", "1 EBZ01 0019 1547"),
            ("06454d4801027156cd45", "06-EMH-01027156CD45"),
            ("01a815986480020102", "M-Bus EMH 02806498 v1 m2"),
            ("3032323830383136", "02280816"),
            ("0a014c475a000526d2ae", "1 LGZ00 8643 0382"),
            ("0a014546522002dce9bf", "1 EFR20 4803 2191"),
            ("0a0150410105b9e374", "0A-01-50-41-01-05-B9-E3-74"),
            ("0a014150410105b9e374", "1 APA01 9606 8468"),
            ("0a014c4f4700057ddb2b", "1 LOG00 9213 4187"),
            ("0a01454d480000ABd62a", "1 EMH00 1126 1482"),
        ] {
            assert_eq!(print(hex), text);
        }
    }

    #[test]
    fn what_din_does_not_allow_shows_its_octets_too() {
        assert_eq!(
            print("0a01454d480005f5e100"),
            "1 EMH00 10000 0000 (0a01454d480005f5e100)"
        );
        assert_eq!(
            print("0a01454d489a00000001"),
            "1 EMH9A 0000 0001 (0a01454d489a00000001)"
        );
        assert_eq!(print("0a1f454d489900000001"), "1F EMH99 0000 0001");
        assert_eq!(print("0a01454d480005f5e0ff"), "1 EMH00 9999 9999");
        assert_eq!(
            print("0a01454d4800ffffffff"),
            "1 EMH00 429496 7295 (0a01454d4800ffffffff)"
        );
    }

    #[test]
    fn other_octets_print_as_hex() {
        assert_eq!(
            print("0a01656d480000a1bd34"),
            "0A-01-65-6D-48-00-00-A1-BD-34"
        );
        assert_eq!(
            print("06454d4801027156cd4500"),
            "06-45-4D-48-01-02-71-56-CD-45-00"
        );
        assert_eq!(print("00"), "00");
        assert_eq!(print(""), "no meter id");
    }

    #[test]
    fn compact_and_classic_forms() {
        for (hex, compact, classic) in [
            ("0a01454d480000a1bd34", "1EMH0010599732", "1EMH00 10599732"),
            ("09014553591103b599a5", "1ESY1162232997", "1ESY11 62232997"),
            (
                "06454d4801027156cd45",
                "06EMH01027156CD45",
                "06-EMH-01027156CD45",
            ),
            (
                "01a815986480020102",
                "MBusEMH02806498v1m2",
                "M-Bus EMH 02806498 v1 m2",
            ),
            ("3032323830383136", "02280816", "02280816"),
            ("612f2b23225f2e2e", "a_2F_2B_23_22_5F_2E_2E", "a/+#\"_.."),
            ("00ff", "_00FF", "00-FF"),
            ("", "_none", "no meter id"),
        ] {
            let octets = octets(hex);
            let id = ServerId(&octets).meter_id();
            assert_eq!(id.compact().to_string(), compact);
            assert_eq!(id.classic().to_string(), classic);
        }
    }

    #[test]
    fn makers_by_their_letters() {
        let maker = |hex| {
            let octets = octets(hex);
            ServerId(&octets)
                .meter_id()
                .maker()
                .map(|maker| maker.to_string())
        };
        assert_eq!(maker("0a01445a47000282225e").as_deref(), Some("DZG"));
        assert_eq!(maker("06454d4801027156cd45").as_deref(), Some("EMH"));
        assert_eq!(maker("01a815986480020102").as_deref(), Some("EMH"));
        assert_eq!(maker("3032323830383136"), None);
    }

    proptest! {
        #[test]
        fn compact_is_safe_and_tells_ids_apart(
            a in proptest::collection::vec(any::<u8>(), 0..12),
            b in proptest::collection::vec(any::<u8>(), 0..12),
        ) {
            let compact = |octets: &[u8]| format!("{}", ServerId(octets).meter_id().compact());
            prop_assert!(compact(&a).chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_'));
            prop_assert!(!compact(&a).is_empty());
            prop_assert_eq!(compact(&a) == compact(&b), a == b);
        }
    }
}
