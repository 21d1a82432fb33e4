//! SCRAM-SHA-1 and SCRAM-SHA-256 (RFC 5802, RFC 7677), with channel binding (RFC 9266) where there
//! is a channel to bind to. The password stays on this side, and the server must show that it
//! knows it, too.

use std::borrow::Cow;
use std::num::NonZeroU32;

use aws_lc_rs::{constant_time, digest, hmac, pbkdf2};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::{Binding, Error};
use crate::limits;
use crate::text::Secret;

/// The hash function.
#[derive(Clone, Copy)]
pub(super) enum Hash {
    Sha1,
    Sha256,
}

impl Hash {
    fn pbkdf2(self) -> pbkdf2::Algorithm {
        match self {
            Self::Sha1 => pbkdf2::PBKDF2_HMAC_SHA1,
            Self::Sha256 => pbkdf2::PBKDF2_HMAC_SHA256,
        }
    }

    fn hmac(self) -> hmac::Algorithm {
        match self {
            Self::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha256 => hmac::HMAC_SHA256,
        }
    }

    fn digest(self) -> &'static digest::Algorithm {
        match self {
            Self::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha256 => &digest::SHA256,
        }
    }
}

/// The TLS connection as the login knows it (RFC 5802 §6).
#[derive(Clone, Copy, Debug)]
pub(super) enum Channel {
    /// The login holds on this connection only.
    Bound(Binding),
    /// The client could, but the server did not offer it. A server that did offer it can tell from
    /// this that the offer was removed on the way.
    NotOffered,
    /// There is nothing to bind to, or it is not wanted.
    Unbound,
}

impl Channel {
    /// RFC 5801 §4.
    fn gs2_header(&self) -> &'static str {
        match self {
            Self::Bound(_) => "p=tls-exporter,,",
            Self::NotOffered => "y,,",
            Self::Unbound => "n,,",
        }
    }

    fn octets(&self) -> &[u8] {
        match self {
            Self::Bound(binding) => binding,
            Self::NotOffered | Self::Unbound => &[],
        }
    }
}

/// The client's side of the conversation.
pub(super) struct Scram {
    hash: Hash,
    password: Secret,
    channel: Channel,
    nonce: String,
    user: String,
    stage: Stage,
}

enum Stage {
    /// Salt and rounds are due.
    First,
    /// The server's signature is due, and must be this.
    Final(Vec<u8>),
    Proven,
}

impl Scram {
    /// A SCRAM exchange before its first message. On a bound channel it is the -PLUS mechanism.
    pub(super) fn new(
        hash: Hash,
        user: &str,
        password: &str,
        channel: Channel,
        nonce: [u8; 18],
    ) -> Self {
        let prepared = |text: &str| {
            // RFC 5802 §2.2 wants SASLprep (RFC 4013); what it forbids is left to the server.
            stringprep::saslprep(text).map_or_else(|_| text.to_owned(), Cow::into_owned)
        };
        Self {
            hash,
            password: Secret::new(prepared(password)),
            channel,
            nonce: STANDARD.encode(nonce),
            user: prepared(user).replace('=', "=3D").replace(',', "=2C"),
            stage: Stage::First,
        }
    }

    /// The client's first message.
    pub(super) fn first(&self) -> String {
        format!("{}{}", self.channel.gs2_header(), self.first_bare())
    }

    /// The answer to a server's message; `None` when the login is to be broken off, because the
    /// server has said why it refuses.
    pub(super) fn respond(
        &mut self,
        challenge: &str,
        wrong: impl Fn() -> Error,
    ) -> Result<Option<String>, Error> {
        match &self.stage {
            Stage::First => self.last(challenge, wrong).map(Some),
            Stage::Final(signature) => {
                if challenge.starts_with("e=") {
                    return Ok(None);
                }
                let verifier = challenge.strip_prefix("v=").ok_or_else(&wrong)?;
                // Extensions may follow.
                let verifier = verifier.split(',').next().unwrap_or_default();
                let verifier = STANDARD.decode(verifier).map_err(|_| wrong())?;
                constant_time::verify_slices_are_equal(&verifier, signature)
                    .map_err(|_| Error::Unproven)?;
                self.stage = Stage::Proven;
                Ok(Some(String::new()))
            }
            Stage::Proven => Ok(None),
        }
    }

    /// Returns whether the server has proved that it knows the password.
    pub(super) fn is_proven(&self) -> bool {
        matches!(self.stage, Stage::Proven)
    }

    fn first_bare(&self) -> String {
        format!("n={},r={}", self.user, self.nonce)
    }

