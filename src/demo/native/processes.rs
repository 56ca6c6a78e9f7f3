//! The processes of a run.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use super::child::{Child, Group};
use super::process_protocol::ProcessEvent;
use super::setup::Setup;

/// The running processes, in the order in which they were started.
#[derive(Default)]
pub struct Processes {
    running: BTreeMap<usize, Process>,
    next: usize,
}

struct Process {
    who: &'static str,
    child: Child,
    is_ready: bool,
    port: Option<u16>,
}

impl Processes {
    /// Starts a process, and returns its number. `hear` is called with that number and each
    /// line of output, and with `None` at the end.
    pub fn start(
        &mut self,
        program: &Path,
        who: &'static str,
        setup: &Setup,
        hear: impl Fn(usize, Option<ProcessEvent>) + Send + 'static,
    ) -> io::Result<usize> {
        let number = self.next;
        self.next += 1;
        let child = Child::start(program, setup, Group::Own, move |report| hear(number, report))?;
        self.running.insert(number, Process { who, child, is_ready: false, port: None });
        Ok(number)
    }

    /// Notes that a process is up, and its port if it has one.
    pub fn is_ready(&mut self, number: usize, port: Option<u16>) {
        if let Some(process) = self.running.get_mut(&number) {
            (process.is_ready, process.port) = (true, port);
        }
    }

    /// A process that is not up yet.
    pub fn not_ready(&self) -> Option<&'static str> {
        self.running.values().find(|process| !process.is_ready).map(|process| process.who)
    }

    pub fn who(&self, number: usize) -> Option<&'static str> {
        self.running.get(&number).map(|process| process.who)
    }

    pub fn pid(&self, number: usize) -> Option<u32> {
        self.running.get(&number).map(|process| process.child.id())
    }

    /// `http://127.0.0.1:port`, if the process has a port.
    pub fn address(&self, number: usize) -> Option<String> {
        self.running.get(&number)?.port.map(|port| format!("http://127.0.0.1:{port}"))
    }

    /// Tells a process to begin.
    pub fn begin(&mut self, number: usize) -> io::Result<()> {
        self.running.get_mut(&number).map_or(Ok(()), |process| process.child.tell("begin"))
    }

    /// Tells all of a kind to begin.
    pub fn begin_all(&mut self, who: &str) -> io::Result<()> {
        let mut of_a_kind = self.running.values_mut().filter(|process| process.who == who);
        of_a_kind.try_for_each(|process| process.child.tell("begin"))
    }

    /// Ends the processes of a kind by closing their standard inputs. They finish their
    /// work, and flush if they are set up to.
    pub fn close(&mut self, who: &str) {
        let mut ending = self.take(who);
        ending.values_mut().for_each(|process| process.child.close());
        ending.into_values().for_each(|process| process.child.wait());
    }

    /// Kills the processes of a kind.
    pub fn kill(&mut self, who: &str) {
        drop(self.take(who));
    }

    /// Kills all of them, the last one first: the broker was started before the others.
    pub fn kill_all(&mut self) {
        while let Some((_, process)) = self.running.pop_last() {
            drop(process);
        }
    }

    fn take(&mut self, who: &str) -> BTreeMap<usize, Process> {
        let (taken, others) =
            std::mem::take(&mut self.running).into_iter().partition(|(_, process)| process.who == who);
        self.running = others;
        taken
    }
}
