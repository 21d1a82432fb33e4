//! What the tests share: a way to run the program, servers to run it against.

pub mod authorization;
pub mod completions;
pub mod courier;
pub mod cyrus;
pub mod dovecot;
pub mod exim;
pub mod mailbox;
pub mod maildrop;
pub mod mailutils;
pub mod mpop;
pub mod names;
pub mod pki;
pub mod player;
pub mod pop3;
pub mod postfix;
pub mod postie;
pub mod server;
pub mod servers;
pub mod sink;
pub mod submit_service;
pub mod transcript;
pub mod unpacked;
pub mod version_1;
pub mod web;
