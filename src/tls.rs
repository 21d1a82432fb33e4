//! TLS 1.2 and 1.3 by rustls with the aws-lc provider, whose first key exchange is the hybrid
//! X25519MLKEM768. Certificates are always verified; there is no switch.
#![warn(clippy::missing_errors_doc)]

mod certificate;

use std::io::{self, BufReader, IoSlice, Read, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    AlertDescription, CertificateError, ClientConfig, ClientConnection, DigitallySignedStruct,
    OtherError, ProtocolVersion, RootCertStore, SignatureScheme,
};

pub use self::certificate::{Certificate, Date};

use crate::limits;
use crate::net::Tcp;
use crate::ownership;
use crate::text::{Domain, plain, shown};
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
        let wrong = "expected the SHA-256 of a certificate, in 64 hexadecimal digits";
        let digits: Vec<u32> = text
            .chars()
            .filter(|&c| c != ':')
            .map(|c| c.to_digit(16).ok_or(wrong))
            .collect::<Result<_, _>>()?;
        let octets =
            digits.chunks_exact(2).map(|two| two.iter().fold(0, |high, low| high << 4 | low));
        let octets: Vec<u8> = octets.filter_map(|octet| u8::try_from(octet).ok()).collect();
        let pin = octets.try_into().ok().filter(|_| digits.len() == 64);
        pin.map(Self).ok_or(wrong)
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
    /// Any other problem, in the verifier's words.
    Other(String),
}

impl CertificateProblem {
    /// Describes the problem for people.
    fn words(&self, certificate: Option<&Certificate>) -> String {
        let told = |words: &str, tell: fn(&Certificate) -> String| match certificate {
            Some(certificate) => format!("{words}{}", tell(certificate)),
            None => words.to_owned(),
        };
        match self {
            Self::Expired => told("it has expired", |it| format!(" on {}", it.not_after.day)),
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
            Self::Other(reason) => reason.clone(),
        }
    }

    fn new(reason: &CertificateError, certificate: Option<&Certificate>) -> Self {
        match reason {
            CertificateError::ExpiredContext { not_after, .. }
                if certificate.is_some_and(|it| !it.ends_at(*not_after)) =>
            {
                Self::IssuerExpired(certificate::day(*not_after))
            }
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => Self::Expired,
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                Self::NotYetValid
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                Self::OtherName
            }
            CertificateError::Other(reason) if reason.0.is::<NotPinned>() => Self::NotPinned,
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
                Self::Other("it is an authority's own, which cannot stand for a server".to_owned())
            }
            CertificateError::Other(reason) => Self::Other(match reason.to_string().as_str() {
                "NameConstraintViolation" => {
                    "its authority may not issue certificates for this name".to_owned()
                }
                "MaximumPathDepthExceeded" | "PathLenConstraintViolated" => {
                    "too many certificates are between it and its authority".to_owned()
                }
                "UnsupportedCertVersion" => "it is not of version 3".to_owned(),
                other => shown(other),
            }),
            CertificateError::UnsupportedSignatureAlgorithmContext { .. } => {
                Self::Other("it is signed by an algorithm that is not secure".to_owned())
            }
            other => Self::Other(shown(&other.to_string())),
        }
    }
}

/// The fewest bits of an RSA key whose signatures are accepted.
const RSA_BITS: usize = 2048;

/// The TLS configuration of an account, made once and used for each of its connections.
#[derive(Clone, Debug)]
pub struct Client {
    config: Arc<ClientConfig>,
    witness: Arc<PeerVerifier>,
}

impl Client {
    /// Reads the files that it takes.
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

    /// The whole handshake; what comes back was verified to belong to `host`.
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

/// The certificate verifier of a connection; it keeps the certificate for error messages.
/// Possession of the certificate's key is verified in every case.
#[derive(Debug)]
struct PeerVerifier {
    judge: Verification,
    provider: Arc<CryptoProvider>,
    /// The last certificate, which is the one of the handshake under way: an account's connections
    /// are made one after another.
    seen: Mutex<Option<CertificateDer<'static>>>,
}

/// A way of verifying a certificate.
#[derive(Debug)]
enum Verification {
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

    fn certificate(&self) -> Option<Certificate> {
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
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
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

fn system_roots() -> Result<RootCertStore, Error> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    // A machine's collection may hold some that are not understood here; the others will do.
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let reason = found.errors.first().map(|error| shown(&error.to_string()));
        return Err(Error::NoSystem(reason.unwrap_or_else(|| "none were found".to_owned())));
    }
    Ok(roots)
}

fn file_roots(path: &Path) -> Result<RootCertStore, Error> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates("ca-file", path)? {
        let wrong = |error: rustls::Error| Error::File {
            key: "ca-file",
            path: path.to_owned(),
            reason: error.to_string(),
        };
        roots.add(certificate).map_err(wrong)?;
    }
    Ok(roots)
}

fn certificates(key: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let found = pem(key, path)?.into_iter().filter_map(|item| match item {
        rustls_pemfile::Item::X509Certificate(certificate) => Some(certificate),
        _ => None,
    });
    let found: Vec<_> = found.collect();
    if found.is_empty() {
        let reason = "it holds no certificate".to_owned();
        return Err(Error::File { key, path: path.to_owned(), reason });
    }
    Ok(found)
}

/// The setting that names a private key.
const KEY: &str = "client-key";

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, Error> {
    let wrong =
        |reason: &str| Error::File { key: KEY, path: path.to_owned(), reason: reason.to_owned() };
    let key = pem(KEY, path)?.into_iter().find_map(|item| match item {
        rustls_pemfile::Item::Pkcs1Key(key) => Some(key.into()),
        rustls_pemfile::Item::Pkcs8Key(key) => Some(key.into()),
        rustls_pemfile::Item::Sec1Key(key) => Some(key.into()),
        _ => None,
    });
    key.ok_or_else(|| wrong("it holds no private key, or an encrypted one"))
}

/// Reads a PEM file. `rustls-pemfile` is no longer maintained (RUSTSEC-2025-0134), so this is the
/// only function that uses it.
fn pem(key: &'static str, path: &Path) -> Result<Vec<rustls_pemfile::Item>, Error> {
    let failed = |error| Error::File { key, path: path.to_owned(), reason: plain(&error) };
    let file = std::fs::File::open(path).map_err(failed)?;
    ownership::check_writers(&file, path)?;
    if key == KEY {
        ownership::check_readers(&file, path)?;
    }
    rustls_pemfile::read_all(&mut BufReader::new(file.take(limits::PEM)))
        .collect::<Result<_, _>>()
        .map_err(failed)
}

fn unusable(error: &rustls::Error) -> Error {
    Error::Handshake(error.to_string())
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
        assert!(error.to_string().ends_with("it holds no certificate"), "{error}");
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
        assert_eq!(words(expired(4_102_444_800), &good), "it has expired on 2100-01-01");
        assert_eq!(
            words(expired(951_782_400), &good),
            "a certificate between it and its authority expired on 2000-02-29"
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
