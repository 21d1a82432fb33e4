//! TLS 1.2 and 1.3 by rustls with the aws-lc provider, whose first key exchange is the hybrid
//! X25519MLKEM768. Certificates are always verified; there is no switch.
#![warn(clippy::missing_errors_doc)]

mod certificate;
mod files;
mod verify;

use std::io::{self, BufReader, IoSlice, Read, Write};
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{
    AlertDescription, ClientConfig, ClientConnection, PeerIncompatible, ProtocolVersion,
    RootCertStore,
};

pub use self::certificate::{Certificate, Date};
use self::files::{KEY, certificates, file_roots, private_key, system_roots, unusable};
pub use self::verify::CertificateProblem;
use self::verify::{PeerVerifier, RSA_BITS, Verification};
use crate::limits;
use crate::net::Tcp;
use crate::ownership;
use crate::text::Domain;
use crate::wire::{self, Private, Stream, Wait};

/// The trust in servers, and the client's own certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trust {
    /// The requirement that a server's certificate meets.
    pub anchor: TrustAnchor,
    /// The certificate for a server that asks for one.
    pub identity: Option<Identity>,
}

/// A requirement that makes a server's certificate acceptable.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum TrustAnchor {
    /// An authority that browsers trust; the list is built in.
    #[default]
    Webpki,
    /// An authority that this machine trusts.
    System,
    /// An authority in this PEM file, and no other.
    CaFile(PathBuf),
    /// Equality with this certificate, for any issuer and any name.
    Pin(Pin),
}

/// The SHA-256 of a certificate in DER.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pin([u8; 32]);

impl Pin {
    fn of(certificate: &CertificateDer<'_>) -> Self {
        let mut pin = [0; 32];
        pin.copy_from_slice(digest(&SHA256, certificate).as_ref());
        Self(pin)
    }
}

impl FromStr for Pin {
    type Err = &'static str;

    /// 64 hexadecimal digits, perhaps with colons between them, as OpenSSL prints them.
    fn from_str(text: &str) -> Result<Self, &'static str> {
        const WRONG: &str = "expected the SHA-256 of a certificate, in 64 hexadecimal digits";
        let mut octets = [0; 32];
        let mut digits = 0;
        for c in text.chars().filter(|&c| c != ':') {
            let digit = c.to_digit(16).and_then(|digit| u8::try_from(digit).ok()).ok_or(WRONG)?;
            let octet: &mut u8 = octets.get_mut(digits / 2).ok_or(WRONG)?;
            *octet = *octet << 4 | digit;
            digits += 1;
        }
        if digits == 64 { Ok(Self(octets)) } else { Err(WRONG) }
    }
}

impl std::fmt::Display for Pin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}

/// A certificate of one's own and its private key, both PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The certificate, and those between it and its authority.
    pub certificate: PathBuf,
    /// The key, not encrypted.
    pub key: PathBuf,
}

/// The reason why there is no TLS.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The server showed a certificate that does not hold.
    #[error("certificate refused: {}", fault.words(certificate.as_deref()))]
    Certificate {
        /// The problem.
        fault: CertificateProblem,
        /// The certificate, as far as it could be read.
        certificate: Option<Box<Certificate>>,
    },
    /// The server does not speak TLS here; what came may be a plaintext greeting.
    #[error("the server does not speak TLS on this port")]
    NotTls,
    /// The server speaks nothing but TLS here, and plaintext was to come first.
    #[error("the server speaks TLS from the start on this port")]
    OnlyTls,
    /// Others may have written a file of certificates, or may read the private key.
    #[error(transparent)]
    Ownership(#[from] ownership::Error),
    /// The two found no common version or cipher, or the peer broke the protocol.
    #[error("the TLS handshake failed: {0}")]
    Handshake(String),
    /// The server knows older versions only.
    #[error("the server has neither TLS 1.3 nor TLS 1.2")]
    OldTls,
    /// The stream failed under the handshake.
    #[error("{0} in the TLS handshake")]
    Stream(io::Error),
    /// The server closes the connection without a certificate of the client's.
    #[error("the server requires a client certificate")]
    NoClientCertificate,
    /// The name cannot stand in a certificate.
    #[error("`{0}` cannot be checked against a certificate")]
    Name(Domain),
    /// A file of certificates or keys cannot be used.
    #[error("`{key}`: {}: {reason}", path.display())]
    File {
        /// The key in the configuration that names the file.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// The fault in it.
        reason: String,
    },
    /// The system has no trust store.
    #[error("this machine has no certification authorities: {0}")]
    NoSystem(String),
}

/// The TLS configuration of an account, made once and used for each of its connections.
#[derive(Clone, Debug)]
pub struct Client {
    config: Arc<ClientConfig>,
    witness: Arc<PeerVerifier>,
}

