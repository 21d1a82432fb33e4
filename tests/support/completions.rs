//! Completions for bash, zsh and fish, made from the command line's own definition. What only the
//! program knows, the names of accounts and the ids of queued messages, it is asked for:
//! `postie completions --list`.

use std::fmt::Write as _;

use clap::{Arg, Command, ValueHint};
use postie::install::PAGES;

/// What can stand in a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Candidates {
    Words(Vec<String>),
    /// What `postie completions --list` prints with this word.
    Listed(&'static str),
    Files,
    Directories,
    /// Nobody but the user knows.
    Unknown,
}

/// An option or flag.
pub struct Opt {
    pub names: Vec<String>,
    /// The placeholder and what can stand there; `None` for a flag.
    pub value: Option<(String, Candidates)>,
    pub help: String,
}

/// A command by its words, which are empty for the program itself: `fetch`, `queue remove`.
pub struct Node {
    pub words: String,
    pub options: Vec<Opt>,
    /// What follows the options, whether more than one may, and the help.
    pub argument: Option<(Candidates, bool, String)>,
    /// Names and what they do.
    pub commands: Vec<(String, String)>,
}

/// Every command that is not hidden, the program itself first.
pub fn nodes(program: &Command) -> Vec<Node> {
    let mut found = Vec::new();
    visit(program, "", &mut found);
    let names: Vec<_> = found[0].commands.iter().map(|(name, _)| name.clone()).collect();
    for node in &mut found {
        if node.words == "help" {
            node.argument = Some((Candidates::Words(names.clone()), false, "Command".to_owned()));
            node.commands.clear();
        }
    }
    found.retain(|node| !node.words.contains("help "));
    found
}

fn visit(command: &Command, words: &str, found: &mut Vec<Node>) {
    let shown = |arg: &&Arg| !arg.is_hide_set();
    let options = command.get_opts().chain(
        command
            .get_arguments()
            .filter(|arg| !arg.is_positional() && !arg.get_action().takes_values()),
    );
    let options = options.filter(shown).map(|arg| {
        let short = arg.get_short().map(|short| format!("-{short}"));
        let long = arg.get_long().map(|long| format!("--{long}"));
        let name = arg.get_value_names().and_then(<[_]>::first).map(ToString::to_string);
        let takes_value = arg.get_action().takes_values();
        let value = takes_value.then(|| (name.unwrap_or_default(), candidates(words, arg)));
        Opt { names: short.into_iter().chain(long).collect(), value, help: help(arg) }
    });
    let argument = command.get_positionals().find(shown).map(|arg| {
        let is_several = arg.get_num_args().is_some_and(|range| range.max_values() > 1);
        let is_several = is_several || matches!(arg.get_action(), clap::ArgAction::Append);
        (candidates(words, arg), is_several, help(arg))
    });
    let visible = || command.get_subcommands().filter(|command| !command.is_hide_set());
    let about = |command: &Command| command.get_about().map(ToString::to_string);
    found.push(Node {
        words: words.to_owned(),
        options: options.collect(),
        argument,
        commands: visible()
            .map(|command| (command.get_name().to_owned(), about(command).unwrap_or_default()))
            .collect(),
    });
    for command in visible() {
        visit(command, format!("{words} {}", command.get_name()).trim_start(), found);
    }
}

fn help(arg: &Arg) -> String {
    let text = arg.get_help().map(ToString::to_string).unwrap_or_default();
    text.replace(" (see more with '--help')", "")
}

