//! Other programs' configurations and lists, and what each becomes.

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::sample::select;

use super::*;

fn source(text: &str) -> Source {
    Source::of(Path::new("rc"), text.as_bytes().to_vec())
}

fn found(text: &str) -> Found {
    configuration(&source(text)).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn sections(found: &Found) -> String {
    found.accounts.iter().map(document::section).collect()
}

fn error(text: &str) -> String {
    configuration(&source(text)).map(|found| sections(&found)).unwrap_err().to_string()
}

/// The smallest file of a program that has a word with a value, and the same without.
fn example(program: &str, keyword: &Keyword) -> (String, String) {
    let (word, value) = (keyword.word, keyword.example);
    match program {
        "msmtp" | "mpop" => {
            let own =
                if program == "mpop" { "delivery maildir ~/x" } else { "from bob@example.org" };
            let base = format!(
                "account t\nhost other.example.org\nuser bob@example.org\ntls on\n\
                 tls_cert_file ~/x\ntls_key_file ~/y\n{own}\n"
            );
            (format!("{base}{word} {value}\n"), base)
        }
        "fetchmail" => {
            let option = match value {
                "" => word.to_owned(),
                "no" => format!("no {word}"),
                value => format!("{word} \"{value}\""),
            };
            let file = |program: &str, server: &str, user: &str| {
                format!(
                    "{program}\npoll other.example.org proto pop3 {server}\nuser bob there is bob here \
                     ssl sslcert ~/x sslkey ~/y {user}\n"
                )
            };
            let choice = fetchmail::CHOICES.iter().find(|choice| choice.keyword.word == word);
            let scope = format!("{:?}", choice.unwrap().scope());
            let text = match scope.as_str() {
                "Program" => file(&format!("set {option}"), "", ""),
                "Server" => file("", &option, ""),
                _ => file("", "", &option),
            };
            (text, file("", "", ""))
        }
        _ => {
            let (section, word) = word.split_once('.').unwrap();
            let file = |section: &str, line: &str| {
                let in_section = |name: &str| if name == section { line } else { "" };
                let destination = match line {
                    line if line.starts_with("arguments") => "MDA_external\npath = /bin/x",
                    line if line.starts_with("path") => "Maildir",
                    _ => "Maildir\npath = ~/x",
                };
                format!(
                    "[retriever]\ntype = SimplePOP3SSLRetriever\nserver = other.example.org\n\
                     username = bob\ncertfile = ~/x\nkeyfile = ~/y\n{}\n[destination]\n\
                     type = {destination}\n{}\n[options]\n{}\n[filter-1]\n{}\n",
                    in_section("retriever"),
                    in_section("destination"),
                    in_section("options"),
                    in_section("filter"),
                )
            };
            let text = file(section, &format!("{word} = {value}"));
            // What stands twice in a section is an error: the example counts, which is the last.
            let section = text.find(&format!("[{section}")).unwrap_or_default();
            let (before, rest) = text.split_at(section);
            let name = format!("{word} = ");
            let again = rest.split("\n[").next().unwrap().matches(&format!("\n{name}")).count() > 1;
            let rest = if again {
                let (head, tail) = rest.split_once(&format!("\n{name}")).unwrap();
                format!("{head}\n{}", tail.split_once('\n').unwrap().1)
            } else {
                rest.to_owned()
            };
            (format!("{before}{rest}"), file("", ""))
        }
    }
}

/// Words whose example is what is so without them.
const USUAL: [&str; 5] = ["tls", "ssl", "sslcertpath", "sslproto", "retriever.type"];

#[test]
fn every_word_of_every_manual_becomes_a_key_or_a_comment() {
    let mut count = 0;
    for (program, words) in vocabulary() {
        for keyword in words {
            let (text, base) = example(program, keyword);
            let what = format!("{program}: {}\n{text}", keyword.word);
            let (found, without) = (found(&text), sections(&found(&base)));
            let sections = sections(&found);
            match keyword.becomes {
                Becomes::Structure => {}
                Becomes::Key(key) => {
                    assert!(sections.contains(&format!("\n{key} = ")), "{what}{sections}");
                    let differs = sections != without || USUAL.contains(&keyword.word);
                    assert!(differs, "{what}{sections}");
                }
                Becomes::Password => {
                    assert!(found.accounts[0].password.is_some(), "{what}");
                    assert!(!sections.contains(keyword.example), "{what}{sections}");
                }
                Becomes::Memory => assert!(found.accounts[0].memory.is_some(), "{what}"),
                Becomes::Aliases => assert_eq!(found.alias_files.len(), 1, "{what}"),
                Becomes::Comment(reason, _) => {
                    let (with, without) =
                        (sections.matches(reason).count(), without.matches(reason).count());
                    assert_eq!(with, without + 1, "{what}{sections}");
                }
                Becomes::Hidden(reason) => {
                    assert!(sections.contains(reason), "{what}{sections}");
                    assert!(!sections.contains(keyword.example), "{what}{sections}");
                }
            }
            // Whatever it is, the file goes on being one that can be loaded.
            let place = Path::new("config.toml");
            for account in &found.accounts {
                File::of_text(&document::section(account), place).unwrap_or_else(|error| {
                    panic!("{what}{error}\n{}", document::section(account))
                });
            }
            count += 1;
        }
    }
    assert!(count > 200, "{count}");
}

#[test]
fn every_key_that_words_become_is_one_of_the_configuration() {
    for (program, words) in vocabulary() {
        for keyword in words {
            if let Becomes::Key(name) = keyword.becomes {
                let is_known = config::KEYS.iter().any(|key| key.name == name);
                assert!(is_known, "{program}: {} becomes {name}", keyword.word);
            }
        }
    }
}

#[test]
fn no_word_stands_twice_in_a_table() {
    for (program, words) in vocabulary() {
        let mut seen = BTreeSet::new();
        for keyword in words {
            assert!(seen.insert(keyword.word), "{program}: {}", keyword.word);
        }
    }
}

#[test]
fn an_unknown_word_is_an_error_with_its_line_and_is_not_shown() {
    for (text, line) in [
        ("account a\nhost x.example\nfrom a@x.example\nhunter2 b\n", 4),
        ("account a\nhost x.example\nkeep on\n\n  tls_hunter2\n", 5),
        ("poll x.example proto pop3\n# pass\nuser ann pass not-a hunter2\n", 3),
        ("poll x.example proto pop3 user ann hunter2 keep\n", 1),
        ("set hunter2 5\npoll x.example\n", 1),
        ("[retriever]\ntype = SimplePOP3Retriever\nhunter2 = 3\n", 3),
        ("[retriever]\ntype = SimplePOP3Retriever\npassword = x\nhunter2\n", 4),
        ("[retriever]\ntype = hunter2\n[destination]\ntype = Maildir\npath = /x\n", 2),
        ("poll x.example user ann pass 'hunter2\n", 1),
    ] {
        let error = error(text);
        assert!(error.starts_with(&format!("rc:{line}: ")), "{error}\n{text}");
        assert!(!error.contains("hunter2"), "{error}");
    }
    assert_eq!(
        error("account a\nhost x\nfrom a@x\ntls_startls off\n"),
        "rc:4: unknown word; was `tls_starttls` meant?"
    );
}

#[test]
fn nothing_is_run_and_what_would_have_been_printed_is_missed() {
    let dir = tempfile::tempdir().unwrap();
    let mark = dir.path().join("mark");
    let text = format!(
        "account a\nhost x.example\nfrom a@x\neval touch {0}; echo password hunter2\nuser u\n\
         passwordeval touch {0}\naccount b : a\neval echo user u\n",
        mark.display()
    );
    let found = found(&text);
    let text = sections(&found);
    assert!(!mark.exists() && !text.contains("hunter2"), "{text}");
    assert_eq!(text.matches("eval (line 4): nothing is run").count(), 2, "{text}");
    assert_eq!(text.matches("eval (line 8): nothing is run").count(), 1, "{text}");
}

#[test]
fn what_stands_twice_in_a_getmailrc_is_an_error() {
    let text = "[retriever]\ntype = SimplePOP3Retriever\nserver = x.example\nusername = u\n\
                [destination]\ntype = Maildir\npath = /x/\n";
    assert!(error(&format!("{text}[retriever]\n")).starts_with("rc:8: this section"));
    assert!(error(&format!("{text}path = /y/\n")).starts_with("rc:8: this parameter"));
}

#[test]
fn the_pin_of_a_device_and_the_password_of_a_url_are_not_shown() {
    let text = "account a\nhost x.example\nuser u\nfrom u@x\ntls on\n\
                tls_cert_file pkcs11:token=a\ntls_key_file pkcs11:object=b?pin-value=hunter2\n\
                proxy_host http://ann:hunter2@proxy.example\n";
    let text = sections(&found(text));
    assert!(!text.contains("hunter2"), "{text}");
}

#[test]
fn quotes_around_the_argument_of_a_delivery_are_not_part_of_it() {
    for (delivery, key, value) in [
        ("mda \"procmail -d 'ann'\"", "deliver-command", "procmail -d 'ann'"),
        ("maildir \"~/My Mail\"", "maildir", "~/My Mail"),
        ("maildir ~/Mail", "maildir", "~/Mail"),
    ] {
        let text = format!("account a\nhost x.example\nuser u\ndelivery {delivery}\n");
        assert_eq!(found(&text).accounts[0].text(key), Some(value), "{text}");
    }
}

#[test]
fn a_byte_order_mark_is_no_part_of_a_configuration() {
    let text = "\u{feff}account a\nhost x.example\nuser u\ndelivery maildir ~/x\n";
    assert_eq!(found(text).accounts[0].text("server"), Some("x.example"));
}

#[test]
fn of_a_password_and_a_command_one_is_used_and_the_other_a_comment() {
    for (auth, key, comment) in [
        ("oauthbearer", Some("show token"), "password (line 2): an access token does not last"),
        ("plain", None, "passwordeval show token (line 6): not run, as `password` is set"),
    ] {
        let text = format!(
            "account a\npassword hunter2\nhost x.example\ndelivery maildir ~/x\naccount b : a\n\
             passwordeval show token\nuser u\nauth {auth}\n"
        );
        let found = found(&text);
        let account = &found.accounts[1];
        assert_eq!(
            (account.text("token-command"), account.password.is_none()),
            (key, key.is_some())
        );
        let notes = account.notes.join("\n");
        assert!(notes.contains(comment), "{notes}");
    }
}

#[test]
fn what_has_no_place_here_yet_is_not_deleted_from_the_server() {
    for (delivery, keep) in [("mbox ~/Mail/inbox", "forever"), ("maildir ~/Mail", "none")] {
        let text = format!("account a\nhost x.example\nuser u\ndelivery {delivery}\n");
        let mut found = found(&text);
        be_careful(&mut found.accounts[0]);
        assert_eq!(found.accounts[0].text("keep"), Some(keep), "{text}");
    }
}

#[test]
fn a_file_of_another_kind_is_an_error() {
    for text in [
        "",
        "\n\n",
        "hello\n",
        "#!/bin/sh\necho account\n",
        "From: ann@example.com\n\nhello\n",
        "set from = ann\naccount-hook x\n",
        "[account.home]\nserver = \"x\"\n",
        "account x\nhost y\nuser z\n",
        "[user]\nname = Ann\n",
        "\u{0}\u{1}\u{2}",
        "account a\nhost x\nfrom a@x\npassword \u{0}\n",
    ] {
        assert!(error(text).starts_with("rc:"), "{text}");
    }
    let latin = Source::of(Path::new("rc"), b"account a\nhost x\nfrom \xe9@x\n".to_vec());
    let error = configuration(&latin).map(|_| ()).unwrap_err();
    assert_eq!(error.to_string(), "rc:3: not a line of text");
}

#[test]
fn accounts_of_msmtp_inherit_and_have_defaults_as_they_do_there() {
    let text = "defaults\ntls on\nport 587\nauth on\ntls_trust_file system\n\naccount one\n\
                host smtp.example.com\nfrom ann@example.com\nuser ann\npasswordeval \"pass ann\"\n\n\
                defaults\ntls_starttls off\n\naccount two : one\nfrom Bob@example.com\nport 465\n\n\
                account default : two\n";
    let found = found(text);
    assert_eq!(found.default.as_deref(), Some("two"));
    let [one, two] = found.accounts.as_slice() else { panic!("{found:?}") };
    let keys =
        |account: &Account| document::table(account).lines().skip(1).collect::<Vec<_>>().join("\n");
    assert_eq!(
        keys(one),
        "server = \"smtp.example.com\"\ntls = \"starttls\"\ntrust = \"system\"\nport = 587\n\
         user = \"ann\"\npassword-command = \"pass ann\"\nfrom = \"ann@example.com\""
    );
    assert_eq!(
        keys(two),
        "server = \"smtp.example.com\"\ntls = \"implicit\"\ntrust = \"system\"\nport = 465\n\
         user = \"ann\"\npassword-command = \"pass ann\"\nfrom = \"Bob@example.com\""
    );
}

#[test]
fn users_of_fetchmail_share_their_server_and_the_defaults() {
    let text = "# a comment\nset daemon 300\ndefaults proto pop3 user ssl keep\n\
                poll pop.example.com with timeout 30:\n  user \"ann\" there has password \"a\\x62c\" is ann here, \n\
                  and user 'bob' there is 'bob' here nokeep mda \"procmail -d %T\"\n\
                skip old.example.com user x\n\
                poll many.example.com localdomains a.example b.example user box to ann bob * here\n";
    // `user ssl` would be a user of that name.
    let text = text.replace("user ssl keep", "ssl keep limit 1000");
    let found = found(&text);
    let names: Vec<_> = found.accounts.iter().map(|account| account.name.as_str()).collect();
    assert_eq!(
        names,
        ["ann@pop.example.com", "bob@pop.example.com", "old.example.com", "many.example.com"]
    );
    let [ann, bob, old, many] = found.accounts.as_slice() else { panic!() };
    assert_eq!(ann.password.as_ref().unwrap().expose(), "abc");
    let of = |account: &Account, key: &str| account.text(key).unwrap_or_default().to_owned();
    assert_eq!((of(ann, "keep"), of(bob, "keep")), ("forever".to_owned(), "none".to_owned()));
    assert_eq!((of(ann, "tls"), of(bob, "max-size")), ("implicit".to_owned(), "1000".to_owned()));
    assert_eq!(of(bob, "deliver-command"), "procmail -d bob");
    assert!(old.left.is_some() && many.left.as_ref().unwrap().starts_with("multidrop"));
}

#[test]
fn a_user_in_the_defaults_of_fetchmail_is_that_of_each_server() {
    let text = "defaults proto pop3 user ann is ann here keep\npoll a.example\n\
                poll b.example password x\npoll c.example user bob\n";
    let found = found(text);
    let users: Vec<_> = found.accounts.iter().map(|account| account.text("user")).collect();
    assert_eq!(users, [Some("ann"), Some("ann"), Some("bob")]);
}

#[test]
fn a_string_of_python_is_read_as_python_does() {
    for (text, expected) in [
        (r#"("a\x41\u00e9\101", r"b\x41", '\d\'')"#, Some("a\u{41}\u{e9}A|b\\x41|\\d'")),
        (r#"("a\n",)"#, None),
    ] {
        let text = format!(
            "[retriever]\ntype = SimplePOP3SSLRetriever\nserver = x.example\nusername = u\n\
             password_command = {text}\n[destination]\ntype = Maildir\npath = ~/x/\n"
        );
        let found = found(&text);
        let words = found.accounts[0].keys.iter().find_map(|(key, value)| match value {
            account::Value::List(words) if *key == "password-command" => Some(words.join("|")),
            _ => None,
        });
        assert_eq!(words.as_deref(), expected, "{text}");
        let notes = found.accounts[0].notes.join("\n");
        assert_eq!(notes.contains("holds a control character"), expected.is_none(), "{notes}");
    }
}

#[test]
fn plain_text_stays_on_this_machine() {
    for (text, tls) in [
        ("account a\nhost localhost\nuser u\ndelivery maildir ~/x\n", "none"),
        ("account a\nhost pop.example.com\nuser u\ndelivery maildir ~/x\n", "starttls"),
        ("poll 127.0.0.1 proto pop3 user u sslproto ''\n", "none"),
        ("poll pop.example.com proto pop3 user u sslproto ''\n", "starttls"),
        ("poll pop.example.com proto pop3 user u\n", "starttls"),
        (
            "[retriever]\ntype = SimplePOP3Retriever\nserver = x.example\nusername = u\n\
             [destination]\ntype = Maildir\npath = ~/x/\n",
            "starttls",
        ),
    ] {
        assert_eq!(found(text).accounts[0].text("tls"), Some(tls), "{text}");
    }
}

#[test]
fn aliases_become_a_table_with_addresses() {
    let text = "# comment\nroot: ann@example.com, bob # both\nbob: bob@example.com\n\
                default: root\nloop: loop\npipe: |/bin/cat\n";
    let (found, remarks) = aliases(&source(text));
    let text = document::aliases(&found);
    assert_eq!(
        text,
        "[aliases]\n\"*\" = [\"ann@example.com\", \"bob@example.com\"]\nbob = \"bob@example.com\"\n\
         root = [\"ann@example.com\", \"bob@example.com\"]\n"
    );
    assert_eq!(remarks.len(), 2, "{remarks:?}");
    File::of_text(&text, Path::new("config.toml")).unwrap();
}

#[test]
fn a_time_to_keep_is_rounded_up_to_days() {
    for (text, days) in
        [("36h", "2d"), ("1d12h", "2d"), ("1d 11h 60m", "2d"), ("7d", "7d"), ("5s", "1d")]
    {
        let text =
            format!("account a\nhost x.example\nuser u\ndelivery maildir ~/x\nkeep {text}\n");
        assert_eq!(found(&text).accounts[0].text("keep"), Some(days));
    }
}

/// Files as nobody would write them: words of the programs, and what might break out of a value.
fn text() -> impl Strategy<Value = String> {
    let mut words: Vec<String> = vocabulary()
        .iter()
        .flat_map(|(_, words)| words.iter())
        .flat_map(|keyword| {
            let word = keyword.word.rsplit('.').next().unwrap_or_default();
            [word.to_owned(), keyword.example.to_owned()]
        })
        .collect();
    let others = [
        "poll",
        "user",
        "is",
        "here",
        "\n",
        "\n\n",
        "\"",
        "'",
        "=",
        "[retriever]\n",
        "[x]\n",
        "#",
        "\\n",
        "\\x0a",
        "\\",
        "\"\n[account.evil]\nserver = \"",
        "'''",
        "\"\"\"",
        "\u{85}",
        "\u{2028}",
        "\t",
        "\r",
        "*",
        "ann@example.com",
        "a]b",
        "\u{7f}",
        "é",
        "account a\nhost h\nfrom a@b\n",
        "type = SimplePOP3SSLRetriever\nserver = h\n",
        "no",
        "\u{202e}",
    ];
    words.extend(others.map(str::to_owned));
    proptest::collection::vec(select(words), 0..40)
        .prop_map(|words| words.join(" ").replace("\n ", "\n"))
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 2_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn nothing_in_a_file_becomes_a_key_that_was_not_meant(text in text(), name in "\\PC*", value in "\\PC*\n?\\PC*") {
        let place = Path::new("config.toml");
        let mut accounts = configuration(&source(&text)).map(|found| found.accounts).unwrap_or_default();
        let mut account = Account::new(&name, Side::Fetch, &value);
        account.key("server", &*value);
        account.remark(&value);
        accounts.push(account);
        for account in &mut accounts {
            rename(account, &[]);
            // Loaded, or refused for a value; never another key or account.
            match File::of_text(&document::section(account), place) {
                Ok(file) if account.left.is_some() => prop_assert!(file.account.is_empty()),
                Ok(file) => prop_assert_eq!(file.account.keys().collect::<Vec<_>>(), [&account.name]),
                Err(error) => {
                    let error = error.to_string();
                    let is_value = ["unknown key", "expected an account", "belongs into", "TOML"];
                    prop_assert!(!is_value.iter().any(|sign| error.contains(sign)), "{}", error);
                }
            }
            account.leave("tested");
            let text = document::section(account);
            prop_assert!(text.lines().all(|line| line.starts_with('#')), "{}", text);
        }
    }
}
