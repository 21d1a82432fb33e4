//! A step of a check, and the time that it took.

use std::time::Instant;

use serde::Serialize;

/// A step of a check.
#[derive(Debug, Serialize)]
pub struct Step {
    /// The name of the step.
    pub name: &'static str,
    /// True if the step succeeded.
    #[serde(rename = "ok")]
    pub is_good: bool,
    /// The finding, or the failure.
    pub text: String,
    /// The hint, if there is one.
    pub hint: Option<String>,
    /// The duration in milliseconds.
    pub ms: u64,
}

/// Times one step after another.
#[derive(Debug)]
pub struct Stopwatch(pub(super) Instant);

impl Stopwatch {
    /// Milliseconds since it was started, or asked the last time.
    #[expect(clippy::disallowed_methods, reason = "people want to know how long a step took")]
    pub fn lap(&mut self) -> u64 {
        let before = std::mem::replace(&mut self.0, Instant::now());
        u64::try_from(before.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}
