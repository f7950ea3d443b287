//! Topics of a device and its meters.

use core::fmt::{self, Display, Write};

use meter_core::Reading;
use meter_core::payload::homeassistant;

use super::Target;

const METER: &str = "{meter}";

/// A topic that was put together.
pub(super) struct Text;

/// As long as the settings allow a topic and a client id to be, and a meter's id on top.
type Topic = heapless::String<256>;

impl Text {
    /// Where the readings of a meter go.
    pub(super) fn of_meter(target: &Target<'_>, reading: &Reading<'_>) -> Option<Topic> {
        print(Filled {
            template: target.topic,
            meter: reading.meter_id().compact(),
        })
    }

    /// Where the state of a meter goes, which is one for each meter whatever the settings say.
    pub(super) fn of_state(target: &Target<'_>, reading: &Reading<'_>) -> Option<Topic> {
        let base = Self::of_meter(target, reading)?;
        if target.topic.contains(METER) {
            print(format_args!("{base}/state"))
        } else {
            print(format_args!(
                "{base}/{}/state",
                reading.meter_id().compact()
            ))
        }
    }

    /// Where a meter is announced to Home Assistant.
    pub(super) fn of_discovery(reading: &Reading<'_>) -> Option<Topic> {
        print(homeassistant::Topic(reading))
    }

    /// Where the device says that it is there: beside the topics of its meters.
    pub(super) fn availability(target: &Target<'_>) -> Option<Topic> {
        Self::of_device(target, "availability")
    }

    /// Where the device says what went wrong.
    pub(super) fn event(target: &Target<'_>) -> Option<Topic> {
        Self::of_device(target, "event")
    }

    fn of_device(target: &Target<'_>, what: &str) -> Option<Topic> {
        let (before, _) = target.topic.split_once(METER).unwrap_or((target.topic, ""));
        let before = before.trim_end_matches('/');
        let slash = if before.is_empty() { "" } else { "/" };
        let client = Level(target.client_id);
        print(format_args!("{before}{slash}{client}/{what}"))
    }
}

fn print(topic: impl Display) -> Option<Topic> {
    let mut text = Topic::new();
    write!(text, "{topic}").ok().map(|()| text)
}

/// A template with the meter's id in it.
struct Filled<'a, M> {
    template: &'a str,
    meter: M,
}

impl<M: Display> Display for Filled<'_, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = self.template.split(METER);
        f.write_str(parts.next().unwrap_or_default())?;
        parts.try_for_each(|part| write!(f, "{}{part}", self.meter))
    }
}

/// One level of a topic: what would make it two or none is replaced.
struct Level<'a>(&'a str);

impl Display for Level<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|letter| {
            let bad = letter.is_control() || matches!(letter, '/' | '#' | '+' | '$');
            f.write_char(if bad { '_' } else { letter })
        })
    }
}
