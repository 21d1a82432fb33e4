//! Messages as real mailboxes hold them, and whether they have arrived.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::postie::Home;

/// Messages of every kind that a server was seen to hold, no two alike.
pub fn mailbox(count: usize) -> Vec<Vec<u8>> {
    (0..count)
        .map(|number| {
            let body: &[u8] = match number % 13 {
                0 => b"hello\n",
                1 => "Grüße aus Köln, 写真\n".as_bytes(),
                2 => b"octets: \x80\xff\xfe \x01\x7f\n",
                3 => b".\n..\n.hidden\n...\n .\n.\r\n.",
                4 => b"no end of line",
                5 => b"",
                6 => b"with\r\nCRLF\r\n\r\n.\r\nall the way\r\n",
                7 => b"some\r\nof\nthese\r\nand\n\n.those\n",
                8 => b"lone\rcarriage\r\r\nreturns\r\r\r\n\rand\n\r\n",
                9 => b"From here on\n>From there\n\n\n\n\n",
                10 => &long(number),
                11 => b"NUL \0 here\n",
                _ => &attachment(number),
            };
            let mut message = format!(
                "Return-Path: <bob@example.net>\nFrom: Bob <bob@example.net>\n\
                 To: Ann <ann@example.com>\nSubject: message {number}\n\
                 Message-ID: <{number}@example.net>\n"
            )
            .into_bytes();
            // Kind 5 every other time has not even the line that ends the header.
            if number % 26 != 5 {
                message.push(b'\n');
            }
            message.extend(body);
            message
        })
        .collect()
}

/// Fails unless exactly these messages are in the Maildir, with LF at their line ends, and nothing
/// is left in tmp/.
#[track_caller]
pub fn assert_arrived(home: &Home, messages: &[Vec<u8>]) {
    assert_arrived_in(home, "Mail", messages);
}

/// The same for another Maildir.
#[track_caller]
pub fn assert_arrived_in(home: &Home, maildir: &str, messages: &[Vec<u8>]) {
    assert_same(home.messages(maildir), messages);
    assert_eq!(home.files(&format!("{maildir}/tmp")), Vec::<PathBuf>::new());
}

/// Fails unless what has arrived are these messages, in any order.
#[track_caller]
pub fn assert_same(arrived: Vec<Vec<u8>>, messages: &[Vec<u8>]) {
    let mut balance = BTreeMap::<Vec<u8>, isize>::new();
    for message in arrived {
        *balance.entry(message).or_default() += 1;
    }
    for message in messages {
        *balance.entry(with_lf(message)).or_default() -= 1;
    }
    balance.retain(|_, count| *count != 0);
    let wrong: Vec<_> = balance
        .iter()
        .map(|(message, count)| {
            let start = &message[..message.len().min(300)];
            format!("{count:+} of {} octets: {}", message.len(), start.escape_ascii())
        })
        .collect();
    assert!(wrong.is_empty(), "{} messages differ:\n{}", wrong.len(), wrong.join("\n"));
}

/// As a message is kept: its last line ends, too, since on the wire every line does.
pub fn with_lf(message: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    let mut rest = message;
    while let Some((&octet, tail)) = rest.split_first() {
        if !rest.starts_with(b"\r\n") {
            text.push(octet);
        }
        rest = tail;
    }
    if text.last().is_some_and(|&octet| octet != b'\n') {
        text.push(b'\n');
    }
    text
}

/// One line, longer than any buffer.
fn long(number: usize) -> Vec<u8> {
    let mut line = b"x".repeat(65_530 + number % 13);
    line.extend(b".\n.\n");
    line
}

/// Lines of base64 that end at any octet of a buffer.
fn attachment(number: usize) -> Vec<u8> {
    let line = [&b"QUJD".repeat(19)[..], b"\n"].concat();
    let mut text = line.repeat(100 + number % 400);
    text.truncate(text.len() - number % 77);
    text
}
