//! Login mechanisms (RFC 4422): which one to use, and what it says. Knows nothing of the
//! protocols that carry it; base64 (RFC 4648 §4) is done here for both.
#![warn(clippy::missing_errors_doc)]

mod scram;

use std::collections::VecDeque;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use self::scram::{Channel, Hash, Scram};
use crate::text::{Secret, shown};

/// The reason why a login cannot go on, apart from a refusal: there is no common mechanism, or the
/// server does not keep to the one chosen.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// There is no way to log in that both sides know.
    #[error("no way to log in: {wanted}, and the server offers {offered}")]
    NoMechanism {
        /// The mechanisms that this side could use, as a sentence.
        wanted: String,
        /// The mechanisms that the server offers.
        offered: String,
    },
    /// A challenge that the mechanism does not know.
    #[error("invalid {0} challenge")]
    Challenge(&'static str),
    /// The server answered for another nonce: possibly an answer recorded earlier.
    #[error("the server's challenge belongs to another login")]
    Nonce,
    /// The number of rounds is out of bounds: fewer would give the password away, more would keep
    /// this machine busy.
    #[error("the server asks for {0} SCRAM iterations, expected 4096 to 1000000")]
    Rounds(u64),
    /// The server that accepted the login has not proved that it knows the password (RFC 5802 §9).
    #[error("the server did not prove that it knows the password, so it may be an impostor")]
    Unproven,
    /// The server sent a further challenge after the last message of the mechanism.
    #[error("the server continues after the login was aborted")]
    Insistent,
}

impl Error {
    fn no_mechanism(offered: &[String], credentials: &Credentials) -> Self {
        let wanted = match (credentials.auth, &credentials.key) {
            (Some(decided), _) => format!("`auth` asks for {}", decided.name()),
            (None, Key::Token(_)) => "a token needs OAUTHBEARER or XOAUTH2".to_owned(),
            (None, Key::Certificate) => "a certificate needs EXTERNAL".to_owned(),
            (None, Key::Password(_)) => "a password needs SCRAM, PLAIN or LOGIN".to_owned(),
        };
        Self::NoMechanism { wanted, offered: shown(&offered.join(", ")) }
    }
}

/// A user name, the secret that proves it, and the mechanism if the user chose one.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// The authentication identity.
    pub user: String,
    /// The proof of identity.
    pub key: Key,
    /// The one mechanism to use; else the strongest that is offered.
    pub auth: Option<Mechanism>,
    /// Random octets that were never used before.
    pub nonce: [u8; 18],
}

/// A proof of identity: a password, an OAuth 2.0 token, or a client certificate.
#[derive(Clone, Debug)]
pub enum Key {
    /// A password.
    Password(Secret),
    /// An OAuth 2.0 access token (RFC 6750).
    Token(Secret),
    /// The certificate that was shown in the TLS handshake already.
    Certificate,
}

impl Key {
    /// The secret part; `None` for a certificate.
    pub fn secret(&self) -> Option<&Secret> {
        match self {
            Self::Password(secret) | Self::Token(secret) => Some(secret),
            Self::Certificate => None,
        }
    }

    /// The kind of this proof.
    pub fn kind(&self) -> KeyKind {
        match self {
            Self::Password(_) => KeyKind::Password,
            Self::Token(_) => KeyKind::Token,
            Self::Certificate => KeyKind::Certificate,
        }
    }
}

/// What a user proves an identity with: a password, a token or a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// A password.
    Password,
    /// An access token.
    Token,
    /// A client certificate.
    Certificate,
}

/// Keying material that only the two ends of one TLS connection know (RFC 9266 §2, `tls-exporter`).
pub type Binding = [u8; 32];

/// A way to log in that this side speaks, strongest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mechanism {
    /// RFC 7628: an access token.
    OauthBearer,
    /// An access token, as before RFC 7628; often the only mechanism offered for it.
    Xoauth2,
    /// RFC 4422 appendix A: TLS has settled it.
    External,
    /// RFC 7677, bound to the TLS connection.
    ScramSha256Plus,
    /// RFC 5802, bound to the TLS connection.
    ScramSha1Plus,
    /// RFC 7677: the password itself stays here, and the server must prove that it knows it.
    ScramSha256,
    /// RFC 5802.
    ScramSha1,
    /// RFC 4616: one message with everything.
    Plain,
    /// Never a standard, often the only one: user, then password, each asked for.
    Login,
    /// POP3's own commands USER and PASS (RFC 1939 §7), which are no mechanism of RFC 4422.
    User,
}

