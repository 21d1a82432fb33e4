//! `postie` brings your mail and takes it away. This library exists for its doctests and generators.
#![forbid(unsafe_code)]
