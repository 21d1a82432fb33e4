//! What `postie install` puts where, what it takes away, and what it leaves alone.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::postie::{Home, Outcome};
use crate::support::servers;

/// Everything below a directory: files with their contents, links and directories without.
fn tree(dir: &Path) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(tree(&path));
        }
        found.insert(path.clone(), fs::read(&path).ok());
    }
    found
}

/// Runs `postie` with some words, which are to end in `status`.
#[track_caller]
fn run(home: &Home, words: &str, status: i32) -> Outcome {
    let outcome = home.postie(words.split_whitespace()).run();
    outcome.exit(status);
    outcome
}

/// The digest of a file, by another program.
fn sha256sum(path: &Path) -> String {
    let output = Command::new("sha256sum").arg(path).output().unwrap();
    String::from_utf8(output.stdout).unwrap().split(' ').next().unwrap().to_owned()
}

fn page(name: &str) -> Vec<u8> {
    fs::read(Path::new("man").join(name)).unwrap()
}

#[test]
fn what_is_installed_below_a_prefix_is_removed_to_the_last_directory() {
    let home = Home::new();
    fs::create_dir(home.path().join("usr")).unwrap();
    home.file("usr/mine", "mine");
    let before = tree(home.path());
    run(&home, "install --prefix usr", 0).silent();
    let usr = home.path().join("usr");
    for (file, text) in [
        ("share/man/man1/postie.1", page("postie.1")),
        ("share/man/man1/postie-fetch.1", page("postie-fetch.1")),
        ("share/man/man5/postie-config.5", page("postie-config.5")),
        ("share/bash-completion/completions/postie", fs::read("completions/postie.bash").unwrap()),
        ("share/zsh/site-functions/_postie", fs::read("completions/_postie").unwrap()),
        (
            "share/fish/vendor_completions.d/postie.fish",
            fs::read("completions/postie.fish").unwrap(),
        ),
    ] {
        let path = usr.join(file);
        assert!(fs::read(&path).unwrap() == text, "{file}");
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o644, "{file}");
    }
    let unit = fs::read_to_string(usr.join("lib/systemd/user/postie-fetch.service")).unwrap();
    assert!(unit.contains("\nExecStart=postie fetch\n"), "{unit}");
    for file in ["systemd/system/postie-submit.socket", "sysusers.d/postie.conf"] {
        assert!(usr.join("lib").join(file).exists(), "{file}");
    }
    let installed = tree(home.path());
    // Once more changes nothing.
    run(&home, "install --prefix usr", 0).silent();
    assert_eq!(tree(home.path()), installed);
    let listed = run(&home, "install --prefix usr --list", 0).stdout;
    assert!(listed.lines().count() > 10, "{listed}");
    assert!(listed.lines().all(|line| line.starts_with("installed /")), "{listed}");
    run(&home, "install --prefix usr --remove", 0).silent();
    assert_eq!(tree(home.path()), before);
    run(&home, "install --prefix usr --remove", 0).silent();
}

#[test]
fn a_user_has_it_in_the_data_directory() {
    let home = Home::new();
    run(&home, "install --user", 0).silent();
    let share = home.path().join(".local/share");
    assert!(share.join("man/man1/postie.1").exists());
    assert!(share.join("bash-completion/completions/postie").exists());
    let unit = fs::read_to_string(share.join("systemd/user/postie-queue.service")).unwrap();
    let command = format!("\nExecStart={} queue flush\n", env!("CARGO_BIN_EXE_postie"));
    assert!(unit.contains(&command), "{unit}");
    run(&home, "install --user --remove", 0).silent();
    assert_eq!(tree(home.path()), BTreeMap::new());
    // Where the environment says.
    let data = home.path().join("data");
    home.postie(["install", "--user"]).env("XDG_DATA_HOME", &data).run().exit(0);
    assert!(data.join("man/man1/postie.1").exists() && !home.path().join(".local").exists());
}

#[test]
fn the_pages_of_a_program_in_a_bin_of_the_users_are_found_by_man() {
    let home = Home::new();
    let bin = home.path().join(".cargo/bin");
    fs::create_dir_all(&bin).unwrap();
    // By another process: what this one writes to, it cannot run while another test starts a program.
    let copied = Command::new("cp").arg(env!("CARGO_BIN_EXE_postie")).arg(&bin).status();
    assert!(copied.unwrap().success());
    home.program(&bin.join("postie"), ["install", "--user"]).run().exit(0).stderr("");
    assert!(home.path().join(".cargo/share/man/man1/postie.1").exists());
    let unit = home.path().join(".local/share/systemd/user/postie-fetch.service");
    let command = format!("\nExecStart={} fetch\n", bin.join("postie").display());
    assert!(fs::read_to_string(unit).unwrap().contains(&command));
    let found = Command::new("man")
        .args(["-w", "postie-config"])
        .env_clear()
        .env("HOME", home.path())
        .env("PATH", format!("{}:/usr/bin:/bin", bin.display()))
        .output();
    // On a machine without man(1) there is nothing to be shown.
    if let Ok(found) = found {
        let found = String::from_utf8(found.stdout).unwrap();
        assert_eq!(
            found.trim(),
            home.path().join(".cargo/share/man/man5/postie-config.5").display().to_string()
        );
    }
}

