//! Where passwords and tokens come from: the configuration, a file, a command, or a person at a
//! terminal.

use std::fs::File;
use std::io::{self, IsTerminal as _, PipeReader, PipeWriter, Read as _, Write as _};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::event::{self, PollFd, PollFlags};
use rustix::io::Errno;
use rustix::termios::{
    self, InputModes, LocalModes, OptionalActions, QueueSelector, SpecialCodeIndex, Termios,
};
use zeroize::Zeroizing;

use crate::bounded;
use crate::config::CommandLine;
use crate::limits;
use crate::ownership;
use crate::program;
use crate::sasl::{Credentials, Key, Mechanism};
use crate::text::{Secret, plain};
pub use crate::token::Run;
use crate::token::{self, Access, Login};

/// The reason why there are no credentials.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No source is configured, and there is no terminal to ask at.
    #[error("no password is configured, and there is no terminal to ask at")]
    Nowhere,
    /// Others may write to the file or read it.
    #[error(transparent)]
    Ownership(#[from] ownership::Error),
    /// The file cannot be read.
    #[error("cannot read the password from {}: {}", path.display(), plain(source))]
    File {
        /// The file.
        path: PathBuf,
        /// The failure.
        source: io::Error,
    },
    /// The command cannot be run.
    #[error("cannot run the {} command: {}", .0, plain(.1))]
    Run(&'static str, io::Error),
    /// The command did not succeed; it has said why on standard error.
    #[error("the {0} command failed ({1})")]
    Failed(&'static str, ExitStatus),
    /// The command has not ended in time, and there is no terminal.
    #[error("the {} command had not ended after {} s", .0, limits::SECRET_WAIT.as_secs())]
    Slow(&'static str),
    /// There is nothing on its first line.
    #[error("the {0} is empty")]
    Empty(&'static str),
    /// A control character, which no login can carry, is in it.
    #[error("the {0} holds a control character")]
    Control(&'static str),
    /// The system gives no random numbers.
    #[error("the system has no random numbers")]
    Random,
    /// There is no access token by OAuth 2.0.
    #[error(transparent)]
    Token(#[from] token::Error),
    /// Asking for it failed.
    #[error("cannot ask for the password: {}", plain(.0))]
    Ask(io::Error),
    /// A signal came while it was asked for, or while the command ran.
    #[error("interrupted waiting for the {0}")]
    Interrupted(&'static str),
}

/// A source of credentials.
#[derive(Clone, Debug)]
pub enum Source {
    /// The password is here.
    Text(Secret),
    /// A command that prints the password.
    Command(CommandLine),
    /// A file that holds the password.
    File(PathBuf),
    /// A prompt at the terminal.
    Terminal,
    /// An access token is in what a command prints.
    TokenCommand(CommandLine),
    /// An access token that an authorization server grants.
    Login {
        /// The OAuth 2.0 login.
        login: Arc<Login>,
        /// The source of the client's secret, if it has one.
        secret: Option<Box<Self>>,
    },
    /// The certificate of the TLS connection is enough.
    Certificate,
}

impl Source {
    /// Returns the credentials of `user` at `host` to try one after another. A prompt appears now;
    /// a token is obtained when it is needed.
    ///
    /// # Errors
    ///
    /// Returns an error if the source yields no usable password or token.
    pub fn attempts(
        &self,
        user: &str,
        host: &str,
        auth: Option<Mechanism>,
        run: &Run,
    ) -> Result<Attempts, Error> {
        let (next, again) = match self {
            Self::Login { login, secret } => {
                let tokens = Tokens {
                    login: Arc::clone(login),
                    secret: secret.clone(),
                    run: run.clone(),
                    ready: None,
                    last: None,
                };
                (None, Again::Tokens(Box::new(tokens)))
            }
            Self::TokenCommand(command) => (Some(token(command)?), Again::Command(command.clone())),
            _ => (Some(self.key(&format!("{user} at {host}"))?), Again::Never),
        };
        Ok(Attempts { user: user.to_owned(), auth, next, again })
    }

    fn key(&self, whom: &str) -> Result<Key, Error> {
        let key = match self {
            Self::TokenCommand(command) => token(command)?,
            Self::Certificate => Key::Certificate,
            _ => Key::Password(self.password(whom)?),
        };
        Ok(key)
    }

    /// A password.
    ///
    /// # Errors
    ///
    /// Returns an error if the source yields no usable password.
    pub fn password(&self, whom: &str) -> Result<Secret, Error> {
        self.secret("password", whom)
    }

    /// A client's secret.
    ///
    /// # Errors
    ///
    /// Returns an error if the source yields no usable secret.
    pub fn client_secret(&self) -> Result<Secret, Error> {
        self.secret("client secret", "")
    }

    fn secret(&self, what: &'static str, whom: &str) -> Result<Secret, Error> {
        let secret = match self {
            Self::Text(secret) => secret.clone(),
            Self::Command(command) => run(what, command)?,
            Self::File(path) => {
                let failed = |source| Error::File { path: path.clone(), source };
                let file = File::open(path).map_err(failed)?;
                ownership::check_writers(&file, path)?;
                ownership::check_readers(&file, path)?;
                let text = bounded::read_text(&file, limits::SECRET).map_err(failed)?;
                // Editors put a byte order mark there; no password begins with one.
                let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
                Secret::new(text.split(['\r', '\n']).next().unwrap_or_default())
            }
            Self::Terminal => ask(whom)?,
            // These have no password.
            Self::TokenCommand(_) | Self::Login { .. } | Self::Certificate => {
                return Err(Error::Nowhere);
            }
        };
        fit(what, secret)
    }

    /// Returns whether a person types the password. It is asked for when the server's certificate
    /// held, and typing takes time: the connection is made anew after it.
    pub fn is_typed(&self) -> bool {
        matches!(self, Self::Terminal) && io::stderr().is_terminal()
    }

    /// Returns whether the login is by a token.
    pub fn is_token(&self) -> bool {
        matches!(self, Self::TokenCommand(_) | Self::Login { .. })
    }
}

/// The credentials to try one after another: those there are, and after a token that was refused a
/// renewed one, since a token may expire on its way.
#[derive(Clone, Debug)]
pub struct Attempts {
    user: String,
    auth: Option<Mechanism>,
    next: Option<Key>,
    again: Again,
}

/// The source of further credentials.
#[derive(Clone, Debug)]
enum Again {
    Never,
    Command(CommandLine),
    Tokens(Box<Tokens>),
}

/// The tokens of a login.
#[derive(Clone, Debug)]
struct Tokens {
    login: Arc<Login>,
    secret: Option<Box<Source>>,
    run: Run,
    /// A token that was obtained before it was needed.
    ready: Option<Access>,
    /// The one that was tried last.
    last: Option<Secret>,
}

impl Tokens {
    fn access(&self) -> Result<Option<Access>, Error> {
        let secret = || self.secret.as_ref().map(|secret| secret.client_secret()).transpose();
        self.login.access(self.last.as_ref(), &self.run, secret)
    }

    fn next(&mut self) -> Option<Result<Key, Error>> {
        let ready = self.ready.take().filter(|access| access.left() > 0);
        let access = match ready {
            Some(access) => access,
            None => match self.access() {
                Ok(access) => access?,
                Err(error) => return Some(Err(error)),
            },
        };
        self.last = Some(access.token.clone());
        Some(fit("token", access.token).map(Key::Token))
    }
}

impl Attempts {
    /// Obtains the token of a login now, before a server waits for it.
    ///
    /// # Errors
    ///
    /// Returns an error if no token can be obtained.
    pub fn ready(mut self) -> Result<Self, Error> {
        if let Again::Tokens(tokens) = &mut self.again {
            tokens.ready = tokens.access()?;
        }
        Ok(self)
    }

    /// Returns the passwords and tokens that are known already, to be masked.
    pub fn secrets(&self) -> impl Iterator<Item = &str> {
        let key = self.next.as_ref().and_then(Key::secret);
        let token = self.access().map(|access| &access.token);
        key.into_iter().chain(token).map(Secret::expose)
    }

    /// Returns the token that was obtained for a login. `None` once it was tried.
    pub fn access(&self) -> Option<&Access> {
        match &self.again {
            Again::Tokens(tokens) => tokens.ready.as_ref(),
            Again::Never | Again::Command(_) => None,
        }
    }
}

impl Iterator for Attempts {
    type Item = Result<Credentials, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let key = match (self.next.take(), &mut self.again) {
            (Some(key), _) => Ok(key),
            (None, Again::Tokens(tokens)) => tokens.next()?,
            (None, again) => match std::mem::replace(again, Again::Never) {
                Again::Command(command) => token(&command),
                _ => return None,
            },
        };
        let credentials = |key| {
            let mut nonce = [0; 18];
            getrandom::fill(&mut nonce).map_err(|_| Error::Random)?;
            Ok(Credentials { user: self.user.clone(), key, auth: self.auth, nonce })
        };
        Some(key.and_then(credentials))
    }
}

fn token(command: &CommandLine) -> Result<Key, Error> {
    Ok(Key::Token(fit("token", run("token", command)?)?))
}

fn run(what: &'static str, command: &CommandLine) -> Result<Secret, Error> {
    let failed = |error| Error::Run(what, error);
    // A person may take any time to type; a keyring that is locked under cron would take for ever.
    let bound = (!program::has_terminal()).then_some(limits::SECRET_WAIT);
    // Standard input may be a message to be sent, which is no business of the command's.
    let mut command = command.command();
    let ended = program::first_line(command.stdin(Stdio::null()), bound).map_err(failed)?;
    let (line, status) = ended.ok_or(Error::Slow(what))?;
    if !status.success() {
        let is_ours = program::are_over();
        return Err(if is_ours { Error::Interrupted(what) } else { Error::Failed(what, status) });
    }
    let line = String::from_utf8(line);
    line.map(Secret::new).map_err(|_| failed(io::Error::other("what it prints is not UTF-8")))
}

fn ask(whom: &str) -> Result<Secret, Error> {
    if !io::stderr().is_terminal() {
        return Err(Error::Nowhere);
    }
    let line = type_unseen(&format!("Password for {whom}: ")).map_err(Error::Ask)?;
    line.ok_or(Error::Interrupted("password"))
}

/// Asks at the terminal, and returns the line that is typed there and not shown; `None` if a signal
/// came first.
fn type_unseen(question: &str) -> io::Result<Option<Secret>> {
    let mut tty = File::options().read(true).write(true).open("/dev/tty")?;
    // What is typed as soon as the question appears is not shown either. What was typed before it
    // was, and is no answer to it.
    let signal = Prompt::open(&tty)?;
    let dropped = termios::tcflush(&tty, QueueSelector::IFlush).map_err(io::Error::from);
    let asked = dropped.and_then(|()| tty.write_all(question.as_bytes()));
    let line = asked.and_then(|()| line(&mut tty, &signal));
    drop(prompt().take());
    tty.write_all(b"\n")?;
    line
}

/// Reads a line that is typed; `None` if a signal came first.
fn line(tty: &mut File, signal: &PipeReader) -> io::Result<Option<Secret>> {
    // All of the room at once: text that grew would leave copies of itself in memory.
    let mut octets = Zeroizing::new([0; limits::TYPED]);
    let mut length = 0;
    // Ctrl-D hands over what was typed before the line has ended.
    while !octets.get(..length).unwrap_or_default().ends_with(b"\n") {
        let mut events =
            [tty.as_fd(), signal.as_fd()].map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN));
        match event::poll(&mut events, None) {
            Err(Errno::INTR) => continue,
            polled => polled?,
        };
        let [_, signalled] = events;
        if !signalled.revents().is_empty() {
            return Ok(None);
        }
        match tty.read(octets.get_mut(length..).unwrap_or_default()) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Ok(0) => break,
            read => length += read?,
        }
    }
    let line = octets.get(..length).unwrap_or_default();
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    // A terminal drops what is beyond its longest line.
    if line.len() >= limits::TYPED - 1 {
        return Err(io::Error::other("it is too long for a terminal's line"));
    }
    let line = str::from_utf8(line).map_err(|_| io::Error::other("it is not UTF-8"))?;
    Ok(Some(Secret::new(line)))
}

/// A terminal at which a password is being typed. It shows what is typed again when this is dropped.
struct Prompt {
    tty: File,
    before: Termios,
    /// The other end of what the prompt waits at beside the terminal.
    _signal: PipeWriter,
}

impl Prompt {
    /// Hides what is typed from now on. Returns a pipe that is closed when a signal came.
    fn open(tty: &File) -> io::Result<PipeReader> {
        let (signal, writer) = io::pipe()?;
        let before = termios::tcgetattr(tty)?;
        let mut unseen = before.clone();
        unseen.local_modes |= LocalModes::ICANON | LocalModes::ISIG;
        unseen.local_modes -= LocalModes::ECHO | LocalModes::ECHONL;
        unseen.input_modes |= InputModes::ICRNL;
        // A shell to which Ctrl-Z leads back, and back from, would show what is typed.
        unseen.special_codes[SpecialCodeIndex::VSUSP] = 0;
        let shown = Self { tty: tty.try_clone()?, before, _signal: writer };
        // A signal must find it from the moment on at which nothing is shown.
        let mut prompt = prompt();
        termios::tcsetattr(tty, OptionalActions::Now, &unseen)?;
        *prompt = Some(shown);
        Ok(signal)
    }
}

impl Drop for Prompt {
    fn drop(&mut self) {
        // Nothing is left to be done if it does not work.
        let _ = termios::tcsetattr(&self.tty, OptionalActions::Now, &self.before);
    }
}

/// The prompt at which a password is being typed. A signal comes to the process, not to a thread or a
/// value of it.
static PROMPT: Mutex<Option<Prompt>> = Mutex::new(None);

fn prompt() -> MutexGuard<'static, Option<Prompt>> {
    PROMPT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Ends the prompt for a password, if there is one: the terminal shows again what is typed. For the
/// handler of a signal. The run does not go on from the prompt, or to another one, before the result
/// is dropped.
#[must_use]
pub fn give_back_the_terminal() -> impl Sized {
    let mut prompt = prompt();
    drop(prompt.take());
    prompt
}

/// A NUL would end the password in a SASL message (RFC 4616 §2), a line end the command.
fn fit(what: &'static str, secret: Secret) -> Result<Secret, Error> {
    if secret.expose().is_empty() {
        Err(Error::Empty(what))
    } else if secret.expose().chars().any(char::is_control) {
        Err(Error::Control(what))
    } else {
        Ok(secret)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Table;

    fn password(source: &Source) -> Result<String, Error> {
        match source.key("ann")? {
            Key::Password(secret) => Ok(secret.expose().to_owned()),
            other => panic!("{other:?}"),
        }
    }

    fn shell(line: &str) -> Result<String, Error> {
        password(&Source::Command(CommandLine::shell(line)))
    }

    #[test]
    fn a_token_that_was_refused_is_asked_for_once_more() {
        let dir = tempfile::tempdir().unwrap();
        let script = format!("echo x >> {0}/n; wc -l < {0}/n", dir.path().display());
        let source = Source::TokenCommand(CommandLine::shell(&script));
        let attempts = source.attempts("ann", "mail.example", None, &Run::default()).unwrap();
        let tokens: Vec<_> = attempts
            .map(|credentials| match credentials.unwrap().key {
                Key::Token(token) => token.expose().trim().to_owned(),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(tokens, ["1", "2"]);
        let source = Source::Text(Secret::new("not-a-secret"));
        assert_eq!(
            source.attempts("ann", "mail.example", None, &Run::default()).unwrap().count(),
            1
        );
    }

    #[test]
    fn a_command_prints_the_password_on_its_first_line() {
        assert_eq!(shell("printf 'not-a-secret\\r\\nuser: ann\\n'").unwrap(), "not-a-secret");
        let words: Table = toml::from_str("password-command = ['printf', '%s', 'a b']").unwrap();
        let source = Source::Command(words.password_command.unwrap());
        assert_eq!(password(&source).unwrap(), "a b");
    }

    #[test]
    fn a_command_that_fails_gives_none() {
        assert!(matches!(shell("echo x; exit 3"), Err(Error::Failed(..))));
        assert!(matches!(shell("true"), Err(Error::Empty("password"))));
        let words: Table = toml::from_str("password-command = ['/no/such/program']").unwrap();
        let missing = password(&Source::Command(words.password_command.unwrap()));
        assert!(matches!(missing, Err(Error::Run(..))));
    }

    #[test]
    fn a_password_that_would_end_a_command_is_unfit() {
        let text = Source::Text(Secret::new("a\0b"));
        assert!(matches!(password(&text), Err(Error::Control(_))));
    }

    #[test]
    fn a_command_for_the_clients_secret_is_named_as_that() {
        let failed = Source::Command(CommandLine::shell("exit 3")).client_secret().unwrap_err();
        assert!(failed.to_string().starts_with("the client secret command failed"), "{failed}");
        let empty = Source::Command(CommandLine::shell("true")).client_secret().unwrap_err();
        assert_eq!(empty.to_string(), "the client secret is empty");
    }

    #[test]
    fn a_file_that_others_may_read_is_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let source = Source::File(file.path().to_owned());
        // An editor may begin it with a byte order mark.
        io::Write::write_all(&mut file.as_file(), b"\xef\xbb\xbfnot-a-secret\n").unwrap();
        assert_eq!(password(&source).unwrap(), "not-a-secret");
        file.as_file()
            .set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o604))
            .unwrap();
        assert!(matches!(password(&source), Err(Error::Ownership(_))));
    }
}