impl Mechanism {
    /// All of them and their names in the registry, strongest first.
    pub const ALL: [(Self, &'static str); 10] = [
        (Self::OauthBearer, "OAUTHBEARER"),
        (Self::Xoauth2, "XOAUTH2"),
        (Self::External, "EXTERNAL"),
        (Self::ScramSha256Plus, "SCRAM-SHA-256-PLUS"),
        (Self::ScramSha1Plus, "SCRAM-SHA-1-PLUS"),
        (Self::ScramSha256, "SCRAM-SHA-256"),
        (Self::ScramSha1, "SCRAM-SHA-1"),
        (Self::Plain, "PLAIN"),
        (Self::Login, "LOGIN"),
        (Self::User, "USER"),
    ];

    /// The name in the registry.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(known, _)| *known == self).map_or("", |(_, name)| name)
    }

    /// The kind of key that it takes.
    pub fn takes(self) -> KeyKind {
        match self {
            Self::OauthBearer | Self::Xoauth2 => KeyKind::Token,
            Self::External => KeyKind::Certificate,
            _ => KeyKind::Password,
        }
    }

    /// The mechanism without channel binding, of one that has it.
    fn unbound(self) -> Option<Self> {
        match self {
            Self::ScramSha256Plus => Some(Self::ScramSha256),
            Self::ScramSha1Plus => Some(Self::ScramSha1),
            _ => None,
        }
    }

    fn is_bound(self) -> bool {
        self.unbound().is_some()
    }

    /// Returns whether the mechanism shows the password itself to the server, or to an impostor.
    fn shows_password(self) -> bool {
        matches!(self, Self::Plain | Self::Login | Self::User)
    }

    /// Begins a login over this channel.
    fn start(self, credentials: &Credentials, channel: Channel) -> Login {
        let Credentials { user, key, nonce, .. } = credentials;
        let secret = match key {
            Key::Password(secret) | Key::Token(secret) => secret.expose(),
            Key::Certificate => "",
        };
        let scram = |hash| {
            let scram = Scram::new(hash, user, secret, channel, *nonce);
            (Some(Secret::new(scram.first())), State::Scram(scram))
        };
        let (initial, state) = match self {
            Self::OauthBearer => {
                // RFC 7628 §3.1; a comma or an equals sign in a name is escaped (RFC 5801 §4).
                let name = user.replace('=', "=3D").replace(',', "=2C");
                let first = ["n,a=", &name, ",\x01auth=Bearer ", secret, "\x01\x01"];
                (Some(Secret::joined(&first)), State::Bearer { dismissal: "\x01", said: None })
            }
            Self::Xoauth2 => {
                let first = ["user=", user, "\x01auth=Bearer ", secret, "\x01\x01"];
                (Some(Secret::joined(&first)), State::Bearer { dismissal: "", said: None })
            }
            Self::External => (Some(Secret::new(user)), State::Said(Vec::new())),
            Self::ScramSha256Plus | Self::ScramSha256 => scram(Hash::Sha256),
            Self::ScramSha1Plus | Self::ScramSha1 => scram(Hash::Sha1),
            Self::Plain => {
                (Some(Secret::joined(&["\0", user, "\0", secret])), State::Said(Vec::new()))
            }
            // Prompts are answered in the usual order; their words are not looked at.
            Self::Login | Self::User => {
                (None, State::Said(vec![Secret::new(secret), Secret::new(user)]))
            }
        };
        Login { mechanism: self, initial, resent: None, is_challenged: false, state }
    }
}

/// A refusal, as far as it decides which mechanism is tried next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The server does not take the mechanism (RFC 4954 §4: 500 to 504).
    Mechanism,
    /// The server does not take the credentials (RFC 4954 §6: 535; RFC 3206 §5: `[AUTH]`), or
    /// refuses every login.
    Credentials,
    /// POP3 without a response code: it may be either.
    Either,
}

