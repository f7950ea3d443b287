//! Where things are published.

use meter_core::payload::Key;
use meter_core::{Reading, Register, Shown};

use crate::mqtt::is_topic;

const METER: &str = "{meter}";
const CODE: &str = "{code}";
const NAME: &str = "{name}";

/// Why a text is no topic.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadTopic {
    /// MQTT does not allow it.
    #[error("topic must not be empty, nor hold `#`, `+` or control characters")]
    NoTopic,
    /// A name in braces that stands for nothing.
    #[error("{{{0}}} stands for nothing here: there are {1}")]
    Unknown(String, &'static str),
    /// All registers would go to one topic.
    #[error("topic needs {{code}} or {{name}} with format = \"registers\"")]
    OneForAll,
    /// A topic where the server has its own.
    #[error("topic is not set with format = \"thingsboard\", which has topics of its own")]
    Given,
}

/// A topic with gaps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Template {
    text: String,
    /// The part that says which meter, without the register.
    meter: String,
}

impl Template {
    pub(super) fn new(text: &str, registers: bool) -> Result<Self, BadTopic> {
        let mut plain = text.replace(METER, "m");
        if registers {
            plain = plain.replace(CODE, "c").replace(NAME, "n");
        }
        if let Some((_, rest)) = plain.split_once('{') {
            let name = rest.split('}').next().unwrap_or_default().to_owned();
            let known = if registers {
                "{meter}, {code} and {name}"
            } else {
                "{meter} alone"
            };
            return Err(BadTopic::Unknown(name, known));
        }
        if !is_topic(&plain) {
            return Err(BadTopic::NoTopic);
        }
        let register = [CODE, NAME].into_iter().filter_map(|gap| text.find(gap));
        let meter = match register.min() {
            None if registers => return Err(BadTopic::OneForAll),
            None => text.trim_end_matches('/'),
            Some(end) => {
                let before = text.get(..end).unwrap_or_default();
                // The level in which the register stands belongs to it.
                before.rsplit_once('/').map_or("", |(before, _)| before)
            }
        };
        Ok(Self {
            text: text.to_owned(),
            meter: meter.to_owned(),
        })
    }

    /// Where the readings of a meter go.
    pub(super) fn of_meter(&self, reading: &Reading<'_>) -> String {
        self.text
            .replace(METER, &reading.meter_id().compact().to_string())
    }

    /// Where a register of a meter goes.
    pub(super) fn of_register(&self, shown: &impl Shown, register: &Register<'_>) -> String {
        let given = shown.name(register.obis).map(str::to_owned);
        let code = given
            .clone()
            .unwrap_or_else(|| Key::code(register.obis).to_string());
        let known = || register.description().map(|known| words(known.name));
        let name = given.or_else(known).unwrap_or_else(|| code.clone());
        self.of_meter(shown.reading())
            .replace(CODE, &code)
            .replace(NAME, &name)
    }

    /// Where a meter of this number would be published, and a register.
    pub(super) fn of_probe(&self, meter: &str) -> String {
        [METER, CODE, NAME]
            .into_iter()
            .fold(self.text.clone(), |text, gap| text.replace(gap, meter))
    }

    /// Something about a meter, which is one topic for each meter whatever the template says.
    pub(super) fn beside_meter(&self, meter: &str, what: &str) -> String {
        let base = self.meter.replace(METER, meter);
        let own = if self.meter.contains(METER) {
            ""
        } else {
            meter
        };
        let parts = [base.as_str(), own, what];
        let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        parts.join("/")
    }

    /// Something about this program: beside the topics of its meters.
    pub(super) fn beside_program(&self, client_id: &str, what: &str) -> String {
        let (before, _) = self.meter.split_once(METER).unwrap_or((&self.meter, ""));
        let before = before.trim_end_matches('/');
        let slash = if before.is_empty() { "" } else { "/" };
        let level: String = client_id
            .chars()
            .map(|letter| match letter {
                '/' | '#' | '+' | '$' => '_',
                other => other,
            })
            .collect();
        format!("{before}{slash}{level}/{what}")
    }
}

/// `Import total (A+)` as `import_total`: what stands in brackets is another name for the same.
fn words(name: &str) -> String {
    let name = name.split('(').next().unwrap_or_default();
    let words = name.split(|letter: char| !letter.is_ascii_alphanumeric());
    let words: Vec<_> = words
        .filter(|word| !word.is_empty())
        .map(str::to_ascii_lowercase)
        .collect();
    words.join("_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_words() {
        for (name, wanted) in [
            ("Import total (A+)", "import_total"),
            ("Export total (A−)", "export_total"),
            ("Import tariff 1 (HT)", "import_tariff_1"),
            ("Power L1, import", "power_l1_import"),
        ] {
            assert_eq!(words(name), wanted);
        }
    }

    #[test]
    fn templates_that_lead_nowhere_are_refused() {
        for (text, registers, wanted) in [
            ("", false, BadTopic::NoTopic),
            ("a/#", false, BadTopic::NoTopic),
            ("a/+/{meter}", false, BadTopic::NoTopic),
            ("a/{meter}", true, BadTopic::OneForAll),
            (
                "a/{metre}",
                false,
                BadTopic::Unknown("metre".into(), "{meter} alone"),
            ),
            (
                "a/{meter}/{code}",
                false,
                BadTopic::Unknown("code".into(), "{meter} alone"),
            ),
        ] {
            assert_eq!(Template::new(text, registers), Err(wanted), "{text}");
        }
    }

    #[test]
    fn what_is_said_beside_a_reading_has_topics_of_its_own() {
        for (text, registers, state, program) in [
            (
                "meterline/{meter}",
                false,
                "meterline/M/state",
                "meterline/c_d/state",
            ),
            ("{meter}", false, "M/state", "c_d/state"),
            ("house", false, "house/M/state", "house/c_d/state"),
            ("a/{meter}/x/{code}", true, "a/M/x/state", "a/c_d/state"),
            ("a/{meter}-{name}/v", true, "a/M/state", "a/c_d/state"),
        ] {
            let template = Template::new(text, registers).unwrap();
            assert_eq!(template.beside_meter("M", "state"), state, "{text}");
            assert_eq!(template.beside_program("c/d", "state"), program, "{text}");
        }
    }
}
