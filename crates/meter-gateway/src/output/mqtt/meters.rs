//! What is said of meters besides their readings: whether they are there, and what Home Assistant
//! makes of them.
//!
//! A backlog is not replayed to Home Assistant, whose states have no history: it would take old power
//! for new. So a state is published only of a reading that is not older than `expire_after`, and only of
//! the newest of each meter.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use meter_core::{ReducedDetector, ServerId, Shown, UnixMillis};
use serde_json::Value as Json;
use tokio::time::Instant;

use super::config::{Config, Discovery};
use super::diagnostics::Insight;
use super::homeassistant::{Announced, DEVICES, Earlier, Topics, config_topic, device_of};
use super::payload::Plan;
use crate::input::MeterName;
use crate::journal::Record;
use crate::mqtt::{Message, Publication};
use crate::output::shape::{EnergyUnit, Numbers, Shape, Shaped};

const ONLINE: &str = "online";
const OFFLINE: &str = "offline";
/// The last level of the topics on which a meter is said to be there or not.
const AVAILABILITY: &str = "availability";

/// The meters that this output knows.
#[derive(Debug)]
pub(super) struct Meters {
    discovery: bool,
    expire_after: Duration,
    forget_after: Duration,
    only: Vec<MeterName>,
    /// What Home Assistant is shown. It converts units and rounds by itself.
    shape: Shape,
    /// Where this program is said to be there.
    program: String,
    /// By their numbers without spaces.
    known: BTreeMap<String, Meter>,
    /// What the broker has kept of meters that have sent nothing since the start.
    left: BTreeMap<String, Left>,
    since: Instant,
}

#[derive(Debug)]
struct Meter {
    newest: Record,
    numbers: Numbers,
    /// What was said on this connection.
    online: Option<bool>,
    announced: Announced,
    /// Whether its PIN is missing: one reading alone may look so by chance.
    reduced: ReducedDetector,
}

/// What the broker has kept of a meter.
#[derive(Debug, Default)]
struct Left {
    online: bool,
    earlier: Option<Earlier>,
    /// The time of its last state.
    time: Option<UnixMillis>,
}

impl Meters {
    pub(super) fn new(config: &Config, plan: &Plan, client_id: &str) -> Self {
        Self {
            discovery: config.discovery == Some(Discovery::HomeAssistant),
            expire_after: config.expire_after.get(),
            forget_after: config.forget_after.get(),
            only: config.remote.delivery.meters.clone(),
            shape: Shape {
                energy_unit: EnergyUnit::WattHour,
                decimals: None,
                ..config.remote.delivery.shape.clone()
            },
            program: plan.template.beside_program(client_id, AVAILABILITY),
            known: BTreeMap::new(),
            left: BTreeMap::new(),
            since: Instant::now(),
        }
    }

    /// The topic on which this program is said to be there or not.
    pub(super) fn program(&self) -> &str {
        &self.program
    }

    /// Whether Home Assistant is told.
    pub(super) fn discovery(&self) -> bool {
        self.discovery
    }

    /// What to subscribe to, for knowing what was said in an earlier life.
    pub(super) fn filters(&self, plan: &Plan) -> Vec<String> {
        let mut filters = vec![plan.template.beside_meter("+", AVAILABILITY)];
        if self.discovery {
            filters.push(plan.template.beside_meter("+", "state"));
            filters.push(format!("{DEVICES}+/config"));
        }
        filters
    }

    /// A new connection: what was said on the last one may be gone.
    pub(super) fn connected(&mut self) {
        for meter in self.known.values_mut() {
            meter.online = None;
            meter.announced.again();
        }
    }

    /// Takes note of what the broker has kept.
    pub(super) fn hear(&mut self, message: &Message, plan: &Plan) {
        if !message.retained || message.payload.is_empty() {
            return;
        }
        let topic = message.topic.as_str();
        if topic == self.program {
            return;
        }
        if let Some(meter) = between(topic, DEVICES, "/config") {
            if let Some(earlier) = Earlier::read(&message.payload, &self.program)
                && let Some(id) = meter.strip_prefix("meterline_")
            {
                match self.known.get_mut(id) {
                    Some(known) => known.announced.earlier(earlier.components, Instant::now()),
                    None => self.left.entry(id.to_owned()).or_default().earlier = Some(earlier),
                }
            }
            return;
        }
        for what in [AVAILABILITY, "state"] {
            let pattern = plan.template.beside_meter("+", what);
            let Some((before, after)) = pattern.split_once('+') else {
                continue;
            };
            let Some(meter) = between(topic, before, after) else {
                continue;
            };
            if self.known.contains_key(meter) {
                return;
            }
            let left = self.left.entry(meter.to_owned()).or_default();
            match what {
                AVAILABILITY => left.online = message.payload == ONLINE.as_bytes(),
                _ => left.time = time_of(&message.payload),
            }
            return;
        }
    }

