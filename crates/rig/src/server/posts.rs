//! What takes POSTs: an HTTPS server, volkszaehler's middleware and a push server, all of them simulated.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use meter_core::payload::Key;
use meter_core::{ServerId, Unit, UnixMillis};
use meter_sim::TrueValue;
use meter_sim::backend::{Answer, Backend, Behaviour, Config, Received, Step};
use rustix::process::Signal;
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};

use super::{IMPATIENT, Server};
use crate::journal::server_id;
use crate::rows::{Held, Place, Registers, value};
use crate::{Head, Result};

/// A simulated server, and the threads that it runs on.
struct Posts {
    backend: Backend,
    runtime: Runtime,
    answer: Answer,
    killed: bool,
}

impl Posts {
    fn start(tls: bool, answer: Answer) -> Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()?;
        let backend = {
            let _within = runtime.enter();
            Backend::start(Config {
                tls,
                ..Config::default()
            })?
        };
        let posts = Self {
            backend,
            runtime,
            answer,
            killed: false,
        };
        posts.behave([]);
        Ok(posts)
    }

    fn behave<const N: usize>(&self, first: [Step; N]) {
        self.backend.set_behaviour(Behaviour {
            script: first.into(),
            then: Step::Answer(self.answer.clone()),
            ..Behaviour::default()
        });
    }

    fn away(&mut self, how: Signal) {
        self.killed = how == Signal::KILL;
        self.runtime.block_on(self.backend.outage(true));
    }

    /// Where it was killed, the first request that it has in whole is not answered: it may be there, and nobody knows.
    fn back(&mut self) {
        if self.killed {
            self.behave([Step::Reset]);
        } else {
            self.behave([]);
        }
        self.runtime.block_on(self.backend.outage(false));
    }

    /// Every body with what is said of it.
    fn received(&self) -> Vec<(Received, Value)> {
        let received = self.backend.received().into_iter();
        received
            .filter_map(|request| Some((request.clone(), request.json?)))
            .collect()
    }
}

/// A server that takes readings as `ThingsBoard` does.
pub struct Rest {
    posts: Posts,
    authority: PathBuf,
}

impl Rest {
    pub fn start(folder: &Path) -> Result<Self> {
        let posts = Posts::start(true, Answer::status(200))?;
        let authority = folder.join("ca.pem");
        fs::write(&authority, posts.backend.ca_pem())?;
        Ok(Self { posts, authority })
    }
}

impl Server for Rest {
    fn outputs(&self, _: &[Head]) -> String {
        format!(
            "[output.rest]\ntype = \"rest\"\nurl = {:?}\nca_file = \"{}\"\n{IMPATIENT}",
            self.posts.backend.url("/api/v1/token/telemetry"),
            self.authority.display(),
        )
    }

    fn away(&mut self, how: Signal) {
        self.posts.away(how);
    }

    fn back(&mut self) -> Result {
        self.posts.back();
        Ok(())
    }

    fn held(&self) -> Result<Vec<(&'static str, Registers, Held)>> {
        let mut held = Held::default();
        for (request, _) in self.posts.received() {
            for reading in request.readings() {
                let time = reading.get("ts").and_then(Value::as_i64).ok_or("no ts")?;
                let time = UnixMillis(time).to_string();
                let values = reading.get("values").and_then(Value::as_object);
                let values = values.ok_or("no values")?;
                let meter = values
                    .get("devid")
                    .and_then(Value::as_str)
                    .ok_or("no devid")?;
                for (register, json) in values.iter().filter(|(key, _)| *key != "devid") {
                    let place = Place::new(meter, &time, register);
                    held.add(place, value(json), request.accepted());
                }
            }
        }
        Ok(vec![("rest", Registers::All, held)])
    }
}

/// The channels of all meters: what each UUID stands for.
struct Channels(BTreeMap<String, Channel>);

struct Channel {
    /// The number of the meter's head.
    head: usize,
    /// The meter's id as printed on it.
    meter: String,
    register: Key<'static>,
}

impl Channels {
    /// One for each number that each meter sends.
    fn of(heads: &[Head]) -> Self {
        let mut channels = BTreeMap::new();
        for (head, meter) in heads.iter().map(Head::meter).enumerate() {
            let registers = meter.clone().telegram().registers;
            let numbers = registers
                .iter()
                .filter(|register| matches!(register.value, TrueValue::Number { .. }));
            for (index, register) in numbers.enumerate() {
                let channel = Channel {
                    head,
                    meter: ServerId(meter.server_id()).meter_id().to_string(),
                    register: Key::new(register.obis, register.unit.map(Unit)),
                };
                let uuid = format!("{head:08x}-0000-4000-8000-{index:012x}");
                channels.insert(uuid, channel);
            }
        }
        Self(channels)
    }

