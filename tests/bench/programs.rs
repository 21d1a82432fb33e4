//! How this program and its peers are told to do the same.

use std::fmt::Write as _;
use std::fs;
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use base64::prelude::*;

use crate::process::Call;
use crate::servers::{self, PASSWORD, USER};
use crate::transcript::Tls;

/// Something that fetches or sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    Postie,
    Mpop,
    Fetchmail,
    Getmail,
    Msmtp,
    Curl,
    /// Not a mail program: asks for everything at once and throws it away.
    Floor,
}

/// How to log in to a server on this machine.
pub struct Login {
    pub port: u16,
    pub tls: Tls,
    pub authority: PathBuf,
}

/// What becomes of what was fetched on the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    Forever,
    None,
}

/// A message in a file, with CRLF at line ends, and what must be known to send it.
pub struct Mail {
    pub path: PathBuf,
    pub to: Vec<String>,
    pub chunking: bool,
}

impl Program {
    pub fn name(self) -> &'static str {
        match self {
            Self::Postie => "postie",
            Self::Mpop => "mpop",
            Self::Fetchmail => "fetchmail",
            Self::Getmail => "getmail",
            Self::Msmtp => "msmtp",
            Self::Curl => "curl",
            Self::Floor => "openssl",
        }
    }

    /// Whether it can be run here.
    pub fn is_here(self) -> bool {
        self == Self::Postie || servers::is_installed(self.name())
    }

    /// Fetches `messages` messages to `dir`/Mail, or what is new there.
    pub fn fetch(self, dir: &Path, login: &Login, keep: Keep, messages: usize) -> Call {
        let Login { port, tls, authority } = login;
        let (is_tls, authority) = (*tls == Tls::Implicit, authority.display());
        match self {
            Self::Postie => {
                let keep = if keep == Keep::Forever { "forever" } else { "none" };
                let config = account(login) + &format!("fetch.keep = \"{keep}\"\n");
                secret(dir, "config.toml", &config);
                self.call(dir, &["--config=config.toml", "fetch"])
            }
            Self::Mpop => {
                for part in ["tmp", "new", "cur"] {
                    fs::create_dir_all(dir.join("Mail").join(part)).unwrap();
                }
                let tls = if is_tls {
                    format!("auth plain\ntls on\ntls_starttls off\ntls_trust_file {authority}\n")
                } else {
                    "tls off\nauth plain\n".to_owned()
                };
                let keep = if keep == Keep::Forever { "on" } else { "off" };
                let config = format!(
                    "account bench\nhost 127.0.0.1\nport {port}\nuser {USER}\n\
                     password {PASSWORD}\n{tls}keep {keep}\nreceived_header off\n\
                     uidls_file {0}/uidls\ndelivery maildir {0}/Mail\n",
                    dir.display()
                );
                secret(dir, "mpoprc", &config);
                self.call(dir, &["-q", "-C", "mpoprc", "bench"])
            }
            Self::Fetchmail => {
                let keep = if keep == Keep::Forever { "keep" } else { "nokeep" };
                // It has no Maildir; of what it has, one file for all is the fastest.
                let config = format!(
                    "poll 127.0.0.1 protocol pop3 service {port} uidl\n user \"{USER}\" password \
                     \"{PASSWORD}\" ssl sslcertck sslcertfile \"{authority}\" sslcommonname localhost {keep}\n \
                     bsmtp \"{0}/Mail\" smtpname \"{USER}\"\n",
                    dir.display()
                );
                secret(dir, "fetchmailrc", &config);
                let args = ["-s", "-f", "fetchmailrc", "-i", "ids", "--pidfile", "pid"];
                Call { good: &[0, 1], ..self.call(dir, &args) }
            }
            Self::Getmail => {
                // As root it wants somebody else to deliver as.
                for part in ["", "tmp", "new", "cur"] {
                    fs::create_dir_all(dir.join("Mail").join(part)).unwrap();
                    servers::give_away(&dir.join("Mail").join(part));
                }
                let user = if servers::is_root() { "user = nobody\n" } else { "" };
                let delete = keep == Keep::None;
                let config = format!(
                    "[retriever]\ntype = SimplePOP3SSLRetriever\nserver = 127.0.0.1\n\
                     port = {port}\nusername = {USER}\npassword = {PASSWORD}\n\
                     ca_certs = {authority}\n[destination]\ntype = Maildir\npath = {0}/Mail/\n\
                     {user}[options]\nread_all = false\ndelete = {delete}\ndelivered_to = false\n\
                     received = false\n",
                    dir.display()
                );
                secret(dir, "getmailrc", &config);
                let dir_name = dir.to_str().unwrap();
                self.call(dir, &["-q", "--getmaildir", dir_name, "--rcfile", "getmailrc"])
            }
            Self::Floor => {
                let mut commands = format!("USER {USER}\r\nPASS {PASSWORD}\r\n");
                (1..=messages).for_each(|number| commands += &format!("RETR {number}\r\n"));
                secret(dir, "commands", &(commands + "QUIT\r\n"));
                let (server, authority) = (format!("127.0.0.1:{port}"), authority.to_string());
                let trust = ["-CAfile", &authority, "-verify_return_error"];
                let args = [&["s_client", "-quiet", "-connect", &server], &trust[..]].concat();
                Call { stdin: Some(dir.join("commands")), ..self.call(dir, &args) }
            }
            Self::Msmtp | Self::Curl => panic!("{} does not fetch", self.name()),
        }
    }

    /// Fetches from many accounts, of which host, port and user are given; all servers have the
    /// certificate with this pin. A peer that fetches from one account at a time is run `jobs` times
    /// side by side.
    pub fn fetch_all(
        self,
        dir: &Path,
        accounts: &[(Ipv4Addr, u16, String)],
        pin: &str,
        jobs: usize,
    ) -> Call {
        let (mail, mut config) = (dir.join("Mail"), String::new());
        fs::create_dir(&mail).unwrap();
        if self == Self::Postie {
            let _ = writeln!(config, "[defaults]\npassword = \"{PASSWORD}\"\npin = \"{pin}\"");
        }
        for (number, (host, port, user)) in accounts.iter().enumerate() {
            let maildir = mail.join(number.to_string());
            let _ = match self {
                Self::Postie => write!(
                    config,
                    "[account.a{number}]\nserver = \"{host}:{port}\"\nuser = \"{user}\"\n\
                     auth = \"plain\"\nfetch.maildir = \"{}\"\n",
                    maildir.display()
                ),
                Self::Mpop => {
                    for part in ["tmp", "new", "cur"] {
                        fs::create_dir_all(maildir.join(part)).unwrap();
                    }
                    write!(
                        config,
                        "account a{number}\nhost {host}\nport {port}\nuser {user}\n\
                         password {PASSWORD}\nauth plain\ntls on\ntls_starttls off\n\
                         tls_fingerprint {pin}\nkeep on\nuidls_file {0}/uidls{number}\n\
                         delivery maildir {1}\n",
                        dir.display(),
                        maildir.display()
                    )
                }
                _ => panic!("{} is not told of many accounts here", self.name()),
            };
        }
        secret(dir, "config.toml", &config);
        if self == Self::Postie {
            return self.call(dir, &["--config=config.toml", "fetch"]);
        }
        let shell = format!(
            "seq 0 {} | xargs -P {jobs} -I NUMBER {} -q -C config.toml aNUMBER",
            accounts.len() - 1,
            self.name()
        );
        Call { program: "sh".into(), ..self.call(dir, &["-c", &shell]) }
    }

    pub fn send(self, dir: &Path, login: &Login, letter: &Mail) -> Call {
        let Login { port, authority, .. } = login;
        let Mail { path, to, chunking } = letter;
        let authority = authority.to_str().unwrap();
        let recipients = to.iter().map(String::as_str);
        let stdin = Some(path.clone());
        match self {
            Self::Postie => {
                let config = account(login) + &format!("send.chunking = {chunking}\n");
                secret(dir, "config.toml", &config);
                let args: Vec<_> =
                    ["--config=config.toml", "send"].into_iter().chain(recipients).collect();
                Call { stdin, ..self.call(dir, &args) }
            }
            Self::Msmtp => {
                let config = format!(
                    "account bench\nhost 127.0.0.1\nport {port}\nfrom {USER}\nauth plain\n\
                     user {USER}\npassword {PASSWORD}\ntls on\ntls_starttls off\n\
                     tls_trust_file {authority}\n"
                );
                secret(dir, "msmtprc", &config);
                let args = ["-C", "msmtprc", "-a", "bench", "--"];
                let args: Vec<_> = args.into_iter().chain(recipients).collect();
                Call { stdin, ..self.call(dir, &args) }
            }
            Self::Curl => {
                let (url, user) =
                    (format!("smtps://127.0.0.1:{port}"), format!("{USER}:{PASSWORD}"));
                let fixed = ["-sS", "--url", &url, "--cacert", authority, "--user", &user];
                let auth = ["--login-options", "AUTH=PLAIN"];
                let envelope = recipients.flat_map(|recipient| ["--mail-rcpt", recipient]);
                let message = ["--mail-from", USER, "--upload-file", path.to_str().unwrap()];
                let args: Vec<_> =
                    fixed.into_iter().chain(auth).chain(message).chain(envelope).collect();
                self.call(dir, &args)
            }
            _ => panic!("{} does not send", self.name()),
        }
    }

    fn call(self, dir: &Path, args: &[&str]) -> Call {
        let program = match self {
            Self::Postie => env!("CARGO_BIN_EXE_postie"),
            other => other.name(),
        };
        Call {
            program: program.into(),
            args: args.iter().map(|&word| word.to_owned()).collect(),
            dir: dir.to_owned(),
            stdin: None,
            good: &[0],
        }
    }
}

