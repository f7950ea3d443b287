//! The user's own body: what a template sees, and how it is judged before anything is sent.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use meter_core::{Shown, Unit, Value as Reading, payload};
use minijinja::value::{Object, Serde};
use minijinja::{Environment, Error, UndefinedBehavior, Value};
use serde::Serialize;

use super::config::ConfigError;
use crate::output::shape::{Shape, Shaped};

/// Its name, which shows in its error messages.
const NAME: &str = "template";

/// What holds several readings.
const READINGS: &str = "readings";

/// A template that compiles, and that renders a made-up reading.
#[derive(Debug)]
pub(super) struct Template {
    environment: Environment<'static>,
    takes_several: bool,
}

impl Template {
    /// Refuses what could not be rendered, so that it is known before the first reading.
    pub(super) fn new(text: &str, shape: &Shape) -> Result<Self, ConfigError> {
        let broken = |error: Error| ConfigError::Template(error.to_string());
        let mut environment = Environment::new();
        // A misspelt variable would be an empty body, which the server may well acknowledge.
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment
            .add_template_owned(NAME, text.to_owned())
            .map_err(broken)?;
        let used = environment
            .get_template(NAME)
            .map_err(broken)?
            .undeclared_variables(false);
        let globals: BTreeSet<&str> = environment.globals().map(|(name, _)| name).collect();
        let mut variables = View::made_up(shape).names().map_err(broken)?;
        variables.push(READINGS.to_owned());
        let unknown = used
            .iter()
            .filter(|name| !variables.contains(name) && !globals.contains(name.as_str()))
            .min();
        if let Some(name) = unknown {
            return Err(ConfigError::TemplateVariable {
                name: name.clone(),
                variables: variables.join(", "),
            });
        }
        let takes_several = used.contains(READINGS);
        if takes_several && let Some(name) = used.iter().find(|name| is_of_one(name, &variables)) {
            return Err(ConfigError::TemplateMixed(name.clone()));
        }
        let template = Self {
            environment,
            takes_several,
        };
        template
            .render_views(&[View::made_up(shape), View::made_up(shape)])
            .map_err(|error| ConfigError::TemplateFails {
                error: error.to_string(),
                variables: variables.join(", "),
            })?;
        Ok(template)
    }

    /// Whether it puts several readings into one body.
    pub(super) fn takes_several(&self) -> bool {
        self.takes_several
    }

    /// Renders the readings, or the first of them if it takes only one.
    pub(super) fn render(&self, readings: &[Shaped<'_>]) -> Result<String, Error> {
        let views: Vec<View> = readings.iter().map(View::new).collect();
        self.render_views(&views)
    }

    fn render_views(&self, views: &[View]) -> Result<String, Error> {
        let template = self.environment.get_template(NAME)?;
        match views {
            [view, ..] if !self.takes_several => template.render(Serde(view)),
            views => template.render(minijinja::context! { readings => Serde(views) }),
        }
    }
}

fn is_of_one(name: &String, variables: &[String]) -> bool {
    name != READINGS && variables.contains(name)
}

/// What a template sees of a reading. Numbers are text, because a template
/// engine would put them through floating point. `docs/payloads.md` lists them.
#[derive(Debug, Serialize)]
struct View {
    meter_id: String,
    meter: String,
    server_id: String,
    time: String,
    time_ms: i64,
    seconds_index: Option<u64>,
    /// By key, as in `values["1.8.0_Wh"]`; numbers only.
    values: Value,
    registers: Vec<RegisterView>,
}

#[derive(Debug, Serialize)]
struct RegisterView {
    obis: String,
    key: String,
    value: Option<String>,
    unit: Option<&'static str>,
    status: Option<u64>,
}

impl View {
    fn new(shaped: &Shaped<'_>) -> Self {
        let reading = shaped.reading();
        let mut values = BTreeMap::new();
        let mut registers = Vec::new();
        for register in shaped.registers() {
            let key = shaped.key(&register).to_string();
            let value = match register.value {
                Reading::Number(number) => {
                    values.insert(key.clone(), number.to_string());
                    Some(number.to_string())
                }
                Reading::Octets(octets) => Some(
                    register
                        .text()
                        .map_or_else(|| payload::Hex(octets).to_string(), str::to_owned),
                ),
                Reading::Bool(value) => Some(value.to_string()),
                Reading::Time(_) | Reading::Absent | Reading::Unknown(_) => None,
            };
            registers.push(RegisterView {
                obis: register.obis.to_string(),
                key,
                value,
                unit: register.unit.and_then(|unit| shaped.symbol(unit)),
                status: register.status,
            });
        }
        Self {
            meter_id: reading.meter_id().to_string(),
            meter: reading.meter_id().compact().to_string(),
            server_id: reading.server_id().to_string(),
            time: shaped.time().to_string(),
            time_ms: shaped.time().0,
            seconds_index: reading.seconds_index(),
            values: values.into(),
            registers,
        }
    }

