//! Runs a program and measures what it costs.

use std::env;
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

/// The first argument of this program when it is the small process between.
pub const FLAG: &str = "--measure";

/// A program, and where and with what it is run.
pub struct Call {
    pub program: PathBuf,
    pub args: Vec<String>,
    pub dir: PathBuf,
    pub stdin: Option<PathBuf>,
    /// The exit statuses that mean that all went well.
    pub good: &'static [i32],
}

/// What a run came to.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    /// Seconds from the start to the end.
    pub wall: f64,
    /// Seconds of processor time, the system's included.
    pub cpu: f64,
    /// The most memory resident at a time, in MB.
    pub peak: f64,
}

impl Call {
    /// A child's peak begins with its parent's, which is large here, so a small process of this
    /// program's own is put between the two.
    pub fn measure(&self) -> Cost {
        let stdin = self.stdin.as_ref().map(|path| Stdio::from(File::open(path).unwrap()));
        let output = Command::new(env::current_exe().unwrap())
            .arg(FLAG)
            .arg(&self.program)
            .args(&self.args)
            .env_clear()
            .env("HOME", &self.dir)
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .current_dir(&self.dir)
            .stdin(stdin.unwrap_or_else(Stdio::null))
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let numbers: Vec<f64> = text.split_whitespace().filter_map(|n| n.parse().ok()).collect();
        let is_good = output.status.code().is_some_and(|code| self.good.contains(&code));
        let words = String::from_utf8_lossy(&output.stderr);
        assert!(is_good, "{} ended with {}: {words}", self.program.display(), output.status);
        let [wall, cpu, peak] = numbers[..] else { panic!("expected three numbers: {text}") };
        Cost { wall, cpu, peak }
    }
}

/// The time for which all processors of the machine together were busy since it was started, in seconds:
/// with the servers, and with everything else that runs.
pub fn busy() -> f64 {
    let text = fs::read_to_string("/proc/stat").unwrap();
    let ticks = |line: &str| -> Vec<f64> {
        line.split_whitespace().skip(1).map(|ticks| ticks.parse().unwrap()).collect()
    };
    let all = ticks(text.lines().next().unwrap());
    let processors = text.lines().filter(|line| line.starts_with("cpu")).count() - 1;
    // User, nice, system, interrupts; the ticks are hundredths of a second.
    let busy: f64 = [0, 1, 2, 5, 6].into_iter().map(|index| all[index]).sum();
    busy / 100.0 / processors as f64
}

/// What the small process does: runs the program that its arguments name, and says what it cost.
pub fn measured(mut words: impl Iterator<Item = String>) -> ExitCode {
    let program = words.next().unwrap();
    let start = Instant::now();
    let status = Command::new(program).args(words).stdout(Stdio::null()).status().unwrap();
    let wall = start.elapsed().as_secs_f64();
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).unwrap();
    let cpu = usage.user_time() + usage.system_time();
    let seconds = cpu.num_microseconds() as f64 / 1e6;
    println!("{wall} {seconds} {}", usage.max_rss() as f64 / 1024.0);
    ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX))
}
