//! What the documents show is what the program does.

use std::fs;
use std::path::PathBuf;

use crate::console;
use crate::failure::Failure;
use crate::process::{self, cargo};
use crate::reference;
use crate::wiring;

/// Checks the configuration reference and runs the console blocks of all documents.
pub fn check() -> Result<(), Failure> {
    let programs = programs()?;
    reference::check(&programs)?;
    wiring::check()?;
    let mut blocks = 0;
    for document in documents()? {
        blocks += console::run(&document, &programs)?;
    }
    println!("{blocks} console blocks were run");
    Ok(())
}

/// Writes what is written from the program.
pub fn write() -> Result<(), Failure> {
    reference::write(&programs()?)?;
    wiring::write()
}

/// Where the program lies, newly built.
fn programs() -> Result<PathBuf, Failure> {
    process::run(&mut cargo(&["build", "--locked"]))?;
    Ok(process::target().join("debug"))
}

/// The documents at the root and under `docs/`.
fn documents() -> Result<Vec<PathBuf>, Failure> {
    let root = process::root();
    let mut found = Vec::new();
    for folder in [root.to_path_buf(), root.join("docs")] {
        let entries = fs::read_dir(&folder).map_err(Failure::file(&folder))?;
        for entry in entries {
            let path = entry.map_err(Failure::file(&folder))?.path();
            if path.extension().is_some_and(|extension| extension == "md") {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}
