//! A certification authority that lives as long as one test: keys are made at run time.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_lc_rs::digest;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{WantsServerCert, WebPkiClientVerifier};
use rustls::{ConfigBuilder, RootCertStore, ServerConfig, WantsVerifier};

/// Signs certificates that only a client which was given [`Authority::pem`] accepts.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub fn new() -> Self {
        Self::named("postie test authority")
    }

    /// One that calls itself as it likes.
    pub fn named(name: &str) -> Self {
        let params = Self::params(name);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// Another authority, which this one vouches for.
    pub fn intermediate(&self) -> Self {
        let params = Self::params("postie test intermediate");
        Self(CertifiedIssuer::signed_by(params, KeyPair::generate().unwrap(), &self.0).unwrap())
    }

    fn params(name: &str) -> CertificateParams {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params
    }

    /// The authority's own certificate, for `--ca-file`.
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate for these host names or addresses, good for a day and a half.
    pub fn issue(&self, names: &[&str]) -> Identity {
        self.issue_until(names, SystemTime::now() + Duration::from_hours(36))
    }

    /// A certificate whose last day was yesterday.
    pub fn issue_expired(&self, names: &[&str]) -> Identity {
        self.issue_until(names, SystemTime::now() - Duration::from_hours(24))
    }

    /// A certificate whose first day is tomorrow.
    pub fn issue_early(&self, names: &[&str]) -> Identity {
        self.issue_until(names, SystemTime::now() + Duration::from_hours(8 * 24))
    }

    /// A certificate that has a name as they were written before there were alternative names.
    pub fn issue_to_common_name(&self, name: &str) -> Identity {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        self.sign(params, SystemTime::now() + Duration::from_hours(24))
    }

    fn issue_until(&self, names: &[&str], end: SystemTime) -> Identity {
        self.sign(params(names), end)
    }

    fn sign(&self, mut params: CertificateParams, end: SystemTime) -> Identity {
        params.not_before = (end - Duration::from_hours(7 * 24)).into();
        params.not_after = end.into();
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        Identity { certificate: certificate.pem(), key: key.serialize_pem() }
    }
}

fn params(names: &[&str]) -> CertificateParams {
    CertificateParams::new(names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>()).unwrap()
}

/// A server's certificate and private key, both as PEM.
pub struct Identity {
    pub certificate: String,
    pub key: String,
}

impl Identity {
    /// Whom nobody vouches for.
    pub fn self_signed(names: &[&str]) -> Self {
        let key = KeyPair::generate().unwrap();
        let certificate = params(names).self_signed(&key).unwrap();
        Self { certificate: certificate.pem(), key: key.serialize_pem() }
    }

    /// The same as `openssl req -x509` makes it: an authority's own (CA:TRUE).
    pub fn self_signed_authority(names: &[&str]) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = params(names);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).unwrap();
        Self { certificate: certificate.pem(), key: key.serialize_pem() }
    }

    /// The same for rustls.
    pub fn config(&self) -> ServerConfig {
        self.finish(builder().with_no_client_auth())
    }

    /// The same for a server that wants to see a certificate of this authority.
    pub fn config_for_clients_of(&self, authority: &Authority) -> ServerConfig {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(authority.pem().as_bytes()).unwrap()).unwrap();
        let provider = Arc::clone(builder().crypto_provider());
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
        self.finish(builder().with_client_cert_verifier(verifier.unwrap()))
    }

    /// The SHA-256 of the certificate, in hexadecimal digits.
    pub fn pin(&self) -> String {
        let digest = digest::digest(&digest::SHA256, &self.der());
        digest.as_ref().iter().fold(String::new(), |pin, octet| format!("{pin}{octet:02x}"))
    }

    fn finish(&self, config: ConfigBuilder<ServerConfig, WantsServerCert>) -> ServerConfig {
        let key = PrivateKeyDer::from_pem_slice(self.key.as_bytes()).unwrap();
        config.with_single_cert(vec![self.der()], key).unwrap()
    }

    pub fn der(&self) -> CertificateDer<'static> {
        CertificateDer::from_pem_slice(self.certificate.as_bytes()).unwrap()
    }
}

fn builder() -> ConfigBuilder<ServerConfig, WantsVerifier> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(provider);
    builder.with_safe_default_protocol_versions().unwrap()
}
