//! Failures that are alike: one line for all of them, however many.

/// Returns names in a sentence: `a`, `a and b`, or `a, b and 7 more`.
pub fn enumerated(names: &[String], more: usize) -> String {
    match names {
        [one] if more == 0 => one.clone(),
        [all @ .., last] if more == 0 => format!("{} and {last}", all.join(", ")),
        all => format!("{} and {more} more", all.join(", ")),
    }
}

/// A text with one sign in place of every number in it.
pub fn without_numbers(text: &str) -> String {
    let mut without = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '0'..='9' if without.ends_with('#') => {}
            '0'..='9' => without.push('#'),
            _ => without.push(c),
        }
    }
    without
}
