//! What msmtprc and mpoprc have in common: lines of a command and its argument in accounts that
//! inherit from each other, and the commands for connection, TLS and login.

use std::collections::BTreeMap;

use super::account::{
    Account, Becomes, Keyword, Setting, Side, Value, identity, is_loopback, path,
};
use super::source::Source;
use crate::error::Error;
use crate::text::shown;

/// The effective settings of an account, by command.
pub(super) type Settings = BTreeMap<&'static str, Setting>;

/// An account as the file defines it.
#[derive(Debug)]
pub(super) struct Section {
    pub(super) name: String,
    pub(super) line: usize,
    /// The accounts that it inherits from.
    parents: Vec<String>,
    pub(super) settings: Settings,
    /// The account's own and inherited settings; the rest are defaults.
    own: Settings,
    /// True if no setting was read.
    is_empty: bool,
    /// The lines with `eval`.
    evals: Vec<usize>,
}

impl Section {
    /// The account of which this is but another name.
    pub(super) fn another(&self) -> Option<&str> {
        match self.parents.as_slice() {
            [parent] if self.is_empty => Some(parent),
            _ => None,
        }
    }
}

/// Reads a file whose commands are in one of these tables.
pub(super) fn sections(
    source: &Source,
    tables: &[&'static [Keyword]],
) -> Result<Vec<Section>, Error> {
    let (mut defaults, mut default_evals) = (Settings::new(), Vec::new());
    let mut sections: Vec<Section> = Vec::new();
    let (mut has_begun, mut in_defaults) = (false, false);
    for (number, line) in source.lines() {
        let line = line.trim_matches([' ', '\t']);
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (word, value) = line.split_once([' ', '\t']).unwrap_or((line, ""));
        let value = unquoted(value.trim_matches([' ', '\t']));
        let mut words = tables.iter().copied().flatten();
        let Some(keyword) = words.find(|keyword| keyword.word == word) else {
            return Err(source.unknown(number, word, tables));
        };
        match keyword.word {
            "defaults" => (has_begun, in_defaults) = (true, true),
            "account" => {
                let section = section(source, number, value, &sections, &defaults, &default_evals)?;
                sections.push(section);
                (has_begun, in_defaults) = (true, false);
            }
            _ if !has_begun => {
                return Err(source.wrong(number, "expected `account` or `defaults` first"));
            }
            "eval" if in_defaults => default_evals.push(number),
            "eval" => {
                if let Some(section) = sections.last_mut() {
                    section.evals.push(number);
                    section.is_empty = false;
                }
            }
            word => {
                let setting = Setting { keyword, value: value.to_owned(), line: number };
                match sections.last_mut() {
                    Some(section) if !in_defaults => {
                        section.own.insert(word, setting.clone());
                        section.settings.insert(word, setting);
                        section.is_empty = false;
                    }
                    _ => drop(defaults.insert(word, setting)),
                }
            }
        }
    }
    Ok(sections)
}

/// A new account: the defaults as they stand now, and what it inherits.
fn section(
    source: &Source,
    line: usize,
    value: &str,
    sections: &[Section],
    defaults: &Settings,
    default_evals: &[usize],
) -> Result<Section, Error> {
    let (name, parents) = value.split_once(':').unwrap_or((value, ""));
    let name = name.trim().to_owned();
    if name.is_empty() {
        return Err(source.wrong(line, "expected the name of an account"));
    }
    if sections.iter().any(|section| section.name == name) {
        return Err(source.wrong(line, "this account is defined twice"));
    }
    let (mut settings, mut own, mut evals) =
        (defaults.clone(), Settings::new(), default_evals.to_vec());
    let parents = parents.split(',').map(str::trim).filter(|parent| !parent.is_empty());
    let parents: Vec<_> = parents.map(str::to_owned).collect();
    for parent in &parents {
        let Some(parent) = sections.iter().find(|section| section.name == *parent) else {
            return Err(source.wrong(line, "it inherits from an account that is not defined above"));
        };
        own.extend(parent.own.clone());
        settings.extend(parent.own.clone());
        evals.extend(&parent.evals);
    }
    evals.sort_unstable();
    evals.dedup();
    Ok(Section { name, line, parents, settings, own, is_empty: true, evals })
}

/// An argument without the quotes around it.
pub(super) fn unquoted(value: &str) -> &str {
    let inside = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    inside.unwrap_or(value)
}

/// Returns whether a switch is on; an empty argument switches it on, too.
pub(super) fn is_on(
    source: &Source,
    settings: &Settings,
    word: &str,
    default: Default,
) -> Result<bool, Error> {
    let Some(setting) = settings.get(word) else { return Ok(default == Default::On) };
    match setting.value.as_str() {
        "" | "on" => Ok(true),
        "off" => Ok(false),
        _ => Err(source.wrong(setting.line, &format!("`{word}` is on or off"))),
    }
}

/// The state of a switch that is not set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Default {
    On,
    Off,
}

