//! An Exim of the test's own: submission for one user. It takes mail for anybody and keeps it.

use std::fs;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use super::servers::{self, Arrived, PASSWORD, Site, USER, free_ports};
use super::transcript::Tls;

/// Whom Debian's Exim becomes when it is root no more; it does not start where there is no such
/// user.
const EXIM: &str = "Debian-exim";

/// Stopped when dropped.
pub struct Exim {
    site: Site,
    submission: u16,
    submissions: u16,
    daemon: Child,
}

impl Exim {
    /// Starts one, unless it is not installed here or cannot be started.
    pub fn start() -> Option<Self> {
        let program = servers::installed("exim4")?;
        if !servers::is_root() {
            servers::skip("only root can start exim4");
            return None;
        }
        if !Command::new("id").arg(EXIM).output().unwrap().status.success() {
            servers::skip(&format!("exim4 wants a user called {EXIM}"));
            return None;
        }
        Some(servers::start(|| Self::attempt(program.to_str().unwrap())))
    }

    fn attempt(program: &str) -> Result<Self, String> {
        let site = Site::new();
        let [submission, submissions] = free_ports();
        site.arrivals(EXIM);
        fs::create_dir(site.path("log")).unwrap();
        for name in ["log", "key.pem"] {
            site.give(name, EXIM);
        }
        let config = site.file("exim.conf", &config(&site, program, submission, submissions));
        let mut daemon = Command::new(program);
        daemon.arg("-C").arg(config).arg("-bdf").stdin(Stdio::null());
        let daemon = daemon.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let exim = Self { site, submission, submissions, daemon };
        if servers::is_greeting(submission, &name(submission)) {
            Ok(exim)
        } else {
            Err(format!("exim4 does not answer:\n{}", exim.log()))
        }
    }

    /// How to reach it, as keys of an account.
    pub fn table(&self, tls: Tls) -> String {
        let port = if tls == Tls::Implicit { self.submissions } else { self.submission };
        format!("{}tls = \"{}\"\n", self.site.table(port), tls.name())
    }

    /// Waits for one message and takes it away.
    pub fn arrived(&self) -> Arrived {
        let text = self.site.arrived();
        // Return-path: <ADDRESS>, and Envelope-to: ADDRESS, ADDRESS,\n\tADDRESS
        let end = text.windows(10).position(|octets| octets == b"\nReceived:").unwrap() + 1;
        let envelope = std::str::from_utf8(&text[..end]).unwrap();
        let envelope = envelope.strip_prefix("Return-path: <").unwrap();
        let (from, to) = envelope.split_once(">\nEnvelope-to: ").unwrap();
        let to = to.split(',').map(|address| address.trim().to_owned()).collect();
        Arrived { from: from.to_owned(), to, text: text[end..].to_vec() }
    }

    /// A line for each thing that it took, refused or delivered.
    pub fn log(&self) -> String {
        let read = |name| fs::read(self.site.path(name)).unwrap_or_default();
        String::from_utf8_lossy(&[read("log/main"), read("log/panic")].concat()).into_owned()
    }
}

impl Drop for Exim {
    fn drop(&mut self) {
        kill_process(Pid::from_child(&self.daemon), Signal::TERM).unwrap_or_default();
        drop(self.daemon.wait());
    }
}

fn name(port: u16) -> String {
    format!("postie test {port}")
}

fn config(site: &Site, program: &str, submission: u16, submissions: u16) -> String {
    let (root, name) = (site.root(), name(submission));
    format!(
        "exim_path = {program}
spool_directory = {root}/spool
log_file_path = {root}/log/%s
log_selector = +8bitmime
pid_file_path = {root}/pid
keep_environment =
deliver_drop_privilege = true
primary_hostname = localhost
smtp_banner = localhost ESMTP {name}
local_interfaces = 127.0.0.1
daemon_smtp_ports = {submission} : {submissions}
tls_on_connect_ports = {submissions}
tls_advertise_hosts = *
tls_certificate = {root}/certificate.pem
tls_privatekey = {root}/key.pem
auth_advertise_hosts = ${{if eq{{$tls_in_cipher}}{{}}{{}}{{*}}}}
chunking_advertise_hosts = *
dsn_advertise_hosts = *
smtputf8_advertise_hosts = *
acl_smtp_rcpt = check_rcpt
begin acl
check_rcpt:
  accept authenticated = *
begin routers
everybody:
  driver = accept
  transport = keep
begin transports
keep:
  driver = appendfile
  directory = {root}/arrived
  maildir_format
  batch_max = 1000
  return_path_add
  envelope_to_add
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${{if and{{{{eq{{$auth2}}{{{USER}}}}}{{eq{{$auth3}}{{{PASSWORD}}}}}}}}}
  server_set_id = $auth2
"
    )
}
