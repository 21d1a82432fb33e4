//! An authorization server that is scripted: it grants tokens by code, device, refresh and client
//! credentials (RFC 6749, 7636, 8628), answers who a token belongs to (RFC 7662), and does wrong what
//! it is told to. It listens on this machine only; its threads end with the process.

use std::collections::{HashMap, HashSet, VecDeque};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustls::{ServerConnection, StreamOwned};

use super::pki::Authority;
use super::postie::Home;
use super::servers::{PATIENCE, USER};

/// The client that it knows.
pub const CLIENT: &str = "client-of-the-tests";
/// The client's secret.
pub const CLIENT_SECRET: &str = "hush-not-a-secret";

/// The server.
pub struct AuthorizationServer {
    address: SocketAddr,
    /// Where it answers without TLS who a token belongs to.
    introspection: SocketAddr,
    authority: Authority,
    state: Arc<Mutex<State>>,
}

/// What it does with refresh tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refreshing {
    /// Each is good for ever, and no new one is sent.
    Keep,
    /// Each is good once; one that comes again ends the login.
    Rotate,
}

/// What comes in place of an answer.
#[derive(Clone, Debug)]
pub enum Wrong {
    /// These octets, and the end of the connection.
    Say(Vec<u8>),
    /// A status and a body.
    Answer(u16, &'static str),
    /// Nothing: what was asked is done, and the connection is cut.
    Lose,
    /// The right answer, cut in the middle.
    Cut,
    /// The right answer, in chunks.
    Chunked,
    /// The right answer, which ends with the connection.
    CloseDelimited,
    /// An answer without an end.
    Endless,
    /// The right answer, after so long a time.
    Late(Duration),
    /// Tokens without a refresh token.
    NoRefreshToken,
}

/// How often something was granted or asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub connections: usize,
    pub codes: usize,
    pub refreshes: usize,
    pub devices: usize,
    pub credentials: usize,
}

/// A request to the token endpoint.
#[derive(Clone, Debug)]
pub struct TokenRequest {
    pub content_type: String,
    pub fields: HashMap<String, String>,
}

struct State {
    asked: Vec<TokenRequest>,
    refreshing: Refreshing,
    lifetime: Duration,
    wrong: VecDeque<Wrong>,
    /// Error words for a device that asks, before it is granted.
    device: VecDeque<&'static str>,
    /// Codes, each with its redirect and challenge.
    codes: HashMap<String, (String, String)>,
    refresh: HashSet<String>,
    used: HashSet<String>,
    access: HashMap<String, Instant>,
    /// Whatever was secret, for a test to look for.
    secrets: Vec<String>,
    number: usize,
    counts: Counts,
}

