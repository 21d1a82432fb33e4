//! `postie` fetches mail by POP3 into a Maildir (`postie fetch`), submits mail by authenticated SMTP
//! (`postie send`), and finds out why either does not work (`postie check`). Blocking, no daemon.
//!
//! The library belongs to the program and exists for its doctests and generators. It is no API:
//! anything in it may change with any version.
//!
//! # Layers
//!
//! A module imports modules below it only; `tests/layers.rs` is the table that counts.
//!
//! ```text
//! main                     one command, one exit status
//! fetch  send  queue       the commands; none imports another
//! check  setup  login
//! import  install
//! submit_server
//! submission               a message with its envelope and job, from account to outcome
//! steps                    the steps of reaching a server: what check reports, setup and login walk
//! discovery                the servers of an address: where they are named, how far that is trusted
//! connect                  a connection to one server: name, TCP, TLS
//! report                   output for a terminal, for cron, and as JSON
//! hints                    the table of hints: situation, server, text
//! error                    the joined error, its exit status, its line
//! settings                 command line, file and environment become FetchJob and SendJob
//! cli  config  password    the command line, the configuration file, the sources of secrets
//!
//! token                    OAuth 2.0 tokens: stored, renewed once for all runs
//! oauth                    requests to an authorization server and its answers, as values
//!
//! pop3  smtp               sessions as typestates
//! http                     one request and its response over a private stream
//! tls  net                 streams: verified or on loopback, every wait bounded
//! providers                the table of mail providers
//! autoconfig  dns          answers of providers, in XML and DNS
//! wire                     the only buffer; a command and the meaning of its answer in one value
//! dot  sasl                dot-stuffing; SASL mechanisms
//!
//! compose  message         a message from its parts; the canonical form of a message
//! store                    Maildir, journal, outbox, tokens: what survives a crash
//!
//! program                  child processes: their time, their output, their end
//! bounded                  files that are read whole, or refused as too large
//! ownership                the owners of files and ports, and who else may use them
//! memory                   what keeps other processes from reading this one's memory
//! submit_frame             what a local user and the submission service say to each other
//! run_id                   a run's time, process, machine and random number, read once
//! text  limits             parsed values that cannot be invalid; every bound by name
//! ```
//!
//! `CONTRIBUTING.md` says which file a change goes to, and where its test goes.
//!
//! # What the compiler guarantees
//!
//! - Login needs a private stream: `login` and `auth` take a [`wire::Private`] stream, which a bare
//!   [`net::Tcp`] is not.
//! - Submission needs a login: [`smtp::Session::submit`](smtp::Session) exists only after AUTH was
//!   accepted.
//! - Deletion needs proof: DELE takes a [`pop3::Deletable`], which is made from [`store::Saved`], and
//!   only the store makes that: of a message that is durable, or that the journal proves.
//! - Data received before TLS is discarded: [`wire::Wire::into_stream`] is the only way to the stream
//!   below, and fails if anything is buffered.
//! - A command holds no line end: [`wire::Command`] is made of parsed words.
//!
//! # What the disk guarantees
//!
//! A batch of messages is written to `tmp/`, synced, named in the journal, synced, renamed to
//! `new/`, synced, and only then deleted from the server. After an interruption at any point the
//! next run learns from journal and Maildir how far it went ([`store`]).
//!
//! A message that may wait is in the outbox before a connection is made. The outbox records when its
//! last octets leave, and the server's replies. After an interruption the next run sends it to the
//! recipients that do not have it ([`store::outbox`]).
//!
//! # Threads
//!
//! - one for each account that is fetched at the same time ([`limits::ACCOUNTS`]), and beside it one
//!   that delivers its messages while the next ones arrive;
//! - one beside a run through the outbox, that locks the next messages and removes the files of those
//!   that were sent;
//! - short-lived ones: several that sync a large batch together; one for the look-up of a name, which
//!   the system does not let us cancel; one for each address of a host, which race (RFC 8305) or are
//!   tried by a check;
//! - one that waits for signals, and ends every wait for a peer;
//! - at a terminal, the progress bars' own.
#![forbid(unsafe_code)]

pub mod autoconfig;
pub mod bounded;
pub mod check;
pub mod cli;
pub mod compose;
pub mod config;
pub mod connect;
pub mod discovery;
pub mod dns;
pub mod dot;
pub mod error;
pub mod fetch;
pub mod hints;
pub mod http;
pub mod import;
pub mod install;
pub mod limits;
pub mod login;
pub mod memory;
pub mod message;
pub mod net;
pub mod oauth;
pub mod ownership;
pub mod password;
pub mod pop3;
pub mod program;
pub mod providers;
pub mod queue;
pub mod report;
pub mod run_id;
pub mod sasl;
pub mod send;
pub mod settings;
pub mod setup;
pub mod smtp;
pub mod steps;
pub mod store;
pub mod submission;
pub mod submit_frame;
pub mod submit_server;
pub mod text;
pub mod tls;
pub mod token;
pub mod wire;
