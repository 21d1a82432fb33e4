//! Where passwords come from: the configuration, a file, a command, or a person at a terminal.

use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};

use crate::config::PasswordCommand;
use crate::limits;
use crate::text::{Secret, plain};

/// Why there is no password.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nobody said where it is, and nobody is there to ask.
    #[error("no password: set `password-command` or `password-file`, or run at a terminal")]
    Nowhere,
    /// Others may read the file.
    #[error("others may read the password in {}: `chmod 600` it", .0.display())]
    Exposed(PathBuf),
    /// The file cannot be read.
    #[error("cannot read the password from {}: {}", path.display(), plain(source))]
    File {
        /// Which.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The command cannot be run.
    #[error("cannot run the password command: {}", plain(.0))]
    Run(io::Error),
    /// The command did not succeed.
    #[error("the password command failed ({0})")]
    Failed(ExitStatus),
    /// It is empty, or has an octet that cannot be typed into a conversation.
    #[error("the password {0}")]
    Unfit(&'static str),
    /// Asking for it failed.
    #[error("cannot ask for the password: {}", plain(.0))]
    Ask(io::Error),
}

/// Where a password is.
#[derive(Clone, Debug)]
pub enum Source {
    /// Here.
    Text(Secret),
    /// In what a command prints.
    Command(PasswordCommand),
    /// In a file.
    File(PathBuf),
    /// In somebody's head.
    Terminal,
}

impl Source {
    /// The password of `whom`, who is named when a person must be asked.
    pub fn obtain(&self, whom: &str) -> Result<Secret, Error> {
        let text = match self {
            Self::Text(secret) => return fit(secret.clone()),
            Self::Command(command) => run(command)?,
            Self::File(path) => {
                let failed = |source| Error::File { path: path.clone(), source };
                let file = File::open(path).map_err(failed)?;
                let metadata = file.metadata().map_err(failed)?;
                if metadata.is_file() && metadata.permissions().mode() & 0o077 != 0 {
                    return Err(Error::Exposed(path.clone()));
                }
                first_line(file).map_err(failed)?
            }
            Self::Terminal => return ask(whom).and_then(fit),
        };
        fit(text)
    }
}

fn run(command: &PasswordCommand) -> Result<Secret, Error> {
    let (program, arguments) = match command {
        PasswordCommand::Shell(line) => ("sh", vec!["-c", line]),
        PasswordCommand::Words(words) => {
            let mut words = words.iter().map(String::as_str);
            (words.next().unwrap_or_default(), words.collect())
        }
    };
    // Standard input may be a message to be sent, which is no business of the command's.
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(Error::Run)?;
    let line = child.stdout.take().map(first_line).transpose();
    let status = child.wait().map_err(Error::Run)?;
    if !status.success() {
        return Err(Error::Failed(status));
    }
    Ok(line.map_err(Error::Run)?.unwrap_or_else(|| Secret::new("")))
}

fn ask(whom: &str) -> Result<Secret, Error> {
    if !io::stderr().is_terminal() {
        return Err(Error::Nowhere);
    }
    rpassword::prompt_password(format!("Password for {whom}: "))
        .map(Secret::new)
        .map_err(Error::Ask)
}

/// What is read, up to the first line end and within bounds. The rest is read too, so that a
/// command that prints more is not ended by a broken pipe.
#[expect(clippy::disallowed_methods, reason = "its size is bounded")]
fn first_line(source: impl Read) -> io::Result<Secret> {
    let mut text = String::new();
    source.take(limits::SECRET).read_to_string(&mut text)?;
    let line = text.split(['\r', '\n']).next().unwrap_or_default();
    Ok(Secret::new(line))
}

/// A NUL would end the password in a SASL message (RFC 4616 §2), a line end the command.
fn fit(secret: Secret) -> Result<Secret, Error> {
    if secret.expose().is_empty() {
        Err(Error::Unfit("is empty"))
    } else if secret.expose().chars().any(char::is_control) {
        Err(Error::Unfit("holds a control character"))
    } else {
        Ok(secret)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(line: &str) -> Result<Secret, Error> {
        Source::Command(PasswordCommand::Shell(line.to_owned())).obtain("ann")
    }

    #[test]
    fn a_command_prints_the_password_on_its_first_line() {
        let password = shell("printf 'not-a-secret\\r\\nuser: ann\\n'").unwrap();
        assert_eq!(password.expose(), "not-a-secret");
        let words = ["printf", "%s", "a b"].map(str::to_owned).to_vec();
        let password = Source::Command(PasswordCommand::Words(words)).obtain("ann").unwrap();
        assert_eq!(password.expose(), "a b");
    }

    #[test]
    fn a_command_that_fails_gives_none() {
        assert!(matches!(shell("echo x; exit 3"), Err(Error::Failed(_))));
        assert!(matches!(shell("true"), Err(Error::Unfit("is empty"))));
        let words = vec!["/nonexistent/program".to_owned()];
        let missing = Source::Command(PasswordCommand::Words(words)).obtain("ann");
        assert!(matches!(missing, Err(Error::Run(_))));
    }

    #[test]
    fn a_password_that_would_end_a_command_is_unfit() {
        let text = Source::Text(Secret::new("a\0b"));
        assert!(matches!(text.obtain("ann"), Err(Error::Unfit(_))));
    }

    #[test]
    fn a_file_that_others_may_read_is_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let source = Source::File(file.path().to_owned());
        io::Write::write_all(&mut file.as_file(), b"not-a-secret\n").unwrap();
        assert_eq!(source.obtain("ann").unwrap().expose(), "not-a-secret");
        file.as_file().set_permissions(PermissionsExt::from_mode(0o640)).unwrap();
        assert!(matches!(source.obtain("ann"), Err(Error::Exposed(_))));
    }
}
