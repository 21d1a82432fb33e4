//! `postie` brings your mail and takes it away. This library exists for its doctests and generators.
#![forbid(unsafe_code)]
pub mod cli;
pub mod compose;
pub mod config;
pub mod dot;
pub mod error;
pub mod fetch;
pub mod limits;
pub mod message;
pub mod net;
pub mod password;
pub mod pop3;
pub mod report;
pub mod sasl;
pub mod send;
pub mod settings;
pub mod smtp;
pub mod store;
pub mod text;
pub mod tls;
pub mod wire;
