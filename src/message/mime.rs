//! What a header declares of the body below it (RFC 2045), as far as it decides whether and how the
//! body may be encoded. The parts of a multipart are not looked at.

use std::ops::Range;

use super::header::Field;

/// The body, as its header declares it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Declared {
    /// A text that is not encoded yet, or a body without MIME structure.
    Text(Text),
    /// Octets that need not be lines (RFC 2045 §2.9).
    Binary,
    /// Any other body. A change could break a signature, a boundary or an encoding.
    Fixed,
}

/// The declaration of a text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Text {
    /// The value of Content-Type.
    pub(super) content_type: Option<String>,
    /// The value of Content-Transfer-Encoding in lower case.
    pub(super) encoding: Option<String>,
}

impl Declared {
    /// The declaration in these fields. A field that is empty counts as missing.
    pub(super) fn of(fields: &[Field]) -> Self {
        let (Ok(content_type), Ok(encoding)) =
            (only(fields, "Content-Type"), only(fields, "Content-Transfer-Encoding"))
        else {
            return Self::Fixed;
        };
        let encoding = encoding.map(|value| value.trim_matches('"').to_ascii_lowercase());
        let is_signed = fields.iter().any(Field::is_signature);
        // Without a type it is text (RFC 2045 §5.2).
        let is_text =
            content_type.as_deref().is_none_or(|value| media_type(value).starts_with("text/"));
        match encoding.as_deref() {
            None | Some("7bit" | "8bit" | "binary") if is_text && !is_signed => {
                Self::Text(Text { content_type, encoding })
            }
            Some("binary") => Self::Binary,
            _ => Self::Fixed,
        }
    }
}

impl Text {
    /// The value of Content-Type for a text that is known to be in `charset`, if it does not say so
    /// yet: it names no character set, or ASCII, which it is not.
    pub(super) fn with_charset(&self, charset: &str) -> Option<String> {
        let Some(value) = &self.content_type else {
            return Some(format!("text/plain; charset={charset}"));
        };
        let Some(found) = charset_value(value) else {
            let value = value.trim_end_matches([';', ' ', '\t']);
            return Some(format!("{value}; charset={charset}"));
        };
        let declared = value.get(found.clone())?;
        let is_ascii = ["us-ascii", "ascii", "ansi_x3.4-1968"]
            .iter()
            .any(|name| declared.trim_matches('"').eq_ignore_ascii_case(name));
        let (before, after) = (value.get(..found.start)?, value.get(found.end..)?);
        (is_ascii && charset != "us-ascii").then(|| format!("{before}{charset}{after}"))
    }
}

/// The value of a field that may be there once; `Err` if it is there more often.
fn only(fields: &[Field], name: &str) -> Result<Option<String>, ()> {
    let values = fields.iter().filter(|field| field.is(name)).map(Field::value);
    let mut values = values.filter(|value| !value.is_empty());
    let first = values.next();
    if values.next().is_some() { Err(()) } else { Ok(first) }
}

fn media_type(value: &str) -> String {
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// Returns the range of the parameter `charset` in the value of Content-Type, quotes included;
/// `None` if it is not there.
fn charset_value(value: &str) -> Option<Range<usize>> {
    let mut start = 0;
    let mut is_quoted = false;
    let ends = value.char_indices().filter_map(|(at, c)| {
        is_quoted ^= c == '"';
        (c == ';' && !is_quoted).then_some(at)
    });
    for end in ends.chain([value.len()]) {
        let parameter = value.get(start..end)?;
        if let Some((name, text)) = parameter.split_once('=')
            && name.trim().eq_ignore_ascii_case("charset")
        {
            let before = start + name.len() + 1 + (text.len() - text.trim_start().len());
            return Some(before..before + text.trim().len());
        }
        start = end + 1;
    }
    None
}
