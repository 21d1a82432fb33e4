//! A Postfix of the test's own: submission for whoever Dovecot vouches for. It takes mail for
//! anybody and keeps it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use super::dovecot::Dovecot;
use super::servers::{self, Arrived, Site, free_ports};
use super::transcript::Tls;

/// Stopped when dropped.
pub struct Postfix {
    pub site: Site,
    submission: u16,
    submissions: u16,
    /// The script that waits for the daemon.
    script: Child,
}

/// Whether clients can log in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Auth {
    Offered,
    NotOffered,
}

/// What becomes of messages, and what errors of a client lead to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Treatment {
    Forgiving,
    /// As Postfix has it if nothing else is said: from the tenth on a pause of a second after each,
    /// and the end after twenty. Besides, one sender is not taken, and one domain's recipients are
    /// known.
    Strict,
    /// Forgiving, and every message is put on hold.
    Holding,
}

/// How much is written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Log {
    Conversations,
    Little,
}

impl Postfix {
    /// Starts one, unless it is not installed here or cannot be started.
    pub fn start(dovecot: &Dovecot, auth: Auth) -> Option<Self> {
        if !servers::is_installed("postfix") {
            return None;
        }
        if !servers::is_root() {
            servers::skip("only root can start postfix");
            return None;
        }
        Some(servers::start(|| {
            Self::attempt(dovecot, auth, Log::Conversations, Treatment::Forgiving)
        }))
    }

    /// Starts one that does not spend its time on writing down what is said.
    pub fn start_reticent(dovecot: &Dovecot) -> Option<Self> {
        Self::start_as(dovecot, Treatment::Forgiving)
    }

    /// Starts one that has enough of its client after some errors. It does not take
    /// `refused@example.com` for a sender, and at `listed.example` it knows `known` alone.
    pub fn start_strict(dovecot: &Dovecot) -> Option<Self> {
        Self::start_as(dovecot, Treatment::Strict)
    }

    /// Starts one that keeps what it takes in its queue on hold, and does nothing more.
    pub fn start_holding(dovecot: &Dovecot) -> Option<Self> {
        Self::start_as(dovecot, Treatment::Holding)
    }

    fn start_as(dovecot: &Dovecot, treatment: Treatment) -> Option<Self> {
        if !servers::is_installed("postfix") || !servers::is_root() {
            return None;
        }
        let attempt = || Self::attempt(dovecot, Auth::Offered, Log::Little, treatment);
        Some(servers::start(attempt))
    }

    /// How many messages are on hold.
    pub fn held(&self) -> usize {
        fs::read_dir(self.site.path("queue/hold")).unwrap().count()
    }

    /// The messages on hold, each with what else its file holds.
    pub fn held_texts(&self) -> Vec<String> {
        let files = fs::read_dir(self.site.path("queue/hold")).unwrap();
        let text = |path: PathBuf| String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned();
        files.map(|file| text(file.unwrap().path())).collect()
    }

    fn attempt(
        dovecot: &Dovecot,
        auth: Auth,
        log: Log,
        treatment: Treatment,
    ) -> Result<Self, String> {
        let site = Site::new();
        let [submission, submissions] = free_ports();
        for dir in ["config", "queue", "data"] {
            fs::create_dir(site.path(dir)).unwrap();
        }
        site.give("data", "postfix");
        site.arrivals("nobody");
        let keep = site.file("keep", KEEP);
        fs::set_permissions(keep, fs::Permissions::from_mode(0o755)).unwrap();
        let main_cf = main_cf(&site, dovecot, auth, submission);
        let more = match treatment {
            Treatment::Forgiving => "smtpd_error_sleep_time = 0\n",
            Treatment::Strict => STRICT,
            Treatment::Holding => HOLDING,
        };
        site.file("config/main.cf", &(main_cf + more));
        site.file("config/master.cf", &master_cf(&site, log, submission, submissions));
        let mut postfix = Command::new("postfix");
        postfix.arg("-c").arg(site.path("config")).arg("start-fg");
        postfix.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").stdin(Stdio::null());
        let script = postfix.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let postfix = Self { site, submission, submissions, script };
        if servers::is_greeting(submission, &name(submission)) {
            Ok(postfix)
        } else {
            Err(format!("postfix does not answer:\n{}", postfix.log()))
        }
    }

    /// How to reach it.
    pub fn account(&self, tls: Tls) -> Vec<String> {
        self.site.account(self.port(tls), tls)
    }

