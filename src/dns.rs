//! Questions for the domain name system and their answers (RFC 1035): MX and SRV (RFC 2782), as a
//! resolver of this machine's answers them. A codec; sockets are elsewhere. Answers are not signed:
//! every finding has to be proven otherwise.

use simple_dns::rdata::RData;
use simple_dns::{CLASS, Name, Packet, PacketFlag, QCLASS, QTYPE, RCODE, TYPE};

use crate::limits;
use crate::text::Domain;

/// The type of a DNS record that is asked for (RFC 1035 §3.2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// MX: the mail exchangers of the domain (RFC 5321 §5.1).
    Mx,
    /// SRV: the servers of a service (RFC 6186, 8314).
    Srv,
}

impl Kind {
    fn code(self) -> TYPE {
        match self {
            Self::Mx => TYPE::MX,
            Self::Srv => TYPE::SRV,
        }
    }
}

/// A DNS question with its random id (RFC 1035 §4.1).
#[derive(Clone, Debug)]
pub struct Question {
    id: u16,
    name: String,
    kind: Kind,
}

/// A resource record of type MX or SRV in an answer (RFC 1035 §3.3.9, RFC 2782).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The smallest comes first: MX's preference, SRV's priority.
    pub priority: u16,
    /// The share among records of the same priority; 0 in MX.
    pub weight: u16,
    /// The port; 0 in MX.
    pub port: u16,
    /// The host; `None` if the record says that there is none (`.`).
    pub host: Option<Domain>,
}

/// What a DNS server answered to a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The records, the one that comes first first; none if the name has none of this kind.
    Records(Vec<Record>),
    /// The name does not exist (NXDOMAIN).
    NoSuchName,
    /// There is more than fits into a datagram (TC): to be asked again by TCP.
    Truncated,
}

/// The reason why octets are no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The name cannot be asked for.
    #[error("the name cannot be looked up")]
    Name,
    /// The message is an answer to another question, or forged. The real answer may still come.
    #[error("the answer is for another question")]
    Another,
    /// The message is malformed.
    #[error("the resolver's answer cannot be read")]
    Malformed,
    /// The resolver could not find out.
    #[error("the resolver cannot answer now")]
    Failed,
    /// Names stand for names without end.
    #[error("the name is an alias of an alias, more than {} times", limits::DNS_ALIASES)]
    Aliases,
}

impl Question {
    /// The question with this number for records of `name`, such as `_pop3s._tcp.example.com`.
    pub fn new(id: u16, kind: Kind, name: &str) -> Self {
        Self { id, name: name.to_ascii_lowercase(), kind }
    }

    /// The question as a message.
    ///
    /// # Errors
    ///
    /// Returns an error if the name cannot be encoded (RFC 1035 §2.3.4).
    pub fn octets(&self) -> Result<Vec<u8>, Error> {
        let name = Name::new(&self.name).map_err(|_| Error::Name)?;
        let mut packet = Packet::new_query(self.id);
        packet.set_flags(PacketFlag::RECURSION_DESIRED);
        let kind = QTYPE::TYPE(self.kind.code());
        packet.questions.push(simple_dns::Question::new(
            name,
            kind,
            QCLASS::CLASS(CLASS::IN),
            false,
        ));
        packet.build_bytes_vec().map_err(|_| Error::Name)
    }

    /// Reads the answer in a message.
    ///
    /// # Errors
    ///
    /// Returns an error if the message is malformed, has another id or question, or carries a
    /// failure.
    pub fn answer(&self, octets: &[u8]) -> Result<Answer, Error> {
        // The id alone tells another's message from ours.
        if octets.get(..2) != Some(&self.id.to_be_bytes()) {
            return Err(Error::Another);
        }
        let packet = Packet::parse(octets).map_err(|_| Error::Malformed)?;
        let is_echoed = match packet.questions.as_slice() {
            [question] => {
                text(&question.qname).is_some_and(|name| name == self.name)
                    && question.qtype == QTYPE::TYPE(self.kind.code())
                    && question.qclass == QCLASS::CLASS(CLASS::IN)
            }
            _ => false,
        };
        if !packet.has_flags(PacketFlag::RESPONSE) || !is_echoed {
            return Err(Error::Another);
        }
        if packet.has_flags(PacketFlag::TRUNCATION) {
            return Ok(Answer::Truncated);
        }
        match packet.rcode() {
            RCODE::NoError => self.records(&packet).map(Answer::Records),
            RCODE::NameError => Ok(Answer::NoSuchName),
            _ => Err(Error::Failed),
        }
    }

