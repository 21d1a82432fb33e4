//! HTTP/1.1 (RFC 9112): one request and its response over a private stream, which is then closed.
//! Knows neither sockets nor TLS. GET, and POST of a form; head, body and redirects are bounded.
//! No cookies, no compression, no authentication.

use std::fmt;
use std::io;

use ureq_proto::client::{Call, RecvResponseResult, SendRequestResult, state};
use ureq_proto::http::{HeaderMap, Request as Head, StatusCode, header};

use crate::limits;
use crate::text::{HttpsUrl, Secret, UrlError, percent_encoded};
use crate::wire::{self, Malformed, Phase, Private, Wait};

/// The reason why there is no response.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The stream failed or ended early, or the server does not speak HTTP.
    #[error(transparent)]
    Wire(#[from] wire::Error),
    /// The response leads elsewhere, where this request does not follow.
    #[error("the server redirects {0}")]
    Redirect(String),
}

/// An HTTP/1.1 request (RFC 9112).
#[derive(Clone, Debug)]
pub struct Request {
    url: HttpsUrl,
    accept: &'static str,
    form: Option<Form>,
}

impl Request {
    /// Creates a GET request for `url` that accepts this media type.
    pub fn get(url: HttpsUrl, accept: &'static str) -> Self {
        Self { url, accept, form: None }
    }

    /// Creates a POST request that submits a form to `url`.
    pub fn post(url: HttpsUrl, accept: &'static str, form: Form) -> Self {
        Self { url, accept, form: Some(form) }
    }

    /// The address of the request.
    pub fn url(&self) -> &HttpsUrl {
        &self.url
    }

    fn method(&self) -> &'static str {
        if self.form.is_some() { "POST" } else { "GET" }
    }

    fn head(&self) -> Result<Head<()>, ureq_proto::http::Error> {
        let head = Head::builder()
            .method(self.method())
            .uri(self.url.to_string())
            .header(header::ACCEPT, self.accept)
            .header(header::USER_AGENT, concat!("postie/", env!("CARGO_PKG_VERSION")))
            .header(header::CONNECTION, "close");
        let head = match &self.form {
            None => head,
            Some(Form(text)) => head
                .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
                .header(header::CONTENT_LENGTH, text.expose().len()),
        };
        head.body(())
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method(), self.url)
    }
}

/// The fields of a form, encoded as `application/x-www-form-urlencoded`. `Debug` masks them, since
/// some are secret.
#[derive(Clone, Debug)]
pub struct Form(Secret);

impl Default for Form {
    fn default() -> Self {
        Self(Secret::new(""))
    }
}

impl Form {
    /// Returns whether the form has a field, given in encoded form.
    #[cfg(test)]
    pub(crate) fn has(&self, field: &str) -> bool {
        self.0.expose().split('&').any(|found| found == field)
    }

    /// Adds a field.
    #[must_use]
    pub fn with(self, name: &str, value: &str) -> Self {
        let Self(text) = self;
        let and = if text.expose().is_empty() { "" } else { "&" };
        let value = Secret::new(form_encoded(value));
        Self(Secret::joined(&[text.expose(), and, &form_encoded(name), "=", value.expose()]))
    }
}

/// Percent-encodes every octet but ASCII letters, digits, `-`, `.` and `_`, for a form and for the
/// query of a URL (RFC 3986 §2.3).
pub fn form_encoded(text: &str) -> String {
    let encoded = percent_encoded(text.as_bytes());
    let mut plain = String::with_capacity(encoded.len());
    for c in encoded.chars() {
        match c {
            'A'..='Z' | 'a'..='z' | '0'..='9' | '-' | '.' | '_' | '%' => plain.push(c),
            // What `percent_encoded` leaves is ASCII.
            _ => plain.push_str(&format!("%{:02X}", u32::from(c))),
        }
    }
    plain
}

/// An HTTP/1.1 response: its status and body.
#[derive(Clone, Debug)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The body. Not made safe to show.
    pub body: Vec<u8>,
    location: Option<String>,
}

impl Response {
    #[cfg(test)]
    pub(crate) fn new(status: u16, body: &str) -> Self {
        Self { status, body: body.into(), location: None }
    }

    /// Returns whether the request succeeded (2xx).
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Returns the address that the response redirects to, relative to `url`, which was asked;
    /// `None` if it redirects nowhere.
    pub fn redirect(&self, url: &HttpsUrl) -> Option<Result<HttpsUrl, UrlError>> {
        let is_redirect = matches!(self.status, 301 | 302 | 303 | 307 | 308);
        let location = self.location.as_ref().filter(|_| is_redirect)?;
        Some(url.resolve(location))
    }
}

