//! The configuration of vzlogger, in JSON with comments.
//!
//! Source: the schema and the examples in vzlogger's own repository (`etc/`), and its wiki.

use std::collections::BTreeMap;

use jsonc_parser::ParseOptions;
use meter_core::Obis;
use serde_json::{Value as Json, json};
use toml::Value;

use super::Error;
use super::source::{Notes, Table};
use super::target::{Section, write};

const HEAD: &str = "Made by `meterline import vzlogger`. See what it said could not be carried over, then try it:\n\
                    meterline check --config FILE";

/// Why values that were reduced are not.
const AGGREGATED: &str = "values are not averaged here: every reading is kept, and an output may send the newest of each \
     interval (`interval = \"5m\"`)";

/// Turns the text of `file` into the text of ours.
pub(super) fn import(file: &str, text: &str, notes: &mut Notes) -> Result<String, Error> {
    let value = parse(file, text)?;
    let Json::Object(root) = value else {
        return Err(Error::NotVzlogger(file.to_owned()));
    };
    if !root.contains_key("meters") {
        return Err(Error::NotVzlogger(file.to_owned()));
    }
    let mut root = Table::root(root);
    let mut made = Made::default();
    let meters = root.tables("meters");
    for (index, meter) in meters.into_iter().enumerate() {
        made.meter(index + 1, meter, notes);
    }
    made.several = made.inputs.len() > 1;
    for push in root.tables("push") {
        made.push(push, notes);
    }
    if let Some(local) = root.table("local") {
        made.local(local, notes);
    }
    if let Some(mqtt) = root.table("mqtt") {
        made.mqtt(mqtt, notes);
    }
    // The service manager's business, or done by itself.
    root.drop(&[
        "retry",
        "daemon",
        "foreground",
        "verbosity",
        "log",
        "i_have_a_gpio",
    ]);
    root.finish(notes);
    Ok(write(HEAD, &made.sections()))
}

fn parse(file: &str, text: &str) -> Result<Json, Error> {
    let parsed = jsonc_parser::parse_to_serde_value::<Json>(text, &ParseOptions::default());
    parsed.map_err(|error| Error::Syntax {
        file: file.to_owned(),
        line: error.line_display(),
        column: error.column_display(),
        message: error.kind().to_string(),
    })
}

/// The tables that were made.
#[derive(Debug, Default)]
struct Made {
    inputs: Vec<Section>,
    outputs: Vec<Section>,
    http: Option<Section>,
    /// The channels of each middleware and meter.
    channels: BTreeMap<(String, usize), BTreeMap<String, String>>,
    /// There is more than one meter, so that channels belong to one of them.
    several: bool,
}

impl Made {
    fn sections(mut self) -> Vec<Section> {
        let several = self.several;
        for (place, ((url, meter), channels)) in self.channels.into_iter().enumerate() {
            let name = match place {
                0 => "output.volkszaehler".to_owned(),
                _ => format!("output.volkszaehler{}", place + 1),
            };
            let mut section = Section::new(name);
            if several {
                section.remark(format!(
                    "These are the channels of meter {meter}: write its number, as `meterline run` shows it, into \
                     meters = [\"…\"]"
                ));
            }
            section.key("type", "volkszaehler").key("url", url.as_str());
            let table: toml::Table = channels
                .into_iter()
                .map(|(register, uuid)| (register, Value::String(uuid)))
                .collect();
            section.key("channels", table);
            insecure(&mut section, &url);
            self.outputs.push(section);
        }
        let mut sections = self.inputs;
        sections.extend(self.outputs);
        sections.extend(self.http);
        sections
    }

    fn meter(&mut self, number: usize, mut meter: Table, notes: &mut Notes) {
        let path = meter.path().to_owned();
        if meter.truth("enabled") == Some(false) {
            notes.add(&path, "it is not enabled; left out");
            return;
        }
        let protocol = meter.text("protocol").unwrap_or_default();
        if protocol != "sml" {
            notes.add(
                &path,
                &format!("its protocol is `{protocol}`, and meterline reads SML; left out"),
            );
            return;
        }
        self.line(number, &mut meter, notes);
        for channel in meter.tables("channels") {
            self.channel(number, channel, notes);
        }
        for key in ["aggtime", "aggfixedinterval"] {
            meter.refuse(key, &[json!(-1), json!(0), json!(false)], AGGREGATED, notes);
        }
        meter.refuse(
            "pullseq",
            &[json!("")],
            "meterline asks nothing of a meter: it listens",
            notes,
        );
        meter.refuse(
            "use_local_time",
            &[json!(true)],
            "the time of a reading is the host's: the meter's own seconds are no time of day",
            notes,
        );
        meter.drop(&["allowskip"]);
        meter.finish(notes);
    }