impl AuthorizationServer {
    pub fn start(refreshing: Refreshing, lifetime: Duration) -> Self {
        let authority = Authority::new();
        let tls = Arc::new(authority.issue(&["127.0.0.1", "localhost"]).config());
        let state = Arc::new(Mutex::new(State {
            asked: Vec::new(),
            refreshing,
            lifetime,
            wrong: VecDeque::new(),
            device: VecDeque::new(),
            codes: HashMap::new(),
            refresh: HashSet::new(),
            used: HashSet::new(),
            access: HashMap::new(),
            secrets: vec![CLIENT_SECRET.to_owned()],
            number: 0,
            counts: Counts::default(),
        }));
        let address = listen(&state, move |socket| {
            let connection = ServerConnection::new(Arc::clone(&tls)).map_err(io::Error::other)?;
            Ok(Box::new(StreamOwned::new(connection, socket)))
        });
        let introspection = listen(&state, |socket| Ok(Box::new(socket)));
        Self { address, introspection, authority, state }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Its name for itself.
    pub fn issuer(&self) -> String {
        format!("https://127.0.0.1:{}", self.address.port())
    }

    /// Where Dovecot asks about tokens.
    pub fn introspection_url(&self) -> String {
        format!("http://{}/introspect?token=", self.introspection)
    }

    /// `[oauth.house]`, with its endpoints named one by one, and the file of its authority.
    pub fn table(&self, home: &Home) -> String {
        let (ca, issuer) = (home.file("oauth-ca.pem", self.authority.pem()), self.issuer());
        format!(
            "[oauth.house]\nclient-id = \"{CLIENT}\"\nauthorize = \"{issuer}/authorize\"\n\
             token = \"{issuer}/token\"\ndevice = \"{issuer}/device\"\nscope = \"mail\"\n\
             ca-file = \"{}\"\n",
            ca.display()
        )
    }

    /// The same, found by its metadata.
    pub fn table_by_issuer(&self, home: &Home) -> String {
        let (ca, issuer) = (home.file("oauth-ca.pem", self.authority.pem()), self.issuer());
        format!(
            "[oauth.house]\nclient-id = \"{CLIENT}\"\nissuer = \"{issuer}\"\nscope = \"mail\"\n\
             ca-file = \"{}\"\n",
            ca.display()
        )
    }

    /// What the next requests to the token endpoint get, one after another.
    pub fn do_wrong(&self, wrong: impl IntoIterator<Item = Wrong>) {
        self.state().wrong.extend(wrong);
    }

    /// What a device is told before it is granted anything.
    pub fn keep_device_waiting(&self, words: impl IntoIterator<Item = &'static str>) {
        self.state().device.extend(words);
    }

    pub fn counts(&self) -> Counts {
        self.state().counts
    }

    /// The requests to the token endpoint so far.
    pub fn asked(&self) -> Vec<TokenRequest> {
        self.state().asked.clone()
    }

    /// Takes the code of this request once more.
    pub fn allow_again(&self, fields: &HashMap<String, String>) {
        let Some(code) = fields.get("code") else { return };
        let verifier = fields["code_verifier"].as_bytes();
        let challenge = URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, verifier));
        self.state().codes.insert(code.clone(), (fields["redirect_uri"].clone(), challenge));
    }

    /// Whatever was secret so far.
    pub fn secrets(&self) -> Vec<String> {
        self.state().secrets.clone()
    }

    /// Ends the access tokens and leaves the logins.
    pub fn end_access(&self) {
        self.state().access.clear();
    }

    /// Whether a refresh token is in force.
    pub fn knows(&self, refresh: &str) -> bool {
        self.state().refresh.contains(refresh)
    }

    /// What a user does with the address that is printed: logs in. Returns where the browser is sent,
    /// with its path and query.
    pub fn approve(&self, url: &str) -> String {
        let fields = query(url);
        let field = |name: &str| fields.get(name).cloned().unwrap_or_default();
        assert_eq!(field("response_type"), "code", "{url}");
        assert_eq!(field("client_id"), CLIENT);
        assert_eq!(field("code_challenge_method"), "S256");
        assert_eq!(field("login_hint"), USER);
        let mut state = self.state();
        state.number += 1;
        let code = format!("code/{}+not a secret", state.number);
        state.codes.insert(code.clone(), (field("redirect_uri"), field("code_challenge")));
        state.secrets.push(code.clone());
        let code = code.replace('/', "%2F").replace('+', "%2B").replace(' ', "+");
        format!("{}/?code={code}&state={}", field("redirect_uri"), field("state"))
    }

    /// Logs a user in without any of that, as if it had happened: the file of `home`.
    pub fn log_in(&self, home: &Home, left: i64, lifetime: i64) {
        let (access, refresh) = self.state().tokens();
        let refresh = refresh.unwrap_or_else(|| {
            let mut state = self.state();
            state.number += 1;
            let refresh = format!("refresh-{}-not-a-secret", state.number);
            state.secrets.push(refresh.clone());
            state.refresh.insert(refresh.clone());
            refresh
        });
        let now = jiff::Timestamp::now().as_second();
        let time = |seconds: i64| jiff::Timestamp::from_second(seconds).unwrap().to_string();
        let (granted, expires) = (time(now + left - lifetime), time(now + left));
        let text = format!(
            "{{\"token-endpoint\":\"{}/token\",\"client-id\":\"{CLIENT}\",\"user\":\"{USER}\",\
             \"scope\":\"mail\",\"access-token\":\"{access}\",\"granted\":\"{granted}\",\
             \"expires\":\"{expires}\",\"refresh-token\":\"{refresh}\",\"logged-in\":\"{granted}\"}}",
            self.issuer()
        );
        std::fs::create_dir_all(self.dir(home)).unwrap();
        home.file(&self.file(), text);
    }

    /// The file of the login below a home directory.
    pub fn file(&self) -> String {
        let place = format!("127.0.0.1%3A{}%2Ftoken", self.address.port());
        format!(".local/state/postie/login/{USER}@{place}/token")
    }

    fn dir(&self, home: &Home) -> std::path::PathBuf {
        home.path().join(self.file()).parent().unwrap().to_owned()
    }
}

type Stream = Box<dyn ReadWrite>;

trait ReadWrite: Read + Write {
    /// Says that nothing more comes.
    fn close(&mut self) -> io::Result<()>;
}

