//! Where the demo sends: a working example for each output.

use std::env;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use meter_gateway::config::Config;
use meter_gateway::output;

use super::OUTPUT;
use super::witness::middleware::CHANNELS;
use crate::failure::Failure;

/// An output, and what stands at its other end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    /// A HTTPS server, which the demo brings along
    Rest,
    /// A file with a line for each register
    Csv,
    /// A file with a line for each reading
    Jsonl,
    /// A broker
    Mqtt,
    /// An `InfluxDB` 1 or `VictoriaMetrics`
    Influx,
    /// A `PostgreSQL`
    Postgres,
    /// A middleware of volkszaehler, which the demo brings along
    Volkszaehler,
}

impl Kind {
    /// Whether the demo has the server in its hands.
    pub fn is_brought_along(self) -> bool {
        matches!(self, Self::Rest | Self::Volkszaehler)
    }

    /// Whether somebody sees what arrives; else the server's word is taken for it.
    pub fn is_watched(self) -> bool {
        !matches!(self, Self::Influx | Self::Postgres)
    }

    /// What is said of a reading that has come there.
    pub fn arrived(self) -> &'static str {
        if self.is_watched() {
            "arrived"
        } else {
            "acknowledged"
        }
    }

    /// Where readings go, in words.
    pub fn there(self) -> &'static str {
        match self {
            Self::Rest => "HTTPS server",
            Self::Csv | Self::Jsonl => "files",
            Self::Mqtt => "MQTT broker",
            Self::Influx => "InfluxDB",
            Self::Postgres => "PostgreSQL",
            Self::Volkszaehler => "HTTPS, simulated middleware",
        }
    }

    /// Where it is usually found on the same machine.
    fn usual(self) -> &'static str {
        match self {
            Self::Mqtt => "mqtt://127.0.0.1:1883",
            Self::Influx => "http://127.0.0.1:8086",
            Self::Postgres => "postgres:///meterline_demo",
            Self::Rest | Self::Csv | Self::Jsonl | Self::Volkszaehler => "",
        }
    }

    /// How one comes to a server.
    fn fix(self) -> &'static str {
        match self {
            Self::Mqtt => {
                "start one here with `sudo apt install mosquitto`,\n\
                 or name yours with --to mqtt://HOST:1883, --username and --password"
            }
            Self::Influx => {
                "start one here with `sudo apt install influxdb influxdb-client`, make the database with\n\
                 `influx -execute 'CREATE DATABASE meterline_demo'`,\n\
                 or name yours with --to http://HOST:8086, --username and --password"
            }
            Self::Postgres => {
                "start one here with `sudo apt install postgresql`, make yourself a user and a database with\n\
                 `sudo -u postgres createuser $USER; sudo -u postgres createdb -O $USER meterline_demo`,\n\
                 or name yours with --to postgres://HOST/DATABASE, --username and --password"
            }
            Self::Csv | Self::Jsonl => {
                "name with --to a directory that is there and that you may write"
            }
            Self::Rest | Self::Volkszaehler => "",
        }
    }
}

/// Who logs in.
#[derive(Debug, Clone, Default)]
pub struct Login {
    /// The user's name.
    pub username: Option<String>,
    /// Where the password is, as a configuration says it.
    pub password: Option<String>,
}

/// The place that readings go to.
#[derive(Debug, Clone)]
pub struct Goal {
    /// Which output.
    pub kind: Kind,
    /// Its address, without any secret.
    pub address: String,
    /// The directory of files.
    pub directory: PathBuf,
    /// The output's table in the configuration.
    pub table: String,
}

impl Goal {
    /// The server of the demo itself, whose authority is in `ca_file`.
    pub fn brought_along(kind: Kind, address: String, ca_file: &Path) -> Self {
        let mut table = table(kind, "url", &address);
        let _ = writeln!(table, "ca_file = {:?}", ca_file.display().to_string());
        if kind == Kind::Rest {
            table.push_str("format = \"json\"\n");
        } else {
            let [(energy, first), (power, second)] = CHANNELS;
            let _ = writeln!(
                table,
                "channels = {{ {energy:?} = {first:?}, {power:?} = {second:?} }}"
            );
        }
        table.push_str("retry_first = \"500ms\"\nretry_max = \"2s\"\n");
        Self {
            kind,
            address,
            directory: PathBuf::new(),
            table,
        }
    }

