//! `meterline config example` and `meterline config schema`, both from the types themselves.
//!
//! The example is written from the JSON Schema: every key with its description, its default or an
//! example. Nothing in it is maintained by hand but the introduction and the names of the tables,
//! so it cannot say anything that the program does not do.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::Config;
use super::value::TYPE;

/// The JSON Schema of the configuration file, for editors.
#[must_use]
pub fn schema() -> Value {
    let mut schema = schemars::schema_for!(Config).to_value();
    if let Some(object) = schema.as_object_mut() {
        object.insert("title".to_owned(), "meterline.toml".into());
    }
    schema
}

const INTRODUCTION: &str = "\
# meterline.toml: which meters are read, and where their readings go.
#
# Lines that begin with `#` and a key are optional and show the default, or an example where there is
# none. `meterline check` says whether a file is right; `systemctl reload meterline` (SIGHUP) reads
# it again without losing a byte. Secrets may be written as \"file:PATH\", \"env:NAME\" or
# \"credential:NAME\" (systemd's LoadCredential), so that they need not stand here.
";

/// What a table of each kind is called in the example: `[input.house]`.
const NAMES: [(&str, &str); 11] = [
    ("serial", "house"),
    ("tcp", "cellar"),
    ("http", "pulse"),
    // Of the input and of the output.
    ("mqtt", "broker"),
    ("file", "replay"),
    ("rest", "backend"),
    ("influx", "history"),
    ("volkszaehler", "middleware"),
    ("csv", "table"),
    ("jsonl", "lines"),
    ("postgres", "database"),
];

const TEMPLATE: &str = "{\"meter\": {{ meter | tojson }}, \"time\": {{ time_ms }}, \
                        \"import\": {{ values[\"1.8.0_Wh\"] }}, \"power\": {{ values[\"16.7.0_W\"] }}}";

/// What is shown for keys that have no default. A type's own examples come second.
fn examples(kind: &str) -> Value {
    match kind {
        "file" => json!({ "path": "/var/tmp/recording.bin" }),
        "rest" => json!({
            "url": "https://backend.example.org/readings",
            "headers": { "X-Site": "roof" },
            "username": "meterline",
            "template": TEMPLATE,
            "content_type": "application/json",
            "meters": ["1 EMH00 1059 9732"],
            "max_rate": 10,
            "ca_file": "/etc/meterline/ca.pem",
            "client_cert": "/etc/meterline/client.pem",
            "client_key": "/etc/meterline/client.key",
        }),
        "mqtt" => json!({
            "client_id": "meterline-house",
            "version": "5",
            "discovery": "homeassistant",
            "codes": { "E_in": "1.8.0", "Power": "16.7.0" },
            "meters": ["1 EMH00 1059 9732"],
            "max_rate": 50,
            "ca_file": "/etc/meterline/ca.pem",
            "client_cert": "/etc/meterline/client.pem",
            "client_key": "/etc/meterline/client.key",
        }),
        "influx" => json!({
            "url": "https://influx.example.org:8086",
            "database": "power",
            "retention_policy": "two_years",
            "username": "meterline",
            "org": "home",
            "bucket": "power",
            "tags": { "site": "roof" },
            "meters": ["1 EMH00 1059 9732"],
            "max_rate": 1000,
            "ca_file": "/etc/meterline/ca.pem",
            "client_cert": "/etc/meterline/client.pem",
            "client_key": "/etc/meterline/client.key",
        }),
        "volkszaehler" => json!({
            "url": "https://vz.example.org/middleware.php",
            "channels": { "1.8.0": "6836dd20-00d5-11e0-bab1-856ed5f959ae" },
            "username": "meterline",
            "meters": ["1 EMH00 1059 9732"],
            "max_rate": 100,
            "ca_file": "/etc/meterline/ca.pem",
            "client_cert": "/etc/meterline/client.pem",
            "client_key": "/etc/meterline/client.key",
        }),
        "postgres" => json!({
            "password": "file:/etc/meterline/postgres",
            "meters": ["1 EMH00 1059 9732"],
            "max_rate": 1000,
            "ca_file": "/etc/meterline/ca.pem",
            "client_cert": "/etc/meterline/client.pem",
            "client_key": "/etc/meterline/client.key",
        }),
        "csv" | "jsonl" => json!({
            "meters": ["1 EMH00 1059 9732"],
            "max_rate": 10,
        }),
        _ => Value::Null,
    }
}

