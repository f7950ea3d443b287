//! What the meters say.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::time::Duration;

use meter_core::names::{Conductor, Quantity, describe, power_register};
use meter_core::{Decimal, Obis, Reading, Register, ServerId, Unit};

use super::page::{Family, Kind, Page};
use crate::run::MeterView;
use crate::serve::Glance;

const IMPORT: Family = Family {
    name: "smartmeter_energy_import_joules",
    kind: Kind::Counter,
    unit: Some("joules"),
    help: "Energy drawn from the grid; 3600 J are 1 Wh. Tariff 0 is the total.",
};

const EXPORT: Family = Family {
    name: "smartmeter_energy_export_joules",
    help: "Energy fed into the grid; 3600 J are 1 Wh. Tariff 0 is the total.",
    ..IMPORT
};

const POWER: Family = Family {
    name: "smartmeter_active_power_watts",
    kind: Kind::Gauge,
    unit: Some("watts"),
    help: "Active power, negative when fed in.",
};

const VOLTAGE: Family = Family {
    name: "smartmeter_voltage_volts",
    unit: Some("volts"),
    help: "Voltage.",
    ..POWER
};

const CURRENT: Family = Family {
    name: "smartmeter_current_amperes",
    unit: Some("amperes"),
    help: "Current.",
    ..POWER
};

const FREQUENCY: Family = Family {
    name: "smartmeter_frequency_hertz",
    unit: Some("hertz"),
    help: "Mains frequency.",
    ..POWER
};

const REGISTER: Family = Family {
    name: "smartmeter_register",
    kind: Kind::Gauge,
    unit: None,
    help: "Any other number that the meter sends, in the unit of its label.",
};

const AGE: Family = Family {
    name: "smartmeter_reading_age_seconds",
    unit: Some("seconds"),
    help: "Time since the newest reading was taken. Its values are gone when it is too old.",
    ..POWER
};

const READINGS: Family = Family {
    name: "smartmeter_readings",
    kind: Kind::Counter,
    unit: None,
    help: "Readings that were taken.",
};

const SUSPECTS: Family = Family {
    name: "smartmeter_suspect_readings",
    help: "Readings that were not believed and kept apart.",
    ..READINGS
};

const CONDUCTORS: [(Conductor, &str); 4] = [
    (Conductor::Sum, "all"),
    (Conductor::L1, "l1"),
    (Conductor::L2, "l2"),
    (Conductor::L3, "l3"),
];

/// Writes everything about the meters.
pub(super) fn write(glance: &Glance, page: &mut Page) {
    let meters: Vec<_> = glance.snapshot.meters.iter().collect();
    let fresh: Vec<_> = meters
        .iter()
        .filter(|(_, view)| glance.is_fresh(view))
        .filter_map(|(id, view)| Sorted::new(id, view))
        .collect();
    for family in [IMPORT, EXPORT, POWER, VOLTAGE, CURRENT, FREQUENCY, REGISTER] {
        page.begin(family);
        let of_all = fresh.iter().flat_map(|meter| &meter.samples);
        for sample in of_all.filter(|sample| sample.family == family.name) {
            let labels: Vec<(_, &dyn Display)> = sample
                .labels
                .iter()
                .map(|(name, label)| (*name, label as &dyn Display))
                .collect();
            page.sample(&labels, sample.value);
        }
    }
    page.begin(AGE);
    for (id, view) in &meters {
        if let Some(age) = glance.age(view) {
            page.sample(&[("meter", &name(id))], seconds(age));
        }
    }
    page.begin(READINGS);
    for (id, view) in &meters {
        page.sample(&[("meter", &name(id))], view.readings);
    }
    page.begin(SUSPECTS);
    for (id, view) in &meters {
        page.sample(&[("meter", &name(id))], view.suspects);
    }
}

/// Seconds to the millisecond.
pub(super) fn seconds(duration: Duration) -> Decimal {
    Decimal::new(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX), -3)
}

fn name(id: &[u8]) -> String {
    ServerId(id).meter_id().compact().to_string()
}

/// One number for one metric.
struct Sample {
    family: &'static str,
    labels: Vec<(&'static str, String)>,
    value: Decimal,
}

/// The numbers of one meter, each in its family. No two are the same metric.
struct Sorted {
    meter: String,
    samples: Vec<Sample>,
    taken: BTreeSet<(&'static str, Vec<(&'static str, String)>)>,
}

