//! Who may import whom. The table is the architecture; a line that has to be added to it is a
//! change of the architecture, and should be looked at as one.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// A module and the modules that it may name. `limits` is for all, and for none of their own.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("install", &["bounded", "cli", "error", "ownership", "report", "settings"]),
    (
        "fetch",
        &[
            "config", "error", "net", "password", "pop3", "program", "report", "settings", "store",
            "text", "connect", "wire",
        ],
    ),
    (
        "send",
        &[
            "cli",
            "compose",
            "dot",
            "error",
            "message",
            "net",
            "ownership",
            "report",
            "settings",
            "smtp",
            "store",
            "submission",
            "submit_frame",
            "text",
            "connect",
        ],
    ),
    (
        "queue",
        &[
            "cli",
            "error",
            "message",
            "net",
            "password",
            "report",
            "settings",
            "smtp",
            "store",
            "submission",
            "text",
        ],
    ),
    (
        "submit_server",
        &[
            "cli",
            "error",
            "message",
            "net",
            "ownership",
            "report",
            "settings",
            "smtp",
            "store",
            "submission",
            "submit_frame",
            "text",
        ],
    ),
    (
        "submission",
        &[
            "compose",
            "config",
            "error",
            "message",
            "net",
            "ownership",
            "password",
            "report",
            "settings",
            "smtp",
            "store",
            "text",
            "connect",
            "wire",
        ],
    ),
    (
        "check",
        &[
            "cli",
            "config",
            "discovery",
            "error",
            "net",
            "report",
            "settings",
            "steps",
            "text",
            "tls",
        ],
    ),
    (
        "setup",
        &[
            "cli",
            "config",
            "discovery",
            "error",
            "net",
            "report",
            "settings",
            "steps",
            "text",
            "tls",
        ],
    ),
    (
        "steps",
        &[
            "hints", "config", "error", "net", "password", "pop3", "report", "sasl", "settings",
            "smtp", "store", "text", "tls", "token", "connect", "wire",
        ],
    ),
    (
        "discovery",
        &[
            "autoconfig",
            "bounded",
            "config",
            "dns",
            "error",
            "http",
            "net",
            "providers",
            "report",
            "settings",
            "text",
            "tls",
        ],
    ),
    (
        "login",
        &[
            "cli", "error", "net", "oauth", "password", "report", "settings", "steps", "text",
            "token",
        ],
    ),
    (
        "import",
        &["bounded", "cli", "config", "error", "ownership", "report", "settings", "store", "text"],
    ),
    (
        "connect",
        &["error", "net", "ownership", "report", "settings", "submit_frame", "tls", "wire"],
    ),
    ("report", &["hints", "cli", "error", "net", "submit_frame", "text", "token", "wire"]),
    (
        "hints",
        &[
            "config",
            "error",
            "net",
            "ownership",
            "password",
            "pop3",
            "providers",
            "sasl",
            "settings",
            "smtp",
            "store",
            "submit_frame",
            "tls",
            "token",
            "wire",
        ],
    ),
    (
        "error",
        &[
            "compose",
            "config",
            "dns",
            "http",
            "message",
            "net",
            "ownership",
            "password",
            "pop3",
            "sasl",
            "settings",
            "smtp",
            "store",
            "submit_frame",
            "text",
            "tls",
            "token",
            "wire",
        ],
    ),
    (
        "settings",
        &[
            "cli",
            "config",
            "net",
            "oauth",
            "ownership",
            "password",
            "run_id",
            "sasl",
            "store",
            "text",
            "tls",
            "token",
        ],
    ),
    ("password", &["bounded", "config", "ownership", "program", "sasl", "text", "token"]),
    ("providers", &["config"]),
    ("autoconfig", &["config", "text"]),
    ("dns", &["text"]),
    ("cli", &["config", "text"]),
    ("config", &["bounded", "oauth", "ownership", "sasl", "text", "tls"]),
    ("token", &["http", "net", "oauth", "store", "text", "tls", "wire"]),
    ("oauth", &["http", "text"]),
    ("pop3", &["sasl", "store", "text", "wire"]),
    ("smtp", &["sasl", "text", "wire"]),
    ("http", &["text", "wire"]),
    ("tls", &["bounded", "net", "ownership", "text", "wire"]),
    ("net", &["ownership", "program", "text", "wire"]),
    ("sasl", &["text"]),
    ("wire", &["dot"]),
    ("dot", &[]),
    ("compose", &["message", "text"]),
    ("message", &["text"]),
    ("store", &["bounded", "ownership", "program", "run_id", "text"]),
    ("submit_frame", &["text"]),
    ("program", &["bounded"]),
    ("bounded", &[]),
    ("ownership", &["text"]),
    ("memory", &[]),
    ("run_id", &[]),
    ("text", &[]),
    ("limits", &[]),
];