impl Client {
    /// Creates the configuration, and reads the files that `trust` names.
    ///
    /// # Errors
    ///
    /// Returns an error if a file cannot be used, or the system has no trust store.
    pub fn new(trust: &Trust) -> Result<Self, Error> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let chain = |roots: RootCertStore, own: Vec<CertificateDer<'static>>| {
            let provider = Arc::clone(&provider);
            let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider);
            let verifier = verifier.build().map_err(|error| Error::Handshake(error.to_string()))?;
            Ok::<_, Error>(Verification::Chain { verifier, own })
        };
        let judge = match &trust.anchor {
            TrustAnchor::Webpki => {
                let roots = webpki_roots::TLS_SERVER_ROOTS.to_vec();
                chain(RootCertStore { roots }, Vec::new())?
            }
            TrustAnchor::System => chain(system_roots()?, Vec::new())?,
            TrustAnchor::CaFile(path) => chain(file_roots(path)?, certificates("ca-file", path)?)?,
            TrustAnchor::Pin(pin) => Verification::Pin(*pin),
        };
        let seen = Mutex::default();
        let witness = Arc::new(PeerVerifier { judge, provider: Arc::clone(&provider), seen });
        let verifier: Arc<dyn ServerCertVerifier> = Arc::<PeerVerifier>::clone(&witness);
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| unusable(&error))?
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        let config = match &trust.identity {
            None => config.with_no_client_auth(),
            Some(Identity { certificate, key }) => {
                let chain = certificates("client-cert", certificate)?;
                let wrong = |error: rustls::Error| Error::File {
                    key: KEY,
                    path: key.clone(),
                    reason: error.to_string(),
                };
                config.with_client_auth_cert(chain, private_key(key)?).map_err(wrong)?
            }
        };
        Ok(Self { config: Arc::new(config), witness })
    }

    /// Makes the whole handshake, and returns the stream to a peer that was verified to be `host`.
    ///
    /// # Errors
    ///
    /// Returns an error if the server does not speak TLS, its certificate is refused, or the stream
    /// fails.
    pub fn handshake(&self, tcp: Tcp, host: &Domain) -> Result<TlsStream, Error> {
        let name = ServerName::try_from(host.as_str().to_owned())
            .map_err(|_| Error::Name(host.clone()))?;
        let mut connection = ClientConnection::new(Arc::clone(&self.config), name)
            .map_err(|error| unusable(&error))?;
        let mut tcp = Buffered(BufReader::with_capacity(limits::BUFFER, tcp));
        while connection.is_handshaking() {
            connection
                .complete_io(&mut tcp)
                .map_err(|error| handshake_error(error, self.witness.certificate()))?;
        }
        Ok(TlsStream { connection, tcp })
    }
}

/// An encrypted stream to a verified peer.
#[derive(Debug)]
pub struct TlsStream {
    connection: ClientConnection,
    tcp: Buffered,
}

/// Reads more at a time than rustls asks for, which is 4 KiB: less than a record may hold.
#[derive(Debug)]
struct Buffered(BufReader<Tcp>);

impl Read for Buffered {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Write for Buffered {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.0.get_mut().write(octets)
    }

    /// Several records at a time.
    fn write_vectored(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.get_mut().write_vectored(pieces)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.get_mut().flush()
    }
}

impl TlsStream {
    /// Describes version, key exchange and cipher suite, for people.
    pub fn describe(&self) -> String {
        let connection = &self.connection;
        let version =
            connection.protocol_version().map(|version| format!("{version:?}").replace('_', "."));
        let suite =
            connection.negotiated_cipher_suite().map(|suite| format!("{:?}", suite.suite()));
        let group = connection.negotiated_key_exchange_group();
        let group = group.map(|group| format!("{:?}", group.name()));
        let words = [version, group, suite];
        words.into_iter().flatten().collect::<Vec<_>>().join(", ").replace('_', "-")
    }

    /// The server's certificate; `None` if it cannot be parsed.
    pub fn certificate(&self) -> Option<Certificate> {
        Certificate::read(self.connection.peer_certificates()?.first()?)
    }
}

impl Read for TlsStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        rustls::Stream::new(&mut self.connection, &mut self.tcp).read(buffer).map_err(cut_off)
    }
}

impl Write for TlsStream {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        rustls::Stream::new(&mut self.connection, &mut self.tcp).write(octets)
    }

    fn flush(&mut self) -> io::Result<()> {
        rustls::Stream::new(&mut self.connection, &mut self.tcp).flush()
    }
}

impl Drop for TlsStream {
    fn drop(&mut self) {
        // A word of goodbye; a peer that is gone already does not miss it.
        self.connection.send_close_notify();
        drop(self.connection.write_tls(&mut self.tcp));
    }
}

impl Stream for TlsStream {
    fn begin(&mut self, wait: Wait) {
        self.tcp.0.get_mut().begin(wait);
    }

    fn finish_within(&mut self, time: Duration) {
        self.tcp.0.get_mut().finish_within(time);
    }

    fn waited(&self) -> Duration {
        self.tcp.0.get_ref().waited()
    }
}

impl wire::sealed::Sealed for TlsStream {}

