//! The entry point of the demo's processes. The first line of standard input says what the
//! process is, so that a list of processes shows nothing of it.

use std::io::{self, BufRead};
use std::thread;

use super::process_protocol::{ProcessEvent, stdin_lines};
use super::setup::{Role, Setup};
use super::{api, client, worker};
use crate::demo::broker;
use crate::demo::error::DemoError;

/// Runs a process of the demo until its standard input closes.
///
/// # Errors
///
/// The error that stopped it, which was reported to the parent.
pub fn run() -> Result<(), DemoError> {
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    let setup: Setup = serde_json::from_str(&line).map_err(|_| DemoError::NotAlone)?;
    let ended = match &setup.role {
        Role::Api(api) => api::run(&setup, api),
        Role::Worker(worker) => worker::run(&setup, worker),
        Role::Pool(worker) => worker::run_pool(&setup, worker),
        Role::Client(client) => client::run(&setup, client),
        Role::Broker => {
            serve_broker();
            Ok(())
        }
    };
    if let Err(error) = &ended {
        ProcessEvent::Failed { why: format!("{error}") }.send();
    }
    ended
}

fn serve_broker() {
    let stdin = stdin_lines();
    thread::spawn(|| {
        if let Err(error) = broker::serve(|port| ProcessEvent::Ready { port: Some(port) }.send()) {
            ProcessEvent::Failed { why: format!("no port for the embedded broker: {error}") }.send();
        }
    });
    for _ in stdin {}
}
