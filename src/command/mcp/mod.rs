//! `tracelink mcp`: the same verdicts for an agent, over the Model Context Protocol
//! (<https://modelcontextprotocol.io>). Standard output is the protocol's alone.

mod answer;
mod arguments;
mod bounded;
mod calls;
mod listening;
mod name;
mod output_schema;
mod server;
mod tools;

use std::io::{self, IsTerminal};
use std::sync::Arc;

use anyhow::Context;
use rmcp::ServiceExt;
use rmcp::service::ServerInitializeError;
use rmcp::transport::async_rw::AsyncRwTransport;
use rmcp::transport::stdio;
use tokio::signal::unix::{SignalKind, signal};

use self::listening::Place;
use self::server::Server;
use super::{Exit, usage};
use crate::cli;

/// The longest message of a client, in bytes: paths and URLs are short.
const LONGEST: usize = 1 << 20;

/// Answers until standard input is closed, or a signal comes.
pub fn run(own: &cli::Output) -> anyhow::Result<Exit> {
    if io::stdin().is_terminal() {
        return Err(usage(
            "mcp answers a program on its standard input: let an agent's client start it (docs/agents.md)",
        ));
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("cannot start the server")?;
    let place = Arc::new(Place::default());
    let served = runtime.block_on(serve(Server::new(own, Arc::clone(&place))));
    place.close();
    // Whatever still reads a file answers nobody.
    runtime.shutdown_background();
    served
}

async fn serve(server: Server) -> anyhow::Result<Exit> {
    let (input, output) = stdio();
    let transport = AsyncRwTransport::new_server(input, output).with_max_line_length(LONGEST);
    let [mut terminate, mut interrupt] = [SignalKind::terminate(), SignalKind::interrupt()].map(signal);
    let told = async {
        match (&mut terminate, &mut interrupt) {
            (Ok(terminate), Ok(interrupt)) => {
                tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
            }
            _ => std::future::pending().await,
        }
    };
    let answered = async {
        match server.serve(transport).await {
            Ok(running) => running.waiting().await.map(|_| Exit::Fine).context("the server broke"),
            Err(ServerInitializeError::ConnectionClosed(_)) => Ok(Exit::Fine),
            Err(error) => Err(error).context("cannot speak with the client"),
        }
    };
    tokio::select! {
        answered = answered => answered,
        () = told => Ok(Exit::Interrupted),
    }
}
