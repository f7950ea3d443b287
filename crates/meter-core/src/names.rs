//! What registers are called and what kind of quantity they hold.
//!
//! The names are the usual ones of the field (IEC 62056-6-1, and what meters' manuals print). A
//! register that is not in the table is published all the same, under its code.

use sml_wire::Obis;

/// The kind of quantity in a register, by which consumers choose classes, units and graphs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Quantity {
    /// Counter of energy drawn from the grid; never falls.
    EnergyImport,
    /// Counter of energy fed into the grid; never falls.
    EnergyExport,
    /// Another counter of energy, which may fall.
    Energy,
    /// Active power. [`power_register`] says which conductor it is of and where its sign is.
    Power,
    /// Voltage.
    Voltage,
    /// Current.
    Current,
    /// Mains frequency.
    Frequency,
    /// Phase angle.
    Angle,
    /// Bits that describe the state of the meter.
    Status,
    /// Number or name of the meter.
    Identity,
    /// Short name of who made the meter.
    Manufacturer,
    /// Version of software or of a set of parameters.
    Version,
    /// Checksum over the meter's software.
    Checksum,
    /// Public key that signed readings are checked with.
    PublicKey,
    /// Known to be the maker's own business.
    Vendor,
}

/// Name and kind of a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Description {
    /// What a person calls it, in English: `Import total (A+)`.
    pub name: &'static str,
    /// What it measures.
    pub quantity: Quantity,
}

/// Describes a register; `None` for codes that are not in the table.
///
/// Electricity registers (A = 1) are found by C.D.E whatever the channel B, since some meters count
/// in channels 1 and 2 (`EasyMeter` Q3C: `1-1:1.8.0`). Counters with another F than 255 are values of
/// past days or billing periods and are not described as the running counter.
#[must_use]
pub fn describe(obis: Obis) -> Option<Description> {
    let (name, quantity) = match obis.0 {
        [1, _, c, d @ (8 | 17), e, 255] => energy([c, d, e])?,
        [1, _, c, 7, e, 255] => instantaneous([c, 7, e])?,
        [1, _, _, 7 | 8 | 17, _, _] => return None,
        [1, _, c, d, e, _] => about_the_meter([c, d, e])?,
        [0, 0, 96, 1, ..] => ("Meter number", Quantity::Identity),
        [0, 0, 97, 97, ..] => ("Error word", Quantity::Status),
        [129, 129, 199, 130, 3, _] => ("Manufacturer", Quantity::Manufacturer),
        [129, 129, 199, 130, 5, _] => ("Public key", Quantity::PublicKey),
        [129, 129, 199, 240, 6, _] => ("Vendor specific", Quantity::Vendor),
        _ => return None,
    };
    Some(Description { name, quantity })
}

fn energy(cde: [u8; 3]) -> Option<(&'static str, Quantity)> {
    use Quantity::{Energy, EnergyExport, EnergyImport};
    Some(match cde {
        [1, 8, 0] => ("Import total (A+)", EnergyImport),
        [1, 8, 1] => ("Import tariff 1 (HT)", EnergyImport),
        [1, 8, 2] => ("Import tariff 2 (NT)", EnergyImport),
        [1, 8, 3] => ("Import tariff 3", EnergyImport),
        [1, 8, 4] => ("Import tariff 4", EnergyImport),
        [2, 8, 0] => ("Export total (A−)", EnergyExport),
        [2, 8, 1] => ("Export tariff 1", EnergyExport),
        [2, 8, 2] => ("Export tariff 2", EnergyExport),
        [2, 8, 3] => ("Export tariff 3", EnergyExport),
        [2, 8, 4] => ("Export tariff 4", EnergyExport),
        [15, 8, 0] => ("Absolute energy total", Energy),
        [16, 8, 0] => ("Net energy total", Energy),
        [1, 17, 0] => ("Last signed positive active energy total", Energy),
        _ => return None,
    })
}

