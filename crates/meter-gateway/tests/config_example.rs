//! The example and the JSON Schema say what the program does.

use meter_gateway::config::{Config, example, schema};
use serde_json::Value;

/// A secret that can be read wherever this test runs: Cargo and nextest set this variable.
const SECRET: &str = "\"env:CARGO_PKG_NAME\"";

fn parse(text: &str) -> Result<Config, String> {
    Config::parse("example", text).map_err(|faults| faults.to_string())
}

/// `#key = value`, a setting that is switched off; prose begins with `# `.
fn setting(line: &str) -> Option<(&str, &str)> {
    let (key, value) = line.strip_prefix('#')?.split_once(" = ")?;
    let bare = |c: char| c.is_ascii_lowercase() || c == '_';
    (key.starts_with(bare) && key.chars().all(bare)).then_some((key, value))
}

/// The properties of a table with their schemas.
fn properties(table: &Value) -> impl Iterator<Item = (&String, &Value)> {
    table["properties"].as_object().into_iter().flatten()
}

fn kinds(schema: &Value, table: &str) -> Vec<Value> {
    let reference = schema["properties"][table]["additionalProperties"]["$ref"].as_str();
    let target = reference.and_then(|path| schema.pointer(path.strip_prefix('#')?));
    target
        .and_then(|target| target["oneOf"].as_array())
        .cloned()
        .unwrap_or_default()
}

/// Every table of the file that can hold settings.
fn tables(schema: &Value) -> Vec<Value> {
    let single = ["journal", "guard", "http"].map(|table| {
        let property = &schema["properties"][table];
        let optional = &property["anyOf"][0];
        let reference = property["$ref"].as_str().or(optional["$ref"].as_str());
        let target = reference.and_then(|path| schema.pointer(path.strip_prefix('#')?));
        target.cloned().unwrap_or_default()
    });
    let mut tables = single.to_vec();
    tables.extend(kinds(schema, "input"));
    tables.extend(kinds(schema, "output"));
    tables
}

#[test]
fn the_example_is_valid_as_it_stands() {
    let config = parse(&example()).unwrap_or_else(|faults| panic!("{faults}"));
    assert_eq!(config.input.keys().collect::<Vec<_>>(), ["house"]);
    assert_eq!(config.output.keys().collect::<Vec<_>>(), ["backend"]);
}

#[test]
fn the_packaged_example_is_this_one() -> Result<(), Box<dyn std::error::Error>> {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../packaging/meterline.toml"
    );
    if std::env::var_os("METERLINE_BLESS").is_some() {
        std::fs::write(path, example())?;
    }
    assert_eq!(
        std::fs::read_to_string(path)?,
        example(),
        "run this test with METERLINE_BLESS=1 to write it again"
    );
    Ok(())
}

#[test]
fn every_key_of_the_schema_occurs_with_a_value() {
    let text = example();
    let schema = schema();
    let mut keys: Vec<_> = tables(&schema)
        .iter()
        .flat_map(|table| {
            properties(table)
                .map(|(key, _)| key.clone())
                .collect::<Vec<_>>()
        })
        .collect();
    keys.push("state_dir".to_owned());
    assert!(keys.len() > 40, "{keys:?}");
    for key in keys {
        let has_value = text.lines().any(|line| {
            let written = line.strip_prefix('#').unwrap_or(line);
            written
                .strip_prefix(&key)
                .and_then(|rest| rest.strip_prefix(" = "))
                .is_some_and(|value| !value.is_empty())
        });
        assert!(has_value, "{key} is not in the example");
    }
}

