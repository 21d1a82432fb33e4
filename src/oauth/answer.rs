//! What an authorization server answers: tokens, device codes, metadata and refusals, all as JSON
//! (RFC 6749 §5, RFC 8628 §3.2, RFC 8414 §3.2).

use std::fmt;

use serde_json::Value;

use super::Endpoints;
use crate::text::{HttpsUrl, Secret, shown};

/// The reason why an answer is unusable.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// The answer is malformed.
    #[error("the authorization server broke the protocol: {0}")]
    Malformed(String),
    /// The server refuses, and says why.
    #[error("{0}")]
    Refused(Refusal),
}

/// An error response (RFC 6749 §4.1.2.1 and §5.2, RFC 8628 §3.5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The error code.
    pub code: ErrorCode,
    /// The server's description, not made safe to show.
    pub description: String,
    /// The HTTP status, or 0 where it came by way of the browser.
    pub status: u16,
}

/// The error code of an error response (RFC 6749 §5.2, RFC 8628 §3.5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ErrorCode {
    /// The user or the server said no.
    AccessDenied,
    /// A device code is not approved yet.
    AuthorizationPending,
    /// The user must consent, or log in, anew.
    InteractionRequired,
    /// A device code was not approved in time.
    ExpiredToken,
    /// The client is not known, or its secret is wrong.
    InvalidClient,
    /// A code or refresh token is not valid, or not any more.
    InvalidGrant,
    /// `invalid_request`.
    InvalidRequest,
    /// `invalid_scope`.
    InvalidScope,
    /// An error on the server's side.
    ServerError,
    /// A device asks too often.
    SlowDown,
    /// The server is too busy.
    TemporarilyUnavailable,
    /// The client may not do this.
    UnauthorizedClient,
    /// The server does not have this grant.
    UnsupportedGrantType,
    /// No code: the answer is no error response, and only its HTTP status is known.
    None,
    /// Any other code.
    Other(String),
}

impl ErrorCode {
    const WORDS: [(&'static str, Self); 15] = [
        ("access_denied", Self::AccessDenied),
        ("authorization_pending", Self::AuthorizationPending),
        ("consent_required", Self::InteractionRequired),
        ("interaction_required", Self::InteractionRequired),
        ("login_required", Self::InteractionRequired),
        ("expired_token", Self::ExpiredToken),
        ("invalid_client", Self::InvalidClient),
        ("invalid_grant", Self::InvalidGrant),
        ("invalid_request", Self::InvalidRequest),
        ("invalid_scope", Self::InvalidScope),
        ("server_error", Self::ServerError),
        ("slow_down", Self::SlowDown),
        ("temporarily_unavailable", Self::TemporarilyUnavailable),
        ("unauthorized_client", Self::UnauthorizedClient),
        ("unsupported_grant_type", Self::UnsupportedGrantType),
    ];

    /// Returns the code for a word of the server's.
    pub fn new(word: &str) -> Self {
        // Microsoft's word for a declined device code.
        if word == "authorization_declined" {
            return Self::AccessDenied;
        }
        let known = Self::WORDS.iter().find(|(known, _)| *known == word);
        known.map_or_else(|| Self::Other(word.to_owned()), |(_, code)| code.clone())
    }

    fn word(&self) -> String {
        match self {
            Self::Other(word) => shown(word),
            known => {
                let row = Self::WORDS.iter().find(|(_, code)| code == known);
                row.map_or("", |(word, _)| word).to_owned()
            }
        }
    }
}

/// The meaning of a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// The device code is not approved yet.
    Pending,
    /// The device code is not approved yet, and the next question is to come later.
    SlowDown,
    /// The login, or the code, is not valid any more.
    Expired,
    /// The user, or their administrator, has not consented.
    Consent,
    /// The client is not registered as it should be.
    Client,
    /// The server cannot answer now.
    Later,
    /// Nothing: the answer is that of another server, or of another place on it.
    None,
}

impl Refusal {
    /// Returns the refusal with the server's text changed, as where secrets in it are masked.
    #[must_use]
    pub fn map_text(self, map: impl Fn(&str) -> String) -> Self {
        let code = match self.code {
            ErrorCode::Other(word) => ErrorCode::Other(map(&word)),
            known => known,
        };
        Self { code, description: map(&self.description), status: self.status }
    }

