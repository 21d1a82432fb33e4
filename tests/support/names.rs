//! A resolver that answers what it was told to, on this machine only: by UDP and by TCP.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use simple_dns::rdata::{A, CNAME, MX, RData, SRV};
use simple_dns::{CLASS, Name, Packet, PacketFlag, QTYPE, RCODE, ResourceRecord, TYPE};

/// What is said of a name.
#[derive(Clone, Debug)]
pub enum DnsReply {
    /// An address.
    Address(Ipv4Addr),
    /// A mail exchanger.
    Mx(&'static str),
    /// A service: its port and its host; a host of "" says that there is none.
    Srv(u16, &'static str),
    /// Another name for it.
    Cname(&'static str),
    /// The answer fits only into a stream.
    OnlyByStream(Box<Self>),
    /// A forged answer with another number comes before the right one.
    Forged(&'static str, Box<Self>),
}

/// A resolver under way; its threads end with the process.
pub struct Names {
    pub address: SocketAddr,
}

type Zone = HashMap<&'static str, Vec<DnsReply>>;

impl Names {
    /// What is below one of `domains` exists, whether or not something is said of it.
    pub fn start(domains: &'static [&'static str], said: &[(&'static str, DnsReply)]) -> Self {
        Self::start_at(0, domains, said)
    }

    /// The same at a port of 127.0.0.1.
    pub fn start_at(
        port: u16,
        domains: &'static [&'static str],
        said: &[(&'static str, DnsReply)],
    ) -> Self {
        let mut zone = Zone::new();
        for (name, said) in said {
            zone.entry(name).or_default().push(said.clone());
        }
        let zone = Arc::new(zone);
        let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
        let address = listener.local_addr().unwrap();
        let socket = UdpSocket::bind(address).unwrap();
        let streamed = Arc::clone(&zone);
        thread::spawn(move || {
            for stream in listener.incoming() {
                drop(stream.and_then(|stream| answer_stream(stream, domains, &streamed)));
            }
        });
        thread::spawn(move || {
            let mut buffer = [0; 1500];
            while let Ok((read, from)) = socket.recv_from(&mut buffer) {
                for datagram in answers(&buffer[..read], domains, &zone, false) {
                    drop(socket.send_to(&datagram, from));
                }
            }
        });
        Self { address }
    }
}

fn answer_stream(mut stream: TcpStream, domains: &[&str], zone: &Zone) -> io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let mut length = [0; 2];
    stream.read_exact(&mut length)?;
    let mut question = vec![0; u16::from_be_bytes(length).into()];
    stream.read_exact(&mut question)?;
    let answer = answers(&question, domains, zone, true).pop().unwrap();
    stream.write_all(&u16::try_from(answer.len()).unwrap().to_be_bytes())?;
    stream.write_all(&answer)
}

/// The datagrams that answer a question.
fn answers(question: &[u8], domains: &[&str], zone: &Zone, is_stream: bool) -> Vec<Vec<u8>> {
    let query = Packet::parse(question).unwrap();
    let asked = query.questions[0].clone();
    let name = asked.qname.to_string().trim_end_matches('.').to_owned();
    let exists =
        domains.iter().any(|domain| name == *domain || name.ends_with(&format!(".{domain}")));
    let mut forged = None;
    let mut reply = query.clone().into_reply();
    if !exists {
        *reply.rcode_mut() = RCODE::NameError;
    }
    let said: Vec<_> = zone.get(name.as_str()).into_iter().flatten().collect();
    for said in said {
        let mut said = said;
        loop {
            match said {
                DnsReply::OnlyByStream(inner) if is_stream => said = inner,
                DnsReply::OnlyByStream(_) => {
                    reply.set_flags(PacketFlag::TRUNCATION);
                    break;
                }
                DnsReply::Forged(host, inner) => {
                    forged = Some(*host);
                    said = inner;
                }
                said => {
                    let data = record(said);
                    let is_asked = match &data {
                        RData::MX(_) => asked.qtype == QTYPE::TYPE(TYPE::MX),
                        RData::SRV(_) => asked.qtype == QTYPE::TYPE(TYPE::SRV),
                        RData::A(_) => asked.qtype == QTYPE::TYPE(TYPE::A),
                        _ => true,
                    };
                    if is_asked {
                        reply.answers.push(ResourceRecord::new(
                            asked.qname.clone(),
                            CLASS::IN,
                            60,
                            data,
                        ));
                        follow(said, zone, &mut reply);
                    }
                    break;
                }
            }
        }
    }
    let mut datagrams = Vec::new();
    if let Some(host) = forged {
        let mut packet = query.clone().into_reply();
        packet.set_id(query.id().wrapping_add(1));
        let data = record(&DnsReply::Mx(host));
        packet.answers.push(ResourceRecord::new(asked.qname.clone(), CLASS::IN, 60, data));
        datagrams.push(packet.build_bytes_vec().unwrap());
    }
    datagrams.push(reply.build_bytes_vec().unwrap());
    datagrams
}

/// Adds what is said of another name for it, once round a circle.
fn follow(said: &DnsReply, zone: &Zone, reply: &mut Packet<'_>) {
    let mut said = said.clone();
    for _ in 0..4 {
        let DnsReply::Cname(to) = said else { return };
        let Some(next) = zone.get(to).and_then(|all| all.first()) else { return };
        let name = Name::new_unchecked(to).into_owned();
        reply.answers.push(ResourceRecord::new(name, CLASS::IN, 60, record(next)));
        said = next.clone();
    }
}

fn record(said: &DnsReply) -> RData<'static> {
    let name = |name: &'static str| Name::new_unchecked(name);
    match said {
        DnsReply::Address(address) => RData::A(A { address: u32::from(*address) }),
        DnsReply::Mx(host) => RData::MX(MX { preference: 10, exchange: name(host) }),
        DnsReply::Srv(port, host) => {
            RData::SRV(SRV { priority: 0, weight: 0, port: *port, target: name(host) })
        }
        DnsReply::Cname(to) => RData::CNAME(CNAME(name(to))),
        other => panic!("{other:?}"),
    }
}
