//! Completions in the real shells, each without a person: what is offered for a line that is typed
//! up to its end.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::postie::Home;
use crate::support::servers::is_installed;

const CONFIG: &str = "[account.home]\nserver = \"127.0.0.1:1\"\nuser = \"ann@example.com\"\n\
                      password = \"not-a-secret\"\nsend.queue = true\n\
                      [account.work]\nserver = \"127.0.0.1:1\"\nuser = \"ann@example.org\"\n\
                      password = \"not-a-secret\"\n\
                      [account.\"$(touch evil)\"]\nserver = \"127.0.0.1:1\"\nuser = \"eve@example.org\"\n";

/// A home with accounts and a message that waits, and its id.
fn home() -> (Home, String) {
    let home = Home::new();
    home.config(CONFIG);
    let send = home.postie(["send", "-a", "home", "bob@example.net"]).stdin("Subject: x\n\nx\n");
    send.run().exit(0);
    let waiting = home.files(".local/state/postie/outbox/waiting");
    let [entry] = waiting.as_slice() else { panic!("{waiting:?}") };
    let id = entry.file_name().unwrap().to_str().unwrap().to_owned();
    (home, id)
}

/// What a shell says to a script, line by line, sorted.
fn said(home: &Home, shell: &str, args: &[&str]) -> Vec<String> {
    let bin = Path::new(env!("CARGO_BIN_EXE_postie")).parent().unwrap();
    let output = Command::new(shell)
        .args(args)
        .env_clear()
        .env("HOME", home.path())
        .env("PATH", format!("{}:/usr/bin:/bin", bin.display()))
        .env("TERM", "dumb")
        .env("REPOSITORY", env!("CARGO_MANIFEST_DIR"))
        .current_dir(home.path())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let mut lines: Vec<_> = text.lines().map(|line| line.trim().to_owned()).collect();
    lines.retain(|line| !line.is_empty());
    lines.sort();
    lines.dedup();
    assert!(!home.path().join("evil").exists(), "{shell} ran the name of an account");
    lines
}

/// As bash calls a completion function: words, divided at an equals sign, and the place of the last.
fn by_bash(home: &Home, line: &str) -> Vec<String> {
    const SCRIPT: &str = r#"
        source "$REPOSITORY/completions/postie.bash"
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
        _postie "$1" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}" 2>/dev/null
        printf '%s\n' "${COMPREPLY[@]}"
    "#;
    let divided = line.replace('=', " = ");
    let words = divided.split(' ').collect::<Vec<_>>();
    let args = [&["-c", SCRIPT, "bash"], words.as_slice()].concat();
    said(home, "bash", &args)
}

/// A shell at a terminal of its own, with every candidate printed in place of being offered.
fn by_zsh(home: &Home, line: &str) -> Vec<String> {
    const SCRIPT: &str = r#"
        zmodload zsh/zpty
        zpty shell zsh -f -i
        zpty -w shell 'fpath=("$REPOSITORY/completions" $fpath)'
        zpty -w shell 'autoload -Uz compinit && compinit -u -C'
        zpty -w shell 'compadd() {
            local -a found
            [[ ${argv[(r)-[OAD]]} ]] || { builtin compadd -O found "$@"
            for word in $found; do print -r "<<$word>>" >> offered; done }
            builtin compadd "$@" }'
        zpty -w shell 'finish() { print -r finished >> offered }; zle -N finish'
        zpty -w shell "bindkey '^X' complete-word; bindkey '^Y' finish; print re''ady"
        zpty -r shell answer '*ready*'
        zpty -n -w shell "$1"$'\C-X\C-Y'
        for i in {1..200}; do grep -q finished offered 2>/dev/null && break; sleep 0.05; done
        zpty -d shell
        sed -n 's/^<<\(.*\)>>$/\1/p' offered
    "#;
    drop(fs::remove_file(home.path().join("offered")));
    said(home, "zsh", &["-f", "-c", SCRIPT, "zsh", line])
}

fn by_fish(home: &Home, line: &str) -> Vec<String> {
    const SCRIPT: &str = "source $REPOSITORY/completions/postie.fish
        complete -C \"$argv\" | string split -m1 -f1 \\t";
    let script = format!("set argv '{line}'\n{SCRIPT}");
    said(home, "fish", &["--no-config", "-c", &script])
}

/// Whether all of `expected` are offered, and nothing that is not meant to be.
fn check(shell: &str, complete: fn(&Home, &str) -> Vec<String>) {
    if !is_installed(shell) {
        return;
    }
    let (home, id) = home();
    home.file("a-file", "");
    let offers = |line: &str, expected: &[&str], not: &[&str]| {
        let found = complete(&home, line);
        for word in expected {
            assert!(found.iter().any(|it| it == word), "{shell}: {line}: {word} in {found:?}");
        }
        for word in not {
            assert!(found.iter().all(|it| it != word), "{shell}: {line}: {word} in {found:?}");
        }
    };
    offers("postie ", &["fetch", "setup", "help"], &["a-file", "version", "ls"]);
    for command in ["fetch", "check", "login", "send -a", "send --account"] {
        let line = format!("postie {command} ");
        offers(&line, &["home", "work"], &["a-file", "ls", "fetch"]);
    }
    offers("postie fetch home ", &["work"], &["a-file"]);
    offers("postie fetch --keep none w", &["work"], &["home", "a-file"]);
    offers("postie queue ", &["flush", "remove"], &["a-file", "home"]);
    offers("postie queue remove ", &[&id], &["a-file", "home"]);
    offers("postie -c a-file fetch --tls ", &["implicit", "starttls", "none"], &["a-file", "ls"]);
    offers("postie fetch --keep ", &["forever", "none", "30d"], &["a-file"]);
    offers("postie send -R ", &["full", "hdrs"], &["a-file"]);
    offers("postie send --dsn-notify ", &["never", "delay"], &["a-file"]);
    offers("postie completions ", &["bash", "powershell"], &["a-file"]);
    offers("postie man ", &["config", "fetch"], &["a-file"]);
    offers("postie help ", &["fetch"], &["a-file"]);
    offers("postie import ", &["a-file"], &["home"]);
    offers("postie fetch --ca-file ", &["a-file"], &["home"]);
    offers("postie fetch --password-command ", &[], &["ls", "a-file", "home"]);
    offers("postie fetch --user ", &[], &["ls", "a-file", "home"]);
    offers("postie setup ", &[], &["ls", "a-file", "home"]);
    offers("postie setup --account ", &[], &["home"]);
    offers("postie fetch --d", &["--dry-run"], &["--dns", "--keep"]);
    offers("postie check --", &["--save", "--server", "--config"], &["--dns", "--connect-to"]);
    // What cannot be read offers nothing, and says nothing into the line.
    home.config("[acount.x]\n");
    offers("postie fetch ", &[], &["home"]);
}

#[test]
fn bash_completes_accounts_messages_and_values() {
    check("bash", by_bash);
    let (home, _) = home();
    assert_eq!(by_bash(&home, "postie fetch --tls=st"), ["starttls"]);
    assert_eq!(by_bash(&home, "postie send --account=w"), ["work"]);
    assert_eq!(by_bash(&home, "postie send --account=w --tls="), ["implicit", "none", "starttls"]);
    // As it has to stand on a command line.
    assert_eq!(by_bash(&home, "postie fetch $"), [r"\$\(touch\ evil\)"]);
}

#[test]
fn zsh_completes_accounts_messages_and_values() {
    check("zsh", by_zsh);
}

#[test]
fn fish_completes_accounts_messages_and_values() {
    check("fish", by_fish);
}
