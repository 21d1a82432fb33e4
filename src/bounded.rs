//! Files that are read whole, within a bound: a larger one is refused, never cut.

use std::fs::File;
use std::io::{self, Read as _};
use std::mem::take;

use zeroize::Zeroizing;

/// Octets of room for what has no size of its own, such as a pipe: what the system keeps of one.
const PIPE: u64 = 64 << 10;

/// Reads a file to its end.
///
/// # Errors
///
/// Returns an error if reading fails, or there are more than `limit` octets.
#[expect(clippy::disallowed_methods, reason = "the limit is here")]
pub fn read(file: &File, limit: u64) -> io::Result<Zeroizing<Vec<u8>>> {
    let metadata = file.metadata()?;
    let size = if metadata.is_file() { metadata.len() } else { PIPE };
    // All of the room at once: text that grew would leave copies of a password in memory.
    let room = usize::try_from(size.min(limit)).unwrap_or_default().saturating_add(1);
    let mut octets = Zeroizing::new(Vec::with_capacity(room));
    let length = file.take(limit.saturating_add(1)).read_to_end(&mut octets)?;
    if u64::try_from(length).is_ok_and(|length| length <= limit) {
        Ok(octets)
    } else {
        Err(too_large(limit))
    }
}

/// Reads a file of UTF-8 to its end.
///
/// # Errors
///
/// Returns an error if reading fails, there are more than `limit` octets, or they are not UTF-8.
pub fn read_text(file: &File, limit: u64) -> io::Result<Zeroizing<String>> {
    let mut octets = read(file, limit)?;
    if std::str::from_utf8(&octets).is_err() {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8"));
    }
    Ok(Zeroizing::new(String::from_utf8(take(&mut *octets)).unwrap_or_default()))
}

/// Returns the error for more than `limit` octets.
pub fn too_large(limit: u64) -> io::Error {
    io::Error::new(io::ErrorKind::FileTooLarge, format!("it is larger than {limit} octets"))
}

#[cfg(test)]
mod tests {
    use std::io::{Seek as _, Write as _};
    use std::os::fd::OwnedFd;

    use super::*;

    fn file(octets: &[u8]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(octets).unwrap();
        file.rewind().unwrap();
        file
    }

    #[test]
    fn a_file_is_read_whole_or_refused() {
        assert_eq!(read(&file(b"four"), 4).unwrap().as_slice(), b"four");
        assert_eq!(read(&file(b""), 0).unwrap().as_slice(), b"");
        for limit in [0, 3] {
            let error = read(&file(b"four"), limit).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
            assert_eq!(error.to_string(), format!("it is larger than {limit} octets"));
        }
    }

    #[test]
    fn a_pipe_has_the_same_bound() {
        let pipe = |octets: &[u8]| {
            let (reader, mut writer) = io::pipe().unwrap();
            writer.write_all(octets).unwrap();
            File::from(OwnedFd::from(reader))
        };
        assert_eq!(read_text(&pipe(b"four"), 4).unwrap().as_str(), "four");
        assert!(read_text(&pipe(b"fours"), 4).is_err());
    }

    #[test]
    fn text_is_utf_8() {
        assert_eq!(read_text(&file("ö".as_bytes()), 2).unwrap().as_str(), "ö");
        assert!(read_text(&file(b"\xff"), 2).is_err());
        // What would be cut within a character is too large, not wrong.
        let error = read_text(&file("ö".as_bytes()), 1).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
    }
}
