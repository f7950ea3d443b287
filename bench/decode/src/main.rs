//! Speed of sml-wire beside its peers, in one run.

fn main() {}