impl Sorted {
    fn new(id: &[u8], view: &MeterView) -> Option<Self> {
        let reading = Reading::from_bytes(&view.body).ok()?;
        let mut sorted = Self {
            meter: name(id),
            samples: Vec::new(),
            taken: BTreeSet::new(),
        };
        let mut powers = Vec::new();
        for (conductor, phase) in CONDUCTORS {
            if let Some(power) = reading.power_of(conductor) {
                powers.push(conductor);
                sorted.add(POWER.name, vec![("phase", phase.to_owned())], power);
            }
        }
        for register in reading.registers() {
            // Under whatever code it came, the power of this conductor is there.
            let told = power_register(register.obis).is_some_and(|(of, _)| powers.contains(&of));
            if let (Some(number), false) = (register.number(), told) {
                sorted.register(&register, number);
            }
        }
        Some(sorted)
    }

    fn register(&mut self, register: &Register<'_>, number: Decimal) {
        let known = known(register.obis, register.unit, number);
        let added = known.is_some_and(|(family, label, value)| {
            self.add(family, label.into_iter().collect(), value)
        });
        if !added {
            let unit = register.unit.and_then(Unit::symbol).unwrap_or_default();
            let labels = vec![
                ("obis", register.obis.to_string()),
                ("unit", unit.to_owned()),
            ];
            self.add(REGISTER.name, labels, number);
        }
    }

    /// False if this very metric is there already: some meters send a register twice.
    fn add(
        &mut self,
        family: &'static str,
        more: Vec<(&'static str, String)>,
        value: Decimal,
    ) -> bool {
        let mut labels = vec![("meter", self.meter.clone())];
        labels.extend(more);
        let is_new = self.taken.insert((family, labels.clone()));
        if is_new {
            self.samples.push(Sample {
                family,
                labels,
                value,
            });
        }
        is_new
    }
}

/// A label beside that of the meter.
type Label = (&'static str, String);

/// The family of a register, its label, and its value there.
fn known(
    obis: Obis,
    unit: Option<Unit>,
    number: Decimal,
) -> Option<(&'static str, Option<Label>, Decimal)> {
    let (c, _, e) = obis.quantity();
    let tariff = || Some(("tariff", e.to_string()));
    let phase = |first: u8| {
        let number = c.checked_sub(first)? / 20 + 1;
        Some(("phase", format!("l{number}")))
    };
    match (describe(obis)?.quantity, unit?) {
        (Quantity::EnergyImport, Unit::WATT_HOUR) => Some((IMPORT.name, tariff(), joules(number)?)),
        (Quantity::EnergyExport, Unit::WATT_HOUR) => Some((EXPORT.name, tariff(), joules(number)?)),
        (Quantity::Voltage, Unit::VOLT) => Some((VOLTAGE.name, phase(32), number)),
        (Quantity::Current, Unit::AMPERE) => Some((CURRENT.name, phase(31), number)),
        (Quantity::Frequency, Unit::HERTZ) => Some((FREQUENCY.name, None, number)),
        _ => None,
    }
}

/// Wh as J, exactly. `None` where they do not fit.
fn joules(watt_hours: Decimal) -> Option<Decimal> {
    let magnitude = watt_hours.magnitude();
    let (magnitude, scaler) = match magnitude.checked_mul(3600) {
        Some(magnitude) => (magnitude, watt_hours.scaler()),
        None => (
            magnitude.checked_mul(36)?,
            watt_hours.scaler().checked_add(2)?,
        ),
    };
    Some(Decimal::from_parts(
        watt_hours.is_negative(),
        magnitude,
        scaler,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn watt_hours_become_joules_without_any_rounding() {
        for (watt_hours, wanted) in [
            ("2941645.9", "10589925240.0"),
            ("2941646.1614", "10589926181.0400"),
            ("0", "0"),
            ("0.0001", "0.3600"),
            ("18446744073709551615", ""),
        ] {
            let number: Decimal = watt_hours.parse().unwrap();
            let joules = joules(number).map(|joules| joules.to_string());
            assert_eq!(joules.unwrap_or_default(), wanted);
        }
        let large = Decimal::new(u64::MAX / 40, 0);
        assert_eq!(joules(large).unwrap().to_string(), "1660206966633859644000");
    }

    #[test]
    fn conductors_are_told_by_their_codes() {
        for (c, unit, label) in [
            (32, Unit::VOLT, "l1"),
            (52, Unit::VOLT, "l2"),
            (72, Unit::VOLT, "l3"),
            (31, Unit::AMPERE, "l1"),
            (51, Unit::AMPERE, "l2"),
            (71, Unit::AMPERE, "l3"),
        ] {
            let obis = Obis([1, 0, c, 7, 0, 255]);
            let (_, phase, _) = known(obis, Some(unit), Decimal::ZERO).unwrap();
            assert_eq!(phase, Some(("phase", label.to_owned())));
        }
        let obis = Obis([1, 0, 32, 7, 0, 255]);
        assert!(known(obis, Some(Unit::WATT), Decimal::ZERO).is_none());
    }
}
