//! The words of the source: comments define, names are the field's. Prints its counts; the rules are in
//! CONTRIBUTING.md.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// Words with which a comment alludes to a thing instead of saying what it is.
const ALLUSIVE: &[&str] = &[
    "And",
    "Anybody",
    "Anything",
    "As",
    "At",
    "Because",
    "But",
    "By",
    "Everybody",
    "Everything",
    "For",
    "From",
    "How",
    "If",
    "In",
    "It",
    "Its",
    "Nobody",
    "Not",
    "Nothing",
    "Of",
    "On",
    "One",
    "Only",
    "Or",
    "Somebody",
    "Something",
    "So",
    "Such",
    "That",
    "Their",
    "Them",
    "These",
    "They",
    "This",
    "Those",
    "To",
    "Until",
    "What",
    "Whatever",
    "When",
    "Where",
    "Whether",
    "Which",
    "Whichever",
    "While",
    "Who",
    "Whoever",
    "Whom",
    "Whose",
    "Why",
    "With",
];

/// Words that stand for a person or thing that a comment should name.
const FILLERS: &[&str] =
    &["anybody", "everybody", "nobody", "somebody", "whatever", "whichever", "whoever"];

/// Names that meant something to their authors only; the field has others.
const PRIVATE_NAMES: &[&str] = &[
    "Ahead",
    "Arrivals",
    "Babbler",
    "Company",
    "Declined",
    "Doomed",
    "Farewell",
    "Fate",
    "Intake",
    "Judge",
    "Keeper",
    "Ladder",
    "Letter",
    "Likeness",
    "Mortal",
    "Occasion",
    "Opened",
    "Opening",
    "Parting",
    "Rung",
    "Said",
    "Setback",
    "Stamp",
    "Tone",
    "Usual",
    "Witness",
    "complaint",
    "expect_silence",
    "greet_strangers",
    "in_passing",
    "last_words",
    "misuse",
    "overhear",
];

/// Calls `each` with every file below `dir` whose name ends in `.rs`.
fn sources(dir: &str, each: &mut dyn FnMut(&Path, &str)) {
    walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join(dir), each);
}

fn walk(dir: &Path, each: &mut dyn FnMut(&Path, &str)) {
    let mut paths: Vec<PathBuf> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            walk(&path, each);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            each(&path, &fs::read_to_string(&path).unwrap());
        }
    }
}

fn is_test(path: &Path) -> bool {
    let path = path.strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap();
    path.components().any(|part| part.as_os_str() == "tests") || path.ends_with("tests.rs")
}

/// Returns a file's lines before the unit tests at its foot.
fn program(text: &str) -> Vec<&str> {
    let (program, _) = text.split_once("\n#[cfg(test)]\nmod tests {").unwrap_or((text, ""));
    program.lines().map(str::trim).collect()
}

/// Returns the doc comments of the program, each with the item behind it.
fn doc_comments() -> Vec<(String, String)> {
    let mut found = Vec::new();
    sources("src", &mut |path, text| {
        if is_test(path) {
            return;
        }
        let mut doc = String::new();
        for line in program(text) {
            if let Some(text) = line.strip_prefix("///") {
                doc += text;
                doc.push('\n');
            } else if line.starts_with("#[") {
            } else if !doc.is_empty() {
                found.push((std::mem::take(&mut doc), line.to_owned()));
            }
        }
    });
    found
}

/// Prints a line that is seen even when the test passes, unlike what the macros print.
fn say(line: &str) {
    std::io::stderr().write_all(format!("{line}\n").as_bytes()).unwrap();
}

fn share(part: usize, all: usize) -> f64 {
    #[expect(
        clippy::cast_precision_loss,
        clippy::as_conversions,
        reason = "a few thousand at most"
    )]
    let share = 100.0 * part as f64 / all as f64;
    share
}

#[test]
fn a_comment_begins_with_what_the_thing_is() {
    let comments = doc_comments();
    let first = |doc: &str| doc.split_whitespace().next().unwrap_or_default().to_owned();
    let allusive: Vec<_> = comments
        .iter()
        .filter(|(doc, _)| ALLUSIVE.contains(&first(doc).trim_end_matches(&[',', ':'][..])))
        .collect();
    let share = share(allusive.len(), comments.len());
    say(&format!(
        "{} of {} doc comments open with a clause or a pronoun: {share:.1} %",
        allusive.len(),
        comments.len()
    ));
    assert!(share < 4.0, "{allusive:#?}");
}

#[test]
fn a_comment_names_who_and_what_it_speaks_of() {
    let mut found = Vec::new();
    sources("src", &mut |path, text| {
        if is_test(path) {
            return;
        }
        for line in program(text) {
            let Some((_, comment)) = line.split_once("//") else { continue };
            let comment = comment.to_lowercase();
            let words = comment.split(|c: char| !c.is_alphabetic());
            let fillers = words.filter(|word| FILLERS.contains(word)).count();
            found.extend((0..fillers).map(|_| format!("{}: {line}", path.display())));
        }
    });
    say(&format!("{} filler words in the comments of src", found.len()));
    assert!(found.len() < 20, "{found:#?}");
}

/// A public function that returns an Option or a Result says when it is None or Err.
#[test]
fn a_comment_says_when_there_is_no_result() {
    let comments = doc_comments();
    let is_public = |item: &str| item.starts_with("pub fn ") || item.starts_with("pub const fn ");
    let fallible: Vec<_> = comments
        .iter()
        .filter(|(_, item)| {
            is_public(item) && (item.contains("-> Option<") || item.contains("Result<"))
        })
        .collect();
    let says = |doc: &str| {
        ["None", "Err", "# Errors", "error", "fail", " if ", "unless", "refus"]
            .iter()
            .any(|word| doc.contains(word))
    };
    let silent: Vec<_> = fallible.iter().filter(|(doc, _)| !says(doc)).collect();
    let share = share(fallible.len() - silent.len(), fallible.len());
    say(&format!(
        "{share:.1} % of {} public functions say when they return None or Err",
        fallible.len()
    ));
    assert!(share >= 90.0, "{silent:#?}");
}

#[test]
fn names_are_those_of_the_field() {
    let mut found = Vec::new();
    let declares = |line: &str, name: &str| {
        ["struct ", "enum ", "trait ", "type ", "fn ", "mod "].iter().any(|keyword| {
            line.split_once(keyword).is_some_and(|(before, behind)| {
                let declared = behind.split(|c: char| !c.is_alphanumeric() && c != '_').next();
                (before.is_empty() || before.ends_with(' ')) && declared == Some(name)
            })
        })
    };
    for dir in ["src", "tests"] {
        sources(dir, &mut |path, text| {
            for line in text.lines().map(str::trim) {
                let private = PRIVATE_NAMES.iter().filter(|name| declares(line, name));
                found.extend(private.map(|_| format!("{}: {line}", path.display())));
            }
        });
    }
    assert!(found.is_empty(), "{found:#?}");
}
