//! A `PostgreSQL` in a temporary directory, with TLS.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use fixtures::{PostgresPrograms, Process, free_port};
use meter_sim::backend::{self, Backend};
use tempfile::TempDir;

use crate::stage::{LIMIT, Result};

/// The password of the user `meterline`.
pub const PASSWORD: &str = "S3cr3t-0f-T3sts";

/// A running server; it ends with the test.
pub struct Server {
    process: Process,
    programs: PostgresPrograms,
    pub port: u16,
    pub directory: TempDir,
}

impl Server {
    /// `None` where there is no `PostgreSQL`, which is a failure in CI.
    pub fn start() -> Result<Option<Self>> {
        let Some(programs) = PostgresPrograms::find() else {
            recordings::missing("PostgreSQL is not installed (Debian package postgresql)");
            return Ok(None);
        };
        let directory = TempDir::new()?;
        let (user, group) = programs.user;
        chown(directory.path(), Some(user), Some(group))?;
        let port = free_port()?;
        let mut server = Self {
            process: Process::default(),
            programs,
            port,
            directory,
        };
        let made = server
            .programs
            .command("initdb")
            .args(["--username=postgres", "--auth-local=trust", "--no-sync"])
            .args(["--auth-host=scram-sha-256", "--encoding=UTF8", "-D"])
            .arg(server.path("data"))
            .output()?;
        assert!(made.status.success(), "{made:?}");
        server.certify("localhost")?;
        server.run(true)?;
        let user = format!("CREATE USER meterline PASSWORD '{PASSWORD}'");
        server.sql("postgres", &user)?;
        server.sql("postgres", "CREATE DATABASE meters OWNER meterline")?;
        Ok(Some(server))
    }

    /// Makes an authority, and a certificate of it for a name.
    pub fn certify(&self, name: &str) -> Result {
        let authority = Backend::start(backend::Config::default())?;
        let identity = authority.server_identity(&[name])?;
        fs::write(self.path("ca.pem"), authority.ca_pem())?;
        for (file, text) in [
            ("server.pem", identity.certificate_pem),
            ("server.key", identity.key_pem),
        ] {
            let path = self.path(file);
            fs::write(&path, text)?;
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
            chown(
                &path,
                Some(self.programs.user.0),
                Some(self.programs.user.1),
            )?;
        }
        Ok(())
    }

    /// Starts the server and waits until it answers.
    pub fn run(&mut self, tls: bool) -> Result {
        let deadline = Instant::now() + LIMIT;
        loop {
            let mut command = self.programs.command("postgres");
            command.arg("-D").arg(self.path("data"));
            for (key, value) in [
                ("listen_addresses", "127.0.0.1".to_owned()),
                ("port", self.port.to_string()),
                (
                    "unix_socket_directories",
                    self.path("").display().to_string(),
                ),
                ("ssl", if tls { "on" } else { "off" }.to_owned()),
                (
                    "ssl_cert_file",
                    self.path("server.pem").display().to_string(),
                ),
                (
                    "ssl_key_file",
                    self.path("server.key").display().to_string(),
                ),
                ("fsync", "off".to_owned()),
                ("allow_system_table_mods", "on".to_owned()),
            ] {
                command.arg("-c").arg(format!("{key}={value}"));
            }
            self.process = Process::start(command.stdout(Stdio::null()).stderr(Stdio::null()))?;
            // After a kill it refuses to start while processes of its last life are there.
            while self.process.is_running()? {
                if self.sql("postgres", "SELECT 1").is_ok() {
                    return Ok(());
                }
                std::thread::sleep(Duration::from_millis(50));
            }
            if Instant::now() > deadline {
                return Err("PostgreSQL does not start".into());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// `kill -9`.
    pub fn kill(&mut self) -> Result {
        Ok(self.process.kill()?)
    }

    /// Runs SQL as the administrator and returns the rows, unaligned.
    pub fn sql(&self, database: &str, sql: &str) -> Result<String> {
        let output = self.psql(database, sql).output()?;
        if output.status.success() {
            Ok(String::from_utf8(output.stdout)?)
        } else {
            Err(String::from_utf8(output.stderr)?.into())
        }
    }

    /// The command that does so.
    pub fn psql(&self, database: &str, sql: &str) -> Command {
        let mut command = self.programs.client();
        command
            .args([
                "-X",
                "-q",
                "-A",
                "-t",
                "-v",
                "ON_ERROR_STOP=1",
                "-U",
                "postgres",
            ])
            .arg("-h")
            .arg(self.path(""))
            .args(["-p", &self.port.to_string(), "-d", database, "-c", sql]);
        command
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }
}
