//! The warden: a shell that waits for this process's end, whatever the cause,
//! and then kills what still runs of it. Python's programs know nothing of a
//! stage, and would outlive one that is killed.

use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, Stdio};

/// Its standard input closes with the process that holds it. It is told of each
/// group before that group's leader is reaped, so that no number is stale.
const SCRIPT: &str = r#"
groups=
while read -r verb group; do
    kept=
    for known in $groups; do
        [ "$known" = "$group" ] || kept="$kept $known"
    done
    groups=$kept
    [ "$verb" = watch ] && groups="$groups $group"
done
for group in $groups; do
    kill -s KILL -- "-$group"
done
"#;

/// Ends with its owner, and then ends what it was told to watch.
pub struct Warden {
    shell: Child,
    pub(super) input: Option<ChildStdin>,
}

impl Warden {
    /// Where every system has it, whatever the user's PATH is.
    pub const SHELL: &str = "/bin/sh";

    /// # Errors
    ///
    /// Where there is no `sh`.
    pub fn start() -> io::Result<Self> {
        let mut shell = Command::new(Self::SHELL)
            .args(["-c", SCRIPT])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // A terminal's Ctrl-C is not for it.
            .process_group(0)
            .spawn()?;
        let input = shell.stdin.take();
        Ok(Self { shell, input })
    }

    /// The group of that leader ends with this process.
    ///
    /// # Errors
    ///
    /// Where the shell is gone.
    pub fn watch(&mut self, leader: u32) -> io::Result<()> {
        self.tell("watch", leader)
    }

    /// The group has ended.
    pub fn forget(&mut self, leader: u32) {
        // Where the shell is gone there is nothing to forget.
        let _ = self.tell("forget", leader);
    }

    fn tell(&mut self, verb: &str, leader: u32) -> io::Result<()> {
        let input = self.input.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        input.write_all(format!("{verb} {leader}\n").as_bytes())
    }
}

impl Drop for Warden {
    fn drop(&mut self) {
        self.input = None;
        let _ = self.shell.wait();
    }
}
