//! Who may write what postie obeys, and who may read what is secret: as root, as users of several
//! kinds, and where files come from elsewhere. Most of it takes root, to act as others.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::support::postie::{Home, Run};
use crate::support::servers::{self, NOBODY};
use crate::support::sink::Sink;

/// Nobody listens there, so that a run which gets this far ends with 75.
const ACCOUNT: &str = "[account.home]\nserver = \"127.0.0.1:1\"\nuser = \"ann@example.com\"\n";
const REACHED: &str = "127.0.0.1:1: cannot connect";

/// A user without a name, whose number no Debian package has.
const ANN: u32 = 54_321;

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn own(path: &Path, user: u32, group: u32) {
    chown(path, Some(user), Some(group)).unwrap();
}

/// Runs something that must work.
fn run(program: &str, args: &[&str]) {
    assert!(Command::new(program).args(args).status().unwrap().success(), "{program} {args:?}");
}

/// Whether the rest of a test can be run: it acts as other users.
fn can_act(needed: &[&str]) -> bool {
    let missing = needed.iter().find(|program| !servers::is_installed(program));
    match missing {
        _ if !servers::is_root() => servers::note("SKIPPED: only root can act as other users"),
        Some(program) => servers::note(&format!("SKIPPED: {program} is not installed")),
        None => return true,
    }
    false
}

/// A home with a configuration, and postie where every user can run it.
struct Place {
    home: Home,
    config: PathBuf,
    postie: PathBuf,
}

impl Place {
    fn new(account: &str) -> Self {
        let home = Home::new();
        let config = home.config(&format!("{ACCOUNT}{account}"));
        let postie = home.path().join("postie");
        let built = Path::new(env!("CARGO_BIN_EXE_postie"));
        if fs::hard_link(built, &postie).is_err() {
            fs::copy(built, &postie).unwrap();
        }
        Self { home, config, postie }
    }

    fn dir(&self) -> &Path {
        self.config.parent().unwrap()
    }

    /// Gives the home and what is in it to a user.
    fn belongs_to(&self, user: u32, group: u32) {
        for made in [".local", "Maildir"] {
            drop(fs::remove_dir_all(self.home.path().join(made)));
        }
        for path in [self.home.path(), &self.home.path().join(".config"), self.dir(), &self.config]
        {
            own(path, user, group);
        }
    }

    fn fetch(&self) -> Run {
        self.home.postie(["fetch"])
    }

    fn fetch_as(&self, user: u32, group: u32) -> Run {
        let (user, group) = (user.to_string(), group.to_string());
        let head = ["--reuid", &user, "--regid", &group, "--clear-groups"].map(str::to_owned);
        let rest = [self.postie.to_str().unwrap(), "fetch"].map(str::to_owned);
        self.home.program(Path::new("/usr/bin/setpriv"), head.into_iter().chain(rest))
    }
}

const COMMAND: &str = "password-command = \"touch ran; echo not-a-secret\"\n";

#[test]
fn a_configuration_that_others_may_write_is_refused_and_its_commands_are_not_run() {
    let place = Place::new(COMMAND);
    let refused = |path: &Path, right: u32, wrong: &[u32]| {
        for &mode in wrong {
            chmod(path, mode);
            let words = format!("others may write to {}: `chmod go-w` it\n", path.display());
            place.fetch().run().exit(78).says(&words);
            assert!(!place.home.path().join("ran").exists(), "{mode:o}");
        }
        chmod(path, right);
    };
    refused(&place.config, 0o600, &[0o602, 0o666]);
    refused(place.dir(), 0o700, &[0o702, 0o777]);
    // In a sticky directory nobody can put another file in its place.
    chmod(place.dir(), 0o1777);
    place.fetch().run().exit(75).says(REACHED);
}

#[test]
fn a_configuration_of_another_user_is_refused_and_its_commands_are_not_run() {
    if !can_act(&[]) {
        return;
    }
    let place = Place::new(COMMAND);
    for path in [&place.config, &place.dir().to_owned()] {
        own(path, NOBODY, NOBODY);
        let words = format!("{} belongs to another user (nobody)\nhint: `chown`", path.display());
        place.fetch().run().exit(78).says(&words);
        own(path, 0, 0);
    }
    // Whoever can write where a link leads decides what is in it.
    let elsewhere = place.home.path().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    fs::rename(&place.config, elsewhere.join("config.toml")).unwrap();
    symlink(elsewhere.join("config.toml"), &place.config).unwrap();
    place.fetch().run().exit(75).says(REACHED);
    fs::remove_file(place.home.path().join("ran")).unwrap();
    own(&elsewhere, NOBODY, NOBODY);
    place.fetch().run().exit(78).says("elsewhere belongs to another user (nobody)");
    assert!(!place.home.path().join("ran").exists());
}

