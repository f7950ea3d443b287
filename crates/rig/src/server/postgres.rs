//! `PostgreSQL`, which is on the disk when a transaction is.

use std::fs;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use fixtures::PostgresPrograms;
use rustix::process::Signal;

use super::{IMPATIENT, Listening, Server};
use crate::process::until;
use crate::rows::{Held, Place, Registers, register};
use crate::{Head, Result};

/// What the journal calls the same, in the same words.
const ROWS: &str = "SELECT meter, to_char(time AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"'), \
                    obis, coalesce(unit, ''), coalesce(value::text, text, '') FROM meterline.registers";

/// A database that is reached by its socket.
#[derive(Debug)]
pub struct Postgres {
    server: Listening,
    folder: PathBuf,
    programs: PostgresPrograms,
}

impl Postgres {
    pub fn start(folder: &Path) -> Result<Self> {
        let programs = PostgresPrograms::find().ok_or("PostgreSQL is not installed")?;
        let folder = folder.join("postgres");
        fs::create_dir(&folder)?;
        let (user, group) = programs.user;
        chown(&folder, Some(user), Some(group))?;
        let mut postgres = Self {
            server: Listening::new(folder.join("log"))?,
            folder,
            programs,
        };
        let made = postgres
            .programs
            .command("initdb")
            .args(["--username=postgres", "--auth=trust", "--no-sync"])
            .args(["--encoding=UTF8", "-D"])
            .arg(postgres.folder.join("data"))
            .stdout(Stdio::null())
            .status()?;
        if !made.success() {
            return Err("initdb fails".into());
        }
        postgres.back()?;
        postgres.sql("postgres", "CREATE DATABASE meters")?;
        Ok(postgres)
    }

    /// Rows, with a tabulator between columns.
    fn sql(&self, database: &str, sql: &str) -> Result<String> {
        let output = self
            .programs
            .command("psql")
            .args(["-X", "-q", "-A", "-t", "-F", "\t", "-U", "postgres", "-h"])
            .arg(&self.folder)
            .args([
                "-p",
                &self.server.port.to_string(),
                "-d",
                database,
                "-c",
                sql,
            ])
            .output()?;
        if !output.status.success() {
            return Err(String::from_utf8(output.stderr)?.into());
        }
        Ok(String::from_utf8(output.stdout)?)
    }

    fn run(&mut self) -> Result {
        let mut command = self.programs.command("postgres");
        command.arg("-D").arg(self.folder.join("data"));
        for (key, value) in [
            ("listen_addresses", "127.0.0.1".to_owned()),
            ("port", self.server.port.to_string()),
            ("unix_socket_directories", self.folder.display().to_string()),
        ] {
            command.arg("-c").arg(format!("{key}={value}"));
        }
        self.server.process.start(&mut command, &self.server.log)
    }
}

impl Server for Postgres {
    fn outputs(&self, _: &[Head]) -> String {
        let folder = self.folder.display().to_string().replace('/', "%2F");
        format!(
            "[output.postgres]\ntype = \"postgres\"\nurl = \"postgres://{folder}:{}/meters\"\n\
             username = \"postgres\"\n{IMPATIENT}",
            self.server.port
        )
    }

    /// SIGINT is its way to be asked to end without waiting for those who are connected.
    fn away(&mut self, how: Signal) {
        let how = if how == Signal::TERM {
            Signal::INT
        } else {
            how
        };
        self.server.process.end(how);
    }

    fn back(&mut self) -> Result {
        self.run()?;
        until("answered by PostgreSQL", || {
            // After a kill it refuses to start while processes of its last life are there.
            if self.server.process.has_ended() {
                self.run()?;
            }
            Ok(self.sql("postgres", "SELECT 1").is_ok())
        })
    }

    fn held(&self) -> Result<Vec<(&'static str, Registers, Held)>> {
        let mut held = Held::default();
        for row in self.sql("meters", ROWS)?.lines() {
            let columns: Vec<_> = row.split('\t').collect();
            let [meter, time, obis, unit, value] = columns[..] else {
                return Err(format!("no row: {row}").into());
            };
            let place = Place::new(meter, time, &register(obis, Some(unit)));
            held.add(place, value.to_owned(), true);
        }
        Ok(vec![("postgres", Registers::All, held)])
    }

    fn stores_by_key(&self) -> bool {
        true
    }
}
