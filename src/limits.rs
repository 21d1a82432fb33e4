//! Every bound in one place, with the standard's own figure beside it. A peer can reach none of
//! them by accident; reaching one on purpose is an error, never a growing process.

use std::ops::RangeInclusive;
use std::time::Duration;

/// Octets in one reply line, line end included: RFC 2449 §4 asks for 512 (POP3), RFC 5321
/// §4.5.3.1.5 for 512 and RFC 4954 §4 for 12,288 when it carries a SASL challenge (SMTP).
pub const REPLY_LINE: usize = 12_288;

/// Octets in one SMTP reply, all lines together; the standard has no figure.
pub const REPLY: usize = 64 << 10;

/// Lines in one SMTP reply; the standard has no figure, the longest EHLO replies have about 30.
pub const REPLY_LINES: usize = 256;

/// Lines in a capability list (RFC 2449 §5 has no figure).
pub const CAPABILITIES: usize = 256;

/// Messages in one mailbox listing.
pub const LISTING: usize = 4_000_000;

/// Octets in one multi-line reply that is no message: several hundred thousand unique-ids.
pub const LISTING_OCTETS: usize = 64 << 20;

/// Addresses of a name that a check asks besides the one it has reached.
pub const ADDRESSES: usize = 8;

/// Octets of a message that are read and dropped behind the largest that is wanted, to come to the
/// next one: sizes in listings cannot be relied upon. A longer text ends the session, and the next
/// messages are fetched in another one.
pub const EXCESS: u64 = 64 << 20;

/// Sessions of a run that may end because a text is longer than by [`EXCESS`]. Each costs so many
/// octets and more.
pub const OVERLONG: usize = 8;

/// Octets in a unique-id: RFC 1939 §7 says 70, of printable ASCII; some servers are more generous.
pub const UID: usize = 255;

/// Octets in an address: RFC 5321 §4.5.3.1.3 gives a path 256, its angle brackets included.
pub const ADDRESS: usize = 254;

/// Octets in a host name (RFC 1035 §2.3.4).
pub const DOMAIN: usize = 253;

/// Octets in a POP3 command line, line end included (RFC 2449 §4).
pub const POP3_COMMAND: usize = 255;

/// Octets in an SMTP command line, line end included (RFC 5321 §4.5.3.1.4). What extensions add
/// to MAIL and RCPT is allowed on top of it; an AUTH that is longer must wait for its challenge.
pub const SMTP_COMMAND: usize = 512;

/// Octets in a line of SMTP on standard input, its end included: a command with the parameters of
/// any extension.
pub const SMTP_INPUT: usize = 4096;

/// Octets in a line that answers SMTP on standard input, its end included (RFC 5321 §4.5.3.1.5).
pub const SMTP_REPLY: usize = 512;

/// Octets of a message from which on its submission has a progress bar.
pub const LONG_SUBMISSION: u64 = 1_000_000;

/// The duration after which a step is shown to a person.
pub const LONG_STEP: Duration = Duration::from_secs(1);

/// The longest wait for what a server has said while it read nothing.
pub const LAST_WORD: Duration = Duration::from_secs(1);

/// Recipients of a message that comes by SMTP on standard input. RFC 5321 §4.5.3.1.8 wants a hundred
/// at least.
pub const SMTP_INPUT_RECIPIENTS: usize = 10_000;

/// Characters of a server's words that reach a terminal or a log.
pub const SHOWN: usize = 300;

/// Octets in a line of a message, its end included (RFC 5321 §4.5.3.1.6).
pub const TEXT_LINE: usize = 1000;

/// Octets in the header section of a message to be sent.
pub const HEADER: usize = 1 << 20;

/// Octets of a message to be sent that stay in memory; the rest waits in an unlinked file.
pub const IN_MEMORY: usize = 1 << 20;

/// Octets read at a time, and the size of a flight written at a time.
pub const BUFFER: usize = 64 << 10;

/// Octets of a message that goes along with its envelope (RFC 3030): what fits into a socket's
/// buffer while the answers to the envelope are not read yet.
pub const CHUNK: u64 = 32 << 10;

/// POP3 commands in flight when the server offers PIPELINING (RFC 2449 §6.6). All of them fit into
/// a socket's buffer, so that writing them never waits for the answers to be read.
pub const POP3_WINDOW: usize = 512;

/// POP3 commands in the first flight of RETRs to a server of which nothing is known, or which refused
/// one message after the other lately. It is more than [`REFUSALS`], so that it decides.
pub const RETR_WINDOW: usize = 32;