    /// A reading of a meter that has every register that a template may ask for.
    fn made_up(shape: &Shape) -> Self {
        let register = |code: &str, unit, value: &str| RegisterView {
            obis: format!("1-0:{code}*255"),
            key: format!("{code}_{unit}"),
            value: Some(value.to_owned()),
            unit: Some(unit),
            status: None,
        };
        Self {
            meter_id: "1 EMH00 1059 9732".to_owned(),
            meter: "1EMH0010599732".to_owned(),
            server_id: "0a01454d480000a1bd34".to_owned(),
            time: "2026-11-22T17:53:00.123Z".to_owned(),
            time_ms: 1_795_369_980_123,
            seconds_index: Some(99_043_543),
            values: Value::from_object(AnyRegister(shape.clone())),
            registers: vec![
                register("1.8.0", "Wh", "5430157.7"),
                register("2.8.0", "Wh", "0.0"),
                register("16.7.0", "W", "356.24"),
            ],
        }
    }

    /// The variables.
    fn names(&self) -> Result<Vec<String>, Error> {
        let view = Value::from(Serde(self));
        Ok(view.try_iter()?.map(|name| name.to_string()).collect())
    }
}

/// The values of a meter that measures everything. Which registers the real one has shows itself
/// only when it is read.
#[derive(Debug)]
struct AnyRegister(Shape);

impl Object for AnyRegister {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        is_key(key.as_str()?, &self.0).then(|| Value::from("356.24"))
    }
}

/// Whether it is a name, or looks like `1.8.0_Wh` with a unit that there is.
fn is_key(key: &str, shape: &Shape) -> bool {
    if shape.rename.values().any(|name| name == key) {
        return true;
    }
    let (code, unit) = match key.split_once('_') {
        Some((code, unit)) => (code, Some(unit)),
        None => (key, None),
    };
    let known = |unit| (0..=u8::MAX).any(|number| shape.symbol(Unit(number)) == Some(unit));
    code.matches('.').count() == 2
        && code.starts_with(|c: char| c.is_ascii_digit())
        && code
            .chars()
            .all(|c| c.is_ascii_digit() || "-:.*".contains(c))
        && unit.is_none_or(known)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        Template::new(text, &Shape::default())
            .map_or_else(|error| error.to_string(), |_| "it is taken".to_owned())
    }

    #[test]
    fn a_misspelt_name_is_refused_with_the_right_ones() {
        assert_eq!(
            refused("{{ reading | tojson }}"),
            "the template uses `reading`, which there is not: there are meter_id, meter, \
             server_id, time, time_ms, seconds_index, values, registers, readings"
        );
        // Whether or not it would have been reached.
        assert!(refused("{% if time_ms < 0 %}{{ tme }}{% endif %}").contains("`tme`"));
        for nested in [
            "{% for r in readings %}{{ r.metr }}{% endfor %}",
            "{% for r in registers %}{{ r.vaule }}{% endfor %}",
            "{{ values[\"1.8.0_kWh\"] }}",
            "{{ values.import }}",
        ] {
            let message = refused(nested);
            assert!(message.contains("made-up reading"), "{nested}: {message}");
            assert!(message.contains("server_id"), "{nested}: {message}");
        }
        assert!(refused("{{ meter }}{{ readings | length }}").contains("`meter`"));
    }

    #[test]
    fn what_another_meter_may_have_is_taken() {
        for text in [
            "{{ values[\"36.7.0_W\"] }} {{ values[\"1-1:1.8.0*96_Wh\"] }}",
            "{{ values[\"2.8.0_Wh\"] | default(\"null\") }}",
            "{% for n in range(2) %}{{ loop.index }}{{ time }}{% endfor %}",
            "{% for r in readings %}{{ r.values[\"1.8.0_Wh\"] }}{% endfor %}",
        ] {
            assert_eq!(refused(text), "it is taken", "{text}");
        }
    }
}
