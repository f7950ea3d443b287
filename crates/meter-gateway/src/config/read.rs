//! From text to a typed configuration, with everything that is wrong told at once.

use std::fmt;
use std::ops::Range;

use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::fault::{Fault, Kind};
use super::value::Value;

/// Everything that is wrong with one file, in the order of its lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Faults {
    rendered: Vec<String>,
}

impl Faults {
    pub(super) fn new(file: &str, text: &str, mut faults: Vec<Fault>) -> Self {
        faults.sort_by_key(|fault| fault.span.as_ref().map_or(0, |span| span.start));
        Self {
            rendered: faults
                .iter()
                .map(|fault| fault.render(file, text))
                .collect(),
        }
    }

    /// How many things are wrong.
    #[must_use]
    pub fn count(&self) -> usize {
        self.rendered.len()
    }

    /// The first line of the first fault: `file:line:column: what is wrong`.
    #[must_use]
    pub fn summary(&self) -> &str {
        self.rendered
            .first()
            .and_then(|fault| fault.lines().next())
            .unwrap_or_default()
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.rendered.join("\n\n"))
    }
}

impl std::error::Error for Faults {}

/// More than this many faults in one file help nobody.
const MOST: usize = 20;

/// Reads `text`, which came from `file`, into a `T`. `check` finds what fits its type and is wrong all
/// the same; it is told beside what does not fit.
pub(super) fn read<T: DeserializeOwned>(
    file: &str,
    text: &str,
    check: impl FnOnce(&T) -> Vec<Fault>,
) -> Result<T, Faults> {
    let (document, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        let faults = errors.iter().map(Fault::syntax).collect();
        return Err(Faults::new(file, text, faults));
    }
    let span = document.span();
    let (read, mut faults) = judge(document.into_inner(), span);
    let mut more = read.as_ref().map(check).unwrap_or_default();
    more.retain(|fault| !faults.iter().any(|other| other.casts_doubt_on(fault)));
    faults.append(&mut more);
    match read {
        Some(read) if faults.is_empty() => Ok(read),
        _ => Err(Faults::new(file, text, faults)),
    }
}

/// Reads the table that `text` was parsed into.
pub(super) fn read_table<T: DeserializeOwned>(
    file: &str,
    text: &str,
    table: DeTable<'_>,
    span: Range<usize>,
) -> Result<T, Faults> {
    match judge(table, span) {
        (Some(read), faults) if faults.is_empty() => Ok(read),
        (_, faults) => Err(Faults::new(file, text, faults)),
    }
}

/// What could be read of a table, and what does not fit in it.
///
/// The first thing that serde refuses ends its work, so what it refused is taken out and the rest
/// is read again, until nothing more is found.
fn judge<T: DeserializeOwned>(
    mut table: DeTable<'_>,
    span: Range<usize>,
) -> (Option<T>, Vec<Fault>) {
    let mut faults: Vec<Fault> = Vec::new();
    let mut removed: Vec<Vec<String>> = Vec::new();
    loop {
        let fault = match T::deserialize(Value::table(table.clone(), span.clone())) {
            Ok(read) => return (Some(read), faults),
            Err(fault) => fault,
        };
        let entry: Vec<String> = fault.entry().into_iter().map(str::to_owned).collect();
        let echo = match &*fault.kind {
            Kind::Missing { key, .. } => {
                let mut missing = entry.clone();
                missing.push((*key).to_owned());
                removed.contains(&missing)
            }
            _ => false,
        };
        if !echo {
            faults.push(fault);
        }
        if faults.len() >= MOST || !remove(&mut table, &entry) {
            return (None, faults);
        }
        removed.push(entry);
    }
}

/// Keys that stand right below `[input]` or another one of `tables`, whose entries have names.
///
/// Serde would say of each what it expected instead of an entry, and nobody would know what to do.
pub(super) fn unnamed(text: &str, tables: &[&str]) -> Vec<Fault> {
    let (document, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        return Vec::new();
    }
    let document = document.into_inner();
    let misplaced = |table: &&str| {
        let (key, value) = document.get_key_value(*table)?;
        let span = match value.get_ref() {
            DeValue::Table(entries) => entries
                .iter()
                .filter(|(_, entry)| !matches!(entry.get_ref(), DeValue::Table(_)))
                .map(|(key, _)| key.span())
                .min_by_key(|span| span.start)?,
            _ => key.span(),
        };
        let message = format!(
            "each {table} has a name: write for example [{table}.house], and its keys below that"
        );
        Some(Fault::refused(&[table], Some(span), message))
    };
    tables.iter().filter_map(misplaced).collect()
}

