//! Programs that the configuration names: each has a time to end in, and ends, with what it started,
//! when this process is told to.
//!
//! A program gets a process group of its own only where there is no terminal. At one it shares this
//! process's: pinentry and ssh may ask a person there, and Ctrl-C reaches them.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_setfl};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, kill_process_group, pidfd_open};
use zeroize::Zeroizing;

use crate::bounded;
use crate::limits;

/// Octets read at a time.
const CHUNK: usize = 4096;

/// Returns whether there is a terminal, and so perhaps a person to ask.
pub fn has_terminal() -> bool {
    File::open("/dev/tty").is_ok()
}

/// Runs a program to its end; `None` if it had not ended after `bound`, and was ended with all of
/// its children that are in its process group.
pub fn run(command: &mut Command, bound: Duration) -> io::Result<Option<ExitStatus>> {
    Program::start(command)?.wait(bound)
}

/// What a program printed up to its first line end, which is an error from [`limits::SECRET`] octets
/// on, and its exit status; `None` if it had not ended after `bound`, if there is one. Any further output is read
/// and dropped until it ends. Its children may live on, and keep its output open.
pub fn first_line(
    command: &mut Command,
    bound: Option<Duration>,
) -> io::Result<Option<(Vec<u8>, ExitStatus)>> {
    let mut program = Program::start(command.stdout(Stdio::piped()))?;
    let Some(mut output) = program.child.stdout.take() else {
        return Err(io::Error::other("its output cannot be read"));
    };
    fcntl_setfl(&output, OFlags::NONBLOCK)?;
    // It may be a password: one that grew would leave copies of itself in memory.
    let room = usize::try_from(limits::SECRET).unwrap_or_default() + CHUNK;
    let (mut line, start) = (Zeroizing::new(Vec::with_capacity(room)), now());
    let status = loop {
        // In this order: what it printed before its end is there to be read after it.
        let ended = program.child.try_wait()?;
        let read = read(&mut output, &mut line)?;
        match (read, ended) {
            (Read::Octets, Some(_)) if !is_whole(&line) => {}
            (_, Some(status)) => break Some(status),
            (Read::End, None) => {
                break match bound {
                    Some(bound) => program.wait(bound.saturating_sub(start.elapsed()))?,
                    None => Some(program.child.wait()?),
                };
            }
            (_, None) if bound.is_some_and(|bound| start.elapsed() >= bound) => {
                program.end()?;
                break None;
            }
            // The program's end does not close its output if a child still has it.
            (Read::Nothing, None) => {
                let at_most = Timespec { tv_sec: 0, tv_nsec: 20_000_000 };
                let polled = poll(&mut [PollFd::new(&output, PollFlags::IN)], Some(&at_most));
                // A signal that ends this run interrupts the wait; the program is ended elsewhere.
                if let Err(error) = polled
                    && error != Errno::INTR
                {
                    return Err(error.into());
                }
            }
            (Read::Octets, None) => {}
        }
    };
    let line = line.split(|octet| b"\r\n".contains(octet)).next().unwrap_or_default();
    if u64::try_from(line.len()).is_ok_and(|length| length >= limits::SECRET) {
        return Err(bounded::too_large(limits::SECRET));
    }
    Ok(status.map(|status| (line.to_vec(), status)))
}

/// A program whose standard input and output are one end of a socket. When this is dropped, which is
/// after the other end was closed, the program has a moment to end by itself, and is ended.
#[derive(Debug)]
pub struct Relay(Program);

impl Relay {
    /// Starts the program and returns the other end of its socket. `command` is taken: while it
    /// lives it holds the program's end open, and the program's death would go unnoticed.
    ///
    /// # Errors
    ///
    /// Returns an error if the program cannot be started, or this run was told to end.
    pub fn start(mut command: Command) -> io::Result<(UnixStream, Self)> {
        let (ours, theirs) = UnixStream::pair()?;
        let theirs = OwnedFd::from(theirs);
        command.stdin(theirs.try_clone()?).stdout(theirs);
        Ok((ours, Self(Program::start(&mut command)?)))
    }

    /// Returns how the program ended; `None` if it has not after `bound`.
    pub fn ended(&mut self, bound: Duration) -> Option<ExitStatus> {
        wait_for(&mut self.0.child, bound).ok().flatten()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        let _ = self.ended(limits::PROGRAM_END);
    }
}

