//! What Home Assistant is told of one meter, and what it was told before.
//!
//! Some meters send long telegrams and short ones by turns. Home Assistant is told of everything that
//! any of them has; what none has had for a day is taken back.

use std::fmt::Write as _;
use std::time::Duration;

use meter_core::Rule;
use meter_core::payload::homeassistant::{About, Origin, discovery, fingerprint, state};
use meter_core::{Reading, Shown};
use serde_json::{Map, Value as Json, json};
use tokio::time::Instant;

use super::diagnostics::Diagnostics;

/// Where Home Assistant looks for devices.
pub(super) const DEVICES: &str = "homeassistant/device/";
/// The name under which this program introduces itself.
const NAME: &str = "meterline";
/// Where it is described.
const URL: &str = "https://example.org/meterline";
/// An entity that no telegram has had for so long is taken back.
const PATIENCE: Duration = Duration::from_hours(24);
/// Telegrams of so many kinds are told apart.
const FORMS: usize = 16;

/// Where a meter is announced; `device` is `meterline_1EMH0010599732`.
pub(super) fn config_topic(device: &str) -> String {
    format!("{DEVICES}{device}/config")
}

/// The topics that an announcement names.
#[derive(Debug)]
pub(super) struct Topics<'a> {
    pub(super) state: &'a str,
    pub(super) program: &'a str,
    pub(super) meter: &'a str,
}

/// What Home Assistant knows of a meter.
#[derive(Debug, Default)]
pub(super) struct Announced {
    /// Everything but the entities.
    root: Map<String, Json>,
    components: Map<String, Json>,
    /// Those that it has to forget.
    gone: Vec<String>,
    forms: Vec<Form>,
    /// Whether something has to be said.
    due: bool,
    /// The rule that corrected a value last.
    rule: Option<Rule>,
}

/// A kind of telegram.
#[derive(Debug)]
struct Form {
    fingerprint: u32,
    keys: Vec<String>,
    seen: Instant,
}

impl Announced {
    /// What was said in an earlier life; it counts as seen now.
    pub(super) fn earlier(&mut self, components: Map<String, Json>, now: Instant) {
        let keys: Vec<String> = components.keys().cloned().collect();
        for (key, component) in components {
            self.components.entry(key).or_insert(component);
        }
        self.forms.push(Form {
            fingerprint: 0,
            keys,
            seen: now,
        });
    }

    /// Everything has to be said again.
    pub(super) fn again(&mut self) {
        self.due = true;
    }

    /// Notes what a reading has.
    pub(super) fn see(
        &mut self,
        shown: &impl Shown,
        topics: &Topics<'_>,
        expire_after: Duration,
        diagnostics: &Diagnostics,
        now: Instant,
    ) {
        if let Some(rule) = shown
            .registers()
            .filter_map(|register| register.rule)
            .last()
        {
            self.rule = Some(rule);
        }
        let fingerprint = fingerprint(shown) ^ u32::from(diagnostics.line.is_some());
        if let Some(form) = self
            .forms
            .iter_mut()
            .find(|form| form.fingerprint == fingerprint)
        {
            form.seen = now;
        } else {
            self.learn(shown, topics, expire_after, diagnostics, fingerprint, now);
        }
        self.forget(now);
    }

    fn learn(
        &mut self,
        shown: &impl Shown,
        topics: &Topics<'_>,
        expire_after: Duration,
        diagnostics: &Diagnostics,
        fingerprint: u32,
        now: Instant,
    ) {
        let about = About {
            state_topic: topics.state,
            availability_topics: &[topics.program, topics.meter],
            expire_after: u32::try_from(expire_after.as_secs()).unwrap_or(u32::MAX),
            origin: Origin {
                name: NAME,
                version: env!("CARGO_PKG_VERSION"),
                url: URL,
            },
            statistics: &diagnostics.statistics(),
        };
        let mut text = String::new();
        let written = discovery(shown, &about, &mut text);
        let Ok(Json::Object(mut root)) = serde_json::from_str(&text) else {
            tracing::error!("the announcement to Home Assistant is no JSON: {written:?}");
            return;
        };
        let mut components = match root.remove("cmps") {
            Some(Json::Object(components)) => components,
            _ => Map::new(),
        };
        for (key, component) in further(&device_of(shown.reading())) {
            components.insert(key.to_owned(), component);
        }
        self.root = root;
        if self.forms.len() >= FORMS {
            self.forms.remove(0);
        }
        self.forms.push(Form {
            fingerprint,
            keys: components.keys().cloned().collect(),
            seen: now,
        });
        for (key, component) in components {
            self.gone.retain(|gone| *gone != key);
            self.components.insert(key, component);
        }
        self.due = true;
    }

