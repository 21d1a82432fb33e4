//! What is kept of a message that was sent: a copy, and a line in a log; and that neither stands in
//! the way of the message.

use std::fs;

use serde_json::json;

use crate::support::postie::Home;
use crate::support::sink::Sink;

const MESSAGE: &str = "From: ann@example.com\nTo: bob@example.net\n\
                       Bcc: eve@example.org,\n dan@x.example\n\
                       Date: x\nMessage-ID: <1@example.com>\n\nGr\u{fc}\u{df}e\n.\n";

fn home(sink: &Sink, more: &str) -> Home {
    let home = Home::new();
    home.config(&sink.config(more));
    home
}

#[test]
fn a_copy_is_kept_as_it_was_sent_and_with_its_blind_recipients() {
    let sink = Sink::start(&[]);
    let home = home(&sink, "sent-maildir = \"~/Sent\"");
    home.postie(["send", "-t"]).stdin(MESSAGE).run().exit(0).silent();
    let copies = home.files("Sent/cur");
    assert_eq!(copies.len(), 1);
    assert!(copies[0].to_string_lossy().ends_with(":2,S"), "{copies:?}");
    assert_eq!((home.files("Sent/new").len(), home.files("Sent/tmp").len()), (0, 0));
    let copy = fs::read_to_string(&copies[0]).unwrap();
    let sent = sink.taken()[0].lines();
    assert_eq!(copy, format!("Bcc: eve@example.org,\n dan@x.example\n{sent}"));
    assert!(
        sent.contains("Content-Transfer-Encoding: quoted-printable\n") && !sent.contains("eve")
    );
}

#[test]
fn a_composed_message_is_kept_with_its_blind_recipients_too() {
    let sink = Sink::start(&[]);
    let home = home(&sink, "sent-maildir = \"Sent\"");
    let args = ["send", "--to=bob@example.net", "--bcc=eve@example.org", "--body=hello"];
    home.postie(args).run().exit(0).silent();
    let copies = home.messages("Sent");
    assert!(String::from_utf8_lossy(&copies[0]).contains("Bcc: <eve@example.org>\n"));
    assert!(!sink.taken()[0].lines().contains("eve"));
}

#[test]
fn nothing_is_kept_of_what_was_not_accepted() {
    let sink = Sink::start(&[]);
    let home = home(&sink, "sent-maildir = \"Sent\"");
    home.postie(["send", "nobody@example.net"]).stdin(MESSAGE).run().exit(67);
    assert_eq!(home.messages("Sent").len(), 0);
}

#[test]
fn what_cannot_be_kept_was_sent_all_the_same() {
    let sink = Sink::start(&[]);
    let home = home(&sink, "sent-maildir = \"no/such\"\nlog-file = \"no/log\"");
    let outcome = home.postie(["send", "bob@example.net"]).stdin(MESSAGE).run();
    outcome
        .exit(0)
        .says("postie: send: the message was sent, but its copy was not kept: cannot create ");
    outcome.says("postie: send: cannot write to ").says("/no/log: no such file or directory\n");
    assert_eq!((sink.taken().len(), outcome.stderr.lines().count()), (1, 2));
}

#[test]
fn what_became_of_each_recipient_is_told_to_programs() {
    let sink = Sink::start(&[]);
    let home = home(&sink, "");
    let send = |recipients: &[&str], status| {
        let run = home.postie([&["send", "--json"], recipients].concat()).stdin(MESSAGE).run();
        run.exit(status);
        serde_json::from_str::<serde_json::Value>(&run.stdout).unwrap()
    };
    let bob = json!({
        "address": "bob@example.net", "status": "accepted", "reply": "250 2.1.5 go on"
    });
    let nobody = json!({
        "address": "nobody@example.org", "status": "refused",
        "reply": "550 5.1.1 \"nobody\" is not here"
    });
    let partial = send(&["bob@example.net", "nobody@example.org"], 81);
    assert_eq!(partial["recipients"], json!([bob, nobody]));
    assert_eq!(partial["reply"], "250 2.0.0 taken");
    assert_eq!(partial["error"]["status"], 81);
    assert_eq!(partial["message_id"], "<1@example.com>");
    let size = u64::try_from(sink.taken()[0].text.len()).unwrap();
    assert_eq!((&partial["from"], &partial["size"]), (&json!("ann@example.com"), &json!(size)));
    let whole = send(&["bob@example.net"], 0);
    assert_eq!((&whole["recipients"], &whole["error"]), (&json!([bob]), &json!(null)));
    let refused = send(&["nobody@example.org"], 67);
    assert_eq!((&refused["recipients"], &refused["reply"]), (&json!([nobody]), &json!(null)));
    assert_eq!(refused["error"]["kind"], "no-recipient");
}