    fn line(&mut self, number: usize, meter: &mut Table, notes: &mut Notes) {
        let mut section = Section::new(format!("input.meter{number}"));
        if let Some(host) = meter.text("host") {
            section.key("type", "tcp").key("address", host);
            meter.drop(&["device"]);
        } else {
            let port = meter.text("device").unwrap_or_else(|| "auto".to_owned());
            section.key("type", "serial").key("port", port);
            let baud = meter.number("baudrate").filter(|baud| *baud != 9600);
            section.maybe("baud", baud);
            let place = meter.place("parity");
            match meter.text("parity").as_deref() {
                None | Some("8n1") => {}
                Some("7e1") => {
                    section.key("data_bits", 7).key("parity", "even");
                }
                Some("7n1") => {
                    section.key("data_bits", 7);
                }
                Some("7o1") => {
                    section.key("data_bits", 7).key("parity", "odd");
                }
                Some(other) => notes.add(&place, &format!("`{other}` is not known; 8n1 is used")),
            }
        }
        let interval = meter.number("interval").filter(|seconds| *seconds > 0);
        // vzlogger without an interval takes what comes.
        let interval = interval.map_or("every".to_owned(), |seconds| format!("{seconds}s"));
        section.key("interval", interval);
        self.inputs.push(section);
    }

    fn channel(&mut self, meter: usize, mut channel: Table, notes: &mut Notes) {
        let path = channel.path().to_owned();
        let api = channel
            .text("api")
            .unwrap_or_else(|| "volkszaehler".to_owned());
        channel.refuse(
            "aggmode",
            &[json!("none"), json!("max"), json!("")],
            AGGREGATED,
            notes,
        );
        match api.as_str() {
            "volkszaehler" => self.volkszaehler(meter, &mut channel, notes),
            "influxdb" => self.influx(&mut channel, notes),
            // The local server shows every register.
            "null" => channel.drop(&["uuid", "identifier"]),
            other => {
                notes.add(
                    &path,
                    &format!("meterline does not know the api `{other}`; left out"),
                );
                return;
            }
        }
        channel.finish(notes);
    }

    fn volkszaehler(&mut self, meter: usize, channel: &mut Table, notes: &mut Notes) {
        let place = channel.place("identifier");
        let identifier = channel.text("identifier").unwrap_or_default();
        let uuid = channel.text("uuid").unwrap_or_default();
        let url = channel
            .text("middleware")
            .unwrap_or_else(|| "http://localhost/middleware.php".to_owned());
        channel.refuse(
            "duplicates",
            &[json!(0)],
            "equal values are sent too; on_change leaves readings out that say nothing new",
            notes,
        );
        match register(&identifier) {
            Some(register) => {
                let channels = self.channels.entry((url, meter)).or_default();
                if channels.insert(register, uuid).is_some() {
                    notes.add(
                        &place,
                        "this register goes into two channels; only the last is carried over",
                    );
                }
            }
            None => notes.add(
                &place,
                &format!(
                    "`{identifier}` is no OBIS code; write one, such as 1-0:16.7.0, and try again"
                ),
            ),
        }
    }

    fn influx(&mut self, channel: &mut Table, notes: &mut Notes) {
        let mut section = Section::new("output.influxdb");
        let host = channel
            .text("host")
            .unwrap_or_else(|| "http://localhost:8086".to_owned());
        let url = if host.contains("://") {
            host
        } else {
            format!("http://{host}")
        };
        let database = channel
            .text("database")
            .unwrap_or_else(|| "vzlogger".to_owned());
        section.key("type", "influx").key("url", url.as_str());
        if let Some(org) = channel.text("organization") {
            section
                .key("version", "v2")
                .key("org", org)
                .key("bucket", database);
            section.maybe("token", channel.text("token"));
        } else {
            section.key("version", "v1").key("database", database);
            section.maybe("username", channel.text("username"));
            section.maybe("password", channel.text("password"));
        }
        let measurement = channel
            .text("measurement_name")
            .unwrap_or_else(|| "vzlogger".to_owned());
        section.key("measurement", measurement);
        let tags: toml::Table = channel
            .text("tags")
            .iter()
            .flat_map(|tags| tags.split(','))
            .filter_map(|tag| tag.split_once('='))
            .map(|(key, value)| {
                (
                    key.trim().to_owned(),
                    Value::String(value.trim().to_owned()),
                )
            })
            .collect();
        if !tags.is_empty() {
            section.key("tags", tags);
        }
        let timeout = channel.number("timeout").filter(|seconds| *seconds > 0);
        section.maybe("timeout", timeout.map(|seconds| format!("{seconds}s")));
        insecure(&mut section, &url);
        channel.refuse(
            "ssl_verifypeer",
            &[json!(true)],
            "certificates are always verified; name the authority of your server in ca_file",
            notes,
        );
        notes.add(
            "channels for influxdb",
            "one output sends all registers of a reading in one line, by names of its own and with the tag \
             meter: what reads the database must be changed (docs/influxdb.md)",
        );
        // Batches, buffers and ids are done by the journal and the tag `meter`.
        channel.drop(&[
            "identifier",
            "uuid",
            "send_uuid",
            "max_batch_inserts",
            "max_buffer_size",
        ]);
        channel.drop(&["curl_timeout", "username", "password", "token"]);
        self.output(section);
    }