    /// RFC 5802 §3 and §5: the client's last message, from the server's first.
    fn last(&mut self, server_first: &str, wrong: impl Fn() -> Error) -> Result<String, Error> {
        let mut attributes = server_first.split(',');
        let mut attribute = |name| attributes.next().and_then(|text| text.strip_prefix(name));
        // A mandatory extension `m=` in front is unknown here, so it fails (RFC 5802 §5.1).
        let nonce = attribute("r=").ok_or_else(&wrong)?;
        let salt = attribute("s=").ok_or_else(&wrong)?;
        let rounds = attribute("i=").ok_or_else(&wrong)?;
        let is_ours = nonce.len() > self.nonce.len() && nonce.starts_with(&self.nonce);
        if !is_ours {
            return Err(Error::Nonce);
        }
        let salt = STANDARD.decode(salt).map_err(|_| wrong())?;
        let rounds: u64 = rounds.parse().map_err(|_| wrong())?;
        let sensible = u32::try_from(rounds).ok().filter(|n| limits::SCRAM_ROUNDS.contains(n));
        let rounds = sensible.and_then(NonZeroU32::new).ok_or(Error::Rounds(rounds))?;

        let channel = [self.channel.gs2_header().as_bytes(), self.channel.octets()].concat();
        let without_proof = format!("c={},r={nonce}", STANDARD.encode(channel));
        let auth_message = format!("{},{server_first},{without_proof}", self.first_bare());

        let mut salted = Zeroizing::new(vec![0; self.hash.digest().output_len()]);
        let password = self.password.expose().as_bytes();
        pbkdf2::derive(self.hash.pbkdf2(), rounds, &salt, password, &mut salted);
        let client_key = self.hmac(&salted, "Client Key");
        let stored_key = digest::digest(self.hash.digest(), client_key.as_ref());
        let signature = self.hmac(stored_key.as_ref(), &auth_message);
        let key = client_key.as_ref().iter().zip(signature.as_ref());
        let proof: Vec<u8> = key.map(|(key, signature)| key ^ signature).collect();
        let server_key = self.hmac(&salted, "Server Key");
        let expected = self.hmac(server_key.as_ref(), &auth_message);
        self.stage = Stage::Final(expected.as_ref().to_vec());
        Ok(format!("{without_proof},p={}", STANDARD.encode(proof)))
    }

    fn hmac(&self, key: &[u8], text: &str) -> hmac::Tag {
        hmac::sign(&hmac::Key::new(self.hash.hmac(), key), text.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The conversations of RFC 5802 §5 and RFC 7677 §3, whose nonces are no base64 of 18 octets.
    fn example(hash: Hash, nonce: &str) -> Scram {
        let mut scram = Scram::new(hash, "user", "pencil", Channel::Unbound, [0; 18]);
        nonce.clone_into(&mut scram.nonce);
        scram
    }

    fn respond(scram: &mut Scram, challenge: &str) -> Result<Option<String>, Error> {
        scram.respond(challenge, || Error::Challenge("SCRAM"))
    }

    const FIRST_1: &str = "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096";
    const FIRST_256: &str = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                             s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";

    #[test]
    fn the_standards_examples_come_out() {
        let mut scram = example(Hash::Sha1, "fyko+d2lbbFgONRv9qkxdawL");
        assert_eq!(scram.first(), "n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL");
        let last = "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,\
                    p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=";
        assert_eq!(respond(&mut scram, FIRST_1).unwrap().unwrap(), last);
        assert!(!scram.is_proven());
        assert_eq!(respond(&mut scram, "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=").unwrap().unwrap(), "");
        assert!(scram.is_proven());

        let mut scram = example(Hash::Sha256, "rOprNGfwEbeRWgbNEkqO");
        let last = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                    p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
        assert_eq!(respond(&mut scram, FIRST_256).unwrap().unwrap(), last);
        let proof = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";
        assert_eq!(respond(&mut scram, proof).unwrap().unwrap(), "");
        assert!(scram.is_proven());
    }

    #[test]
    fn a_server_that_does_not_know_the_password_is_found_out() {
        let mut scram = example(Hash::Sha1, "fyko+d2lbbFgONRv9qkxdawL");
        respond(&mut scram, FIRST_1).unwrap();
        let wrong = respond(&mut scram, "v=AAAAAAAAAAAAAAAAAAAAAAAAAAA=");
        assert_eq!(wrong, Err(Error::Unproven));
        assert_eq!(respond(&mut scram, "v=").unwrap_err(), Error::Unproven);
        assert!(!scram.is_proven());
        assert_eq!(respond(&mut scram, "e=invalid-proof"), Ok(None));
    }

    #[test]
    fn a_first_message_that_makes_no_sense_is_refused() {
        let try_first = |challenge: &str| {
            respond(&mut example(Hash::Sha1, "fyko+d2lbbFgONRv9qkxdawL"), challenge).unwrap_err()
        };
        let nonce = "r=fyko+d2lbbFgONRv9qkxdawLx";
        for wrong in ["", "r=x", "s=,r=", "m=x,r=y", &format!("{nonce},s=*,i=4096")] {
            assert!(matches!(try_first(wrong), Error::Challenge(..) | Error::Nonce), "{wrong}");
        }
        assert_eq!(try_first("r=fyko+d2lbbFgONRv9qkxdawL,s=QSXC,i=4096"), Error::Nonce);
        assert_eq!(try_first("r=other,s=QSXC,i=4096"), Error::Nonce);
        for rounds in [0, 1, 4095, 1_000_001, u64::MAX] {
            let first = format!("{nonce},s=QSXC,i={rounds}");
            assert_eq!(try_first(&first), Error::Rounds(rounds));
        }
    }

    #[test]
    fn a_binding_and_an_odd_name_are_said_as_the_standard_wants() {
        let scram = Scram::new(Hash::Sha256, "a=b,c", "x", Channel::Bound([1; 32]), [0; 18]);
        let nonce = STANDARD.encode([0; 18]);
        assert_eq!(scram.first(), format!("p=tls-exporter,,n=a=3Db=2Cc,r={nonce}"));
        let mut scram = scram;
        let last = respond(&mut scram, &format!("r={nonce}x,s=QSXC,i=4096")).unwrap().unwrap();
        let channel = last.split(',').next().unwrap().strip_prefix("c=").unwrap();
        let expected = [&b"p=tls-exporter,,"[..], &[1; 32]].concat();
        assert_eq!(STANDARD.decode(channel).unwrap(), expected);
    }
}