    /// Returns whether the server has decided and grants nothing: an error response of OAuth 2.0, and
    /// no failure on its side.
    pub fn is_decided(&self) -> bool {
        self.code != ErrorCode::None && self.status < 500
    }

    /// Returns the meaning. Microsoft's numbers (AADSTS) are more precise than its code.
    pub fn meaning(&self) -> Meaning {
        let says = |numbers: &[&str]| {
            numbers.iter().any(|number| self.description.contains(&format!("AADSTS{number}")))
        };
        match &self.code {
            ErrorCode::AuthorizationPending => Meaning::Pending,
            ErrorCode::SlowDown => Meaning::SlowDown,
            _ if matches!(self.status, 408 | 429 | 500..) => Meaning::Later,
            ErrorCode::None => Meaning::None,
            ErrorCode::ServerError | ErrorCode::TemporarilyUnavailable => Meaning::Later,
            _ if says(&["50105:", "65001:", "65004:", "90094:", "90095:"]) => Meaning::Consent,
            _ if says(&["700016:", "50011:", "7000112:", "7000218:", "7000215:"]) => {
                Meaning::Client
            }
            ErrorCode::AccessDenied => Meaning::Consent,
            ErrorCode::InvalidGrant | ErrorCode::ExpiredToken | ErrorCode::InteractionRequired => {
                Meaning::Expired
            }
            _ => Meaning::Client,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.code {
            ErrorCode::None => write!(f, "HTTP status {}", self.status)?,
            code => f.write_str(&code.word())?,
        }
        // Microsoft adds lines of numbers for its own people.
        let first = self.description.lines().next().unwrap_or_default().trim();
        let first = first.split(" Trace ID: ").next().unwrap_or_default();
        if first.is_empty() { Ok(()) } else { write!(f, ": {}", shown(first)) }
    }
}

/// The tokens in a successful response (RFC 6749 §5.1).
#[derive(Clone, Debug)]
pub struct Granted {
    /// The access token.
    pub access: Secret,
    /// The lifetime in seconds.
    pub lifetime: u64,
    /// The refresh token; `None` if the one used before stays valid.
    pub refresh: Option<Secret>,
    /// The granted scope, if it differs from the one asked for.
    pub scope: Option<String>,
}

/// A token's lifetime in seconds, if the server does not say (it should: RFC 6749 §5.1).
const LIFETIME: u64 = 3600;

/// The longest lifetime that is believed.
const LONGEST: u64 = 366 * 24 * 3600;

impl Granted {
    /// Reads an answer of the token endpoint.
    ///
    /// # Errors
    ///
    /// Returns an error if the server refuses, or the answer is malformed.
    pub fn read(status: u16, body: &[u8]) -> Result<Self, Error> {
        let object = object(status, body)?;
        let malformed = |what: &str| Error::Malformed(what.to_owned());
        let kind = object.get("token_type").and_then(Value::as_str).unwrap_or_default();
        if !kind.eq_ignore_ascii_case("bearer") {
            return Err(malformed("the token is not of the type `bearer`"));
        }
        let access = token(&object, "access_token")?;
        let access = access.ok_or_else(|| malformed("there is no `access_token`"))?;
        let lifetime = seconds(&object, "expires_in").unwrap_or(LIFETIME).clamp(1, LONGEST);
        let scope = object.get("scope").and_then(Value::as_str).map(str::to_owned);
        Ok(Self { access, lifetime, refresh: token(&object, "refresh_token")?, scope })
    }

    /// Returns the refresh token of an answer that is good for nothing else: the server may no longer
    /// take the one before. `None` if there is none.
    pub fn rest(status: u16, body: &[u8]) -> Option<Secret> {
        token(&object(status, body).ok()?, "refresh_token").ok().flatten()
    }
}

/// A device code, and the instructions for the user (RFC 8628 §3.2).
#[derive(Clone, Debug)]
pub struct DeviceCode {
    /// The device code.
    pub code: Secret,
    /// The code that the user types.
    pub user_code: String,
    /// The address that the user opens.
    pub uri: String,
    /// The lifetime in seconds.
    pub lifetime: u64,
    /// Seconds between two questions.
    pub interval: u64,
}

impl DeviceCode {
    /// Reads an answer of the device authorization endpoint.
    pub fn read(status: u16, body: &[u8]) -> Result<Self, Error> {
        const INTERVAL: u64 = 5;
        let object = object(status, body)?;
        let malformed = |what: &str| Error::Malformed(format!("there is no `{what}`"));
        let text = |name: &'static str| {
            let text = object.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
            text.map(str::to_owned).ok_or_else(|| malformed(name))
        };
        let code = token(&object, "device_code")?.ok_or_else(|| malformed("device_code"))?;
        let uri = text("verification_uri").or_else(|error| {
            // Google's name for it, from before the standard.
            text("verification_url").map_err(|_| error)
        })?;
        let no_https = |_| Error::Malformed("`verification_uri` is no https URL".to_owned());
        let uri: HttpsUrl = uri.parse().map_err(no_https)?;
        Ok(Self {
            code,
            user_code: text("user_code")?,
            uri: uri.to_string(),
            lifetime: seconds(&object, "expires_in").unwrap_or(600).clamp(1, 3600),
            interval: seconds(&object, "interval").unwrap_or(INTERVAL).clamp(1, 300),
        })
    }
}