fn instantaneous(cde: [u8; 3]) -> Option<(&'static str, Quantity)> {
    use Quantity::{Angle, Current, Frequency, Power, Voltage};
    Some(match cde {
        [16, 7, 0] => ("Power", Power),
        [1, 7, 0 | 1 | 255] => ("Power, import", Power),
        [2, 7, 0] => ("Power, export", Power),
        [15, 7, 0] => ("Power, absolute", Power),
        [36, 7, 0] => ("Power L1", Power),
        [56, 7, 0] => ("Power L2", Power),
        [76, 7, 0] => ("Power L3", Power),
        [21, 7, 0] => ("Power L1, import", Power),
        [41, 7, 0] => ("Power L2, import", Power),
        [61, 7, 0] => ("Power L3, import", Power),
        [22, 7, 0] => ("Power L1, export", Power),
        [42, 7, 0] => ("Power L2, export", Power),
        [62, 7, 0] => ("Power L3, export", Power),
        [35, 7, 0] => ("Power L1, absolute", Power),
        [55, 7, 0] => ("Power L2, absolute", Power),
        [75, 7, 0] => ("Power L3, absolute", Power),
        [32, 7, 0] => ("Voltage L1", Voltage),
        [52, 7, 0] => ("Voltage L2", Voltage),
        [72, 7, 0] => ("Voltage L3", Voltage),
        [31, 7, 0] => ("Current L1", Current),
        [51, 7, 0] => ("Current L2", Current),
        [71, 7, 0] => ("Current L3", Current),
        [14, 7, 0] => ("Frequency", Frequency),
        [81, 7, 1] => ("Angle U-L2 to U-L1", Angle),
        [81, 7, 2] => ("Angle U-L3 to U-L1", Angle),
        [81, 7, 4] => ("Angle I-L1 to U-L1", Angle),
        [81, 7, 15] => ("Angle I-L2 to U-L2", Angle),
        [81, 7, 26] => ("Angle I-L3 to U-L3", Angle),
        _ => return None,
    })
}

fn about_the_meter(cde: [u8; 3]) -> Option<(&'static str, Quantity)> {
    Some(match cde {
        [0, 0, 0] => ("Meter number", Quantity::Identity),
        [0, 0, 9] | [96, 1, 0] => ("Server id", Quantity::Identity),
        [96, 50, 1] => ("Manufacturer", Quantity::Manufacturer),
        [96, 50, 4] => ("Parameter version", Quantity::Version),
        [96, 5, 0] => ("Status word", Quantity::Status),
        [97, 97, 0] => ("Error word", Quantity::Status),
        [0, 2, 0] => ("Firmware version", Quantity::Version),
        [96, 90, 2] => ("Firmware checksum", Quantity::Checksum),
        _ => return None,
    })
}

/// What an active power was measured on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Conductor {
    /// All three together.
    Sum,
    /// Outer conductor 1.
    L1,
    /// Outer conductor 2.
    L2,
    /// Outer conductor 3.
    L3,
}

/// How a power register says which way the power flows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sense {
    /// By its sign: positive is drawn from the grid, negative fed in.
    Signed,
    /// It counts what is drawn from the grid, although some meters send negative numbers too.
    Import,
    /// It counts what is fed in.
    Export,
    /// Not at all: always positive, and the direction is in the status word.
    Absolute,
}

