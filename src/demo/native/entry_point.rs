//! Where a process of the demo begins: it is told what it is on the first line
//! of its standard input, so that nothing of it is seen in a list of processes.

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
/// What it cannot go on without. The parent was told of it by then.
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