/// The redirects that a GET follows, by https only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Redirects {
    /// Redirects to the same host.
    SameHost,
    /// Redirects to any host.
    AnyHost,
}

/// Asks for what is at `url`, and follows up to [`limits::HTTP_REDIRECTS`] redirects. `connect`
/// makes the stream for each request. Returns the last URL asked and its response.
///
/// # Errors
///
/// Returns an error if a connection fails, a response is malformed or exceeds its bounds, or there
/// are too many redirects.
pub fn get<S: Private, E: From<Error>>(
    url: HttpsUrl,
    accept: &'static str,
    redirects: Redirects,
    mut connect: impl FnMut(&HttpsUrl) -> Result<S, E>,
) -> Result<(HttpsUrl, Response), E> {
    let mut request = Request::get(url, accept);
    for _ in 0..=limits::HTTP_REDIRECTS {
        let stream = connect(request.url())?;
        let response = exchange(stream, &request)?;
        let Some(next) = response.redirect(request.url()) else {
            return Ok((request.url, response));
        };
        let next = next.map_err(|error| Error::Redirect(format!("elsewhere: {error}")))?;
        if redirects == Redirects::SameHost
            && (next.host(), next.port()) != (request.url.host(), request.url.port())
        {
            return Err(Error::Redirect(format!("to another host, {}", next.host())).into());
        }
        request.url = next;
    }
    let words = format!("more than {} times", limits::HTTP_REDIRECTS);
    Err(Error::Redirect(words).into())
}

/// Sends `request` and reads its response, which may take two time-outs of the stream.
///
/// # Errors
///
/// Returns an error if the stream fails, or the response is malformed or exceeds its bounds.
pub fn exchange<S: Private>(mut stream: S, request: &Request) -> Result<Response, Error> {
    let verb = request.method();
    stream.begin(Wait::Reply);
    let call = send(&mut stream, request)?;
    Reader { stream, verb, input: Vec::new() }.response(call)
}

fn send<S: Private>(
    stream: &mut S,
    request: &Request,
) -> Result<Call<state::RecvResponse>, wire::Error> {
    let phase = Phase::Sending(request.method());
    let head = request.head().map_err(unfit)?;
    let mut call = Call::new(head).map_err(unfit)?.proceed();
    // All of the request leaves in one write.
    let mut output = Vec::new();
    let mut buffer = vec![0; limits::URL + limits::HTTP_HEAD];
    while !call.can_proceed() {
        let used = call.write(&mut buffer).map_err(unfit)?;
        output.extend_from_slice(buffer.get(..used).unwrap_or_default());
    }
    let call = match call.proceed().map_err(unfit)? {
        Some(SendRequestResult::RecvResponse(call)) => call,
        Some(SendRequestResult::SendBody(mut call)) => {
            let text = match &request.form {
                Some(Form(text)) => text.expose(),
                None => "",
            };
            output.extend_from_slice(text.as_bytes());
            call.consume_direct_write(text.len()).map_err(unfit)?;
            call.proceed().ok_or_else(|| unfit("the form was not sent whole"))?
        }
        _ => return Err(unfit("the request cannot be sent")),
    };
    let failed = |source| wire::Error::Stream { phase, source };
    stream.write_all(&output).and_then(|()| stream.flush()).map_err(failed)?;
    Ok(call)
}

