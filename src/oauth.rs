//! OAuth 2.0 (RFC 6749) as a native program uses it (RFC 8252): requests and answers as values.
//! Authorization code with PKCE (RFC 7636), device grant (RFC 8628), client credentials, refresh;
//! a server's metadata (RFC 8414); the endpoints of three providers.
//!
//! Pure: no clock, no random numbers, no connection.

mod answer;
mod redirect;

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

pub use self::answer::{DeviceCode, Error, ErrorCode, Granted, Meaning, Refusal, metadata};
pub use self::redirect::{Loopback, Returned, Unexpected};
use crate::http::{Form, form_encoded};
use crate::text::{HttpsUrl, Secret, shown};

/// The client id that is registered for this program itself, used with `microsoft` where the
/// configuration names none. Empty: there is none, and no id of another program is ever used.
pub const OWN_CLIENT_ID: &str = "";

/// A provider whose endpoints are known.
#[derive(Debug)]
pub struct Provider {
    /// The provider's name in `[oauth.NAME]`.
    pub name: &'static str,
    /// The authorization endpoint. `{tenant}` stands for the value of `tenant`.
    pub authorize: &'static str,
    /// The token endpoint.
    pub token: &'static str,
    /// The device authorization endpoint, if mail may be asked for there.
    pub device: Option<&'static str>,
    /// The value of `iss` in its redirects (RFC 9207), if it sends one.
    pub issuer: Option<&'static str>,
    /// The scopes for POP3 and SMTP, and for a refresh token.
    pub scope: &'static str,
    /// The scopes of a client without a person.
    pub scope_without_person: &'static str,
    /// The redirect that its clients are registered with; the port is chosen at each login.
    pub redirect: &'static str,
    /// Additional parameters of its authorization endpoint.
    pub extras: &'static [(&'static str, &'static str)],
}

/// Every provider that is known by name.
pub const PROVIDERS: [Provider; 3] = [
    // learn.microsoft.com: "Authenticate an IMAP, POP or SMTP connection using OAuth".
    Provider {
        name: "microsoft",
        authorize: "https://login.microsoftonline.com/{tenant}/oauth2/v2.0/authorize",
        token: "https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token",
        device: Some("https://login.microsoftonline.com/{tenant}/oauth2/v2.0/devicecode"),
        issuer: None,
        scope: "https://outlook.office.com/POP.AccessAsUser.All \
                https://outlook.office.com/SMTP.Send offline_access",
        scope_without_person: "https://outlook.office365.com/.default",
        redirect: "http://localhost",
        extras: &[],
    },
    // developers.google.com: "OAuth 2.0 for Mobile & Desktop Apps". Without these extras no refresh
    // token comes; the device endpoint gives none of this scope.
    Provider {
        name: "google",
        authorize: "https://accounts.google.com/o/oauth2/v2/auth",
        token: "https://oauth2.googleapis.com/token",
        device: None,
        issuer: Some("https://accounts.google.com"),
        scope: "https://mail.google.com/",
        scope_without_person: "https://mail.google.com/",
        redirect: "http://127.0.0.1",
        extras: &[("access_type", "offline"), ("prompt", "consent")],
    },
    // fastmail.com/developer/oauth.
    Provider {
        name: "fastmail",
        authorize: "https://api.fastmail.com/oauth/authorize",
        token: "https://api.fastmail.com/oauth/refresh",
        device: None,
        issuer: None,
        scope: "https://www.fastmail.com/dev/protocol-pop \
                https://www.fastmail.com/dev/protocol-smtp",
        scope_without_person: "",
        redirect: "http://127.0.0.1",
        extras: &[],
    },
];

impl Provider {
    /// The provider of a name. `None` if it is not in the table.
    pub fn named(name: &str) -> Option<&'static Self> {
        PROVIDERS.iter().find(|known| known.name == name)
    }

    /// Returns its endpoints for a tenant (`common` by default). `None` if the tenant cannot stand
    /// in a URL.
    pub fn endpoints(&self, tenant: Option<&str>) -> Option<Endpoints> {
        let tenant = tenant.unwrap_or("common");
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
        if tenant.is_empty() || !tenant.chars().all(is_plain) {
            return None;
        }
        let url = |template: &str| template.replace("{tenant}", tenant).parse().ok();
        Some(Endpoints {
            issuer: self.issuer.map(str::to_owned),
            names_issuer: false,
            authorize: url(self.authorize),
            token: url(self.token)?,
            device: self.device.and_then(url),
        })
    }
}

/// An authorization grant (RFC 6749 §1.3) that the configuration can name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Grant {
    /// Authorization by a person, once (RFC 6749 §4.1, RFC 8628).
    #[default]
    Code,
    /// Client credentials, without a person (RFC 6749 §4.4).
    ClientCredentials,
}

impl FromStr for Grant {
    type Err = GrantError;