    /// Takes note of readings that were delivered, or will be. What is to be said of them goes along.
    pub(super) fn see(
        &mut self,
        readings: &[Shaped<'_>],
        plan: &Plan,
        insight: &Insight<'_>,
    ) -> Vec<Publication> {
        let mut touched = Vec::new();
        for shaped in readings {
            let id = shaped.reading().meter_id().compact().to_string();
            let newer = if let Some(meter) = self.known.get_mut(&id) {
                let newer = meter.newest.time <= shaped.time();
                if newer {
                    meter.newest = shaped.record.clone();
                    meter.numbers = shaped.numbers().to_vec();
                }
                newer
            } else {
                self.meet(&id, shaped);
                true
            };
            if !newer {
                continue;
            }
            if let Some(meter) = self.known.get_mut(&id) {
                meter.reduced.observe(shaped.reading());
            }
            if !touched.contains(&id) {
                touched.push(id);
            }
        }
        let mut said = Vec::new();
        for id in touched {
            said.extend(self.show(&id, plan, insight));
        }
        said
    }

    fn meet(&mut self, id: &str, shaped: &Shaped<'_>) {
        let mut announced = Announced::default();
        if let Some(left) = self.left.remove(id)
            && let Some(earlier) = left.earlier
        {
            announced.earlier(earlier.components, Instant::now());
        }
        let meter = Meter {
            newest: shaped.record.clone(),
            numbers: shaped.numbers().to_vec(),
            online: None,
            announced,
            reduced: ReducedDetector::default(),
        };
        self.known.insert(id.to_owned(), meter);
    }

    /// Everything that there is to say of all meters: Home Assistant was started.
    pub(super) fn show_all(&mut self, plan: &Plan, insight: &Insight<'_>) -> Vec<Publication> {
        let mut said = Vec::new();
        let ids: Vec<String> = self.known.keys().cloned().collect();
        for id in ids {
            if let Some(meter) = self.known.get_mut(&id) {
                meter.online = None;
                meter.announced.again();
            }
            said.extend(self.show(&id, plan, insight));
        }
        said
    }

    /// Says of a meter what has not been said yet, and its state.
    fn show(&mut self, id: &str, plan: &Plan, insight: &Insight<'_>) -> Vec<Publication> {
        let Some(meter) = self.known.get_mut(id) else {
            return Vec::new();
        };
        let Ok(shaped) = Shaped::new(&meter.newest, &meter.numbers, &self.shape) else {
            return Vec::new();
        };
        let diagnostics = insight.of(&meter.newest.meter);
        let fresh = age(shaped.time()) <= self.expire_after;
        let state = plan.template.beside_meter(id, "state");
        let availability = plan.template.beside_meter(id, AVAILABILITY);
        let mut said = Vec::new();
        if self.discovery {
            let topics = Topics {
                state: &state,
                program: &self.program,
                meter: &availability,
            };
            meter.announced.see(
                &shaped,
                &topics,
                self.expire_after,
                &diagnostics,
                Instant::now(),
            );
            let topic = config_topic(&device_of(shaped.reading()));
            let texts = meter.announced.announcements().into_iter();
            said.extend(texts.map(|text| plan.beside(topic.clone(), text)));
        }
        if meter.online != Some(fresh) {
            meter.online = Some(fresh);
            let word = if fresh { ONLINE } else { OFFLINE };
            said.push(plan.beside(availability, word));
        }
        if self.discovery && fresh {
            let locked = match (shaped.reading().reduced(), meter.reduced.is_reduced()) {
                (true, false) => None,
                (_, sure) => Some(sure),
            };
            let text = meter.announced.state(&shaped, locked, &diagnostics);
            said.push(plan.beside(state, text));
        }
        said
    }

    /// Says which meters have fallen silent, and forgets those that are gone.
    pub(super) fn look(&mut self, plan: &Plan) -> Vec<Publication> {
        let mut said = Vec::new();
        for (id, meter) in &mut self.known {
            if meter.online == Some(true) && age(meter.newest.time) > self.expire_after {
                meter.online = Some(false);
                said.push(plan.beside(plan.template.beside_meter(id, AVAILABILITY), OFFLINE));
            }
        }
        let uptime = self.since.elapsed();
        for (id, left) in &mut self.left {
            if left.online && uptime > self.expire_after {
                left.online = false;
                said.push(plan.beside(plan.template.beside_meter(id, AVAILABILITY), OFFLINE));
            }
        }
        said.extend(self.forget(plan));
        said
    }

    /// Deletes what the broker keeps of meters that are gone for good.
    fn forget(&mut self, plan: &Plan) -> Vec<Publication> {
        let forget_after = self.forget_after;
        let late = |time: Option<UnixMillis>| time.is_some_and(|time| age(time) > forget_after);
        let mut gone: Vec<String> = Vec::new();
        if self.discovery {
            let left = self.left.iter().filter(|(_, left)| {
                let unwanted = left
                    .earlier
                    .as_ref()
                    .is_some_and(|earlier| !self.is_wanted(&earlier.number));
                left.earlier.is_some() && (unwanted || late(left.time))
            });
            gone.extend(left.map(|(id, _)| id.clone()));
            let known = self
                .known
                .iter()
                .filter(|(_, meter)| late(Some(meter.newest.time)));
            gone.extend(known.map(|(id, _)| id.clone()));
        }
        let mut said = Vec::new();
        for id in gone {
            self.left.remove(&id);
            self.known.remove(&id);
            tracing::info!("Home Assistant is told to forget meter {id}");
            for topic in [
                config_topic(&format!("meterline_{id}")),
                plan.template.beside_meter(&id, "state"),
                plan.template.beside_meter(&id, AVAILABILITY),
            ] {
                said.push(plan.beside(topic, ""));
            }
        }
        said
    }

    /// Whether `meters` lets a meter through, by its number as printed on it.
    fn is_wanted(&self, number: &str) -> bool {
        let number: MeterName = match number.parse() {
            Ok(number) => number,
            Err(_) => return true,
        };
        let wanted = |name: &MeterName| {
            let by_id = octets(&name.plain())
                .is_some_and(|octets| number.is(&octets) || name_of(&octets) == number.plain());
            name.plain() == number.plain() || by_id
        };
        self.only.is_empty() || self.only.iter().any(wanted)
    }

    /// When there is to be looked again.
    pub(super) fn next_look(&self) -> Option<Duration> {
        let online = self
            .known
            .values()
            .filter(|meter| meter.online == Some(true));
        let known = online.map(|meter| self.expire_after.saturating_sub(age(meter.newest.time)));
        let left = self.left.values().map(|left| {
            if left.online {
                self.expire_after.saturating_sub(self.since.elapsed())
            } else {
                self.forget_after
            }
        });
        known.chain(left).min()
    }

    /// What is said at the end: nobody will notice any more when a meter falls silent.
    pub(super) fn goodbye(&mut self, plan: &Plan) -> Vec<Publication> {
        let online = self
            .known
            .iter_mut()
            .filter(|(_, meter)| meter.online == Some(true));
        let mut said: Vec<Publication> = online
            .map(|(id, meter)| {
                meter.online = Some(false);
                plan.beside(plan.template.beside_meter(id, AVAILABILITY), OFFLINE)
            })
            .collect();
        said.push(plan.beside(self.program.clone(), OFFLINE));
        said
    }

    /// What is said at the beginning.
    pub(super) fn hello(&self, plan: &Plan) -> Publication {
        plan.beside(self.program.clone(), ONLINE)
    }
}

/// How long ago something was; nothing for what is ahead of the clock.
fn age(time: UnixMillis) -> Duration {
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    let time = Duration::from_millis(u64::try_from(time.0).unwrap_or(0));
    now.saturating_sub(time)
}

/// What stands between, if it is one level of a topic.
fn between<'t>(topic: &'t str, before: &str, after: &str) -> Option<&'t str> {
    let rest = topic.strip_prefix(before)?.strip_suffix(after)?;
    (!rest.is_empty() && !rest.contains('/')).then_some(rest)
}

/// The time of a state.
fn time_of(payload: &[u8]) -> Option<UnixMillis> {
    let json: Json = serde_json::from_slice(payload).ok()?;
    json.get("time_ms")?.as_i64().map(UnixMillis)
}

fn octets(hex: &str) -> Option<Vec<u8>> {
    let bytes = hex.as_bytes();
    let (pairs, rest) = bytes.as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let pair = |[high, low]: &[u8; 2]| u8::try_from(digit(*high)? << 4 | digit(*low)?).ok();
    pairs.iter().map(pair).collect()
}

fn name_of(octets: &[u8]) -> String {
    let name = ServerId(octets).meter_id().to_string();
    name.parse()
        .map_or(String::new(), |name: MeterName| name.plain())
}