impl ReadWrite for TcpStream {
    fn close(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl ReadWrite for StreamOwned<ServerConnection, TcpStream> {
    fn close(&mut self) -> io::Result<()> {
        self.conn.send_close_notify();
        self.flush()
    }
}

fn listen(
    state: &Arc<Mutex<State>>,
    secure: impl Fn(TcpStream) -> io::Result<Stream> + Send + Sync + 'static,
) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (state, secure) = (Arc::clone(state), Arc::new(secure));
    thread::spawn(move || {
        for socket in listener.incoming() {
            let (state, secure) = (Arc::clone(&state), Arc::clone(&secure));
            thread::spawn(move || -> io::Result<()> {
                let socket = socket?;
                socket.set_read_timeout(Some(PATIENCE))?;
                socket.set_write_timeout(Some(PATIENCE))?;
                serve(&mut secure(socket)?, &state, address)
            });
        }
    });
    address
}

/// One request and its answer.
fn serve(stream: &mut Stream, state: &Mutex<State>, address: SocketAddr) -> io::Result<()> {
    let mut octets = Vec::new();
    let (head, form) = loop {
        let mut more = [0; 4096];
        let read = stream.read(&mut more)?;
        if read == 0 {
            return Ok(());
        }
        octets.extend_from_slice(&more[..read]);
        let text = String::from_utf8_lossy(&octets).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| {
                line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse::<usize>().ok()
            });
            if body.len() >= length.unwrap_or(0) {
                break (head.to_owned(), body.to_owned());
            }
        }
    };
    let mut words = head.split(' ');
    let (method, target) = (words.next().unwrap(), words.next().unwrap());
    let path = target.split('?').next().unwrap();
    let issuer = format!("https://{address}");
    let wrong = {
        let mut state = state.lock().unwrap();
        if path != "/introspect" {
            state.counts.connections += 1;
        }
        if path == "/token" { state.wrong.pop_front() } else { None }
    };
    if let Some(Wrong::Late(time)) = wrong {
        thread::sleep(time);
    }
    let (status, body) = match (method, path) {
        ("GET", "/.well-known/oauth-authorization-server") => {
            (200, "<html>hello</html>".to_owned())
        }
        ("GET", "/.well-known/openid-configuration") => (
            200,
            format!(
                "{{\"issuer\":\"{issuer}\",\"authorization_endpoint\":\"{issuer}/authorize\",\
                 \"token_endpoint\":\"{issuer}/token\",\
                 \"device_authorization_endpoint\":\"{issuer}/device\"}}"
            ),
        ),
        ("POST", "/device") => {
            let mut state = state.lock().unwrap();
            state.secrets.push("device-code-not-a-secret".to_owned());
            (
                200,
                format!(
                    "{{\"device_code\":\"device-code-not-a-secret\",\"user_code\":\"WDJB-MJHT\",\
                     \"verification_uri\":\"{issuer}/activate\",\"expires_in\":60,\"interval\":1}}"
                ),
            )
        }
        ("POST", "/token") => match wrong {
            Some(Wrong::Answer(status, body)) => (status, body.to_owned()),
            Some(Wrong::Say(_)) => (200, String::new()),
            _ => {
                let mut state = state.lock().unwrap();
                let fields = fields(&form);
                let is_type = |line: &str| line.to_ascii_lowercase().starts_with("content-type:");
                let content_type = head.lines().find(|line| is_type(line)).unwrap_or_default();
                let content_type = content_type.to_ascii_lowercase();
                state.asked.push(TokenRequest { content_type, fields: fields.clone() });
                let (status, mut body) = state.grant(&fields);
                if let Some(Wrong::NoRefreshToken) = wrong {
                    body = body.replace("\"refresh_token\"", "\"other\"");
                }
                (status, body)
            }
        },
        ("GET", "/introspect") => {
            let token = query(target).remove("token").unwrap_or_default();
            let state = state.lock().unwrap();
            let is_active = state.access.get(&token).is_some_and(|end| Instant::now() < *end);
            (
                200,
                format!("{{\"active\":{is_active},\"email\":\"{USER}\",\"username\":\"{USER}\"}}"),
            )
        }
        _ => (404, "{}".to_owned()),
    };
    let is_cut = matches!(wrong, Some(Wrong::Cut));
    let head = format!("HTTP/1.1 {status} X\r\nContent-Type: application/json\r\n");
    let answer = match wrong {
        Some(Wrong::Lose) => return Ok(()),
        Some(Wrong::Say(octets)) => octets,
        Some(Wrong::Cut) => {
            let half = &body[..body.len() / 2];
            format!("{head}Content-Length: {}\r\n\r\n{half}", body.len()).into_bytes()
        }
        Some(Wrong::Chunked) => {
            let (one, other) = body.split_at(body.len() / 2);
            let (first, second) = (one.len(), other.len());
            format!(
                "{head}Transfer-Encoding: chunked\r\n\r\n{first:x}\r\n{one}\r\n{second:x};a=b\r\n\
                 {other}\r\n0\r\n\r\n"
            )
            .into_bytes()
        }
        Some(Wrong::CloseDelimited) => format!("{head}\r\n{body}").into_bytes(),
        Some(Wrong::Endless) => {
            stream.write_all(format!("{head}\r\n").as_bytes())?;
            loop {
                stream.write_all(&[b' '; 4096])?;
            }
        }
        _ => format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()).into_bytes(),
    };
    stream.write_all(&answer)?;
    stream.flush()?;
    if is_cut { Ok(()) } else { stream.close() }
}

