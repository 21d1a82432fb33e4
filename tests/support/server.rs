//! A small POP3 and SMTP server that acts: what is submitted to one of its users is there for that
//! user to fetch. POP3 by RFC 1939, 2449 and 5034, SMTP by RFC 5321, 1870, 2920, 4954 and 6152, both
//! with TLS from the first octet. It listens on this machine only, relays nothing, adds no line to
//! a message, and remembers nothing beyond its process.

use std::collections::BTreeSet;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// How long a silent client is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// Octets in a line, and in a message.
const LINE: u64 = 64 << 10;
const SIZE: usize = 64 << 20;

/// A server under way; its threads end with the process.
pub struct Server {
    pub pop3: SocketAddr,
    pub smtp: SocketAddr,
}

impl Server {
    /// Starts a server for these users, each with an address to log in with and a password.
    pub fn start(tls: ServerConfig, users: &[(&str, &str)]) -> Self {
        Self::start_at([0, 0], tls, users)
    }

    /// The same at these ports of 127.0.0.1, for POP3 and SMTP.
    pub fn start_at(ports: [u16; 2], tls: ServerConfig, users: &[(&str, &str)]) -> Self {
        let mailbox = |&(address, password): &(&str, &str)| Mailbox {
            address: address.to_owned(),
            password: password.to_owned(),
            maildrop: Mutex::default(),
        };
        let mailboxes: Arc<[Mailbox]> = users.iter().map(mailbox).collect();
        let tls = Arc::new(tls);
        let [pop3_port, smtp_port] = ports;
        Self {
            pop3: listen(pop3_port, &tls, &mailboxes, pop3),
            smtp: listen(smtp_port, &tls, &mailboxes, smtp),
        }
    }
}

/// A user, and what has arrived for them.
struct Mailbox {
    address: String,
    password: String,
    maildrop: Mutex<Maildrop>,
}

#[derive(Default)]
struct Maildrop {
    messages: Vec<Mail>,
    arrived: u32,
}

/// A message with CRLF at the end of every line, and its unique-id.
#[derive(Clone)]
struct Mail {
    uid: String,
    text: Arc<[u8]>,
}

impl Mailbox {
    fn deliver(&self, text: &Arc<[u8]>) {
        let mut maildrop = self.maildrop.lock().unwrap();
        maildrop.arrived += 1;
        let uid = format!("{:08}", maildrop.arrived);
        maildrop.messages.push(Mail { uid, text: Arc::clone(text) });
    }

    fn remove<'a>(&self, deleted: impl Iterator<Item = &'a Mail>) {
        let uids: BTreeSet<_> = deleted.map(|mail| mail.uid.as_str()).collect();
        let mut maildrop = self.maildrop.lock().unwrap();
        maildrop.messages.retain(|mail| !uids.contains(mail.uid.as_str()));
    }
}

/// Nobody is known by half an address; letters have no case in one.
fn named<'a>(mailboxes: &'a [Mailbox], address: &str) -> Option<&'a Mailbox> {
    mailboxes.iter().find(|mailbox| mailbox.address.eq_ignore_ascii_case(address))
}

fn logged_in<'a>(mailboxes: &'a [Mailbox], user: &str, password: &str) -> Option<&'a Mailbox> {
    named(mailboxes, user).filter(|mailbox| mailbox.password == password)
}

type Session = fn(&mut Client, &[Mailbox]) -> io::Result<()>;

/// A thread that accepts connections, and one for each of them.
fn listen(
    port: u16,
    tls: &Arc<ServerConfig>,
    mailboxes: &Arc<[Mailbox]>,
    session: Session,
) -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    let address = listener.local_addr().unwrap();
    let (tls, mailboxes) = (Arc::clone(tls), Arc::clone(mailboxes));
    thread::spawn(move || {
        for socket in listener.incoming() {
            let (tls, mailboxes) = (Arc::clone(&tls), Arc::clone(&mailboxes));
            thread::spawn(move || -> io::Result<()> {
                let mut client = Client::accept(socket?, tls)?;
                session(&mut client, &mailboxes)?;
                client.farewell()
            });
        }
    });
    address
}

/// The other end, line by line.
struct Client(BufReader<StreamOwned<ServerConnection, TcpStream>>);

