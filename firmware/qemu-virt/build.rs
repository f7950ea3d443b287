//! Tells the linker where the board's memory is, and what it must lead through the network crate.

use std::path::Path;

fn main() {
    let here = std::env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
    let memory = Path::new(&here).join("memory.x");
    println!("cargo:rerun-if-changed={}", memory.display());
    println!("cargo:rustc-link-search={here}");
    println!("cargo:rustc-link-arg=-Tmemory.x");
    println!("cargo:rustc-link-arg=-Tlink.x");
    let wrapped = std::env::var("DEP_DEVICE_NETWORK_WRAP").unwrap_or_default();
    for function in wrapped.split(',') {
        println!("cargo:rustc-link-arg=--wrap={function}");
    }
}
