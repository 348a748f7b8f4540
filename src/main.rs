//! The `vae` program.
fn main() {}