impl State {
    /// A new pair of tokens; no refresh token where the old one stays.
    fn tokens(&mut self) -> (String, Option<String>) {
        self.number += 1;
        let access = format!("access-{}-not-a-secret", self.number);
        self.access.insert(access.clone(), Instant::now() + self.lifetime);
        self.secrets.push(access.clone());
        let refresh = format!("refresh-{}-not-a-secret", self.number);
        let is_new = self.refreshing == Refreshing::Rotate || self.refresh.is_empty();
        if is_new {
            self.refresh.insert(refresh.clone());
            self.secrets.push(refresh.clone());
        }
        (access, is_new.then_some(refresh))
    }

    fn grant(&mut self, fields: &HashMap<String, String>) -> (u16, String) {
        let field = |name: &str| fields.get(name).cloned().unwrap_or_default();
        if field("client_id") != CLIENT {
            return (401, r#"{"error":"invalid_client"}"#.to_owned());
        }
        let invalid = || (400, r#"{"error":"invalid_grant"}"#.to_owned());
        match field("grant_type").as_str() {
            "authorization_code" => {
                let Some((redirect, challenge)) = self.codes.remove(&field("code")) else {
                    return invalid();
                };
                let verifier = field("code_verifier");
                let digest = digest::digest(&digest::SHA256, verifier.as_bytes());
                if field("redirect_uri") != redirect || URL_SAFE_NO_PAD.encode(digest) != challenge
                {
                    return invalid();
                }
                self.secrets.push(verifier);
                self.counts.codes += 1;
            }
            "refresh_token" => {
                let refresh = field("refresh_token");
                if self.used.contains(&refresh) {
                    self.refresh.clear();
                    return invalid();
                }
                if !self.refresh.contains(&refresh) {
                    return invalid();
                }
                if self.refreshing == Refreshing::Rotate {
                    self.refresh.remove(&refresh);
                    self.used.insert(refresh);
                }
                self.counts.refreshes += 1;
            }
            "urn:ietf:params:oauth:grant-type:device_code" => {
                if field("device_code") != "device-code-not-a-secret" {
                    return invalid();
                }
                if let Some(word) = self.device.pop_front() {
                    return (400, format!("{{\"error\":\"{word}\"}}"));
                }
                self.counts.devices += 1;
            }
            "client_credentials" => {
                if field("client_secret") != CLIENT_SECRET {
                    return (
                        401,
                        r#"{"error":"invalid_client","error_description":"no hush-not-a-secret"}"#
                            .to_owned(),
                    );
                }
                self.counts.credentials += 1;
            }
            _ => return (400, r#"{"error":"unsupported_grant_type"}"#.to_owned()),
        }
        let (access, refresh) = self.tokens();
        let refresh = refresh.map(|refresh| format!(",\"refresh_token\":\"{refresh}\""));
        let body = format!(
            "{{\"access_token\":\"{access}\",\"token_type\":\"Bearer\",\"expires_in\":{}{}}}",
            self.lifetime.as_secs(),
            refresh.unwrap_or_default()
        );
        (200, body)
    }
}

/// The parameters of an address.
fn query(url: &str) -> HashMap<String, String> {
    fields(url.split_once('?').map_or("", |(_, query)| query))
}

fn fields(text: &str) -> HashMap<String, String> {
    let pairs = text.split('&').filter_map(|field| field.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), decoded(value))).collect()
}

fn decoded(text: &str) -> String {
    let (mut octets, mut rest) = (Vec::new(), text.as_bytes());
    while let Some((&first, tail)) = rest.split_first() {
        rest = tail;
        match first {
            b'%' => {
                let digits = std::str::from_utf8(&rest[..2]).unwrap();
                octets.push(u8::from_str_radix(digits, 16).unwrap());
                rest = &rest[2..];
            }
            b'+' => octets.push(b' '),
            octet => octets.push(octet),
        }
    }
    String::from_utf8(octets).unwrap()
}