/// What belongs to one module, or a few, and may not be named elsewhere.
const HOMES: &[(&str, &[&str])] = &[
    ("rustls", &["tls"]),
    ("webpki_roots", &["tls"]),
    ("x509_cert", &["tls"]),
    ("rustls_native_certs", &["tls"]),
    ("rustls_pemfile", &["tls"]),
    ("aws_lc_rs", &["install", "oauth", "sasl", "store", "tls"]),
    ("socket2", &["net"]),
    ("stringprep", &["sasl"]),
    ("signal_hook", &["main"]),
    ("indicatif", &["report"]),
    ("clap", &["cli", "main"]),
    ("toml", &["config"]),
    ("ureq_proto", &["http"]),
    ("simple_dns", &["dns"]),
    ("roxmltree", &["autoconfig"]),
    ("serde", &["config", "fetch", "queue", "report", "steps", "submission", "text"]),
    (
        "serde_json",
        &[
            "steps",
            "discovery",
            "fetch",
            "import",
            "install",
            "login",
            "oauth",
            "queue",
            "report",
            "send",
            "setup",
            "store",
            "submission",
        ],
    ),
    ("strsim", &["config"]),
    ("mail_builder", &["compose"]),
    ("idna", &["text"]),
    ("base64", &["message", "oauth", "sasl", "wire"]),
    ("memchr", &["dot", "message", "pop3", "smtp", "store", "wire"]),
    ("nix", &["ownership"]),
    ("jiff", &["run_id", "store", "token"]),
    ("getrandom", &["discovery", "login", "password", "run_id"]),
    (
        "rustix",
        &[
            "login",
            "memory",
            "net",
            "ownership",
            "password",
            "program",
            "run_id",
            "settings",
            "store",
        ],
    ),
    (
        "std::net",
        &[
            "steps",
            "cli",
            "config",
            "discovery",
            "import",
            "login",
            "net",
            "ownership",
            "settings",
            "text",
            "tls",
        ],
    ),
    (
        "std::fs",
        &[
            "bounded",
            "compose",
            "config",
            "discovery",
            "import",
            "install",
            "message",
            "ownership",
            "password",
            "program",
            "store",
            "tls",
        ],
    ),
    (
        "std::process",
        &["config", "main", "net", "password", "program", "run_id", "store", "submit_server"],
    ),
    ("std::env", &["main", "report", "settings"]),
    ("std::time::Instant", &["net", "program", "report"]),
    (
        "std::thread",
        &[
            "fetch",
            "login",
            "main",
            "net",
            "password",
            "program",
            "queue",
            "store",
            "submit_server",
            "token",
        ],
    ),
];

#[test]
fn no_module_imports_upward_or_sideways() {
    let mut wrong = Vec::new();
    for (module, file, code) in sources() {
        if matches!(module.as_str(), "main" | "lib") {
            continue;
        }
        let Some((_, allowed)) = MAY_IMPORT.iter().find(|(name, _)| *name == module) else {
            wrong.push(format!("{}: `{module}` is not in the table", file.display()));
            continue;
        };
        for named in imports(&code) {
            let is_own = named == module || named == "limits";
            if !is_own && !allowed.contains(&named.as_str()) {
                wrong.push(format!("{}: `{module}` imports `{named}`", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn the_table_allows_nothing_that_is_not_used() {
    let mut used = BTreeMap::<String, BTreeSet<String>>::new();
    for (module, _, code) in sources() {
        used.entry(module).or_default().extend(imports(&code));
    }
    for (module, allowed) in MAY_IMPORT {
        for name in *allowed {
            assert!(used[*module].contains(*name), "`{module}` does not import `{name}` any more");
        }
    }
}

#[test]
fn what_has_a_home_is_not_named_elsewhere() {
    let mut wrong = Vec::new();
    for (module, file, code) in sources() {
        for (name, homes) in HOMES {
            let is_named = names(&code).any(|path| is_below(path, name));
            if is_named && !homes.contains(&module.as_str()) {
                wrong.push(format!("{}: `{name}` is at home in {homes:?}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn no_circle_is_in_the_table() {
    fn reaches(from: &str, to: &str) -> bool {
        let row = MAY_IMPORT.iter().find(|(name, _)| *name == from);
        row.is_some_and(|(_, below)| below.iter().any(|name| *name == to || reaches(name, to)))
    }
    for (module, _) in MAY_IMPORT {
        assert!(!reaches(module, module), "`{module}` depends on itself");
    }
}

/// Every source file: its top module, its path, and its code up to its unit tests.
fn sources() -> Vec<(String, PathBuf, String)> {
    let mut found = Vec::new();
    let mut dirs = vec![PathBuf::from("src")];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                dirs.push(path);
            } else if path.file_name().is_some_and(|name| name != "tests.rs") {
                let code = fs::read_to_string(&path).unwrap();
                let code = code.split("#[cfg(test)]\nmod tests").next().unwrap().to_owned();
                found.push((top(&path), path, code));
            }
        }
    }
    assert!(found.len() > 20, "src/ was not found");
    found
}

/// `src/pop3/reply.rs` belongs to `pop3`.
fn top(path: &Path) -> String {
    let first = path.components().nth(1).unwrap();
    Path::new(first.as_os_str()).file_stem().unwrap().to_string_lossy().into_owned()
}

/// The modules that code names by `crate::`.
fn imports(code: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (_, rest) in code.match_indices("crate::").map(|(at, word)| code.split_at(at + word.len()))
    {
        match rest.strip_prefix('{') {
            Some(group) => {
                let group = group.split('}').next().unwrap();
                found.extend(
                    group.split(',').map(str::trim).filter(|name| !name.is_empty()).map(first),
                );
            }
            None => drop(found.insert(first(rest))),
        }
    }
    found
}

fn first(path: &str) -> String {
    path.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// Whether a path is this one or goes on from it. What has no `::` is a crate only before one: a
/// variable may have the same name.
fn is_below(path: &str, name: &str) -> bool {
    path.strip_prefix(name).is_some_and(|rest| {
        let is_whole = !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_');
        rest.starts_with("::") || name.contains("::") && is_whole
    })
}

/// Where a path could begin in code that is not a comment.
fn names(code: &str) -> impl Iterator<Item = &str> {
    let lines = code.lines().map(|line| line.split("//").next().unwrap_or_default());
    lines.flat_map(|line| {
        let is_start = |at: usize| {
            let before = line.get(..at).unwrap_or_default();
            !before.ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':' || c == '.')
        };
        let starts = line.char_indices().map(|(at, _)| at).filter(move |&at| is_start(at));
        starts.filter_map(|at| line.get(at..))
    })
}
