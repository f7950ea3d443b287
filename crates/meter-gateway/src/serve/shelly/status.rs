//! What a Shelly says of the meter.
//!
//! What the meter does not send is `null`. A meter that sends only its whole power shows it on the first phase, and
//! nought on the others, which is what a Shelly with one clamp does.

use meter_core::Decimal;

use crate::serve::object::Object;
use crate::serve::shown::{Shown, Unavailable};

/// Added to a power in whole watts: Marstek's batteries take a number without a fraction for none.
const FRACTION: Decimal = Decimal::new(1, -3);

/// A power that has a fraction.
pub(super) fn fractional(power: Decimal) -> Decimal {
    if power.is_multiple_of(1) {
        power.checked_add(FRACTION).unwrap_or(power)
    } else {
        power
    }
}

/// The power on each phase.
pub(super) fn phases(shown: &Shown<'_>) -> Result<[Decimal; 3], Unavailable> {
    Ok(match shown.powers() {
        [Some(l1), Some(l2), Some(l3)] => [l1, l2, l3],
        _ => [shown.power()?, Decimal::ZERO, Decimal::ZERO],
    })
}

pub(super) fn em(shown: &Shown<'_>) -> Result<String, Unavailable> {
    let (voltages, currents) = (shown.voltages(), shown.currents());
    let mut status = Object::new().raw("id", 0);
    let measured = currents.into_iter().zip(voltages).zip(phases(shown)?);
    for (phase, ((current, voltage), power)) in ["a", "b", "c"].into_iter().zip(measured) {
        status = status
            .or_null(&format!("{phase}_current"), current)
            .or_null(&format!("{phase}_voltage"), voltage)
            .raw(&format!("{phase}_act_power"), fractional(power))
            .raw(&format!("{phase}_aprt_power"), "null")
            .raw(&format!("{phase}_pf"), "null")
            .or_null(&format!("{phase}_freq"), shown.frequency());
    }
    let [l1, l2, l3] = currents;
    let total = l1
        .zip(l2)
        .zip(l3)
        .and_then(|((l1, l2), l3)| l1.checked_add(l2)?.checked_add(l3));
    Ok(status
        .raw("n_current", "null")
        .or_null("total_current", total)
        .raw("total_act_power", fractional(shown.power()?))
        .raw("total_aprt_power", "null")
        .raw("user_calibrated_phase", "[]")
        .end())
}

pub(super) fn em_data(shown: &Shown<'_>) -> String {
    let mut data = Object::new().raw("id", 0);
    for phase in ["a", "b", "c"] {
        data = data
            .raw(&format!("{phase}_total_act_energy"), "null")
            .raw(&format!("{phase}_total_act_ret_energy"), "null");
    }
    data.or_null("total_act", shown.import(0))
        .or_null("total_act_ret", shown.export())
        .end()
}

pub(super) fn em1(shown: &Shown<'_>) -> Result<String, Unavailable> {
    let ([current, ..], [voltage, ..]) = (shown.currents(), shown.voltages());
    Ok(Object::new()
        .raw("id", 0)
        .or_null("current", current)
        .or_null("voltage", voltage)
        .raw("act_power", fractional(shown.power()?))
        .raw("aprt_power", "null")
        .raw("pf", "null")
        .or_null("freq", shown.frequency())
        .end())
}

pub(super) fn em1_data(shown: &Shown<'_>) -> String {
    Object::new()
        .raw("id", 0)
        .or_null("total_act_energy", shown.import(0))
        .or_null("total_act_ret_energy", shown.export())
        .end()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_power_always_has_a_fraction() {
        for (power, wanted) in [
            ("0", "0.001"),
            ("100", "100.001"),
            ("-105", "-104.999"),
            ("-105.00", "-104.999"),
            ("-105.50", "-105.50"),
            ("3.14", "3.14"),
        ] {
            let power: Decimal = power.parse().unwrap();
            assert_eq!(fractional(power).to_string(), wanted);
        }
    }
}
