//! `postie` brings your mail and takes it away: `postie fetch` (POP3 to a Maildir),
//! `postie send` (authenticated SMTP submission), and `postie check` when either does not work.
//! Blocking, synchronous, no daemon.
//!
//! This library is the program's, split off for its doctests and generators. It is not an API:
//! nothing in it is promised to anybody from one version to the next.
//!
//! # The house
//!
//! A run goes through it from top to bottom, and no module imports one from a storey above:
//!
//! ```text
//! main                     one command, one exit status
//! fetch send queue check   the commands, each a room of its own, readable in one sitting
//! import
//! submission               a message with its envelope, from account to outcome
//! way                      what all do first: reach a server
//! report                   what a person, a script or nobody gets to see
//! advice                   what to try next, as far as it is known
//! error                    every way a run can fail, the status of each, the line that says so
//! settings                 command line + file + environment -> FetchJob | SendJob
//! cli  config  password    what was typed, what was written, what is secret
//!
//! token                    access tokens by OAuth 2.0: kept, renewed, once for all runs
//! oauth                    requests to an authorization server and its answers, as values
//!
//! pop3  smtp               sessions: the protocols as typestates
//! http                     one request and its response, over a private stream
//! tls  net                 streams: verified or on this machine, and every wait in bounds
//! providers                what is known of mail providers
//! autoconfig  dns          what providers say of themselves, in XML and in the DNS
//! wire                     the only buffer; a command and the meaning of its answer in one value
//! dot  sasl                octets in and out of a message on the wire; who logs in, and how
//!
//! compose  message         a message from its parts; any message in canonical form
//! store                    Maildir and journal: delivery exactly once; what waits to be sent
//!
//! program                  what is run: its time, its answer, and its end
//! ownership                whose a file or a port is, who may write to it and who may read it
//! text  limits             what was parsed once and cannot be wrong; every bound, by name
//! ```
//!
//! # What the compiler sees to
//!
//! - Nobody logs in on a stream that others can read: `login` and `auth` want a stream that is
//!   [`wire::Private`], which a bare [`net::Tcp`] is not.
//! - Nothing is sent without a login: [`smtp::Session::submit`](smtp::Session) exists only after
//!   AUTH was accepted.
//! - Nothing is deleted that is not safe: what [`pop3::Session`] deletes is made from
//!   [`store::Saved`], and only the journal, or a delivery that went all the way to the disk,
//!   makes one.
//! - Nothing that was said before TLS counts after it: the way to a stream's inside is
//!   [`wire::Wire::into_stream`], which fails if the peer spoke too soon.
//! - No command has a line end inside: [`wire::Command`] is made of words that were parsed.
//!
//! # What the disk sees to
//!
//! A batch of messages is written to `tmp/`, synced, named in the journal, synced, renamed to
//! `new/`, synced, and only then deleted from the server. Whatever cuts this off, the next run
//! finds out from journal and Maildir how far it went. [`store`] has the details.
//!
//! A message that is to wait if it cannot be sent is in the outbox before a connection is made, and
//! the outbox knows when its last octets leave and what the server said to them. Whatever cuts this
//! off, the next run sends it to those who do not have it. [`store::outbox`] has the details.
//!
//! # Threads
//!
//! One for each account that is fetched from, up to a number, and beside it one that makes its
//! messages safe while the next stream in. Three short-lived kinds: those that wait together for
//! the disk to have a large batch; a name's look-up, which the system cannot be asked to give up;
//! and one for each of a host's addresses, which race (RFC 8305) or are asked by a check. And one
//! that waits for signals, to end what waits for a peer. At a terminal the progress bars' own one
//! draws what a step waits for.
#![forbid(unsafe_code)]

pub mod autoconfig;
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
pub mod sasl;
pub mod send;
pub mod settings;
pub mod setup;
pub mod smtp;
pub mod store;
pub mod submission;
pub mod text;
pub mod tls;
pub mod token;
pub mod wire;
