//! One test crate: everything the library's own unit tests cannot show. Where a test goes:
//!
//! | what it shows | module |
//! | --- | --- |
//! | a conversation, line by line, also with a hostile server | `transcripts` (files in `tests/transcripts/`) |
//! | real servers and callers | `servers`, `interop`, `proof`, `sendmail`, `switched_users`, `round_trip` |
//! | kills, full disks, several runs at once | `crash`, `side_by_side`, `many_accounts` |
//! | local users who send without the password | `submission_service` |
//! | login, trust, OAuth 2.0 | `logins`, `certificates`, `oauth` |
//! | what waits in the outbox, what is kept of what was sent | `outbox`, `fallback`, `sent` |
//! | the command line, the configuration, owners of files | `cli`, `config`, `alias_file`, `ownership`, `memory`, `least_surprise`, `injected_words` |
//! | text of servers, messages and callers in any output | `untrusted_text` |
//! | a person at a terminal | `terminal`, `check`, `setup`, `newcomer` |
//! | other programs' configurations and parsers | `import`, `parsed` |
//! | programs that are run, connections through programs | `programs`, `relays` |
//! | slow servers | `dripping` |
//! | inputs drawn at random | `properties` |
//! | installation, man pages, completions, README, the words that users read, the source itself | `install`, `assets`, `completions`, `readme`, `recipes`, `texts`, `layers`, `language` |
//!
//! `support` has the servers, the transcript player and the way to run the program.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test that meets the unexpected should stop there and say so"
)]

mod alias_file;
mod assets;
mod certificates;
mod check;
mod cli;
mod completions;
mod config;
mod crash;
mod dripping;
mod fallback;
mod import;
mod injected_words;
mod install;
mod interop;
mod language;
mod layers;
mod least_surprise;
mod logins;
mod many_accounts;
mod memory;
mod newcomer;
mod oauth;
mod outbox;
mod ownership;
mod parsed;
mod programs;
mod proof;
mod properties;
mod readme;
mod recipes;
mod relays;
mod round_trip;
mod sendmail;
mod sent;
mod servers;
mod setup;
mod side_by_side;
mod submission_service;
mod support;
mod switched_users;
mod terminal;
mod texts;
mod transcripts;
mod untrusted_text;