/// A flush of so many copies of a message that wait in the outbox.
pub fn queued(dir: &Path, login: &Login, letter: &Mail, number: usize) -> Call {
    let away = Login { port: 1, authority: login.authority.clone(), ..*login };
    let args: Vec<_> = ["--config=config.toml", "send", "--queue"]
        .into_iter()
        .chain(letter.to.iter().map(String::as_str))
        .collect();
    secret(dir, "config.toml", &account(&away));
    let send = Program::Postie.call(dir, &args);
    Call { stdin: Some(letter.path.clone()), ..send }.measure();
    let waiting = dir.join(".local/state/postie/outbox/waiting");
    let first = fs::read_dir(&waiting).unwrap().next().unwrap().unwrap().path();
    for copy in 1..number {
        let other = waiting.join(format!("{copy:08x}.{copy:08x}"));
        fs::create_dir(&other).unwrap();
        for file in ["message.eml", "journal", "lock"] {
            fs::copy(first.join(file), other.join(file)).unwrap();
        }
    }
    secret(dir, "config.toml", &account(login));
    Program::Postie.call(dir, &["--config=config.toml", "queue", "flush", "--all"])
}

/// The same copies, sent by a program that waits for no reply.
pub fn sent_blindly(dir: &Path, login: &Login, letter: &Mail, number: usize) -> Call {
    let (text, to) = (fs::read_to_string(&letter.path).unwrap(), &letter.to[0]);
    let token = BASE64_STANDARD.encode(format!("\0{USER}\0{PASSWORD}"));
    let mut commands = format!("EHLO localhost\r\nAUTH PLAIN {token}\r\n");
    for _ in 0..number {
        let _ = write!(
            commands,
            "MAIL FROM:<{USER}>\r\nRCPT TO:<{to}>\r\nBDAT {} LAST\r\n{text}",
            text.len()
        );
    }
    secret(dir, "commands", &(commands + "QUIT\r\n"));
    let (server, authority) = (format!("127.0.0.1:{}", login.port), login.authority.display());
    let args = ["s_client", "-quiet", "-connect", &server, "-CAfile", &authority.to_string()];
    Call { stdin: Some(dir.join("commands")), ..Program::Floor.call(dir, &args) }
}

fn account(login: &Login) -> String {
    let Login { port, tls, authority } = login;
    format!(
        "[account.bench]\nserver = \"127.0.0.1:{port}\"\nuser = \"{USER}\"\n\
         password = \"{PASSWORD}\"\ntls = \"{}\"\nca-file = \"{}\"\nauth = \"plain\"\nfetch.maildir = \"Mail\"\n",
        tls.name(),
        authority.display()
    )
}

/// A file that only its owner may read, as all of these programs want it.
fn secret(dir: &Path, name: &str, text: &str) {
    let path = dir.join(name);
    fs::write(&path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}
