//! What users read is plain: no phrase of the list, and short help lines that begin with a verb.

use std::fs;
use std::path::{Path, PathBuf};

use clap::{Command, CommandFactory};
use postie::cli::Args;
use postie::hints;

/// Phrases that read as translated.
const SIGNS: &[&str] = &[
    "so many",
    "to be had",
    "what is there",
    "refusals alike",
    "has brought",
    "of its own accord",
    "anybody",
    "is said",
    "what becomes of",
    "three facts",
    "for good",
    "for now",
    "verdict",
    "rung",
    "stands in",
    "vouches",
    "whoever",
    "somebody",
];

/// Words that begin a line of help.
const VERBS: &str = "Accept Add Ask Attach Check Compose Connect Deliver Direct Fetch Find Give \
                     Import Install Keep Leave List Log Look Name Print Read Reconnect Record \
                     Remove Request Require Send Set Show Submit Trust Use Write";

#[test]
fn no_text_for_users_reads_as_translated() {
    let mut texts = ["README.md", "SECURITY.md", "CHANGELOG.md"].map(str::to_owned).to_vec();
    let pages = fs::read_dir("man/text").unwrap();
    texts.extend(pages.map(|page| page.unwrap().path().to_str().unwrap().to_owned()));
    let mut texts: Vec<_> =
        texts.iter().map(|name| (name.clone(), fs::read_to_string(name).unwrap())).collect();
    texts.extend(hints::TABLE.iter().map(|row| (row.when.to_string(), row.words.to_owned())));
    texts.extend(sources("src".as_ref()).into_iter().map(|path| {
        let text = literals(&fs::read_to_string(&path).unwrap());
        (path.display().to_string(), text)
    }));
    for (name, text) in texts {
        let words = text.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ");
        let padded = format!(" {words} ");
        for sign in SIGNS {
            assert!(!padded.contains(&format!(" {sign} ")), "{name}: {sign}");
        }
    }
}

/// The files of the program, without its tests.
fn sources(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if name != "tests" && name != "simulated" && !dir.ends_with("tests") {
            found.push(path);
        }
    }
    found
}

/// What stands between quotation marks in a source file, above its tests: errors and other texts.
fn literals(source: &str) -> String {
    let (code, _) = source.split_once("#[cfg(test)]\nmod tests {").unwrap_or((source, ""));
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    let code = lines.collect::<Vec<_>>().join("\n").replace("'\"'", "").replace("\\\"", "");
    code.split('"').skip(1).step_by(2).collect::<Vec<_>>().join("\n").replace('\\', " ")
}

#[test]
fn every_line_of_help_begins_with_a_verb_and_has_at_most_twelve_words() {
    let mut args = Args::command();
    args.build();
    check(&args);
}

fn check(command: &Command) {
    let about = command.get_about().map(ToString::to_string).into_iter();
    let helps = command.get_arguments().filter_map(|arg| arg.get_help()).map(ToString::to_string);
    for line in about.chain(helps) {
        let verb = line.split_whitespace().next().unwrap_or_default().trim_end_matches(',');
        assert!(VERBS.split_whitespace().any(|known| known == verb), "{line}");
        let words = line.split_whitespace().filter(|word| word.chars().any(char::is_alphanumeric));
        assert!(words.count() <= 12, "{line}");
    }
    command.get_subcommands().for_each(check);
}

/// The keys of an object, as its type declares them: in order, without those that may be left out.
fn keys(file: &str, name: &str) -> Vec<String> {
    let source = fs::read_to_string(file).unwrap();
    let (_, rest) = source.split_once(&format!("struct {name}")).unwrap();
    let (_, fields) = rest.split_once("{\n").unwrap();
    let (fields, _) = fields.split_once("\n}").unwrap();
    let (mut keys, mut renamed, mut is_optional) = (Vec::new(), None, false);
    for line in fields.lines().map(str::trim) {
        if let Some((_, word)) = line.split_once("rename = \"") {
            renamed = word.split('"').next().map(str::to_owned);
        } else if line.contains("skip_serializing_if") {
            is_optional = true;
        } else if let Some((field, _)) = line.split_once(": ").filter(|_| !line.starts_with("//")) {
            let field = field.rsplit(' ').next().unwrap().to_owned();
            let key = renamed.take().unwrap_or(field);
            keys.extend((!std::mem::take(&mut is_optional)).then_some(key));
        }
    }
    keys
}

/// The paragraphs of the manual that list keys are about the types that are printed.
#[test]
fn the_manual_lists_the_keys_of_every_object_in_their_order() {
    let pages: String = ["postie", "postie-check"]
        .iter()
        .map(|page| fs::read_to_string(format!("man/text/{page}.txt")).unwrap())
        .collect();
    for (begins, file, name) in [
        ("postie fetch prints one object per account: ", "src/fetch/object.rs", "FetchResult"),
        ("files (each with ", "src/fetch/object.rs", "FileObject"),
        ("refused (each with ", "src/fetch/object.rs", "RefusedObject"),
        ("it prints one object per message: ", "src/fetch/object.rs", "PreviewObject"),
        ("account and message (", "src/fetch/object.rs", "ListedObject"),
        ("postie send prints one object per message: ", "src/submission/object.rs", "SendResult"),
        ("recipients (each with ", "src/submission/outcome.rs", "RecipientOutcome"),
        ("postie queue prints one object per message: ", "src/queue/object.rs", "QueueEntry"),
        ("each account and side: ", "src/steps.rs", "CheckResult"),
        ("Each step has ", "src/report/step.rs", "Step"),
    ] {
        let (_, text) = pages.split_once(begins).unwrap_or_else(|| panic!("{begins}"));
        let mut words =
            text.lines().next().unwrap().split(|c: char| !c.is_alphanumeric() && c != '_');
        for key in keys(file, name) {
            assert!(words.any(|word| word == key), "{name}: `{key}` is not in: {begins}...");
        }
    }
}
