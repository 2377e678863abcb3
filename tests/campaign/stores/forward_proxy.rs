//! tinyproxy as the way out of a network: it connects (`CONNECT`) whom it is asked for.

use harness::pod::Pod;
use harness::port::Port;
use harness::process::{self, Running};
use harness::stores::{found, until_listening};
use std::fs;
use std::process::Command;

/// The running proxy; it ends with the value.
#[derive(Debug)]
pub(crate) struct ForwardProxy {
    dir: tempfile::TempDir,
    port: Port,
    _running: Running,
}

impl ForwardProxy {
    /// Starts one; an error names what is missing.
    pub(crate) fn start(pod: &Pod) -> Result<Self, String> {
        let program = found("tinyproxy")?;
        let (dir, port) = (tempfile::tempdir().unwrap(), Port::take());
        let log = dir.path().join("log");
        let configuration = format!(
            "Port {}\nListen 127.0.0.1\nAllow 127.0.0.1\nTimeout 300\nMaxClients 600\n\
             LogFile \"{}\"\nLogLevel Connect\n",
            port.number(),
            log.display()
        );
        fs::write(dir.path().join("configuration"), configuration).unwrap();
        let mut command = Command::new(program);
        command.arg("-d").arg("-c").arg(dir.path().join("configuration"));
        let mut running = process::start(pod.tree(), &mut command);
        until_listening(&mut running, &port);
        Ok(Self { dir, port, _running: running })
    }

    /// `http://127.0.0.1:<port>`.
    pub(crate) fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port.number())
    }

    /// Counts the connections that it was asked for.
    pub(crate) fn connections(&self) -> usize {
        let log = fs::read_to_string(self.dir.path().join("log")).unwrap_or_default();
        log.lines().filter(|line| line.contains(": CONNECT 127.0.0.1:")).count()
    }
}
