//! `postie setup` against a resolver, a web server and mail servers of the test's own.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

use postie::cli::{Check, Fetch, Global, OneOff};
use postie::providers::{Password, TABLE};
use postie::settings::{Settings, Target};

use crate::support::names::{DnsReply, Names};
use crate::support::pki::Authority;
use crate::support::postie::{Home, Outcome};
use crate::support::server::Server;
use crate::support::web::Web;

/// Everything that an address needs, and a home to write its account into.
struct World {
    home: Home,
    web: Web,
    options: Vec<String>,
}

const HOSTS: [&str; 8] = [
    "autoconfig.example.org",
    "example.org",
    "pop.example.org",
    "smtp.example.org",
    "mail.example.org",
    "pop.evil.example",
    "elsewhere.example",
    "box.hosting.example",
];

impl World {
    fn new(said: &[(&'static str, DnsReply)], pages: &[(&str, &str)]) -> Self {
        let authority = Authority::new();
        let identity = authority.issue(&HOSTS);
        let names = Names::start(&["example.org"], said);
        let pages = pages.iter().map(|(page, answer)| ((*page).to_owned(), (*answer).to_owned()));
        let web = Web::start(identity.config(), pages.collect());
        let server = Server::start(identity.config(), &[("ann@example.org", "not-a-secret")]);
        let home = Home::new();
        home.file("ca.pem", authority.pem());
        let mut options = vec![format!("--dns={}", names.address), "--ca-file=ca.pem".to_owned()];
        for (port, address) in [(443, web.address), (995, server.pop3), (465, server.smtp)] {
            options.push(format!("--connect-to=:{port}:{address}"));
        }
        Self { home, web, options }
    }

    fn setup(&self, args: &[&str]) -> Outcome {
        let args = ["setup", "ann@example.org"].iter().chain(args).map(|arg| (*arg).to_owned());
        self.home.postie(args.chain(self.options.iter().cloned())).run()
    }

    fn config(&self) -> Option<String> {
        fs::read_to_string(self.home.path().join(".config/postie/config.toml")).ok()
    }
}

/// The lines that are no remarks.
fn keys(block: &str) -> Vec<&str> {
    block.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect()
}

fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

pub fn document(pop3: &str, smtp: &str) -> String {
    let server = |kind: &str, protocol: &str, host: &str, port: u16| {
        format!(
            "<{kind} type=\"{protocol}\"><hostname>{host}</hostname><port>{port}</port>\
             <socketType>SSL</socketType><username>%EMAILADDRESS%</username>\
             <authentication>password-cleartext</authentication></{kind}>"
        )
    };
    ok(&format!(
        "<clientConfig version=\"1.1\"><emailProvider id=\"example.org\">{}{}</emailProvider>\
         </clientConfig>",
        server("incomingServer", "pop3", pop3, 995),
        server("outgoingServer", "smtp", smtp, 465)
    ))
}

pub const PAGE: &str = "autoconfig.example.org/mail/config-v1.1.xml";

#[test]
fn the_block_of_every_known_provider_loads_and_becomes_jobs() {
    let home = Home::new();
    for row in TABLE {
        let Some(domain) = row.domains.first() else { continue };
        let address = format!("ann@{domain}");
        let found = home.postie(["setup", &address, "--offline", "--account", "one"]).run();
        if row.send.is_none() {
            found.exit(69).says(row.instead);
            assert_eq!(found.stdout, "");
            continue;
        }
        found.exit(if row.fetch.is_some() { 0 } else { 69 });
        let says = if row.is_confirmed { "table of providers\n" } else { "(not confirmed)" };
        found.says(says);
        // The comment names the key that the advice names, and is good once it is one.
        let secret = match row.password {
            Password::Token => "# oauth = \"...\"",
            _ => "# password-command = \"...\"",
        };
        let block = found.stdout.replace(secret, secret.trim_start_matches("# "));
        assert_ne!(block, found.stdout, "{}", row.name);
        let client = "[oauth.\"...\"]\nclient-id = \"x\"\nissuer = \"https://login.example.org\"\nscope = \"mail\"\n";
        let path = home.file("found.toml", format!("{block}{client}"));
        let global = Global { config: Some(path), ..Global::default() };
        let settings = Settings::load(&global, &OneOff::default()).unwrap();
        let args =
            Check { accounts: vec!["one".to_owned()], probe_sender: true, ..Check::default() };
        let checks = settings.checks(&args).unwrap();
        let endpoints: Vec<_> = [row.fetch, row.send].into_iter().flatten().collect();
        assert_eq!(checks.len(), endpoints.len(), "{}", row.name);
        for (check, endpoint) in checks.iter().zip(endpoints) {
            let Ok(Target::Server(job)) = &check.target else { panic!("{check:?}") };
            let peer = job.peer();
            assert_eq!(
                (peer.host.as_str(), peer.tls),
                (endpoint.host, endpoint.tls),
                "{}",
                row.name
            );
            if let Some(port) = endpoint.port {
                assert_eq!(peer.port, port, "{}", row.name);
            }
        }
        if row.fetch.is_some() {
            assert_eq!(settings.fetch_jobs(&Fetch::default()).unwrap().len(), 1);
        }
    }
}

#[test]
fn what_the_domain_publishes_is_walked_and_printed() {
    let page = document("pop.example.org", "smtp.example.org");
    let world = World::new(&[], &[(PAGE, &page)]);
    let found = world.setup(&[]);
    found.exit(0).says("which is signed for the host");
    found.says("pop.example.org:995 answers").says("smtp.example.org:465 answers");
    found.says("postie check example");
    let args = ["setup", "ann@gmail.com", "--offline", "--account", "my mail"];
    let named = world.home.postie(args).run();
    named.exit(0).says("postie check 'my mail'");
    let ca_file = format!("ca-file = \"{}\"", world.home.path().join("ca.pem").display());
    assert_eq!(
        keys(&found.stdout),
        [
            "[account.example]",
            "user = \"ann@example.org\"",
            &ca_file,
            "[account.example.fetch]",
            "server = \"pop.example.org\"",
            "[account.example.send]",
            "server = \"smtp.example.org\"",
        ]
    );
    assert_eq!(world.config(), None);
    assert!(!world.web.heard().iter().any(|line| line.contains("ann")), "{:?}", world.web.heard());
}

#[test]
fn an_account_is_written_once() {
    let page = document("mail.example.org", "mail.example.org");
    let world = World::new(&[], &[(PAGE, &page)]);
    world.setup(&["--write"]).exit(0).says("postie: setup: the account was written to ");
    let written = world.config().unwrap();
    assert!(keys(&written).contains(&"server = \"mail.example.org\""), "{written}");
    let path = world.home.path().join(".config/postie/config.toml");
    assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
    world.setup(&["--write"]).exit(78);
    assert_eq!(world.config().unwrap(), written);
    world.setup(&["--write", "--account", "other"]).exit(0);
    assert!(world.config().unwrap().starts_with(&written));
}

#[test]
fn a_page_may_lead_elsewhere_by_https_and_not_round_in_circles() {
    let page = document("pop.example.org", "smtp.example.org");
    let lead =
        |to: &str| format!("HTTP/1.1 301 Moved\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n");
    let (there, round) = (lead("https://elsewhere.example/x"), lead("/mail/config-v1.1.xml"));
    let world = World::new(&[], &[(PAGE, &there), ("elsewhere.example/x", &page)]);
    world.setup(&[]).exit(0).says("smtp.example.org:465 answers");
    let plain = lead("http://elsewhere.example/x");
    let second = "example.org/.well-known/autoconfig/mail/config-v1.1.xml";
    for bad in [&round, &plain] {
        let world = World::new(&[], &[(PAGE, bad), (second, &page)]);
        world.setup(&[]).exit(0).says(".well-known");
    }
}

#[test]
fn what_a_web_server_says_cannot_become_a_key_or_a_command() {
    let evil = document("pop.example.org", "smtp.example.org")
        .replace("%EMAILADDRESS%", "x&quot;&#10;password-command = &quot;touch /tmp/x");
    let world = World::new(&[], &[(PAGE, &evil)]);
    let found = world.setup(&[]);
    assert!(!found.stdout.contains("touch"), "{}", found.stdout);
    let quoted = document("pop.example.org", "smtp.example.org")
        .replace("%EMAILADDRESS%", "x&quot;] password-command = &quot;touch /tmp/x");
    let quoted = ok(quoted.split_once("\r\n\r\n").unwrap().1);
    let world = World::new(&[], &[(PAGE, &quoted)]);
    let found = world.setup(&[]);
    found.exit(0);
    let user = keys(&found.stdout).into_iter().find(|line| line.starts_with("user")).unwrap();
    assert_eq!(user, "user = 'x\"] password-command = \"touch /tmp/x'");
    let endless = format!("HTTP/1.1 200 OK\r\n\r\n{}", "x".repeat(600_000));
    let bomb = ok("<!DOCTYPE c [<!ENTITY a \"a\">]><clientConfig>&a;</clientConfig>");
    let deep = ok(&format!("<clientConfig>{}</clientConfig>", "<a>".repeat(20_000)));
    for bad in [endless, bomb, deep] {
        let world = World::new(&[], &[(PAGE, &bad)]);
        world.setup(&[]).exit(0).says("usual names");
    }
}

#[test]
fn srv_records_of_the_domain_are_taken() {
    let said = [
        ("_pop3s._tcp.example.org", DnsReply::Srv(995, "pop.example.org")),
        ("_submissions._tcp.example.org", DnsReply::Srv(465, "smtp.example.org")),
    ];
    let found = World::new(&said, &[]).setup(&["--json"]);
    found.exit(0).says("SRV records; the DNS answer is not signed");
    let object: serde_json::Value = serde_json::from_str(&found.stdout).unwrap();
    assert_eq!(object["source"], "srv");
    assert_eq!(object["fetch"]["server"], "pop.example.org");
    assert_eq!(object["send"]["port"], 465);
    assert_eq!(object["written"], false);
}

#[test]
fn a_server_elsewhere_that_only_the_dns_names_has_to_be_accepted() {
    let said = [
        ("_pop3s._tcp.example.org", DnsReply::Srv(995, "pop.evil.example")),
        ("_submissions._tcp.example.org", DnsReply::Srv(465, "smtp.example.org")),
    ];
    let world = World::new(&said, &[]);
    let found = world.setup(&[]);
    found.exit(77).says("--accept pop.evil.example");
    assert_eq!(keys(&found.stdout), [""; 0], "all of it is commented out");
    assert!(!found.stderr.contains(" answers, "), "it was asked: {}", found.stderr);
    assert!(found.stdout.contains("# server = \"pop.evil.example\""), "{}", found.stdout);
    world.setup(&["--write"]).exit(77).says("pop.evil.example");
    assert_eq!(world.config(), None);
    world.setup(&["--write", "--accept", "smtp.example.org"]).exit(77);
    world.setup(&["--write", "--accept", "pop.evil.example"]).exit(0);
    assert!(world.config().unwrap().contains("server = \"pop.evil.example\""));
}

#[test]
fn a_dot_in_an_srv_record_says_that_there_is_no_such_server() {
    let said = [
        ("_pop3s._tcp.example.org", DnsReply::Srv(0, "")),
        ("_pop3._tcp.example.org", DnsReply::Srv(0, "")),
        ("_submissions._tcp.example.org", DnsReply::Srv(465, "smtp.example.org")),
    ];
    let found = World::new(&said, &[]).setup(&[]);
    found.exit(0).says("no server to fetch with was found");
    assert!(!found.stdout.contains("fetch"), "{}", found.stdout);
}

#[test]
fn a_domain_that_says_that_it_offers_nothing_is_believed() {
    let services = ["_pop3s", "_pop3", "_submissions", "_submission"];
    let names = services.map(|service| &*format!("{service}._tcp.example.org").leak());
    let said = names.map(|name| (name, DnsReply::Srv(0, "")));
    let found = World::new(&said, &[]).setup(&["--write"]);
    found.exit(69).says("example.org offers neither POP3 nor submission, by its SRV records");
}

#[test]
fn a_provider_that_publishes_no_pop3_is_said_to_have_none() {
    let page = document("pop.example.org", "smtp.example.org").replace("pop3", "imap");
    let world = World::new(&[], &[(PAGE, &page)]);
    world.setup(&["--write"]).exit(69).says("example.org has no POP3: it publishes no server");
    assert!(world.config().unwrap().contains("smtp.example.org"), "it can send");
}

#[test]
fn a_domain_whose_mail_a_known_provider_takes_is_at_that_provider() {
    let forged = DnsReply::Forged("mx.evil.example", Box::new(DnsReply::Mx("aspmx.l.google.com")));
    let streamed = DnsReply::OnlyByStream(Box::new(DnsReply::Mx("aspmx.l.google.com")));
    for said in [DnsReply::Mx("aspmx.l.google.com"), forged, streamed] {
        let world = World::new(&[("example.org", said)], &[]);
        // Nothing answers for Gmail here: its certificate is another's.
        let found = world.setup(&[]);
        found
            .exit(77)
            .says("mail exchanger aspmx.l.google.com is Gmail's; the DNS answer is not signed");
        assert!(found.stdout.contains("server = \"pop.gmail.com\""), "{}", found.stdout);
        assert_eq!(world.setup(&["--write"]).status, 77);
        assert_eq!(world.config(), None, "what does not answer is not written");
    }
}

#[test]
fn aliases_that_go_round_in_circles_are_left_and_the_names_that_answer_are_found() {
    let said = [
        ("example.org", DnsReply::Cname("b.example.org")),
        ("b.example.org", DnsReply::Cname("example.org")),
    ];
    let found = World::new(&said, &[]).setup(&[]);
    found.exit(0).says("usual names");
    assert!(found.stdout.contains("server = \"pop.example.org\""), "{}", found.stdout);
}

#[test]
fn a_domain_that_does_not_exist_is_said_to_be_none() {
    let world = World::new(&[], &[]);
    let args = ["setup".to_owned(), "ann@nowhere.example".to_owned()];
    let found = world.home.postie(args.into_iter().chain(world.options.iter().cloned())).run();
    found.exit(68).says("the domain nowhere.example does not exist").says("hint: check the");
    assert_eq!(found.stdout, "");
    let offline = world.home.postie(["setup", "ann@nowhere.example", "--offline"]).run();
    offline.exit(68).says("not in the table of providers").says("hint: leave --offline out");
}

#[test]
fn silent_servers_are_waited_for_ten_seconds_at_most() {
    let world = World::new(&[], &[]);
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let resolver = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let options = [
        format!("--connect-to={}", silent.local_addr().unwrap()),
        format!("--dns={}", resolver.local_addr().unwrap()),
    ];
    let began = Instant::now();
    let args = ["setup", "ann@example.org"].map(str::to_owned).into_iter().chain(options);
    // What nobody answered is no proof that there is nothing.
    let found = world.home.postie(args).run();
    found.exit(75).says("the resolver does not answer").says("hint: check the network connection");
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
}

#[test]
fn an_address_that_is_no_account_is_checked_and_saved() {
    let page = document("pop.example.org", "smtp.example.org");
    let world = World::new(&[], &[(PAGE, &page)]);
    let password = world.home.file("pw", "not-a-secret\n");
    let check = |more: &[&str]| {
        let args = ["check", "ann@example.org"].iter().chain(more).map(|arg| (*arg).to_owned());
        let args = args.chain([format!("--password-file={}", password.display())]);
        world.home.postie(args.chain(world.options.iter().cloned())).run()
    };
    let seen = check(&[]);
    seen.exit(0).says("which is signed for the host");
    assert!(seen.stdout.contains("ok mailbox: 0 messages"), "{}", seen.stdout);
    assert!(seen.stdout.contains("ok submission"), "{}", seen.stdout);
    let (_, block) = seen.stdout.split_once("write to ").unwrap();
    assert!(block.contains("[account.example]") && block.contains("password-file = "), "{block}");
    assert_eq!(world.config(), None);
    check(&["--save"]).exit(0).says("the account was written to");
    let written = world.config().unwrap();
    assert!(block.contains(written.trim_end()), "what is printed to be kept is what is written");
    check(&["--save"]).exit(78);
    assert_eq!(world.config().unwrap(), written);
}

#[test]
fn an_address_whose_server_only_the_dns_names_elsewhere_is_not_logged_in() {
    let said = [("_pop3s._tcp.example.org", DnsReply::Srv(995, "pop.evil.example"))];
    let world = World::new(&said, &[]);
    let password = world.home.file("pw", "not-a-secret\n");
    let args = ["check".to_owned(), "ann@example.org".to_owned()];
    let args = args.into_iter().chain([format!("--password-file={}", password.display())]);
    let seen = world.home.postie(args.chain(world.options.iter().cloned())).run();
    seen.exit(77);
    let failed = "FAILED configuration: only an unsigned DNS answer names pop.evil.example";
    assert!(seen.stdout.contains(failed), "{}", seen.stdout);
    let hint = "hint: if your provider confirms it, run `postie setup ann@example.org --accept \
                pop.evil.example --write` first";
    assert!(seen.stdout.contains(hint), "{}", seen.stdout);
    assert!(seen.stderr.starts_with("postie: check: SRV records"), "{}", seen.stderr);
    assert!(!seen.stdout.contains("ok login"), "{}", seen.stdout);
}

#[test]
fn an_address_of_nowhere_is_not_checked() {
    let world = World::new(&[], &[]);
    let args = ["check".to_owned(), "ann@nowhere.example".to_owned()];
    let seen = world.home.postie(args.into_iter().chain(world.options.iter().cloned())).run();
    seen.exit(68);
    let failed = "FAILED configuration: the domain nowhere.example does not exist";
    assert!(seen.stdout.contains(failed), "{}", seen.stdout);
}
