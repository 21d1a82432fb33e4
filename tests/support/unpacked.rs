//! Servers of which Debian installs only one: they are unpacked into trees of their own, laid over
//! this machine's directories in a mount namespace, and end with the process namespace around them.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::servers::{self, Site};

/// Where `.ci/run` unpacks them: not below /usr, since an overlay's layers may not contain each other.
const TREES: &str = "/opt/postie-test";

/// The numeric id of the user and group that a server runs as, known by name in its namespace only.
const SERVICE: u32 = 65_533;

/// The tree of the packages `name`; `None`, and the test is skipped, when it cannot be used here.
pub fn tree(name: &str) -> Option<PathBuf> {
    let tree = Path::new(TREES).join(name);
    let why = if !tree.is_dir() {
        format!("{name} is not unpacked in {TREES}")
    } else if !servers::is_root() {
        format!("only root can start {name}")
    } else if !namespaces().arg("true").stderr(Stdio::null()).status().unwrap().success() {
        format!("{name} needs namespaces of its own, which are not permitted here")
    } else {
        return Some(tree);
    };
    servers::skip(&why);
    None
}

/// A command in new mount and process namespaces. When it ends, so does every process in them.
fn namespaces() -> Command {
    let mut command = Command::new("unshare");
    command.args(["--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]);
    command
}

/// A server in its namespaces. Stopped when dropped, or when the test ends in any other way.
pub struct Unpacked {
    /// The shell that is the first process in the namespaces; it ends with its standard input.
    init: Child,
}

impl Unpacked {
    /// Creates `etc` in the site: what it will hold appears in /etc before the tree's and the
    /// machine's files. `user` is who the server runs as.
    pub fn prepare(site: &Site, user: &str) {
        fs::create_dir(site.path("etc")).unwrap();
        let and_user = |file: &str, line: String| {
            let text = fs::read_to_string(Path::new("/").join(file)).unwrap() + &line;
            site.file(file, &text);
        };
        and_user("etc/passwd", format!("{user}:x:{SERVICE}:{SERVICE}::/:/bin/false\n"));
        and_user("etc/group", format!("{user}:x:{SERVICE}:\n"));
    }

    /// Runs `script`, which starts the server in the background, with the tree laid over /usr,
    /// the site's etc and the tree's over /etc, and an empty /run. What is written to /etc and
    /// /run stays in the namespace.
    pub fn start(tree: &Path, site: &Site, script: &str) -> Self {
        let (tree, root) = (tree.display(), site.root());
        let script = format!(
            "set -e
            mount -t overlay overlay -o lowerdir={tree}/usr:/usr /usr
            mount -t tmpfs tmpfs /run
            mkdir /run/etc /run/work
            mount -t overlay overlay \
                -o lowerdir={root}/etc:{tree}/etc:/etc,upperdir=/run/etc,workdir=/run/work /etc
            {script}
            # Not in its place: somebody has to wait for the processes that lose their parents.
            cat
            exit"
        );
        let log = File::create(site.path("log")).unwrap();
        let mut command = namespaces();
        command.args(["sh", "-c", &script]).env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        command.stdin(Stdio::piped()).stdout(log.try_clone().unwrap()).stderr(log);
        Self { init: command.spawn().unwrap() }
    }
}

impl Drop for Unpacked {
    fn drop(&mut self) {
        drop(self.init.stdin.take());
        drop(self.init.wait());
    }
}
