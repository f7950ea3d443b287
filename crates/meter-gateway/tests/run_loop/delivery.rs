//! Meter, program and server together: every reading arrives.

use std::collections::BTreeSet;
use std::time::Duration;

use meter_gateway::output::Status;
use meter_sim::MeterConfig;
use meter_sim::backend::{Backend, Config};

use crate::bench::{Head, Program, Result, TODAY, TestClocks};

const PATIENCE: Duration = Duration::from_secs(20);

/// A server, and the table of an output that sends to it.
struct Server {
    backend: Backend,
    ca_file: std::path::PathBuf,
    _directory: tempfile::TempDir,
}

impl Server {
    fn new() -> Result<Self> {
        let backend = Backend::start(Config::default())?;
        let directory = tempfile::tempdir()?;
        let ca_file = directory.path().join("ca.pem");
        std::fs::write(&ca_file, backend.ca_pem())?;
        Ok(Self {
            backend,
            ca_file,
            _directory: directory,
        })
    }

    fn table(&self) -> String {
        format!(
            "[output.backend]\ntype = \"rest\"\nurl = {:?}\nca_file = \"{}\"\nretry_max = \"200ms\"\n",
            self.backend.url("/telemetry"),
            self.ca_file.display()
        )
    }

    /// The time stamps of everything that was accepted.
    fn times(&self) -> Vec<i64> {
        let readings = self.backend.accepted_readings();
        readings
            .iter()
            .filter_map(|reading| reading["ts"].as_i64())
            .collect()
    }

    async fn has(&self, readings: usize) -> Result {
        let all = self
            .backend
            .wait_until(PATIENCE, |_| self.times().len() >= readings)
            .await;
        if all {
            Ok(())
        } else {
            Err(format!("{} of {readings}", self.times().len()).into())
        }
    }

    /// Each reading once.
    fn assert_each_once(&self, readings: usize) {
        let times = self.times();
        let different: BTreeSet<_> = times.iter().collect();
        assert_eq!((times.len(), different.len()), (readings, readings));
    }
}

#[tokio::test]
async fn a_reload_in_the_middle_of_an_outage_loses_nothing() -> Result {
    let server = Server::new()?;
    let mut head = Head::new(&MeterConfig::default()).await?;
    let table = head.table("house")? + &server.table();
    let mut program = Program::start(&table)?;
    program.expect("refuses connections");
    head.send(3).await?;
    server.has(3).await?;

    server.backend.outage(true).await;
    head.send(5).await?;
    program.stored(8).await?;
    program
        .reload(&(table.clone() + "timeout = \"5s\"\n"))
        .await?;
    program
        .reload(&(table + "timeout = \"6s\"\nbatch_size = 2\n"))
        .await?;
    head.send(2).await?;
    program.stored(10).await?;
    let waiting = |view: &meter_gateway::run::Snapshot| {
        view.outputs
            .get("backend")
            .is_some_and(|output| output.backlog == 7)
    };
    program.until("seven wait", waiting).await?;
    server.backend.outage(false).await;
    server.has(10).await?;
    program.stop().await?;
    server.assert_each_once(10);
    assert_eq!(head.connections, 1);
    Ok(())
}

#[tokio::test]
async fn an_output_that_comes_later_begins_with_what_is_new() -> Result {
    let server = Server::new()?;
    let mut head = Head::new(&MeterConfig::default()).await?;
    let mut program = Program::start(&head.table("house")?)?;
    head.send(3).await?;
    program.stored(3).await?;
    program
        .reload(&(head.table("house")? + &server.table()))
        .await?;
    program
        .until("there", |view| view.outputs.contains_key("backend"))
        .await?;
    head.send(2).await?;
    server.has(2).await?;
    program.stop().await?;
    server.assert_each_once(2);
    Ok(())
}

#[tokio::test]
async fn what_was_not_delivered_is_delivered_by_the_next_run() -> Result {
    let server = Server::new()?;
    let mut head = Head::new(&MeterConfig::default()).await?;
    let table = head.table("house")? + &server.table();
    server.backend.outage(true).await;
    let mut program = Program::start(&table)?;
    program.expect("refuses connections");
    head.send(4).await?;
    program.stored(4).await?;
    let refused = |output: &Status| output.last_error.is_some();
    program
        .until("refused", |view| view.outputs.values().all(refused))
        .await?;
    let state = program.stop().await?;
    head.hang_up();

    server.backend.outage(false).await;
    let clocks = TestClocks::at(TODAY);
    let program = Program::start_at(&table, state, clocks)?;
    head.send(1).await?;
    server.has(5).await?;
    program.stop().await?;
    server.assert_each_once(5);
    Ok(())
}

#[tokio::test]
async fn a_renewed_certificate_file_is_read_with_the_next_reload() -> Result {
    let (server, other) = (Server::new()?, Server::new()?);
    std::fs::write(&server.ca_file, other.backend.ca_pem())?;
    let mut head = Head::new(&MeterConfig::default()).await?;
    let text = head.table("house")? + &server.table();
    let mut program = Program::start(&text)?;
    program.expect("put its new certificate into ca_file");
    head.send(1).await?;
    program
        .until("the wrong authority", |view| {
            let output = view.outputs.get("backend");
            output.is_some_and(|output| output.last_error.is_some())
        })
        .await?;
    std::fs::write(&server.ca_file, server.backend.ca_pem())?;
    program.reload(&text).await?;
    server.has(1).await?;
    program.stop().await?;
    Ok(())
}

#[tokio::test]
async fn an_output_that_cannot_start_is_tried_again() -> Result {
    let server = Server::new()?;
    let mut head = Head::new(&MeterConfig::default()).await?;
    let mut program = Program::start(&(head.table("house")? + &server.table()))?;
    program.expect("cannot start");
    // Nothing of it has run yet.
    std::fs::remove_file(&server.ca_file)?;
    head.send(1).await?;
    let view = program
        .until("no certificate", |view| {
            let output = view.outputs.get("backend");
            output.is_some_and(|output| output.last_error.is_some())
        })
        .await?;
    assert_eq!(
        view.outputs["backend"].state,
        meter_gateway::output::State::Misconfigured
    );
    std::fs::write(&server.ca_file, server.backend.ca_pem())?;
    server.has(1).await?;
    program.stop().await?;
    Ok(())
}