    fn from_str(text: &str) -> Result<Self, GrantError> {
        match text {
            "code" => Ok(Self::Code),
            "client-credentials" => Ok(Self::ClientCredentials),
            _ => Err(GrantError(shown(text))),
        }
    }
}

/// The error for a text that names no grant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected `code` or `client-credentials`, found `{0}`")]
pub struct GrantError(String);

/// The endpoints of an authorization server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoints {
    /// The issuer identifier (RFC 8414 §2), if known.
    pub issuer: Option<String>,
    /// True if every redirect carries `iss` (RFC 9207 §3).
    pub names_issuer: bool,
    /// The authorization endpoint, which a browser opens.
    pub authorize: Option<HttpsUrl>,
    /// The token endpoint.
    pub token: HttpsUrl,
    /// The device authorization endpoint.
    pub device: Option<HttpsUrl>,
}

/// A way to find an authorization server's endpoints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Server {
    /// Configured endpoints.
    Known(Box<Endpoints>),
    /// An issuer, whose metadata names them.
    Issuer(HttpsUrl),
}

impl Server {
    /// The URL that stands for the server in the name of its state: the token endpoint, or the
    /// issuer.
    pub fn url(&self) -> &HttpsUrl {
        match self {
            Self::Known(endpoints) => &endpoints.token,
            Self::Issuer(url) => url,
        }
    }
}

/// The URLs of an issuer's metadata, in the order of asking (RFC 8414 §3; `OpenID` Connect
/// Discovery §4).
pub fn metadata_urls(issuer: &HttpsUrl) -> [Option<HttpsUrl>; 2] {
    let path = issuer.path().trim_end_matches('/');
    let at = |path: String| issuer.resolve(&path).ok();
    [
        at(format!("/.well-known/oauth-authorization-server{path}")),
        at(format!("{path}/.well-known/openid-configuration")),
    ]
}

/// A client as it is registered at an authorization server. Its secret, if it has one, is not here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// The client's id.
    pub id: String,
    /// The kind of grant.
    pub grant: Grant,
    /// The authorization server.
    pub server: Server,
    /// The scope, with blanks between its parts.
    pub scope: String,
    /// The redirect address for the browser.
    pub redirect: Loopback,
    /// Additional parameters of the authorization endpoint.
    pub extras: &'static [(&'static str, &'static str)],
}

impl Client {
    /// Returns the URL for the browser (RFC 6749 §4.1.1, RFC 7636 §4.3).
    pub fn authorization(
        &self,
        endpoint: &HttpsUrl,
        user: &str,
        redirect: &str,
        state: &str,
        proof: &Proof,
    ) -> String {
        let fields = [
            ("response_type", "code"),
            ("client_id", self.id.as_str()),
            ("redirect_uri", redirect),
            ("scope", self.scope.as_str()),
            ("state", state),
            ("code_challenge", proof.challenge.as_str()),
            ("code_challenge_method", "S256"),
            ("login_hint", user),
        ];
        let mut url = endpoint.to_string();
        let mut sign = if url.contains('?') { '&' } else { '?' };
        for (name, value) in fields.iter().chain(self.extras) {
            if !value.is_empty() {
                url.push(sign);
                url += &format!("{name}={}", form_encoded(value));
                sign = '&';
            }
        }
        url
    }

    /// Returns the form that exchanges a code for tokens (RFC 6749 §4.1.3, RFC 7636 §4.5).
    pub fn code_form(
        &self,
        code: &Secret,
        redirect: &str,
        proof: &Proof,
        secret: Option<&Secret>,
    ) -> Form {
        self.form("authorization_code", secret)
            .with("code", code.expose())
            .with("redirect_uri", redirect)
            .with("code_verifier", proof.verifier.expose())
    }

    /// Returns the form that asks for a device code (RFC 8628 §3.1).
    pub fn device_form(&self, secret: Option<&Secret>) -> Form {
        let form = Form::default().with("client_id", &self.id).with("scope", &self.scope);
        match secret {
            Some(secret) => form.with("client_secret", secret.expose()),
            None => form,
        }
    }

    /// Returns the form that asks whether a device code was approved (RFC 8628 §3.4).
    pub fn device_code_form(&self, code: &Secret, secret: Option<&Secret>) -> Form {
        self.form("urn:ietf:params:oauth:grant-type:device_code", secret)
            .with("device_code", code.expose())
    }

    /// Returns the form that exchanges a refresh token for new tokens (RFC 6749 §6).
    pub fn refresh_form(&self, refresh: &Secret, secret: Option<&Secret>) -> Form {
        self.form("refresh_token", secret).with("refresh_token", refresh.expose())
    }

    /// Returns the form that asks for a token of the client's own (RFC 6749 §4.4.2).
    pub fn credentials_form(&self, secret: Option<&Secret>) -> Form {
        let form = self.form("client_credentials", secret);
        if self.scope.is_empty() { form } else { form.with("scope", &self.scope) }
    }