/// Octets of messages that are asked for at once, unless [`RETR_WINDOW`] messages have more. It is what
/// a socket's buffer takes before it is read; more in flight would not come any faster.
pub const RETR_OCTETS: u64 = 4 << 20;

/// SMTP commands in flight when the server offers PIPELINING (RFC 2920). Their replies must fit
/// into the two sockets' buffers while the next are written (§3.1).
pub const SMTP_WINDOW: usize = 128;

/// Messages of one account that are sent without a reply to any of them, where the server offers
/// CHUNKING and PIPELINING. A connection that is lost then leaves as many in doubt.
pub const FLIGHT_MESSAGES: usize = 8;

/// Octets of all messages in a flight together ([`FLIGHT_MESSAGES`]).
pub const FLIGHT_OCTETS: u64 = 256 << 10;

/// The time for which a server gets one message at a time after a flight of several has failed there.
pub const FLIGHT_MEMORY: Duration = Duration::from_hours(30 * 24);

/// Files that all accounts together hold open: half of the usual limit of 1,024 per process. Of an
/// account's share, one half is being made durable while messages stream into the other.
pub const FILES: usize = 512;

/// Accounts that are fetched from side by side at one host by default: servers of providers put up
/// with ten connections of one client, and few with many more.
pub const AT_ONE_HOST: usize = 10;

/// Accounts that are fetched from side by side: each needs a few files besides, for its lock, its journal
/// and its connection.
pub const ACCOUNTS: usize = 64;

/// Messages of one account made durable together, as far as its share of files allows.
pub const BATCH: usize = 256;

/// Files of a batch that one thread waits for.
pub const WAIT_TOGETHER: usize = 32;

/// The time for which a batch that is not full waits for another message.
pub const BATCH_WAIT: Duration = Duration::from_millis(20);

/// Octets made durable together, unless one message is larger.
pub const BATCH_OCTETS: u64 = 16 << 20;

/// Rounds of hashing that a SCRAM server may ask for: RFC 7677 §4 wants at least 4,096, and as
/// many as this take a second.
pub const SCRAM_ROUNDS: RangeInclusive<u32> = 4_096..=1_000_000;

/// The longest time for a program to print a password or token where there is no terminal to ask a
/// person at.
pub const SECRET_WAIT: Duration = Duration::from_mins(1);

/// The longest exchange by HTTP, from the look-up of the name to the last octet.
pub const HTTP_TIME: Duration = Duration::from_secs(30);

/// The longest wait of a login for the browser.
pub const LOGIN: Duration = Duration::from_mins(10);

/// Octets of what a browser says when it comes back from a login.
pub const LOGIN_REQUEST: usize = 8 << 10;

/// Octets of the file with the tokens of a login. Tokens of several kilobytes are usual.
pub const TOKENS: u64 = 1 << 20;

/// The longest wait for another run that renews the same login: longer than an exchange may take.
pub const TOKEN_LOCK: Duration = Duration::from_mins(1);

/// An access token is renewed when less than this is left of it, or less than half its lifetime:
/// servers refuse one that is about to end.
pub const TOKEN_MARGIN: Duration = Duration::from_mins(10);

/// The time in which a program that was told to end has to end.
pub const PROGRAM_END: Duration = Duration::from_secs(1);

/// The longest run of a program for one message, and for what one fetch has brought: POP3 servers
/// hang up on a client that has been silent for ten minutes (RFC 1939 §3).
pub const DELIVERY: Duration = Duration::from_mins(9);

/// The pause after the first attempt to send a message. It doubles with each further attempt.
pub const FIRST_RETRY: Duration = Duration::from_mins(1);

/// The longest that a message waits after a server refused it for now. RFC 5321 §4.5.4.1 wants
/// half an hour at least, after a first attempt or two.
pub const RETRY: Duration = Duration::from_hours(4);

/// The longest that a message waits after there was no connection.
pub const RETRY_UNREACHED: Duration = Duration::from_mins(15);

/// The time over which a message is tried before it is abandoned: RFC 5321 §4.5.4.1 wants four or five
/// days.
pub const GIVE_UP: Duration = Duration::from_hours(5 * 24);

/// The time between two reports of a message that cannot be sent with the configuration in force.
pub const REPORT: Duration = Duration::from_hours(24);

/// Messages that a run which did something else sends from the outbox in passing.
pub const PASSING: usize = 10;

/// The longest time for sending those messages ([`PASSING`]).
pub const PASSING_TIME: Duration = Duration::from_secs(5);

/// Octets of a password file or of what a password command prints.
pub const SECRET: u64 = 64 << 10;

