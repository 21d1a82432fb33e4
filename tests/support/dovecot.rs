//! A Dovecot of the test's own: POP3 for one user, and SASL for whoever asks at its socket.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use super::servers::{self, NOBODY, PASSWORD, Site, USER, free_ports, is_root};
use super::transcript::Tls;

/// Stopped when dropped.
pub struct Dovecot {
    pub site: Site,
    pop3: u16,
    pop3s: u16,
    master: Child,
}

impl Dovecot {
    /// Starts one, unless it is not installed here.
    pub fn start() -> Option<Self> {
        servers::is_installed("dovecot").then(|| servers::start(|| Self::attempt("")))
    }

    /// The same, where a user may log in with a token, too, about which Dovecot asks at this address.
    pub fn start_with_oauth(introspection: &str) -> Option<Self> {
        let more = "auth_mechanisms = plain login scram-sha-1 scram-sha-256 oauthbearer xoauth2
passdb {
  driver = oauth2
  mechanisms = oauthbearer xoauth2
  args = ROOT/oauth2.conf
}
";
        let oauth = format!(
            "introspection_mode = get\nintrospection_url = {introspection}\n\
             active_attribute = active\nactive_value = true\nusername_attribute = username\n"
        );
        let attempt = || Self::attempt_with(more, &[("oauth2.conf", &oauth)]);
        servers::is_installed("dovecot").then(|| servers::start(attempt))
    }

    /// The same, with unique-ids that count from 1, and do so again after [`Dovecot::restore`].
    pub fn start_counting() -> Option<Self> {
        let counting = "pop3_uidl_format = %u\n";
        servers::is_installed("dovecot").then(|| servers::start(|| Self::attempt(counting)))
    }

    /// The same, with one session of a user at a time.
    pub fn start_for_one_session() -> Option<Self> {
        let one = "mail_max_userip_connections = 1\n";
        servers::is_installed("dovecot").then(|| servers::start(|| Self::attempt(one)))
    }

    fn attempt(more: &str) -> Result<Self, String> {
        Self::attempt_with(more, &[])
    }

    fn attempt_with(more: &str, files: &[(&str, &str)]) -> Result<Self, String> {
        let site = Site::new();
        for (name, text) in files {
            site.file(name, text);
        }
        let [pop3, pop3s] = free_ports();
        site.file("users", &format!("{USER}:{{PLAIN}}{PASSWORD}\n"));
        site.mail_dir("mail");
        let config = site.file(
            "dovecot.conf",
            &(config(&site, pop3, pop3s) + &more.replace("ROOT", site.root())),
        );
        let mut dovecot = Command::new("dovecot");
        dovecot.arg("-F").arg("-c").arg(config).env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        let master = dovecot.stdin(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let dovecot = Self { site, pop3, pop3s, master };
        if servers::is_greeting(pop3, &name(pop3)) {
            Ok(dovecot)
        } else {
            Err(format!("dovecot does not answer:\n{}", dovecot.site.log()))
        }
    }

    /// The arguments of a fetch from it into `~/Mail`.
    pub fn fetch(&self, tls: Tls, keep: &str) -> Vec<String> {
        self.site.fetch(self.port(tls), tls, keep)
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
        if tls == Tls::Implicit { self.pop3s } else { self.pop3 }
    }

    /// Where it answers who may log in.
    pub fn sasl_socket(&self) -> PathBuf {
        self.site.path("run/sasl")
    }

    /// Puts messages into the user's mailbox, behind those that are there.
    pub fn deliver(&self, messages: &[Vec<u8>]) {
        self.site.deliver(&mailbox(), messages);
    }

    /// The messages in the user's mailbox.
    pub fn held(&self) -> Vec<Vec<u8>> {
        self.site.held(&mailbox())
    }

    /// Puts another mailbox in the place of the user's: these messages, numbered anew.
    pub fn restore(&self, messages: &[Vec<u8>]) {
        // A session that is just over may still write there.
        let dir = self.site.path(&mailbox());
        assert!(servers::wait_until(|| fs::remove_dir_all(&dir).is_ok() || !dir.exists()));
        self.deliver(messages);
    }

    /// How many messages are in the user's mailbox.
    pub fn count(&self) -> usize {
        self.site.count(&mailbox())
    }
}

impl Drop for Dovecot {
    fn drop(&mut self) {
        // Its processes end with it when it is asked to end, not when it is killed.
        kill_process(Pid::from_child(&self.master), Signal::TERM).unwrap_or_default();
        drop(self.master.wait());
    }
}

fn mailbox() -> String {
    format!("mail/{USER}")
}

fn name(port: u16) -> String {
    format!("postie test {port}")
}

fn config(site: &Site, pop3: u16, pop3s: u16) -> String {
    let (root, greeting) = (site.root(), name(pop3));
    let users = if is_root() {
        format!("mail_uid = {NOBODY}\nmail_gid = {NOBODY}\n")
    } else {
        let (user, group) = (id("-un"), id("-gn"));
        format!(
            "default_login_user = {user}\ndefault_internal_user = {user}\n\
             default_internal_group = {group}\nmail_uid = {user}\nmail_gid = {group}\n"
        )
    };
    format!(
        "base_dir = {root}/run
state_dir = {root}/run
log_path = {root}/log
protocols = pop3
listen = 127.0.0.1
login_greeting = {greeting}
ssl = yes
ssl_cert = <{root}/certificate.pem
ssl_key = <{root}/key.pem
disable_plaintext_auth = yes
auth_mechanisms = plain login scram-sha-1 scram-sha-256
auth_failure_delay = 0
first_valid_uid = 1
{users}mail_location = maildir:{root}/mail/%u
mail_max_userip_connections = 100
passdb {{
  driver = passwd-file
  args = {root}/users
}}
userdb {{
  driver = static
  args = home={root}/mail/%u
}}
service pop3-login {{
  chroot =
  inet_listener pop3 {{
    port = {pop3}
  }}
  inet_listener pop3s {{
    port = {pop3s}
    ssl = yes
  }}
}}
service anvil {{
  chroot =
  # It delays a user who was turned away before.
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service auth {{
  unix_listener sasl {{
    mode = 0666
  }}
}}
"
    )
}

/// The name of this process's user or group, which is all that a Dovecot without root can be.
fn id(what: &str) -> String {
    let output = Command::new("id").arg(what).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
