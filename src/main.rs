//! The `postie` program.
fn main() {}