/// The value of a command that is there and not empty.
pub(super) fn given<'a>(settings: &'a Settings, word: &str) -> Option<&'a Setting> {
    settings.get(word).filter(|setting| !setting.value.is_empty())
}

/// Converts what is common to both programs.
pub(super) fn connection(
    source: &Source,
    section: &Section,
    account: &mut Account,
) -> Result<(), Error> {
    let settings = &section.settings;
    for line in &section.evals {
        account.remark(&format!(
            "eval (line {line}): nothing is run by an import: write here what the command prints"
        ));
    }
    match given(settings, "host") {
        Some(host) => account.key("server", host.value.as_str()),
        None => account.leave("it has no `host`"),
    }
    let host = given(settings, "host").map_or("", |host| host.value.as_str());
    let tls = tls(source, settings, is_loopback(host), account)?;
    let port = match given(settings, "port") {
        Some(port) => Some(source.number(port, 1..=65_535)?),
        // Its default is the port for mail between servers.
        None if account.side == Side::Send && tls != "implicit" => Some(25),
        None => None,
    };
    if let Some(port) = port {
        account.key("port", Value::Number(port));
    }
    login(source, settings, account)?;
    if let Some(timeout) = given(settings, "timeout") {
        if timeout.value == "off" {
            account.note(
                timeout,
                "every wait has a bound here, of 60 seconds unless `timeout` is set",
            );
        } else {
            let seconds = source.number(timeout, 1..=u64::from(u32::MAX))?;
            account.key("timeout", Value::Number(seconds));
        }
    }
    if let Some(address) = given(settings, "source_ip") {
        match address.value.parse::<std::net::IpAddr>() {
            Ok(_) => account.key("source-address", address.value.as_str()),
            Err(_) => return Err(source.wrong(address.line, "expected an IP address")),
        }
    }
    Ok(())
}

/// The TLS mode, and what makes a certificate good.
fn tls(
    source: &Source,
    settings: &Settings,
    is_loopback: bool,
    account: &mut Account,
) -> Result<&'static str, Error> {
    let has_tls = is_on(source, settings, "tls", Default::Off)?;
    let has_starttls = is_on(source, settings, "tls_starttls", Default::On)?;
    let mode = match (has_tls, has_starttls) {
        (true, true) => "starttls",
        (true, false) => "implicit",
        (false, _) if is_loopback => "none",
        (false, _) => {
            let reason = "nothing is sent in plaintext to another machine: STARTTLS is asked for \
                          here; try also `tls = \"implicit\"`";
            match settings.get("tls") {
                Some(setting) => account.note(setting, reason),
                None => account.remark(&format!("tls is off: {reason}")),
            }
            "starttls"
        }
    };
    account.key("tls", mode);
    if mode == "none" {
        return Ok(mode);
    }
    if !is_on(source, settings, "tls_certcheck", Default::On)?
        && let Some(setting) = settings.get("tls_certcheck")
    {
        account.note(setting, VERIFIED);
    }
    let pin = given(settings, "tls_fingerprint");
    let digits = pin.map(|pin| pin.value.replace([':', ' '], ""));
    if let (Some(pin), Some(digits)) = (pin, digits) {
        if digits.len() == 64 && digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            account.key("pin", Value::Text(digits.to_ascii_lowercase()));
        } else {
            account.note(pin, "only a SHA-256 fingerprint pins a certificate");
        }
    }
    if account.text("pin").is_none() {
        match settings.get("tls_trust_file") {
            None => account.key("trust", "system"),
            Some(setting) if setting.value == "system" => account.key("trust", "system"),
            Some(setting) if setting.value.is_empty() => {
                account.note(setting, VERIFIED);
                account.key("trust", "system");
            }
            Some(setting) => match path(&setting.value) {
                Ok(path) => account.key("ca-file", Value::Text(path)),
                Err(reason) => {
                    account.note(setting, reason);
                    account.key("trust", "system");
                }
            },
        }
    }
    identity(account, given(settings, "tls_cert_file"), given(settings, "tls_key_file"));
    Ok(mode)
}

/// The comment where another program would not have verified a certificate.
pub(super) const VERIFIED: &str = "certificates are always verified here; for one from an unknown authority, set `ca-file` or \
     `pin` instead";

/// Mechanisms of both programs that are here, too.
const MECHANISMS: [&str; 9] = [
    "user",
    "plain",
    "login",
    "scram-sha-1",
    "scram-sha-1-plus",
    "scram-sha-256",
    "scram-sha-256-plus",
    "oauthbearer",
    "xoauth2",
];