    /// An output for each meter, as a channel knows of none.
    fn outputs(&self, name: &str, settings: &str, heads: &[Head]) -> String {
        let output = |(number, head): (usize, &Head)| {
            let of_meter = self.0.iter().filter(|(_, it)| it.head == number);
            let channels: Vec<_> = of_meter
                .map(|(uuid, channel)| format!("\"{}\" = {uuid:?}", channel.register.obis))
                .collect();
            format!(
                "[output.{name}{number}]\ntype = \"volkszaehler\"\n{settings}\nallow_insecure = true\n\
                 meters = [{:?}]\nchannels = {{ {} }}\n{IMPATIENT}\n",
                server_id(head),
                channels.join(", ")
            )
        };
        heads.iter().enumerate().map(output).collect()
    }

    /// Adds the values of one channel, `[[ms, value], …]`.
    fn add(&self, uuid: &str, tuples: &Value, kept: bool, held: &mut Held) -> Result {
        let channel = self.0.get(uuid).ok_or("an unknown UUID")?;
        for tuple in tuples.as_array().ok_or("no tuples")? {
            let time = tuple
                .pointer("/0")
                .and_then(Value::as_i64)
                .ok_or("no time")?;
            let time = UnixMillis(time).to_string();
            let place = Place::new(&channel.meter, &time, &channel.register.to_string());
            held.add(place, value(tuple.pointer("/1").ok_or("no value")?), kept);
        }
        Ok(())
    }
}

/// Whom values are sent to, channel by channel.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// volkszaehler's middleware, of which only the answers are simulated.
    Middleware,
    /// A server that takes what vzlogger pushes.
    Push,
}

/// Values in channels, as volkszaehler has them.
pub struct Volkszaehler {
    posts: Posts,
    channels: Channels,
    form: Form,
}

impl Volkszaehler {
    pub fn start(form: Form, heads: &[Head]) -> Result<Self> {
        let answer = Answer::status(200).body(r#"{"version":"0.3","rows":1}"#);
        Ok(Self {
            posts: Posts::start(false, answer)?,
            channels: Channels::of(heads),
            form,
        })
    }

    const fn name(&self) -> &'static str {
        match self.form {
            Form::Middleware => "volkszaehler",
            Form::Push => "push",
        }
    }

    /// What a request is about: each UUID with its values.
    fn tuples(&self, request: &Received, body: &Value) -> Result<Vec<(String, Value)>> {
        match self.form {
            Form::Middleware => {
                let path = request.path.strip_prefix("/middleware.php/data/");
                let uuid = path.and_then(|path| path.strip_suffix(".json?options=skipduplicates"));
                let uuid = uuid.ok_or("no address of a channel")?;
                Ok(vec![(uuid.to_owned(), body.clone())])
            }
            Form::Push => {
                let data = body.get("data").and_then(Value::as_array);
                let channels = data.ok_or("no data")?.iter().map(|channel| {
                    let uuid = channel.get("uuid")?.as_str()?;
                    Some((uuid.to_owned(), channel.get("tuples")?.clone()))
                });
                Ok(channels.collect::<Option<_>>().ok_or("no tuples")?)
            }
        }
    }
}

impl Server for Volkszaehler {
    fn outputs(&self, heads: &[Head]) -> String {
        let settings = match self.form {
            Form::Middleware => format!("url = {:?}", self.posts.backend.url("/middleware.php")),
            Form::Push => format!(
                "format = \"push\"\nurl = {:?}",
                self.posts.backend.url("/push")
            ),
        };
        self.channels.outputs(self.name(), &settings, heads)
    }

    fn away(&mut self, how: Signal) {
        self.posts.away(how);
    }

    fn back(&mut self) -> Result {
        self.posts.back();
        Ok(())
    }

    fn held(&self) -> Result<Vec<(&'static str, Registers, Held)>> {
        let mut held = Held::default();
        for (request, body) in self.posts.received() {
            for (uuid, tuples) in self.tuples(&request, &body)? {
                self.channels
                    .add(&uuid, &tuples, request.accepted(), &mut held)?;
            }
        }
        Ok(vec![(self.name(), Registers::Numbers, held)])
    }
}
