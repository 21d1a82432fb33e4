//! `postie` brings your mail and takes it away. This library exists for its doctests and generators.
#![forbid(unsafe_code)]
pub mod dot;
pub mod limits;
pub mod text;
