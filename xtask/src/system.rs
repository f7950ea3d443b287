//! Programs that cargo cannot bring: found, installed where that is possible, else named.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::Failure;
use crate::process;

/// A program and the Debian package that has it.
pub struct Tool {
    /// The name that it is called by.
    pub program: &'static str,
    /// The package to install.
    pub package: &'static str,
    /// What it is needed for.
    pub purpose: &'static str,
    /// Whether nothing works without it; otherwise only CI insists on it.
    pub essential: bool,
}

/// What the workspace needs beyond Rust itself.
const TOOLS: &[Tool] = &[
    Tool {
        program: "cc",
        package: "gcc",
        purpose: "compiles SQLite and the cryptography of TLS, and links",
        essential: true,
    },
    Tool {
        program: "c++",
        package: "g++",
        purpose: "compiles the fuzzing engine",
        essential: true,
    },
    Tool {
        program: "git",
        package: "git",
        purpose: "lists the project's own files",
        essential: true,
    },
    Tool {
        program: "nginx",
        package: "nginx-light",
        purpose: "is the real server that the tests of the REST output deliver to",
        essential: false,
    },
    Tool {
        program: "mosquitto",
        package: "mosquitto",
        purpose: "is the real broker that the tests of MQTT publish to",
        essential: false,
    },
    Tool {
        program: "mosquitto_sub",
        package: "mosquitto-clients",
        purpose: "says in tests what has reached the broker",
        essential: false,
    },
    Tool {
        program: "pg_ctlcluster",
        package: "postgresql",
        purpose: "comes with the real database that the tests of the output postgres deliver to",
        essential: false,
    },
    Tool {
        program: "promtool",
        package: "prometheus",
        purpose: "says in tests whether the metrics are as Prometheus wants them",
        essential: false,
    },
    Tool {
        program: "influxd",
        package: "influxdb",
        purpose: "is the real InfluxDB that the tests of its output write to",
        essential: false,
    },
    Tool {
        program: "victoria-metrics",
        package: "victoria-metrics",
        purpose: "is the real VictoriaMetrics that the same tests write to",
        essential: false,
    },
    Tool {
        program: "dnsmasq",
        package: "dnsmasq-base",
        purpose: "is the real name server that the emulated device asks",
        essential: false,
    },
    Tool {
        program: "unshare",
        package: "util-linux",
        purpose: "hides this machine's name server from the emulated device",
        essential: false,
    },
    Tool {
        program: "ip",
        package: "iproute2",
        purpose: "makes the network without names for a test of the program's end",
        essential: false,
    },
];

/// Finds, or installs, what the workspace needs beyond Rust itself.
pub fn prepare() -> Result<(), Failure> {
    let missing: Vec<_> = TOOLS
        .iter()
        .filter(|tool| find(tool.program).is_none())
        .collect();
    for tool in &missing {
        println!(
            "{} is missing: it {} (Debian package {})",
            tool.program, tool.purpose, tool.package
        );
    }
    let must = |tool: &&&Tool| tool.essential || can_install() || process::is_ci();
    let packages: Vec<_> = missing
        .iter()
        .filter(must)
        .map(|tool| tool.package)
        .collect();
    if packages.is_empty() {
        println!("nothing else is missing");
        return Ok(());
    }
    install(&packages)
}

/// Whether `install` can do more than name the command.
pub fn can_install() -> bool {
    find("apt-get").is_some() && rustix::process::geteuid().is_root()
}

/// Installs Debian packages, or says which line does.
pub fn install(packages: &[&str]) -> Result<(), Failure> {
    if !can_install() {
        return Err(Failure::Missing {
            what: packages.join(", "),
            fix: format!("run `sudo apt-get install {}`", packages.join(" ")),
        });
    }
    process::run(Command::new("apt-get").args(["-q", "update"]))?;
    process::run(
        Command::new("apt-get")
            .args(["-q", "install", "-y", "--no-install-recommends"])
            .args(packages)
            .env("DEBIAN_FRONTEND", "noninteractive"),
    )
}

/// Where a program lies that the shell of an administrator would find.
pub fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path)
        .chain([PathBuf::from("/usr/sbin")])
        .map(|directory| directory.join(program))
        .find(|file| is_program(file))
}

fn is_program(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    file.metadata()
        .is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}