    /// The records of the name, or of what it is an alias for within this answer.
    fn records(&self, packet: &Packet<'_>) -> Result<Vec<Record>, Error> {
        let mut name = self.name.clone();
        for _ in 0..=limits::DNS_ALIASES {
            let own = packet.answers.iter().filter(|record| {
                record.class == CLASS::IN && text(&record.name).is_some_and(|own| own == name)
            });
            let mut alias = None;
            let mut records = Vec::new();
            for record in own {
                // What is no host name is left out.
                let (place, host) = match (&record.rdata, self.kind) {
                    (RData::MX(mx), Kind::Mx) => ((mx.preference, 0, 0), host(&mx.exchange)),
                    (RData::SRV(srv), Kind::Srv) => {
                        ((srv.priority, srv.weight, srv.port), host(&srv.target))
                    }
                    (RData::CNAME(cname), _) => {
                        alias = alias.or_else(|| text(&cname.0));
                        continue;
                    }
                    _ => continue,
                };
                let (priority, weight, port) = place;
                if let Ok(host) = host {
                    records.push(Record { priority, weight, port, host });
                }
            }
            match alias {
                Some(alias) if records.is_empty() => name = alias,
                _ => {
                    records.truncate(limits::DNS_RECORDS);
                    records.sort_by_key(|record| (record.priority, u16::MAX - record.weight));
                    return Ok(records);
                }
            }
        }
        Err(Error::Aliases)
    }
}

/// A name as text in lower case, without the dot at its end; `None` if a label of it is not plain.
fn text(name: &Name<'_>) -> Option<String> {
    let mut text = String::new();
    for label in name.as_bytes() {
        let is_plain = |octet: &u8| octet.is_ascii_alphanumeric() || b"-_".contains(octet);
        if !label.iter().all(is_plain) {
            return None;
        }
        if !text.is_empty() {
            text.push('.');
        }
        text.extend(label.iter().map(|octet| char::from(octet.to_ascii_lowercase())));
    }
    Some(text)
}

