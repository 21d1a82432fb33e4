//! Text that was parsed once and cannot be wrong afterwards: addresses (RFC 5321 §4.1.2), host
//! names, unique-ids (RFC 1939 §7), secrets; and what may be shown of text that others wrote.

mod address;
mod detour;
mod dsn;
mod encoding;
mod escape;
mod header_field;
mod host;
mod recipient_status;
mod secret;
mod uid;
mod url;

pub use self::address::{
    Address, AddressError, Addressee, Addressees, LocalName, Mailbox, NamedReversePath, ReversePath,
};
pub use self::detour::{Detour, DetourError};
pub use self::dsn::{Notify, NotifyError, Return, ReturnError, xtext};
pub use self::encoding::{leading_number, number, percent_decoded, percent_encoded};
pub use self::escape::{escaped, escaped_json, is_unprintable, plain, shown};
pub use self::header_field::{FullName, FullNameError, HeaderField, HeaderFieldError};
pub use self::host::{Domain, DomainError, EhloName};
pub use self::recipient_status::RecipientStatus;
pub use self::secret::{Secret, without_password};
pub use self::uid::{Identified, Uid, UidRef};
pub use self::url::{HttpsUrl, UrlError};

/// Octets for people, in powers of 1,000.
pub fn size(octets: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB")];
    match UNITS.iter().find(|(unit, _)| octets >= *unit) {
        Some((unit, name)) => format!("{}.{} {name}", octets / unit, octets % unit * 10 / unit),
        None => format!("{octets} B"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits;
    use std::hash::{Hash as _, Hasher as _};
    use std::io;

    #[test]
    fn an_address_is_parsed_once_and_holds_no_line_end() {
        for good in
            ["ann@example.com", "a+b@x", "\"a b\"@x.example", "a@[127.0.0.1]", "jörg@x.example"]
        {
            assert_eq!(good.parse::<Mailbox>().unwrap().as_str(), good);
        }
        for bad in [
            "",
            "ann",
            "@x",
            "a@",
            "a b@x",
            "a@b c",
            "a@x\r\nRSET",
            "a@-x",
            "<a@x>",
            "a@x..y",
            "\"a@x",
            "a@[999.0.0.1]",
            "a\0@x",
        ] {
            assert!(bad.parse::<Mailbox>().is_err(), "{bad:?}");
        }
        assert!(format!("{}@x", "a".repeat(300)).parse::<Mailbox>().is_err());
    }

    #[test]
    fn a_domain_beyond_ascii_is_written_in_ascii_and_a_local_part_is_not() {
        let read = |text: &str| text.parse::<Mailbox>().unwrap();
        let ann = read("ann@Bücher.example");
        assert_eq!(ann.as_str(), "ann@xn--bcher-kva.example");
        assert!(!ann.is_international() && ann == read("ann@bücher.example"));
        let jörg = read("jörg@bücher.example");
        assert_eq!(jörg.as_str(), "jörg@xn--bcher-kva.example");
        assert!(jörg.is_international());
        let host = "Bücher.example".parse::<Domain>().unwrap();
        assert_eq!(host.as_str(), "xn--bcher-kva.example");
        assert_eq!("bücher.example".parse::<EhloName>().unwrap().to_string(), host.as_str());
        for wrong in ["a@bü..example", "a@ü b", "a@ü\u{ad}\u{200b}x y", "a@xn--ü"] {
            assert!(wrong.parse::<Mailbox>().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn an_address_holds_nothing_that_cannot_be_seen_or_was_read_wrongly() {
        for c in [
            '\u{200b}',
            '\u{a0}',
            '\u{ad}',
            '\u{202e}',
            '\u{2028}',
            '\u{3000}',
            '\u{3164}',
            '\u{feff}',
            '\u{fffd}',
            '\u{e000}',
            '\u{e0041}',
            '\u{85}',
            '\u{2060}',
            '\u{1d173}',
        ] {
            for text in [
                format!("b{c}ob@x.example"),
                format!("{c}bob@x.example"),
                format!("bob@x{c}.example"),
                format!("bob@x.example{c}"),
                format!("\"b{c}\"@x.example"),
            ] {
                assert!(text.parse::<Mailbox>().is_err(), "{text:?}");
                assert!(text.parse::<Addressees>().is_err(), "{text:?}");
                assert!(text.parse::<ReversePath>().is_err(), "{text:?}");
                let angled = format!("Bob <{text}>");
                assert!(angled.parse::<Addressees<Address>>().is_err(), "{angled:?}");
            }
            assert!(format!("ro{c}ot").parse::<LocalName>().is_err(), "{c:?}");
        }
        for quoted in ["\"a>b\"@x.example", "\"<eve@y.example>,\"@x.example", "\"a<\"@x.example"] {
            assert!(quoted.parse::<Mailbox>().is_err(), "{quoted}");
            assert!(format!("Bob <{quoted}>").parse::<Addressees>().is_err(), "{quoted}");
        }
    }

    #[test]
    fn a_reverse_path_is_read_in_any_form() {
        for (text, path) in [
            ("", ""),
            ("<>", ""),
            (" <> ", ""),
            ("a@b", "a@b"),
            ("<a@b>", "a@b"),
            ("\"Doe, Ann\" <a@b>", "a@b"),
        ] {
            let read: ReversePath = text.parse().unwrap();
            assert_eq!(
                (read.as_str(), read.mailbox().is_some()),
                (path, !path.is_empty()),
                "{text}"
            );
        }
        for wrong in
            ["root", "a@b, c@d", "<a@b>, <c@d>", "<a@b", "a@b>", "<root>", "x: <a@b>;", "< >"]
        {
            assert!(wrong.parse::<ReversePath>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn occasions_and_parts_are_the_protocols_words() {
        for (text, words) in [("never", "NEVER"), ("Failure,delay", "FAILURE,DELAY")] {
            assert_eq!(text.parse::<Notify>().unwrap().to_string(), words);
        }
        for wrong in ["", "never,failure", "failure, delay", "sometimes"] {
            assert!(wrong.parse::<Notify>().is_err(), "{wrong:?}");
        }
        assert_eq!("hdrs".parse::<Return>().unwrap().to_string(), "HDRS");
        assert!("half".parse::<Return>().is_err());
        assert_eq!(xtext("a+b=c d\r\n@x"), "a+2Bb+3Dc+20d+0D+0A@x");
    }

    #[test]
    fn a_field_is_one_line_and_none_that_is_there_already() {
        let field = "X-Note:  a: b ".parse::<HeaderField>().unwrap();
        assert_eq!((field.name.as_str(), field.value.as_str()), ("X-Note", "a: b"));
        for wrong in ["", "x", ": y", "a b: c", "X:", "X: y\nBcc: z", "ü: x", "X: \0"] {
            let error = wrong.parse::<HeaderField>().unwrap_err();
            assert!(matches!(error, HeaderFieldError::Malformed(_)), "{wrong:?}");
        }
        for written in ["Bcc: x@y", "SUBJECT: x", "Content-Type: x", "mime-version: 1"] {
            let error = written.parse::<HeaderField>().unwrap_err();
            assert!(matches!(error, HeaderFieldError::Written(_)), "{written:?}");
        }
        let hidden = "resent-bcc: eve@x.example".parse::<HeaderField>().unwrap_err();
        assert!(matches!(hidden, HeaderFieldError::Removed(_)));
        let nobody = "Sender: Jörg".parse::<HeaderField>().unwrap_err();
        assert_eq!(nobody.to_string(), "`Sender`: `Jörg` is not an address: it has no `@`");
    }

    #[test]
    fn an_address_list_gives_up_its_addresses() {
        let read = |text: &str| -> Vec<String> {
            let list = Addressees::<Mailbox>::any_number(text).unwrap();
            list.addresses().map(|a| a.to_string()).collect()
        };
        assert_eq!(read("a@x, B <b@y>"), ["a@x", "b@y"]);
        assert_eq!(read("\"Doe, Jane\" <j@x>, (a comment, with comma) c@y (d@z)"), ["j@x", "c@y"]);
        assert_eq!(read("Friends: a@x, Bob <b@y>;, c@z"), ["a@x", "b@y", "c@z"]);
        assert_eq!(read("undisclosed-recipients:;"), Vec::<String>::new());
        assert_eq!(read("<@relay.example,@other:a@x>"), ["a@x"]);
        assert_eq!(read("A\t<a@x>,  b@y"), ["a@x", "b@y"]);
        assert_eq!(read("\"a,b\"@x"), ["\"a,b\"@x"]);
        assert_eq!(read(""), Vec::<String>::new());
        assert_eq!(read("<a@x> <b@y>"), ["a@x", "b@y"]);
        assert_eq!(read("\"ops@x \\\"\": a@x;"), ["a@x"]);
        assert_eq!(read("<mailto:a@x>, mailto:b@y"), ["a@x", "b@y"]);
        for wrong in ["a@x, nonsense", "a@x>", "<a@x", "Bob <b@y, c@z", "<a@x> and others"] {
            assert!(wrong.parse::<Addressees>().is_err(), "{wrong:?}");
        }
        assert!("a@x\r\n, b@y".parse::<Addressees>().is_err());
    }

    #[test]
    fn no_addressee_of_a_list_is_left_out() {
        for open in [
            "a@x, Ann :( <b@y>",
            "(a@x, b@y",
            "a@x, \"b@y",
            "a@x, [b@y",
            "a@x, <b@y",
            "a@x:b@y",
            "a@x: b@y",
            "b@y, a@x:",
            "<a@x:b@y>",
            "<a@x, <b@y>",
            "ann@x <>, b@y",
            "@relay.example:a@x",
        ] {
            assert!(Addressees::<Address>::any_number(open).is_err(), "{open:?}");
        }
        for nothing in ["", " ", ",", "<>", "(a@x)", ":", "root:", ";"] {
            assert!(
                Addressees::<Address>::any_number(nothing).unwrap().0.is_empty(),
                "{nothing:?}"
            );
            assert!(nothing.parse::<Addressees<Address>>().is_err(), "{nothing:?}");
        }
        assert!("undisclosed-recipients:;".parse::<Addressees>().unwrap().0.is_empty());
        // In a header field a name may stand for nobody; on the command line it was meant for somebody.
        for (nobody, others) in [("Ann <>, b@y", 1), ("\"Undisclosed recipients\" <>", 0)] {
            let read = Addressees::<Address>::any_number(nobody).unwrap().0;
            assert_eq!(read.len(), others, "{nobody:?}");
            assert!(nobody.parse::<Addressees<Address>>().is_err(), "{nobody:?}");
        }
    }

    #[test]
    fn a_display_name_is_unquoted() {
        let name = |text: &str| text.parse::<Addressees>().unwrap().0.remove(0).name;
        assert_eq!(name("\"Doe, \\\"J\\\" Jane\" <j@x>").unwrap(), "Doe, \"J\" Jane");
        assert_eq!(name("Jürgen (him) Groß <j@x>").unwrap(), "Jürgen  Groß");
        assert_eq!(name("<j@x>"), None);
        assert_eq!(name("j@x"), None);
        assert_eq!(name("j@x (Jane (D.) Doe)").unwrap(), "Jane D. Doe");
        let Addressees(list) = "<j@x> (Jane), k@x".parse::<Addressees>().unwrap();
        assert!(list.iter().all(|addressee| addressee.name.is_none()));
    }

    #[test]
    fn a_name_without_a_domain_is_this_machines_business() {
        let read = |text: &str| text.parse::<Address>().unwrap();
        assert_eq!(read(" root "), Address::Local("root".parse().unwrap()));
        assert!(read("\"a@b\"").mailbox().is_none());
        assert_eq!(read("a@x.example").mailbox().unwrap().as_str(), "a@x.example");
        for local in
            ["root", "root@localhost", "root@Box", "a@box.example", "a@localhost.localdomain"]
        {
            assert!(read(local).is_local("Box.example"), "{local}");
        }
        for remote in ["a@x.example", "a@[127.0.0.1]", "a@[IPv6:::1]"] {
            assert!(!read(remote).is_local("box.example"), "{remote}");
        }
        for wrong in ["", "a b", "a\u{85}b", "root\r\nRSET", "<root", "a@", "@x"] {
            assert!(wrong.parse::<Address>().is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn strangers_words_cannot_drive_a_terminal() {
        assert_eq!(shown("a\u{1b}[2Jb\r\n"), "a\\u{1b}[2Jb");
        assert_eq!(shown("x\u{202e}y"), "x\\u{202e}y");
        // One of each class: Cc, Cf, Co, Zl, Zp and blanks, and what is none of them.
        for c in
            "\u{0}\u{1b}\u{7f}\u{9b}\u{ad}\u{600}\u{61c}\u{200d}\u{206a}\u{206f}\u{fff9}\u{fffb}\
                  \u{e0041}\u{e000}\u{f0000}\u{10fffd}\u{2028}\u{2029}\u{3164}\u{2800}\u{115f}"
                .chars()
        {
            let (code, text) = (u32::from(c), format!("a{c}b"));
            assert_eq!(shown(&text), format!("a\\u{{{code:x}}}b"));
            assert_eq!(escaped(&text), format!("a\\u{{{code:x}}}b"));
            let json = format!("\"{}\"", escaped_json(&text));
            assert!(!json.chars().any(is_unprintable), "{json}");
            assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
        }
        for text in ["a b\n", "Grüße, 日本語 👍🏽", "\u{a0}\u{fe0f}\u{fffd}"] {
            assert_eq!((escaped(text), escaped_json(text)), (text.into(), text.into()));
        }
        assert_eq!(shown(&"z".repeat(5000)).chars().count(), limits::SHOWN + 1);
    }

    #[test]
    fn percent_encoding_comes_back_as_it_was() {
        for octets in [&b"plain"[..], b"a b/c%", &[0, 255, b'\n']] {
            let text = percent_encoded(octets);
            assert!(!text.contains([' ', '/', '\n']));
            assert_eq!(percent_decoded(text.as_bytes()).unwrap(), octets);
        }
        assert_eq!(percent_decoded(b"%4"), None);
        assert_eq!(percent_decoded(b"%zz"), None);
        assert_eq!(percent_decoded(b"%+f"), None);
    }

    #[test]
    fn a_unique_id_is_what_was_sent_however_long_it_is() {
        let hash = |uid: &Uid| {
            let mut hasher = std::hash::DefaultHasher::new();
            uid.hash(&mut hasher);
            hasher.finish()
        };
        for length in [1, 22, 23, 24, 255] {
            let octets: Vec<u8> = (b'!'..=b'~').cycle().take(length).collect();
            let (uid, same) = (Uid::new(&octets).unwrap(), Uid::new(&octets).unwrap());
            assert_eq!(uid.as_bytes(), octets);
            assert_eq!((&uid, hash(&uid)), (&same, hash(&same)));
            let other = [&octets[..length - 1], b"\xff"].concat();
            assert_ne!(uid, Uid::new(&other).unwrap());
        }
        assert!(Uid::new(b"").is_none());
        assert!(Uid::new(&[b'x'; 256]).is_none());
        assert!(Uid::new(b"a\0").is_none());
    }

    #[test]
    fn a_number_is_digits() {
        assert_eq!(number(b"0"), Some(0));
        assert_eq!(number(b"18446744073709551615"), Some(u64::MAX));
        for wrong in ["18446744073709551616", "99999999999999999999", "", "+1", "-1", "1 ", "x"] {
            assert_eq!(number(wrong.as_bytes()), None, "{wrong}");
        }
    }

    #[test]
    fn a_secret_does_not_show_in_debug_output() {
        assert_eq!(format!("{:?}", Secret::new("hunter2")), "****");
    }

    #[test]
    fn an_error_is_a_fragment_without_numbers() {
        let refused = io::Error::from_raw_os_error(111);
        assert_eq!(plain(&refused), "connection refused");
    }
}
