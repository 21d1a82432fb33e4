//! Ways to log in and ways to trust, where it takes a server that reckons to show that they work.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

use aws_lc_rs::{digest, hmac, pbkdf2};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::{ServerConnection, StreamOwned};

use crate::support::dovecot::Dovecot;
use crate::support::pki::{Authority, Identity};
use crate::support::postfix::{Auth, Postfix};
use crate::support::postie::Home;
use crate::support::server::Server;
use crate::support::servers::{self, PASSWORD, USER};
use crate::support::transcript::Tls;

#[test]
fn dovecot_knows_every_mechanism_for_a_password() {
    let Some(dovecot) = Dovecot::start() else { return };
    let home = Home::new();
    for auth in ["scram-sha-256", "scram-sha-1", "plain", "login", "user"] {
        home.config(&format!("[account.home]\n{}auth = \"{auth}\"\n", dovecot.table()));
        let outcome = home.postie(["fetch", "-v"]).run();
        let command = match auth {
            "user" => "C: USER ann@example.com\n".to_owned(),
            auth => format!("C: AUTH {}", auth.to_ascii_uppercase()),
        };
        outcome.exit(0).says(&command);
        // The password is not there in any form.
        assert!(!outcome.stderr.contains("not-a-secret") && !outcome.stderr.contains("bm90LWEt"));
        let wrong = dovecot.table().replace("not-a-secret", "not-the-secret");
        home.config(&format!("[account.home]\n{wrong}auth = \"{auth}\"\n"));
        home.postie(["fetch"]).run().exit(77).says("login refused: [AUTH]");
    }
    home.config(&format!("[account.home]\n{}", dovecot.table()));
    home.postie(["fetch", "-v"]).run().exit(0).says("C: AUTH SCRAM-SHA-256 ****\n");
}

#[test]
fn postfix_knows_every_mechanism_for_a_password() {
    let Some(dovecot) = Dovecot::start() else { return };
    let Some(postfix) = Postfix::start(&dovecot, Auth::Offered) else { return };
    let home = Home::new();
    for auth in ["scram-sha-256", "scram-sha-1", "plain", "login"] {
        let table = postfix.table();
        home.config(&format!(
            "[account.home]\n{table}auth = \"{auth}\"\nfrom = \"ann@example.com\"\n"
        ));
        let outcome = home.postie(["send", "-v", "ann@example.com"]).stdin("A: b\n\nhi\n").run();
        outcome.exit(0).says(&format!("C: AUTH {}", auth.to_ascii_uppercase()));
    }
}

/// A POP3 server that speaks SCRAM-SHA-256-PLUS on one connection, and reckons with the password
/// and the connection's own binding, or with another's.
fn bound(authority: &Authority, is_ours: bool) -> (String, thread::JoinHandle<bool>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = listener.local_addr().unwrap().to_string();
    let config = authority.issue(&["127.0.0.1"]).config();
    let serving = thread::spawn(move || {
        let (socket, _) = listener.accept().unwrap();
        let connection = ServerConnection::new(config.into()).unwrap();
        let mut client = BufReader::new(StreamOwned::new(connection, socket));
        let say = |client: &mut BufReader<StreamOwned<_, _>>, text: &str| -> String {
            client.get_mut().write_all(text.as_bytes()).unwrap();
            let mut line = String::new();
            client.read_line(&mut line).unwrap_or_default();
            line.trim_end().to_owned()
        };
        let decoded = |line: &str| String::from_utf8(STANDARD.decode(line).unwrap()).unwrap();
        assert_eq!(say(&mut client, "+OK ready\r\n"), "CAPA");
        let first = say(&mut client, "+OK\r\nSASL PLAIN SCRAM-SHA-256 SCRAM-SHA-256-PLUS\r\n.\r\n");
        let first = decoded(first.strip_prefix("AUTH SCRAM-SHA-256-PLUS ").unwrap());
        let first = first.strip_prefix("p=tls-exporter,,").unwrap();
        let nonce = format!("{}server", first.split_once("r=").unwrap().1);
        let challenge = format!("r={nonce},s={},i=4096", STANDARD.encode("salt"));
        let last = decoded(&say(&mut client, &format!("+ {}\r\n", STANDARD.encode(&challenge))));
        let (bare, proof) = last.rsplit_once(",p=").unwrap();

        let label = b"EXPORTER-Channel-Binding";
        let context: &[u8] = if is_ours { b"" } else { b"another connection" };
        let connection = &client.get_ref().conn;
        let binding = connection.export_keying_material([0; 32], label, Some(context)).unwrap();
        let channel = [&b"p=tls-exporter,,"[..], &binding].concat();
        let is_bound = bare == format!("c={},r={nonce}", STANDARD.encode(channel));

        let mut salted = [0; 32];
        let rounds = 4096.try_into().unwrap();
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, rounds, b"salt", b"not-a-secret", &mut salted);
        let sign = |key: &[u8], text: &str| {
            hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes()).as_ref().to_vec()
        };
        let message = format!("{first},{challenge},{bare}");
        let stored = digest::digest(&digest::SHA256, &sign(&salted, "Client Key"));
        let proof = STANDARD.decode(proof).unwrap();
        let key: Vec<_> = proof
            .iter()
            .zip(sign(stored.as_ref(), &message))
            .map(|(one, other)| one ^ other)
            .collect();
        assert_eq!(digest::digest(&digest::SHA256, &key).as_ref(), stored.as_ref());
        if !is_bound {
            say(&mut client, "-ERR [AUTH] another connection\r\n");
            return false;
        }
        let verifier = STANDARD.encode(sign(&sign(&salted, "Server Key"), &message));
        let verifier = STANDARD.encode(format!("v={verifier}"));
        assert_eq!(say(&mut client, &format!("+ {verifier}\r\n")), "");
        assert_eq!(say(&mut client, "+OK welcome\r\n"), "UIDL");
        assert_eq!(say(&mut client, "+OK\r\n.\r\n"), "QUIT");
        true
    });
    (server, serving)
}

