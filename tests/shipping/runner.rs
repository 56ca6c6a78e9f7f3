//! A runner's environment: its folders, its files for outputs, and the inputs of a step.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::root;

pub struct Runner {
    folder: TempDir,
    /// Where the action's sources are.
    action: PathBuf,
    /// What steps before gave to those after them, in `GITHUB_ENV`.
    given: BTreeMap<String, String>,
}

/// What a step left.
pub struct Ended {
    pub code: Option<i32>,
    /// Standard output and standard error.
    pub log: String,
    pub outputs: BTreeMap<String, String>,
    pub summary: String,
}

impl Runner {
    /// One whose `PATH` has the built binary.
    pub fn new() -> Self {
        Self {
            folder: tempfile::tempdir().expect("a folder"),
            action: root().to_owned(),
            given: BTreeMap::new(),
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The action as a runner checks it out, in `_actions/OWNER/REPOSITORY/REF`.
    pub fn checked_out(mut self, repository: &str) -> Self {
        let folder = self.path("_actions").join(repository).join("v1");
        fs::create_dir_all(folder.parent().expect("a parent")).expect("writable");
        std::os::unix::fs::symlink(root(), &folder).expect("writable");
        self.action = folder;
        self
    }

    /// Runs a script of `action/` with these variables besides.
    pub fn step(&mut self, script: &str, arguments: &[&str], variables: &[(&str, &str)]) -> Ended {
        let files = ["output", "summary", "env", "path"].map(|name| self.path(name));
        for file in &files {
            fs::write(file, "").expect("writable");
        }
        let [output, summary, env, path] = &files;
        let mut bash = Command::new("bash");
        bash.arg(self.action.join("action").join(script)).args(arguments).current_dir(root());
        bash.env("PATH", search_path()).env("ACTION", &self.action).env("RUNNER_TEMP", self.folder.path());
        bash.env("GITHUB_OUTPUT", output).env("GITHUB_STEP_SUMMARY", summary).env("GITHUB_ENV", env);
        bash.env("GITHUB_PATH", path).env_remove("TRACELINK_BROKER").envs(&self.given);
        let ended = bash.envs(variables.iter().copied()).output().expect("bash is there");
        self.given.extend(pairs(env));
        let log = [ended.stdout, ended.stderr].map(|part| String::from_utf8_lossy(&part).into_owned());
        Ended {
            code: ended.status.code(),
            log: log.concat(),
            outputs: pairs(output),
            summary: fs::read_to_string(summary).expect("UTF-8"),
        }
    }

    /// What a step before gave to those after it.
    pub fn given(&self, name: &str) -> &str {
        self.given.get(name).unwrap_or_else(|| panic!("no step gave {name}"))
    }
}

#[allow(clippy::disallowed_methods, reason = "a test may read the environment that it changes")]
fn search_path() -> String {
    let folder = Path::new(env!("CARGO_BIN_EXE_tracelink")).parent().expect("a folder");
    format!("{}:{}", folder.display(), std::env::var("PATH").unwrap_or_default())
}

/// The lines `name=value` of a file.
fn pairs(file: &Path) -> BTreeMap<String, String> {
    let text = fs::read_to_string(file).expect("UTF-8");
    let lines = text.lines().map(|line| line.split_once('=').unwrap_or_else(|| panic!("no output: {line}")));
    lines.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}
