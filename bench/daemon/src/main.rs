//! What the running daemon costs and what it loses, measured from outside.

fn main() {}