/// Takes out what stands at `path`; false when nothing does.
fn remove(table: &mut DeTable<'_>, path: &[String]) -> bool {
    let Some((last, above)) = path.split_last() else {
        return false;
    };
    let mut at = table;
    for key in above {
        match at.get_mut(key.as_str()).map(Spanned::get_mut) {
            Some(DeValue::Table(inner)) => at = inner,
            _ => return false,
        }
    }
    at.remove(last.as_str()).is_some()
}

/// Where the value at `path` stands in `text`, or the nearest table above it.
pub(super) fn place(text: &str, path: &[&str]) -> Option<Range<usize>> {
    let (document, _) = DeTable::parse_recoverable(text);
    let document = document.into_inner();
    let mut table = &document;
    let mut found = None;
    for key in path {
        let Some(value) = table.get(*key) else { break };
        found = Some(value.span());
        match value.get_ref() {
            DeValue::Table(inner) => table = inner,
            _ => break,
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::*;
    use crate::config::{Duration, Secret};

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct File {
        #[serde(default)]
        input: BTreeMap<String, Input>,
        #[serde(default)]
        listen: Option<u16>,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(rename_all = "lowercase")]
    enum Input {
        Serial(Serial),
        Tcp(Tcp),
        Off,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Serial {
        port: String,
        #[serde(default)]
        speed: Option<u32>,
        #[serde(default)]
        parity: Option<Parity>,
        #[serde(default)]
        silence: Option<Duration>,
        #[serde(default)]
        password: Option<Secret>,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Tcp {
        address: String,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Outer {
        name: String,
        #[serde(rename = "*")]
        middle: Middle,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Middle {
        #[serde(default)]
        size: u8,
        #[serde(rename = "*")]
        inner: Inner,
    }

    #[derive(Debug, Default, Deserialize, PartialEq)]
    #[serde(default, deny_unknown_fields)]
    struct Inner {
        pace: u8,
        table: BTreeMap<String, Parity>,
    }

    #[test]
    fn a_field_takes_the_keys_that_the_struct_does_not_have() {
        let read_outer = |text| {
            read::<Outer>("m.toml", text, |_| Vec::new()).map_err(|faults| faults.to_string())
        };
        let outer = read_outer("pace = 2\nname = \"a\"\nsize = 1").unwrap();
        assert_eq!((outer.middle.size, outer.middle.inner.pace), (1, 2));
        let fault = |text, message: &str| {
            let faults = read_outer(text).unwrap_err();
            let first = faults.lines().next().unwrap_or_default().to_owned();
            assert_eq!(first, message);
        };
        fault(
            "name = \"a\"\nnmae = 1",
            "m.toml:2:1: unknown key `nmae`: did you mean `name`?",
        );
        fault(
            "name = \"a\"\n\"*\" = 1",
            "m.toml:2:1: unknown key `*`: allowed here are `name`, `size`, `pace`, `table`",
        );
        fault(
            "name = \"a\"\npace = 256",
            "m.toml:2:8: this number does not fit: a whole number from 0 to 255 belongs here",
        );
        fault(
            "name = \"a\"\ntable.x = \"evn\"",
            "m.toml:2:11: `evn` is not allowed here: did you mean `even`?",
        );
        fault("pace = 1", "m.toml:1:1: the key `name` is missing");
    }

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(rename_all = "lowercase")]
    enum Parity {
        None,
        Even,
        Odd,
    }

    fn faults(text: &str) -> String {
        read::<File>("m.toml", text, |_| Vec::new())
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn reads_tagged_tables() {
        let file: File = read(
            "m.toml",
            "listen = 80\n[input.a]\ntype = \"serial\"\nport = \"auto\"\nspeed = 9600\n\
             [input.b]\ntype = \"off\"\n[input.c]\ntcp = { address = \"h:1\" }\n",
            |_| Vec::new(),
        )
        .unwrap();
        assert_eq!(file.listen, Some(80));
        assert_eq!(file.input["b"], Input::Off);
        assert_eq!(
            file.input["c"],
            Input::Tcp(Tcp {
                address: "h:1".to_owned()
            })
        );
        assert!(matches!(&file.input["a"], Input::Serial(serial) if serial.speed == Some(9600)));
    }

    #[test]
    fn points_at_an_unknown_key_inside_a_tagged_table() {
        assert_eq!(
            faults("[input.house]\ntype = \"serial\"\nport = \"auto\"\n  sped = 9600 # slow\n"),
            "m.toml:4:3: unknown key `sped` in [input.house]: did you mean `speed`?\n  \
             |\n4 |   sped = …\n  |   ^^^^"
        );
    }

    #[test]
    fn lists_what_is_allowed_when_nothing_is_near() {
        assert_eq!(
            faults("[input.house]\ntype = \"tcp\"\naddress = \"a\"\nzebra = 1"),
            "m.toml:4:1: unknown key `zebra` in [input.house]: allowed here is `address`\n  \
             |\n4 | zebra = …\n  | ^^^^^"
        );
    }

    #[test]
    fn wrong_values_and_types() {
        assert_eq!(
            faults(
                "[input.a]\ntype = \"serial\"\nport = 3\nparity = \"evn\"\nsilence = \"10 sec\""
            ),
            "m.toml:3:8: a text in quotes belongs here, but this is a number\n  |\n3 | port = 3\n  |        ^\n\n\
             m.toml:4:10: `evn` is not allowed here: did you mean `even`?\n  |\n4 | parity = \"evn\"\n  |          ^^^^^\n\n\
             m.toml:5:11: `sec` is no unit of time (units: ms, s, m, h, d, w; for example \"1h30m\")\n  |\n5 | silence = \"10 sec\"\n  |           ^^^^^^^^"
        );
        assert_eq!(
            faults("listen = 70000"),
            "m.toml:1:10: this number does not fit: a whole number from 0 to 65535 belongs here\n  |\n1 | listen = 70000\n  |          ^^^^^"
        );
    }

    #[test]
    fn missing_keys_point_at_their_table_and_the_rest_is_still_judged() {
        assert_eq!(
            faults(
                "[input.a]\ntype = \"serial\"\n[input.b]\nport = 1\n[input.c]\ntype = \"tpc\"\naddress = 1\n"
            ),
            "m.toml:1:1: the key `port` is missing in [input.a]\n  |\n1 | [input.a]\n  | ^^^^^^^^^\n\n\
             m.toml:3:1: the key `type` is missing in [input.b] (one of `serial`, `tcp`, `off`)\n  |\n3 | [input.b]\n  | ^^^^^^^^^\n\n\
             m.toml:6:8: `tpc` is not allowed here: did you mean `tcp`?\n  |\n6 | type = \"tpc\"\n  |        ^^^^^"
        );
    }

    #[test]
    fn broken_toml() {
        let text = faults("[input.a\ntype = \"serial\"\n");
        assert!(text.starts_with("m.toml:1:9: "), "{text}");
    }

    #[test]
    fn no_secret_is_shown() {
        for text in [
            "[input.a]\ntype = \"serial\"\nport = \"x\"\npassword = 12345678",
            "[input.a]\ntype = \"serial\"\nport = \"x\"\npasswort = \"12345678\"",
            "[input.a]\ntype = \"serial\"\nport = \"x\"\npassword = \"12345678",
            "[input.a]\ntype = \"serial\"\nport = \"x\"\npassword = ['12345678']",
            "pw = '12345678'",
            "[input.a]\n\"12345678\"",
        ] {
            let shown = faults(text);
            assert!(!shown.contains("12345678"), "{shown}");
        }
    }

    #[test]
    fn columns_count_characters() {
        assert_eq!(
            faults("\n\"zähler\" = 1\r\n"),
            "m.toml:2:1: unknown key `zähler`: allowed here are `input`, `listen`\n  |\n2 | \"zähler\" = …\n  | ^^^^^^^^"
        );
    }
}
