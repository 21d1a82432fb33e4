//! The log of attempts, of fetches and of submissions: one line for each.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::Path;

use super::disk::{Disk, Os};
use crate::text::shown;

/// A line of the log: a time, then `name=value` with blanks between. A value that has blanks or quotes
/// stands in quotes.
#[derive(Debug)]
pub struct LogLine(String);

impl std::fmt::Display for LogLine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl LogLine {
    /// A line that begins with a time in the form of RFC 3339.
    pub fn new(timestamp: String) -> Self {
        Self(timestamp)
    }

    /// Adds a value, made safe to show.
    pub fn add(&mut self, name: &str, value: &str) {
        let value = shown(value);
        let is_bare = !value.is_empty() && !value.contains([' ', '"', '\\', '=']);
        let value = if is_bare { value } else { format!("{value:?}") };
        // Writing to a String cannot fail.
        let _ = write!(self.0, " {name}={value}");
    }

    /// Writes the line at once to a file opened for it alone: several processes may write, and the
    /// file may be rotated at any time.
    ///
    /// # Errors
    ///
    /// Returns an error if the file cannot be opened or written.
    pub fn append_to(mut self, path: &Path) -> io::Result<()> {
        self.0.push('\n');
        Os.append(path)?.write_all(self.0.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_cannot_become_another_one() {
        let mut line = LogLine::new("then".to_owned());
        for (name, value) in [("a", "b"), ("none", ""), ("c", "x status=0"), ("d", "\"\n")] {
            line.add(name, value);
        }
        let file = tempfile::NamedTempFile::new().unwrap();
        line.append_to(file.path()).unwrap();
        let text = std::fs::read_to_string(file.path()).unwrap();
        assert!(text.starts_with("then a=b none=\"\" c=\"x status=0\" d="), "{text}");
        assert_eq!(text.matches('\n').count(), 1, "{text}");
    }
}