#[test]
fn every_file_that_is_obeyed_is_looked_at() {
    let place = Place::new("password = \"not-a-secret\"\n");
    let file = place.home.file("file", "not-a-secret\n");
    for (account, mode, words) in [
        ("ca-file = \"file\"\npassword = \"not-a-secret\"\n", 0o646, "others may write to "),
        ("password-file = \"file\"\n", 0o602, "others may write to "),
        ("password-file = \"file\"\n", 0o604, "others may read "),
        ("client-cert = \"file\"\nclient-key = \"file\"\n", 0o606, "others may write to "),
    ] {
        chmod(&file, mode);
        place.home.config(&format!("{ACCOUNT}{account}"));
        place.fetch().run().exit(78).says(&format!("{words}{}", file.display()));
    }
    chmod(&file, 0o600);
    place.fetch().run().exit(78).says("file: it contains no certificate");
}

#[test]
fn a_group_of_the_users_own_may_write_and_another_may_not() {
    if !can_act(&["setpriv"]) {
        return;
    }
    let place = Place::new(COMMAND);
    // With a umask of 002.
    chmod(&place.config, 0o664);
    chmod(place.dir(), 0o775);
    // Of the same number; of the same name, as Debian's package makes it; and neither.
    let name = |database| {
        let found = Command::new("getent").args([database, "dovecot"]).output().unwrap();
        let line = String::from_utf8(found.stdout).unwrap();
        line.split(':').nth(2).and_then(|number| number.parse::<u32>().ok())
    };
    for (user, group) in [(ANN, Some(ANN)), (name("passwd").unwrap_or(ANN), name("group"))] {
        let Some(group) = group else { continue };
        place.belongs_to(user, group);
        place.fetch_as(user, group).run().exit(75).says(REACHED);
        place.belongs_to(user, 100);
        place.fetch_as(user, group).run().exit(78).says("others may write to ");
    }
    // What another user's file may hold of a secret is for that user alone.
    let place = Place::new("password = \"not-a-secret\"\n");
    place.belongs_to(ANN, ANN);
    place.fetch_as(ANN, ANN).run().exit(75).says(REACHED);
    chmod(&place.config, 0o640);
    place.fetch_as(ANN, ANN).run().exit(78).says("others may read ");
    // What root's holds, a group may read, but not everybody.
    own(&place.config, 0, ANN);
    place.fetch_as(ANN, ANN).run().exit(75).says(REACHED);
    chmod(&place.config, 0o644);
    let hint = "hint: if all users may read it, as in a container: `password-command = ";
    place.fetch_as(ANN, ANN).run().exit(78).says(hint);
}

#[test]
fn credentials_as_systemd_makes_them_are_read_and_an_acl_is_no_way_around() {
    if !can_act(&["setpriv", "setfacl"]) {
        return;
    }
    let place = Place::new("password-file = \"$CREDENTIALS_DIRECTORY/mail\"\n");
    place.belongs_to(ANN, ANN);
    place.fetch_as(ANN, ANN).run().exit(78).says("$CREDENTIALS_DIRECTORY is not set");
    let dir = place.home.path().join("credentials");
    fs::create_dir(&dir).unwrap();
    let file = dir.join("mail");
    fs::write(&file, "not-a-secret").unwrap();
    chmod(&file, 0o400);
    chmod(&dir, 0o500);
    let fetch = || place.fetch_as(ANN, ANN).env("CREDENTIALS_DIRECTORY", &dir).run();
    fetch().exit(78).says("permission denied");
    let grant = |who: &str, path: &Path| run("setfacl", &["-m", who, path.to_str().unwrap()]);
    grant(&format!("u:{ANN}:rx"), &dir);
    grant(&format!("u:{ANN}:r"), &file);
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o440);
    fetch().exit(75).says(REACHED);
    // The group digit is the ACL's mask, and its group is root's own: who may write is in the list.
    grant("u:nobody:rw", &file);
    fetch().exit(78).says("others may write to ");
    grant("u:nobody:r", &file);
    fetch().exit(75).says(REACHED);

    place.home.config(&format!("{ACCOUNT}password-file = \"$HOME/mail\"\n"));
    let words = "`$HOME/mail`: only $CREDENTIALS_DIRECTORY is expanded in paths";
    fetch().exit(78).says(words);
}

#[test]
fn what_is_mounted_from_elsewhere_counts_where_nobody_can_write_to_it() {
    if !can_act(&["unshare"]) {
        return;
    }
    let place = Place::new("password = \"not-a-secret\"\n");
    let there = place.home.path().join("there");
    fs::create_dir(&there).unwrap();
    fs::rename(&place.config, there.join("config.toml")).unwrap();
    own(&there, ANN, ANN);
    own(&there.join("config.toml"), ANN, ANN);
    let mounted = |options: &str| {
        let (from, to, postie) = (&there, place.dir(), &place.postie);
        let script = format!(
            "mount --bind {from} {to} && mount -o remount,{options},bind {to} && {postie} fetch",
            from = from.display(),
            to = to.display(),
            postie = postie.display(),
        );
        let args = ["-m", "sh", "-c", &script].map(str::to_owned);
        place.home.program(Path::new("/usr/bin/unshare"), args).run()
    };
    if mounted("ro").stderr.contains("mount: ") {
        return servers::note("SKIPPED: nothing can be mounted here");
    }
    mounted("rw").exit(78).says(&format!("belongs to another user ({ANN})"));
    mounted("ro").exit(75).says(REACHED);
    // To whom it belongs counts as the user, and nobody else does.
    chmod(&there.join("config.toml"), 0o640);
    mounted("ro").exit(78).says("others may read ");
    chmod(&there.join("config.toml"), 0o622);
    mounted("ro").exit(78).says("others may write to ");
}

