//! CRC-32 as in IEEE 802.3, without a table: flash is dear, and readings are seldom.

use crc::{CRC_32_ISO_HDLC, Crc, Digest, NoTable};

static CRC: Crc<u32, NoTable> = Crc::<u32, NoTable>::new(&CRC_32_ISO_HDLC);

/// A checksum that grows with the bytes.
pub(crate) fn begin() -> Digest<'static, u32, NoTable> {
    CRC.digest()
}

/// The checksum of some bytes.
pub(crate) fn of(bytes: &[u8]) -> u32 {
    CRC.checksum(bytes)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_check_value_of_the_catalogue() {
        assert_eq!(super::of(b"123456789"), 0xCBF4_3926);
    }
}
