//! Reads values, which are written alike on the command line and in a file.

use std::net::SocketAddr;
use std::time::Duration;

/// `4317`, `:4317`, `0.0.0.0:4317`, `[::1]:4317`. Without a host, it is loopback.
pub fn address(text: &str) -> Result<SocketAddr, String> {
    let port = text.strip_prefix(':').unwrap_or(text);
    match port.parse::<u16>() {
        Ok(port) => Ok(SocketAddr::from(([127, 0, 0, 1], port))),
        Err(_) => text
            .replacen("localhost:", "127.0.0.1:", 1)
            .parse()
            .map_err(|_| "an address with a port, such as 127.0.0.1:4317, or a port".to_owned()),
    }
}

/// `30s`, `500ms`, `1h 30m`; a bare number is in seconds.
pub fn duration(text: &str) -> Result<Duration, String> {
    if let Ok(seconds) = text.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string());
    }
    let parsed: Result<jiff::SignedDuration, _> = text.parse();
    parsed
        .ok()
        .and_then(|duration| Duration::try_from(duration).ok())
        .ok_or_else(|| "a duration such as 30s, 500ms or 5m".to_owned())
}

/// `256MiB`, `1GB`; a bare number is in bytes.
pub fn size(text: &str) -> Result<u64, String> {
    text.parse::<bytesize::ByteSize>().map(|size| size.as_u64())
}

/// The same for an amount of memory.
pub fn memory(text: &str) -> Result<usize, String> {
    /// Below this the receiver's own buffers would not fit.
    const LEAST: u64 = 16 << 20;
    let size: bytesize::ByteSize = text.parse().map_err(|_| "a size such as 256MiB or 1GiB".to_owned())?;
    if size.as_u64() < LEAST {
        return Err(format!("at least {}", bytesize::ByteSize(LEAST)));
    }
    usize::try_from(size.as_u64()).map_err(|error| error.to_string())
}
