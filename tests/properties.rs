//! What holds for every input, tried with many that nobody would write down: the same ones in every
//! run, with the toolchain that builds the program, which fuzzing by coverage could not do. One that
//! is found to break something becomes a test with a name, where its module is.

use std::ffi::OsString;
use std::fmt::Display;
use std::io;

use clap::Parser as _;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::RngSeed;

use postie::cli::Args;
use postie::cli::sendmail::{self, Invocation};
use postie::config::File;
use postie::dot::{Decoder, Encoder};
use postie::message::{Message, Transport};
use postie::pop3::{Capabilities, Pop3};
use postie::smtp::Smtp;
use postie::text::{
    Address, Addressees, Domain, EhloName, HeaderField, Mailbox, Uid, percent_decoded,
    percent_encoded, shown,
};
use postie::wire::Grammar;

fn cases(cases: u32) -> ProptestConfig {
    let rng_seed = RngSeed::Fixed(1939);
    ProptestConfig { cases, rng_seed, failure_persistence: None, ..ProptestConfig::default() }
}

/// Octets that are mostly made of these pieces.
fn octets(pieces: &'static [&'static [u8]]) -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        8 => select(pieces).prop_map(<[u8]>::to_vec),
        1 => vec(any::<u8>(), 0..4),
    ];
    vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

/// The same as text.
fn text(pieces: &'static [&'static str]) -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        8 => select(pieces).prop_map(str::to_owned),
        1 => any::<String>(),
        1 => any::<char>().prop_map(String::from),
    ];
    vec(piece, 0..10).prop_map(|pieces| pieces.concat())
}

const LINES: &[&[u8]] =
    &[b"\r\n", b"\r\n", b"\n", b"\r", b".", b"..", b"a", b"\r\n.\r\n", b".\r", b"\0", b"\xff"];

const REPLIES: &[&[u8]] = &[
    b"+OK",
    b"-ERR",
    b"+ ",
    b"[AUTH]",
    b"[SYS/TEMP]",
    b" ",
    b"\r\n",
    b"\n",
    b"\r",
    b"220",
    b"2",
    b"5",
    b"-",
    b"250-",
    b"250 ",
    b"354 ",
    b"599",
    b"\x1b[2J",
    b"\0",
    b"\xff",
];

const ADDRESSES: &[&str] = &[
    "ann",
    "@",
    "example.com",
    "\"",
    "\\",
    "<",
    ">",
    "(",
    ")",
    ",",
    ";",
    ":",
    ".",
    " ",
    "\r\n",
    "\t",
    "[127.0.0.1]",
    "[IPv6:::1]",
    "xn--",
    "\u{e9}",
    "\u{202e}",
    "\0",
    "=?utf-8?q?x?=",
    "-",
    "+",
    "..",
];

const HEADERS: &[&[u8]] = &[
    b"Bcc: eve@example.com",
    b"bcc:",
    b"To: ann@example.com",
    b"Subject:",
    b"From ann",
    b"\r\n",
    b"\n",
    b"\r",
    b"\n\n",
    b"\r\n\r\n",
    b" ",
    b"\t",
    b":",
    b"a",
    b"\0",
    b"\xc3\xa9",
    b"\xff",
    b".",
    b"\r\n.\r\n",
    b"MIME-Version: 1.0\r\n",
    b"Content-Type: text/plain",
];

const WORDS: &[&str] = &[
    "-i",
    "-t",
    "-oi",
    "-f",
    "-fann@example.com",
    "-F",
    "-bs",
    "-bp",
    "-q",
    "-v",
    "-N",
    "-R",
    "-X",
    "-",
    "--",
    "send",
    "fetch",
    "--to",
    "--queue",
    "-O",
    "-B8BITMIME",
    "ann@example.com",
    "root",
    "",
    "-C",
    "-A",
    "\u{e9}",
    "-\u{e9}",
];

const CONFIG: &[&str] = &[
    "[account.home]\n",
    "[account.home.fetch]\n",
    "[defaults]\n",
    "[aliases]\n",
    "server",
    "user",
    "password",
    "keep",
    "maildir",
    "port",
    "tls",
    "=",
    " = ",
    "\"mail.example.com\"\n",
    "\"30d\"\n",
    "995\n",
    "-1\n",
    "true\n",
    "[",
    "]",
    "\"",
    "\n",
    "{",
    "}",
    ".",
    "root",
    "'''",
    "1e400\n",
];

/// RFC 1939 §3 as one would write it who has all of the text: the text, and its octets on the wire.
fn naively_decoded(mut input: &[u8]) -> Option<(Vec<u8>, usize)> {
    let (mut text, total) = (Vec::new(), input.len());
    loop {
        let end = input.windows(2).position(|two| two == b"\r\n")?;
        let (line, rest) = (&input[..end], &input[end + 2..]);
        if line == b"." {
            return Some((text, total - rest.len()));
        }
        text.extend_from_slice(line.strip_prefix(b".").unwrap_or(line));
        text.push(b'\n');
        input = rest;
    }
}

/// What a grammar makes of octets: nothing yet, nonsense, or a reply whose end does not depend on
/// what comes behind it.
fn check_grammar<G: Grammar>(input: &[u8]) {
    let Ok(Some((_, length))) = G::parse(input) else { return };
    assert!(length <= input.len() && input[..length].ends_with(b"\n"));
    assert!(matches!(G::parse(&input[..length]), Ok(Some((_, alone))) if alone == length));
    assert!(matches!(G::parse(&input[..length - 1]), Ok(None)));
}

