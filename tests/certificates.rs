//! Certificates that no authority issues any more, as OpenSSL makes and serves them: each is refused
//! with what is wrong with it, and a pin is proposed only where it helps.

use std::fs;
use std::io::{BufRead, BufReader, Lines, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use crate::support::postie::Home;
use crate::support::servers;

/// A server certificate and the chain to the authority: each is signed by the one before.
struct Case {
    chain: &'static [Link],
    /// The reason why it is refused.
    words: &'static str,
    /// Whether its own pin makes it good.
    is_helped_by_a_pin: bool,
}

/// A certificate of the chain.
struct Link {
    bits: u32,
    digest: &'static str,
    extensions: &'static str,
    /// The day of its issue, for faketime. It is valid for twenty days.
    issued: &'static str,
}

const INTERMEDIATE: Link = Link {
    bits: 2048,
    digest: "-sha256",
    extensions: "basicConstraints = critical, CA:TRUE",
    issued: "1 hour ago",
};

const SERVER: Link = Link {
    extensions: "basicConstraints = CA:FALSE\nsubjectAltName = IP:127.0.0.1",
    ..INTERMEDIATE
};

const CASES: &[Case] = &[
    Case {
        chain: &[Link { bits: 1024, ..SERVER }],
        words: "its RSA key of 1024 bits is too short; 2048 are needed",
        is_helped_by_a_pin: false,
    },
    Case {
        chain: &[Link { digest: "-sha1", ..SERVER }],
        words: "it is signed by an algorithm that is not secure",
        is_helped_by_a_pin: true,
    },
    Case {
        chain: &[Link { issued: "2026-01-01 12:00:00", ..INTERMEDIATE }, SERVER],
        words: "a certificate between it and its authority expired on 2026-01-21",
        is_helped_by_a_pin: true,
    },
    Case {
        chain: &[
            Link {
                extensions: "basicConstraints = critical, CA:TRUE\n\
                             nameConstraints = critical, permitted;IP:192.0.2.0/255.255.255.0",
                ..INTERMEDIATE
            },
            SERVER,
        ],
        words: "its authority may not issue certificates for this name",
        is_helped_by_a_pin: true,
    },
    Case {
        chain: &[
            Link { extensions: "basicConstraints = critical, CA:TRUE, pathlen:0", ..INTERMEDIATE },
            INTERMEDIATE,
            SERVER,
        ],
        words: "too many certificates are between it and its authority",
        is_helped_by_a_pin: true,
    },
];

#[test]
fn what_no_authority_issues_any_more_is_named_and_a_pin_proposed_where_it_helps() {
    let (Some(openssl), Some(faketime)) =
        (servers::installed("openssl"), servers::installed("faketime"))
    else {
        return;
    };
    for case in CASES {
        let home = Home::new();
        let files = Files { dir: home.path(), openssl: &openssl, faketime: &faketime };
        files.authority();
        for (number, link) in (1..).zip(case.chain) {
            files.issue(number, link);
        }
        let server = files.serve(case.chain.len());
        let port = server.port;
        let pin = files.pin(case.chain.len());
        let check = |trust: &str| {
            home.config(&format!(
                "[account.home]\nserver = \"127.0.0.1\"\nport = {port}\nuser = \"ann\"\n\
                 password = \"not-a-secret\"\n{trust}"
            ));
            home.postie(["check", "--fetch"]).run()
        };
        let refused = check("ca-file = \"0.pem\"").exit(77).stdout.clone();
        let line = format!("\nFAILED certificate: certificate refused: {}\nhint: ", case.words);
        assert!(refused.contains(&line), "{refused}");
        let proposed = format!("pin = \"{pin}\"");
        assert_eq!(refused.contains(&proposed), case.is_helped_by_a_pin, "{refused}");
        // Words behind the greeting that nobody asked for end the check at once.
        server.child.stdin.as_ref().unwrap().write_all(b"+OK\r\n-ERR\r\n").unwrap();
        let pinned = check(&proposed).stdout.clone();
        assert_eq!(pinned.contains("\nok certificate: "), case.is_helped_by_a_pin, "{pinned}");
    }
}

/// The files of a chain: number 0 is the authority, and each number has a key and a certificate.
struct Files<'a> {
    dir: &'a Path,
    openssl: &'a Path,
    faketime: &'a Path,
}

/// `openssl s_server`, which is ended with the test.
struct Server {
    child: Child,
    port: u16,
    /// Open, so that what it says of its connections does not end it.
    _output: Lines<BufReader<ChildStdout>>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Files<'_> {
    fn file(&self, number: usize, kind: &str) -> PathBuf {
        self.dir.join(format!("{number}.{kind}"))
    }

    fn run(command: &mut Command) -> Vec<u8> {
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }

    fn authority(&self) {
        let words = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=fake", "-days"];
        let mut command = Command::new(self.openssl);
        command.args(words).arg("20").arg("-keyout").arg(self.file(0, "key"));
        Self::run(command.arg("-out").arg(self.file(0, "pem")));
    }

    /// Issues a certificate that the one before signs.
    fn issue(&self, number: usize, link: &Link) {
        let (key, request) = (self.file(number, "key"), self.file(number, "csr"));
        let mut command = Command::new(self.openssl);
        command.args(["req", "-newkey", &format!("rsa:{}", link.bits), "-nodes", "-subj"]);
        command.arg(format!("/CN=fake {number}")).arg("-keyout").arg(key);
        Self::run(command.arg("-out").arg(&request));
        let extensions = self.file(number, "ext");
        fs::write(&extensions, link.extensions).unwrap();
        let mut command = Command::new(self.faketime);
        command.arg(link.issued).arg(self.openssl).args(["x509", "-req", "-days", "20"]);
        command.arg(link.digest).arg("-in").arg(request).arg("-extfile").arg(extensions);
        command.arg("-CA").arg(self.file(number - 1, "pem"));
        command.arg("-CAkey").arg(self.file(number - 1, "key")).arg("-CAcreateserial");
        Self::run(command.arg("-out").arg(self.file(number, "pem")));
    }

    /// The SHA-256 of a certificate, in hexadecimal digits.
    fn pin(&self, number: usize) -> String {
        let mut command = Command::new(self.openssl);
        command.args(["x509", "-noout", "-fingerprint", "-sha256", "-in"]);
        let line = Self::run(command.arg(self.file(number, "pem")));
        let line = String::from_utf8(line).unwrap();
        let (_, digits) = line.trim_end().split_once('=').unwrap();
        digits.replace(':', "").to_ascii_lowercase()
    }

    /// Serves the last certificate with all of the chain but the authority's.
    fn serve(&self, last: usize) -> Server {
        let chain: String =
            (1..last).map(|number| fs::read_to_string(self.file(number, "pem")).unwrap()).collect();
        let file = self.dir.join("chain.pem");
        fs::write(&file, &chain).unwrap();
        let mut command = Command::new(self.openssl);
        // OpenSSL itself would not show such certificates either.
        command.args(["s_server", "-cipher", "ALL:@SECLEVEL=0", "-accept", "127.0.0.1:0"]);
        command.arg("-cert").arg(self.file(last, "pem")).arg("-key").arg(self.file(last, "key"));
        if !chain.is_empty() {
            command.arg("-cert_chain").arg(file);
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap()).lines();
        let port = output.find_map(|line| {
            line.unwrap().strip_prefix("ACCEPT ")?.rsplit(':').next()?.parse().ok()
        });
        Server { child, port: port.unwrap(), _output: output }
    }
}