enum Read {
    Octets,
    Nothing,
    End,
}

/// Reads what is there, and keeps it as far as it may be of the first line.
fn read(output: &mut ChildStdout, line: &mut Vec<u8>) -> io::Result<Read> {
    let mut chunk = Zeroizing::new([0; CHUNK]);
    match output.read(chunk.as_mut()) {
        Ok(0) => Ok(Read::End),
        Ok(length) => {
            if !is_whole(line) {
                line.extend_from_slice(chunk.get(..length).unwrap_or_default());
            }
            Ok(Read::Octets)
        }
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Read::Nothing),
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(Read::Octets),
        Err(error) => Err(error),
    }
}

fn is_whole(line: &[u8]) -> bool {
    line.contains(&b'\n') || u64::try_from(line.len()).is_ok_and(|length| length >= limits::SECRET)
}

/// The signals that this process ignores, a bit for each; none where the system does not tell.
pub fn ignored_signals() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default()
}

/// Returns whether a signal has ended the programs that ran.
pub fn are_over() -> bool {
    running().is_over
}

/// Ends the programs that run, with their children where they have process groups of their own, and
/// lets no other start; whether there were any. For the handler of a signal, which is the whole process's.
pub fn end_all() -> bool {
    const STEP: Duration = Duration::from_millis(20);
    let programs = {
        let mut running = running();
        running.is_over = true;
        running.programs.clone()
    };
    for program in &programs {
        program.signal(Signal::TERM);
    }
    // One that does not listen is not asked again.
    let mut waits = 0..limits::PROGRAM_END.as_millis() / STEP.as_millis();
    while !running().programs.is_empty() && waits.next().is_some() {
        std::thread::sleep(STEP);
    }
    for program in &running().programs {
        program.signal(Signal::KILL);
    }
    !programs.is_empty()
}

/// Signals come to the process, not to a thread or a value of it, and so does what they are to end.
static RUNNING: Mutex<Running> = Mutex::new(Running { is_over: false, programs: Vec::new() });

struct Running {
    /// True once a signal has come.
    is_over: bool,
    programs: Vec<Id>,
}

fn running() -> MutexGuard<'static, Running> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The identity of a program that runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Id {
    pid: Pid,
    /// True if it has a process group of its own, whose number is the same.
    is_group: bool,
}

impl Id {
    fn signal(self, signal: Signal) {
        // One that is over needs none.
        let _ = if self.is_group {
            kill_process_group(self.pid, signal)
        } else {
            kill_process(self.pid, signal)
        };
    }
}

/// A program that runs, or has ended and been waited for.
#[derive(Debug)]
struct Program {
    child: Child,
    id: Option<Id>,
}

impl Program {
    fn start(command: &mut Command) -> io::Result<Self> {
        let is_apart = !has_terminal();
        if is_apart {
            command.process_group(0);
        }
        // Held over the start, lest a signal come between that and the entry.
        let mut running = running();
        if running.is_over {
            return Err(io::Error::new(io::ErrorKind::ConnectionAborted, "interrupted"));
        }
        let child = command.spawn()?;
        let id = Pid::from_raw(child.id().cast_signed());
        let id = id.map(|pid| Id { pid, is_group: is_apart });
        running.programs.extend(id);
        Ok(Self { child, id })
    }

    fn wait(mut self, bound: Duration) -> io::Result<Option<ExitStatus>> {
        let status = wait_for(&mut self.child, bound)?;
        if status.is_none() {
            self.end()?;
        }
        Ok(status)
    }

    /// Ends it, and what it started where that is in its process group.
    fn end(&mut self) -> io::Result<()> {
        if let Some(id) = self.id {
            id.signal(Signal::TERM);
            if wait_for(&mut self.child, limits::PROGRAM_END)?.is_some() {
                return Ok(());
            }
            id.signal(Signal::KILL);
        }
        self.child.kill()?;
        self.child.wait().map(drop)
    }
}