impl Private for TlsStream {
    /// Exported keying material (RFC 9266 §2). `None` before TLS 1.3: there it needs an extension
    /// that servers need not support (§4.2).
    fn binding(&self) -> Option<[u8; 32]> {
        if self.connection.protocol_version() != Some(ProtocolVersion::TLSv1_3) {
            return None;
        }
        let label = b"EXPORTER-Channel-Binding";
        self.connection.export_keying_material([0; 32], label, Some(b"")).ok()
    }
}

fn handshake_error(error: io::Error, certificate: Option<Certificate>) -> Error {
    let Some(inner) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>())
    else {
        return match error.kind() {
            io::ErrorKind::UnexpectedEof => {
                Error::Stream(io::Error::new(error.kind(), "the server closed the connection"))
            }
            _ => Error::Stream(error),
        };
    };
    match inner {
        rustls::Error::InvalidCertificate(reason) => Error::Certificate {
            fault: CertificateProblem::new(reason, certificate.as_ref()),
            certificate: certificate.map(Box::new),
        },
        rustls::Error::InvalidMessage(_) => Error::NotTls,
        rustls::Error::AlertReceived(AlertDescription::CertificateRequired) => {
            Error::NoClientCertificate
        }
        rustls::Error::AlertReceived(AlertDescription::ProtocolVersion)
        | rustls::Error::PeerIncompatible(PeerIncompatible::ServerDoesNotSupportTls12Or13) => {
            Error::OldTls
        }
        other => Error::Handshake(other.to_string()),
    }
}

/// A TLS stream that ends without `close_notify` was cut off, by whomever.
fn cut_off(error: io::Error) -> io::Error {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    if let Some(rustls::Error::AlertReceived(AlertDescription::CertificateRequired)) = inner {
        // In TLS 1.3 this follows the handshake. No socket's read fails with this kind.
        let words = Error::NoClientCertificate.to_string();
        return io::Error::new(io::ErrorKind::PermissionDenied, words);
    }
    match error.kind() {
        io::ErrorKind::UnexpectedEof => {
            io::Error::new(error.kind(), "connection cut off without a TLS close")
        }
        io::ErrorKind::InvalidData => io::Error::new(error.kind(), format!("broken TLS ({error})")),
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::CertificateError;
    use rustls::pki_types::UnixTime;

    #[test]
    fn the_first_key_exchange_offered_is_post_quantum() {
        let client = Client::new(&Trust::default()).unwrap();
        let first = client.config.crypto_provider().kx_groups[0].name();
        assert_eq!(first, rustls::NamedGroup::X25519MLKEM768);
    }

    #[test]
    fn a_file_without_certificates_is_no_trust() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let anchor = TrustAnchor::CaFile(file.path().to_owned());
        let error = Client::new(&Trust { anchor, identity: None }).unwrap_err();
        assert!(error.to_string().ends_with("it contains no certificate"), "{error}");
    }

    fn certificate(rsa_bits: Option<usize>) -> Certificate {
        let date = |seconds| Date { seconds, day: "2100-01-01".to_owned() };
        Certificate {
            subject: "mail.example".to_owned(),
            issuer: "Example CA".to_owned(),
            names: vec!["mail.example".to_owned()],
            not_before: date(0),
            not_after: date(4_102_444_800),
            is_self_signed: false,
            rsa_bits,
            pin: "00".repeat(32).parse().unwrap(),
        }
    }

    #[test]
    fn a_problem_is_named_that_is_not_the_leafs() {
        let second = |seconds| UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        let words = |reason: CertificateError, certificate: &Certificate| {
            CertificateProblem::new(&reason, Some(certificate)).words(Some(certificate))
        };
        let expired = |not_after| CertificateError::ExpiredContext {
            time: second(5_000_000_000),
            not_after: second(not_after),
        };
        let good = certificate(Some(2048));
        assert_eq!(words(expired(4_102_444_800), &good), "it expired on 2100-01-01");
        assert_eq!(
            words(expired(951_782_400), &good),
            "a certificate between it and its authority expired on 2000-02-29"
        );
        assert_eq!(
            words(CertificateError::Expired, &good),
            "the validity of a certificate of its chain ends before it begins"
        );
        let weak = certificate(Some(1024));
        for reason in [CertificateError::BadSignature, CertificateError::UnknownIssuer] {
            assert_eq!(
                words(reason, &weak),
                "its RSA key of 1024 bits is too short; 2048 are needed"
            );
        }
        for strong in [good, certificate(None)] {
            assert!(words(CertificateError::BadSignature, &strong).starts_with("issued by"));
        }
    }

    #[test]
    fn a_pin_is_64_digits_however_they_are_grouped() {
        let plain = "0123456789abcdef".repeat(4);
        let pin: Pin = plain.parse().unwrap();
        assert_eq!(pin.to_string(), plain);
        let colons: Vec<_> = plain.as_bytes().chunks(2).map(String::from_utf8_lossy).collect();
        assert_eq!(colons.join(":").to_uppercase().parse(), Ok(pin));
        for wrong in ["", "0", &plain[1..], &format!("{plain}0"), &plain.replace('0', "g")] {
            assert!(wrong.parse::<Pin>().is_err(), "{wrong}");
        }
    }
}
