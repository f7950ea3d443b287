//! Nothing starts this program, so the linker is told what to keep.
fn main() {
    println!("cargo::rustc-link-arg=--undefined-glob=*decode_everything*");
}
