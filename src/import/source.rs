//! A file to be imported: its text, and errors that name its lines. No error shows what stands in the
//! file: a line that was not understood may be the half of a password.

use std::fs::File;
use std::mem::take;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use super::account::{Keyword, Setting};
use crate::bounded;
use crate::config::nearest;
use crate::error::Error;
use crate::limits;
use crate::ownership;

/// A file that was read.
pub(super) struct Source {
    pub(super) path: PathBuf,
    pub(super) octets: Vec<u8>,
    text: String,
}

impl Source {
    /// Reads a file. Only this user and root may be able to write to it, since what it says is obeyed.
    pub(super) fn read(path: &Path) -> Result<Self, Error> {
        let failed = |source| Error::Input { path: path.to_owned(), source };
        let file = File::open(path).map_err(failed)?;
        ownership::check_writers(&file, path).map_err(Error::Ownership)?;
        let mut octets = bounded::read(&file, limits::IMPORT).map_err(failed)?;
        Ok(Self::of(path, take(&mut *octets)))
    }

    /// Returns the source of octets that were read, without a byte order mark before them.
    pub(super) fn of(path: &Path, mut octets: Vec<u8>) -> Self {
        if octets.starts_with("\u{feff}".as_bytes()) {
            octets.drain(.."\u{feff}".len());
        }
        let text = String::from_utf8_lossy(&octets).into_owned();
        Self { path: path.to_owned(), octets, text }
    }

    /// Returns whether the file's name has this word in it.
    pub(super) fn is_called(&self, word: &str) -> bool {
        self.path.file_name().is_some_and(|name| name.to_string_lossy().contains(word))
    }

    /// The text. Octets that are not UTF-8 are replaced.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Fails unless all of it is text, as configurations are.
    pub(super) fn require_text(&self) -> Result<(), Error> {
        let is_text = str::from_utf8(&self.octets).is_ok() && !self.octets.contains(&0);
        if is_text && self.octets.len() <= CONFIGURATION {
            return Ok(());
        }
        let bad = self.octets.split(|&octet| octet == b'\n');
        let at = bad.take_while(|line| str::from_utf8(line).is_ok() && !line.contains(&0)).count();
        Err(self.wrong(at + 1, "not a line of text"))
    }

    /// The lines without their ends, numbered from 1.
    pub(super) fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        (1..).zip(self.text.lines())
    }

    /// The error for a wrong line.
    pub(super) fn wrong(&self, line: usize, what: &str) -> Error {
        Error::Foreign { path: self.path.clone(), line, what: what.to_owned() }
    }

    /// The error for a line whose first word is in none of the tables.
    pub(super) fn unknown(&self, line: usize, found: &str, tables: &[&[Keyword]]) -> Error {
        let words = tables.iter().copied().flatten().map(|keyword| keyword.word);
        match nearest(found, words) {
            Some(meant) => self.wrong(line, &format!("unknown word; was `{meant}` meant?")),
            None => self.wrong(line, "unknown word"),
        }
    }

    /// The number that a setting has.
    pub(super) fn number(
        &self,
        setting: &Setting,
        range: RangeInclusive<u64>,
    ) -> Result<u64, Error> {
        let number = setting.value.parse::<u64>().ok().filter(|number| range.contains(number));
        number.ok_or_else(|| {
            let (first, last) = (range.start(), range.end());
            self.wrong(setting.line, &format!("expected a number from {first} to {last}"))
        })
    }
}

/// Octets of a configuration.
const CONFIGURATION: usize = 1 << 20;
