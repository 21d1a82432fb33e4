//! The hint where no row of the table fits: `postie check` with the words of this run, if it can find
//! out more.

use std::io;

use super::hint;
use crate::config::Tls;
use crate::error::{Error, Failure};
use crate::password::{self, Source};
use crate::settings::Peer;
use crate::{net, pop3, smtp, tls, wire};

/// The words of the last row. `{check}` stands for the command.
pub(super) const CHECK: &str = "run `{check}`, which tests each step";

/// Returns the hint for a failed run; `None` if nothing is known that could help.
pub fn of_failure(failure: &Failure<'_>) -> Option<String> {
    let Failure { command, account, peer, error, .. } = *failure;
    let explained = hint(error, peer);
    if explained.is_some() || !["fetch", "send", "queue"].contains(&command) {
        return explained;
    }
    let check = match (account, peer) {
        _ if !is_for_check(error) => None,
        (Some(account), _) => Some(format!("postie check {}", word(account)?)),
        (None, Some(peer)) => check_of_ad_hoc(command, peer),
        (None, None) => None,
    };
    Some(CHECK.replace("{check}", &check?))
}

/// Returns whether a check may find out more: a server or a password failed, not temporarily, and the
/// error says nothing of a message.
fn is_for_check(error: &Error) -> bool {
    match error {
        Error::Password(error) => !matches!(error, password::Error::Interrupted(_)),
        Error::Pop3(
            pop3::Error::Login { refusal, .. }
            | pop3::Error::TurnedAway(refusal)
            | pop3::Error::Refused { refusal, .. },
        ) => !refusal.is_temporary(),
        Error::Smtp(smtp::Error::Login { refusal, .. } | smtp::Error::TurnedAway(refusal)) => {
            !refusal.is_temporary()
        }
        Error::Smtp(
            smtp::Error::Refused { .. } | smtp::Error::TooLarge { .. } | smtp::Error::InDoubt(_),
        )
        | Error::Oversized { .. } => false,
        // A signal ended it.
        Error::Pop3(pop3::Error::Wire(wire::Error::Stream { source, .. }))
        | Error::Smtp(smtp::Error::Wire(wire::Error::Stream { source, .. }))
        | Error::Tls(tls::Error::Stream(source))
        | Error::Net(net::Error::Connect(source))
            if source.kind() == io::ErrorKind::ConnectionAborted =>
        {
            false
        }
        error => error.is_remote(),
    }
}

/// Returns the check of an account that is on the command line only; `None` if it would need more
/// options than the server's.
fn check_of_ad_hoc(command: &str, peer: &Peer) -> Option<String> {
    if peer.trust != tls::Trust::default() || !matches!(peer.source, Source::Terminal) {
        return None;
    }
    let tls = match peer.tls {
        Tls::Implicit => String::new(),
        tls => format!(" --tls {}", tls.name()),
    };
    let user = word(&peer.user)?;
    Some(format!("postie check --{command} --server {peer} --user {user}{tls}"))
}

/// Returns a word as it is typed; `None` if it would need quotes.
fn word(text: &str) -> Option<&str> {
    let is_plain = |c: char| c.is_alphanumeric() || "@._-+%".contains(c);
    (!text.is_empty() && text.chars().all(is_plain)).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hints::tests::peer;
    use crate::wire::Phase;

    #[test]
    fn what_no_row_explains_is_a_case_for_a_check_unless_that_cannot_help() {
        let wire = |kind: io::ErrorKind| {
            let source = kind.into();
            wire::Error::Stream { phase: Phase::Answer("CAPA"), source }
        };
        let peer = peer("mail.example");
        let of = |command, account, peer, error: &Error| {
            of_failure(&Failure { command, account, peer: Some(peer), error, lasting: None })
        };
        let reset: Error = pop3::Error::Wire(wire(io::ErrorKind::ConnectionReset)).into();
        let home = of("fetch", Some("home"), &peer, &reset).unwrap();
        assert_eq!(home, "run `postie check home`, which tests each step");
        assert_eq!(
            of("fetch", None, &peer, &reset).unwrap(),
            "run `postie check --fetch --server mail.example:110 --user ann --tls starttls`, which \
             tests each step"
        );
        assert_eq!(of("check", Some("home"), &peer, &reset), None);
        assert_eq!(of("fetch", Some("$(x)"), &peer, &reset), None);
        let anchor = tls::TrustAnchor::Pin("00".repeat(32).parse().unwrap());
        let own = Peer { trust: tls::Trust { anchor, identity: None }, ..peer.clone() };
        assert_eq!(of("fetch", None, &own, &reset), None);
        let interrupted = pop3::Error::Wire(wire(io::ErrorKind::ConnectionAborted)).into();
        assert_eq!(of("fetch", Some("home"), &peer, &interrupted), None);
        let in_doubt = smtp::Error::InDoubt(wire(io::ErrorKind::ConnectionReset)).into();
        assert_eq!(of("send", Some("home"), &peer, &in_doubt), None);
        assert_eq!(of("fetch", Some("home"), &peer, &Error::NoRecipients), None);
    }
}