    /// Adds an output, unless there is the same already.
    fn output(&mut self, mut section: Section) {
        if self.outputs.iter().any(|other| other.is_like(&section)) {
            return;
        }
        let base = section.name.clone();
        let mut number = 1;
        while self.outputs.iter().any(|other| other.name == section.name) {
            number += 1;
            section.name = format!("{base}{number}");
        }
        self.outputs.push(section);
    }

    fn push(&mut self, mut push: Table, notes: &mut Notes) {
        let Some(url) = push.text("url") else {
            return push.finish(notes);
        };
        let mut all: BTreeMap<usize, toml::Table> = BTreeMap::new();
        for ((_, meter), channels) in &self.channels {
            let table = all.entry(*meter).or_default();
            for (register, uuid) in channels {
                table.insert(register.clone(), Value::String(uuid.clone()));
            }
        }
        for (meter, channels) in all {
            let mut section = Section::new("output.push");
            if self.several {
                section.remark(format!(
                    "These are the channels of meter {meter}: write its number, as `meterline run` shows it, into \
                     meters = [\"…\"]"
                ));
            }
            section
                .key("type", "volkszaehler")
                .key("format", "push")
                .key("url", url.as_str())
                .key("channels", channels);
            insecure(&mut section, &url);
            self.output(section);
        }
        push.finish(notes);
    }

    fn local(&mut self, mut local: Table, notes: &mut Notes) {
        if local.truth("enabled") != Some(true) {
            return;
        }
        let port = local.number("port").unwrap_or(8080);
        let mut section = Section::new("http");
        section
            .remark(format!(
                "vzlogger listened on every network. To let other machines in, write \"0.0.0.0:{port}\"."
            ))
            .key("listen", format!("127.0.0.1:{port}"))
            .key("vzlogger", true);
        notes.add(
            local.path(),
            "the channels have other UUIDs here: http://127.0.0.1 with the port lists them",
        );
        for key in ["timeout", "buffer"] {
            local.refuse(
                key,
                &[json!(0), json!(30), json!(-1), json!(600)],
                "the newest value is answered at once; /api/v1/ has those before it",
                notes,
            );
        }
        local.drop(&["index"]);
        local.finish(notes);
        self.http = Some(section);
    }

    fn mqtt(&mut self, mut mqtt: Table, notes: &mut Notes) {
        if mqtt.truth("enabled") != Some(true) {
            return;
        }
        let host = mqtt.text("host").unwrap_or_else(|| "localhost".to_owned());
        let port = mqtt.number("port").unwrap_or(1883);
        let ca_file = mqtt.text("cafile");
        let certificate = mqtt.text("certfile");
        let tls = ca_file.is_some() || certificate.is_some() || port == 8883;
        let scheme = if tls { "mqtts" } else { "mqtt" };
        let topic = mqtt.text("topic").unwrap_or_else(|| "vzlogger".to_owned());
        let mut section = Section::new("output.mqtt");
        section
            .key("type", "mqtt")
            .key("url", format!("{scheme}://{host}:{port}"))
            .maybe("username", mqtt.text("user"))
            .maybe("password", mqtt.text("pass"))
            .maybe("client_id", mqtt.text("id"))
            .key("qos", mqtt.number("qos").unwrap_or(0).clamp(0, 1))
            .key("retain", mqtt.truth("retain").unwrap_or(false))
            .key("format", "registers")
            .key(
                "topic",
                format!("{}/{{meter}}/{{code}}", topic.trim_end_matches('/')),
            )
            .maybe("ca_file", ca_file)
            .maybe("client_cert", certificate)
            .maybe("client_key", mqtt.text("keyfile"));
        if !tls {
            section.key("allow_insecure", true);
        }
        notes.add(
            &mqtt.place("topic"),
            "values are published below the meter and its registers, not below `chn0/raw`: \
             `TOPIC/METER/1.8.0`",
        );
        mqtt.refuse(
            "timestamp",
            &[json!(false)],
            "values come alone; `format = \"json\"` has them with their time",
            notes,
        );
        mqtt.refuse("rawAndAgg", &[json!(false)], AGGREGATED, notes);
        mqtt.refuse(
            "keypass",
            &[json!("")],
            "the key must not be encrypted",
            notes,
        );
        mqtt.refuse(
            "capath",
            &[json!("")],
            "name one file with the authorities in ca_file",
            notes,
        );
        mqtt.drop(&["keepalive"]);
        mqtt.finish(notes);
        self.output(section);
    }
}

/// A register as `channels` names it.
fn register(identifier: &str) -> Option<String> {
    // Some write the last group behind another sign.
    let written = identifier.trim().replacen('/', "*", 1);
    let obis: Obis = written.parse().ok()?;
    Some(obis.to_string())
}

/// Plain HTTP was used before; here it takes a word.
fn insecure(section: &mut Section, url: &str) {
    if url.starts_with("http://") {
        section.key("allow_insecure", true);
    }
}