    /// The same as keys of an account.
    pub fn table(&self) -> String {
        self.site.table(self.port(Tls::Implicit))
    }

    /// How to be turned away.
    pub fn wrong_account(&self, tls: Tls) -> Vec<String> {
        self.site.wrong_account(self.port(tls), tls)
    }

    pub fn port(&self, tls: Tls) -> u16 {
        if tls == Tls::Implicit { self.submissions } else { self.submission }
    }

    /// All that was said to it, and more.
    pub fn log(&self) -> String {
        self.site.log()
    }

    /// Waits for one message and takes it away.
    pub fn arrived(&self) -> Arrived {
        let text = self.site.arrived();
        let end = text.iter().position(|&octet| octet == b'\n').unwrap();
        let envelope = String::from_utf8(text[..end].to_vec()).unwrap();
        let mut paths = envelope.split(' ').map(str::to_owned);
        Arrived { from: paths.next().unwrap(), to: paths.collect(), text: text[end + 1..].to_vec() }
    }

    fn master(&self) -> Option<Pid> {
        let text = fs::read_to_string(self.site.path("queue/pid/master.pid")).ok()?;
        Pid::from_raw(text.trim().parse().ok()?)
    }
}

impl Drop for Postfix {
    fn drop(&mut self) {
        match self.master() {
            // It takes its processes with it, and the script ends when it does.
            Some(master) => kill_process(master, Signal::TERM).unwrap_or_default(),
            None => self.script.kill().unwrap_or_default(),
        }
        drop(self.script.wait());
    }
}

fn name(port: u16) -> String {
    format!("postie test {port}")
}

/// What takes a message: its arguments are the envelope, which goes first.
const KEEP: &str = "#!/bin/sh
set -e
cd \"$1\"
shift
file=$(mktemp tmp/XXXXXXXX)
echo \"$@\" > \"$file\"
cat >> \"$file\"
mv \"$file\" new/
";

/// How Postfix counts errors is as it comes.
const STRICT: &str = "\
smtpd_delay_reject = no
smtpd_sender_restrictions = check_sender_access inline:{refused@example.com=REJECT}
local_transport = keep:everything
virtual_mailbox_domains = listed.example
virtual_mailbox_maps = inline:{known@listed.example=known}
virtual_transport = keep:everything
";

/// What comes is durable, and goes nowhere.
const HOLDING: &str = "\
smtpd_error_sleep_time = 0
smtpd_end_of_data_restrictions = check_client_access static:HOLD
";

fn main_cf(site: &Site, dovecot: &Dovecot, auth: Auth, port: u16) -> String {
    let (root, name, sasl) = (site.root(), name(port), dovecot.sasl_socket());
    let (sasl, auth) = (sasl.display(), if auth == Auth::Offered { "yes" } else { "no" });
    format!(
        "compatibility_level = 3.6
queue_directory = {root}/queue
data_directory = {root}/data
maillog_file = {root}/log
maillog_file_prefixes = {root}
myhostname = localhost
message_size_limit = 0
mydestination =
alias_maps =
alias_database =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
smtpd_banner = $myhostname ESMTP {name}
# Everything in one delivery, and as it came: nothing added for a client of this machine, Bcc left
# to show that it came.
default_transport = keep:everything
local_header_rewrite_clients =
message_drop_headers =
smtpd_tls_cert_file = {root}/certificate.pem
smtpd_tls_key_file = {root}/key.pem
smtpd_tls_security_level = may
smtpd_tls_auth_only = yes
smtpd_sasl_auth_enable = {auth}
smtpd_sasl_type = dovecot
smtpd_sasl_path = {sasl}
smtpd_relay_restrictions = permit_sasl_authenticated, reject
"
    )
}

fn master_cf(site: &Site, log: Log, submission: u16, submissions: u16) -> String {
    let root = site.root();
    let smtpd = if log == Log::Conversations { "smtpd -v" } else { "smtpd" };
    format!(
        "127.0.0.1:{submission} inet n - n - - {smtpd}
127.0.0.1:{submissions} inet n - n - - {smtpd} -o smtpd_tls_wrappermode=yes
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
proxymap unix - - n - - proxymap
tlsmgr unix - - n 1000? 1 tlsmgr
anvil unix - - n - 1 anvil
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
keep unix - n n - - pipe
  user=nobody argv={root}/keep {root}/arrived ${{sender}} ${{recipient}}
postlog unix-dgram n - n - 1 postlogd
"
    )
}
