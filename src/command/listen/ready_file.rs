//! `--ready-file`: says to a script that the ports are open, and which they are.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::Context;
use serde::Serialize;

use crate::cli::Destination;
use crate::command::place::Place;
use crate::receiver::Addresses;

#[derive(Serialize)]
struct Ready {
    pid: u32,
    /// Where it takes OTLP over gRPC, and over HTTP; one address where a port takes both.
    grpc: Option<SocketAddr>,
    http: Option<SocketAddr>,
}

/// Takes away what an earlier run left, so that a script waits for this one.
///
/// # Errors
///
/// That there is a file that cannot be taken away.
pub fn begin(path: &Path) -> anyhow::Result<()> {
    // A pipe or a device stays: it is written to.
    if !fs::metadata(path).is_ok_and(|at| at.is_file()) {
        return Ok(());
    }
    fs::remove_file(path).with_context(|| format!("cannot write {}", path.display()))
}

/// Writes the file, whole.
///
/// # Errors
///
/// What the place says.
pub fn write(path: &Path, addresses: &Addresses) -> anyhow::Result<()> {
    let Addresses { grpc, http, both } = *addresses;
    let ready = Ready { pid: std::process::id(), grpc: grpc.or(both), http: http.or(both) };
    Place::open(&Destination::File(path.to_owned()), false)?.write(|out| {
        serde_json::to_writer(&mut *out, &ready)?;
        writeln!(out)
    })
}
