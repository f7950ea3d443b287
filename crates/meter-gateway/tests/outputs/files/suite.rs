//! The suite with files, whose server is a directory on a disk of its own.

use std::fs;
use std::path::PathBuf;

use fixtures::Disk;
use meter_gateway::output::{self, State};
use serde_json::Value as Json;

use super::setup::{CSV, JSONL, Result, config, files, rows};
use crate::suite::{Row, Scenario, Server, Wrong, of_json, row, suite};

suite!(csv: Files<false>);
suite!(jsonl: Files<true>);

struct Files<const LINES_OF_JSON: bool>(Disk);

impl<const LINES_OF_JSON: bool> Files<LINES_OF_JSON> {
    fn directory(&self) -> PathBuf {
        self.0.path().join("files")
    }
}

const NO_NETWORK: &str = "there is no network; a full disk is tried in files::trouble";

impl<const LINES_OF_JSON: bool> Server for Files<LINES_OF_JSON> {
    const CANNOT: &'static [(Scenario, &'static str)] = &[
        (
            Scenario::Killed,
            "a directory does not die; files::kill kills the program",
        ),
        (Scenario::Refused, "a file takes every line"),
        (Scenario::Mistrusted, "a directory has no certificate"),
        (Scenario::Slow, NO_NETWORK),
        (Scenario::Silent, NO_NETWORK),
        (Scenario::Drops, NO_NETWORK),
    ];
    /// Whether a directory ever comes back, nobody knows.
    const AWAY: State = State::Misconfigured;
    const SECRET: &'static str = "it has none";

    async fn start() -> Result<Option<Self>> {
        let Some(disk) = Disk::mount("size=4m") else {
            return Ok(None);
        };
        let files = Self(disk);
        fs::create_dir(files.directory())?;
        Ok(Some(files))
    }

    fn port(&self) -> Option<u16> {
        None
    }

    fn output(&self, _: u16) -> output::Config {
        let kind = if LINES_OF_JSON { JSONL } else { CSV };
        kind(config(&self.directory()))
    }

    async fn rows(&mut self) -> Result<Vec<Row>> {
        if !LINES_OF_JSON {
            let found = rows(&self.directory())?;
            let of_line = |line: &Vec<String>| row(&line[1], &line[0], &line[2], &line[4]);
            return Ok(found.iter().map(of_line).collect());
        }
        let mut found = Vec::new();
        for text in files(&self.directory())?.values() {
            for line in text.lines() {
                found.extend(of_json(&serde_json::from_str::<Json>(line)?));
            }
        }
        Ok(found)
    }

    async fn kill(&mut self) -> Result {
        Ok(fs::rename(self.directory(), self.0.path().join("away"))?)
    }

    async fn again(&mut self) -> Result {
        Ok(fs::rename(self.0.path().join("away"), self.directory())?)
    }

    async fn forbid(&mut self, port: u16) -> Result<Wrong> {
        self.0.remount("ro")?;
        let words = &["is read-only", "`ReadWritePaths="];
        Ok((self.output(port), words))
    }

    async fn allow(&mut self) -> Result {
        Ok(self.0.remount("rw")?)
    }
}
