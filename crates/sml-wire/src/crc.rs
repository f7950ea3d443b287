//! The two checksums that meters use, over the frame and over each message.

use crc::{CRC_16_IBM_SDLC, Crc};

#[cfg(not(feature = "small"))]
type Lookup = crc::Table<16>;
#[cfg(feature = "small")]
type Lookup = crc::Table<1>;

/// X.25 and Kermit share their polynomial, so one table serves both.
static TABLE: Crc<u16, Lookup> = Crc::<u16, Lookup>::new(&CRC_16_IBM_SDLC);

/// Which checksum a telegram carries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum CrcKind {
    /// CRC-16/X.25 (also called IBM-SDLC), low byte first: what the specification asks for.
    #[default]
    X25,
    /// CRC-16/Kermit, high byte first: Holley DTZ541 with some firmware.
    Kermit,
}

impl CrcKind {
    /// The name in lower case, as in the JSON of `meterline decode`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::X25 => "x25",
            Self::Kermit => "kermit",
        }
    }

    /// The other one.
    pub(crate) fn other(self) -> Self {
        match self {
            Self::X25 => Self::Kermit,
            Self::Kermit => Self::X25,
        }
    }

    /// The checksum of `bytes` as the two bytes that follow them on the wire.
    #[must_use]
    pub fn checksum(self, bytes: &[u8]) -> [u8; 2] {
        match self {
            Self::X25 => TABLE.checksum(bytes).to_le_bytes(),
            Self::Kermit => {
                let mut digest = TABLE.digest_with_initial(0);
                digest.update(bytes);
                (digest.finalize() ^ CRC_16_IBM_SDLC.xorout).to_be_bytes()
            }
        }
    }
}

impl core::fmt::Display for CrcKind {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.pad(match self {
            Self::X25 => "X.25",
            Self::Kermit => "Kermit",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::CrcKind;

    // The check values of the public CRC catalogue, over the digits 1 to 9.
    #[test]
    fn catalogue_check_values() {
        assert_eq!(
            CrcKind::X25.checksum(b"123456789"),
            0x906e_u16.to_le_bytes()
        );
        assert_eq!(
            CrcKind::Kermit.checksum(b"123456789"),
            0x2189_u16.to_be_bytes()
        );
    }
}
