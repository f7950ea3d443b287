//! What a telegram says, in memory of its own: every contender fills the same structures.

use std::hint::black_box;
use std::ops::Range;

/// What was found; all contenders must agree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Telegrams with a right checksum.
    pub telegrams: u64,
    /// Registers in them.
    pub registers: u64,
    /// Sum over all that is in the readings, wrapping.
    pub sum: u64,
}

/// One reading, whose memory is used again for the next.
pub struct Reading {
    server_id: Range<usize>,
    seconds_index: Option<u64>,
    registers: Vec<Register>,
    /// All octet strings of the reading, one behind the other.
    octets: Vec<u8>,
    /// Whether to add up what is in the readings: to compare contenders, not to time them.
    summed: bool,
}

/// One register.
pub struct Register {
    /// OBIS code.
    pub obis: [u8; 6],
    /// Status word.
    pub status: Option<u64>,
    /// DLMS unit code, 0 for none.
    pub unit: u8,
    /// Power of ten.
    pub scaler: i8,
    /// Value.
    pub value: Value,
}

/// Value of a register.
pub enum Value {
    /// A number; unsigned ones wrap.
    Integer(i64),
    /// Where the octets lie in those of the reading.
    Octets(Range<usize>),
    /// A boolean, a time or another list.
    Other,
}

impl Reading {
    /// Room for the readings of real meters.
    pub fn new(summed: bool) -> Self {
        Self {
            summed,
            server_id: 0..0,
            seconds_index: None,
            registers: Vec::with_capacity(128),
            octets: Vec::with_capacity(16 * 1024),
        }
    }

    /// Begins with the next reading.
    pub fn begin(&mut self, server_id: &[u8], seconds_index: Option<u64>) {
        self.registers.clear();
        self.octets.clear();
        self.server_id = self.keep(server_id);
        self.seconds_index = seconds_index;
    }

    /// Copies octets.
    pub fn keep(&mut self, octets: &[u8]) -> Range<usize> {
        let start = self.octets.len();
        self.octets.extend_from_slice(octets);
        start..self.octets.len()
    }

    /// Appends a register.
    pub fn push(&mut self, register: Register) {
        self.registers.push(register);
    }

    /// The reading is complete.
    pub fn end(&self, found: &mut Found) {
        let reading = black_box(self);
        found.registers += reading.registers.len() as u64;
        if reading.summed {
            found.sum = found.sum.wrapping_add(reading.sum());
        }
    }

    #[inline(never)]
    fn sum(&self) -> u64 {
        let octets = |range: &Range<usize>| {
            let first = self.octets.get(range.start).copied();
            range.len() as u64 + u64::from(first.unwrap_or_default())
        };
        let mut sum = octets(&self.server_id) + self.seconds_index.unwrap_or_default();
        for register in &self.registers {
            let [_, _, c, d, e, _] = register.obis;
            sum = sum
                .wrapping_add(u64::from(c) << 16 | u64::from(d) << 8 | u64::from(e))
                .wrapping_add(register.status.unwrap_or_default())
                .wrapping_add(register.unit.into())
                .wrapping_add_signed(register.scaler.into())
                .wrapping_add(match &register.value {
                    Value::Integer(number) => number.cast_unsigned(),
                    Value::Octets(range) => octets(range),
                    Value::Other => 1,
                });
        }
        sum
    }
}
