//! The way to a server: look-up, connection and TLS, the same for every story. What is spoken on
//! it, and when it becomes private, is the story's own business.

use crate::error::Error;
use crate::net::{self, Stop, Tcp};
use crate::settings::Peer;
use crate::tls::{self, TlsStream};

/// What it takes to reach one server.
#[derive(Debug)]
pub struct Way<'a> {
    peer: &'a Peer,
    client: tls::Client,
    stop: &'a Stop,
}

impl<'a> Way<'a> {
    /// Nothing is connected to yet; but what this side trusts is read, so that a mistake there is
    /// found before.
    pub fn to(peer: &'a Peer, stop: &'a Stop) -> Result<Self, Error> {
        Ok(Self { peer, client: tls::Client::new(&peer.trust)?, stop })
    }

    /// A connection, not private.
    pub fn tcp(&self) -> Result<Tcp, Error> {
        let Peer { host, port, bounds, .. } = self.peer;
        Ok(net::connect(host, *port, *bounds, self.stop)?)
    }

    /// TLS on a connection.
    pub fn tls(&self, tcp: Tcp) -> Result<TlsStream, Error> {
        Ok(self.client.handshake(tcp, &self.peer.host)?)
    }
}
