//! The accept loop of `postie submit-server --listen`: for each connection this program is started
//! anew with the socket as its standard input and output, as a service manager would.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::Duration;

use crate::cli;
use crate::error::{Error, Exit, Failure};
use crate::limits;
use crate::net::local::{LocalListener, is_listening};
use crate::report::Report;
use crate::store::disk::{Disk as _, Lock, Os};

/// Processes at one time: of callers that are heard, of messages that are sent, and as many that greet
/// and end at once since they have no place ([`limits::SUBMIT_PLACES`]).
const PROCESSES: usize = 3 * limits::SUBMIT_PLACES;

/// The interval at which processes that have ended are waited for.
const REAP: Duration = Duration::from_millis(500);

/// The pause while no further process is started.
const PAUSE: Duration = Duration::from_millis(20);

/// Listens at `path` until the process is ended.
pub fn listen(path: &Path, global: &cli::Global, report: &Report) -> Exit {
    let Err(error) = accept(path, global, report);
    let (command, account, peer) = ("submit-server", None, None);
    report.sole_failure(&Failure { command, account, peer, error: &error, lasting: None });
    Exit::from(&error)
}

fn accept(
    path: &Path,
    global: &cli::Global,
    report: &Report,
) -> Result<std::convert::Infallible, Error> {
    let failed = |source| Error::Listen { path: path.to_owned(), source };
    let (_lock, listener) = bind(path)?;
    let mut children: Vec<Child> = Vec::new();
    loop {
        // One that cannot be waited for is none.
        children.retain_mut(|child| matches!(child.try_wait(), Ok(None)));
        if children.len() >= PROCESSES {
            std::thread::sleep(PAUSE);
            continue;
        }
        let bound = (!children.is_empty()).then_some(REAP);
        let Some(socket) = listener.accept(bound).map_err(failed)? else { continue };
        match start(socket, global) {
            Ok(child) => children.push(child),
            // The caller's connection ends, and it tries again.
            Err(error) => report.warn(format_args!(
                "submit-server: cannot start a process: {}",
                crate::text::plain(&error)
            )),
        }
    }
}

/// Makes the socket. One at which no process listens any more is replaced; a lock beside it keeps two
/// runs from taking each other's for that.
fn bind(path: &Path) -> Result<(Lock, LocalListener), Error> {
    let failed = |source| Error::Listen { path: path.to_owned(), source };
    let mut lock = path.as_os_str().to_owned();
    lock.push(".lock");
    let lock = PathBuf::from(lock);
    let held = Os.lock_file(&lock).map_err(|source| Error::Listen { path: lock, source })?;
    let held = held.ok_or_else(|| failed(io::ErrorKind::AddrInUse.into()))?;
    if Os.exists(path).map_err(failed)? {
        // A file of another kind is not connected to, and not removed.
        if is_listening(path).map_err(failed)? {
            return Err(failed(io::ErrorKind::AddrInUse.into()));
        }
        Os.remove(path).map_err(failed)?;
    }
    Ok((held, LocalListener::bind(path).map_err(failed)?))
}

/// Starts this very program, even if another file has its name by now.
fn start(socket: OwnedFd, global: &cli::Global) -> io::Result<Child> {
    let mut command = Command::new("/proc/self/exe");
    command.arg0("postie").arg("submit-server");
    if let Some(config) = &global.config {
        command.arg("--config").arg(config);
    }
    if let Some(timeout) = global.timeout {
        command.arg("--timeout").arg(timeout.to_string());
    }
    command.args((0..global.verbose).map(|_| "-v"));
    command.stdin(socket.try_clone()?).stdout(socket);
    command.spawn()
}
