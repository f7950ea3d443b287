//! Who may import whom, as ARCHITECTURE.md draws it, and the rules of layout that no
//! compiler checks.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Each crate, and those of the project that it may depend on outside its tests.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("sml-wire", &[]),
    ("meter-core", &["sml-wire"]),
    ("meter-screens", &["meter-core"]),
    ("meter-device", &["sml-wire", "meter-core", "meter-screens"]),
    ("oled", &[]),
    ("meter-sim", &["sml-wire", "meter-core"]),
    ("meter-gateway", &["sml-wire", "meter-core"]),
    (
        "meterline",
        &[
            "sml-wire",
            "meter-core",
            "meter-sim",
            "meter-gateway",
            "meter-device",
        ],
    ),
    ("recordings", &[]),
    ("fixtures", &["meter-sim", "recordings"]),
    ("emulator", &["meter-sim", "recordings"]),
    ("rig", &["meter-core", "meter-sim", "fixtures"]),
    ("xtask", &["oled", "recordings"]),
];

/// All that the crates without an operating system may depend on, from anywhere.
const CORE_DEPENDENCIES: &[(&str, &[&str])] = &[
    ("sml-wire", &["memchr"]),
    ("meter-core", &["sml-wire"]),
    ("meter-screens", &["embedded-graphics", "meter-core"]),
    ("oled", &["embedded-graphics", "embedded-hal-async"]),
    (
        "meter-device",
        &[
            "base64",
            "crc",
            "edge-http",
            "embassy-futures",
            "embassy-sync",
            "embedded-graphics",
            "embedded-io-async",
            "embedded-storage-async",
            "heapless",
            "meter-core",
            "meter-screens",
            "rust-mqtt",
            "sequential-storage",
            "serde",
            "serde-json-core",
            "sml-wire",
        ],
    ),
];

/// Names that say nothing about what a file holds.
const EMPTY_NAMES: &[&str] = &[
    "utils", "util", "common", "manager", "handler", "helpers", "prelude",
];

/// A file that is longer than this does not fit a sitting.
const LONGEST_FILE: usize = 850;

#[test]
fn arrows_never_turn() {
    let dependencies = dependencies();
    let allowed: BTreeMap<_, _> = MAY_IMPORT.iter().copied().collect();
    for (name, needed) in &dependencies {
        assert!(
            allowed.contains_key(name.as_str()),
            "{name} is not in the map of ARCHITECTURE.md"
        );
        let allowed = allowed[name.as_str()];
        let own = needed
            .iter()
            .filter(|needed| dependencies.contains_key(*needed));
        for needed in own {
            assert!(
                allowed.contains(&needed.as_str()),
                "{name} may not depend on {needed}"
            );
        }
    }
}

#[test]
fn core_crates_stay_small() {
    let dependencies = dependencies();
    for (name, allowed) in CORE_DEPENDENCIES {
        for needed in &dependencies[*name] {
            assert!(
                allowed.contains(&needed.as_str()),
                "{name} may not depend on {needed}: it runs on microcontrollers"
            );
        }
        let root = fs::read_to_string(root().join("crates").join(name).join("src/lib.rs")).unwrap();
        assert!(
            root.contains("#![no_std]") || root.contains("no_std)"),
            "{name} is a crate without std"
        );
    }
}

#[test]
fn every_crate_keeps_the_lints() {
    for manifest in files("toml") {
        if manifest.file_name().unwrap() != "Cargo.toml" {
            continue;
        }
        let text = fs::read_to_string(&manifest).unwrap();
        let keeps = text.contains("[lints") || !text.contains("[package]");
        assert!(keeps, "{} takes no lints", manifest.display());
    }
}

#[test]
fn files_fit_a_sitting_and_have_names() {
    for file in files("rs") {
        let name = file.file_stem().unwrap().to_str().unwrap().to_owned();
        assert!(
            !EMPTY_NAMES.contains(&name.as_str()),
            "{}: the name says nothing",
            file.display()
        );
        let lines = fs::read_to_string(&file).unwrap().lines().count();
        assert!(
            lines <= LONGEST_FILE,
            "{}: {lines} lines, a room is missing",
            file.display()
        );
    }
}

#[test]
fn nothing_that_was_built_is_kept() {
    let kept = files("");
    let built = kept
        .iter()
        .find(|file| file.iter().any(|part| part == "target"));
    assert_eq!(built, None, "build output is in the tree");
}

/// The crates of the project and what each depends on outside its tests.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--format-version", "1", "--locked"])
        .current_dir(root())
        .output()
        .unwrap();
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    metadata["packages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|package| {
            let needed = package["dependencies"]
                .as_array()
                .unwrap()
                .iter()
                .filter(|dependency| dependency["kind"] != "dev")
                .map(|dependency| dependency["name"].as_str().unwrap().to_owned())
                .collect();
            (package["name"].as_str().unwrap().to_owned(), needed)
        })
        .collect()
}

/// The project's own files of a kind, or all of them.
fn files(extension: &str) -> Vec<PathBuf> {
    let output = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .current_dir(root())
        .output()
        .unwrap();
    let found: Vec<_> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|file| root().join(file))
        .filter(|file| {
            extension.is_empty() || file.extension().is_some_and(|found| found == extension)
        })
        .filter(|file| file.exists())
        .collect();
    assert!(!found.is_empty(), "the project has files");
    found
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}