/// An error of a request that cannot be put into octets.
fn unfit(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> wire::Error {
    wire::Error::Source(io::Error::other(error))
}

/// Reads a response. What was read and not understood yet stays in `input`.
struct Reader<S> {
    stream: S,
    verb: &'static str,
    input: Vec<u8>,
}

impl<S: Private> Reader<S> {
    fn response(mut self, mut call: Call<state::RecvResponse>) -> Result<Response, Error> {
        let phase = Phase::Answer(self.verb);
        let mut left = limits::HTTP_HEAD;
        let head = loop {
            let read = call.try_response(&self.input, false);
            let (used, head) = read.map_err(|error| malformed(phase, error.to_string()))?;
            self.input.drain(..used.min(self.input.len()));
            if let Some(head) = head {
                break head;
            }
            // An informational response was taken off; another may be there already.
            if used > 0 {
                left = left.saturating_sub(used);
                continue;
            }
            if self.input.len() >= left {
                let words = format!("a head of more than {} octets", limits::HTTP_HEAD);
                return Err(malformed(phase, words).into());
            }
            if self.read(phase)? == 0 {
                return Err(wire::Error::Closed(phase).into());
            }
        };
        if head.status() == StatusCode::SWITCHING_PROTOCOLS {
            return Err(malformed(phase, "another protocol".to_owned()).into());
        }
        let location = text(head.headers(), header::LOCATION);
        if let Some(encoding) = text(head.headers(), header::CONTENT_ENCODING)
            && !encoding.eq_ignore_ascii_case("identity")
        {
            return Err(malformed(phase, "a compressed body, not asked for".to_owned()).into());
        }
        let body = match call.proceed() {
            Some(RecvResponseResult::RecvBody(call)) => self.body(call)?,
            _ => Vec::new(),
        };
        Ok(Response { status: head.status().as_u16(), body, location })
    }

    fn body(mut self, mut call: Call<state::RecvBody>) -> Result<Vec<u8>, wire::Error> {
        let phase = Phase::Text(self.verb);
        let mut body = Vec::new();
        let mut output = vec![0; limits::BUFFER];
        let ends_with_stream = call.can_proceed();
        loop {
            let read = call.read(&self.input, &mut output);
            let (used, made) = read.map_err(|error| malformed(phase, error.to_string()))?;
            self.input.drain(..used.min(self.input.len()));
            body.extend_from_slice(output.get(..made).unwrap_or_default());
            if body.len() > limits::HTTP_BODY {
                let words = format!("a body of more than {} octets", limits::HTTP_BODY);
                return Err(malformed(phase, words));
            }
            if call.can_proceed() && !ends_with_stream {
                return Ok(body);
            }
            if used > 0 || made > 0 {
                continue;
            }
            // What makes no progress is the beginning of a chunk's size, or an endless one.
            if self.input.len() > limits::HTTP_HEAD {
                return Err(malformed(phase, "a chunk without a size".to_owned()));
            }
            match self.read(phase)? {
                // Inside TLS an end is known from a cut: the stream fails there.
                0 if ends_with_stream => return Ok(body),
                0 => return Err(wire::Error::Closed(phase)),
                _ => {}
            }
        }
    }

    fn read(&mut self, phase: Phase) -> Result<usize, wire::Error> {
        let mut buffer = vec![0; limits::HTTP_HEAD];
        let read = loop {
            match self.stream.read(&mut buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read,
            }
        };
        let read = read.map_err(|source| wire::Error::Stream { phase, source })?;
        self.input.extend_from_slice(buffer.get(..read).unwrap_or_default());
        Ok(read)
    }
}

fn malformed(phase: Phase, words: String) -> wire::Error {
    wire::Error::Malformed { phase, what: Malformed(words) }
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::random_peer::{RandomPeer, babble};

    fn url(text: &str) -> HttpsUrl {
        text.parse().unwrap()
    }

    fn answered(pieces: &[&str]) -> Result<Response, Error> {
        let pieces = pieces.iter().flat_map(|piece| piece.as_bytes().chunks(1000));
        let pieces = pieces.map(<[u8]>::to_vec).collect();
        exchange(RandomPeer::new(pieces), &Request::get(url("https://example.com/x"), "text/xml"))
    }

    fn refused(pieces: &[&str]) -> String {
        answered(pieces).unwrap_err().to_string()
    }

    #[test]
    fn a_request_says_who_asks_for_what() {
        let peer = RandomPeer::new([b"HTTP/1.1 204 No Content\r\n\r\n".to_vec()].into());
        let heard = peer.heard.clone();
        let form = Form::default().with("code", "a b&c=d~\u{e4}").with("x", "");
        let request =
            Request::post(url("https://example.com:8443/t?a=b"), "application/json", form);
        assert_eq!(exchange(peer, &request).unwrap().status, 204);
        let said = String::from_utf8(heard.borrow().clone()).unwrap();
        let body = "code=a%20b%26c%3Dd%7E%C3%A4&x=";
        assert!(said.starts_with("POST /t?a=b HTTP/1.1\r\nhost: example.com:8443\r\n"), "{said}");
        assert!(
            said.ends_with(&format!("\r\ncontent-length: {}\r\n\r\n{body}", body.len())),
            "{said}"
        );
        assert!(!format!("{request:?}").contains("code"), "a form is not shown");
    }

    #[test]
    fn a_body_ends_where_the_server_says() {
        let body = |pieces: &[&str]| String::from_utf8(answered(pieces).unwrap().body).unwrap();
        assert_eq!(body(&["HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab", "c"]), "abc");
        let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        assert_eq!(body(&[chunked, "1;x=y\r\na\r\n", "2\r", "\nbc\r\n0\r\n\r\n"]), "abc");
        assert_eq!(body(&["HTTP/1.1 200 OK\r\n\r\nab", "c"]), "abc");
        assert_eq!(body(&["HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 Fine\r\n\r\n"]), "");
    }

    #[test]
    fn a_body_that_is_cut_short_is_none() {
        let cut = "the server closed the connection in the middle of the answer to GET";
        assert_eq!(refused(&["HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab"]), cut);
        let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        assert_eq!(refused(&[chunked, "1\r\na\r\n"]), cut);
        let cut = "the server closed the connection waiting for the answer to GET";
        assert_eq!(refused(&["HTTP/1.1 200 OK\r\nContent-"]), cut);
    }

    #[test]
    fn head_and_body_have_bounds() {
        let line = format!("X: {}\r\n", "x".repeat(1000));
        let head = format!("HTTP/1.1 200 OK\r\n{}", line.repeat(17));
        assert!(refused(&[&head]).ends_with("a head of more than 16384 octets"));
        let body = "x".repeat(limits::HTTP_BODY + 1);
        let whole = format!("HTTP/1.1 200 OK\r\n\r\n{body}");
        assert!(refused(&[&whole]).ends_with("a body of more than 262144 octets"));
        let hints = "HTTP/1.1 103 Early Hints\r\n\r\n".repeat(1000);
        assert!(refused(&[&hints]).ends_with("a head of more than 16384 octets"));
        let chunk =
            format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{}", "0".repeat(40_000));
        assert!(answered(&[&chunk]).is_err());
    }

    #[test]
    fn what_is_not_http_is_said_to_be_none() {
        assert!(refused(&["+OK ready\r\n\r\n"]).contains("broke the protocol"));
        let packed = "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 1\r\n\r\nx";
        assert!(refused(&[packed]).ends_with("a compressed body, not asked for"));
    }

    fn redirected(
        redirects: Redirects,
        locations: &[&str],
    ) -> Result<(String, Vec<String>), String> {
        let (mut asked, mut locations) = (Vec::new(), locations.iter());
        let found = get(url("https://example.com/a"), "text/xml", redirects, |url| {
            asked.push(url.to_string());
            let answer = match locations.next() {
                Some(to) => {
                    format!("HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n")
                }
                None => "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx".to_owned(),
            };
            Ok::<_, Error>(RandomPeer::new([answer.into_bytes()].into()))
        });
        found.map(|(url, _)| (url.to_string(), asked)).map_err(|error| error.to_string())
    }

    #[test]
    fn redirects_are_few_and_by_https() {
        let found = redirected(Redirects::AnyHost, &["/b", "https://other.example/c"]).unwrap();
        let asked = ["https://example.com/a", "https://example.com/b", "https://other.example/c"];
        assert_eq!(found, (asked[2].to_owned(), asked.map(str::to_owned).to_vec()));
        let refused = |redirects, locations: &[&str]| redirected(redirects, locations).unwrap_err();
        assert_eq!(
            refused(Redirects::AnyHost, &["/b"; 9]),
            "the server redirects more than 3 times"
        );
        assert!(refused(Redirects::AnyHost, &["http://example.com/"]).contains("not an https"));
        let elsewhere = refused(Redirects::SameHost, &["https://other.example/"]);
        assert_eq!(elsewhere, "the server redirects to another host, other.example");
        assert!(redirected(Redirects::SameHost, &["/b"]).is_ok());
    }

    proptest! {
        /// Reading any response ends, within bounds and without a panic.
        #[test]
        fn any_answer_ends(pieces in babble(
            &["HTTP/1.1 200 OK\r\n", "Transfer-Encoding: chunked\r\n\r\n", "3\r\nabc\r\n", "0\r\n\r\n"],
            &["HTTP/1.1 100 Continue\r\n\r\n", "Content-Length: 99\r\n", "ffffffffffffffff\r\n", "\r\n", "Location: /\r\n"],
        )) {
            let request = Request::get(url("https://example.com/x"), "text/xml");
            if let Ok(response) = exchange(RandomPeer::new(pieces), &request) {
                prop_assert!(response.body.len() <= limits::HTTP_BODY);
            }
        }
    }
}
