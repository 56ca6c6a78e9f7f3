//! Finds the process that listens on a port.

use std::fmt;
use std::net::SocketAddr;

use listeners::Protocol;

/// The process that listens on a port.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PortOwner {
    name: String,
    pid: u32,
}

impl PortOwner {
    /// The process that listens on the port of `address`, if this user can see it. Only
    /// the administrator sees the sockets of other users' processes. A process in a
    /// container, or behind a port that a container publishes, is not seen at all.
    pub fn of(address: SocketAddr) -> Option<Self> {
        let process = listeners::get_process_by_port(address.port(), Protocol::TCP).ok()?;
        // A process chooses its own name, so it must not control the terminal.
        let name: String = process
            .name
            .chars()
            .filter(|char| char.is_alphanumeric() || "-_.: ".contains(*char))
            .take(64)
            .collect();
        let name = name.trim().to_owned();
        (!name.is_empty()).then_some(Self { name, pid: process.pid })
    }

    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Whether its name is that of a Collector, which should not be stopped.
    pub fn is_collector(&self) -> bool {
        let name = self.name.to_lowercase();
        ["otel", "collector", "alloy", "jaeger", "tempo", "vector", "fluent-bit", "datadog", "trace-agent"]
            .iter()
            .any(|known| name.contains(known))
    }
}

impl fmt::Display for PortOwner {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} (process {})", self.name, self.pid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn a_process_that_listens_is_found_by_its_port() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("bound");
        let owner = PortOwner::of(address).expect("this process shows itself its sockets");
        assert_eq!(owner.pid, std::process::id());
        assert!(owner.to_string().ends_with(&format!("(process {})", std::process::id())), "{owner}");
        drop(listener);
        assert_eq!(PortOwner::of(address), None);
    }

    #[test]
    fn a_collector_is_told_from_another_program() {
        let named = |name: &str| PortOwner { name: name.to_owned(), pid: 1 };
        assert!(named("otelcol-contrib").is_collector());
        assert!(named("jaeger-all-in-one").is_collector());
        assert!(!named("tracelink").is_collector());
        assert!(!named("python3").is_collector());
    }
}
