//! What README.md says is true: its configurations load, its commands parse, its table of exit
//! statuses is the program's, and the files that it names are there.

use std::fs;
use std::path::Path;

use clap::Parser;
use postie::cli::{Args, Command};
use postie::error::Exit;
use postie::settings::Settings;

use crate::support::postie::Home;

#[test]
fn its_configurations_load() {
    let blocks = blocks(&readme(), "toml");
    assert!(!blocks.is_empty());
    for text in blocks {
        let home = Home::new();
        let path = home.config(&text);
        let message = "From: ann@example.com\n\nhello\n";
        let sent = home.postie(["send", "--dry-run", "bob@example.net"]).stdin(message).run();
        sent.exit(0).stderr("");
        // The real program would go on to look for the server.
        let args = parse(&["postie", "fetch", "--config", path.to_str().unwrap()]).unwrap();
        let Command::Fetch(fetch) = &args.command else { panic!("{args:?}") };
        let settings = Settings::load(&args.global, &fetch.one_off).unwrap();
        assert_eq!(settings.fetch_jobs(fetch).unwrap().len(), 1, "{text}");
    }
}

#[test]
fn its_commands_parse() {
    let readme = readme();
    let mut lines: Vec<String> = ["sh", "ini", "crontab"]
        .iter()
        .flat_map(|language| blocks(&readme, language))
        .flat_map(|block| block.lines().map(str::to_owned).collect::<Vec<_>>())
        .collect();
    lines.extend(spans(&readme));
    let commands: Vec<_> = lines.iter().filter_map(|line| command(line)).collect();
    assert!(commands.len() > 15, "{commands:#?}");
    for command in commands {
        // A bare name is the program's, not a command.
        if command.len() > 1 {
            parse(&command).unwrap_or_else(|error| panic!("{command:?}: {error}"));
        }
    }
}

#[test]
fn its_exit_statuses_are_those_of_the_program() {
    let readme = readme();
    let (_, table) = readme.split_once("## Exit status").unwrap();
    let rows = table.split("\n## ").next().unwrap().lines().filter(|line| line.starts_with("| "));
    let found: Vec<_> = rows.skip(2).map(str::to_owned).collect();
    let row = |(_, status, word, meaning)| format!("| {status} | {word} | {meaning} |");
    assert_eq!(found, Exit::TABLE.map(row));
}

#[test]
fn the_files_it_names_are_there() {
    let readme = readme();
    let links = readme.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let links = links.filter(|link| !link.starts_with("https://"));
    let is_ours = |word: &&str| {
        ["src/", "tests/", "man/", "completions/", ".ci/"].iter().any(|dir| word.starts_with(dir))
    };
    let words = readme.split(|c: char| c.is_whitespace() || "`()".contains(c)).filter(is_ours);
    let names: Vec<_> = links.chain(words).collect();
    assert!(names.len() > 8, "{names:?}");
    for name in names {
        let (dir, pattern) = name.split_once('*').unwrap_or((name, ""));
        let is_there = Path::new(dir).exists()
            && (pattern.is_empty()
                || fs::read_dir(dir)
                    .unwrap()
                    .any(|entry| entry.unwrap().path().to_string_lossy().ends_with(pattern)));
        assert!(is_there, "{name}");
    }
}

fn readme() -> String {
    fs::read_to_string("README.md").unwrap()
}

/// The fenced blocks in a language.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let fence = format!("\n```{language}\n");
    let starts = text.split(&fence).skip(1);
    starts.map(|rest| rest.split("\n```\n").next().unwrap().to_owned() + "\n").collect()
}

/// What stands between backticks in the running text.
fn spans(text: &str) -> Vec<String> {
    let prose: Vec<_> = text.split("```").step_by(2).collect();
    let spans = prose.iter().flat_map(|prose| prose.split('`').skip(1).step_by(2));
    spans.map(|span| span.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

/// The words of a call of the program within a line for the shell, if there is one.
pub fn command(line: &str) -> Option<Vec<String>> {
    let words = words(line);
    // To make a link runs nothing.
    if words.iter().any(|word| word == "ln") {
        return None;
    }
    let is_program = |word: &String| word == "postie" || word.ends_with("/postie");
    // Its name may also be that of a user, and the end of a path, before.
    let at = words.iter().rposition(is_program)?;
    let is_end = |word: &&String| ["<", "|", "#", ")"].contains(&word.as_str());
    let arguments = words.iter().skip(at + 1).take_while(|word| !is_end(word));
    let arguments = arguments.filter(|word| *word != "2>&1");
    Some(std::iter::once("postie".to_owned()).chain(arguments.cloned()).collect())
}

/// Words as the shell divides them, as far as this needs it.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut quoted) = (vec![String::new()], false);
    for c in line.chars() {
        match c {
            '"' => quoted = !quoted,
            ' ' | '=' if !quoted => words.push(String::new()),
            ')' if !quoted => words.extend([")".to_owned(), String::new()]),
            _ => words.last_mut().unwrap().push(c),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

pub fn parse<T: AsRef<str>>(words: &[T]) -> Result<Args, clap::Error> {
    Args::try_parse_from(words.iter().map(AsRef::as_ref))
}
