//! What users read is plain: no phrase of the list, and short help lines that begin with a verb.

use std::fs;

use clap::{Command, CommandFactory};
use postie::cli::Args;
use postie::hints;

/// Phrases that read as translated.
const SIGNS: [&str; 10] = [
    "so many",
    "is to be had",
    "what becomes of",
    "three facts",
    "for good",
    "for now",
    "verdict",
    "rung",
    "stands in for",
    "vouches",
];

/// Words that begin a line of help.
const VERBS: &str = "Accept Add Ask Attach Check Compose Connect Deliver Direct Fetch Find Give \
                     Import Install Keep Leave List Log Look Name Print Read Reconnect Record \
                     Remove Request Require Send Set Show Submit Trust Use Write";

#[test]
fn no_text_for_users_reads_as_translated() {
    let mut texts = vec!["README.md".to_owned(), "SECURITY.md".to_owned()];
    let pages = fs::read_dir("man/text").unwrap();
    texts.extend(pages.map(|page| page.unwrap().path().to_str().unwrap().to_owned()));
    let mut texts: Vec<_> =
        texts.iter().map(|name| (name.clone(), fs::read_to_string(name).unwrap())).collect();
    texts.extend(hints::TABLE.iter().map(|row| (row.when.to_string(), row.words.to_owned())));
    for (name, text) in texts {
        let words = text.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ");
        let padded = format!(" {words} ");
        for sign in SIGNS {
            assert!(!padded.contains(&format!(" {sign} ")), "{name}: {sign}");
        }
    }
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