/// The host that a record names, `None` if it says that there is none (RFC 2782: `.`).
fn host(name: &Name<'_>) -> Result<Option<Domain>, Error> {
    match text(name).ok_or(Error::Malformed)?.as_str() {
        "" => Ok(None),
        text => text.parse().map(Some).map_err(|_| Error::Malformed),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use simple_dns::ResourceRecord;
    use simple_dns::rdata::{CNAME, MX, SRV};

    use super::*;

    fn question(kind: Kind, name: &str) -> Question {
        Question::new(0x1234, kind, name)
    }

    /// A reply to the question, which is changed before it is sent.
    fn reply(question: &Question, change: impl FnOnce(&mut Packet<'_>)) -> Vec<u8> {
        let octets = question.octets().unwrap();
        let mut packet = Packet::parse(&octets).unwrap().into_reply();
        change(&mut packet);
        packet.build_bytes_vec_compressed().unwrap()
    }

    fn record<'a>(name: &'a str, rdata: RData<'a>) -> ResourceRecord<'a> {
        ResourceRecord::new(Name::new(name).unwrap(), CLASS::IN, 60, rdata)
    }

    fn mx(name: &'static str, preference: u16, host: &'static str) -> ResourceRecord<'static> {
        record(name, RData::MX(MX { preference, exchange: Name::new(host).unwrap() }))
    }

    fn srv(
        name: &'static str,
        priority: u16,
        weight: u16,
        target: &'static str,
    ) -> ResourceRecord<'static> {
        let target = Name::new(target).unwrap();
        record(name, RData::SRV(SRV { priority, weight, port: 995, target }))
    }

    fn cname(name: &'static str, to: &'static str) -> ResourceRecord<'static> {
        record(name, RData::CNAME(CNAME(Name::new(to).unwrap())))
    }

    fn hosts(answer: Result<Answer, Error>) -> Vec<String> {
        let Ok(Answer::Records(records)) = answer else { panic!("{answer:?}") };
        let name = |record: Record| record.host.map_or(".".to_owned(), |host| host.to_string());
        records.into_iter().map(name).collect()
    }

    #[test]
    fn records_come_in_the_order_of_their_priority_and_weight() {
        let asked = question(Kind::Srv, "_pop3s._tcp.Example.com");
        let name = "_pop3s._tcp.example.com";
        let octets = reply(&asked, |packet| {
            packet.answers = vec![
                srv(name, 20, 0, "c.example.com"),
                srv(name, 10, 1, "b.example.com"),
                srv(name, 10, 9, "a.example.com"),
                srv("_other._tcp.example.com", 0, 0, "evil.example"),
            ];
        });
        assert_eq!(
            hosts(asked.answer(&octets)),
            ["a.example.com", "b.example.com", "c.example.com"]
        );
        let asked = question(Kind::Mx, "example.com");
        let octets = reply(&asked, |packet| {
            packet.answers =
                vec![mx("example.com", 9, "b.example"), mx("EXAMPLE.com", 1, "A.example")];
        });
        assert_eq!(hosts(asked.answer(&octets)), ["a.example", "b.example"]);
    }

    #[test]
    fn a_dot_says_that_there_is_none() {
        let asked = question(Kind::Srv, "_pop3._tcp.example.com");
        let octets =
            reply(&asked, |packet| packet.answers = vec![srv("_pop3._tcp.example.com", 0, 0, "")]);
        assert_eq!(hosts(asked.answer(&octets)), ["."]);
    }

    #[test]
    fn aliases_are_followed_within_the_answer_and_not_round_in_circles() {
        let asked = question(Kind::Mx, "example.com");
        let octets = reply(&asked, |packet| {
            packet.answers =
                vec![mx("real.example", 1, "mx.example"), cname("example.com", "real.example")];
        });
        assert_eq!(hosts(asked.answer(&octets)), ["mx.example"]);
        let octets = reply(&asked, |packet| {
            packet.answers =
                vec![cname("example.com", "b.example"), cname("b.example", "example.com")];
        });
        assert_eq!(asked.answer(&octets), Err(Error::Aliases));
        let octets =
            reply(&asked, |packet| packet.answers = vec![cname("example.com", "b.example")]);
        assert_eq!(asked.answer(&octets), Ok(Answer::Records(Vec::new())));
    }

    #[test]
    fn an_answer_to_another_question_is_none() {
        let asked = question(Kind::Mx, "example.com");
        let octets = reply(&asked, |packet| packet.set_id(0x1235));
        assert_eq!(asked.answer(&octets), Err(Error::Another));
        let other = question(Kind::Mx, "evil.example");
        let octets =
            reply(&other, |packet| packet.answers = vec![mx("example.com", 1, "mx.evil.example")]);
        assert_eq!(asked.answer(&octets), Err(Error::Another));
        let other = question(Kind::Srv, "example.com");
        assert_eq!(asked.answer(&reply(&other, |_| ())), Err(Error::Another));
        assert_eq!(asked.answer(&asked.octets().unwrap()), Err(Error::Another), "a question");
        assert_eq!(asked.answer(b""), Err(Error::Another));
    }

    #[test]
    fn a_name_that_is_not_there_is_told_from_a_resolver_that_fails() {
        let asked = question(Kind::Mx, "example.com");
        let coded = |code| asked.answer(&reply(&asked, |packet| *packet.rcode_mut() = code));
        assert_eq!(coded(RCODE::NameError), Ok(Answer::NoSuchName));
        assert_eq!(coded(RCODE::ServerFailure), Err(Error::Failed));
        assert_eq!(coded(RCODE::Refused), Err(Error::Failed));
        let octets = reply(&asked, |packet| packet.set_flags(PacketFlag::TRUNCATION));
        assert_eq!(asked.answer(&octets), Ok(Answer::Truncated));
    }

    #[test]
    fn names_that_are_no_host_names_are_left_out() {
        let asked = question(Kind::Mx, "example.com");
        // A label may hold any octet (RFC 2181 §11), a line end among them.
        let mut octets =
            reply(&asked, |packet| packet.answers = vec![mx("example.com", 1, "aXb.example")]);
        let at = octets.windows(3).position(|three| three == b"aXb").unwrap();
        octets[at + 1] = b'\n';
        assert_eq!(asked.answer(&octets), Ok(Answer::Records(Vec::new())));
    }

    #[test]
    fn what_cannot_be_asked_is_not() {
        let long = format!("{}.example", "x".repeat(64));
        assert_eq!(question(Kind::Mx, &long).octets(), Err(Error::Name));
    }

    proptest! {
        /// Reading any octets ends without a panic, and forged octets name only hosts.
        #[test]
        fn any_octets_end(tail in prop::collection::vec(any::<u8>(), 0..200)) {
            let asked = question(Kind::Srv, "_pop3s._tcp.example.com");
            let mut octets = asked.octets().unwrap();
            octets.extend_from_slice(&tail);
            drop(asked.answer(&octets));
            let mut octets = vec![0x12, 0x34];
            octets.extend_from_slice(&tail);
            drop(asked.answer(&octets));
        }

        /// An answer with octets changed is read or refused.
        #[test]
        fn any_change_ends(at in 2_usize..120, octet in any::<u8>()) {
            let asked = question(Kind::Srv, "_pop3s._tcp.example.com");
            let name = "_pop3s._tcp.example.com";
            let mut octets = reply(&asked, |packet| {
                packet.answers = vec![srv(name, 1, 1, "a.example.com"), srv(name, 2, 1, "b.example.com")];
            });
            if let Some(place) = octets.get_mut(at) {
                *place = octet;
            }
            if let Ok(Answer::Records(records)) = asked.answer(&octets) {
                prop_assert!(records.len() <= limits::DNS_RECORDS);
            }
        }
    }
}
