//! everHome's `EcoTracker`: `/v1/json`.
//!
//! Power in whole W, as the device has it, energy in Wh.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::header::CONTENT_TYPE;
use meter_core::Decimal;

use super::object::Object;
use super::problem::Problem;
use super::shown::{Chooser, Unavailable};
use super::site::View;
use crate::input::monotonic;

/// The device says its mean of so long.
const SPAN: Duration = Duration::from_mins(1);

/// More values than a meter sends in that time.
const MOST: usize = 600;

pub(super) fn router(chooser: Chooser, minute: Minute) -> Router {
    Router::new()
        .route("/v1/json", get(answer))
        .with_state((chooser, minute))
}

async fn answer(State((chooser, minute)): State<(Chooser, Minute)>) -> Result<Response, Problem> {
    let glance = chooser.glance();
    let shown = chooser.shown(&glance)?;
    let power = shown.power()?;
    let mean = minute.mean(monotonic());
    let [l1, l2, l3] = shown.powers().map(|power| power.map(|power| power.cut(0)));
    let body = Object::new()
        .raw("power", power.cut(0))
        .raw("powerAvg", mean.unwrap_or(power).cut(0))
        .raw("agePower", shown.age.as_millis())
        .if_there("powerPhase1", l1)
        .if_there("powerPhase2", l2)
        .if_there("powerPhase3", l3)
        .if_there("energyCounterOut", shown.export())
        .if_there("energyCounterIn", shown.import(0))
        .if_there("energyCounterInT1", shown.import(1))
        .if_there("energyCounterInT2", shown.import(2))
        .end();
    Ok(([(CONTENT_TYPE, "application/json")], body).into_response())
}

/// The powers of the last minute, each with when it was taken.
#[derive(Debug, Clone, Default)]
pub(super) struct Minute(Arc<Mutex<VecDeque<(Duration, Decimal)>>>);

impl Minute {
    /// Takes every power that comes, until the program ends.
    pub(super) async fn follow(self, chooser: Chooser, mut view: View) {
        loop {
            view.mark_unchanged();
            let glance = chooser.glance();
            let taken = chooser.meter(&glance).ok().and_then(|(_, view)| view.taken);
            let power = chooser.shown(&glance).and_then(|shown| shown.power());
            if let (Some(taken), Ok::<_, Unavailable>(power)) = (taken, power) {
                self.take(taken, power);
            }
            if view.changed().await.is_err() {
                return;
            }
        }
    }

    fn take(&self, taken: Duration, power: Decimal) {
        let mut powers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if powers.back().is_none_or(|(last, _)| *last < taken) {
            powers.push_back((taken, power));
        }
        while powers.len() > MOST {
            powers.pop_front();
        }
    }

    /// Their mean in whole W, the rest cut off.
    fn mean(&self, now: Duration) -> Option<Decimal> {
        let mut powers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        powers.retain(|(taken, _)| now.saturating_sub(*taken) <= SPAN);
        let add = |sum: Decimal, (_, power): &(Duration, Decimal)| sum.checked_add(*power);
        let sum = powers.iter().try_fold(Decimal::ZERO, add)?;
        let count = u128::try_from(powers.len())
            .ok()
            .filter(|count| *count > 0)?;
        let magnitude = u128::from(sum.magnitude());
        let power = 10_u128.checked_pow(u32::from(sum.scaler().unsigned_abs()))?;
        let whole = if sum.scaler() < 0 {
            magnitude / count.checked_mul(power)?
        } else {
            magnitude.checked_mul(power)? / count
        };
        let whole = u64::try_from(whole).ok()?;
        Some(Decimal::from_parts(sum.is_negative(), whole, 0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_is_that_of_the_last_minute() {
        let minute = Minute::default();
        let seconds = Duration::from_secs;
        assert_eq!(minute.mean(seconds(0)), None);
        for (at, power) in [(0, "1000"), (30, "-100.5"), (60, "-200.25"), (61, "-300")] {
            minute.take(seconds(at), power.parse().unwrap());
            // The view changes for other reasons too.
            minute.take(seconds(at), power.parse().unwrap());
        }
        let mean = |at| minute.mean(seconds(at)).map(|mean| mean.to_string());
        assert_eq!(mean(60).as_deref(), Some("99"));
        assert_eq!(mean(61).as_deref(), Some("-200"));
        assert_eq!(mean(121).as_deref(), Some("-300"));
        assert_eq!(mean(122), None);
    }

    #[test]
    fn a_minute_holds_no_more_than_its_bound() {
        let minute = Minute::default();
        for at in 0..10_000 {
            minute.take(Duration::from_millis(at), Decimal::ZERO);
        }
        assert_eq!(minute.0.lock().unwrap().len(), MOST);
    }
}
