//! nginx with its own TLS in front of the simulated backend: a real server's
//! way of limiting rates and sizes, of closing connections, and of saying that
//! what is behind it is away.

use std::fmt::Write as _;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use meter_gateway::config::Secret;
use meter_gateway::output::State;
use meter_sim::backend;
use tempfile::TempDir;

use super::setup::{Result, Setup, TOKEN, assert_says, numbers};

/// A running nginx; it ends with the test.
struct Nginx {
    child: Child,
    port: u16,
    _directory: TempDir,
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Nginx {
    /// `None` where there is no nginx, which is a failure in CI.
    async fn start(setup: &Setup, limits: &str) -> Result<Option<Self>> {
        let Some(nginx) = program() else {
            recordings::missing("nginx is not installed (Debian package nginx-light)");
            return Ok(None);
        };
        let directory = TempDir::new()?;
        let identity = setup.backend.server_identity(&["localhost"])?;
        let file = |name: &str| directory.path().join(name);
        std::fs::write(file("server.pem"), identity.certificate_pem)?;
        std::fs::write(file("server.key"), identity.key_pem)?;
        // A port that was free a moment ago.
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let here = directory.path().display();
        let mut config = format!(
            "pid {here}/pid; error_log {here}/error; master_process off; events {{}} http {{"
        );
        for kind in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"] {
            write!(config, "{kind}_temp_path {here}/{kind};")?;
        }
        write!(
            config,
            "access_log off; gzip on; gzip_min_length 1; limit_req_status 429;
             limit_req_zone $binary_remote_addr zone=rate:1m rate=50r/s;
             server {{
                 listen 127.0.0.1:{port} ssl;
                 ssl_certificate {here}/server.pem; ssl_certificate_key {here}/server.key;
                 {limits}
                 location / {{ proxy_pass {}; }}
             }} }}",
            setup.backend.url("")
        )?;
        std::fs::write(file("conf"), config)?;
        let child = Command::new(nginx)
            .args(["-g", "daemon off;", "-e", "stderr", "-c"])
            .arg(file("conf"))
            .spawn()?;
        let nginx = Self {
            child,
            port,
            _directory: directory,
        };
        for _ in 0..500 {
            if tokio::net::TcpStream::connect(("127.0.0.1", port))
                .await
                .is_ok()
            {
                return Ok(Some(nginx));
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Err("nginx does not listen".into())
    }
}

/// Where nginx is: Debian keeps it where only administrators look.
fn program() -> Option<&'static str> {
    let answers = |name: &&str| {
        let version = Command::new(name).arg("-v").stderr(Stdio::null()).status();
        version.is_ok()
    };
    ["nginx", "/usr/sbin/nginx"].into_iter().find(answers)
}

async fn setup(limits: &str) -> Result<Option<(Setup, Nginx)>> {
    let plain = backend::Config {
        tls: false,
        ..backend::Config::default()
    };
    let mut setup = Setup::with(plain).await?;
    let Some(nginx) = Nginx::start(&setup, limits).await? else {
        return Ok(None);
    };
    let url = format!(
        "https://localhost:{}/api/v1/{{token}}/telemetry",
        nginx.port
    );
    setup.config.url = Secret::literal(url);
    Ok(Some((setup, nginx)))
}

#[tokio::test]
async fn small_bodies_and_connections_that_end() -> Result {
    let limits = "client_max_body_size 2k; keepalive_requests 3;";
    let Some((mut setup, _nginx)) = setup(limits).await? else {
        return Ok(());
    };
    setup.config.batch_size = 100.try_into()?;
    setup.append_all(0..300).await?;
    setup.deliver_all().await?;
    assert_eq!(setup.arrived(), numbers(0..300));
    assert_eq!(
        setup.backend.received()[0].path,
        format!("/api/v1/{TOKEN}/telemetry")
    );
    assert_eq!(setup.warnings(), [""; 0]);
    Ok(())
}

#[tokio::test]
async fn a_rate_limit() -> Result {
    let Some((mut setup, _nginx)) = setup("limit_req zone=rate;").await? else {
        return Ok(());
    };
    setup.config.batch_size = 1.try_into()?;
    setup.append_all(0..50).await?;
    let status = setup.deliver_all().await?;
    assert_eq!(setup.arrived(), numbers(0..50));
    assert_says(
        &status.last_error.unwrap_or_default(),
        &["429 Too Many Requests"],
    );
    assert_eq!(setup.rejected_indices().await?, [0; 0]);
    Ok(())
}

#[tokio::test]
async fn what_is_behind_it_is_away() -> Result {
    let Some((setup, _nginx)) = setup("").await? else {
        return Ok(());
    };
    setup.backend.outage(true).await;
    setup.append_all(0..100).await?;
    let running = setup.start().await?;
    let retrying = |status: &meter_gateway::output::Status| status.state == State::Retrying;
    let status = running.until("retrying", retrying).await?;
    assert_says(&status.last_error.unwrap_or_default(), &["502 Bad Gateway"]);
    setup.backend.outage(false).await;
    running.until_delivered().await?;
    running.stop().await?;
    assert_eq!(setup.arrived(), numbers(0..100));
    Ok(())
}