/// Octets of a line that is typed, its end included: the most that Linux keeps of one.
pub const TYPED: usize = 4096;

/// Names in an alias file that lead from one to an address.
pub const ALIAS_DEPTH: usize = 16;

/// Addresses that one name in an alias file may stand for.
pub const ALIAS_ADDRESSES: usize = 10_000;

/// Octets of a configuration file.
pub const CONFIG: u64 = 1 << 20;

/// Octets of the journal of a message in the outbox: several hundred for each of a million
/// recipients.
pub const JOURNAL: u64 = 1 << 30;

/// Octets of the system's table of connections that are looked at.
pub const CONNECTIONS: u64 = 16 << 20;

/// Octets of a file of certificates.
pub const PEM: u64 = 4 << 20;

/// Octets of a file of another program that is imported.
pub const IMPORT: u64 = 256 << 20;

/// The earliest credible time, in seconds since 1970: a clock that shows an earlier one is wrong.
/// Set with each release.
pub const EARLIEST: u64 = 1_767_225_600;

/// Octets of the largest message that is retrieved, even if the listing claims less.
pub const MESSAGE: u64 = 2 << 30;

/// Octets of a disk that a message leaves free, where that is no more than a twentieth of it: a disk
/// that is quite full keeps others from working. Messages of at most [`SMALL_MESSAGE`] are not counted.
pub const KEPT_FREE: u64 = 64 << 20;

/// A message that finds no room although it is no larger than this shows that the disk is full.
pub const SMALL_MESSAGE: u64 = 1 << 20;

/// Octets by which a message may be shorter than half its listed size before a part of it counts as
/// missing.
pub const MISCOUNT: u64 = 4 << 10;

/// Octets of a file that `postie install` may have put in its place.
pub const INSTALLED: u64 = 1 << 20;

/// Octets of the path and query of a URL.
pub const URL: usize = 4 << 10;

/// Octets of the head of an HTTP response, informational ones (1xx) included.
pub const HTTP_HEAD: usize = 16 << 10;

/// Octets of the body of an HTTP response.
pub const HTTP_BODY: usize = 256 << 10;

/// Redirects that one HTTP request may be answered with.
pub const HTTP_REDIRECTS: usize = 3;

/// Aliases in a row that an answer of the domain name system may hold.
pub const DNS_ALIASES: usize = 8;

/// The most records of one answer that are looked at.
pub const DNS_RECORDS: usize = 16;

/// The most octets of an answer of the domain name system.
pub const DNS_MESSAGE: usize = 16 << 10;

/// Octets of an autoconfig file.
pub const AUTOCONFIG: usize = 256 << 10;

/// Nodes of the tree that an autoconfig file is read into: what bounds its depth, too.
pub const AUTOCONFIG_NODES: u32 = 10_000;

/// Refusals alike in a row after which a server is asked for the last message next, and for no more
/// if that is refused alike.
pub const REFUSALS: usize = 10;

/// Lines about messages that were not fetched or deleted, one for those alike; and recipients refused
/// alike that have a line each.
pub const ALIKE_LINES: usize = 10;

/// Messages that such a line names by their numbers.
pub const ALIKE_NUMBERS: usize = 5;

/// Messages that were not fetched or deleted that an object names.
pub const REFUSED: usize = 1_000;

/// The age below which another run's lock is not reported away from a terminal: that run is a long
/// first fetch, and no failure.
pub const LONG_RUN: Duration = Duration::from_hours(1);

/// Recipients of a message that is handed to the submission service.
pub const SUBMIT_RECIPIENTS: usize = 10_000;

/// Octets of a message that is handed to the submission service: more than mail servers take.
pub const SUBMIT_MESSAGE: u64 = 128 << 20;

/// Octets in a line between the submission service and a caller, its end included.
pub const SUBMIT_LINE: usize = 4096;

/// Lines for standard error in the submission service's answer: one for each recipient, and some more.
pub const SUBMIT_LINES: usize = 10_010;

/// Octets of a result in the submission service's answer.
pub const SUBMIT_OBJECT: u64 = 16 << 20;

/// The longest time in which a caller hands in a message.
pub const SUBMIT_TIME: Duration = Duration::from_mins(5);

/// The longest wait of a caller for the submission service's answer; after it the message is in doubt.
pub const SUBMIT_WAIT: Duration = Duration::from_mins(30);

/// Callers that the submission service hears at the same time, and messages that it sends.
pub const SUBMIT_PLACES: usize = 32;

/// Those of one user among them.
pub const SUBMIT_PLACES_OF_USER: usize = 4;
