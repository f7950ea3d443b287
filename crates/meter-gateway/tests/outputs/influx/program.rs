//! Servers of time series as processes of their own.

use std::fs::File;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use fixtures::{Process, free_port, listens};
use meter_gateway::output;
use meter_gateway::output::influx::Config;
use meter_sim::backend::{self, Backend};
use rustix::process::Signal;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::stage::Result;
use crate::suite::Wrong;

/// A server that keeps its files over restarts; it ends with the test.
pub struct Server {
    pub process: Process,
    pub port: u16,
    pub directory: TempDir,
    /// Whether it speaks TLS, as `localhost`.
    pub tls: bool,
}

impl Server {
    pub fn new() -> Result<Self> {
        let server = Self {
            process: Process::default(),
            port: free_port()?,
            directory: TempDir::new()?,
            tls: false,
        };
        let authority = Backend::start(backend::Config::default())?;
        let stranger = Backend::start(backend::Config::default())?;
        let identity = authority.server_identity(&["localhost"])?;
        for (name, text) in [
            ("ca.pem", authority.ca_pem()),
            ("other-ca.pem", stranger.ca_pem()),
            ("server.pem", identity.certificate_pem),
            ("server.key", identity.key_pem),
        ] {
            std::fs::write(server.file(name), text)?;
        }
        Ok(server)
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Starts it, and returns when it takes connections.
    pub async fn start(&mut self, command: &mut Command) -> Result {
        let log = File::create(self.file("log"))?;
        let command = command
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        self.process = Process::start(command)?;
        Ok(listens(self.port).await?)
    }

    /// With the way to it, and what makes it trusted.
    pub fn reached(&self, mut config: Config, port: u16) -> Config {
        let scheme = if self.tls { "https" } else { "http" };
        config.url = format!("{scheme}://localhost:{port}");
        config.remote.allow_insecure = !self.tls;
        config.remote.ca_file = self.tls.then(|| self.file("ca.pem"));
        config
    }

    /// Asks it without TLS, and returns the body of its answer.
    pub async fn ask(&self, method: &str, target: &str, body: &str) -> Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await?;
        let request = format!(
            "{method} {target} HTTP/1.0\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        let (head, body) = answer.split_once("\r\n\r\n").ok_or("no HTTP")?;
        let status = head.split(' ').nth(1).unwrap_or_default();
        if !status.starts_with('2') {
            return Err(format!("{method} {target}: {answer}").into());
        }
        Ok(body.to_owned())
    }
}

/// A server that is started again where it is to speak TLS, or no longer.
pub trait Program {
    fn server(&mut self) -> &mut Server;

    async fn run(&mut self) -> Result;

    async fn speak_tls(&mut self, tls: bool) -> Result {
        if self.server().tls != tls {
            self.server().process.end(Signal::TERM)?;
            self.server().tls = tls;
            self.run().await?;
        }
        Ok(())
    }

    /// Settings with which it is not to be trusted, made of the right ones for this port.
    async fn mistrusted(&mut self, config: Config, port: u16) -> Result<Vec<Wrong>> {
        self.speak_tls(true).await?;
        let server = self.server();
        let right = server.reached(config, port);
        let mut other_name = right.clone();
        other_name.url = format!("https://127.0.0.1:{port}");
        let mut other_ca = right;
        other_ca.remote.ca_file = Some(server.file("other-ca.pem"));
        Ok(vec![
            (
                output::Config::Influx(other_name),
                &["is for localhost, not for 127.0.0.1"],
            ),
            (
                output::Config::Influx(other_ca),
                &["cannot trust localhost", "ca_file"],
            ),
        ])
    }
}