/// Waits for a program to end; `None` if it has not after `bound`. SIGCHLD is not relied on: mutt runs
/// its mailer with that signal blocked.
fn wait_for(child: &mut Child, bound: Duration) -> io::Result<Option<ExitStatus>> {
    /// The interval of polling where the kernel has no descriptors of processes (before 5.3).
    const PAUSE: Duration = Duration::from_millis(20);
    let (start, end) = (now(), pidfd_open(Pid::from_child(child), PidfdFlags::empty()).ok());
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        let left = bound.saturating_sub(start.elapsed());
        if left.is_zero() {
            return Ok(None);
        }
        let at_most = if end.is_some() { left } else { left.min(PAUSE) };
        let at_most = Timespec::try_from(at_most).map_err(io::Error::other)?;
        let mut ends: Vec<_> = end.iter().map(|end| PollFd::new(end, PollFlags::IN)).collect();
        match poll(&mut ends, Some(&at_most)) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

impl Drop for Program {
    /// Ends a program that is still running.
    fn drop(&mut self) {
        if !matches!(self.child.try_wait(), Ok(Some(_))) {
            drop(self.end());
        }
        running().programs.retain(|running| Some(*running) != self.id);
    }
}

#[expect(clippy::disallowed_methods, reason = "a program's time is real time")]
fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn shell(line: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", line]);
        command
    }

    fn soon() -> Duration {
        Duration::from_millis(300)
    }

    #[test]
    fn the_first_line_is_the_answer_and_the_rest_is_read() {
        let long =
            "echo first; echo second; dd if=/dev/zero bs=1000 count=1000 2>/dev/null; exit 3";
        let (line, status) = first_line(&mut shell(long), None).unwrap().unwrap();
        assert_eq!((line.as_slice(), status.code()), (b"first".as_slice(), Some(3)));
        let (line, _) = first_line(&mut shell("printf x"), None).unwrap().unwrap();
        assert_eq!(line, b"x");
        let endless = first_line(&mut shell("dd if=/dev/zero bs=65536 count=2 2>/dev/null"), None);
        assert_eq!(endless.unwrap_err().kind(), io::ErrorKind::FileTooLarge);
        let (line, _) =
            first_line(&mut shell("printf x; exec >&-; sleep 0.1"), None).unwrap().unwrap();
        assert_eq!(line, b"x");
    }

    #[test]
    fn a_child_that_lives_on_is_not_waited_for() {
        let start = now();
        let (line, _) = first_line(&mut shell("sleep 5 & printf x"), None).unwrap().unwrap();
        assert_eq!(line, b"x");
        assert!(start.elapsed() < Duration::from_secs(4));
    }

    #[test]
    fn a_program_that_is_given_up_is_ended() {
        let program = Program::start(&mut shell("sleep 60")).unwrap();
        let pid = Pid::from_child(&program.child);
        assert!(rustix::process::test_kill_process(pid).is_ok());
        drop(program);
        assert!(rustix::process::test_kill_process(pid).is_err());
    }

    #[test]
    fn a_relay_speaks_both_ways_and_ends_with_its_socket() {
        let (mut socket, mut relay) =
            Relay::start(shell("read line; echo \"$line\"; cat")).unwrap();
        socket.write_all(b"hello\n").unwrap();
        let mut heard = [0; 6];
        socket.read_exact(&mut heard).unwrap();
        assert_eq!(&heard, b"hello\n");
        assert!(relay.ended(Duration::from_millis(10)).is_none());
        drop(socket);
        assert!(relay.ended(Duration::from_secs(10)).unwrap().success());
    }

    #[test]
    fn a_relay_that_ends_is_heard_to_end_and_one_that_does_not_is_ended() {
        let (mut socket, mut relay) = Relay::start(shell("exit 3")).unwrap();
        assert_eq!(socket.read(&mut [0]).unwrap(), 0);
        assert_eq!(relay.ended(Duration::from_secs(10)).unwrap().code(), Some(3));
        let (socket, relay) = Relay::start(shell("exec sleep 60")).unwrap();
        let pid = Pid::from_child(&relay.0.child);
        drop(socket);
        drop(relay);
        assert!(rustix::process::test_kill_process(pid).is_err());
    }

    #[test]
    fn what_does_not_end_in_time_is_ended() {
        for line in ["sleep 60", "exec >&-; sleep 60", "sleep 60 & wait", "echo x; cat /dev/zero"] {
            assert!(first_line(&mut shell(line), Some(soon())).unwrap().is_none(), "{line}");
        }
        assert!(run(&mut shell("sleep 60"), soon()).unwrap().is_none());
        assert!(run(&mut shell("exit 0"), Duration::from_secs(10)).unwrap().unwrap().success());
    }
}