/// Mechanism negotiation (RFC 4422 §3.2): the mechanisms that one login may use, in the order in
/// which they are tried. A password is shown by at most one of PLAIN and LOGIN unless the server
/// does not take the first, and then by USER and PASS; never after SCRAM got a challenge, since a
/// server that knows SCRAM has no need to see it.
#[derive(Debug)]
pub struct Negotiation<'a> {
    credentials: &'a Credentials,
    /// The channel binding for -PLUS mechanisms, if the stream has one.
    binding: Option<Binding>,
    /// The channel-binding flag of SCRAM without binding (RFC 5802 §6).
    unbound: Channel,
    /// Still to be tried, strongest first.
    candidates: VecDeque<Mechanism>,
}

impl<'a> Negotiation<'a> {
    /// The mechanisms among those `offered` that the credentials have a key for; only the one that
    /// was decided on, if there is one. `known` is the one that last succeeded here: it is tried
    /// first, and after it only weaker ones. [`Error::NoMechanism`] if none is left.
    ///
    /// # Errors
    ///
    /// Returns [`Error::NoMechanism`] if both sides have none in common.
    pub fn new(
        offered: &[String],
        credentials: &'a Credentials,
        binding: Option<Binding>,
        known: Option<Mechanism>,
    ) -> Result<Self, Error> {
        let is_offered = |name: &str| offered.iter().any(|offer| offer.eq_ignore_ascii_case(name));
        let is_candidate = |mechanism: Mechanism, name| {
            mechanism.takes() == credentials.key.kind()
                && (binding.is_some() || !mechanism.is_bound())
                && credentials.auth.is_none_or(|decided| decided == mechanism)
                && is_offered(name)
        };
        let candidates =
            Mechanism::ALL.iter().filter(|(mechanism, name)| is_candidate(*mechanism, name));
        let mut candidates: VecDeque<_> = candidates.map(|(mechanism, _)| *mechanism).collect();
        if candidates.is_empty() {
            return Err(Error::no_mechanism(offered, credentials));
        }
        if let Some(at) = candidates.iter().position(|candidate| Some(*candidate) == known) {
            candidates.drain(..at);
        }
        let offers_binding =
            Mechanism::ALL.iter().any(|(mechanism, name)| mechanism.is_bound() && is_offered(name));
        let unbound = match binding {
            Some(_) if !offers_binding => Channel::NotOffered,
            _ => Channel::Unbound,
        };
        Ok(Self { credentials, binding, unbound, candidates })
    }

    /// The mechanism that is tried next. `None` if there is none left.
    pub fn mechanism(&self) -> Option<Mechanism> {
        self.candidates.front().copied()
    }

    /// Begins a login with the next mechanism; `None` when none is left.
    pub fn begin(&mut self) -> Option<Login> {
        let mechanism = self.candidates.pop_front()?;
        let channel = match self.binding {
            Some(binding) if mechanism.is_bound() => Channel::Bound(binding),
            _ => self.unbound,
        };
        Some(mechanism.start(self.credentials, channel))
    }

    /// Takes in that the server refused a login: what is left may be tried.
    pub fn refused(&mut self, login: &Login, refused: Refused) {
        let mechanism = login.mechanism;
        if let Some(unbound) = mechanism.unbound().filter(|_| self.credentials.auth.is_none()) {
            // A proxy that ends TLS, or another notion of the binding; the password is not shown.
            self.candidates.retain(|candidate| *candidate != unbound);
            self.candidates.push_front(unbound);
            return;
        }
        let is_over = match refused {
            // This says nothing about other mechanisms.
            _ if matches!(login.state, State::BrokenOff) => true,
            Refused::Credentials => true,
            Refused::Mechanism => login.is_challenged,
            Refused::Either => login.is_challenged && !mechanism.shows_password(),
        };
        if is_over {
            self.candidates.clear();
        } else if refused == Refused::Either && mechanism.shows_password() {
            self.candidates.retain(|candidate| *candidate == Mechanism::User);
        }
    }
}

impl FromStr for Mechanism {
    type Err = String;