/// Reads an issuer's metadata, which must be of the issuer that was asked (RFC 8414 §3.3).
///
/// # Errors
///
/// Returns an error if the answer is malformed or of another issuer.
pub fn metadata(issuer: &HttpsUrl, body: &[u8]) -> Result<Endpoints, Error> {
    let object = object(200, body)?;
    let malformed = |what: String| Error::Malformed(what);
    let text = |name: &str| object.get(name).and_then(Value::as_str);
    let found = text("issuer").unwrap_or_default();
    let same = |url: &str| url.trim_end_matches('/').to_owned();
    if same(found) != same(&issuer.to_string()) {
        return Err(malformed(format!("its metadata are of another issuer, {}", shown(found))));
    }
    let url = |name: &'static str| {
        let parse =
            |text: &str| text.parse().map_err(|error| malformed(format!("{name}: {error}")));
        text(name).map(parse).transpose()
    };
    let names_issuer = object.get("authorization_response_iss_parameter_supported");
    Ok(Endpoints {
        issuer: Some(found.to_owned()),
        names_issuer: names_issuer.and_then(Value::as_bool).unwrap_or_default(),
        authorize: url("authorization_endpoint")?,
        token: url("token_endpoint")?
            .ok_or_else(|| malformed("its metadata name no token endpoint".to_owned()))?,
        device: url("device_authorization_endpoint")?,
    })
}

/// The object that a successful answer is, or the refusal.
fn object(status: u16, body: &[u8]) -> Result<Value, Error> {
    let object = serde_json::from_slice::<Value>(body).ok().filter(Value::is_object);
    let text = |name: &str| Some(object.as_ref()?.get(name)?.as_str()?.to_owned());
    if let Some(word) = text("error") {
        let description = text("error_description").unwrap_or_default();
        return Err(Error::Refused(Refusal { code: ErrorCode::new(&word), description, status }));
    }
    match object {
        Some(object) if (200..300).contains(&status) => Ok(object),
        None if (200..300).contains(&status) => {
            Err(Error::Malformed("its answer is not JSON".to_owned()))
        }
        _ => {
            let (code, description) = (ErrorCode::None, String::new());
            Err(Error::Refused(Refusal { code, description, status }))
        }
    }
}

/// A token: visible characters (RFC 6749 appendix A).
fn token(object: &Value, name: &str) -> Result<Option<Secret>, Error> {
    let Some(text) = object.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
    else {
        return Ok(None);
    };
    if text.chars().all(|c| c.is_ascii_graphic() || c == ' ') {
        Ok(Some(Secret::new(text)))
    } else {
        Err(Error::Malformed(format!("`{name}` holds characters that no token has")))
    }
}

