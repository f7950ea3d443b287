//! Tells the build script of the board which functions the linker must lead through this crate: they
//! come there as `DEP_DEVICE_NETWORK_WRAP`, parted by commas.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!(
        "cargo::metadata=wrap=mbedtls_x509_crt_verify_restartable,mbedtls_ssl_config_defaults"
    );
}
