//! From an address alone to the first message, in a network of the test's own: names, ports and trust
//! are found as on any machine, and no option tells the program otherwise.

use std::env;
use std::net::Ipv4Addr;
use std::process::{Command, Stdio};

use crate::setup::{PAGE, document};
use crate::support::names::{DnsReply, Names};
use crate::support::pki::Authority;
use crate::support::postie::Home;
use crate::support::server::Server;
use crate::support::servers;
use crate::support::web::Web;
use crate::terminal::at_a_terminal;

/// Set in the environment of the test that runs within the namespaces.
const INSIDE: &str = "POSTIE_TEST_NETWORK";

/// New user, network and mount namespaces, in which this process is root.
fn namespaces() -> Command {
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--net", "--mount"]);
    command
}

/// Runs the test `name` again, in namespaces of its own. Returns whether this is that run; the first
/// one is over then.
fn is_inside(name: &str) -> bool {
    if env::var_os(INSIDE).is_some() {
        return true;
    }
    if !servers::is_installed("ip") || !servers::is_installed("script") {
        return false;
    }
    if !namespaces().arg("true").stderr(Stdio::null()).status().unwrap().success() {
        servers::skip("network namespaces are not permitted here");
        return false;
    }
    let test = env::current_exe().unwrap();
    let output = namespaces()
        .arg(test)
        .args(["--exact", &format!("newcomer::{name}"), "--nocapture"])
        .env(INSIDE, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{said}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    false
}

/// Hosts that are this machine, at the ports of every provider.
const HOSTS: [&str; 7] = [
    "autoconfig.example.org",
    "pop.example.org",
    "smtp.example.org",
    "mail.example.net",
    "pop.example.net",
    "mail.example.com",
    "example.org",
];

/// A network with a resolver, a web server and a mail server; gone with this process.
struct Network {
    authority: Authority,
    /// What lies over /etc.
    _files: Home,
}

impl Network {
    fn start() -> Self {
        let files = Home::new();
        let run = |program: &str, args: &[&str]| {
            assert!(Command::new(program).args(args).status().unwrap().success(), "{args:?}");
        };
        run("ip", &["link", "set", "lo", "up"]);
        for (file, text) in [
            ("resolv.conf", "nameserver 127.0.0.1\n"),
            ("nsswitch.conf", "hosts: files dns\n"),
            ("hosts", "127.0.0.1 localhost\n"),
        ] {
            let own = files.file(file, text);
            run("mount", &["--bind", own.to_str().unwrap(), &format!("/etc/{file}")]);
        }
        let mut said: Vec<_> =
            HOSTS.iter().map(|host| (*host, DnsReply::Address(Ipv4Addr::LOCALHOST))).collect();
        said.extend([
            ("_pop3s._tcp.example.net", DnsReply::Srv(995, "pop.example.net")),
            ("_submissions._tcp.example.net", DnsReply::Srv(465, "mail.example.net")),
        ]);
        Names::start_at(53, &["example.org", "example.net", "example.com"], &said);
        let authority = Authority::new();
        let identity = authority.issue(&HOSTS);
        let page = document("pop.example.org", "smtp.example.org");
        Web::start_at(443, identity.config(), vec![(PAGE.to_owned(), page)]);
        let users = [
            ("ann@example.org", "not-a-secret"),
            ("bob@example.net", "not-a-secret"),
            ("eve@example.com", "not-a-secret"),
        ];
        Server::start_at([995, 465], identity.config(), &users);
        Self { authority, _files: files }
    }

    /// A user's home. The authority is the test's own, so its file has to be there.
    fn home(&self) -> Home {
        let home = Home::new();
        home.file("ca.pem", self.authority.pem());
        home
    }
}

/// A line as it is typed, with the password if it is asked for; the status must be 0.
fn type_line(home: &Home, line: &str) -> String {
    let words: Vec<_> = line.split(' ').skip(1).map(str::to_owned).collect();
    let seen = at_a_terminal(home, &words, "not-a-secret\n");
    assert!(seen.ends_with("status 0\r\n"), "{line}\n{seen}");
    seen
}

#[test]
fn from_an_address_to_the_first_message_it_takes_three_commands() {
    if !is_inside("from_an_address_to_the_first_message_it_takes_three_commands") {
        return;
    }
    let network = Network::start();
    // By what the domain publishes, by SRV records, and by the names that answer.
    for (address, found) in [
        ("ann@example.org", "https://autoconfig.example.org/"),
        ("bob@example.net", "SRV records"),
        ("eve@example.com", "usual names"),
    ] {
        let another = network.home();
        another.file("password", "not-a-secret\n");
        let sent = another.postie([
            "send",
            "--server=mail.example.com",
            "--user=eve@example.com",
            "--password-file=password",
            "--ca-file=ca.pem",
            address,
        ]);
        sent.stdin("Subject: welcome\n\nhello\n").run().exit(0);

        let home = network.home();
        let set_up = type_line(&home, &format!("postie setup {address} --write --ca-file ca.pem"));
        assert!(set_up.contains(found), "{set_up}");
        let checked = type_line(&home, "postie check");
        assert!(checked.contains("1 message ("), "{checked}");
        type_line(&home, "postie fetch");
        let messages = home.messages("Maildir");
        let [message] = messages.as_slice() else { panic!("{} messages", messages.len()) };
        let text = String::from_utf8_lossy(message);
        assert!(text.starts_with("Subject: welcome\n") && text.ends_with("\n\nhello\n"), "{text}");
    }
}

#[test]
fn without_a_network_the_hint_is_about_the_network() {
    if !is_inside("without_a_network_the_hint_is_about_the_network") {
        return;
    }
    let home = Home::new();
    let account = ["--server=mail.example.com", "--user=ann", "--password-command=echo x"];
    for command in ["fetch", "check"] {
        let outcome = home.postie([command].into_iter().chain(account)).run();
        outcome.exit(75);
        let said = outcome.stdout + &outcome.stderr;
        assert!(said.contains("cannot look up the host name"), "{said}");
        assert!(said.contains("hint: check the network connection"), "{said}");
    }
    let found = home.postie(["setup", "ann@example.org"]).run();
    found.exit(75).says("hint: check the network connection");
}
