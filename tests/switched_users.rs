//! sudo, su, cron and at in person: whatever environment they leave, what waits is in the outbox of
//! the user that the program runs as, and found there; what they say is sent by the submission
//! service. Each runs in a mount namespace with a user `ann` and a root of its own; this machine's
//! are not touched.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::postie::{Home, Outcome, Run};
use crate::support::servers;
use crate::support::sink::{Sink, Taken};
use crate::support::submit_service::{Service, config};

/// The server cannot be reached.
const AWAY: &str = "server = \"127.0.0.1:1\"\n";

/// The number of `ann`, which no Debian package has.
const ANN: u32 = 54_321;

const WAITING: &str = ".local/state/postie/outbox/waiting";

/// The homes of `root` and `ann` as `root/` and `ann/`, the program, and the files laid over those in
/// /etc.
struct System(Home);

impl System {
    /// `None`, and the test is skipped, where it cannot be run.
    fn new(needed: &[&str]) -> Option<Self> {
        if !needed.iter().all(|program| servers::is_installed(program)) {
            return None;
        }
        let mut unshare = Command::new("unshare");
        let unshared = unshare.args(["-m", "true"]).stderr(Stdio::null()).status();
        if !servers::is_root() || !unshared.unwrap().success() {
            servers::skip("only root can act as other users, in a mount namespace");
            return None;
        }
        let system = Self(Home::new());
        fs::set_permissions(system.0.path(), Permissions::from_mode(0o755)).unwrap();
        let passwd = fs::read_to_string("/etc/passwd").unwrap();
        let others = passwd.lines().filter(|line| !line.starts_with("root:"));
        let [root, ann] = ["root", "ann"].map(|user| system.path(user).display().to_string());
        let mut users = vec![
            format!("root:*:0:0:root:{root}:/bin/sh"),
            format!("ann:*:{ANN}:{ANN}::{ann}:/bin/sh"),
        ];
        users.extend(others.map(str::to_owned));
        system.public("passwd", &(users.join("\n") + "\n"));
        system.public("sudoers", "");
        system.public("crontab", "");
        let postie = system.path("postie");
        fs::copy(env!("CARGO_BIN_EXE_postie"), &postie).unwrap();
        symlink(&postie, system.path("sendmail")).unwrap();
        for user in ["root", "ann", "crontabs"] {
            fs::create_dir(system.path(user)).unwrap();
        }
        Some(system)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A file that everybody may read.
    fn public(&self, name: &str, text: &str) {
        fs::set_permissions(self.0.file(name, text), Permissions::from_mode(0o444)).unwrap();
    }

    /// Writes the configuration of both users.
    fn config(&self, text: &str) {
        for (user, uid) in [("root", 0), ("ann", ANN)] {
            fs::create_dir_all(self.path(user).join(".config/postie")).unwrap();
            self.0.file(&format!("{user}/.config/postie/config.toml"), text);
            for name in ["", ".config", ".config/postie", ".config/postie/config.toml"] {
                chown(self.path(user).join(name), Some(uid), Some(uid)).unwrap();
            }
        }
    }

    /// Runs a command as root, with this HOME.
    fn run(&self, home: &Path, words: &[&str]) -> Run {
        let script = "set -e
            mount --bind passwd /etc/passwd
            mount --bind sudoers /etc/sudoers
            mount -t tmpfs tmpfs /run
            exec \"$@\"";
        let args = ["-m", "sh", "-c", script, "sh"].into_iter().chain(words.iter().copied());
        let run = self.0.program(Path::new("/usr/bin/unshare"), args);
        run.env("HOME", home).env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
    }

    /// How many messages wait in the outbox below these directories.
    fn waiting<const N: usize>(&self, users: [&str; N]) -> [usize; N] {
        users.map(|user| self.0.files(&format!("{user}/{WAITING}")).len())
    }

    /// Waits for so many messages in a user's outbox; false if they do not come.
    fn is_reached(&self, user: &str, number: usize) -> bool {
        let start = Instant::now();
        while self.waiting([user]) < [number] && start.elapsed() < servers::PATIENCE {
            thread::sleep(Duration::from_millis(20));
        }
        self.waiting([user]) >= [number]
    }

    /// The program as a user that is changed to in the plainest way.
    fn postie_of(&self, user: &str, words: &str) -> Outcome {
        let line = format!("exec {} {words}", self.path("postie").display());
        self.run(Path::new("/"), &["su", "-", user, "-c", &line]).run()
    }
}

#[test]
fn what_waits_is_in_the_outbox_of_the_user_that_sudo_and_su_change_to() {
    let Some(system) = System::new(&["sudo", "su", "runuser", "setpriv"]) else { return };
    let sink = Sink::start(&[]);
    system.config(&sink.config(AWAY));
    // As sudo leaves HOME where it is told to keep it, and as the first of its versions did.
    let sudoers = "Defaults setenv\nDefaults:ann env_keep += \"HOME\"\n\
                   root ALL=(ALL:ALL) ALL\nann ALL=(ALL:ALL) NOPASSWD: ALL\n";
    system.public("sudoers", sudoers);
    let line = format!(
        "exec {} send --queue bob@example.net --subject=x --body=hello",
        system.path("postie").display()
    );
    let uid = ANN.to_string();
    let as_ann = ["setpriv", "--reuid", &uid, "--regid", &uid, "--clear-groups"];
    let to_root = |words: &[&'static str]| [&as_ann, words].concat();
    let ways: [(&str, Vec<&str>); 8] = [
        ("ann", vec!["sudo", "-u", "ann", "sh", "-c"]),
        ("ann", vec!["sudo", "-E", "-u", "ann", "sh", "-c"]),
        ("ann", vec!["su", "ann", "-c"]),
        ("ann", vec!["su", "-", "ann", "-c"]),
        ("ann", vec!["su", "-m", "ann", "-c"]),
        ("ann", vec!["runuser", "-u", "ann", "--", "sh", "-c"]),
        ("root", to_root(&["sudo", "sh", "-c"])),
        ("root", to_root(&["sudo", "-H", "sh", "-c"])),
    ];
    let homes = [PathBuf::from("/"), system.path("root"), system.path("ann")];
    for home in &homes {
        for (user, way) in &ways {
            let [before, others] = system.waiting([user, other(user)]);
            let words: Vec<_> = way.iter().copied().chain([line.as_str()]).collect();
            let outcome = system.run(home, &words).run();
            outcome.exit(0).says("; the message waits in the outbox as ");
            let after = system.waiting([user, other(user)]);
            assert_eq!(after, [before + 1, others], "{way:?} with HOME={}", home.display());
        }
    }
    // Whatever queued it, the user sees all of it, and it goes.
    for (user, number) in [("ann", 6 * homes.len()), ("root", 2 * homes.len())] {
        system.config(&sink.config(AWAY));
        let listed = system.postie_of(user, "queue --json").exit(0).stdout.clone();
        assert_eq!(listed.lines().count(), number, "{listed}");
        system.config(&sink.config(""));
        system.postie_of(user, "queue flush --all").exit(0).silent();
        assert_eq!((sink.taken().len(), system.waiting([user])), (number, [0]));
    }
}

fn other(user: &str) -> &'static str {
    if user == "root" { "ann" } else { "root" }
}

#[test]
fn what_sudos_mailer_could_not_send_waits_in_roots_outbox() {
    let Some(system) = System::new(&["sudo", "su"]) else { return };
    let sink = Sink::start(&[]);
    system.config(&sink.config(AWAY));
    system.public(
        "sudoers",
        &format!(
            "Defaults mail_always, mailto=\"bob@example.net\", mailerpath=\"{}\"\n\
             root ALL=(ALL:ALL) ALL\n",
            system.path("sendmail").display()
        ),
    );
    // sudo calls its mailer with HOME=/, and does not wait for it.
    system.run(&system.path("ann"), &["sudo", "-u", "ann", "true"]).run().exit(0).silent();
    assert!(system.is_reached("root", 1));
    assert!(!Path::new("/.local").exists() && system.waiting(["ann"]) == [0]);
    let listed = system.postie_of("root", "queue").exit(0).stdout.clone();
    assert!(listed.contains("bob@example.net"), "{listed}");
    system.config(&sink.config(""));
    system.postie_of("root", "queue flush --all").exit(0).silent();
    let taken = sink.taken();
    let text = taken.first().unwrap().lines();
    assert!(text.contains("\nSubject: *** SECURITY information for "), "{text}");
    assert!(text.contains(" ; USER=ann ; COMMAND=/usr/bin/true"), "{text}");
}

#[test]
fn what_cron_could_not_send_waits_in_the_outbox_of_the_crontabs_user() {
    let Some(system) = System::new(&["cron", "su", "sendmail"]) else { return };
    let sink = Sink::start(&[]);
    system.config(&sink.config(AWAY));
    let crontab = system.0.file(
        "crontabs/ann",
        format!(
            "MAILTO=bob@example.net\n@reboot echo hello from cron\n\
             @reboot {} send --queue eve@example.org --body=from-a-job 2>/dev/null\n",
            system.path("postie").display()
        ),
    );
    chown(crontab, Some(ANN), Some(ANN)).unwrap();
    // Nothing of this machine's runs, and to this daemon the machine has just started.
    let script = "set -e
        mount --bind crontab /etc/crontab
        mount -t tmpfs tmpfs /etc/cron.d
        mount --bind crontabs /var/spool/cron/crontabs
        mount --bind postie /usr/sbin/sendmail
        # As init starts it.
        exec env -u HOME cron -f";
    let mut cron = system.run(Path::new("/"), &["sh", "-c", script]).spawn();
    let is_reached = system.is_reached("ann", 2);
    cron.kill().unwrap();
    cron.wait().unwrap();
    assert!(is_reached && system.waiting(["ann", "root"]) == [2, 0]);
    let listed = system.postie_of("ann", "queue --json").exit(0).stdout.clone();
    assert_eq!(listed.lines().count(), 2, "{listed}");
    system.config(&sink.config(""));
    system.postie_of("ann", "queue flush --all").exit(0).silent();
    let mut taken: Vec<_> = sink.taken().iter().map(Taken::lines).collect();
    taken.sort_by_key(|text| text.contains("from-a-job"));
    let [cron, job] = &taken[..] else { panic!("{taken:?}") };
    assert!(
        cron.contains("\nSubject: Cron <ann@") && cron.ends_with("\n\nhello from cron\n"),
        "{cron}"
    );
    assert!(job.ends_with("from-a-job\n"), "{job}");
}

/// Runs a script for the shell as root, until the submission service has sent a message. Returns the
/// text of that, which must be ann's and kept by nobody else.
fn text_sent_by_service(system: &System, script: &str) -> Option<String> {
    let sink = Sink::start(&[]);
    let service = Service::start(&sink, "rewrite-from = \"local\"\n")?;
    let aliases = "[aliases]\nann = \"ann@example.com\"\n";
    let config = config(&sink.address.to_string(), "rewrite-from = \"local\"\n");
    service.configure(&config.replace("[aliases]\n", aliases));
    system.config(&fs::read_to_string(service.path("callers.toml")).unwrap());
    let script = format!("set -e\nmount --bind postie /usr/sbin/sendmail\n{script}");
    let mut running = system.run(Path::new("/"), &["sh", "-c", &script]).spawn();
    let is_there = servers::wait_until(|| service.log().contains(" status=0 "));
    running.kill().unwrap();
    running.wait().unwrap();
    assert!(is_there, "{}", service.log());
    service.logs(&[&format!("uid={ANN} "), "to=ann@example.com", "status=0"]);
    // Nothing is kept on the user's side.
    assert_eq!(system.waiting(["ann", "root"]), [0, 0]);
    let taken = sink.taken();
    let [message] = &taken[..] else { panic!("{taken:?}") };
    assert_eq!(message.recipients, ["<ann@example.com>"]);
    Some(message.lines())
}

#[test]
fn what_cron_says_of_a_job_is_sent_by_the_submission_service() {
    let Some(system) = System::new(&["cron", "sendmail"]) else { return };
    let crontab = system.0.file("crontabs/ann", "@reboot echo hello from cron\n");
    chown(crontab, Some(ANN), Some(ANN)).unwrap();
    let script = "mount --bind crontab /etc/crontab
        mount -t tmpfs tmpfs /etc/cron.d
        mount --bind crontabs /var/spool/cron/crontabs
        exec env -u HOME cron -f";
    let Some(text) = text_sent_by_service(&system, script) else { return };
    assert!(text.contains("\nSubject: Cron <ann@"), "{text}");
    assert!(text.contains("<ann@example.com>"), "{text}");
    assert!(text.ends_with("\n\nhello from cron\n"), "{text}");
}

#[test]
fn what_at_says_of_a_job_is_sent_by_the_submission_service() {
    let Some(system) = System::new(&["at", "atd", "sendmail"]) else { return };
    let script = format!(
        "for dir in atjobs atspool; do
            mount -t tmpfs -o mode=1770,uid=daemon,gid=daemon tmpfs /var/spool/cron/$dir
        done
        install -o daemon -g daemon -m 600 /dev/null /var/spool/cron/atjobs/.SEQ
        echo 'echo hello from at' |
            setpriv --reuid {ANN} --regid {ANN} --clear-groups env HOME=/ at now
        exec env -u HOME atd -f"
    );
    let Some(text) = text_sent_by_service(&system, &script) else { return };
    assert!(text.starts_with("Subject: Output from your job "), "{text}");
    assert!(text.ends_with("\n\nhello from at\n"), "{text}");
}

#[test]
fn what_sudo_says_of_a_refusal_is_sent_by_the_submission_service() {
    let Some(system) = System::new(&["sudo", "sendmail"]) else { return };
    system.public("sudoers", "Defaults:ann !authenticate\nroot ALL=(ALL) ALL\n");
    let script = format!("setpriv --reuid {ANN} --regid {ANN} --clear-groups sudo id || true");
    let Some(text) = text_sent_by_service(&system, &script) else { return };
    assert!(text.contains("\nSubject: *** SECURITY information for "), "{text}");
    assert!(text.contains(" : ann : user NOT in sudoers ; "), "{text}");
}

#[test]
fn a_user_who_only_fetches_sends_the_systems_mail_with_the_systems_account() {
    let Some(system) = System::new(&["setpriv"]) else { return };
    let sink = Sink::start(&[]);
    system
        .config("[account.mine.fetch]\nserver = \"127.0.0.1:1\"\ntls = \"none\"\nuser = \"ann\"\n");
    system.public("system.toml", &sink.config("").replace("queue = true", ""));
    let uid = ANN.to_string();
    let script = "set -e
        cp -a /etc /run/etc
        mount --bind /run/etc /etc
        mkdir -p /etc/postie
        cp system.toml /etc/postie/config.toml
        exec setpriv --reuid \"$1\" --regid \"$1\" --clear-groups env HOME=\"$PWD/ann\" \"$PWD/$2\" $3";
    let sendmail = |program, words| {
        let home = system.path("ann");
        let args = ["sh", "-c", script, "sh", &uid, program, words];
        system.run(&home, &args).stdin("Subject: x\n\nhello\n").run()
    };
    let sending = "-i bob@example.net";
    sendmail("sendmail", sending).exit(0).silent();
    assert_eq!(sink.taken().len(), 1);
    // What waits goes with that account, too.
    let away = sink.config("server = \"127.0.0.1:1\"");
    system.public("system.toml", &away);
    sendmail("sendmail", sending).exit(0).says("; the message waits in the outbox");
    system.public("system.toml", &sink.config(""));
    sendmail("postie", "queue flush --all").exit(0).silent();
    assert_eq!(sink.taken().len(), 1);
    // To send under its own name it is the user's own file that counts.
    sendmail("postie", "send bob@example.net").exit(78).says("no account in ");
    // And where that can send, it does.
    system.config(&sink.config("from = \"ann@example.org\""));
    sendmail("sendmail", sending).exit(0).silent();
    assert_eq!(sink.taken()[0].sender, "<ann@example.org>");
}
