//! The two text formats.

use std::fmt::{Display, Write as _};

/// How the page is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// Prometheus' own, version 0.0.4.
    Text,
    /// `OpenMetrics` 1.0.0.
    OpenMetrics,
}

impl Format {
    /// What a request wants by its header `Accept`.
    pub(super) fn wanted(accept: &str) -> Self {
        let weight = |wanted: &str| {
            let ranges = accept.split(',').map(str::trim);
            let fitting = ranges.filter(|range| {
                let kind = range.split(';').next().unwrap_or_default().trim();
                kind.eq_ignore_ascii_case(wanted)
            });
            fitting.map(quality).fold(0, u16::max)
        };
        let open = weight("application/openmetrics-text");
        if open > 0 && open >= weight("text/plain") {
            Self::OpenMetrics
        } else {
            Self::Text
        }
    }

    pub(super) const fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// The weight of a media range in thousandths.
fn quality(range: &str) -> u16 {
    let given = range
        .split(';')
        .find_map(|part| part.trim().strip_prefix("q="));
    let Some(given) = given else { return 1000 };
    let (whole, decimals) = given.split_once('.').unwrap_or((given, ""));
    let thousandths: u16 = format!("{decimals:0<3.3}").parse().unwrap_or(0);
    if whole == "1" { 1000 } else { thousandths }
}

/// What kind of number a metric is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// It only rises, until the meter or the program begins anew.
    Counter,
    /// It goes up and down.
    Gauge,
}

/// Metrics that differ in their labels only.
#[derive(Debug, Clone, Copy)]
pub(super) struct Family {
    /// Without the `_total` of a counter.
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    /// The last part of the name, if that is a unit.
    pub(super) unit: Option<&'static str>,
    pub(super) help: &'static str,
}

/// Names and values of what tells the metrics of a family apart.
pub(super) type Labels<'a> = &'a [(&'static str, &'a dyn Display)];

/// The page, as far as it is written.
pub(super) struct Page {
    format: Format,
    text: String,
    /// The family that was begun.
    family: Option<Family>,
}

impl Page {
    pub(super) fn new(format: Format) -> Self {
        Self {
            format,
            text: String::new(),
            family: None,
        }
    }

    /// Begins a family. One that gets no sample leaves no trace.
    pub(super) fn begin(&mut self, family: Family) {
        self.family = Some(family);
    }

    /// A metric of the family that was begun.
    pub(super) fn sample(&mut self, labels: Labels<'_>, value: impl Display) {
        let Some(family) = self.family else { return };
        let suffix = match family.kind {
            Kind::Counter => "_total",
            Kind::Gauge => "",
        };
        self.head(&family, suffix);
        let _ = write!(self.text, "{}{suffix}", family.name);
        for (index, (name, label)) in labels.iter().enumerate() {
            let before = if index == 0 { '{' } else { ',' };
            let _ = write!(self.text, "{before}{name}=\"{}\"", escaped(label));
        }
        let end = if labels.is_empty() { "" } else { "}" };
        let _ = writeln!(self.text, "{end} {value}");
    }

    /// Writes what stands above a family, once.
    fn head(&mut self, family: &Family, suffix: &str) {
        let Family {
            name,
            kind,
            unit,
            help,
            ..
        } = family;
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
        };
        // A counter's family has the name of its metrics in one format, and the one without `_total` in the other.
        let suffix = match self.format {
            Format::Text => suffix,
            Format::OpenMetrics => "",
        };
        let head = format!("# TYPE {name}{suffix} {kind}\n");
        if self.text.contains(&head) {
            return;
        }
        self.text.push_str(&head);
        if let (Some(unit), Format::OpenMetrics) = (unit, self.format) {
            let _ = writeln!(self.text, "# UNIT {name} {unit}");
        }
        let _ = writeln!(self.text, "# HELP {name}{suffix} {help}");
    }

    pub(super) fn finish(mut self) -> String {
        if self.format == Format::OpenMetrics {
            self.text.push_str("# EOF\n");
        }
        self.text
    }
}

fn escaped(label: &dyn Display) -> String {
    let mut escaped = String::new();
    for letter in label.to_string().chars() {
        match letter {
            '\\' => escaped.push_str("\\\\"),
            '"' => escaped.push_str("\\\""),
            '\n' => escaped.push_str("\\n"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENERGY: Family = Family {
        name: "smartmeter_energy_import_joules",
        kind: Kind::Counter,
        unit: Some("joules"),
        help: "Energy.",
    };

    fn page(format: Format) -> String {
        let mut page = Page::new(format);
        page.begin(ENERGY);
        page.sample(&[("meter", &"a\"b\\\n"), ("tariff", &0)], 3600);
        page.sample(&[("meter", &"c"), ("tariff", &1)], 7200);
        page.begin(Family {
            name: "unused",
            ..ENERGY
        });
        page.begin(Family {
            name: "up",
            kind: Kind::Gauge,
            unit: None,
            help: "Up.",
        });
        page.sample(&[], 1);
        page.finish()
    }

    #[test]
    fn both_formats_are_written_to_the_letter() {
        assert_eq!(
            page(Format::Text),
            "# TYPE smartmeter_energy_import_joules_total counter\n\
             # HELP smartmeter_energy_import_joules_total Energy.\n\
             smartmeter_energy_import_joules_total{meter=\"a\\\"b\\\\\\n\",tariff=\"0\"} 3600\n\
             smartmeter_energy_import_joules_total{meter=\"c\",tariff=\"1\"} 7200\n\
             # TYPE up gauge\n# HELP up Up.\nup 1\n"
        );
        assert_eq!(
            page(Format::OpenMetrics),
            "# TYPE smartmeter_energy_import_joules counter\n\
             # UNIT smartmeter_energy_import_joules joules\n\
             # HELP smartmeter_energy_import_joules Energy.\n\
             smartmeter_energy_import_joules_total{meter=\"a\\\"b\\\\\\n\",tariff=\"0\"} 3600\n\
             smartmeter_energy_import_joules_total{meter=\"c\",tariff=\"1\"} 7200\n\
             # TYPE up gauge\n# HELP up Up.\nup 1\n# EOF\n"
        );
    }

    #[test]
    fn the_format_is_the_one_that_is_wanted_most() {
        let prometheus = "application/openmetrics-text;version=1.0.0;q=0.5,\
                          application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        for (accept, wanted) in [
            (prometheus, Format::OpenMetrics),
            ("application/openmetrics-text", Format::OpenMetrics),
            (
                "application/openmetrics-text;q=0.2,text/plain;q=0.9",
                Format::Text,
            ),
            ("application/openmetrics-text;q=0", Format::Text),
            ("text/html,*/*;q=0.8", Format::Text),
            ("", Format::Text),
        ] {
            assert_eq!(Format::wanted(accept), wanted, "{accept}");
        }
    }
}
