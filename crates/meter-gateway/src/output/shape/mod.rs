//! What of a reading an output sends, and how: which registers, their names and units, and what stands
//! for the power of an interval.
//!
//! The journal keeps what the meter sent; a shape is only how an output shows it. Another shape shows old
//! readings in another way.

mod config;
mod interval;

use meter_core::{Decimal, Obis, Reading, Register, Shown, Unit, UnixMillis, Value};

pub(super) use config::Fixed;
pub use config::{Codes, EnergyUnit, OfInterval, Shape, ShapeError};
pub(super) use interval::Intervals;

use crate::journal::Record;

/// Numbers that stand for those of a reading; `None` for one that cannot be told.
pub(super) type Numbers = Vec<(Obis, Option<Decimal>)>;

/// A reading as an output sends it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shaped<'a> {
    /// What the journal has of it.
    pub(super) record: &'a Record,
    reading: Reading<'a>,
    numbers: &'a [(Obis, Option<Decimal>)],
    shape: &'a Shape,
}

impl<'a> Shaped<'a> {
    /// The reading in a record, with these numbers instead of its own.
    pub(super) fn new(
        record: &'a Record,
        numbers: &'a [(Obis, Option<Decimal>)],
        shape: &'a Shape,
    ) -> Result<Self, sml_wire::Error> {
        Ok(Self {
            record,
            reading: Reading::from_bytes(&record.body)?,
            numbers,
            shape,
        })
    }

    /// The numbers that stand for those of the reading.
    pub(super) fn numbers(&self) -> &'a [(Obis, Option<Decimal>)] {
        self.numbers
    }

    fn number(&self, register: &Register<'_>, number: Decimal) -> Decimal {
        let thousands = register
            .unit
            .filter(|unit| self.shape.in_thousands(*unit))
            .and_then(|_| number.rescaled(-3));
        let number = thousands.unwrap_or(number);
        match self.shape.decimals {
            Some(decimals) => number.rounded(decimals),
            None => number,
        }
    }
}

impl Shown for Shaped<'_> {
    fn time(&self) -> UnixMillis {
        self.record.time
    }

    fn reading(&self) -> &Reading<'_> {
        &self.reading
    }

    fn registers(&self) -> impl Iterator<Item = Register<'_>> {
        let kept = |register: &Register<'_>| self.shape.keeps(register.obis);
        self.reading.registers().filter(kept).map(|mut register| {
            let of_interval = |(obis, _): &&(Obis, _)| *obis == register.obis;
            if let Some((_, number)) = self.numbers.iter().find(of_interval) {
                register.value = number.map_or(Value::Absent, Value::Number);
                // It is not the value of one telegram, which may have been corrected.
                register.rule = None;
            }
            if let Value::Number(number) = register.value {
                register.value = Value::Number(self.number(&register, number));
            }
            register
        })
    }

    fn name(&self, obis: Obis) -> Option<&str> {
        self.shape.name(obis)
    }

    fn symbol(&self, unit: Unit) -> Option<&'static str> {
        self.shape.symbol(unit)
    }
}

#[cfg(test)]
mod tests;