    fn form(&self, grant: &str, secret: Option<&Secret>) -> Form {
        let form = Form::default().with("grant_type", grant).with("client_id", &self.id);
        match secret {
            Some(secret) => form.with("client_secret", secret.expose()),
            None => form,
        }
    }
}

/// Proof Key for Code Exchange: the verifier shows that a code is exchanged by the program that
/// asked for it (RFC 7636).
#[derive(Clone, Debug)]
pub struct Proof {
    verifier: Secret,
    challenge: String,
}

impl Proof {
    /// Creates a proof from random octets, as many as RFC 7636 §4.1 recommends.
    pub fn new(random: [u8; 32]) -> Self {
        let verifier = URL_SAFE_NO_PAD.encode(random);
        let digest = digest::digest(&digest::SHA256, verifier.as_bytes());
        Self { challenge: URL_SAFE_NO_PAD.encode(digest), verifier: Secret::new(verifier) }
    }

    /// Returns the code verifier, a secret (RFC 7636 §4.1).
    pub fn verifier(&self) -> &Secret {
        &self.verifier
    }
}

/// A value that only the two ends of a login know (RFC 6749 §10.12), of random octets.
pub fn state(random: [u8; 16]) -> String {
    URL_SAFE_NO_PAD.encode(random)
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.url().host().as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client() -> Client {
        let provider = Provider::named("google").unwrap();
        Client {
            id: "an id".to_owned(),
            grant: Grant::Code,
            server: Server::Known(Box::new(provider.endpoints(None).unwrap())),
            scope: provider.scope.to_owned(),
            redirect: provider.redirect.parse().unwrap(),
            extras: provider.extras,
        }
    }

    #[test]
    fn every_provider_has_endpoints_by_https_and_a_redirect_to_this_machine() {
        for provider in &PROVIDERS {
            let endpoints = provider.endpoints(None).unwrap();
            assert!(endpoints.authorize.is_some(), "{}", provider.name);
            assert_eq!(endpoints.device.is_some(), provider.device.is_some());
            assert!(!endpoints.token.to_string().contains('{'));
            provider.redirect.parse::<Loopback>().unwrap();
        }
        let microsoft = Provider::named("microsoft").unwrap();
        let endpoints = microsoft.endpoints(Some("contoso.example")).unwrap();
        assert_eq!(endpoints.token.path(), "/contoso.example/oauth2/v2.0/token");
        for wrong in ["", "a/b", "a?b", "a b"] {
            assert!(microsoft.endpoints(Some(wrong)).is_none(), "{wrong}");
        }
    }

    #[test]
    fn the_proof_is_that_of_the_standard() {
        // RFC 7636, appendix B.
        let octets = [
            116, 24, 223, 180, 151, 153, 224, 37, 79, 250, 96, 125, 216, 173, 187, 186, 22, 212,
            37, 77, 105, 214, 191, 240, 91, 88, 5, 88, 83, 132, 141, 121,
        ];
        let proof = Proof::new(octets);
        assert_eq!(proof.verifier.expose(), "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
        assert_eq!(proof.challenge, "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
        assert!(!format!("{proof:?}").contains("dBjft"));
    }

    #[test]
    fn a_browser_is_sent_with_all_that_the_answer_is_checked_against() {
        let (client, proof) = (client(), Proof::new([7; 32]));
        let Server::Known(endpoints) = &client.server else { panic!() };
        let endpoint = endpoints.authorize.clone().unwrap();
        let url =
            client.authorization(&endpoint, "ann@x.example", "http://127.0.0.1:99/", "st", &proof);
        for part in [
            "https://accounts.google.com/o/oauth2/v2/auth?response_type=code&client_id=an%20id&",
            "redirect_uri=http%3A%2F%2F127.0.0.1%3A99%2F&scope=https%3A%2F%2Fmail.google.com%2F&state=st&",
            "&code_challenge_method=S256&login_hint=ann%40x.example&access_type=offline&prompt=consent",
        ] {
            assert!(url.contains(part), "{part} in {url}");
        }
        assert!(!url.contains(proof.verifier.expose()));
    }

    #[test]
    fn an_issuers_metadata_are_asked_for_in_two_places() {
        let urls = |issuer: &str| {
            metadata_urls(&issuer.parse().unwrap()).map(|url| url.unwrap().to_string())
        };
        assert_eq!(
            urls("https://a.example"),
            [
                "https://a.example/.well-known/oauth-authorization-server",
                "https://a.example/.well-known/openid-configuration"
            ]
        );
        assert_eq!(
            urls("https://a.example/realms/x"),
            [
                "https://a.example/.well-known/oauth-authorization-server/realms/x",
                "https://a.example/realms/x/.well-known/openid-configuration"
            ]
        );
    }

    #[test]
    fn this_program_has_no_client_id_of_its_own() {
        assert_eq!(OWN_CLIENT_ID, "");
    }
}