fn assert_plain(parsed: &impl Display) {
    let text = parsed.to_string();
    assert!(!text.contains(char::is_control), "{text:?}");
}

fn sent(message: &mut Message) -> Vec<u8> {
    let mut text = Vec::new();
    io::copy(&mut message.text().unwrap(), &mut text).unwrap();
    text
}

proptest! {
    #![proptest_config(cases(2_000))]

    #[test]
    fn a_reply_ends_where_it_ends(input in octets(REPLIES)) {
        check_grammar::<Pop3>(&input);
        check_grammar::<Smtp>(&input);
        Capabilities::default().add(&input);
    }

    #[test]
    fn a_text_is_decoded_as_if_it_were_there_at_once(input in octets(LINES), size in 1_usize..9) {
        let (mut decoder, mut output, mut used) = (Decoder::default(), Vec::new(), 0);
        for chunk in input.chunks(size) {
            used += decoder.decode(chunk, &mut output);
        }
        let decoded = decoder.is_done().then_some((output, used));
        prop_assert_eq!(decoded, naively_decoded(&input));
    }

    #[test]
    fn a_text_that_was_encoded_is_itself_when_decoded(lines in vec(octets(LINES), 0..5), size in 1_usize..9) {
        let is_end = |octet: &u8| matches!(octet, b'\r' | b'\n');
        let lines: Vec<Vec<u8>> =
            lines.into_iter().map(|line| line.into_iter().filter(|o| !is_end(o)).collect()).collect();
        let text: Vec<u8> = lines.iter().flat_map(|line| [line, &b"\r\n"[..]].concat()).collect();
        let (mut encoder, mut encoded) = (Encoder::new(), Vec::new());
        text.chunks(size).for_each(|chunk| encoder.encode(chunk, &mut encoded));
        encoder.finish(&mut encoded);
        let (decoded, used) = naively_decoded(&encoded).unwrap();
        prop_assert_eq!(used, encoded.len());
        let expected: Vec<u8> = lines.iter().flat_map(|line| [line, &b"\n"[..]].concat()).collect();
        prop_assert_eq!(decoded, expected);
    }

    #[test]
    fn what_was_parsed_cannot_end_a_line(input in text(ADDRESSES)) {
        input.parse::<Mailbox>().iter().for_each(assert_plain);
        input.parse::<Address>().iter().for_each(|address| {
            address.mailbox().into_iter().for_each(assert_plain);
        });
        let addressees = input.parse::<Addressees<Address>>();
        for address in addressees.into_iter().flat_map(Addressees::addresses) {
            address.mailbox().into_iter().for_each(assert_plain);
        }
        input.parse::<Domain>().iter().for_each(assert_plain);
        input.parse::<EhloName>().iter().for_each(assert_plain);
        drop(input.parse::<HeaderField>());
        if let Some(uid) = Uid::new(input.as_bytes()) {
            assert!(!uid.as_bytes().iter().any(u8::is_ascii_control));
        }
    }

    #[test]
    fn what_is_shown_drives_no_terminal(input in any::<String>()) {
        let safe = shown(&input);
        assert_plain(&safe);
        prop_assert!(safe.chars().count() < 4_000);
    }

    #[test]
    fn what_was_percent_encoded_comes_back(input in vec(any::<u8>(), 0..40), other in any::<String>()) {
        let encoded = percent_encoded(&input);
        prop_assert!(encoded.bytes().all(|octet| octet.is_ascii_graphic() && octet != b'/'));
        prop_assert_eq!(percent_decoded(encoded.as_bytes()), Some(input.as_slice().into()));
        drop(percent_decoded(other.as_bytes()));
    }
}

proptest! {
    #![proptest_config(cases(500))]

    #[test]
    fn a_message_is_in_canonical_form_and_stays_there(input in octets(HEADERS), is_7bit in any::<bool>()) {
        let Ok(mut message) = Message::read(&mut input.as_slice()) else { return Ok(()) };
        message.remove_bcc();
        message.encode_for(if is_7bit { Transport::SevenBit } else { Transport::EightBit }).unwrap();
        let text = sent(&mut message);
        let lines = text.strip_suffix(b"\r\n").unwrap().split(|&octet| octet == b'\n');
        let mut lines = lines.map(|line| line.strip_suffix(b"\r").unwrap_or(line));
        prop_assert!(!lines.any(|line| line.contains(&b'\r')));
        prop_assert!(!text.windows(2).any(|two| two[1] == b'\n' && two[0] != b'\r'));
        let end = text.windows(4).position(|four| four == b"\r\n\r\n");
        let header = end.filter(|_| !text.starts_with(b"\r\n")).unwrap_or_default();
        let header = String::from_utf8_lossy(&text[..header]).to_ascii_lowercase();
        prop_assert!(!header.lines().any(|line| line.starts_with("bcc:")));
        prop_assert_eq!(sent(&mut Message::read(&mut text.as_slice()).unwrap()), text);
    }

    #[test]
    fn no_command_line_is_too_strange(words in vec(select(WORDS), 0..8), is_sendmail in any::<bool>()) {
        let program = if is_sendmail { "/usr/sbin/sendmail" } else { "postie" };
        let words = [program].into_iter().chain(words).map(OsString::from);
        if let Invocation::Args(_, words) = sendmail::parse(words) {
            drop(Args::try_parse_from(words));
        }
    }

    #[test]
    fn no_configuration_is_too_strange(input in text(CONFIG)) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("config.toml");
        std::fs::write(&path, input).unwrap();
        if let Err(error) = File::read(&path) {
            let error = error.to_string();
            prop_assert!(!error.contains(char::is_control), "{:?}", error);
        }
    }
}