    /// A name in any case.
    fn from_str(text: &str) -> Result<Self, String> {
        let known = Self::ALL.iter().find(|(_, name)| text.eq_ignore_ascii_case(name));
        known.map(|&(mechanism, _)| mechanism).ok_or_else(|| {
            let names = Self::ALL.map(|(_, name)| name.to_ascii_lowercase()).join(", ");
            format!("expected one of {names}, found `{}`", shown(text))
        })
    }
}

/// A login under way.
pub struct Login {
    mechanism: Mechanism,
    /// The initial response, until it was sent.
    initial: Option<Secret>,
    /// The initial response that was said on the command line, for a server that overlooked it.
    resent: Option<Secret>,
    /// True once the server has sent a challenge.
    is_challenged: bool,
    state: State,
}

enum State {
    /// A fixed sequence of responses still to be sent, the last first.
    Said(Vec<Secret>),
    /// After a token, a challenge is a refusal with its reason, to be dismissed so that the
    /// server can say no (RFC 7628 §3.2.3).
    Bearer {
        dismissal: &'static str,
        said: Option<String>,
    },
    Scram(Scram),
    BrokenOff,
}

impl Login {
    /// The mechanism that is used.
    pub fn mechanism(&self) -> Mechanism {
        self.mechanism
    }

    /// Returns the initial response if it fits into `room` octets of base64 on the command line
    /// (RFC 4954 §4, RFC 5034 §4). One that does not fit answers the first challenge. `None` if
    /// there is none, it was sent, or it does not fit.
    pub fn initial_response(&mut self, room: usize) -> Option<Secret> {
        let response = encoded(self.initial.as_ref()?.expose());
        (response.expose().len() <= room).then(|| {
            self.resent = self.initial.take();
            response
        })
    }

    /// The line that answers a challenge, both in base64. To a server that asks for more than the
    /// mechanism has to say, this is the `*` that breaks the login off (RFC 4954 §4, RFC 5034 §4):
    /// the refusal that it must answer with is the outcome.
    ///
    /// # Errors
    ///
    /// Returns an error if the challenge breaks the rules of the mechanism, or none was due.
    pub fn respond(&mut self, challenge: &str) -> Result<Secret, Error> {
        let is_first = !std::mem::replace(&mut self.is_challenged, true);
        // An empty challenge in answer to an initial response is a server's that overlooked it.
        let overlooked = self.resent.take().filter(|_| is_first && challenge.trim().is_empty());
        if let Some(initial) = self.initial.take().or(overlooked) {
            return Ok(encoded(initial.expose()));
        }
        let name = self.mechanism.name();
        let decoded = || {
            let wrong = || Error::Challenge(name);
            let octets = STANDARD.decode(challenge.trim()).map_err(|_| wrong())?;
            String::from_utf8(octets).map_err(|_| wrong())
        };
        let response = match &mut self.state {
            State::Said(rest) => rest.pop(),
            State::Bearer { dismissal, said: said @ None } => {
                *said = Some(decoded().map_or_else(|_| shown(challenge), |text| shown(&text)));
                Some(Secret::new(*dismissal))
            }
            State::Bearer { .. } => None,
            State::Scram(scram) => {
                let challenge = decoded()?;
                scram.respond(&challenge, || Error::Challenge(name))?.map(Secret::new)
            }
            State::BrokenOff => return Err(Error::Insistent),
        };
        Ok(response.map_or_else(
            || {
                self.state = State::BrokenOff;
                Secret::new("*")
            },
            |response| encoded(response.expose()),
        ))
    }

    /// Returns whether the client's last message was sent, so that the server's next reply is
    /// final: no challenge can follow, and other commands may.
    pub fn is_said_out(&self) -> bool {
        self.initial.is_none()
            && match &self.state {
                State::Said(rest) => rest.is_empty(),
                State::Scram(scram) => scram.is_proven(),
                State::Bearer { .. } | State::BrokenOff => false,
            }
    }

