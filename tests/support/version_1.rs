//! Certificates of version 1 (RFC 5280 §4.1.2.1): without extensions, and so without names. No library
//! makes them, so they are cut out of others.

use std::sync::Arc;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ServerConfig, SupportedProtocolVersion};

use super::pki::Identity;

/// A certificate that is its own authority, as `openssl x509 -req` made it for long: without extensions, and so
/// without names (RFC 5280 §4.1.2.1).
pub fn self_signed() -> Identity {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["mail.example".to_owned()]).unwrap();
    let version_3 = params.self_signed(&key).unwrap();
    let [signed, algorithm, _] = elements(contents(version_3.der())).try_into().unwrap();
    // Neither the version nor the extensions.
    let fields = elements(contents(signed)).into_iter();
    let fields: Vec<_> = fields.filter(|field| !matches!(field[0], 0xa0 | 0xa3)).collect();
    let signed = element(0x30, &fields.concat());
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, key.serialized_der());
    let signature = pair.unwrap().sign(&SystemRandom::new(), &signed).unwrap();
    let bits = element(0x03, &[&[0], signature.as_ref()].concat());
    let der = element(0x30, &[&signed, algorithm, &bits].concat());
    let lines = STANDARD.encode(der);
    let certificate = format!("-----BEGIN CERTIFICATE-----\n{lines}\n-----END CERTIFICATE-----\n");
    Identity { certificate, key: key.serialize_pem() }
}

/// A server that shows a certificate, whatever it is, in one version of TLS.
pub fn config(identity: &Identity, version: &'static SupportedProtocolVersion) -> ServerConfig {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).unwrap();
    let key = provider.key_provider.load_private_key(key).unwrap();
    let shown = SingleCertAndKey::from(CertifiedKey::new(vec![identity.der()], key));
    let builder = ServerConfig::builder_with_provider(provider);
    let builder = builder.with_protocol_versions(&[version]).unwrap().with_no_client_auth();
    builder.with_cert_resolver(Arc::new(shown))
}

/// A DER element.
fn element(tag: u8, contents: &[u8]) -> Vec<u8> {
    let length = u16::try_from(contents.len()).unwrap();
    let length = match length {
        0..128 => vec![u8::try_from(length).unwrap()],
        128..256 => vec![0x81, u8::try_from(length).unwrap()],
        _ => [&[0x82], length.to_be_bytes().as_slice()].concat(),
    };
    [&[tag], length.as_slice(), contents].concat()
}

/// Where the contents of the first element begin and end.
fn bounds(der: &[u8]) -> (usize, usize) {
    let octets = |count: usize| {
        der[2..2 + count].iter().fold(0, |length, octet| length << 8 | usize::from(*octet))
    };
    match der[1] {
        short @ 0..128 => (2, 2 + usize::from(short)),
        long => {
            let count = usize::from(long & 0x7f);
            (2 + count, 2 + count + octets(count))
        }
    }
}

fn contents(der: &[u8]) -> &[u8] {
    let (begin, end) = bounds(der);
    &der[begin..end]
}

fn elements(mut der: &[u8]) -> Vec<&[u8]> {
    let mut found = Vec::new();
    while !der.is_empty() {
        let (first, rest) = der.split_at(bounds(der).1);
        found.push(first);
        der = rest;
    }
    found
}