fn candidates(words: &str, arg: &Arg) -> Candidates {
    let list = |words: &[&str]| Candidates::Words(words.iter().map(ToString::to_string).collect());
    let possible = arg.get_possible_values();
    if !possible.is_empty() {
        let names = possible.iter().map(|value| value.get_name().to_owned());
        return Candidates::Words(names.collect());
    }
    match (words, arg.get_id().as_str()) {
        // That one is to be new.
        ("setup", "account") => Candidates::Unknown,
        (_, "account" | "accounts") => Candidates::Listed("accounts"),
        ("queue remove", "ids") => Candidates::Listed("messages"),
        (_, "keep") => list(&["forever", "none", "30d"]),
        (_, "dsn_notify") => list(&["never", "success", "failure", "delay"]),
        (_, "dsn_return") => list(&["full", "hdrs"]),
        ("man", "page") => {
            let names = PAGES.iter().filter_map(|(file, _)| file.rsplit_once('.'));
            let names = names.map(|(name, _)| name.trim_start_matches("postie-").to_owned());
            Candidates::Words(names.collect())
        }
        _ => match arg.get_value_hint() {
            ValueHint::FilePath => Candidates::Files,
            ValueHint::DirPath => Candidates::Directories,
            _ => Candidates::Unknown,
        },
    }
}

/// Patterns of the options that take a value, with their commands: `*:` for any, unless it is a flag
/// of another one.
fn with_value(nodes: &[Node]) -> Vec<String> {
    let all = || nodes.iter().flat_map(|node| node.options.iter().map(move |it| (node, it)));
    let is_flag = |name: &String| {
        all().any(|(_, option)| option.value.is_none() && option.names.contains(name))
    };
    let mut patterns = Vec::new();
    for (node, option) in all().filter(|(_, option)| option.value.is_some()) {
        let command = |name| if is_flag(name) { node.words.as_str() } else { "*" };
        patterns.extend(option.names.iter().map(|name| format!("{}:{name}", command(name))));
    }
    patterns.sort_unstable();
    patterns.dedup();
    patterns
}

/// For each kind of candidates, the options of each command whose values they are.
fn by_value(nodes: &[Node]) -> Vec<(&Candidates, Vec<String>)> {
    let mut found: Vec<(&Candidates, Vec<String>)> = Vec::new();
    for node in nodes {
        for option in &node.options {
            let Some((_, candidates)) = &option.value else { continue };
            let places = option.names.iter().map(|name| format!("{}:{name}", node.words));
            match found.iter_mut().find(|(known, _)| *known == candidates) {
                Some((_, known)) => known.extend(places),
                None => found.push((candidates, places.collect())),
            }
        }
    }
    found
}

/// The script for bash.
pub fn bash(program: &Command) -> String {
    let nodes = nodes(program);
    let action = |candidates: &Candidates| match candidates {
        Candidates::Words(words) => format!("offer {}", words.join(" ")),
        Candidates::Listed(what) => format!("list {what}"),
        Candidates::Files => "files -f".to_owned(),
        Candidates::Directories => "files -d".to_owned(),
        Candidates::Unknown => ":".to_owned(),
    };
    let mut text = format!(
        "# Completions of postie for bash. Names of accounts and ids of messages are asked of postie.

_postie() {{
    local program=$1 cur=$2 prev=$3 command= skip= word i
    COMPREPLY=()
    # bash makes a word of the sign in --option=value.
    [[ $cur == = ]] && cur=
    [[ $prev == = ]] && prev=${{COMP_WORDS[COMP_CWORD - 2]}}
    for ((i = 1; i < COMP_CWORD; i++)); do
        word=${{COMP_WORDS[i]}}
        if [[ $skip ]]; then
            [[ $word == = ]] || skip=
            continue
        fi
        case $command:$word in
        {}) skip=1 ;;
        *:-*) ;;
        *) case $command in '' | queue) command=\"${{command:+$command }}$word\" ;; esac ;;
        esac
    done
    case $command:$prev in