    /// Takes back what no telegram has any more.
    fn forget(&mut self, now: Instant) {
        let before = self.forms.len();
        self.forms
            .retain(|form| now.duration_since(form.seen) < PATIENCE);
        if self.forms.len() == before {
            return;
        }
        let forms = &self.forms;
        let mut gone = Vec::new();
        self.components.retain(|key, _| {
            let stays = forms.iter().any(|form| form.keys.contains(key));
            if !stays {
                gone.push(key.clone());
            }
            stays
        });
        if !gone.is_empty() {
            self.gone.append(&mut gone);
            self.due = true;
        }
    }

    /// What is to be published where the meter is announced. Entities that are gone are first named
    /// without what makes them one, which is how Home Assistant is told to remove them.
    pub(super) fn announcements(&mut self) -> Vec<String> {
        if !std::mem::take(&mut self.due) || self.root.is_empty() {
            return Vec::new();
        }
        let mut said = Vec::new();
        if !self.gone.is_empty() {
            let mut components = self.components.clone();
            for key in self.gone.drain(..) {
                components.insert(key, json!({ "p": "sensor" }));
            }
            said.push(self.with(components));
        }
        said.push(self.with(self.components.clone()));
        said
    }

    fn with(&self, components: Map<String, Json>) -> String {
        let mut root = self.root.clone();
        root.insert("cmps".to_owned(), Json::Object(components));
        Json::Object(root).to_string()
    }

    /// The state that goes with it; `locked` is null for as long as nobody can be sure.
    pub(super) fn state(
        &self,
        shown: &impl Shown,
        locked: Option<bool>,
        diagnostics: &Diagnostics,
    ) -> String {
        let mut text = String::new();
        let written = state(shown, &diagnostics.statistics(), &mut text);
        debug_assert!(written.is_ok(), "a string takes everything");
        let rule = self
            .rule
            .map_or_else(|| "none".to_owned(), |rule| rule.to_string());
        let (time, locked) = (shown.time().0, json!(locked));
        text.pop();
        // Writing into a string cannot fail.
        let _ = write!(
            text,
            ",\"time_ms\":{time},\"pin_locked\":{locked},\"correction\":\"{rule}\"}}"
        );
        text
    }
}

/// The name of a meter among Home Assistant's devices.
pub(super) fn device_of(reading: &Reading<'_>) -> String {
    format!("{NAME}_{}", reading.meter_id().compact())
}

/// Entities that are no registers and no numbers.
fn further(device: &str) -> [(&'static str, Json); 2] {
    let locked = json!({
        "p": "binary_sensor",
        "unique_id": format!("{device}_pin_locked"),
        "name": "PIN locked",
        "val_tpl": "{{ value_json.get('pin_locked') }}",
        "pl_on": "True",
        "pl_off": "False",
        "dev_cla": "problem",
        "ent_cat": "diagnostic",
    });
    let correction = json!({
        "p": "sensor",
        "unique_id": format!("{device}_correction"),
        "name": "Last correction",
        "val_tpl": "{{ value_json.get('correction') }}",
        "ent_cat": "diagnostic",
    });
    [("pin_locked", locked), ("correction", correction)]
}

/// An announcement that this program has made, or another of its kind.
#[derive(Debug)]
pub(super) struct Earlier {
    /// The meter's number as printed on it.
    pub(super) number: String,
    pub(super) components: Map<String, Json>,
}

impl Earlier {
    /// Reads an announcement, if it is one that names `program` as its availability.
    pub(super) fn read(payload: &[u8], program: &str) -> Option<Self> {
        let json: Json = serde_json::from_slice(payload).ok()?;
        let topics = json.get("avty")?.as_array()?;
        let ours = topics.iter().any(|topic| topic["t"] == program);
        if !ours || json["o"]["name"] != NAME {
            return None;
        }
        Some(Self {
            number: json["dev"]["sn"].as_str()?.to_owned(),
            components: json["cmps"].as_object()?.clone(),
        })
    }
}
