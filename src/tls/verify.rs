//! Verification of the server's certificate (RFC 5280, RFC 9525): by authorities, by a certificate
//! of `ca-file` itself, or by its pin. There is no verifier that accepts everything.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
    verify_tls13_signature_with_raw_key,
};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, OtherError, SignatureScheme};

use super::Pin;
use super::certificate::{Certificate, KeyOfVersion1};
use crate::text::shown;
use crate::tls::certificate;

/// A problem with a server's certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CertificateProblem {
    /// The validity is over.
    Expired,
    /// The validity has not begun.
    NotYetValid,
    /// The server has another name.
    OtherName,
    /// The issuer is not trusted here.
    UnknownAuthority,
    /// The certificate is its own issuer.
    SelfSigned,
    /// The certificate differs from the pinned one.
    NotPinned,
    /// The validity of another certificate of the chain ended on this day.
    IssuerExpired(String),
    /// The RSA key is shorter than any that is accepted, and has this many bits.
    WeakKey(usize),
    /// A certificate of version 1, which holds no names.
    Version1,
    /// Any other problem, in the verifier's words.
    Other(String),
}

impl CertificateProblem {
    /// Describes the problem for people.
    pub(super) fn words(&self, certificate: Option<&Certificate>) -> String {
        let told = |words: &str, tell: fn(&Certificate) -> String| match certificate {
            Some(certificate) => format!("{words}{}", tell(certificate)),
            None => words.to_owned(),
        };
        match self {
            Self::Expired => match certificate {
                Some(it) => format!("it expired on {}", it.not_after.day),
                None => "it has expired".to_owned(),
            },
            Self::NotYetValid => {
                told("it is not valid yet", |it| format!(" before {}", it.not_before.day))
            }
            Self::OtherName => told("it is for another name", |it| {
                let names = if it.names.is_empty() { &it.subject } else { &it.names.join(", ") };
                format!(" ({})", shown(names))
            }),
            Self::UnknownAuthority => match certificate {
                Some(it) => format!("issued by `{}`, which is not trusted here", it.issuer),
                None => "its issuer is not trusted here".to_owned(),
            },
            Self::SelfSigned => "it is self-signed".to_owned(),
            Self::NotPinned => {
                told("it is not the pinned one", |it| format!(": its pin is {}", it.pin))
            }
            Self::IssuerExpired(day) => {
                format!("a certificate between it and its authority expired on {day}")
            }
            Self::WeakKey(bits) => {
                format!("its RSA key of {bits} bits is too short; {RSA_BITS} are needed")
            }
            Self::Version1 => "it is of version 1, which has no host names".to_owned(),
            Self::Other(reason) => reason.clone(),
        }
    }

    pub(super) fn new(reason: &CertificateError, certificate: Option<&Certificate>) -> Self {
        match reason {
            CertificateError::ExpiredContext { not_after, .. }
                if certificate.is_some_and(|it| !it.ends_at(*not_after)) =>
            {
                Self::IssuerExpired(certificate::day(*not_after))
            }
            CertificateError::ExpiredContext { .. } => Self::Expired,
            // The verifier's words for dates in the wrong order, of any certificate of the chain.
            CertificateError::Expired => Self::Other(
                "the validity of a certificate of its chain ends before it begins".to_owned(),
            ),
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                Self::NotYetValid
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                Self::OtherName
            }
            CertificateError::Other(reason) if reason.0.is::<NotPinned>() => Self::NotPinned,
            CertificateError::Other(reason) if reason.to_string() == "UnsupportedCertVersion" => {
                Self::Version1
            }
            // No trust helps: its signatures are never accepted.
            CertificateError::UnknownIssuer
            | CertificateError::BadSignature
            | CertificateError::Other(_)
                if let Some(bits) = certificate.and_then(Certificate::weak_key) =>
            {
                Self::WeakKey(bits)
            }
            // One that is an authority of its own comes as one that may not stand for a server.
            CertificateError::UnknownIssuer
            | CertificateError::BadSignature
            | CertificateError::Other(_)
                if certificate.is_some_and(|certificate| certificate.is_self_signed) =>
            {
                Self::SelfSigned
            }
            // An authority that has a trusted one's name, and not its key, is an unknown one.
            CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                Self::UnknownAuthority
            }
            CertificateError::Other(reason) if reason.to_string() == "CaUsedAsEndEntity" => {
                Self::Other("it is a certification authority's, not a server's".to_owned())
            }
            CertificateError::Other(reason) => Self::Other(match reason.to_string().as_str() {
                "NameConstraintViolation" => {
                    "its authority may not issue certificates for this name".to_owned()
                }
                "MaximumPathDepthExceeded" | "PathLenConstraintViolated" => {
                    "too many certificates are between it and its authority".to_owned()
                }
                other => shown(other),
            }),
            CertificateError::BadEncoding => {
                Self::Other("it is damaged, or no certificate at all".to_owned())
            }
            CertificateError::UnsupportedSignatureAlgorithmContext { .. } => {
                Self::Other("it is signed by an algorithm that is not secure".to_owned())
            }
            other => Self::Other(shown(&other.to_string())),
        }
    }
}