    /// Checks that the server, which says that the login succeeded, has proven what the mechanism asks
    /// of it.
    ///
    /// # Errors
    ///
    /// Returns [`Error::Unproven`] if the server has not proved that it knows the password.
    pub fn accepted(&self) -> Result<(), Error> {
        match &self.state {
            State::Scram(scram) if !scram.is_proven() => Err(Error::Unproven),
            _ => Ok(()),
        }
    }

    /// The server's explanation of a refused token, safe to show; `None` if it gave none.
    pub fn explanation(&self) -> Option<&str> {
        match &self.state {
            State::Bearer { said, .. } => said.as_deref(),
            _ => None,
        }
    }
}

/// The explanation as words that follow a refusal; empty if there is none.
pub fn explained(explanation: Option<&str>) -> String {
    explanation.map(|text| format!(" ({text})")).unwrap_or_default()
}

fn encoded(text: &str) -> Secret {
    Secret::new(STANDARD.encode(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credentials(key: Key) -> Credentials {
        Credentials { user: "tim".to_owned(), key, auth: None, nonce: [0; 18] }
    }

    fn password() -> Credentials {
        credentials(Key::Password(Secret::new("tanstaaftanstaaf")))
    }

    fn token() -> Credentials {
        credentials(Key::Token(Secret::new("not-a-token")))
    }

    fn decoded(secret: &Secret) -> String {
        String::from_utf8(STANDARD.decode(secret.expose()).unwrap()).unwrap()
    }

    #[test]
    fn the_strongest_offered_mechanism_is_chosen() {
        let choose = |offered: &[&str], credentials: &Credentials, binding| {
            let offered: Vec<_> = offered.iter().map(|&name| name.to_owned()).collect();
            Negotiation::new(&offered, credentials, binding, None).ok()?.mechanism()
        };
        let bound = Some([7; 32]);
        assert_eq!(choose(&["LOGIN", "plain"], &password(), None), Some(Mechanism::Plain));
        assert_eq!(choose(&["login", "CRAM-MD5"], &password(), None), Some(Mechanism::Login));
        assert_eq!(choose(&["GSSAPI"], &password(), None), None);
        let scram = ["PLAIN", "SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"];
        assert_eq!(choose(&scram, &password(), bound), Some(Mechanism::ScramSha256Plus));
        assert_eq!(choose(&scram, &password(), None), Some(Mechanism::ScramSha256));
        assert_eq!(choose(&["PLAIN", "XOAUTH2"], &token(), bound), Some(Mechanism::Xoauth2));
        assert_eq!(choose(&["PLAIN", "EXTERNAL"], &password(), None), Some(Mechanism::Plain));
        let certificate = credentials(Key::Certificate);
        assert_eq!(choose(&["PLAIN", "EXTERNAL"], &certificate, None), Some(Mechanism::External));
        let decided = Credentials { auth: Some(Mechanism::Login), ..password() };
        assert_eq!(choose(&["PLAIN", "LOGIN"], &decided, None), Some(Mechanism::Login));
        assert_eq!(choose(&["PLAIN"], &decided, None), None);
    }

    #[test]
    fn plain_says_everything_at_once() {
        // RFC 4616 §4, the first example.
        let mut login = Mechanism::Plain.start(&password(), Channel::Unbound);
        let response = login.initial_response(99).unwrap();
        assert_eq!(response.expose(), "AHRpbQB0YW5zdGFhZnRhbnN0YWFm");
        // A server that overlooked it asks for it, once.
        assert_eq!(login.respond("").unwrap().expose(), response.expose());
        assert_eq!(login.respond("").unwrap().expose(), "*");
        assert_eq!(login.respond(""), Err(Error::Insistent));
    }

    #[test]
    fn what_does_not_fit_on_the_command_line_answers_the_first_challenge() {
        let mut login = Mechanism::Plain.start(&password(), Channel::Unbound);
        assert!(login.initial_response(27).is_none());
        assert_eq!(login.respond("").unwrap().expose(), "AHRpbQB0YW5zdGFhZnRhbnN0YWFm");
    }

    #[test]
    fn login_answers_twice() {
        let mut login = Mechanism::Login.start(&password(), Channel::Unbound);
        assert!(login.initial_response(99).is_none());
        assert_eq!(decoded(&login.respond("VXNlcm5hbWU6").unwrap()), "tim");
        assert_eq!(decoded(&login.respond("not base64").unwrap()), "tanstaaftanstaaf");
        assert_eq!(login.respond("").unwrap().expose(), "*");
    }

    #[test]
    fn a_token_is_said_once_and_its_refusal_is_heard_out() {
        let mut login = Mechanism::Xoauth2.start(&token(), Channel::Unbound);
        let first = decoded(&login.initial_response(9999).unwrap());
        assert_eq!(first, "user=tim\x01auth=Bearer not-a-token\x01\x01");
        let challenge = STANDARD.encode("{\"status\":\"401\"}\x1b");
        assert_eq!(login.respond(&challenge).unwrap().expose(), "");
        assert_eq!(login.explanation(), Some("{\"status\":\"401\"}\\u{1b}"));
        let mut login = Mechanism::OauthBearer.start(&token(), Channel::Unbound);
        let first = decoded(&login.initial_response(9999).unwrap());
        assert_eq!(first, "n,a=tim,\x01auth=Bearer not-a-token\x01\x01");
        assert_eq!(login.respond(&challenge).unwrap().expose(), "AQ==");
        assert_eq!(login.respond(&challenge).unwrap().expose(), "*");
    }

    /// The mechanisms that are tried while a server refuses each in the same manner.
    fn tried(
        offered: &[&str],
        known: Option<Mechanism>,
        refused: Refused,
        challenges: usize,
    ) -> Vec<Mechanism> {
        let offered: Vec<_> = offered.iter().map(|&name| name.to_owned()).collect();
        let password = password();
        let mut negotiation = Negotiation::new(&offered, &password, Some([7; 32]), known).unwrap();
        let mut tried = Vec::new();
        while let Some(mut login) = negotiation.begin() {
            tried.push(login.mechanism());
            login.initial_response(99);
            for _ in 0..challenges {
                drop(login.respond("x"));
            }
            negotiation.refused(&login, refused);
        }
        tried
    }

    #[test]
    fn a_password_is_shown_twice_at_most_and_never_after_a_challenge_of_scram() {
        use Mechanism::{Login, Plain, ScramSha1, ScramSha256, ScramSha256Plus, User};
        let all = ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN", "LOGIN", "USER"];
        let either = tried(&all, None, Refused::Either, 0);
        assert_eq!(either, [ScramSha256Plus, ScramSha256, ScramSha1, Plain, User]);
        let challenged = tried(&all, None, Refused::Either, 1);
        assert_eq!(challenged, [ScramSha256Plus, ScramSha256]);
        assert_eq!(tried(&["LOGIN", "USER"], None, Refused::Either, 2), [Login, User]);
        let credentials = tried(&all, None, Refused::Credentials, 0);
        assert_eq!(credentials, [ScramSha256Plus, ScramSha256]);
        assert_eq!(tried(&["PLAIN", "LOGIN"], None, Refused::Mechanism, 0), [Plain, Login]);
        assert_eq!(tried(&["PLAIN", "LOGIN"], None, Refused::Credentials, 0), [Plain]);
    }

    #[test]
    fn a_mechanism_that_is_known_to_work_is_followed_by_weaker_ones_only() {
        use Mechanism::{Login, Plain, User};
        let all = ["SCRAM-SHA-256", "PLAIN", "USER"];
        assert_eq!(tried(&all, Some(Plain), Refused::Either, 0), [Plain, User]);
        let each = ["SCRAM-SHA-256", "PLAIN", "LOGIN"];
        assert_eq!(tried(&each, Some(Plain), Refused::Mechanism, 0), [Plain, Login]);
    }

    #[test]
    fn a_mechanism_that_was_decided_on_is_the_only_one() {
        let decided = Credentials { auth: Some(Mechanism::ScramSha256Plus), ..password() };
        let offered = ["SCRAM-SHA-256-PLUS".to_owned(), "SCRAM-SHA-256".to_owned()];
        let mut negotiation = Negotiation::new(&offered, &decided, Some([7; 32]), None).unwrap();
        let login = negotiation.begin().unwrap();
        negotiation.refused(&login, Refused::Either);
        assert!(negotiation.begin().is_none());
    }
}