#[test]
fn a_file_that_it_did_not_make_is_neither_replaced_nor_removed() {
    let home = Home::new();
    let path = "usr/share/man/man1/postie-send.1";
    fs::create_dir_all(home.path().join(path).parent().unwrap()).unwrap();
    home.file(path, "somebody else's");
    let before = tree(home.path());
    let error = format!(
        "postie: install: {} exists and was not installed by `postie install`, or was changed \
         since; nothing was installed\n",
        home.path().join(path).display()
    );
    run(&home, "install --prefix usr", 73).stderr(&error);
    assert_eq!(tree(home.path()), before);
    let listed = run(&home, "install --prefix usr --list", 0).stdout;
    assert!(
        listed.contains(&format!("foreign   {}", home.path().join(path).display())),
        "{listed}"
    );
    // The same as what would be installed is fine, and stays another's.
    fs::write(home.path().join(path), page("postie-send.1")).unwrap();
    let before = tree(home.path());
    run(&home, "install --prefix usr", 0).stderr("");
    run(&home, "install --prefix usr --remove", 0).stderr("");
    assert_eq!(tree(home.path()), before);
    // A link leads anywhere.
    fs::remove_file(home.path().join(path)).unwrap();
    std::os::unix::fs::symlink(home.file("page", page("postie-send.1")), home.path().join(path))
        .unwrap();
    run(&home, "install --prefix usr", 73);
}

#[test]
fn a_file_that_was_changed_stays() {
    let home = Home::new();
    run(&home, "install --prefix usr", 0);
    let path = home.file("usr/lib/systemd/user/postie-fetch.timer", "[Timer]\nOnCalendar=daily\n");
    run(&home, "install --prefix usr", 73);
    let warning = format!(
        "postie: install: {} was changed since it was installed, and is kept\n",
        path.display()
    );
    run(&home, "install --prefix usr --remove", 0).stderr(&warning);
    let left: Vec<_> = tree(home.path()).into_keys().collect();
    assert_eq!(left.last(), Some(&path));
    assert_eq!(left.len(), 5, "{left:?}");
}

#[test]
fn a_newer_version_replaces_what_an_older_one_put_there() {
    let home = Home::new();
    run(&home, "install --prefix usr", 0);
    let installed = tree(home.path());
    let record = home.path().join("usr/share/postie/installed");
    let page = home.path().join("usr/share/man/man1/postie.1");
    let now = sha256sum(&page);
    // As an older version would have left it: another text of one page, and a page that is no more.
    home.file("usr/share/man/man1/postie.1", "an older page");
    let gone = home.file("usr/share/man/man1/postie-gone.1", "a page that is gone");
    let text = fs::read_to_string(&record).unwrap().replace(&now, &sha256sum(&page));
    fs::write(&record, format!("{text}file {} {}\n", sha256sum(&gone), gone.display())).unwrap();
    let listed = run(&home, "install --prefix usr --list", 0).stdout;
    assert!(listed.contains(&format!("outdated  {}\n", page.display())), "{listed}");
    run(&home, "install --prefix usr", 0).stderr("");
    assert_eq!(tree(home.path()), installed);
}

#[test]
fn a_record_that_others_may_write_to_is_not_believed() {
    let home = Home::new();
    run(&home, "install --prefix usr", 0);
    let installed = tree(home.path());
    let record = home.path().join("usr/share/postie/installed");
    fs::set_permissions(&record, fs::Permissions::from_mode(0o666)).unwrap();
    let refused = run(&home, "install --prefix usr --remove", 73);
    assert!(refused.stderr.contains("others may write to"), "{}", refused.stderr);
    assert_eq!(tree(home.path()), installed);
}

