//! Login mechanisms (RFC 4422): which one to use, and what it says. Knows nothing of the
//! protocols that carry it; base64 (RFC 4648 §4) is done here for both.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::text::Secret;

/// Who logs in, and with what.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// The authentication identity.
    pub user: String,
    /// The password.
    pub password: Secret,
}

/// A mechanism this side speaks, strongest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mechanism {
    /// RFC 4616: one message with everything.
    Plain,
    /// Never a standard, often the only one: user, then password, each asked for.
    Login,
}

impl Mechanism {
    /// All of them, strongest first.
    pub const ALL: [Self; 2] = [Self::Plain, Self::Login];

    /// The name in the registry.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::Login => "LOGIN",
        }
    }

    /// The strongest of those that were offered, names in any case.
    pub fn choose(offered: &[String]) -> Option<Self> {
        Self::ALL.into_iter().find(|mechanism| {
            offered.iter().any(|name| name.eq_ignore_ascii_case(mechanism.name()))
        })
    }

    /// Begins a login.
    pub fn start(self, credentials: &Credentials) -> Login {
        let Credentials { user, password } = credentials;
        match self {
            Self::Plain => Login {
                initial: Some(encoded(&format!("\0{user}\0{}", password.expose()))),
                responses: Vec::new(),
            },
            // Answers are given in the order everybody asks; the prompts' words are not looked at.
            Self::Login => {
                Login { initial: None, responses: vec![encoded(password.expose()), encoded(user)] }
            }
        }
    }
}

/// A login under way: this side's messages, in base64.
pub struct Login {
    initial: Option<Secret>,
    responses: Vec<Secret>,
}

impl Login {
    /// What may stand on the command line itself if it has `room` octets left (RFC 4954 §4, RFC
    /// 5034 §4); what does not fit there answers the first challenge.
    pub fn initial_response(&mut self, room: usize) -> Option<Secret> {
        self.initial.take_if(|initial| initial.expose().len() <= room)
    }

    /// The answer to a challenge; `None` when there is nothing left to say.
    pub fn respond(&mut self) -> Option<Secret> {
        self.initial.take().or_else(|| self.responses.pop())
    }
}

fn encoded(text: &str) -> Secret {
    Secret::new(STANDARD.encode(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credentials() -> Credentials {
        Credentials { user: "tim".to_owned(), password: Secret::new("tanstaaftanstaaf") }
    }

    #[test]
    fn the_strongest_offered_mechanism_is_chosen() {
        let choose = |offered: &[&str]| {
            let offered: Vec<_> = offered.iter().map(|&name| name.to_owned()).collect();
            Mechanism::choose(&offered)
        };
        assert_eq!(choose(&["LOGIN", "plain"]), Some(Mechanism::Plain));
        assert_eq!(choose(&["login", "CRAM-MD5"]), Some(Mechanism::Login));
        assert_eq!(choose(&["GSSAPI"]), None);
    }

    #[test]
    fn plain_says_everything_at_once() {
        // RFC 4616 §4, the first example.
        let mut login = Mechanism::Plain.start(&credentials());
        let response = login.initial_response(99).unwrap();
        assert_eq!(response.expose(), "AHRpbQB0YW5zdGFhZnRhbnN0YWFm");
        assert!(login.respond().is_none());
    }

    #[test]
    fn what_does_not_fit_on_the_command_line_answers_the_first_challenge() {
        let mut login = Mechanism::Plain.start(&credentials());
        assert!(login.initial_response(27).is_none());
        assert_eq!(login.respond().unwrap().expose(), "AHRpbQB0YW5zdGFhZnRhbnN0YWFm");
    }

    #[test]
    fn login_answers_twice() {
        let mut login = Mechanism::Login.start(&credentials());
        assert!(login.initial_response(99).is_none());
        assert_eq!(login.respond().unwrap().expose(), "dGlt");
        assert_eq!(login.respond().unwrap().expose(), "dGFuc3RhYWZ0YW5zdGFhZg==");
        assert!(login.respond().is_none());
    }
}