/// A complete, commented configuration file. As it stands it is valid, and so is it with every
/// optional key uncommented that shows a default.
#[must_use]
pub fn example() -> String {
    let schema = schema();
    let mut writer = Writer {
        schema: &schema,
        text: INTRODUCTION.to_owned(),
    };
    let properties = writer.properties(&schema);
    let (tables, keys): (Vec<_>, Vec<_>) = properties
        .into_iter()
        .partition(|(_, property)| is_table(writer.resolve(property)));
    for (key, property) in keys {
        writer.key(
            key,
            property,
            &Value::Null,
            Look {
                required: false,
                active: true,
            },
        );
    }
    for (key, property) in tables {
        writer.table(key, property);
    }
    writer.text
}

/// Whether a key must be there, and whether its table is there.
#[derive(Clone, Copy)]
struct Look {
    required: bool,
    active: bool,
}

struct Writer<'s> {
    schema: &'s Value,
    text: String,
}

impl<'s> Writer<'s> {
    /// Follows references, and `anyOf` that only adds null.
    fn resolve(&self, schema: &'s Value) -> &'s Value {
        if let Some(path) = schema["$ref"]
            .as_str()
            .and_then(|path| path.strip_prefix('#'))
        {
            return self
                .schema
                .pointer(path)
                .map_or(schema, |target| self.resolve(target));
        }
        let some = schema["anyOf"].as_array().and_then(|any| {
            any.iter()
                .find(|schema| schema["type"].as_str() != Some("null"))
        });
        some.map_or(schema, |schema| self.resolve(schema))
    }

    fn properties(&self, schema: &'s Value) -> Vec<(&'s str, &'s Value)> {
        let properties = self.resolve(schema)["properties"].as_object();
        properties
            .into_iter()
            .flatten()
            .map(|(key, schema)| (key.as_str(), schema))
            .collect()
    }

    fn description(&self, schema: &'s Value) -> Option<&'s str> {
        let own = schema["description"].as_str();
        own.or_else(|| self.resolve(schema)["description"].as_str())
    }

    /// One table of the file, or one for each kind of input or output.
    fn table(&mut self, name: &str, schema: &'s Value) {
        let resolved = self.resolve(schema);
        let entry = self.resolve(&resolved["additionalProperties"]);
        let Some(kinds) = entry["oneOf"].as_array() else {
            self.heading(self.description(schema));
            // One that need not be there does something when it is.
            let active = !is_optional(schema);
            let off = if active { "" } else { "#" };
            let _ = writeln!(self.text, "{off}[{name}]");
            self.keys(schema, "", active);
            return;
        };
        for (index, kind) in kinds.iter().enumerate() {
            let type_name = kind["properties"][TYPE]["const"]
                .as_str()
                .unwrap_or_default();
            let known = NAMES.iter().find(|(kind, _)| *kind == type_name);
            let entry_name = known.map_or(type_name, |(_, name)| *name);
            if index == 0 {
                self.heading(self.description(schema));
                self.text.push_str("#\n");
                self.comment(self.description(kind));
            } else {
                self.heading(self.description(kind));
            }
            let off = if index == 0 { "" } else { "#" };
            let _ = writeln!(self.text, "{off}[{name}.{entry_name}]");
            let _ = writeln!(self.text, "{off}{TYPE} = \"{type_name}\"");
            self.keys(kind, type_name, index == 0);
        }
    }

    fn heading(&mut self, text: Option<&str>) {
        self.text.push_str("\n\n");
        self.comment(text);
    }

    fn keys(&mut self, schema: &'s Value, kind: &str, active: bool) {
        let examples = examples(kind);
        let required: Vec<_> = self.resolve(schema)["required"]
            .as_array()
            .map(|required| required.iter().filter_map(Value::as_str).collect())
            .unwrap_or_default();
        for (key, property) in self.properties(schema) {
            if key != TYPE {
                let required = required.contains(&key);
                self.key(key, property, &examples[key], Look { required, active });
            }
        }
    }

    /// A key with its description; commented out unless it is required.
    fn key(&mut self, key: &str, property: &'s Value, example: &Value, look: Look) {
        self.text.push('\n');
        self.comment(self.description(property));
        let choices = self.choices(property);
        if !choices.is_empty() {
            self.comment(Some(&format!("One of {}.", choices.join(", "))));
        }
        let off = if look.required && look.active {
            ""
        } else {
            "#"
        };
        let value = self.value(property, example);
        let _ = writeln!(self.text, "{off}{key} = {}", toml(&value));
    }

    /// The default, or an example.
    fn value(&self, property: &'s Value, example: &Value) -> Value {
        let resolved = self.resolve(property);
        let candidates = [
            &property["default"],
            example,
            &property["examples"][0],
            &resolved["default"],
            &resolved["examples"][0],
        ];
        let given = candidates.into_iter().find(|value| !value.is_null());
        given.cloned().unwrap_or(Value::Null)
    }

    fn choices(&self, property: &'s Value) -> Vec<String> {
        let resolved = self.resolve(property);
        let listed = resolved["enum"].as_array().into_iter().flatten();
        let described = resolved["oneOf"].as_array().into_iter().flatten();
        let described = described.flat_map(|choice| {
            let listed = choice["enum"].as_array().into_iter().flatten();
            Some(&choice["const"])
                .filter(|value| !value.is_null())
                .into_iter()
                .chain(listed)
        });
        listed
            .chain(described)
            .filter(|value| value.is_string())
            .map(toml)
            .collect()
    }

    /// Lines of at most 100 characters.
    fn comment(&mut self, text: Option<&str>) {
        for paragraph in text.unwrap_or_default().split("\n\n") {
            let mut line = String::from("#");
            for word in paragraph.split_whitespace() {
                if line.chars().count() + 1 + word.chars().count() > 100 {
                    let _ = writeln!(self.text, "{line}");
                    line = String::from("#");
                }
                line.push(' ');
                line.push_str(word);
            }
            if line.len() > 1 {
                let _ = writeln!(self.text, "{line}");
            }
        }
    }
}

/// Whether there may be nothing in its place.
fn is_optional(schema: &Value) -> bool {
    let any = schema["anyOf"].as_array();
    any.is_some_and(|any| any.iter().any(|kind| kind["type"].as_str() == Some("null")))
}

fn is_table(schema: &Value) -> bool {
    schema["type"].as_str() == Some("object")
}

/// A JSON value as TOML.
fn toml(value: &Value) -> String {
    match value {
        Value::String(text) => toml::Value::String(text.clone()).to_string(),
        Value::Array(items) => {
            let items: Vec<_> = items.iter().map(toml).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(table) => inline(table),
        Value::Null => String::new(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}

fn inline(table: &Map<String, Value>) -> String {
    let entries: Vec<_> = table
        .iter()
        .map(|(key, value)| {
            let bare = key
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
            let key = if bare {
                key.clone()
            } else {
                format!("{key:?}")
            };
            format!("{key} = {}", toml(value))
        })
        .collect();
    if entries.is_empty() {
        "{}".to_owned()
    } else {
        format!("{{ {} }}", entries.join(", "))
    }
}