",
        with_value(&nodes).join("|").replace(' ', "\\ ")
    );
    for (candidates, places) in by_value(&nodes) {
        let places: Vec<_> = places.iter().map(|place| place.replace(' ', "\\ ")).collect();
        writeln!(text, "    {}) _postie_{}; return ;;", places.join("|"), action(candidates))
            .unwrap();
    }
    text += "    esac\n    case $command in\n";
    for node in &nodes {
        let names = node.options.iter().flat_map(|option| &option.names);
        let options = names.map(String::as_str).collect::<Vec<_>>().join(" ");
        let arguments = match (&node.argument, node.commands.as_slice()) {
            (Some((candidates, ..)), _) => format!("_postie_{}", action(candidates)),
            (None, []) => "_postie_:".to_owned(),
            (None, commands) => {
                let names = commands.iter().map(|(name, _)| name.as_str());
                format!("_postie_offer {}", names.collect::<Vec<_>>().join(" "))
            }
        };
        let pattern = if node.words.is_empty() { "''" } else { &node.words.replace(' ', "\\ ") };
        write!(
            text,
            "    {pattern})\n        if [[ $cur == -* ]]; then\n            _postie_offer {options}\n        \
             else\n            {arguments}\n        fi\n        ;;\n"
        )
        .unwrap();
    }
    text += "    esac
}

# What follows uses the variables of _postie.