    /// Files in the directory `to`, or in `scratch`, which goes with the demo.
    pub fn files(kind: Kind, to: Option<&str>, scratch: &Path) -> Result<Self, Failure> {
        let directory = if let Some(to) = to {
            std::path::absolute(to)
        } else {
            let directory = scratch.join("files");
            std::fs::create_dir(&directory).map(|()| directory)
        };
        let directory = directory.map_err(Failure::Scratch)?;
        let address = directory.display().to_string();
        let mut table = table(kind, "directory", &address);
        table.push_str("sync_interval = \"1s\"\n");
        Ok(Self {
            kind,
            address,
            directory,
            table,
        })
    }

    /// A server that somebody else runs.
    pub fn server(kind: Kind, to: Option<&str>, login: &Login) -> Self {
        let address = to.unwrap_or(kind.usual()).to_owned();
        let mut table = table(kind, "url", &address);
        if is_open(&address) {
            table.push_str("allow_insecure = true\n");
        }
        let username = match kind {
            // Who comes by a socket is who runs this.
            Kind::Postgres => login.username.clone().or_else(|| env::var("USER").ok()),
            _ => login.username.clone(),
        };
        if let Some(username) = username {
            let _ = writeln!(table, "username = {username:?}");
        }
        if let Some(password) = &login.password {
            let _ = writeln!(table, "password = {password:?}");
        }
        match kind {
            // Readings of no meter are not to be kept for those who subscribe later.
            Kind::Mqtt => table.push_str("topic = \"meterline-demo/{meter}\"\nretain = false\n"),
            Kind::Influx => table.push_str("version = \"v1\"\ndatabase = \"meterline_demo\"\n"),
            _ => {}
        }
        Self {
            kind,
            address,
            directory: PathBuf::new(),
            table,
        }
    }

    /// Whether what was given can be an address and a login at all.
    pub fn is_right(&self) -> Result<(), Failure> {
        let Err(faults) = Config::parse("", &self.table) else {
            return Ok(());
        };
        // Its place is in a file that nobody has written.
        let summary = faults.summary();
        let why = summary.split_once(": ").map_or(summary, |(_, why)| why);
        Err(Failure::NoGoal {
            why: why.to_owned(),
            fix: self.kind.fix(),
        })
    }

    /// Whether the other end is there and lets us in. One of the demo's own is.
    pub async fn is_ready(&self, config: &Config) -> Result<(), Failure> {
        let outputs = config.output.values();
        for output in outputs.filter(|_| !self.kind.is_brought_along()) {
            let ready = output::Config::probe(output).await;
            ready.map_err(|error| Failure::NoGoal {
                why: error.to_string(),
                fix: self.kind.fix(),
            })?;
        }
        Ok(())
    }
}

/// The first keys of a table.
fn table(kind: Kind, key: &str, address: &str) -> String {
    let name = format!("{kind:?}").to_lowercase();
    format!("[output.{OUTPUT}]\ntype = \"{name}\"\n{key} = {address:?}\n")
}

/// Whether an address is one without TLS: by what it begins with, or a database on this machine, where the
/// address does not say it.
fn is_open(address: &str) -> bool {
    let Some((scheme, rest)) = address.split_once("://") else {
        return false;
    };
    let authority = rest.split('/').next().unwrap_or_default();
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.parse::<u16>().is_ok() => host,
        _ => authority,
    };
    let host = host.trim_matches(['[', ']']);
    let here = host == "localhost" || host.parse().is_ok_and(|host: IpAddr| host.is_loopback());
    matches!(scheme, "mqtt" | "ws" | "http") || (scheme.starts_with("postgres") && here)
}

#[cfg(test)]
mod tests {
    use super::is_open;

    #[test]
    fn an_address_is_taken_at_its_word() {
        for (address, open) in [
            ("mqtt://192.168.1.5", true),
            ("mqtts://broker.example.org", false),
            ("http://127.0.0.1:8086", true),
            ("https://influx.example.org", false),
            ("postgres:///meters", false),
            ("postgres://localhost/meters", true),
            ("postgresql://127.0.0.1:5433/meters", true),
            ("postgres://[::1]/meters", true),
            ("postgres://db.example.org/meters", false),
            ("postgres://localhost.example.org:5432/meters", false),
        ] {
            assert_eq!(is_open(address), open, "{address}");
        }
    }
}