#[test]
fn every_outcome_is_an_object_for_programs() {
    let sink = Sink::start(&[]);
    let home = home(&sink, "");
    let one = |args: &[&str], status: i32, kind: &str| {
        let run = home.postie(args).stdin(MESSAGE).run();
        run.exit(status);
        let objects: Vec<serde_json::Value> =
            run.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let [object] = objects.as_slice() else { panic!("{args:?}: {run:?}") };
        assert_eq!(object["error"]["status"], status, "{args:?}: {object}");
        assert_eq!(object["error"]["kind"], kind, "{args:?}: {object}");
        object["error"]["message"].as_str().unwrap().to_owned()
    };
    // Words that make no sense, as clap, as sendmail and as the commands see them.
    let message = one(&["send", "--json", "--nonsense"], 64, "usage");
    assert_eq!(message, "unexpected argument '--nonsense' found");
    one(&["--json", "send", "-bd"], 64, "usage");
    one(&["send", "--json", "not an address"], 64, "usage");
    one(&["send", "--json"], 64, "usage");
    one(&["fetch", "--json", "nobody"], 64, "usage");
    one(&["send", "--json", "-a", "nobody", "bob@example.net"], 64, "usage");
    one(&["send", "--json", "--to", "bob@example.net", "--attach", "missing"], 66, "no-input");
    one(&["send", "--json", "nobody@example.net"], 67, "no-recipient");
    one(&["queue", "--json", "remove", "00000000.00000000"], 64, "usage");
    one(&["fetch", "--json", "--dry-run"], 76, "protocol");
    home.config("nonsense");
    one(&["queue", "--json", "flush"], 78, "config");
    one(&["fetch", "--json"], 78, "config");
    // Behind `--`, and under the name of sendmail, it is nobody's wish.
    assert_eq!(home.postie(["send", "-Q", "--", "--json"]).run().exit(64).stdout, "");
    let sendmail = home.path().join("sendmail");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_postie"), &sendmail).unwrap();
    assert_eq!(home.program(&sendmail, ["--json"]).run().exit(64).stdout, "");
}

#[test]
fn a_message_that_was_sent_is_not_to_be_sent_again_because_nobody_could_be_told() {
    let sink = Sink::start(&[]);
    let home = home(&sink, "");
    let full = || fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let run = home.postie(["send", "--json", "bob@example.net"]).stdin(MESSAGE);
    let errors = fs::File::create(home.path().join("errors")).unwrap();
    run.output(full(), errors).run().exit(0);
    let errors = fs::read_to_string(home.path().join("errors")).unwrap();
    assert_eq!(errors, "postie: send home: cannot write the result: no space left on device\n");
    assert_eq!(sink.taken().len(), 1);
}

#[test]
fn each_attempt_is_a_line_in_the_log() {
    let sink = Sink::start(&[]);
    let home = home(&sink, "log-file = \"log\"");
    let send = |recipients: &[&str]| {
        home.postie([&["send"], recipients].concat()).stdin(MESSAGE).run().status
    };
    assert_eq!(send(&["bob@example.net", "nobody@example.org"]), 81);
    // Whoever rotates the log takes it away between two lines.
    let log = home.path().join("log");
    fs::rename(&log, home.path().join("log.1")).unwrap();
    assert_eq!(send(&["nobody@example.org"]), 67);
    assert_eq!(send(&["bob@example.net"]), 0);
    home.config(&sink.config("log-file = \"log\"\nserver = \"127.0.0.1:1\""));
    assert_eq!(send(&["bob@example.net", "eve@example.org"]), 75);
    home.postie(["send", "--dry-run", "bob@example.net"]).stdin(MESSAGE).run().exit(0);

    let lines = |name: &str| -> Vec<String> {
        let text = fs::read_to_string(home.path().join(name)).unwrap();
        text.lines().map(str::to_owned).collect()
    };
    let server = sink.address;
    let who = format!("account=home server={server} from=ann@example.com");
    let refused = "refused=nobody@example.org because=\"550 5.1.1 \\\"nobody\\\" is not here\"";
    let [first] = &lines("log.1")[..] else { panic!("{:?}", lines("log.1")) };
    let (time, rest) = first.split_once(' ').unwrap();
    assert!(time.len() == "2026-11-24T12:00:00+00:00".len() && &time[10..11] == "T", "{time}");
    let expected = format!("{who} accepted=bob@example.net {refused} size=");
    assert!(rest.starts_with(&expected), "{rest}");
    assert!(rest.ends_with(" id=<1@example.com> reply=\"250 2.0.0 taken\" status=81"), "{rest}");
    let [refusal, success, failed] = &lines("log")[..] else { panic!("{:?}", lines("log")) };
    assert!(refusal.contains(refused) && refusal.ends_with("> status=67"), "{refusal}");
    assert!(success.ends_with("reply=\"250 2.0.0 taken\" status=0"), "{success}");
    assert!(failed.contains(" not-sent=bob@example.net not-sent=eve@example.org "), "{failed}");
    assert!(
        failed.ends_with(" error=\"cannot connect: connection refused\" status=75"),
        "{failed}"
    );
}