#[test]
fn a_login_is_bound_to_the_connection_where_the_server_can() {
    let (home, authority) = (Home::new(), Authority::new());
    home.file("ca.pem", authority.pem());
    for (is_ours, status) in [(true, 0), (false, 77)] {
        let (server, serving) = bound(&authority, is_ours);
        let account = ["fetch", "--user=ann", "--password-command=echo not-a-secret"];
        let args = account.into_iter().chain(["--ca-file=ca.pem", "--server", server.as_str()]);
        home.postie(args).run().exit(status);
        assert_eq!(serving.join().unwrap(), is_ours);
    }
}

#[test]
fn this_machines_authorities_are_trusted_where_that_is_wanted() {
    let (home, authority) = (Home::new(), Authority::new());
    let identity = authority.issue(&["127.0.0.1"]);
    let server = Server::start(identity.config(), &[("ann@example.com", "not-a-secret")]);
    let collection = home.file("collection.pem", authority.pem());
    let account = format!(
        "[account.home]\nserver = \"{}\"\nuser = \"ann@example.com\"\npassword = \"not-a-secret\"\n",
        server.pop3
    );
    home.config(&account);
    let run = || home.postie(["fetch"]).env("SSL_CERT_FILE", &collection).run();
    run().exit(77).says("which is not trusted here");
    home.config(&format!("{account}trust = \"system\"\n"));
    run().exit(0).silent();
    home.config(&format!("{account}trust = \"webpki\"\n"));
    run().exit(77);
}

#[test]
fn a_private_key_that_others_may_read_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let (home, authority) = (Home::new(), Authority::new());
    let identity = authority.issue(&["ann.example"]);
    home.file("certificate.pem", &identity.certificate);
    let key = home.file("key.pem", &identity.key);
    let account = "[account.home]\nserver = \"127.0.0.1:1\"\nuser = \"ann\"\n\
                   client-cert = \"certificate.pem\"\n";
    home.config(account);
    home.postie(["fetch"]).run().exit(78).says("account `home` has no `client-key`");
    home.config(&format!("{account}client-key = \"key.pem\"\n"));
    home.postie(["fetch"]).run().exit(75).says("127.0.0.1:1: cannot connect");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o604)).unwrap();
    home.postie(["fetch"]).run().exit(78).says("key.pem, which holds a secret: `chmod 600` it");
    home.config(&format!("{account}client-key = \"certificate.pem\"\n"));
    home.postie(["fetch"]).run().exit(78).says("certificate.pem: it contains no private key");
}

/// A home with an account on a server with this certificate, which is the one that `ca-file` names.
fn own_server(config: rustls::ServerConfig, ca_file: &str, name: &str) -> Home {
    let server = Server::start(config, &[("ann@example.com", "not-a-secret")]);
    let home = Home::new();
    home.file("ca.pem", ca_file);
    let port = server.pop3.port();
    home.config(&format!(
        "[account.ann]\nserver = \"{name}\"\nport = {port}\nuser = \"ann@example.com\"\n\
         password = \"not-a-secret\"\nca-file = \"ca.pem\"\n"
    ));
    home
}

#[test]
fn the_very_certificate_of_ca_file_is_trusted_and_no_other() {
    for own in
        [Identity::self_signed(&["127.0.0.1"]), Identity::self_signed_authority(&["127.0.0.1"])]
    {
        own_server(own.config(), &own.certificate, "127.0.0.1").postie(["fetch"]).run().exit(0);
    }
    let own = Identity::self_signed_authority(&["127.0.0.1"]);
    let other = Identity::self_signed_authority(&["127.0.0.1"]);
    let home = own_server(own.config(), &other.certificate, "127.0.0.1");
    home.postie(["fetch"]).run().exit(77).says("certificate refused");
    let elsewhere = Identity::self_signed_authority(&["mail.example"]);
    let home = own_server(elsewhere.config(), &elsewhere.certificate, "127.0.0.1");
    home.postie(["fetch"]).run().exit(77).says("it is for another name (mail.example)");
}

#[test]
fn a_server_that_demands_a_certificate_is_77_and_explained() {
    let authority = Authority::new();
    let config = authority.issue(&["127.0.0.1"]).config_for_clients_of(&authority);
    let home = own_server(config, &authority.pem(), "127.0.0.1");
    let outcome = home.postie(["fetch"]).run();
    outcome.exit(77).says("the server requires a client certificate").says("`client-cert`");
}

#[test]
fn a_login_that_dovecot_refuses_while_another_session_lasts_is_tried_later() {
    let Some(dovecot) = Dovecot::start_for_one_session() else { return };
    dovecot.deliver(&[b"Subject: hello\n\nhello\n".to_vec()]);
    let mut other = TcpStream::connect(("127.0.0.1", dovecot.port(Tls::None))).unwrap();
    write!(other, "USER {USER}\r\nPASS {PASSWORD}\r\n").unwrap();
    let mut lines = BufReader::new(other.try_clone().unwrap()).lines();
    assert!(lines.by_ref().take(3).all(|line| line.unwrap().starts_with("+OK")));
    let home = Home::new();
    let fetch = || home.postie(dovecot.fetch(Tls::Implicit, "forever")).run();
    fetch().exit(75).says("[IN-USE]").says("\nhint: ");
    assert!(!home.path().join("Mail").exists());
    drop((other, lines));
    assert!(servers::wait_until(|| fetch().status == 0));
    assert_eq!(home.messages("Mail").len(), 1);
}
