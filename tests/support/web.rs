//! A web server that knows a few pages, by TLS and on this machine only.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// A server under way; its threads end with the process.
pub struct Web {
    pub address: SocketAddr,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Web {
    /// Each page is a host with a path, and the whole response but for its length. What is not there
    /// is answered with 404.
    pub fn start(tls: ServerConfig, pages: Vec<(String, String)>) -> Self {
        Self::start_at(0, tls, pages)
    }

    /// The same at a port of 127.0.0.1.
    pub fn start_at(port: u16, tls: ServerConfig, pages: Vec<(String, String)>) -> Self {
        Self::serve(port, tls, pages, |host, path| format!("{host}{path}"))
    }

    /// The same for every host: each page is a path.
    pub fn start_for_all_hosts(tls: ServerConfig, pages: Vec<(String, String)>) -> Self {
        Self::serve(0, tls, pages, |_, path| path.to_owned())
    }

    fn serve(
        port: u16,
        tls: ServerConfig,
        pages: Vec<(String, String)>,
        name: fn(&str, &str) -> String,
    ) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
        let address = listener.local_addr().unwrap();
        let (tls, pages) = (Arc::new(tls), Arc::new(pages));
        let heard = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&heard);
        thread::spawn(move || {
            for socket in listener.incoming() {
                let (tls, pages, log) = (Arc::clone(&tls), Arc::clone(&pages), Arc::clone(&log));
                thread::spawn(move || -> std::io::Result<()> {
                    let socket = socket?;
                    socket.set_read_timeout(Some(Duration::from_secs(10)))?;
                    let connection = ServerConnection::new(tls).map_err(std::io::Error::other)?;
                    let mut stream = BufReader::new(StreamOwned::new(connection, socket));
                    let (mut path, mut host) = (String::new(), String::new());
                    loop {
                        let mut line = String::new();
                        stream.by_ref().take(8192).read_line(&mut line)?;
                        let line = line.trim_end();
                        let asked = line.strip_prefix("GET ").or(line.strip_prefix("POST "));
                        if let Some(rest) = asked {
                            rest.split(' ').next().unwrap().clone_into(&mut path);
                        }
                        if let Some(rest) = line.strip_prefix("host: ") {
                            rest.clone_into(&mut host);
                        }
                        log.lock().unwrap().push(line.to_owned());
                        if line.is_empty() {
                            break;
                        }
                    }
                    let page = pages.iter().find(|(page, _)| *page == name(&host, &path));
                    let missing = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
                    let answer = page.map_or(missing, |(_, answer)| answer.as_str());
                    let stream = stream.get_mut();
                    stream.write_all(answer.as_bytes())?;
                    stream.conn.send_close_notify();
                    stream.flush()
                });
            }
        });
        Self { address, heard }
    }

    /// Every line that was said to it.
    pub fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }
}
