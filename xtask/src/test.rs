//! `cargo xtask test`: everything that must hold before a change lands.

use std::path::PathBuf;

use crate::documents;
use crate::embedded;
use crate::failure::Failure;
use crate::firmware;
use crate::process::{self, cargo};
use crate::steps::{Done, Steps};
use crate::system;

/// What to test.
#[derive(clap::Args)]
pub struct Arguments {
    /// Only formatting, lints and tests: the loop of somebody who edits.
    #[arg(long)]
    quick: bool,
}

/// Runs all steps and closes with `N passed, N failed`.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let mut steps = Steps::default();
    if !arguments.quick {
        steps.run("system packages", system::prepare);
    }
    let shared = recordings::folder();
    steps.run("recorded meters", || recorded(shared.as_ref()));
    steps.run("format", || {
        process::run(&mut cargo(&["fmt", "--all", "--check"]))?;
        for firmware in [
            "firmware/esp32/Cargo.toml",
            "firmware/network/Cargo.toml",
            "firmware/qemu-virt/Cargo.toml",
        ] {
            process::run(&mut cargo(&["fmt", "--manifest-path", firmware, "--check"]))?;
        }
        Ok(())
    });
    steps.run("lints", || {
        process::run(&mut cargo(&[
            "clippy",
            "--workspace",
            "--all-targets",
            "--locked",
            "--",
            "-D",
            "warnings",
        ]))
    });
    steps.run("tests", || tests(shared.as_ref()));
    if !arguments.quick {
        steps.run("documentation tests", || {
            process::run(&mut cargo(&["test", "--workspace", "--doc", "--locked"]))
        });
        steps.run("documentation builds", documentation);
        steps.run("documents", documents::check);
        steps.run("demo", demo);
        steps.run("Home Assistant", || home_assistant(shared.as_ref()));
        steps.run("microcontroller", embedded::check);
        steps.run("firmware", firmware::check);
        steps.run("firmware for chips", firmware::chips);
        steps.run("fuzz targets and measurements", beside);
        steps.run("licences and sources", licences);
        steps.run("advisories", advisories);
    }
    steps.finish()
}

fn recorded(shared: Option<&PathBuf>) -> Result<Done, Failure> {
    let missing = "no recordings of real meters in $METERLINE_SHARED or ../shared";
    match shared {
        Some(folder) => {
            println!("{}", folder.join("captures").display());
            Ok(Done::Passed)
        }
        None if process::is_ci() => Err(Failure::Missing {
            what: missing.to_owned(),
            fix: "put the folder `shared` beside the checkout".to_owned(),
        }),
        None => Ok(Done::Skipped(missing.to_owned())),
    }
}

fn tests(shared: Option<&PathBuf>) -> Result<(), Failure> {
    let nextest = process::answers("cargo", &["nextest", "--version"]);
    // The tests on the emulator have a step of their own, which builds what they need.
    let mut command = if nextest {
        cargo(&[
            "nextest",
            "run",
            "--workspace",
            "--exclude",
            "emulator",
            "--locked",
            "--no-fail-fast",
        ])
    } else {
        cargo(&[
            "test",
            "--workspace",
            "--exclude",
            "emulator",
            "--all-targets",
            "--locked",
            "--no-fail-fast",
        ])
    };
    if let Some(folder) = shared {
        command.env("METERLINE_SHARED", folder);
    }
    process::run(&mut command)
}

/// A real Home Assistant, which a script outside of the project sets up. It takes a gigabyte and, the first time,
/// some minutes.
fn home_assistant(shared: Option<&PathBuf>) -> Result<Done, Failure> {
    let script = shared.map(|folder| folder.join("tools/home-assistant/ha_check.sh"));
    let missing = match script.filter(|script| script.is_file()) {
        None => "no script for it in $METERLINE_SHARED or ../shared",
        Some(_) if !system::can_install() => "only root can set it up",
        Some(_) => {
            let mut command = cargo(&[
                "test",
                "--package",
                "meterline",
                "--test",
                "homeassistant",
                "--locked",
            ]);
            command.args(["--", "--ignored", "--exact", "--nocapture"]);
            command.arg("home_assistant_shows_what_the_meters_send");
            if let Some(folder) = shared {
                command.env("METERLINE_SHARED", folder);
            }
            process::run(&mut command)?;
            return Ok(Done::Passed);
        }
    };
    if process::is_ci() {
        return Err(Failure::Missing {
            what: missing.to_owned(),
            fix: "run as root, with the folder `shared` beside the checkout".to_owned(),
        });
    }
    Ok(Done::Skipped(missing.to_owned()))
}

/// The README's other command, with an outage: it succeeds only if every reading arrived.
fn demo() -> Result<(), Failure> {
    process::run(&mut cargo(&[
        "run",
        "--release",
        "--locked",
        "--",
        "demo",
        "--for",
        "15s",
        "--outage",
        "5s",
    ]))
}

/// The workspaces beside the main one still compile. Their lock files follow the main one's
/// dependencies by themselves, so they are not held to them.
fn beside() -> Result<(), Failure> {
    for (manifest, target) in [
        ("fuzz/Cargo.toml", "fuzz-check"),
        ("bench/Cargo.toml", "bench"),
    ] {
        process::run(
            cargo(&["clippy", "--all-targets", "--manifest-path", manifest])
                .args(["--", "-D", "warnings"])
                .env("CARGO_TARGET_DIR", process::target().join(target)),
        )?;
    }
    Ok(())
}

fn documentation() -> Result<(), Failure> {
    process::run(
        cargo(&["doc", "--workspace", "--no-deps", "--locked"])
            .env("RUSTDOCFLAGS", "--deny warnings"),
    )
}

/// Licences, sources and banned crates by `cargo deny`: all that needs no network.
fn licences() -> Result<Done, Failure> {
    let install = ["install", "--locked", "--no-default-features", "cargo-deny"];
    if !has_cargo_deny() && process::is_ci() {
        process::run(&mut cargo(&install))?;
    }
    if !has_cargo_deny() {
        return Ok(Done::Skipped(format!("run `cargo {}`", install.join(" "))));
    }
    process::run(&mut cargo(&[
        "deny", "--locked", "check", "licenses", "bans", "sources",
    ]))?;
    Ok(Done::Passed)
}

/// Known faults of dependencies. Their database has to be fetched from another place than
/// the dependencies, so that it is not to be had everywhere.
fn advisories() -> Result<Done, Failure> {
    if !has_cargo_deny() {
        return Ok(Done::Skipped("there is no cargo deny".to_owned()));
    }
    if !process::answers("cargo", &["deny", "fetch", "db"]) {
        return Ok(Done::Skipped(
            "the database of advisories cannot be fetched from here".to_owned(),
        ));
    }
    process::run(&mut cargo(&["deny", "--locked", "check", "advisories"]))?;
    Ok(Done::Passed)
}

fn has_cargo_deny() -> bool {
    process::answers("cargo", &["deny", "--version"])
}