_postie_offer() {
    local word
    for word; do
        [[ $word == \"$cur\"* ]] && COMPREPLY+=(\"$word\")
    done
}

_postie_list() {
    local name
    # No word of the answer is expanded: printf quotes it for the command line.
    while IFS= read -r name; do
        [[ $name == \"$cur\"* ]] && COMPREPLY+=(\"$(printf %q \"$name\")\")
    done < <(\"${program/#\\~/$HOME}\" completions --list \"$1\" 2>/dev/null)
}

_postie_files() {
    local name
    while IFS= read -r name; do
        COMPREPLY+=(\"$name\")
    done < <(compgen \"$1\" -- \"$cur\")
    compopt -o filenames 2>/dev/null
}

complete -F _postie postie
";
    text.replace("_postie_:", ":")
}

/// The script for fish.
pub fn fish(program: &Command) -> String {
    let nodes = nodes(program);
    let mut text = format!(
        "# Completions of postie for fish. Names of accounts and ids of messages are asked of postie.

# Prints the command so far, without options and arguments.
function __postie_command
    set -l words (commandline -opc)
    set -l command
    set -l skip
    for word in $words[2..]
        if test -n \"$skip\"
            set skip
            continue
        end
        switch \"$command:$word\"
            case {}
                set skip 1
            case '*:-*'
            case '*'
                if test -z \"$command\" -o \"$command\" = queue
                    set -a command $word
                end
        end
    end
    echo \"$command\"
end

function __postie_is
    test (__postie_command) = \"$argv\"
end

function __postie_list
    set -l words (commandline -opc)
    $words[1] completions --list $argv 2>/dev/null
end

complete -c postie -f
",
        with_value(&nodes).iter().map(|pattern| format!("'{pattern}'")).collect::<Vec<_>>().join(" ")
    );
    let quote = |text: &str| format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"));
    let action = |candidates: &Candidates| match candidates {
        Candidates::Words(words) => format!(" -x -a {}", quote(&words.join(" "))),
        Candidates::Listed(what) => format!(" -x -a '(__postie_list {what})'"),
        Candidates::Files => " -r -F".to_owned(),
        Candidates::Directories => " -x -a '(__fish_complete_directories)'".to_owned(),
        Candidates::Unknown => " -x".to_owned(),
    };
    for node in &nodes {
        let condition = quote(format!("__postie_is {}", node.words).trim_end());
        let mut line =
            |rest: &str| writeln!(text, "complete -c postie -n {condition}{rest}").unwrap();
        for (name, about) in &node.commands {
            line(&format!(" -a {name} -d {}", quote(about)));
        }
        for Opt { names, value, help } in &node.options {
            let names =
                names.iter().fold(String::new(), |line, name| match name.strip_prefix("--") {
                    Some(long) => format!("{line} -l {long}"),
                    None => format!("{line} -s {}", name.trim_start_matches('-')),
                });
            let action = value.as_ref().map(|(_, candidates)| action(candidates));
            line(&format!("{names}{} -d {}", action.unwrap_or_default(), quote(help)));
        }
        if let Some((candidates, ..)) = &node.argument {
            let action = match candidates {
                Candidates::Files => " -F".to_owned(),
                Candidates::Unknown => continue,
                other => action(other).replacen(" -x", "", 1),
            };
            line(&action);
        }
    }
    text
}

/// The script for zsh.
pub fn zsh(program: &Command) -> String {
    let nodes = nodes(program);
    let mut text = "#compdef postie
# Completions of postie for zsh. Names of accounts and ids of messages are asked of postie.

_postie_list() {
    local -a names
    names=(\"${(@f)$($program completions --list $1 2>/dev/null)}\")
    shift
    compadd \"$@\" -a names
}

_postie_accounts() { _postie_list accounts \"$@\" }

_postie_messages() { _postie_list messages \"$@\" }
"
    .to_owned();
    let action = |candidates: &Candidates| match candidates {
        Candidates::Words(words) => format!("({})", words.join(" ")),
        Candidates::Listed(what) => format!("_postie_{what}"),
        Candidates::Files => "_files".to_owned(),
        Candidates::Directories => "_files -/".to_owned(),
        Candidates::Unknown => " ".to_owned(),
    };
    let escape = |text: &str| {
        text.replace('\\', "\\\\")
            .replace('[', "\\[")
            .replace(']', "\\]")
            .replace(':', "\\:")
            .replace('\'', "'\\''")
    };
    for node in &nodes {
        let function = format!("_postie {}", node.words).trim_end().replace(' ', "_");
        let head = if node.words.is_empty() { " program=$words[1]" } else { "" };
        writeln!(text, "\n{function}() {{\n    local{head} curcontext=$curcontext state line")
            .unwrap();
        text += "    typeset -A opt_args\n    _arguments -s -S -C";
        for Opt { names, value, help } in &node.options {
            // A name excludes the other of the same option; -v may be repeated.
            let is_repeated = help.contains("-vv") || value.is_some();
            for name in names {
                let star = if is_repeated { "*" } else { "" };
                let others =
                    if is_repeated { String::new() } else { format!("({})", names.join(" ")) };
                let (sign, value) = match value {
                    None => ("", String::new()),
                    Some((place, candidates)) => {
                        let sign = if name.starts_with("--") { "=" } else { "+" };
                        (sign, format!(":{}:{}", escape(place), action(candidates)))
                    }
                };
                write!(text, " \\\n        '{others}{star}{name}{sign}[{}]{value}'", escape(help))
                    .unwrap();
            }
        }
        match (&node.argument, node.commands.is_empty()) {
            (Some((candidates, is_several, help)), _) => {
                let star = if *is_several { "*" } else { "" };
                write!(text, " \\\n        '{star}:{}:{}'", escape(help), action(candidates))
                    .unwrap();
                text += "\n}\n";
            }
            (None, true) => text += "\n}\n",
            (None, false) => {
                text += " \\\n        '1: :->command' \\\n        '*:: :->rest' && return\n";
                text += "    case $state in\n    command)\n        local -a commands=(";
                for (name, about) in &node.commands {
                    write!(text, "\n            '{name}:{}'", about.replace('\'', "'\\''"))
                        .unwrap();
                }
                text += "\n        )\n        _describe command commands\n        ;;\n    rest)\n";
                text += "        case $line[1] in\n";
                for (name, _) in &node.commands {
                    writeln!(text, "        {name}) {function}_{name} ;;").unwrap();
                }
                text += "        esac\n        ;;\n    esac\n}\n";
            }
        }
    }
    text + "\nif [[ $funcstack[1] == _postie ]]; then\n    _postie \"$@\"\nelse\n    compdef _postie postie\nfi\n"
}
