//! What there is to show: plain data that the firmware fills.
//!
//! Points in time are monotonic, on the clock that is given to [`draw`](crate::draw) as `now`, so
//! that ages grow on the display without anybody writing them.

use core::net::IpAddr;
use core::time::Duration;

use meter_core::names::Conductor;
use meter_core::{Decimal, Direction, MeterId, Obis, Reading, Unit, UnixMillis};

/// After this time without a reading, the power on the display is no power of now any more.
pub const STALE_AFTER: Duration = Duration::from_secs(30);

/// After this time without a good frame, the head is taken to sit wrongly.
pub const HEAD_LOST_AFTER: Duration = Duration::from_secs(15);

/// All that a display can show. What is not known yet is `None`, and is not shown.
#[derive(Clone, Copy, Debug, Default)]
pub struct View<'a> {
    /// The device itself.
    pub device: Device<'a>,
    /// The newest reading.
    pub meter: Option<Meter<'a>>,
    /// What the optical head receives.
    pub head: Head,
    /// The way to the network.
    pub network: Network<'a>,
    /// What becomes of the readings.
    pub delivery: Delivery<'a>,
    /// The time of day, once it is known.
    pub time: Option<UnixMillis>,
    /// Minutes by which local time is ahead of UTC. With nought, the time is shown as UTC.
    pub utc_offset_minutes: i16,
}

/// The device itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct Device<'a> {
    /// The name of the node, as in the network.
    pub name: &'a str,
    /// The version of the firmware.
    pub firmware: &'a str,
}

/// The newest reading of the meter.
#[derive(Clone, Copy, Debug)]
pub struct Meter<'a> {
    /// Which meter it is.
    pub id: MeterId<'a>,
    /// When it was read.
    pub at: Duration,
    /// Power through the whole meter in W, negative when fed in.
    pub power: Option<Decimal>,
    /// Which way energy flows.
    pub direction: Option<Direction>,
    /// Energy drawn from the grid.
    pub import: Energy,
    /// Energy fed into the grid.
    pub export: Energy,
    /// L1, L2 and L3.
    pub phases: [Phase; 3],
    /// Whether the meter keeps its values back until its PIN is entered: what a
    /// [`ReducedDetector`](meter_core::ReducedDetector) says.
    pub pin_missing: bool,
}

impl<'a> Meter<'a> {
    /// What a reading that was made at a time says.
    #[must_use]
    pub fn of(reading: &Reading<'a>, at: Duration, pin_missing: bool) -> Self {
        let phase = |conductor, voltage, current| Phase {
            power: reading.power_of(conductor),
            voltage: number(reading, voltage, Unit::VOLT),
            current: number(reading, current, Unit::AMPERE),
        };
        Self {
            id: reading.meter_id(),
            at,
            power: reading.power(),
            direction: reading.direction(),
            import: Energy::of(reading, 1),
            export: Energy::of(reading, 2),
            phases: [
                phase(Conductor::L1, 32, 31),
                phase(Conductor::L2, 52, 51),
                phase(Conductor::L3, 72, 71),
            ],
            pin_missing,
        }
    }

    /// Whether the reading is too old to say anything of now.
    pub(crate) fn is_stale(&self, now: Duration) -> bool {
        now.saturating_sub(self.at) >= STALE_AFTER
    }

    pub(crate) const fn energy(&self, direction: Direction) -> &Energy {
        match direction {
            Direction::Import => &self.import,
            Direction::Export => &self.export,
        }
    }
}

/// The number in an instantaneous register, if it has the unit that it should have or none.
fn number(reading: &Reading<'_>, quantity: u8, unit: Unit) -> Option<Decimal> {
    let register = reading
        .registers()
        .find(|register| matches!(register.obis.0, [1, _, c, 7, 0, 255] if c == quantity))?;
    register
        .unit
        .is_none_or(|found| found == unit)
        .then(|| register.number())?
}

/// Counters of one direction in Wh.
#[derive(Clone, Copy, Debug, Default)]
pub struct Energy {
    /// Over all tariffs.
    pub total: Option<Decimal>,
    /// Tariffs 1 to 4.
    pub tariffs: [Option<Decimal>; 4],
}

impl Energy {
    fn of(reading: &Reading<'_>, quantity: u8) -> Self {
        let counter = |tariff| {
            reading
                .registers()
                .find(|register| {
                    matches!(register.obis, Obis([1, _, c, 8, e, 255]) if c == quantity && e == tariff)
                })
                .and_then(|register| register.number())
        };
        Self {
            total: counter(0),
            tariffs: [1, 2, 3, 4].map(counter),
        }
    }

    pub(crate) fn has_tariffs(&self) -> bool {
        self.tariffs.iter().any(Option::is_some)
    }
}

/// One outer conductor.
#[derive(Clone, Copy, Debug, Default)]
pub struct Phase {
    /// Power in W, negative when fed in.
    pub power: Option<Decimal>,
    /// Voltage in V.
    pub voltage: Option<Decimal>,
    /// Current in A.
    pub current: Option<Decimal>,
}

impl Phase {
    pub(crate) const fn is_known(&self) -> bool {
        self.power.is_some() || self.voltage.is_some() || self.current.is_some()
    }
}

