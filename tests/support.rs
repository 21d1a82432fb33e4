//! What the tests share: a way to run the program, servers to run it against.

pub mod dovecot;
pub mod exim;
pub mod mailbox;
pub mod mailutils;
pub mod pki;
pub mod player;
pub mod postfix;
pub mod postie;
pub mod server;
pub mod servers;
pub mod sink;
pub mod transcript;
