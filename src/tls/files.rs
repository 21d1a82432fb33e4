//! Certificates and private keys from PEM files and from the system's store. Verifies nothing.

use std::path::Path;

use rustls::RootCertStore;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::Error;
use crate::bounded;
use crate::limits;
use crate::ownership;
use crate::text::{plain, shown};

pub(super) fn system_roots() -> Result<RootCertStore, Error> {
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

pub(super) fn file_roots(path: &Path) -> Result<RootCertStore, Error> {
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

pub(super) fn certificates(
    key: &'static str,
    path: &Path,
) -> Result<Vec<CertificateDer<'static>>, Error> {
    let found = pem(key, path)?.into_iter().filter_map(|item| match item {
        rustls_pemfile::Item::X509Certificate(certificate) => Some(certificate),
        _ => None,
    });
    let found: Vec<_> = found.collect();
    if found.is_empty() {
        let reason = "it contains no certificate".to_owned();
        return Err(Error::File { key, path: path.to_owned(), reason });
    }
    Ok(found)
}

/// The setting that names a private key.
pub(super) const KEY: &str = "client-key";

pub(super) fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, Error> {
    let wrong =
        |reason: &str| Error::File { key: KEY, path: path.to_owned(), reason: reason.to_owned() };
    let key = pem(KEY, path)?.into_iter().find_map(|item| match item {
        rustls_pemfile::Item::Pkcs1Key(key) => Some(key.into()),
        rustls_pemfile::Item::Pkcs8Key(key) => Some(key.into()),
        rustls_pemfile::Item::Sec1Key(key) => Some(key.into()),
        _ => None,
    });
    key.ok_or_else(|| wrong("it contains no private key, or an encrypted one"))
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
    let text = bounded::read(&file, limits::PEM).map_err(failed)?;
    rustls_pemfile::read_all(&mut text.as_slice()).collect::<Result<_, _>>().map_err(failed)
}

pub(super) fn unusable(error: &rustls::Error) -> Error {
    Error::Handshake(error.to_string())
}
