//! A child of the pool: runs one task after the other, until its standard
//! input closes.

use std::sync::mpsc::channel;
use std::thread;

use super::read_job;
use super::run::Runner;
use crate::demo::error::DemoError;
use crate::demo::report::{Report, orders};
use crate::demo::setup::{Setup, Worker};

/// Runs what the worker hands over. Where the worker goes away in the middle
/// of a task, the child goes too, with what it has not sent.
pub fn run(setup: &Setup, worker: &Worker) -> Result<(), DemoError> {
    let lines = orders();
    let runner = Runner::open(setup, worker)?;
    let tracer = runner.tracer().clone();
    Report::Ready { port: None }.tell();
    let (jobs, queue) = channel();
    let (done, finished) = channel();
    thread::spawn(move || {
        for (tag, task) in queue {
            runner.run(task);
            // The child is free again before the worker hears of it.
            if done.send(()).is_err() {
                break;
            }
            Report::Done { tag }.tell();
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
