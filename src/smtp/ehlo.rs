//! What a server offers in its answer to EHLO (RFC 5321 §4.1.1.1), as far as this client makes
//! use of it.

use super::reply::Reply;

/// The extensions offered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extensions {
    /// Names of the SASL mechanisms (RFC 4954 §3); empty when logging in is not offered.
    pub auth: Vec<String>,
    /// CHUNKING: BDAT is taken in place of DATA (RFC 3030).
    pub chunking: bool,
    /// DSN: delivery status notifications can be requested (RFC 3461).
    pub dsn: bool,
    /// 8BITMIME: octets above 127 are taken in a body (RFC 6152).
    pub eight_bit_mime: bool,
    /// PIPELINING: commands may be sent ahead of their replies (RFC 2920).
    pub pipelining: bool,
    /// The most recipients of one transaction, if the server declares it (RFC 9422 §4.2).
    pub recipients: Option<usize>,
    /// REQUIRETLS: TLS on every hop can be required (RFC 8689).
    pub require_tls: bool,
    /// SIZE: the largest message in octets; 0 if there is no limit or none is declared (RFC 1870
    /// §4), `None` if the extension is not offered.
    pub size: Option<u64>,
    /// SMTPUTF8: internationalized addresses are taken (RFC 6531).
    pub smtp_utf8: bool,
    /// STARTTLS: TLS can be started (RFC 3207).
    pub starttls: bool,
}

impl From<&Reply> for Extensions {
    /// The first line is the server's name and a greeting; an extension that is not known is no
    /// business of ours.
    fn from(reply: &Reply) -> Self {
        let mut offers = Self::default();
        for line in reply.lines.iter().skip(1) {
            let mut words = line.split_ascii_whitespace();
            let keyword = words.next().unwrap_or_default().to_ascii_uppercase();
            match keyword.as_str() {
                "8BITMIME" => offers.eight_bit_mime = true,
                "AUTH" => offers.auth.extend(words.map(str::to_owned)),
                "CHUNKING" => offers.chunking = true,
                "DSN" => offers.dsn = true,
                "LIMITS" => {
                    let limit = words.find_map(|word| word.strip_prefix("RCPTMAX="));
                    offers.recipients =
                        limit.and_then(|limit| limit.parse().ok()).filter(|&limit| limit > 0);
                }
                "PIPELINING" => offers.pipelining = true,
                "REQUIRETLS" => offers.require_tls = true,
                "SIZE" => {
                    let limit = words.next().and_then(|limit| limit.parse().ok());
                    offers.size = Some(limit.unwrap_or_default());
                }
                "SMTPUTF8" => offers.smtp_utf8 = true,
                "STARTTLS" => offers.starttls = true,
                // `AUTH=LOGIN PLAIN` was written before the standard settled, and lives on.
                _ => {
                    if let Some(first) = keyword.strip_prefix("AUTH=") {
                        offers.auth.push(first.to_owned());
                        offers.auth.extend(words.map(str::to_owned));
                    }
                }
            }
        }
        offers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offers(lines: &[&str]) -> Extensions {
        let lines = lines.iter().map(|&line| line.to_owned()).collect();
        Extensions::from(&Reply { code: 250, lines })
    }

    #[test]
    fn offers_are_gathered_in_any_case() {
        let offers = offers(&["mail AUTH", "size 1000", "Auth PLAIN LOGIN", "PIPELINING", "X-Y"]);
        assert_eq!(offers.auth, ["PLAIN", "LOGIN"]);
        assert_eq!(offers.size, Some(1000));
        assert!(offers.pipelining && !offers.starttls && !offers.dsn);
    }

    #[test]
    fn a_limit_of_recipients_is_found_among_others() {
        assert_eq!(offers(&["x", "LIMITS MAILMAX=9 RCPTMAX=50"]).recipients, Some(50));
        for none in ["LIMITS", "LIMITS RCPTMAX=many", "LIMITS RCPTMAX=0", "LIMITS MAILMAX=9"] {
            assert_eq!(offers(&["x", none]).recipients, None);
        }
    }

    #[test]
    fn a_size_without_a_number_is_no_limit() {
        assert_eq!(offers(&["x", "SIZE"]).size, Some(0));
        assert_eq!(offers(&["x", "SIZE 99999999999999999999"]).size, Some(0));
        assert_eq!(offers(&["x", "AUTH=LOGIN PLAIN"]).auth, ["LOGIN", "PLAIN"]);
    }
}