/// The fewest bits of an RSA key whose signatures are accepted.
pub(super) const RSA_BITS: usize = 2048;

/// The certificate verifier of a connection; it keeps the certificate for error messages.
/// Possession of the certificate's key is verified in every case.
#[derive(Debug)]
pub(super) struct PeerVerifier {
    pub(super) judge: Verification,
    pub(super) provider: Arc<CryptoProvider>,
    /// The last certificate, which is the one of the handshake under way: an account's connections
    /// are made one after another.
    pub(super) seen: Mutex<Option<CertificateDer<'static>>>,
}

/// A way of verifying a certificate.
#[derive(Debug)]
pub(super) enum Verification {
    /// A chain to an authority, the name, and the dates.
    Chain {
        /// The verifier of chains.
        verifier: Arc<WebPkiServerVerifier>,
        /// The certificates of `ca-file`. A server may show one of these itself, as `openssl req
        /// -x509` makes them: an authority's, which no chain makes good for a server.
        own: Vec<CertificateDer<'static>>,
    },
    /// Equality with this certificate.
    Pin(Pin),
}

impl PeerVerifier {
    fn seen(&self) -> MutexGuard<'_, Option<CertificateDer<'static>>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The key of a pinned certificate of version 1; of any other the verifier reads the key.
    fn key_of_version_1(&self, certificate: &CertificateDer<'_>) -> Option<KeyOfVersion1> {
        match self.judge {
            Verification::Pin(_) => Certificate::key_of_version_1(certificate),
            Verification::Chain { .. } => None,
        }
    }

    pub(super) fn certificate(&self) -> Option<Certificate> {
        Certificate::read(self.seen().as_ref()?)
    }
}

/// The certificate is another one than the pinned.
#[derive(Debug, thiserror::Error)]
#[error("it is not the pinned one")]
struct NotPinned;

