//! A process with its children, in a group of its own. Its output is read line by line; it
//! ends in order or at once, and is killed with all its children when it is dropped.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, PipeReader, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, kill_process_group, waitid};

use super::reaper::Reaper;
use crate::demo::clock;
use crate::report::text::safe;

/// A longer line is broken up, in bytes.
const LINE: usize = 4 << 10;
/// How many of its last lines are kept.
const LINES: usize = 12;
/// How long a process's last output may take to arrive.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// The reaper, which all processes of a run share.
pub type SharedReaper = Rc<RefCell<Reaper>>;

/// A process that ends with its owner.
pub struct Process {
    child: Child,
    pid: Pid,
    reaper: SharedReaper,
    said: Arc<Mutex<VecDeque<String>>>,
    reader: JoinHandle<()>,
}

/// How a process ended: its exit code, or none if a signal ended it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ended {
    pub code: Option<i32>,
}

impl Process {
    /// Starts it without an input. `hear` is called in a thread of its own with each line
    /// of its output, made safe for a terminal. The last lines are kept.
    ///
    /// # Errors
    ///
    /// If it cannot be started: `NotFound` if there is no such program.
    pub fn start(
        mut command: Command,
        reaper: &SharedReaper,
        hear: impl FnMut(&str) + Send + 'static,
    ) -> io::Result<Self> {
        let (output, writer) = io::pipe()?;
        let child = command
            .env("TMPDIR", reaper.borrow().folder())
            .stdin(Stdio::null())
            .stdout(writer.try_clone()?)
            .stderr(writer)
            .process_group(0)
            .spawn()?;
        // Only the child holds the writing ends now.
        drop(command);
        let said = Arc::default();
        let reader = thread::spawn({
            let said = Arc::clone(&said);
            move || listen(output, &said, hear)
        });
        let pid = Pid::from_child(&child);
        let process = Self { child, pid, reaper: Rc::clone(reaper), said, reader };
        process.reaper.borrow_mut().watch(process.id())?;
        Ok(process)
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has ended; its children may not have. It stays a zombie until it is
    /// dropped, so that its pid is not reused.
    ///
    /// # Errors
    ///
    /// Those of `waitid`, which has none for a child that was not reaped.
    pub fn ended(&self) -> io::Result<Option<Ended>> {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        let status = waitid(WaitId::Pid(self.pid), options)?;
        Ok(status.map(|status| Ended { code: status.exit_status() }))
    }

    /// Asks it, and not its children, to end.
    pub fn terminate(&self) {
        // It may have ended by itself.
        let _ = kill_process(self.pid, Signal::TERM);
    }

    /// Its last lines of output.
    pub fn last_words(&self) -> String {
        let deadline = clock::now() + LAST_WORDS;
        while !self.reader.is_finished() && clock::now() < deadline {
            thread::sleep(Duration::from_millis(5));
        }
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        said.iter().map(String::as_str).collect::<Vec<_>>().join("\n")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = kill_process_group(self.pid, Signal::KILL);
        if let Ok(mut reaper) = self.reaper.try_borrow_mut() {
            reaper.forget(self.child.id());
        }
        let _ = self.child.wait();
    }
}

fn listen(mut output: PipeReader, said: &Mutex<VecDeque<String>>, mut hear: impl FnMut(&str)) {
    let mut end = |line: &mut Vec<u8>| {
        let text = safe(String::from_utf8_lossy(line).trim_end());
        line.clear();
        if text.is_empty() {
            return;
        }
        hear(&text);
        let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.len() == LINES {
            said.pop_front();
        }
        said.push_back(text);
    };
    let (mut line, mut chunk) = (Vec::new(), [0; LINE]);
    loop {
        match output.read(&mut chunk) {
            Ok(0) => break,
            Ok(read) => {
                for byte in &chunk[..read] {
                    let is_end = matches!(byte, b'\n' | b'\r');
                    if is_end || line.len() == LINE {
                        end(&mut line);
                    }
                    if !is_end {
                        line.push(*byte);
                    }
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
    end(&mut line);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, reaper: &SharedReaper) -> Process {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        Process::start(command, reaper, |_| {}).expect("there is a shell")
    }

    fn until(mut is_so: impl FnMut() -> bool) {
        let deadline = clock::now() + Duration::from_secs(10);
        while !is_so() {
            assert!(clock::now() < deadline, "it takes too long");
            thread::sleep(Duration::from_millis(5));
        }
    }

    fn is_there(pid: u32) -> bool {
        let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).expect("a process id");
        rustix::process::test_kill_process(pid).is_ok()
    }

    /// A reaper, a process that it watches, and that process's child.
    fn family() -> (SharedReaper, Process, u32) {
        let reaper = Rc::new(RefCell::new(Reaper::start().expect("there is a shell")));
        let process = shell("sleep 60 & echo $!; wait", &reaper);
        until(|| !process.said.lock().expect("no panic").is_empty());
        let child = process.said.lock().expect("no panic")[0].parse().expect("a process id");
        assert!(is_there(child));
        (reaper, process, child)
    }

    #[test]
    fn its_children_end_with_it() {
        let (_reaper, process, child) = family();
        drop(process);
        until(|| !is_there(child));
    }

    #[test]
    fn its_children_end_with_the_warden_s_owner() {
        let (reaper, process, child) = family();
        // As the kernel does when the owner is killed.
        reaper.borrow_mut().input = None;
        until(|| !is_there(child));
        assert_eq!(process.ended().ok().flatten(), Some(Ended { code: None }));
    }

    #[test]
    fn its_temporary_files_end_with_the_warden() {
        let reaper = Rc::new(RefCell::new(Reaper::start().expect("there is a shell")));
        let process = shell("echo a > \"$TMPDIR/left\"; sleep 60", &reaper);
        let folder = reaper.borrow().folder().to_owned();
        until(|| folder.join("left").exists());
        drop(process);
        drop(reaper);
        assert!(!folder.exists());
    }

    #[test]
    fn a_process_that_ended_is_known_by_its_code_and_last_words() {
        let reaper = Rc::new(RefCell::new(Reaper::start().expect("there is a shell")));
        let process = shell("for n in 1 2 3 4 5 6 7 8 9 10 11 12 13; do echo $n; done; exit 3", &reaper);
        until(|| process.ended().expect("its state").is_some());
        assert_eq!(process.ended().ok().flatten(), Some(Ended { code: Some(3) }));
        assert_eq!(process.last_words().lines().next(), Some("2"));
        assert_eq!(process.last_words().lines().last(), Some("13"));
    }
}
