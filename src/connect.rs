//! The way to a server, the same for every command: name lookup, connection and TLS. What is spoken on
//! it, and when STARTTLS or STLS makes it private, is the caller's.

pub mod service;

use crate::error::Error;
use crate::net::{self, Stop, Tcp};
use crate::report::{Report, SlowStep};
use crate::settings::Peer;
use crate::tls::{self, TlsStream};
use crate::wire::Private;

/// A connector to one server.
#[derive(Debug)]
pub struct Connector<'a> {
    peer: &'a Peer,
    client: tls::Client,
    report: &'a Report,
    stop: &'a Stop,
}

impl<'a> Connector<'a> {
    /// A connector that has not connected. The trust store is read here, so that a mistake in it
    /// shows before any connection.
    ///
    /// # Errors
    ///
    /// Returns an error if a file of the trust store or of the client's certificate cannot be used.
    pub fn to(peer: &'a Peer, report: &'a Report, stop: &'a Stop) -> Result<Self, Error> {
        Ok(Self { peer, client: tls::Client::new(&peer.trust)?, report, stop })
    }

    /// Shows at a terminal that this step with the server is under way.
    pub fn step(&self, step: &str) -> SlowStep {
        self.report.slow_step(format_args!("{step} to {}", self.peer))
    }

    /// A connection, not private.
    ///
    /// # Errors
    ///
    /// Returns an error if no address can be reached.
    pub fn tcp(&self) -> Result<Tcp, Error> {
        let Peer { host, port, source_address, bounds, detours, .. } = self.peer;
        let tcp = match &self.peer.connect_command {
            Some(program) => net::connect_through(program.command(), *bounds, self.stop)?,
            None => net::connect_by(detours, host, *port, *source_address, *bounds, self.stop)?,
        };
        self.report.detail(format_args!("connected to {}", self.peer));
        Ok(tcp)
    }

    /// A connection made private by TLS.
    ///
    /// # Errors
    ///
    /// Returns an error if the handshake fails or the certificate is refused.
    pub fn tls(&self, tcp: Tcp) -> Result<Box<dyn Private>, Error> {
        Ok(Box::new(self.handshake(tcp)?))
    }

    /// Connects by TLS and returns the stream with its details.
    ///
    /// # Errors
    ///
    /// Returns an error if the handshake fails or the certificate is refused.
    pub fn handshake(&self, tcp: Tcp) -> Result<TlsStream, Error> {
        let stream = self.client.handshake(tcp, &self.peer.host)?;
        self.report.detail(stream.describe());
        Ok(stream)
    }

    /// A connection that needs no TLS, since it does not leave this machine.
    ///
    /// # Errors
    ///
    /// Returns an error if the peer is not on this machine.
    pub fn loopback(&self) -> Result<Box<dyn Private>, Error> {
        Ok(Box::new(self.tcp()?.loopback()?))
    }
}
