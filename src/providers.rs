//! Mail providers: where their servers are, what their users log in with, and what has to be switched
//! on before. Facts that were read and not tried. Does no I/O.
//!
//! A row is [`Provider::is_confirmed`] when Thunderbird's autoconfig file and a help page of the provider
//! itself say the same; of the others only one of the two was read, or they differ.

mod table;

use crate::config::Tls;

pub use self::table::TABLE;

/// A server of a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// The key.
    pub host: &'static str,
    /// The port, if it is not the default of `tls`.
    pub port: Option<u16>,
    /// The kind of TLS.
    pub tls: Tls,
}

impl Endpoint {
    /// The server at another port.
    #[must_use]
    const fn on(mut self, port: u16) -> Self {
        self.port = Some(port);
        self
    }
}

/// A server that speaks TLS from the first octet.
const fn implicit(host: &'static str) -> Endpoint {
    Endpoint { host, port: None, tls: Tls::Implicit }
}

/// A server that is asked for TLS.
const fn starttls(host: &'static str) -> Endpoint {
    Endpoint { host, port: None, tls: Tls::Starttls }
}

/// The name that a provider's users log in with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginName {
    /// The whole address.
    Address,
    /// The local part of the address.
    LocalPart,
}

/// The credentials that a provider takes. Each text completes "a password that is made ...".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Password {
    /// The account's own password, as far as is known.
    Own,
    /// A password for this one program.
    App(&'static str),
    /// A password for this one program, where the account has two-step verification.
    AppWithTwoStep(&'static str),
    /// A password for all mail programs.
    Separate(&'static str),
    /// An OAuth 2.0 token, and no password at all.
    Token,
}

/// A provider.
#[derive(Clone, Copy, Debug)]
pub struct Provider {
    /// The name for people.
    pub name: &'static str,
    /// The domains of its addresses, in lower case.
    pub domains: &'static [&'static str],
    /// The domains of its mail exchangers, which take mail also for other domains.
    pub mx: &'static [&'static str],
    /// The POP3 server.
    pub fetch: Option<Endpoint>,
    /// The server for submission.
    pub send: Option<Endpoint>,
    /// The alternative, if there is no POP3.
    pub instead: &'static str,
    /// The name to log in with.
    pub login: LoginName,
    /// The kind of password.
    pub password: Password,
    /// The place where POP3 is switched on, if it has to be.
    pub switch_on: Option<&'static str>,
    /// The domains of its servers for mail programs, if hints are to know them.
    pub servers: &'static [&'static str],
    /// True if two sources agree.
    pub is_confirmed: bool,
}

const fn provider(name: &'static str, domains: &'static [&'static str]) -> Provider {
    Provider {
        name,
        domains,
        mx: &[],
        fetch: None,
        send: None,
        instead: "",
        login: LoginName::Address,
        password: Password::Own,
        switch_on: None,
        servers: &[],
        is_confirmed: false,
    }
}

/// The defaults of rows.
impl Provider {
    const fn mx(mut self, mx: &'static [&'static str]) -> Self {
        self.mx = mx;
        self
    }

    const fn fetch(mut self, endpoint: Endpoint) -> Self {
        self.fetch = Some(endpoint);
        self
    }

    const fn send(mut self, endpoint: Endpoint) -> Self {
        self.send = Some(endpoint);
        self
    }

    const fn no_pop3(mut self, instead: &'static str) -> Self {
        self.instead = instead;
        self
    }

    const fn local_part(mut self) -> Self {
        self.login = LoginName::LocalPart;
        self
    }

    const fn app_password(mut self, place: &'static str) -> Self {
        self.password = Password::App(place);
        self
    }

    const fn app_password_with_two_step(mut self, place: &'static str) -> Self {
        self.password = Password::AppWithTwoStep(place);
        self
    }

    const fn separate_password(mut self, place: &'static str) -> Self {
        self.password = Password::Separate(place);
        self
    }

    const fn token(mut self) -> Self {
        self.password = Password::Token;
        self
    }

    const fn switch_on(mut self, place: &'static str) -> Self {
        self.switch_on = Some(place);
        self
    }

    const fn servers(mut self, servers: &'static [&'static str]) -> Self {
        self.servers = servers;
        self
    }

    const fn confirmed(mut self) -> Self {
        self.is_confirmed = true;
        self
    }
}