impl Client {
    fn accept(socket: TcpStream, tls: Arc<ServerConfig>) -> io::Result<Self> {
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.set_write_timeout(Some(PATIENCE))?;
        let connection = ServerConnection::new(tls).map_err(io::Error::other)?;
        Ok(Self(BufReader::new(StreamOwned::new(connection, socket))))
    }

    /// A line without its CRLF. One that has no CRLF is no line, and ends the session.
    fn line(&mut self) -> io::Result<Vec<u8>> {
        let mut line = Vec::new();
        (&mut self.0).take(LINE).read_until(b'\n', &mut line)?;
        match line.strip_suffix(b"\r\n") {
            Some(text) if !text.contains(&b'\r') => Ok(text.to_vec()),
            _ => Err(io::ErrorKind::InvalidData.into()),
        }
    }

    /// A command: its verb in capitals, and its argument, which may be empty.
    fn command(&mut self) -> io::Result<(String, String)> {
        let line = String::from_utf8_lossy(&self.line()?).into_owned();
        let (verb, argument) = line.split_once(' ').unwrap_or((&line, ""));
        Ok((verb.to_ascii_uppercase(), argument.trim().to_owned()))
    }

    /// Says a line, or several with CRLF between them.
    fn say(&mut self, text: &str) -> io::Result<()> {
        self.write(format!("{text}\r\n").as_bytes())
    }

    fn write(&mut self, octets: &[u8]) -> io::Result<()> {
        self.0.get_mut().write_all(octets)
    }

    fn farewell(&mut self) -> io::Result<()> {
        self.0.get_mut().conn.send_close_notify();
        self.0.get_mut().flush()
    }

    /// A SASL exchange (RFC 4422): `argument` stands behind AUTH, `prompt` before a challenge.
    fn authenticate<'a>(
        &mut self,
        mailboxes: &'a [Mailbox],
        argument: &str,
        mechanisms: &[&str],
        prompt: &str,
    ) -> io::Result<Login<'a>> {
        let (mechanism, initial) = argument.split_once(' ').unwrap_or((argument, ""));
        let mechanism = mechanism.to_ascii_uppercase();
        if !mechanisms.contains(&mechanism.as_str()) {
            return Ok(Login::NoSuchMechanism);
        }
        let mut initial = Some(initial.to_owned()).filter(|initial| !initial.is_empty());
        let mut response = |challenge: &str| -> io::Result<Option<String>> {
            let octets = if let Some(initial) = initial.take() {
                initial.into_bytes()
            } else {
                self.say(&format!("{prompt} {}", STANDARD.encode(challenge)))?;
                self.line()?
            };
            let octets = STANDARD.decode(octets).ok();
            Ok(octets.and_then(|octets| String::from_utf8(octets).ok()))
        };
        let credentials = if mechanism == "PLAIN" {
            // authorization identity, NUL, user, NUL, password (RFC 4616 §2)
            response("")?.and_then(|text| {
                let (_, rest) = text.split_once('\0')?;
                let (user, password) = rest.split_once('\0')?;
                Some((user.to_owned(), password.to_owned()))
            })
        } else {
            match response("Username:")? {
                Some(user) => response("Password:")?.map(|password| (user, password)),
                None => None,
            }
        };
        Ok(match credentials {
            None => Login::Malformed,
            Some((user, password)) => {
                logged_in(mailboxes, &user, &password).map_or(Login::Refused, Login::Accepted)
            }
        })
    }
}

/// How a SASL exchange ended.
enum Login<'a> {
    Accepted(&'a Mailbox),
    Refused,
    Malformed,
    NoSuchMechanism,
}

/// A mail transaction (RFC 5321 §3.3).
#[derive(Default)]
struct Transaction<'a> {
    has_sender: bool,
    recipients: Vec<&'a Mailbox>,
}