#[test]
fn a_file_system_that_gives_every_file_to_one_user_gives_them_to_this_one() {
    if !can_act(&["bindfs"]) {
        return;
    }
    let place = Place::new("password = \"not-a-secret\"\nmaildir = \"disk/Mail\"\n");
    let there = place.home.path().join("there");
    let disk = place.home.path().join("disk");
    fs::create_dir(&there).unwrap();
    fs::create_dir(&disk).unwrap();
    fs::copy(&place.config, there.join("config.toml")).unwrap();
    chmod(&there, 0o700);
    let mut bindfs = Command::new("bindfs");
    bindfs.args(["-f", &format!("--force-user={ANN}")]).args([&there, &disk]);
    let Ok(mut mounted) = bindfs.stderr(Stdio::null()).spawn() else { return };
    let config = disk.join("config.toml");
    let is_there = (0..100).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(20));
        config.exists()
    });
    let outcome =
        is_there.then(|| place.home.postie(["--config", config.to_str().unwrap(), "fetch"]).run());
    drop(Command::new("umount").arg(&disk).stderr(Stdio::null()).status());
    drop(mounted.kill());
    mounted.wait().unwrap();
    match outcome {
        Some(outcome) => drop(outcome.exit(75).says(REACHED)),
        None => servers::note("SKIPPED: no file system can be made here"),
    }
}

#[test]
fn directories_of_another_users_environment_are_passed_over() {
    if !can_act(&["setpriv"]) {
        return;
    }
    let place = Place::new("");
    place.belongs_to(ANN, ANN);
    let foreign = Home::new();
    foreign.config("this is no configuration");
    // The home of this user without a name is known from the environment alone.
    let fetch = |name: &str, value: &Path| place.fetch_as(ANN, ANN).env(name, value).run();
    fetch("HOME", foreign.path())
        .exit(78)
        .says("no home directory: set HOME to a directory that belongs to this user");
    fetch("HOME", Path::new("/"))
        .exit(78)
        .says("no home directory: set HOME to a directory that belongs to this user");
    // Root's, which cannot be read; another user's; and one that depends on where this is run.
    let outcome = fetch("XDG_CONFIG_HOME", &foreign.path().join(".config"));
    outcome.exit(78).says("no password is configured");
    for dir in ["", ".config", ".config/postie"] {
        own(&foreign.path().join(dir), NOBODY, NOBODY);
        chmod(&foreign.path().join(dir), 0o755);
    }
    let outcome = fetch("XDG_CONFIG_HOME", &foreign.path().join(".config"));
    outcome.exit(78).says("no password is configured");
    fetch("XDG_CONFIG_HOME", Path::new(".config")).exit(78).says("no password is configured");
}

#[test]
fn mail_is_not_put_into_another_users_maildir() {
    if !can_act(&[]) {
        return;
    }
    for part in ["", "tmp", "new", "cur"] {
        let place = Place::new("password = \"not-a-secret\"\nmaildir = \"Mail\"\n");
        let maildir = place.home.path().join("Mail");
        for dir in ["", "tmp", "new", "cur"] {
            fs::create_dir_all(maildir.join(dir)).unwrap();
        }
        own(&maildir.join(part), NOBODY, NOBODY);
        place.fetch().run().exit(73).says("belongs to another user (nobody)");
    }
}

#[test]
fn no_copy_of_what_was_sent_is_put_into_another_users_maildir() {
    if !can_act(&[]) {
        return;
    }
    let sink = Sink::start(&[]);
    for part in ["", "tmp", "new", "cur"] {
        let home = Home::new();
        home.config(&sink.config("sent-maildir = \"Sent\""));
        let maildir = home.path().join("Sent");
        for dir in ["", "tmp", "new", "cur"] {
            fs::create_dir_all(maildir.join(dir)).unwrap();
        }
        own(&maildir.join(part), NOBODY, NOBODY);
        let outcome = home.postie(["send", "bob@example.net", "--body=hello"]).run();
        // The message is another matter.
        outcome.exit(0).says("its copy was not kept: ").says("belongs to another user (nobody)");
        for dir in ["tmp", "new", "cur"] {
            assert!(home.files(&format!("Sent/{dir}")).is_empty(), "{part}");
        }
    }
    assert_eq!(sink.taken().len(), 4);
}
