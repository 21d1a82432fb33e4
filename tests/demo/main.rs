//! `cargo run --example demo`: a message to oneself, sent with the real `postie send` and fetched
//! with the real `postie fetch`, by way of a small mail server on this machine. The directory where
//! it happens is left for the reader to explore.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a demonstration that meets the unexpected should stop there and say so"
)]

use std::fs;
use std::io::{BufRead, BufReader, IsTerminal};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use pki::Authority;
use server::Server;

#[expect(dead_code, reason = "shared with the tests")]
#[path = "../support/pki.rs"]
mod pki;
#[path = "../support/server.rs"]
mod server;

const TEXT: &str = "Hello Ann,\n\nthe picture is attached.\n\nAnn\n";

const PICTURE: &str = "\
<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 12 8\" fill=\"none\" stroke=\"black\">
  <path d=\"M1 1h10v6H1zl5 4 5-4\"/>
</svg>
";

fn main() {
    let postie = build();
    let home = tempfile::Builder::new().prefix("postie-demo-").tempdir().unwrap().keep();
    let authority = Authority::new();
    let users = [("ann@example.com", "not-a-secret")];
    let server = Server::start(authority.issue(&["127.0.0.1"]).config(), &users);
    let config = format!(
        "[account.demo]\n\
         server = \"127.0.0.1\"\n\
         user = \"ann@example.com\"\n\
         password = \"not-a-secret\"\n\
         \n\
         # What only a demonstration needs: its own authority, and ports that were free.\n\
         ca-file = \"ca.pem\"\n\
         fetch.port = {}\n\
         send.port = {}\n",
        server.pop3.port(),
        server.smtp.port()
    );
    fs::write(home.join("ca.pem"), authority.pem()).unwrap();
    fs::write(home.join("config.toml"), &config).unwrap();
    fs::set_permissions(home.join("config.toml"), fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(home.join("text"), TEXT).unwrap();
    fs::write(home.join("Grüße.svg"), PICTURE).unwrap();
    let demo = Demo { postie, home };

    say("A POP3 and an SMTP server run on this machine, both with TLS. This is Ann's account:");
    demo.shell("cat config.toml");
    say("She sends a message with an attachment to herself:");
    demo.shell(
        "postie -c config.toml send --to ann@example.com --subject Grüße \
         --attach Grüße.svg < text",
    );
    say("Now she fetches it, and watches the conversation:");
    demo.shell("postie -c config.toml fetch --verbose");
    say("It is in her Maildir:");
    demo.shell("ls Maildir/new");
    demo.shell("head -n 24 Maildir/new/*");
    say("A second run finds nothing to do, since the journal remembers what was fetched:");
    demo.shell("postie -c config.toml fetch --json");
    demo.shell("cat .local/state/postie/fetch/*/journal");

    let home = demo.home.display();
    say("The servers end here. The directory stays, to look around in:");
    println!("  cd {home}");
    println!("  less Maildir/new/*      # the message");
    println!("  find .                  # everything that was written");
    println!("  rm -r {home}");
}

/// The program as it is now: for an example alone, cargo does not build it.
fn build() -> PathBuf {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--bin=postie", "--message-format=json-render-diagnostics"]);
    cargo.arg("--manifest-path").arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml"));
    if !cfg!(debug_assertions) {
        cargo.arg("--release");
    }
    let mut child = cargo.stdout(Stdio::piped()).spawn().unwrap();
    let messages = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let executable = messages.filter_map(|line| {
        let message: serde_json::Value = serde_json::from_str(&line).ok()?;
        message.get("executable")?.as_str().map(PathBuf::from)
    });
    let executable = executable.last();
    assert!(child.wait().unwrap().success(), "postie does not build");
    executable.unwrap()
}

/// The program, and the home directory that it is run in.
struct Demo {
    postie: PathBuf,
    home: PathBuf,
}

impl Demo {
    /// Shows a command as it would be typed, and runs it.
    fn shell(&self, line: &str) {
        println!("{}", bold(&format!("$ {line}")));
        let programs = self.postie.parent().unwrap().display();
        let status = Command::new("sh")
            .args(["-c", line])
            .env_clear()
            .env("HOME", &self.home)
            .env("PATH", format!("{programs}:/usr/local/bin:/usr/bin:/bin"))
            .current_dir(&self.home)
            .status()
            .unwrap();
        assert!(status.success(), "{status}");
    }
}

fn say(text: &str) {
    println!("\n{text}\n");
}

fn bold(text: &str) -> String {
    if std::io::stdout().is_terminal() { format!("\x1b[1m{text}\x1b[m") } else { text.to_owned() }
}
