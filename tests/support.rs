//! What the tests share: a way to run the program, servers to run it against.

pub mod pki;
pub mod player;
pub mod postie;
pub mod server;
pub mod transcript;
