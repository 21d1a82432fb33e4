//! A certification authority that lives as long as one test: keys are made at run time.

use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose,
};

/// Signs certificates that only a client which was given [`Authority::pem`] accepts.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub fn new() -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "postie test authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// The authority's own certificate, for `--ca-file`.
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate for these host names or addresses, good for a day.
    pub fn issue(&self, names: &[&str]) -> Identity {
        self.issue_until(names, SystemTime::now() + Duration::from_hours(24))
    }

    /// A certificate whose last day was yesterday.
    pub fn issue_expired(&self, names: &[&str]) -> Identity {
        self.issue_until(names, SystemTime::now() - Duration::from_hours(24))
    }

    fn issue_until(&self, names: &[&str], end: SystemTime) -> Identity {
        let names: Vec<_> = names.iter().map(|&name| name.to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.not_before = (end - Duration::from_hours(7 * 24)).into();
        params.not_after = end.into();
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        Identity { certificate: certificate.pem(), key: key.serialize_pem() }
    }
}

/// A server's certificate and private key, both as PEM.
pub struct Identity {
    pub certificate: String,
    pub key: String,
}

impl Identity {
    /// The same for rustls.
    pub fn config(&self) -> rustls::ServerConfig {
        use rustls::pki_types::pem::PemObject;
        use rustls::pki_types::{CertificateDer, PrivateKeyDer};
        let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![CertificateDer::from_pem_slice(self.certificate.as_bytes()).unwrap()],
                PrivateKeyDer::from_pem_slice(self.key.as_bytes()).unwrap(),
            )
            .unwrap()
    }
}