/// A number of seconds, which some servers write as text.
fn seconds(object: &Value, name: &str) -> Option<u64> {
    let value = object.get(name)?;
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status: u16, body: &str) -> Refusal {
        match Granted::read(status, body.as_bytes()) {
            Err(Error::Refused(refusal)) => refusal,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn tokens_are_read_with_or_without_what_may_be_missing() {
        let body = br#"{"access_token":"a.b-c","token_type":"Bearer","expires_in":"99","refresh_token":"r","scope":"s"}"#;
        let granted = Granted::read(200, body).unwrap();
        assert_eq!((granted.access.expose(), granted.lifetime), ("a.b-c", 99));
        assert_eq!(granted.refresh.unwrap().expose(), "r");
        let granted = Granted::read(200, br#"{"access_token":"a","token_type":"bearer"}"#).unwrap();
        assert_eq!((granted.lifetime, granted.refresh.is_none()), (3600, true));
        for wrong in [
            "",
            "<html>",
            "[]",
            "{}",
            r#"{"access_token":"a"}"#,
            r#"{"access_token":"a","token_type":"mac"}"#,
            r#"{"token_type":"bearer"}"#,
            r#"{"access_token":"a\r\nb","token_type":"bearer"}"#,
        ] {
            let error = Granted::read(200, wrong.as_bytes()).unwrap_err();
            assert!(matches!(error, Error::Malformed(_)), "{wrong}: {error:?}");
        }
    }

    #[test]
    fn every_error_word_has_a_meaning() {
        for (status, body, meaning) in [
            (400, r#"{"error":"invalid_grant"}"#, Meaning::Expired),
            (400, r#"{"error":"authorization_pending"}"#, Meaning::Pending),
            (400, r#"{"error":"slow_down"}"#, Meaning::SlowDown),
            (400, r#"{"error":"expired_token"}"#, Meaning::Expired),
            (403, r#"{"error":"access_denied"}"#, Meaning::Consent),
            (400, r#"{"error":"authorization_declined"}"#, Meaning::Consent),
            (401, r#"{"error":"invalid_client"}"#, Meaning::Client),
            (400, r#"{"error":"unauthorized_client"}"#, Meaning::Client),
            (400, r#"{"error":"invalid_scope"}"#, Meaning::Client),
            (400, r#"{"error":"unsupported_grant_type"}"#, Meaning::Client),
            (400, r#"{"error":"of_no_standard"}"#, Meaning::Client),
            (400, r#"{"error":"server_error"}"#, Meaning::Later),
            (503, "<html>busy</html>", Meaning::Later),
            (429, "{}", Meaning::Later),
            (408, "", Meaning::Later),
            (500, r#"{"error":"invalid_grant"}"#, Meaning::Later),
            (404, "", Meaning::None),
            (403, "<html>", Meaning::None),
            (
                400,
                r#"{"error":"invalid_grant","error_description":"AADSTS65001: The user or administrator has not consented"}"#,
                Meaning::Consent,
            ),
            (
                400,
                r#"{"error":"invalid_request","error_description":"AADSTS50011: The redirect URI"}"#,
                Meaning::Client,
            ),
        ] {
            assert_eq!(refused(status, body).meaning(), meaning, "{body}");
        }
    }

    #[test]
    fn a_refusal_is_one_bounded_line() {
        let body = r#"{"error":"invalid_grant","error_description":"AADSTS70000: It has expired.\u001b[31m Trace ID: 1\r\nCorrelation ID: 2"}"#;
        let words = refused(400, body).to_string();
        assert_eq!(words, "invalid_grant: AADSTS70000: It has expired.\\u{1b}[31m");
    }

    #[test]
    fn a_device_code_comes_with_a_page_by_https() {
        let body = br#"{"device_code":"d","user_code":"WDJB-MJHT","verification_uri":"https://a.example/device","expires_in":900}"#;
        let code = DeviceCode::read(200, body).unwrap();
        assert_eq!(
            (code.interval, code.lifetime, code.uri.as_str()),
            (5, 900, "https://a.example/device")
        );
        let plain =
            br#"{"device_code":"d","user_code":"W","verification_uri":"http://a.example/device"}"#;
        assert!(DeviceCode::read(200, plain).is_err());
    }

    #[test]
    fn metadata_are_believed_of_the_issuer_that_was_asked_and_by_https_only() {
        let issuer: HttpsUrl = "https://a.example/x".parse().unwrap();
        let read = |text: &str| metadata(&issuer, text.as_bytes());
        let found = read(
            r#"{"issuer":"https://a.example/x","token_endpoint":"https://b.example/t","authorization_response_iss_parameter_supported":true}"#,
        )
        .unwrap();
        assert!(found.names_issuer && found.authorize.is_none());
        for wrong in [
            r#"{"issuer":"https://evil.example/x","token_endpoint":"https://b.example/t"}"#,
            r#"{"token_endpoint":"https://b.example/t"}"#,
            r#"{"issuer":"https://a.example/x"}"#,
            r#"{"issuer":"https://a.example/x","token_endpoint":"http://b.example/t"}"#,
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