/// What a register of active power stands for; `None` for every other register.
///
/// Meters without the usual `16.7.0`, `36.7.0`, `56.7.0` and `76.7.0` send other codes for the same
/// thing: `1.7.0`, `1.7.1` (EMH eHZ-GW8, Hager eHZ361), `1.7.255`, and `2.7.0` for what is fed in;
/// 21, 41 and 61 (drawn), 22, 42 and 62 (fed in) or 35, 55 and 75 (absolute) for the conductors.
/// A reading keeps the codes that the meter sent;
/// [`Reading::power_of`](crate::Reading::power_of) looks the aliases up.
#[must_use]
pub const fn power_register(obis: Obis) -> Option<(Conductor, Sense)> {
    let [1, _, c, 7, e, 255] = obis.0 else {
        return None;
    };
    Some(match (c, e) {
        (16, 0) => (Conductor::Sum, Sense::Signed),
        (36, 0) => (Conductor::L1, Sense::Signed),
        (56, 0) => (Conductor::L2, Sense::Signed),
        (76, 0) => (Conductor::L3, Sense::Signed),
        (15, 0) => (Conductor::Sum, Sense::Absolute),
        (35, 0) => (Conductor::L1, Sense::Absolute),
        (55, 0) => (Conductor::L2, Sense::Absolute),
        (75, 0) => (Conductor::L3, Sense::Absolute),
        (1, 0 | 1 | 255) => (Conductor::Sum, Sense::Import),
        (21, 0) => (Conductor::L1, Sense::Import),
        (41, 0) => (Conductor::L2, Sense::Import),
        (61, 0) => (Conductor::L3, Sense::Import),
        (2, 0) => (Conductor::Sum, Sense::Export),
        (22, 0) => (Conductor::L1, Sense::Export),
        (42, 0) => (Conductor::L2, Sense::Export),
        (62, 0) => (Conductor::L3, Sense::Export),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(obis: [u8; 6]) -> Option<&'static str> {
        describe(Obis(obis)).map(|description| description.name)
    }

    #[test]
    fn every_register_of_the_domain_table_has_a_name() {
        let electricity: [[u8; 3]; 52] = [
            [1, 8, 0],
            [1, 8, 1],
            [1, 8, 2],
            [1, 8, 3],
            [1, 8, 4],
            [2, 8, 0],
            [2, 8, 1],
            [2, 8, 2],
            [1, 17, 0],
            [16, 7, 0],
            [1, 7, 0],
            [1, 7, 255],
            [2, 7, 0],
            [15, 7, 0],
            [36, 7, 0],
            [56, 7, 0],
            [76, 7, 0],
            [21, 7, 0],
            [41, 7, 0],
            [61, 7, 0],
            [22, 7, 0],
            [42, 7, 0],
            [62, 7, 0],
            [35, 7, 0],
            [55, 7, 0],
            [75, 7, 0],
            [32, 7, 0],
            [52, 7, 0],
            [72, 7, 0],
            [31, 7, 0],
            [51, 7, 0],
            [71, 7, 0],
            [14, 7, 0],
            [81, 7, 1],
            [81, 7, 2],
            [81, 7, 4],
            [81, 7, 15],
            [81, 7, 26],
            [96, 5, 0],
            [97, 97, 0],
            [96, 1, 0],
            [0, 0, 9],
            [0, 0, 0],
            [96, 50, 1],
            [96, 90, 2],
            [0, 2, 0],
            [96, 50, 4],
            [1, 7, 1],
            [2, 8, 3],
            [2, 8, 4],
            [15, 8, 0],
            [16, 8, 0],
        ];
        for [c, d, e] in electricity {
            assert!(name([1, 0, c, d, e, 255]).is_some(), "{c}.{d}.{e}");
        }
        for obis in [
            [0, 0, 96, 1, 255, 255],
            [129, 129, 199, 130, 3, 255],
            [129, 129, 199, 130, 5, 255],
            [129, 129, 199, 240, 6, 255],
            [1, 0, 96, 50, 1, 1],
            [1, 0, 96, 90, 2, 1],
            [1, 0, 0, 2, 0, 0],
            [1, 0, 0, 2, 0, 1],
            [0, 0, 97, 97, 0, 255],
        ] {
            assert!(name(obis).is_some(), "{obis:?}");
        }
    }

    #[test]
    fn other_channels_have_the_name_and_past_values_have_not() {
        assert_eq!(name([1, 1, 1, 8, 0, 255]), Some("Import total (A+)"));
        assert_eq!(name([1, 2, 2, 8, 0, 255]), Some("Export total (A−)"));
        assert_eq!(name([1, 0, 1, 8, 0, 96]), None);
        assert_eq!(name([7, 0, 3, 0, 0, 255]), None);
    }

    #[test]
    fn power_registers_are_those_described_as_power() {
        for c in 0..=255 {
            for e in 0..=255 {
                let obis = Obis([1, 0, c, 7, e, 255]);
                let described = describe(obis).is_some_and(|d| d.quantity == Quantity::Power);
                assert_eq!(power_register(obis).is_some(), described, "{c}.7.{e}");
            }
        }
        assert_eq!(power_register(Obis([1, 0, 16, 7, 0, 96])), None);
    }
}