#[test]
fn what_is_shown_as_a_default_is_the_default() {
    let text = example();
    let base = parse(&text).unwrap_or_else(|faults| panic!("{faults}"));
    let schema = schema();
    let tables = tables(&schema);
    let with_default = |key: &str| {
        tables
            .iter()
            .any(|table| !table["properties"][key]["default"].is_null())
    };
    let mut active = true;
    let mut seen = 0;
    for (number, line) in text.lines().enumerate() {
        if line.trim_start_matches('#').starts_with('[') {
            active = !line.starts_with('#');
        }
        let Some((key, value)) = setting(line).filter(|_| active) else {
            continue;
        };
        let value = if value.starts_with("\"file:") {
            SECRET
        } else {
            value
        };
        let lines = text.lines().enumerate().map(|(at, old)| {
            if at == number {
                format!("{key} = {value}\n")
            } else {
                format!("{old}\n")
            }
        });
        match parse(&lines.collect::<String>()) {
            Ok(config) if with_default(key) => assert_eq!(config, base, "{key}"),
            Ok(config) => assert_ne!(config, base, "{key}"),
            // Some need another key or a file beside them; none is unknown or of the wrong type.
            Err(faults) => {
                assert!(!with_default(key), "{faults}");
                for wrong in ["unknown key", "belongs here", "not allowed here"] {
                    assert!(!faults.contains(wrong), "{faults}");
                }
            }
        }
        seen += 1;
    }
    assert!(seen > 25, "{seen}");
}

#[test]
fn the_inputs_that_are_switched_off_are_right_too() {
    let text = example();
    let mut off = String::new();
    let mut wanted = false;
    for line in text.lines() {
        if line.trim_start_matches('#').starts_with('[') {
            wanted = line.starts_with("#[") && !line.starts_with("#[output.");
        }
        if wanted {
            let line = if line.starts_with("#[") || setting(line).is_some() {
                &line[1..]
            } else {
                line
            };
            let line = line
                .split_once("\"file:")
                .map_or(line.to_owned(), |(key, _)| format!("{key}{SECRET}"));
            off.push_str(&line);
            off.push('\n');
        }
    }
    let config = parse(&off).unwrap_or_else(|faults| panic!("{faults}"));
    assert_eq!(
        config.input.keys().collect::<Vec<_>>(),
        ["broker", "cellar", "pulse", "replay"]
    );
    let http = config.http.unwrap_or_default();
    assert_eq!(http.shelly, Some(meter_gateway::serve::Device::Pro3em));
    assert_eq!(http.shelly_udp.len(), 1);
}

/// Some keys of an output exclude each other, so each is tried beside those that it needs alone.
#[test]
fn the_outputs_that_are_switched_off_are_right_too() {
    let text = example();
    let mut seen = 0;
    for kind in kinds(&schema(), "output").iter().skip(1) {
        let name = kind["properties"]["type"]["const"].as_str().unwrap();
        let required = kind["required"].as_array().unwrap();
        let lines: Vec<&str> = text
            .lines()
            // An input may be of the same type.
            .skip_while(|line| !line.contains("[output."))
            .skip_while(|line| *line != format!("#type = \"{name}\""))
            .take_while(|line| !line.trim_start_matches('#').starts_with('['))
            .collect();
        let settings = lines.iter().filter_map(|line| setting(line));
        let (needed, optional): (Vec<_>, Vec<_>) =
            settings.partition(|(key, _)| required.iter().any(|required| required == key));
        for further in optional {
            let keys = needed.iter().chain([&further]).map(|(key, value)| {
                let value = if value.starts_with("\"file:") {
                    SECRET
                } else {
                    value
                };
                format!("{key} = {value}\n")
            });
            let table = format!("[output.off]\n{}", keys.collect::<String>());
            if let Err(faults) = parse(&table) {
                for wrong in ["unknown key", "belongs here", "not allowed here"] {
                    assert!(!faults.contains(wrong), "{faults}");
                }
            }
            seen += 1;
        }
    }
    assert!(seen > 10, "{seen}");
}

#[test]
fn the_schema_tells_the_kinds_apart() {
    let schema = schema();
    let names = |table| {
        let kinds = kinds(&schema, table);
        let kinds = kinds.iter().map(|kind| {
            assert_eq!(kind["additionalProperties"], Value::Bool(false));
            let required = kind["required"].as_array().cloned().unwrap_or_default();
            assert!(required.iter().any(|key| key == "type"));
            kind["properties"]["type"]["const"]
                .as_str()
                .unwrap_or_default()
                .to_owned()
        });
        kinds.collect::<Vec<_>>()
    };
    assert_eq!(names("input"), ["serial", "tcp", "http", "mqtt", "file"]);
    assert_eq!(
        names("output"),
        [
            "rest",
            "mqtt",
            "influx",
            "volkszaehler",
            "csv",
            "jsonl",
            "postgres"
        ]
    );
}
