//! One test crate: everything the library's own unit tests cannot show.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test that meets the unexpected should stop there and say so"
)]

mod assets;
mod check;
mod cli;
mod config;
mod crash;
mod dripping;
mod import;
mod injected_words;
mod install;
mod interop;
mod language;
mod layers;
mod least_surprise;
mod logins;
mod many_accounts;
mod oauth;
mod outbox;
mod ownership;
mod parsed;
mod programs;
mod proof;
mod properties;
mod readme;
mod relays;
mod round_trip;
mod sendmail;
mod sent;
mod servers;
mod setup;
mod side_by_side;
mod support;
mod switched_users;
mod terminal;
mod transcripts;
