//! What the composer makes, as the parsers of others read it: Python's email package and postal-mime.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::support::postie::Home;
use crate::support::servers;

/// Prints subject, names, addresses, texts and attachments of the message on standard input.
const PYTHON: &str = r#"
import email, json, sys
from email import policy
message = email.message_from_binary_file(sys.stdin.buffer, policy=policy.default)
def body(kind):
    part = message.get_body((kind,))
    return part.get_content() if part else None
def people(field):
    header = message[field]
    return [[one.display_name, one.addr_spec] for one in header.addresses] if header else []
def octets(part):
    if part.get_content_type() == "message/rfc822":
        return part.get_payload(0).as_bytes().rstrip()
    return part.get_payload(decode=True)
defects = [str(it) for part in message.walk() for it in part.defects]
defects += [str(it) for value in message.values() for it in getattr(value, "defects", ())]
print(json.dumps({
    "subject": message["Subject"], "from": people("From"), "to": people("To"), "cc": people("Cc"),
    "text": body("plain"), "html": body("html"), "defects": defects,
    "attachments": [[part.get_filename(), part.get_content_type(), octets(part).hex()]
                    for part in message.walk() if part.get_filename()],
}))
"#;

const POSTAL_MIME: &str = r#"
import PostalMime from "/opt/postie-test/npm/node_modules/postal-mime/dist/esm/postal-mime.js";
const chunks = [];
for await (const chunk of process.stdin) chunks.push(chunk);
const message = await PostalMime.parse(Buffer.concat(chunks), { rfc822Attachments: true });
const people = (list) => (list || []).map((one) => [one.name, one.address]);
// What is text to the parser has its line ends.
const octets = ({ content, mimeType }) => {
  const octets = Buffer.from(content);
  const isMessage = mimeType === "message/rfc822";
  return (isMessage ? Buffer.from(octets.toString().trimEnd()) : octets).toString("hex");
};
console.log(JSON.stringify({
  subject: message.subject, from: people([message.from]), to: people(message.to),
  cc: people(message.cc), text: message.text || null, html: message.html || null, defects: [],
  attachments: message.attachments.map((it) => [it.filename, it.mimeType, octets(it)]),
}));
"#;

/// The message as a program reads it, which gets it on standard input.
fn parsed(program: &str, args: &[&str], message: &[u8]) -> Value {
    let mut command = Command::new(program);
    let child = command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut child = child.unwrap();
    let mut stdin = child.stdin.take().unwrap();
    std::io::Write::write_all(&mut stdin, message).unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(message));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The parsers that are there; what is not is named.
fn parsers() -> Vec<(&'static str, Vec<&'static str>)> {
    let mut found = Vec::new();
    if servers::is_installed("python3") {
        found.push(("python3", vec!["-c", PYTHON]));
    }
    if Path::new("/opt/postie-test/npm/node_modules/postal-mime").exists() {
        found.push(("node", vec!["--input-type=module", "-e", POSTAL_MIME]));
    } else {
        servers::note(
            "SKIPPED: postal-mime is not installed: one parser less reads what is composed",
        );
    }
    found
}

fn hex(octets: &[u8]) -> String {
    octets.iter().fold(String::new(), |text, octet| text + &format!("{octet:02x}"))
}

#[test]
fn what_is_composed_is_read_by_others_as_it_was_meant() {
    let parsers = parsers();
    let home = Home::new();
    home.config(
        "[account.home]\nserver = \"127.0.0.1:1\"\nuser = \"ann@example.com\"\ntls = \"none\"\n\
         password = \"not-a-secret\"\nsend.from = \"Änn Example <ann@example.com>\"\n",
    );
    let photo: Vec<u8> = (0..=255).cycle().take(5_000).collect();
    home.file("Füße – 写真 in einem Ordner mit sehr langem Namen.jpg", &photo);
    home.file("notes.txt", "Grüße\n.\nFrom here\n");
    home.file("old.eml", "Subject: old\r\nFrom: eve@example.org\r\n\r\nold text\r\n");
    home.file("page.html", "<p>Grüße <b>all</b></p>\n");
    let long = "word ".repeat(60) + "Grüße " + &"x".repeat(300);
    let many: Vec<_> =
        (0..40).map(|number| format!("\"R. {number}\" <r{number}@example.net>")).collect();
    let many = many.join(",");
    let attached = json!([
        ["Füße – 写真 in einem Ordner mit sehr langem Namen.jpg", "image/jpeg", hex(&photo)],
        ["notes.txt", "text/plain", hex("Grüße\n.\nFrom here\n".as_bytes())],
    ]);
    let bob = json!([["", "bob@example.net"]]);
    for (args, text, expected) in [
        (
            vec!["--to=bob@example.net", "--subject=hello"],
            "one\n.\n..two\nFrom three\n",
            json!({ "subject": "hello", "to": bob, "text": "one\n.\n..two\nFrom three\n" }),
        ),
        (
            vec!["--to=Jörg \"J\" Müller <bob@example.net>", "--subject", &long],
            "Grüße 写真\n",
            json!({ "subject": long, "text": "Grüße 写真\n" }),
        ),
        (
            vec!["--to", &many, "--cc=bob@example.net", "--subject=Re: Grüße"],
            "x\n",
            json!({ "subject": "Re: Grüße", "cc": bob }),
        ),
        (
            vec!["--to=bob@example.net", "--html=page.html"],
            "Grüße all\n",
            json!({ "text": "Grüße all\n", "html": "<p>Grüße <b>all</b></p>\n" }),
        ),
        (
            vec![
                "--to=bob@example.net",
                "--attach",
                "Füße – 写真 in einem Ordner mit sehr langem Namen.jpg",
                "notes.txt",
            ],
            "two files\n",
            json!({ "text": "two files\n", "attachments": attached }),
        ),
        (
            vec!["--to=bob@example.net", "--attach=old.eml"],
            "a message\n",
            json!({ "attachments": [["old.eml", "message/rfc822",
                hex(b"Subject: old\nFrom: eve@example.org\n\nold text")]] }),
        ),
    ] {
        let shown = home.postie(["send", "--dry-run"].into_iter().chain(args.clone()));
        let shown = shown.stdin(text).run();
        let (_, message) = shown.exit(0).stdout.split_once("\n\n").unwrap();
        for (program, words) in &parsers {
            let found = parsed(program, words, message.as_bytes());
            assert_eq!(found["from"], json!([["Änn Example", "ann@example.com"]]), "{program}");
            assert_eq!(found["defects"], json!([]), "{program}: {message}");
            for (key, value) in expected.as_object().unwrap() {
                assert_eq!(&trimmed(&found[key]), &trimmed(value), "{program}: {key}: {message}");
            }
            if args.contains(&many.as_str()) {
                assert_eq!(found["to"].as_array().unwrap().len(), 40, "{program}");
                assert_eq!(found["to"][39], json!(["R. 39", "r39@example.net"]), "{program}");
            }
        }
    }
}

/// Without the end of the last line, which each parser treats in its own way, and with the same
/// line ends.
fn trimmed(value: &Value) -> Value {
    match value {
        Value::String(text) => text.replace("\r\n", "\n").trim_end().into(),
        other => other.clone(),
    }
}
