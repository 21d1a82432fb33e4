//! What a certificate says (RFC 5280), for people who must decide about it. Decides nothing: that
//! is the verifier's business.

use std::net::IpAddr;
use std::time::Duration;

use rustls::pki_types::{CertificateDer, SubjectPublicKeyInfoDer, UnixTime};
use x509_cert::attr::AttributeTypeAndValue;
use x509_cert::certificate::Version;
use x509_cert::der::asn1::UintRef;
use x509_cert::der::{DateTime, Decode as _, Encode as _, Reader as _, SliceReader};
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::name::Name;
use x509_cert::spki::SubjectPublicKeyInfoOwned;
use x509_cert::time::Time;

use super::Pin;
use crate::text::shown;

/// A server's certificate in words. Its issuer chose the contents, so all of it is made safe to
/// show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// The names that it is valid for.
    pub subject: String,
    /// The issuer.
    pub issuer: String,
    /// The host names and addresses that it is for.
    pub names: Vec<String>,
    /// The beginning of its validity.
    pub not_before: Date,
    /// The end of its validity.
    pub not_after: Date,
    /// True if subject and issuer are the same.
    pub is_self_signed: bool,
    /// The length of the key in bits; `None` if it is no RSA key.
    pub rsa_bits: Option<usize>,
    /// The value for the key `pin` that accepts this certificate only.
    pub pin: Pin,
}

/// The public key of a certificate of version 1, in DER.
pub(super) struct KeyOfVersion1 {
    pub(super) whole: SubjectPublicKeyInfoDer<'static>,
    /// The contents of the `AlgorithmIdentifier`.
    pub(super) algorithm: Vec<u8>,
    pub(super) bits: Vec<u8>,
}

/// A point in time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Date {
    /// Seconds since 1970.
    pub seconds: i64,
    /// The day, as YYYY-MM-DD.
    pub day: String,
}

impl Certificate {
    /// `None` if it is not one.
    pub(super) fn read(der: &CertificateDer<'_>) -> Option<Self> {
        let read = x509_cert::Certificate::from_der(der).ok()?;
        let read = read.tbs_certificate();
        let names = read.get_extension::<SubjectAltName>().ok().flatten();
        let names = names.iter().flat_map(|(_, SubjectAltName(names))| names);
        Some(Self {
            subject: in_brief(read.subject()),
            issuer: in_brief(read.issuer()),
            names: names.filter_map(name).collect(),
            not_before: date(read.validity().not_before),
            not_after: date(read.validity().not_after),
            is_self_signed: read.subject() == read.issuer(),
            rsa_bits: rsa_bits(read.subject_public_key_info()),
            pin: Pin::of(der),
        })
    }

    /// Returns the public key of a certificate of version 1 (RFC 5280 §4.1.2.1), which the usual
    /// verifier does not read: the whole of it, its algorithm, and its bits. `None` for any other
    /// certificate.
    pub(super) fn key_of_version_1(der: &CertificateDer<'_>) -> Option<KeyOfVersion1> {
        let read = x509_cert::Certificate::from_der(der).ok()?;
        let read = read.tbs_certificate();
        if read.version() != Version::V1 {
            return None;
        }
        let key = read.subject_public_key_info();
        let algorithm = key.algorithm.to_der().ok()?;
        Some(KeyOfVersion1 {
            whole: key.to_der().ok()?.into(),
            // It is shorter than 128 octets, so that its tag and length are two.
            algorithm: algorithm.get(2..)?.to_vec(),
            bits: key.subject_public_key.as_bytes()?.to_vec(),
        })
    }

    /// Returns the length in bits of an RSA key that is too short; `None` for any other key.
    pub(super) fn weak_key(&self) -> Option<usize> {
        self.rsa_bits.filter(|bits| *bits < super::RSA_BITS)
    }

    /// Returns whether its validity ends in this second.
    pub(super) fn ends_at(&self, time: UnixTime) -> bool {
        u64::try_from(self.not_after.seconds) == Ok(time.as_secs())
    }

