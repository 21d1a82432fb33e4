//! mpop: another program that fetches mail, for comparison.

use std::fs;
use std::process::{Command, Stdio};

use super::maildrop::Maildrop;
use super::postie::Home;
use super::servers::{self, PASSWORD, USER};
use super::transcript::Tls;

/// Fetches with it into a home of its own: the messages of the maildrop. `None` when it is
/// not installed here.
pub fn fetch(server: &dyn Maildrop, tls: Tls) -> Option<Vec<Vec<u8>>> {
    servers::installed("mpop")?;
    let home = Home::new();
    for part in ["tmp", "new", "cur"] {
        fs::create_dir_all(home.path().join("Mail").join(part)).unwrap();
    }
    let config = format!(
        "account test\nhost 127.0.0.1\nport {}\nuser {USER}\npassword {PASSWORD}\nauth {}\ntls on\n\
         tls_starttls {}\ntls_trust_file {}\nkeep on\nreceived_header off\n\
         uidls_file {4}/uidls\ndelivery maildir {4}/Mail\n",
        server.port(tls),
        server.mpops_auth(),
        if tls == Tls::Starttls { "on" } else { "off" },
        server.site().path("ca.pem").display(),
        home.path().display()
    );
    let config = home.file("mpoprc", config);
    let mut mpop = Command::new("mpop");
    mpop.arg("-q").arg("-C").arg(config).arg("test").env("HOME", home.path());
    let output = mpop.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "mpop: {}", String::from_utf8_lossy(&output.stderr));
    Some(home.messages("Mail"))
}
