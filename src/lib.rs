//! `postie` brings your mail and takes it away. This library exists for its doctests and generators.
#![forbid(unsafe_code)]
pub mod cli;
pub mod compose;
pub mod config;
pub mod dot;
pub mod limits;
pub mod message;
pub mod net;
pub mod pop3;
pub mod sasl;
pub mod smtp;
pub mod store;
pub mod text;
pub mod tls;
pub mod wire;
