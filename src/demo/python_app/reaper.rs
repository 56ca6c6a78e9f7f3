//! The reaper: a shell that waits for the end of this process, whatever the cause, then
//! kills what still runs of it and removes its temporary files. The Python programs know
//! nothing of their parent and would outlive it if it were killed; and killed programs
//! leave half-written files.

use std::fs::{self, DirBuilder};
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

/// Its standard input closes with the process that holds it. It is told about the end of
/// each group before that group's leader is reaped, so that no pid is stale.
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
/bin/rm -rf -- "$1"
"#;

/// Ends with its owner, and then ends what it was told to watch.
pub struct Reaper {
    shell: Child,
    pub(super) input: Option<ChildStdin>,
    folder: PathBuf,
}

impl Reaper {
    /// Where every system has it, whatever the user's PATH is.
    pub const SHELL: &str = "/bin/sh";

    /// # Errors
    ///
    /// Where there is no `sh`, or no folder for temporary files.
    pub fn start() -> io::Result<Self> {
        let folder = std::env::temp_dir().join(format!("tracelink-demo-{:016x}", fastrand::u64(..)));
        DirBuilder::new().mode(0o700).create(&folder)?;
        let started = Self::start_shell(&folder);
        if started.is_err() {
            let _ = fs::remove_dir(&folder);
        }
        let (shell, input) = started?;
        Ok(Self { shell, input, folder })
    }

    fn start_shell(folder: &Path) -> io::Result<(Child, Option<ChildStdin>)> {
        let mut shell = Command::new(Self::SHELL)
            .args(["-c", SCRIPT, "reaper"])
            .arg(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // A terminal's Ctrl-C is not for it.
            .process_group(0)
            .spawn()?;
        let input = shell.stdin.take();
        Ok((shell, input))
    }

    /// Where the processes that it watches may leave temporary files.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Registers the group of this leader: it will end with this process.
    ///
    /// # Errors
    ///
    /// Where the shell is gone.
    pub fn watch(&mut self, leader: u32) -> io::Result<()> {
        self.tell("watch", leader)
    }

    /// Notes that the group has ended.
    pub fn forget(&mut self, leader: u32) {
        // Where the shell is gone there is nothing to forget.
        let _ = self.tell("forget", leader);
    }

    fn tell(&mut self, verb: &str, leader: u32) -> io::Result<()> {
        let input = self.input.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        input.write_all(format!("{verb} {leader}\n").as_bytes())
    }
}

impl Drop for Reaper {
    fn drop(&mut self) {
        self.input = None;
        let _ = self.shell.wait();
    }
}
