//! TLS 1.2 and 1.3 by rustls with the aws-lc provider, whose first key exchange is the hybrid
//! X25519MLKEM768. Certificates are always verified; there is no switch.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{CertificateError, ClientConfig, ClientConnection, RootCertStore};

use crate::limits;
use crate::net::Tcp;
use crate::text::{Domain, plain, shown};
use crate::wire::{self, Private};

/// Which authorities may vouch for a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trust {
    /// The ones browsers trust, built in.
    Webpki,
    /// The ones in this PEM file, and no others.
    CaFile(PathBuf),
}

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The server showed a certificate that does not hold.
    #[error("certificate refused: {0}")]
    Certificate(String),
    /// The server does not speak TLS here; what came may be a plaintext greeting.
    #[error("the server does not speak TLS on this port")]
    NotTls,
    /// The two found no common version or cipher, or the peer broke the protocol.
    #[error("the TLS handshake failed: {0}")]
    Handshake(String),
    /// The stream failed under the handshake.
    #[error("{0} in the TLS handshake")]
    Stream(io::Error),
    /// The name cannot stand in a certificate.
    #[error("`{0}` cannot be checked against a certificate")]
    Name(Domain),
    /// The file of authorities cannot be used.
    #[error("{}: {reason}", path.display())]
    CaFile {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

/// What this side trusts, made once and used for every connection of an account.
#[derive(Clone, Debug)]
pub struct Client(Arc<ClientConfig>);

impl Client {
    /// Reads the file of authorities, if there is one.
    pub fn new(trust: &Trust) -> Result<Self, Error> {
        let mut roots = RootCertStore::empty();
        match trust {
            Trust::Webpki => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
            Trust::CaFile(path) => {
                let wrong = |reason| Error::CaFile { path: path.clone(), reason };
                for certificate in certificates(path).map_err(|error| wrong(plain(&error)))? {
                    roots.add(certificate).map_err(|error| wrong(error.to_string()))?;
                }
                if roots.is_empty() {
                    return Err(wrong("it holds no certificate".to_owned()));
                }
            }
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| Error::Handshake(error.to_string()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self(Arc::new(config)))
    }

    /// The whole handshake; what comes back was verified to belong to `host`.
    pub fn handshake(&self, mut tcp: Tcp, host: &Domain) -> Result<TlsStream, Error> {
        let name = ServerName::try_from(host.as_str().to_owned())
            .map_err(|_| Error::Name(host.clone()))?;
        let mut connection = ClientConnection::new(Arc::clone(&self.0), name)
            .map_err(|error| Error::Handshake(error.to_string()))?;
        while connection.is_handshaking() {
            connection.complete_io(&mut tcp).map_err(handshake_error)?;
        }
        Ok(TlsStream { connection, tcp })
    }
}

/// An encrypted stream to a verified peer.
#[derive(Debug)]
pub struct TlsStream {
    connection: ClientConnection,
    tcp: Tcp,
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

impl wire::sealed::Sealed for TlsStream {}
impl Private for TlsStream {}

/// The certificates of a PEM file. `rustls-pemfile` has no maintainer any more
/// (RUSTSEC-2025-0134), so nothing but this function knows of it.
fn certificates(path: &Path) -> io::Result<Vec<CertificateDer<'static>>> {
    let file = std::fs::File::open(path)?.take(limits::PEM);
    rustls_pemfile::certs(&mut io::BufReader::new(file)).collect()
}

fn handshake_error(error: io::Error) -> Error {
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
        rustls::Error::InvalidCertificate(reason) => Error::Certificate(certificate_words(reason)),
        rustls::Error::InvalidMessage(_) => Error::NotTls,
        other => Error::Handshake(other.to_string()),
    }
}

/// A certificate's fault in words a person can act on.
fn certificate_words(reason: &CertificateError) -> String {
    match reason {
        CertificateError::UnknownIssuer => {
            "no authority that is trusted here vouches for it (self-signed, or a private CA)"
                .to_owned()
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "it has expired".to_owned()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "it is not valid yet: is this machine's clock right?".to_owned()
        }
        CertificateError::NotValidForName => "it is for another name".to_owned(),
        CertificateError::NotValidForNameContext { presented, .. } => {
            let names = presented.join(", ");
            format!("it is for another name ({})", shown(&names))
        }
        other => other.to_string(),
    }
}

/// A TLS stream that ends without `close_notify` was cut off, by whomever.
fn cut_off(error: io::Error) -> io::Error {
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
        let client = Client::new(&Trust::Webpki).unwrap();
        let first = client.0.crypto_provider().kx_groups[0].name();
        assert_eq!(first, rustls::NamedGroup::X25519MLKEM768);
    }

    #[test]
    fn a_file_without_certificates_is_no_trust() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = Client::new(&Trust::CaFile(file.path().to_owned())).unwrap_err();
        assert!(error.to_string().ends_with("it holds no certificate"), "{error}");
    }
}
