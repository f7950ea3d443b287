//! A checksum for each reading, because `SQLite` has none for its pages and a flipped bit in a body
//! would be a wrong number in somebody's bill.
//!
//! CRC-32 as in IEEE 802.3: reflected polynomial 0xEDB88320, start and final inversion.

const TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut index = 0_u32;
    while index < 256 {
        let mut value = index;
        let mut bit = 0;
        while bit < 8 {
            value = if value & 1 == 1 {
                value >> 1 ^ 0xEDB8_8320
            } else {
                value >> 1
            };
            bit += 1;
        }
        table[index as usize] = value;
        index += 1;
    }
    table
};

fn update(crc: u32, bytes: &[u8]) -> u32 {
    bytes.iter().fold(crc, |crc, byte| {
        let index = (crc ^ u32::from(*byte)) & 0xFF;
        TABLE[index as usize] ^ crc >> 8
    })
}

/// The checksum of a reading: its place in the log, its meter, its time and its bytes.
pub(super) fn of_reading(seq: u64, meter: &[u8], time: i64, body: &[u8]) -> u32 {
    let crc = update(!0, &seq.to_le_bytes());
    let crc = update(crc, &time.to_le_bytes());
    let crc = update(crc, meter);
    !update(crc, body)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_check_value_of_the_catalogue() {
        assert_eq!(!super::update(!0, b"123456789"), 0xCBF4_3926);
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
