//! CRC-32 as in IEEE 802.3, four bits at a time: the table takes 64 bytes instead of 1 KiB.

const TABLE: [u32; 16] = {
    let mut table = [0; 16];
    let mut index = 0_u32;
    while index < 16 {
        let mut value = index;
        let mut bit = 0;
        while bit < 4 {
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

/// A checksum that grows with the bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Crc(u32);

impl Crc {
    pub(super) const fn new() -> Self {
        Self(!0)
    }

    pub(super) fn with(self, bytes: &[u8]) -> Self {
        let nibble = |crc: u32, value: u32| TABLE[((crc ^ value) & 0xF) as usize] ^ crc >> 4;
        Self(bytes.iter().fold(self.0, |crc, byte| {
            let byte = u32::from(*byte);
            nibble(nibble(crc, byte), byte >> 4)
        }))
    }

    pub(super) const fn value(self) -> u32 {
        !self.0
    }
}

/// The checksum of some bytes.
pub(super) fn of(bytes: &[u8]) -> u32 {
    Crc::new().with(bytes).value()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_check_value_of_the_catalogue() {
        assert_eq!(super::of(b"123456789"), 0xCBF4_3926);
    }
}
