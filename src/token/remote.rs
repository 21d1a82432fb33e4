//! The authorization server over the network: each request on a TLS connection of its own. Decides
//! nothing about tokens.

use std::fmt;
use std::thread;
use std::time::Duration;

use super::{AuthorizationServer, Error, Login, Run, Unreached, now};
use crate::http::{self, Form, Redirects, Request, Response};
use crate::limits;
use crate::net::{self, Bounds, Stop};
use crate::oauth::{self, Endpoints, Refusal, Server};
use crate::text::HttpsUrl;
use crate::tls::{self};

/// The authorization server of a login. A first signal does not cut off a request, which takes
/// [`limits::HTTP_TIME`] at most: a lost answer may be a lost login.
pub(super) struct Remote<'a> {
    pub(super) login: &'a Login,
    pub(super) run: &'a Run,
    tls: tls::Client,
    stream: Option<tls::TlsStream>,
    pub(super) shelter: Option<net::Shelter>,
}

impl<'a> Remote<'a> {
    pub(super) fn new(login: &'a Login, run: &'a Run) -> Result<Self, Error> {
        let unreached = |error: tls::Error| Error::Unreached {
            place: Login::place(login.client.server.url()),
            error: error.into(),
        };
        let tls = tls::Client::new(&login.trust).map_err(unreached)?;
        Ok(Self { login, run, tls, stream: None, shelter: None })
    }

    fn open(&self, url: &HttpsUrl) -> Result<tls::TlsStream, Unreached> {
        let bounds = Bounds {
            per_wait: self.login.per_wait.min(limits::HTTP_TIME),
            in_all: Some(limits::HTTP_TIME),
        };
        // Not the run's own `Stop`: a first signal would end the connection.
        let tcp = net::connect(url.host(), url.port(), None, bounds, &Stop::default())?;
        Ok(self.tls.handshake(tcp, url.host())?)
    }

    fn tell(&self, request: &dyn fmt::Display, outcome: &dyn fmt::Display) {
        if let Some(listener) = &self.run.listener {
            listener(&format_args!("{request} -> {outcome}"));
        }
    }
}

impl AuthorizationServer for Remote<'_> {
    fn now(&self) -> u64 {
        now()
    }

    fn pause(&mut self) -> Duration {
        const PAUSE: Duration = Duration::from_millis(20);
        thread::sleep(PAUSE);
        PAUSE
    }

    fn endpoints(&mut self) -> Result<Endpoints, Error> {
        let issuer = match &self.login.client.server {
            Server::Known(endpoints) => return Ok((**endpoints).clone()),
            Server::Issuer(issuer) => issuer,
        };
        let place = Login::place(issuer);
        let host = || issuer.host().to_string();
        let protocol = |error| Error::Protocol { host: host(), error };
        // The first that says more than that nothing is there.
        let (mut failure, mut last) = (None, 0);
        for url in oauth::metadata_urls(issuer).into_iter().flatten() {
            let found = http::get(url.clone(), "application/json", Redirects::SameHost, |url| {
                self.open(url)
            });
            let (_, response) = match found {
                Ok(found) => found,
                Err(error) => {
                    self.tell(&format_args!("GET {url}"), &error);
                    return Err(Error::Unreached { place, error });
                }
            };
            self.tell(&format_args!("GET {url}"), &response.status);
            let status = response.status;
            last = status;
            if response.is_success() {
                // A page for people may stand where metadata are looked for first.
                match oauth::metadata(issuer, &response.body) {
                    Ok(endpoints) => return Ok(endpoints),
                    Err(error) => _ = failure.get_or_insert_with(|| protocol(error)),
                }
            } else if status >= 500 || status == 429 {
                let (code, description) = (oauth::ErrorCode::None, String::new());
                let refusal = Refusal { code, description, status };
                _ = failure.get_or_insert_with(|| Error::Later { host: host(), refusal });
            }
        }
        Err(failure.unwrap_or_else(|| {
            let words = format!("it has no metadata (HTTP status {last})");
            protocol(oauth::Error::Malformed(words))
        }))
    }

    fn connect(&mut self, url: &HttpsUrl) -> Result<(), Error> {
        let unreached = |error| Error::Unreached { place: Login::place(url), error };
        self.shelter = Some(self.run.stop.shelter());
        self.stream = Some(self.open(url).map_err(unreached)?);
        Ok(())
    }

    fn ask(&mut self, url: &HttpsUrl, form: Form) -> Result<Response, Error> {
        let unreached = |error: Unreached| Error::Unreached { place: Login::place(url), error };
        let stream = match self.stream.take() {
            Some(stream) => stream,
            None => self.open(url).map_err(unreached)?,
        };
        let request = Request::post(url.clone(), "application/json", form);
        let response = http::exchange(stream, &request);
        match &response {
            Ok(response) => self.tell(&request, &response.status),
            Err(error) => self.tell(&request, error),
        }
        response.map_err(|error| unreached(error.into()))
    }
}