impl Provider {
    /// The provider whose addresses have this domain. `None` if no provider in the table has it.
    pub fn of_domain(domain: &str) -> Option<&'static Self> {
        let is_own = |own: &&str| own.eq_ignore_ascii_case(domain);
        TABLE.iter().find(|row| row.domains.iter().any(is_own))
    }

    /// The provider that runs this mail exchanger; of several, the one that is known by the longest
    /// part of the name. `None` if it belongs to none in the table.
    pub fn of_mx(host: &str) -> Option<&'static Self> {
        let length = |row: &Self| {
            let known = row.mx.iter().filter(|known| is_below(host, known));
            known.map(|known| known.len()).max()
        };
        let known = TABLE.iter().filter_map(|row| Some((length(row)?, row)));
        known.max_by_key(|(length, _)| *length).map(|(_, row)| row)
    }

    /// Returns the provider that runs this server for mail programs, chosen as in [`Provider::of_mx`].
    /// `None` if it belongs to none in the table.
    pub fn of_server(host: &str) -> Option<&'static Self> {
        let length = |row: &Self| {
            let endpoints = [row.fetch, row.send];
            let own = endpoints.iter().flatten().map(|endpoint| endpoint.host);
            let known = own.chain(row.servers.iter().copied());
            known.filter(|known| is_below(host, known)).map(str::len).max()
        };
        let known = TABLE.iter().filter_map(|row| Some((length(row)?, row)));
        known.max_by_key(|(length, _)| *length).map(|(_, row)| row)
    }

    /// The steps before the first login, as sentences.
    pub fn preparation(&self) -> Vec<String> {
        let name = self.name;
        let mut steps = Vec::new();
        if let Some(place) = self.switch_on {
            steps.push(format!("enable POP3 {place}"));
        }
        steps.extend(match self.password {
            Password::Own => None,
            Password::App(place) => Some(format!(
                "create an app password {place}; {name} refuses the account's own password"
            )),
            Password::AppWithTwoStep(place) => Some(format!("create an app password {place}")),
            Password::Separate(place) => Some(format!(
                "create a password for mail programs {place}; {name} refuses the account's own"
            )),
            Password::Token => Some(format!(
                "{name} accepts no passwords from mail programs: set `oauth`, see postie-login(1)"
            )),
        });
        steps
    }

    /// The hint after a refused login; `None` if nothing particular to this provider is known.
    pub fn refused_login(&self) -> Option<String> {
        let name = self.name;
        let password = match self.password {
            Password::Own => None,
            Password::App(place) | Password::AppWithTwoStep(place) => {
                Some(format!("{name} requires an app password: create one {place}"))
            }
            Password::Separate(place) => {
                Some(format!("{name} requires a password for mail programs: create one {place}"))
            }
            Password::Token => Some(format!(
                "{name} accepts no passwords from mail programs: set `oauth`, see postie-login(1)"
            )),
        };
        let switch_on = match (self.switch_on, self.password) {
            (Some(place), Password::Own) => {
                Some(format!("{name} refuses mail programs until you enable POP3 {place}"))
            }
            _ => None,
        };
        password.or(switch_on)
    }
}

/// Returns whether a host name is this domain or one below it.
fn is_below(host: &str, domain: &str) -> bool {
    let at = host.len().checked_sub(domain.len());
    let parts = at.and_then(|at| host.split_at_checked(at));
    parts.is_some_and(|(rest, end)| {
        end.eq_ignore_ascii_case(domain) && (rest.is_empty() || rest.ends_with('.'))
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::text::Domain;

    fn name(row: Option<&Provider>) -> &'static str {
        row.map_or("", |row| row.name)
    }

    #[test]
    fn every_row_has_names_that_are_names_and_no_domain_is_in_two() {
        let mut seen = HashMap::new();
        for row in TABLE {
            assert!(!row.domains.is_empty() || !row.mx.is_empty(), "{}", row.name);
            let hosts = [row.fetch, row.send].into_iter().flatten().map(|endpoint| endpoint.host);
            for host in row.domains.iter().chain(row.mx).chain(row.servers).copied().chain(hosts) {
                let parsed: Domain = host.parse().unwrap();
                assert_eq!(parsed.as_str(), host, "{}", row.name);
            }
            for domain in row.domains {
                assert_eq!(
                    seen.insert(("domain", domain), row.name),
                    None,
                    "{domain} is in two rows"
                );
            }
            for domain in row.mx {
                assert_eq!(seen.insert(("mx", domain), row.name), None, "{domain} is in two rows");
            }
            for domain in row.servers {
                assert_eq!(
                    seen.insert(("server", domain), row.name),
                    None,
                    "{domain} is in two rows"
                );
            }
            assert_eq!(row.fetch.is_none(), !row.instead.is_empty(), "{}", row.name);
        }
    }

    #[test]
    fn a_provider_is_known_by_its_names_and_not_by_what_looks_like_them() {
        assert_eq!(name(Provider::of_domain("GMail.com")), "Gmail");
        assert_eq!(name(Provider::of_domain("mail.gmail.com")), "");
        assert_eq!(name(Provider::of_mx("ASPMX.L.google.com")), "Gmail");
        assert_eq!(name(Provider::of_mx("notgoogle.com")), "");
        assert_eq!(name(Provider::of_mx("google.com.example")), "");
        assert_eq!(name(Provider::of_server("notgmail.com")), "");
    }

    #[test]
    fn the_longest_name_decides() {
        assert_eq!(name(Provider::of_mx("mx1.mail.gm0.yahoodns.net")), "AOL");
        assert_eq!(name(Provider::of_mx("mta5.am0.yahoodns.net")), "Yahoo");
        assert_eq!(
            name(Provider::of_mx("example-com.mail.protection.outlook.com")),
            "Microsoft 365"
        );
        assert_eq!(name(Provider::of_mx("hotmail-com.olc.protection.outlook.com")), "Outlook.com");
        assert_eq!(name(Provider::of_server("smtp-mail.outlook.com")), "Outlook.com");
    }

    #[test]
    fn texts_fit_into_a_line() {
        for row in TABLE {
            for text in row.preparation().iter().chain(&row.refused_login()) {
                assert!(text.len() < 180 && text.is_ascii(), "{text}");
            }
        }
    }
}