fn smtp(client: &mut Client, mailboxes: &[Mailbox]) -> io::Result<()> {
    let ehlo = format!(
        "250-localhost\r\n250-PIPELINING\r\n250-SIZE {SIZE}\r\n250-8BITMIME\r\n\
         250 AUTH PLAIN LOGIN"
    );
    let mut is_logged_in = false;
    let mut transaction = Transaction::default();
    client.say("220 localhost ESMTP")?;
    loop {
        let (verb, argument) = client.command()?;
        match verb.as_str() {
            "EHLO" | "HELO" | "RSET" => {
                transaction = Transaction::default();
                client.say(if verb == "EHLO" { &ehlo } else { "250 localhost" })?;
            }
            "NOOP" => client.say("250 2.0.0 still here")?,
            "QUIT" => return client.say("221 2.0.0 bye"),
            "AUTH" if is_logged_in => client.say("503 5.5.1 you are logged in")?,
            "AUTH" => {
                let login =
                    client.authenticate(mailboxes, &argument, &["PLAIN", "LOGIN"], "334")?;
                is_logged_in = matches!(login, Login::Accepted(_));
                client.say(match login {
                    Login::Accepted(_) => "235 2.7.0 welcome",
                    Login::Refused => "535 5.7.8 wrong user or password",
                    Login::Malformed => "501 5.5.2 not a login",
                    Login::NoSuchMechanism => "504 5.5.4 no such mechanism",
                })?;
            }
            "MAIL" | "RCPT" | "DATA" if !is_logged_in => client.say("530 5.7.0 log in first")?,
            "MAIL" if transaction.has_sender => client.say("503 5.5.1 one at a time")?,
            "MAIL" => {
                let reply = mail(&argument);
                transaction.has_sender = reply.starts_with('2');
                client.say(reply)?;
            }
            "RCPT" if !transaction.has_sender => client.say("503 5.5.1 MAIL comes first")?,
            "RCPT" => match path(&argument, "TO:").map(|(address, _)| named(mailboxes, address)) {
                Some(Some(mailbox)) => {
                    transaction.recipients.push(mailbox);
                    client.say("250 2.1.5 known here")?;
                }
                Some(None) => client.say("550 5.1.1 nobody of that name here")?,
                None => client.say("501 5.5.4 expected TO:<address>")?,
            },
            "DATA" if transaction.recipients.is_empty() => client.say("554 5.5.1 for nobody")?,
            "DATA" => {
                client.say("354 end with a line that is a dot")?;
                match data(client)? {
                    Some(text) => {
                        transaction.recipients.iter().for_each(|mailbox| mailbox.deliver(&text));
                        client.say("250 2.0.0 delivered")?;
                    }
                    None => client.say("552 5.3.4 too large")?,
                }
                transaction = Transaction::default();
            }
            _ => client.say("500 5.5.2 unknown command")?,
        }
    }
}

/// The reply to MAIL: a path, and parameters of the extensions that were offered.
fn mail(argument: &str) -> &'static str {
    let Some((_, parameters)) = path(argument, "FROM:") else {
        return "501 5.5.4 expected FROM:<address>";
    };
    for parameter in parameters.split_ascii_whitespace() {
        match parameter.to_ascii_uppercase().split_once('=') {
            Some(("SIZE", size)) => match size.parse::<usize>() {
                Ok(size) if size <= SIZE => {}
                Ok(_) => return "552 5.3.4 too large",
                Err(_) => return "501 5.5.4 not a size",
            },
            Some(("BODY", "7BIT" | "8BITMIME")) => {}
            _ => return "555 5.5.4 unknown parameter",
        }
    }
    "250 2.1.0 go on"
}

/// `FROM:<address> parameters` in its parts.
fn path<'a>(argument: &'a str, word: &str) -> Option<(&'a str, &'a str)> {
    let (start, rest) = argument.split_at_checked(word.len())?;
    let rest = rest.trim_start().strip_prefix('<')?;
    start.eq_ignore_ascii_case(word).then(|| rest.split_once('>')).flatten()
}

/// The text of a message up to the dot, stuffed dots removed (RFC 5321 §4.5.2); `None` if it is
/// too large.
fn data(client: &mut Client) -> io::Result<Option<Arc<[u8]>>> {
    let (mut text, mut fits) = (Vec::new(), true);
    loop {
        let line = client.line()?;
        if line == b"." {
            return Ok(fits.then(|| text.into()));
        }
        fits &= text.len() + line.len() + 2 <= SIZE;
        if fits {
            text.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
            text.extend_from_slice(b"\r\n");
        }
    }
}

