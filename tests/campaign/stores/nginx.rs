//! nginx between our programs and a store: with TLS, a CA of its own and HTTP/2 on offer; through
//! one of its ports objects can be written only, and it may limit what a request holds.

use harness::https;
use harness::port::Port;
use harness::process::{self, Running};
use harness::stores::{Server, found, until_listening};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// The running proxy; it ends with the value.
#[derive(Debug)]
pub(crate) struct Nginx {
    dir: tempfile::TempDir,
    ports: [Port; 2],
    _running: Running,
}

impl Nginx {
    /// Starts one before a store; an error names what is missing.
    pub(crate) fn before(server: &Server) -> Result<Self, String> {
        Self::allowing(server, 0)
    }

    /// Starts one that allows this many bytes in a request; 0 means any number.
    pub(crate) fn allowing(server: &Server, bytes: usize) -> Result<Self, String> {
        let program = found("nginx")?;
        let dir = tempfile::tempdir().unwrap();
        let pair = https::pair();
        for (name, text) in
            [("ca.pem", &pair.ca), ("server.pem", &pair.certificate), ("server.key", &pair.key)]
        {
            fs::write(dir.path().join(name), text).unwrap();
        }
        let ports = [Port::take(), Port::take()];
        let numbers = ports.each_ref().map(Port::number);
        fs::write(dir.path().join("nginx.conf"), configuration(server.endpoint(), numbers, bytes)).unwrap();
        let mut command = Command::new(program);
        command.arg("-p").arg(dir.path()).args(["-c", "nginx.conf", "-e", "stderr"]);
        let mut running = process::start(server.pod().tree(), &mut command);
        for port in &ports {
            until_listening(&mut running, port);
        }
        Ok(Self { dir, ports, _running: running })
    }

    /// `https://127.0.0.1:<port>`.
    pub(crate) fn endpoint(&self) -> String {
        format!("https://127.0.0.1:{}", self.ports[0].number())
    }

    /// The same, where reading is refused.
    pub(crate) fn write_only_endpoint(&self) -> String {
        format!("https://127.0.0.1:{}", self.ports[1].number())
    }

    /// The file with its CA's certificate.
    pub(crate) fn ca(&self) -> PathBuf {
        self.dir.path().join("ca.pem")
    }

    fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("access.log")).unwrap_or_default()
    }

    /// The versions of HTTP that it was asked in.
    pub(crate) fn versions(&self) -> Vec<String> {
        let log = self.log();
        let mut versions: Vec<_> =
            log.lines().filter_map(|line| line.split(' ').next().map(str::to_owned)).collect();
        versions.sort();
        versions.dedup();
        versions
    }

    /// Returns whether it has refused to read.
    pub(crate) fn has_refused(&self) -> bool {
        self.log().lines().any(|line| line.ends_with(" 403"))
    }
}

fn configuration(store: &str, [all, write_only]: [u16; 2], allowed: usize) -> String {
    let server = |port: u16, limit: &str| {
        format!(
            "server {{\n\
             listen 127.0.0.1:{port} ssl http2;\n\
             ssl_certificate server.pem; ssl_certificate_key server.key;\n\
             location / {{ proxy_pass {store}; {limit} }}\n}}\n"
        )
    };
    format!(
        "daemon off; worker_processes 1; pid nginx.pid; user root;\n\
         events {{ worker_connections 2048; }}\n\
         http {{\n\
         log_format seen '$server_protocol $request_method $status'; access_log access.log seen;\n\
         client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;\n\
         client_max_body_size {allowed}; proxy_request_buffering off; proxy_buffering off;\n\
         proxy_http_version 1.1; proxy_set_header Connection ''; proxy_set_header Host $http_host;\n\
         proxy_read_timeout 300s; ignore_invalid_headers off; underscores_in_headers on;\n\
         {}{}}}\n",
        server(all, ""),
        server(write_only, "limit_except PUT POST DELETE { deny all; }"),
    )
}