/// What the head sees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sight {
    /// No byte at all.
    #[default]
    Dark,
    /// The head receives what it sends itself.
    Echo,
    /// Bytes, of which no frame can be made.
    Noise,
    /// Good frames.
    Good,
}

/// What the optical head receives.
#[derive(Clone, Copy, Debug, Default)]
pub struct Head {
    /// What the head sees.
    pub sight: Sight,
    /// Bytes received in a second, averaged over a few.
    pub bytes_per_second: u32,
    /// Those of them that belong to good frames.
    pub good_bytes_per_second: u32,
    /// The most good bytes in a second that were seen since the start: the end of the bar.
    pub best_bytes_per_second: u32,
    /// Good frames since the start.
    pub frames: u32,
    /// Frames with a wrong CRC since the start.
    pub crc_errors: u32,
    /// When the last good frame came.
    pub last_frame: Option<Duration>,
}

impl Head {
    /// Whether no good frame came for some time.
    pub(crate) fn is_lost(&self, now: Duration) -> bool {
        now.saturating_sub(self.last_frame.unwrap_or_default()) >= HEAD_LOST_AFTER
    }
}

/// The way to the network.
#[derive(Clone, Copy, Debug, Default)]
pub struct Network<'a> {
    /// Name of the Wi-Fi; empty when none was set.
    pub ssid: &'a str,
    /// Strength of its signal in dBm, while it is joined.
    pub signal_dbm: Option<i8>,
    /// The device's address.
    pub address: Option<IpAddr>,
}

impl Network<'_> {
    /// How many of four bars the signal reaches; below -67 dBm, video starts to suffer, below
    /// -80 dBm everything does.
    pub(crate) fn bars(&self) -> i32 {
        match self.signal_dbm {
            None => 0,
            Some(signal) if signal >= -55 => 4,
            Some(signal) if signal >= -67 => 3,
            Some(signal) if signal >= -80 => 2,
            Some(_) => 1,
        }
    }
}

/// What becomes of the readings.
#[derive(Clone, Copy, Debug, Default)]
pub struct Delivery<'a> {
    /// Readings that wait.
    pub backlog: u32,
    /// When the last reading was acknowledged.
    pub delivered_at: Option<Duration>,
    /// The last thing that went wrong.
    pub error: Option<Fault<'a>>,
}

/// Something that went wrong.
#[derive(Clone, Copy, Debug)]
pub struct Fault<'a> {
    /// What, for people: what to do in few words.
    pub text: &'a str,
    /// When.
    pub at: Duration,
}

#[cfg(test)]
mod tests {
    use super::*;
    use sml_wire::{GetListRes, Integer, ListEntry, Value};

    const fn entry(name: &[u8], unit: u64, scaler: i64, value: i64) -> ListEntry<'_> {
        ListEntry {
            name,
            status: None,
            time: None,
            unit: Some(Integer::unsigned(unit)),
            scaler: Some(Integer::signed(scaler)),
            value: Value::Integer(Integer::signed(value)),
            signature: None,
        }
    }

    #[test]
    fn a_reading_fills_a_meter() {
        let (wh, w, v, a) = (30, 27, 35, 33);
        let entries = [
            entry(&[1, 0, 1, 8, 0, 255], wh, -1, 168_248_565),
            entry(&[1, 0, 1, 8, 2, 255], wh, -1, 48_000_000),
            entry(&[1, 0, 2, 8, 0, 255], wh, 0, 23_559_290),
            // The counter of a past period is not the counter.
            entry(&[1, 0, 1, 8, 1, 1], wh, 0, 7),
            entry(&[1, 0, 16, 7, 0, 255], w, 0, -4873),
            entry(&[1, 0, 56, 7, 0, 255], w, -1, -17_001),
            entry(&[1, 0, 52, 7, 0, 255], v, -1, 2338),
            entry(&[1, 0, 51, 7, 0, 255], a, -2, 727),
            // A voltage in A is none.
            entry(&[1, 0, 72, 7, 0, 255], a, -2, 23_400),
        ];
        let reading = Reading::new(GetListRes {
            client_id: None,
            server_id: b"\x0a\x01LGZ\x00\x03\xb5\x99\xa5",
            list_name: None,
            sensor_time: None,
            entries: entries[..].into(),
            signature: None,
            gateway_time: None,
        });
        let meter = Meter::of(&reading, Duration::from_secs(7), false);
        assert_eq!(meter.id, reading.meter_id());
        assert_eq!(meter.power, Some(Decimal::signed(-4873, 0)));
        assert_eq!(meter.direction, Some(Direction::Export));
        assert_eq!(meter.import.total, Some(Decimal::new(168_248_565, -1)));
        let second = Some(Decimal::new(48_000_000, -1));
        assert_eq!(meter.import.tariffs, [None, second, None, None]);
        assert_eq!(meter.export.total, Some(Decimal::new(23_559_290, 0)));
        assert!(!meter.export.has_tariffs());
        let [first, second, third] = meter.phases;
        assert!(!first.is_known() && !third.is_known());
        assert_eq!(second.power, Some(Decimal::signed(-17_001, -1)));
        assert_eq!(second.voltage, Some(Decimal::new(2338, -1)));
        assert_eq!(second.current, Some(Decimal::new(727, -2)));
        assert!(!meter.is_stale(Duration::from_secs(36)));
        assert!(meter.is_stale(Duration::from_secs(37)));
    }
}
