//! What a certificate says (RFC 5280), for people who must decide about it. Decides nothing: that
//! is the verifier's business.

use std::net::IpAddr;

use rustls::pki_types::CertificateDer;
use x509_parser::prelude::{ASN1Time, FromDer as _, GeneralName, X509Certificate, X509Name};

use super::Pin;
use crate::text::shown;

/// A server's certificate in words. Whoever made it may have written anything there, so all of it
/// is made safe to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// Whom it is for.
    pub subject: String,
    /// Who signed it.
    pub issuer: String,
    /// The host names and addresses that it is for.
    pub names: Vec<String>,
    /// Its first moment.
    pub not_before: Moment,
    /// Its last moment.
    pub not_after: Moment,
    /// Whether it names nobody but itself as its issuer.
    pub is_self_signed: bool,
    /// What to write behind `pin` to trust it and no other.
    pub pin: Pin,
}

/// A point in time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Seconds since 1970.
    pub seconds: i64,
    /// The day, as YYYY-MM-DD.
    pub day: String,
}

impl Certificate {
    /// `None` if it is not one.
    pub(super) fn read(der: &CertificateDer<'_>) -> Option<Self> {
        let (_, read) = X509Certificate::from_der(der).ok()?;
        let names = read.subject_alternative_name().ok().flatten();
        let names = names.iter().flat_map(|extension| &extension.value.general_names);
        Some(Self {
            subject: in_brief(read.subject()),
            issuer: in_brief(read.issuer()),
            names: names.filter_map(name).collect(),
            not_before: moment(read.validity().not_before),
            not_after: moment(read.validity().not_after),
            is_self_signed: read.subject().as_raw() == read.issuer().as_raw(),
            pin: Pin::of(der),
        })
    }

    /// Whole days from `now`, in seconds since 1970, to its end.
    pub fn days_left(&self, now: u64) -> i64 {
        const DAY: i64 = 24 * 60 * 60;
        self.not_after.seconds.saturating_sub(i64::try_from(now).unwrap_or(i64::MAX)) / DAY
    }
}

/// The organization and the common name, as far as they are there; else whatever is.
fn in_brief(name: &X509Name<'_>) -> String {
    let organization = name.iter_organization().next().and_then(|part| part.as_str().ok());
    let common = name.iter_common_name().next().and_then(|part| part.as_str().ok());
    let words: Vec<_> = [organization, common].into_iter().flatten().collect();
    shown(&if words.is_empty() { name.to_string() } else { words.join(" ") })
}

fn name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some(shown(name)),
        GeneralName::IPAddress(octets) => match octets.len() {
            4 => <[u8; 4]>::try_from(*octets).ok().map(|octets| IpAddr::from(octets).to_string()),
            _ => <[u8; 16]>::try_from(*octets).ok().map(|octets| IpAddr::from(octets).to_string()),
        },
        _ => None,
    }
}

fn moment(time: ASN1Time) -> Moment {
    Moment { seconds: time.timestamp(), day: time.to_datetime().date().to_string() }
}