const CAPABILITIES: &str = "+OK\r\nPIPELINING\r\nUIDL\r\nUSER\r\nSASL PLAIN\r\nRESP-CODES\r\n.";

fn pop3(client: &mut Client, mailboxes: &[Mailbox]) -> io::Result<()> {
    client.say("+OK ready")?;
    let mut user = None;
    let mailbox = loop {
        let (verb, argument) = client.command()?;
        let login = match verb.as_str() {
            "CAPA" => {
                client.say(CAPABILITIES)?;
                continue;
            }
            "QUIT" => return client.say("+OK bye"),
            "USER" => {
                user = Some(argument);
                client.say("+OK and the password?")?;
                continue;
            }
            "PASS" => match user.take() {
                Some(user) => {
                    logged_in(mailboxes, &user, &argument).map_or(Login::Refused, Login::Accepted)
                }
                None => Login::Malformed,
            },
            "AUTH" => client.authenticate(mailboxes, &argument, &["PLAIN"], "+")?,
            _ => Login::Malformed,
        };
        match login {
            Login::Accepted(mailbox) => break mailbox,
            Login::Refused => client.say("-ERR [AUTH] wrong user or password")?,
            Login::Malformed => client.say("-ERR log in first")?,
            Login::NoSuchMechanism => client.say("-ERR no such mechanism")?,
        }
    };
    client.say("+OK welcome")?;
    transaction(client, mailbox)
}

/// The TRANSACTION and the UPDATE state (RFC 1939 §5 and §6). A session sees the messages that were
/// there when it began, which is all that the lock on a maildrop is for.
fn transaction(client: &mut Client, mailbox: &Mailbox) -> io::Result<()> {
    let messages = mailbox.maildrop.lock().unwrap().messages.clone();
    let mut deleted = BTreeSet::new();
    loop {
        let (verb, argument) = client.command()?;
        let left = || messages.iter().enumerate().filter(|(index, _)| !deleted.contains(index));
        let named = argument
            .parse::<usize>()
            .ok()
            .and_then(|number| left().find(|&(index, _)| index + 1 == number));
        match (verb.as_str(), named) {
            ("CAPA", _) => client.say(CAPABILITIES)?,
            ("NOOP", _) => client.say("+OK")?,
            ("STAT", _) => {
                let octets: usize = left().map(|(_, mail)| mail.text.len()).sum();
                let reply = format!("+OK {} {octets}", left().count());
                client.say(&reply)?;
            }
            ("LIST" | "UIDL", _) if argument.is_empty() => {
                let line = |(index, mail)| format!("{}\r\n", scan(&verb, index, mail));
                let lines: String = left().map(line).collect();
                client.say(&format!("+OK\r\n{lines}."))?;
            }
            ("LIST" | "UIDL", Some((index, mail))) => {
                client.say(&format!("+OK {}", scan(&verb, index, mail)))?;
            }
            ("RETR", Some((_, mail))) => client.write(&stuffed(&mail.text))?,
            ("DELE", Some((index, _))) => {
                deleted.insert(index);
                client.say("+OK")?;
            }
            ("LIST" | "UIDL" | "RETR" | "DELE", None) => client.say("-ERR no such message")?,
            ("RSET", _) => {
                deleted.clear();
                client.say("+OK")?;
            }
            ("QUIT", _) => {
                mailbox.remove(deleted.iter().filter_map(|&index| messages.get(index)));
                return client.say("+OK bye");
            }
            _ => client.say("-ERR unknown command")?,
        }
    }
}

/// A line of a listing.
fn scan(verb: &str, index: usize, mail: &Mail) -> String {
    let number = index + 1;
    if verb == "UIDL" {
        format!("{number} {}", mail.uid)
    } else {
        format!("{number} {}", mail.text.len())
    }
}

/// A message as RETR gives it: each dot at the start of a line doubled, and a dot to end it.
fn stuffed(text: &[u8]) -> Vec<u8> {
    let mut reply = b"+OK\r\n".to_vec();
    for line in text.split_inclusive(|&octet| octet == b'\n') {
        if line.starts_with(b".") {
            reply.push(b'.');
        }
        reply.extend_from_slice(line);
    }
    reply.extend_from_slice(b".\r\n");
    reply
}
