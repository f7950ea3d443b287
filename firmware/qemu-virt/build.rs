//! Tells the linker where the board's memory is, and what it must lead through the network crate.

use std::path::Path;

fn main() {
    let here = std::env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
    let memory = Path::new(&here).join("memory.x");
    println!("cargo:rerun-if-changed={}", memory.display());
    println!("cargo:rustc-link-search={here}");
    println!("cargo:rustc-link-arg-bins=-Tmemory.x");
    println!("cargo:rustc-link-arg-bins=-Tlink.x");
    let wrapped = std::env::var("DEP_DEVICE_NETWORK_WRAP").unwrap_or_default();
    for function in wrapped.split(',') {
        println!("cargo:rustc-link-arg-bins=--wrap={function}");
    }
    // A build from a package says its date; else it is today.
    println!("cargo:rerun-if-env-changed=SOURCE_DATE_EPOCH");
    let seconds = std::env::var("SOURCE_DATE_EPOCH")
        .ok()
        .and_then(|seconds| seconds.parse().ok())
        .unwrap_or_else(|| {
            std::time::UNIX_EPOCH
                .elapsed()
                .map_or(0, |time| time.as_secs())
        });
    println!("cargo:rustc-env=METERLINE_BUILT={}", seconds * 1000);
}