    /// Whole days from `now`, in seconds since 1970, to its end.
    pub fn days_left(&self, now: u64) -> i64 {
        const DAY: i64 = 24 * 60 * 60;
        self.not_after.seconds.saturating_sub(i64::try_from(now).unwrap_or(i64::MAX)) / DAY
    }
}

/// Returns organization and common name as far as present, else all that the name is made of.
fn in_brief(name: &Name) -> String {
    let parts = [name.organization(), name.common_name()].map(|part| part.ok().flatten());
    let words: Vec<String> = parts.into_iter().flatten().map(String::from).collect();
    if !words.is_empty() {
        return shown(&words.join(" "));
    }
    let value =
        |part: &AttributeTypeAndValue| String::from_utf8_lossy(part.value.value()).into_owned();
    shown(&name.iter().map(value).collect::<Vec<_>>().join(" "))
}

fn name(name: &GeneralName) -> Option<String> {
    match name {
        GeneralName::DnsName(name) => Some(shown(name.as_str())),
        GeneralName::IpAddress(octets) => {
            let octets = octets.as_bytes();
            let v4 = <[u8; 4]>::try_from(octets).map(IpAddr::from);
            let address = v4.or_else(|_| <[u8; 16]>::try_from(octets).map(IpAddr::from));
            address.ok().map(|address| address.to_string())
        }
        _ => None,
    }
}

/// Returns the length in bits of an RSA key's modulus (RFC 8017 §A.1.1); `None` for any other key.
fn rsa_bits(key: &SubjectPublicKeyInfoOwned) -> Option<usize> {
    const RSA: &str = "1.2.840.113549.1.1.1";
    if key.algorithm.oid.to_string() != RSA {
        return None;
    }
    let mut reader = SliceReader::new(key.subject_public_key.as_bytes()?).ok()?;
    let modulus = reader.sequence(|reader| {
        let modulus = UintRef::decode(reader)?;
        UintRef::decode(reader)?;
        Ok::<_, x509_cert::der::Error>(modulus)
    });
    let octets = modulus.ok()?.as_bytes();
    let unused = usize::try_from(octets.first()?.leading_zeros()).ok()?;
    octets.len().checked_mul(8)?.checked_sub(unused)
}

/// Returns the day of a time as YYYY-MM-DD; an empty text after the year 9999.
pub(super) fn day(time: UnixTime) -> String {
    DateTime::from_unix_duration(Duration::from_secs(time.as_secs()))
        .map(in_digits)
        .unwrap_or_default()
}

fn in_digits(date: DateTime) -> String {
    format!("{:04}-{:02}-{:02}", date.year(), date.month(), date.day())
}

fn date(time: Time) -> Date {
    Date {
        seconds: i64::try_from(time.to_unix_duration().as_secs()).unwrap_or(i64::MAX),
        day: in_digits(time.to_date_time()),
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair};

    use super::*;

    /// The subject of a certificate, as a person sees it.
    fn subject(parts: &[(DnType, &str)]) -> String {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        for (kind, value) in parts {
            params.distinguished_name.push(kind.clone(), *value);
        }
        let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        Certificate::read(certificate.der()).unwrap().subject
    }

    #[test]
    fn a_name_is_told_by_organization_and_common_name_or_by_all_of_it() {
        let (country, unit) = (DnType::CountryName, DnType::OrganizationalUnitName);
        let organization = (DnType::OrganizationName, "Example");
        let name = (DnType::CommonName, "Root\u{1b}[2J 1");
        let all = [(country.clone(), "DE"), organization.clone(), name.clone()];
        assert_eq!(subject(&all), "Example Root\\u{1b}[2J 1");
        assert_eq!(subject(&[name]), "Root\\u{1b}[2J 1");
        assert_eq!(subject(&[(unit.clone(), "Mail"), organization]), "Example");
        assert_eq!(subject(&[(country, "DE"), (unit, "Ma\nil")]), "DE Ma\\u{a}il");
        assert_eq!(subject(&[]), "");
    }
}