impl ServerCertVerifier for PeerVerifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        *self.seen() = Some(certificate.clone().into_owned());
        match &self.judge {
            Verification::Chain { verifier, own } => {
                let chain =
                    verifier.verify_server_cert(certificate, intermediates, name, ocsp, now);
                match chain {
                    // The very octets that the user named as trusted; possession of its key is
                    // verified by the handshake as ever.
                    Err(_) if own.iter().any(|own| own == certificate) => {
                        verify_own(certificate, name, now)
                    }
                    chain => chain,
                }
            }
            Verification::Pin(pin) if Pin::of(certificate) == *pin => {
                Ok(ServerCertVerified::assertion())
            }
            Verification::Pin(_) => {
                Err(CertificateError::Other(OtherError(Arc::new(NotPinned))).into())
            }
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        match self.key_of_version_1(certificate) {
            Some(key) => verify_by_key(message, &key, signature, algorithms),
            None => verify_tls12_signature(message, certificate, signature, algorithms),
        }
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        match self.key_of_version_1(certificate) {
            Some(key) => {
                verify_tls13_signature_with_raw_key(message, &key.whole, signature, algorithms)
            }
            None => verify_tls13_signature(message, certificate, signature, algorithms),
        }
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// Verifies the signature of a TLS 1.2 handshake by a key itself (RFC 5246 §7.4.3).
fn verify_by_key(
    message: &[u8],
    key: &KeyOfVersion1,
    signature: &DigitallySignedStruct,
    algorithms: &WebPkiSupportedAlgorithms,
) -> Result<HandshakeSignatureValid, rustls::Error> {
    let of_scheme = algorithms.mapping.iter().filter(|(scheme, _)| *scheme == signature.scheme);
    let mut fitting = of_scheme
        .flat_map(|(_, algorithms)| algorithms.iter())
        .filter(|algorithm| algorithm.public_key_alg_id().as_ref() == key.algorithm);
    let is_valid = fitting.any(|algorithm| {
        algorithm.verify_signature(&key.bits, message, signature.signature()).is_ok()
    });
    if is_valid {
        Ok(HandshakeSignatureValid::assertion())
    } else {
        Err(CertificateError::BadSignature.into())
    }
}

/// Verifies name and dates of a certificate that is trusted itself.
fn verify_own(
    certificate: &CertificateDer<'_>,
    name: &ServerName<'_>,
    now: UnixTime,
) -> Result<ServerCertVerified, rustls::Error> {
    verify_server_name(&ParsedCertificate::try_from(certificate)?, name)?;
    let read = Certificate::read(certificate).ok_or(CertificateError::BadEncoding)?;
    let now = i64::try_from(now.as_secs()).map_err(|_| CertificateError::Expired)?;
    if now < read.not_before.seconds {
        return Err(CertificateError::NotValidYet.into());
    }
    if now > read.not_after.seconds {
        return Err(CertificateError::Expired.into());
    }
    Ok(ServerCertVerified::assertion())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{
        BasicConstraints, CertificateParams, CertifiedIssuer, DnType, GeneralSubtree, IsCa,
        KeyPair, NameConstraints,
    };
    use rustls::RootCertStore;

    type Issuer = CertifiedIssuer<'static, KeyPair>;

    fn authority(name: &str, constraints: BasicConstraints) -> CertificateParams {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(constraints);
        params
    }

    fn key() -> KeyPair {
        KeyPair::generate().unwrap()
    }

    /// What is said of a certificate for `mail.example` that the last of these issues.
    fn words(root: &Issuer, between: &[&Issuer]) -> String {
        let issuer = between.last().copied().unwrap_or(root);
        let params = CertificateParams::new(vec!["mail.example".to_owned()]).unwrap();
        let leaf = params.signed_by(&key(), issuer).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(root.der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider);
        let between: Vec<_> = between.iter().map(|issuer| issuer.der().clone()).collect();
        let name = ServerName::try_from("mail.example").unwrap();
        let verifier = verifier.build().unwrap();
        match verifier.verify_server_cert(leaf.der(), &between, &name, &[], UnixTime::now()) {
            Ok(_) => String::new(),
            Err(rustls::Error::InvalidCertificate(reason)) => {
                let certificate = Certificate::read(leaf.der());
                CertificateProblem::new(&reason, certificate.as_ref()).words(certificate.as_ref())
            }
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn what_an_authority_may_not_do_is_said_in_words() {
        let root = |params| Issuer::self_signed(params, key()).unwrap();
        let good = root(authority("root", BasicConstraints::Unconstrained));
        assert_eq!(words(&good, &[]), "");
        let mut narrow = authority("root", BasicConstraints::Unconstrained);
        let permitted_subtrees = vec![GeneralSubtree::DnsName("other.example".to_owned())];
        let excluded_subtrees = Vec::new();
        narrow.name_constraints = Some(NameConstraints { permitted_subtrees, excluded_subtrees });
        let not_for_it = "its authority may not issue certificates for this name";
        assert_eq!(words(&root(narrow), &[]), not_for_it);
        let params = authority("short", BasicConstraints::Constrained(0));
        let short = Issuer::signed_by(params, key(), &good).unwrap();
        let params = authority("below", BasicConstraints::Unconstrained);
        let below = Issuer::signed_by(params, key(), &short).unwrap();
        assert_eq!(
            words(&good, &[&short, &below]),
            "too many certificates are between it and its authority"
        );
    }
}