fn login(source: &Source, settings: &Settings, account: &mut Account) -> Result<(), Error> {
    let user = given(settings, "user");
    if let Some(user) = user {
        account.key("user", user.value.as_str());
    }
    let auth = settings.get("auth");
    let method = auth.map_or("", |auth| auth.value.as_str());
    let mut is_token = false;
    match (auth, method) {
        (None, _) | (_, "on" | "") => {}
        (Some(auth), "off") => {
            account.note(auth, "nothing is sent or fetched without a login here");
        }
        (_, "external") => account.key("auth", method),
        (_, method) if MECHANISMS.contains(&method) => {
            is_token = matches!(method, "oauthbearer" | "xoauth2");
            account.key("auth", method);
        }
        (Some(auth), "apop" | "cram-md5" | "digest-md5" | "ntlm" | "gssapi") => {
            account.note(auth, "not spoken here: the strongest that the server offers is used");
        }
        (Some(auth), _) => {
            return Err(source.wrong(auth.line, "expected on, off or a way to log in"));
        }
    }
    if user.is_none() {
        account.leave(match account.side {
            Side::Send => "it sends without a login, which is never done here",
            Side::Fetch => "it has no `user`",
        });
    }
    match (given(settings, "password"), given(settings, "passwordeval")) {
        (password, Some(command)) if is_token => {
            if let Some(password) = password {
                account.note(password, "an access token does not last: passwordeval prints it");
            }
            account.key("token-command", command.value.as_str());
        }
        (Some(password), None) if is_token => account.note(
            password,
            "an access token does not last: set a `token-command` that prints a fresh one",
        ),
        (Some(password), command) => {
            account.password(password);
            if let Some(command) = command {
                account.note(command, "not run, as `password` is set");
            }
        }
        (None, Some(command)) => account.key("password-command", command.value.as_str()),
        (None, None) if method == "external" => {}
        (None, None) => {
            if let (Some(host), Some(user)) = (given(settings, "host"), user) {
                let service = if account.side == Side::Fetch { "pop3" } else { "smtp" };
                account.remark(&format!(
                    "no password is given: postie asks for it. If it is in the desktop's keyring, \
                     `secret-tool lookup host {} service {service} user {}` prints it, as a \
                     `password-command`; ~/.netrc is not read",
                    shown(&host.value),
                    shown(&user.value),
                ));
            }
        }
    }
    Ok(())
}

/// The commands that both programs have.
pub(super) const COMMON: &[Keyword] = &[
    word("defaults", Becomes::Structure, ""),
    word("account", Becomes::Structure, "example"),
    word("eval", Becomes::Structure, "echo timeout 60"),
    word("host", Becomes::Key("server"), "mail.example.com"),
    word("port", Becomes::Key("port"), "1995"),
    word("timeout", Becomes::Key("timeout"), "30"),
    word("source_ip", Becomes::Key("source-address"), "192.0.2.1"),
    word("proxy_host", Becomes::Comment(PROXY, &[""]), "127.0.0.1"),
    word("proxy_port", Becomes::Comment(PROXY, &[""]), "9050"),
    word(
        "socket",
        Becomes::Comment("`connect-command` can do this, with a program such as socat", &[""]),
        "/run/example",
    ),
    word("auth", Becomes::Key("auth"), "plain"),
    word("user", Becomes::Key("user"), "ann@example.com"),
    word("password", Becomes::Password, "not-a-secret"),
    word("passwordeval", Becomes::Key("password-command"), "pass show mail"),
    word("ntlmdomain", Becomes::Comment("NTLM is not spoken here", &[""]), "EXAMPLE"),
    word("tls", Becomes::Key("tls"), "on"),
    word("tls_starttls", Becomes::Key("tls"), "off"),
    word("tls_trust_file", Becomes::Key("ca-file"), "/etc/ssl/example.pem"),
    word(
        "tls_crl_file",
        Becomes::Comment("lists of revoked certificates are not read", &[""]),
        "/etc/ssl/example.crl",
    ),
    word(
        "tls_fingerprint",
        Becomes::Key("pin"),
        "00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF",
    ),
    word("tls_key_file", Becomes::Key("client-key"), "~/key.pem"),
    word("tls_cert_file", Becomes::Key("client-cert"), "~/certificate.pem"),
    word("tls_certcheck", Becomes::Comment(VERIFIED, ALWAYS), "off"),
    word("tls_nocertcheck", Becomes::Comment(VERIFIED, &[]), ""),
    word(
        "tls_priorities",
        Becomes::Comment("TLS 1.3 and 1.2 are spoken, with the ciphers of rustls", &[""]),
        "NORMAL",
    ),
    word(
        "tls_host_override",
        Becomes::Comment(
            "a certificate is for the `server` by its name: use the name it is for, or `pin`",
            &[""],
        ),
        "other.example.com",
    ),
    word(
        "tls_min_dh_prime_bits",
        Becomes::Comment("TLS 1.3 and 1.2 are spoken, with the ciphers of rustls", &[""]),
        "512",
    ),
    word(
        "tls_force_sslv3",
        Becomes::Comment("TLS 1.3 and 1.2 are spoken, nothing older", &["off"]),
        "on",
    ),
];

/// Values with which a switch is handled by the conversion, or is on.
const ALWAYS: &[&str] = &["", "on", "off"];

const PROXY: &str = "`connect-command` can do this, with a program that speaks to the proxy";

/// A row of a table.
pub(super) const fn word(word: &'static str, becomes: Becomes, example: &'static str) -> Keyword {
    Keyword { word, becomes, example }
}
