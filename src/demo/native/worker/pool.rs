//! A child of the pool: runs one task after the other, until its standard
//! input closes.

use std::sync::mpsc::channel;
use std::thread;

use super::read_job;
use super::run::Runner;
use crate::demo::error::DemoError;
use crate::demo::native::process_protocol::{ProcessEvent, stdin_lines};
use crate::demo::native::setup::{Setup, Worker};

/// Runs what the worker hands over. If the worker goes away in the middle of a task, the
/// child goes too, and loses what it has not sent.
pub fn run(setup: &Setup, worker: &Worker) -> Result<(), DemoError> {
    let lines = stdin_lines();
    let runner = Runner::open(setup, worker)?;
    let tracer = runner.tracer().clone();
    ProcessEvent::Ready { port: None }.send();
    let (jobs, queue) = channel();
    let (done, finished) = channel();
    thread::spawn(move || {
        for (tag, task) in queue {
            runner.run(task);
            // The child is free again before the worker knows.
            if done.send(()).is_err() {
                break;
            }
            ProcessEvent::Done { tag }.send();
        }
    });
    let mut running = 0_usize;
    for line in lines {
        let Some(job) = read_job(&line) else { continue };
        running += 1;
        if jobs.send(job).is_err() {
            break;
        }
    }
    let ended = finished.try_iter().count();
    if ended == running {
        tracer.shut_down();
    }
    Ok(())
}
