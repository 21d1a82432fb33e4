//! A POP3 client that sends one command and waits for its reply, whatever the server offers: what
//! every server can be held to.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::maildrop::Maildrop;
use super::servers::{PASSWORD, PATIENCE, USER};
use super::transcript::Tls;

/// A session inside TLS.
pub struct Pop3(BufReader<StreamOwned<ClientConnection, TcpStream>>);

impl Pop3 {
    /// Connects, and waits for the greeting.
    pub fn connect(server: &dyn Maildrop, tls: Tls) -> Self {
        let mut tcp = TcpStream::connect(("127.0.0.1", server.port(tls))).unwrap();
        tcp.set_read_timeout(Some(PATIENCE)).unwrap();
        if tls == Tls::Starttls {
            assert!(line(&mut tcp).starts_with("+OK"));
            tcp.write_all(b"STLS\r\n").unwrap();
            assert!(line(&mut tcp).starts_with("+OK"));
        }
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(server.site().path("ca.pem")).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = "127.0.0.1".try_into().unwrap();
        let client = ClientConnection::new(Arc::new(config), name).unwrap();
        let mut session = Self(BufReader::new(StreamOwned::new(client, tcp)));
        if tls == Tls::Implicit {
            assert!(session.line().starts_with("+OK"));
        }
        session
    }

    /// Connects and logs in with USER and PASS.
    pub fn login(server: &dyn Maildrop, tls: Tls) -> Self {
        let mut session = Self::connect(server, tls);
        session.command(&format!("USER {USER}"));
        session.command(&format!("PASS {PASSWORD}"));
        session
    }

    /// Sends a command, and waits for the line that agrees.
    #[track_caller]
    pub fn command(&mut self, command: &str) -> String {
        self.0.get_mut().write_all(format!("{command}\r\n").as_bytes()).unwrap();
        let reply = self.line();
        assert!(reply.starts_with("+OK"), "{command}: {reply}");
        reply
    }

    /// The same for a command whose reply has lines, with LF at their ends and no dots added.
    #[track_caller]
    pub fn lines(&mut self, command: &str) -> Vec<Vec<u8>> {
        self.command(command);
        let mut lines = Vec::new();
        loop {
            let mut line = Vec::new();
            self.0.read_until(b'\n', &mut line).unwrap();
            let line = line.strip_suffix(b"\r\n").unwrap();
            match line.strip_prefix(b".") {
                Some(b"") => return lines,
                rest => lines.push([rest.unwrap_or(line), b"\n"].concat()),
            }
        }
    }

    /// How many messages there are.
    pub fn count(&mut self) -> usize {
        self.command("STAT").split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    /// Ends the session and waits for the answer, by which what was deleted is gone.
    pub fn quit(mut self) {
        self.command("QUIT");
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        line
    }
}

/// A line of what precedes TLS, and no octet of what follows.
fn line(tcp: &mut TcpStream) -> String {
    let mut line = Vec::new();
    while line.last() != Some(&b'\n') {
        let mut octet = [0];
        tcp.read_exact(&mut octet).unwrap();
        line.extend(octet);
    }
    String::from_utf8(line).unwrap()
}
