//! A checksum for each reading, because `SQLite` has none for its pages and a flipped bit in a body
//! would be a wrong number in somebody's bill.

use crc::{CRC_32_ISO_HDLC, Crc};

const CRC: Crc<u32> = Crc::<u32>::new(&CRC_32_ISO_HDLC);

/// The checksum of a reading: its place in the log, its meter, its time and its bytes.
pub(super) fn of_reading(seq: u64, meter: &[u8], time: i64, body: &[u8]) -> u32 {
    let mut digest = CRC.digest();
    digest.update(&seq.to_le_bytes());
    digest.update(&time.to_le_bytes());
    digest.update(meter);
    digest.update(body);
    digest.finalize()
}

#[cfg(test)]
mod tests {
    #[test]
    fn journals_that_are_there_stay_readable() {
        assert_eq!(super::of_reading(7, b"meter", 1000, b"body"), 0x2DE9_5051);
    }

    #[test]
    fn each_part_counts() {
        let whole = super::of_reading(7, b"meter", 1000, b"body");
        assert_ne!(whole, super::of_reading(8, b"meter", 1000, b"body"));
        assert_ne!(whole, super::of_reading(7, b"metes", 1000, b"body"));
        assert_ne!(whole, super::of_reading(7, b"meter", 1001, b"body"));
        assert_ne!(whole, super::of_reading(7, b"meter", 1000, b"bodz"));
    }
}
