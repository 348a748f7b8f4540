//! A page served to the browsers of this machine.

use super::bundle::Bundle;
use super::page::files;
use crate::{Error, Result};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use tiny_http::{Header, Request, Response};

/// The files of a page, on a port of this machine.
pub struct Server {
    files: BTreeMap<String, Vec<u8>>,
    server: tiny_http::Server,
    address: SocketAddr,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Server {
    /// Serve `bundle` on `port`, or on a free one for 0. No other machine gets in.
    ///
    /// # Errors
    /// [`Error::Setting`] if the port is taken.
    pub fn open(bundle: &Bundle, port: u16) -> Result<Self> {
        let server = tiny_http::Server::http(("127.0.0.1", port)).map_err(|error| {
            let problem = format!("port {port} cannot be used: {error}");
            Error::setting("--port", problem, "name another one, or leave it out for a free one")
        })?;
        let address = server.server_addr().to_ip();
        let address = address.ok_or_else(|| Error::Internal("a server without an address".into()))?;
        Ok(Self { files: files(bundle)?, server, address })
    }

    /// Where a browser finds the page.
    pub fn address(&self) -> String {
        // Browsers take this name for a secure context, which WebGPU asks for.
        format!("http://localhost:{}/", self.address.port())
    }

    /// Answer requests until `stop` says so; it is asked about four times a second.
    ///
    /// # Errors
    /// [`Error::Internal`] if no more requests can be received.
    pub fn run(&self, stop: impl Fn() -> bool) -> Result<()> {
        while !stop() {
            let received = self.server.recv_timeout(std::time::Duration::from_millis(250));
            if let Some(request) =
                received.map_err(|error| Error::Internal(format!("the server: {error}")))?
            {
                self.answer(request);
            }
        }
        Ok(())
    }

    fn answer(&self, request: Request) {
        let path = request.url().split(['?', '#']).next().unwrap_or_default().trim_start_matches('/');
        let name = if path.is_empty() { "index.html" } else { path };
        let result = match self.files.get(name) {
            Some(content) => {
                let mut response = Response::from_data(content.as_slice());
                for (field, value) in [("Content-Type", content_type(name)), ("Cache-Control", "no-cache")] {
                    if let Ok(header) = Header::from_bytes(field, value) {
                        response.add_header(header);
                    }
                }
                request.respond(response)
            }
            None => request.respond(Response::from_string("There is no such file.").with_status_code(404)),
        };
        if let Err(problem) = result {
            log::debug!("a request was not answered: {problem}");
        }
    }
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("wasm") => "application/wasm",
        Some("gz") => "application/gzip",
        _ => "application/octet-stream",
    }
}