#[test]
fn what_is_embedded_is_printed() {
    let home = Home::new();
    let man = |words: &str| run(&home, words, 0).stdout;
    assert_eq!(man("man").into_bytes(), page("postie.1"));
    for name in ["fetch", "postie-fetch", "postie-fetch.1"] {
        assert_eq!(man(&format!("man {name}")).into_bytes(), page("postie-fetch.1"));
    }
    assert_eq!(man("man config").into_bytes(), page("postie-config.5"));
    assert_eq!(man("completions fish"), fs::read_to_string("completions/postie.fish").unwrap());
    let refused = run(&home, "man nonsense", 64);
    assert!(refused.stderr.starts_with("postie: no page `nonsense`; there are postie, "));
    run(&home, "completions tcsh", 64);
}

#[test]
fn programs_get_objects() {
    let home = Home::new();
    let installed = run(&home, "install --prefix usr --json", 0).stdout;
    let path = home.path().join("usr/share/man/man1/postie.1");
    assert!(installed.starts_with("{\"installed\":["), "{installed}");
    assert!(installed.contains(path.to_str().unwrap()), "{installed}");
    let listed = run(&home, "install --prefix usr --list --json", 0).stdout;
    let first = format!("{{\"path\":\"{}\",\"state\":\"installed\"}}", path.display());
    assert_eq!(listed.lines().next(), Some(first.as_str()));
}

#[test]
fn systemd_takes_the_units() {
    let home = Home::new();
    run(&home, "install --user", 0);
    let dir = home.path().join(".local/share/systemd/user");
    let units = [
        "postie-fetch.service",
        "postie-fetch.timer",
        "postie-queue.service",
        "postie-queue.timer",
    ];
    let verified = Command::new("systemd-analyze")
        .args(["verify", "--user", "--man=no"])
        .args(units.map(|unit| dir.join(unit)))
        .env("HOME", home.path())
        .env("XDG_RUNTIME_DIR", home.path())
        .output();
    if let Ok(verified) = verified {
        let said = String::from_utf8_lossy(&verified.stderr);
        assert!(verified.status.success() && !said.contains("postie"), "{said}");
    }
}

/// The exposure that `systemd-analyze security` finds, in tenths; 10 is the most.
fn exposure(unit: &Path) -> u32 {
    let output = Command::new("systemd-analyze")
        .args(["security", "--offline=true", "--no-pager"])
        .arg(unit)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let (_, rest) = text.split_once("Overall exposure level for ").unwrap();
    let level = rest.split_whitespace().nth(1).unwrap();
    level.replace('.', "").parse().unwrap()
}

#[test]
fn systemd_takes_the_systems_units_and_finds_them_well_confined() {
    if !servers::is_installed("systemd-analyze") {
        return;
    }
    let home = Home::new();
    fs::create_dir(home.path().join("usr")).unwrap();
    run(&home, "install --prefix usr", 0).silent();
    let dir = home.path().join("usr/lib/systemd/system");
    let mut units = Vec::new();
    for entry in fs::read_dir(&dir).unwrap() {
        let path = entry.unwrap().path();
        // The program is in no directory where systemd would find it.
        let text = fs::read_to_string(&path).unwrap();
        let program = format!("ExecStart={} ", env!("CARGO_BIN_EXE_postie"));
        fs::write(&path, text.replace("ExecStart=postie ", &program)).unwrap();
        units.push(path);
    }
    fs::copy(dir.join("postie-submit@.service"), dir.join("postie-submit@1.service")).unwrap();
    assert_eq!(units.len(), 4);
    let verify = |units: &[PathBuf]| {
        let verified =
            Command::new("systemd-analyze").args(["verify", "--man=no"]).args(units).output();
        Outcome::new(verified.unwrap())
    };
    let verified = verify(&units);
    verified.exit(0);
    assert!(!verified.stderr.contains("postie"), "{}", verified.stderr);
    for unit in ["postie-queue.service", "postie-submit@1.service"] {
        let path = dir.join(unit);
        let text = fs::read_to_string(&path).unwrap();
        for line in [
            "NoNewPrivileges=yes",
            "ProtectSystem=strict",
            "StateDirectory=postie",
            "LimitCORE=0",
            "User=postie",
            "Environment=XDG_STATE_HOME=%S/postie TMPDIR=%S/postie",
            "LoadCredential=password:/etc/postie/password",
        ] {
            assert!(text.lines().any(|found| found == line), "{unit}: {line}");
        }
        // 9.6 without any of it.
        let exposure = exposure(&path);
        assert!(exposure <= 20, "{unit}: {exposure}");
    }
    // A word that systemd does not know is seen.
    let service = dir.join("postie-queue.service");
    let text = fs::read_to_string(&service).unwrap();
    fs::write(&service, text.replace("ProtectSystem=", "ProtectSytem=")).unwrap();
    assert!(verify(&[service]).stderr.contains("ProtectSytem"));
}
