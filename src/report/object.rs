//! Objects for programs (`--json`), each on a line of its own with its keys in the type's order.

use std::fmt;

use serde::Serialize;

use crate::error::Exit;

/// An error: its exit status in words and as a number, and the line that a person gets.
#[derive(Debug, Serialize)]
pub struct ErrorObject {
    kind: &'static str,
    status: u8,
    message: String,
}

impl ErrorObject {
    /// Creates the object of an error.
    pub fn new(exit: Exit, message: impl fmt::Display) -> Self {
        Self { kind: exit.word(), status: exit.status(), message: message.to_string() }
    }
}

/// The result of a command that came to nothing but an error.
#[derive(Debug, Serialize)]
pub(super) struct FailureObject<'a> {
    pub(super) command: &'static str,
    pub(super) account: Option<&'a str>,
    pub(super) error: ErrorObject,
}

/// A command line that is wrong.
#[derive(Debug, Serialize)]
pub(super) struct MisuseObject {
    pub(super) error: ErrorObject,
}

/// Writes an object on one line. All of these types have keys that are text, so none fails.
pub(super) fn line(object: &impl Serialize) -> String {
    serde_json::to_string(object).unwrap_or_default()
}
