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
    /// The folders that steps before put in front of the `PATH`, in `GITHUB_PATH`.
    paths: Vec<String>,
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
        let binary = Path::new(env!("CARGO_BIN_EXE_tracelink")).parent().expect("a folder");
        Self { paths: vec![binary.display().to_string()], ..Self::bare() }
    }

    /// One that has no tracelink yet.
    pub fn bare() -> Self {
        Self {
            folder: tempfile::tempdir().expect("a folder"),
            action: root().to_owned(),
            given: BTreeMap::new(),
            paths: Vec::new(),
        }
    }

    pub fn action(&self) -> &Path {
        &self.action
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
        let mut bash = Command::new("bash");
        bash.arg(self.action.join("action").join(script)).args(arguments).env("ACTION", &self.action);
        self.run(bash, variables)
    }

    /// Runs the command of a step with these variables besides, as `shell: bash` does.
    pub fn command(&mut self, command: &str, variables: &[(&str, &str)]) -> Ended {
        let mut bash = Command::new("bash");
        bash.args(["--noprofile", "--norc", "-eo", "pipefail", "-c", command]);
        self.run(bash, variables)
    }

    fn run(&mut self, mut bash: Command, variables: &[(&str, &str)]) -> Ended {
        let files = ["output", "summary", "env", "path"].map(|name| self.path(name));
        for file in &files {
            fs::write(file, "").expect("writable");
        }
        let [output, summary, env, path] = &files;
        bash.current_dir(root()).env("PATH", self.search_path()).env("RUNNER_TEMP", self.folder.path());
        bash.env("GITHUB_OUTPUT", output).env("GITHUB_STEP_SUMMARY", summary).env("GITHUB_ENV", env);
        bash.env("GITHUB_PATH", path).env_remove("TRACELINK_BROKER").envs(&self.given);
        let ended = bash.envs(variables.iter().copied()).output().expect("bash is there");
        self.given.extend(pairs(env));
        let paths = fs::read_to_string(path).expect("UTF-8");
        self.paths.splice(0..0, paths.lines().map(str::to_owned));
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

    /// A variable that every later step has, as a workflow's `env` gives one.
    pub fn gives(&mut self, name: &str, value: &str) {
        self.given.insert(name.to_owned(), value.to_owned());
    }

    #[allow(clippy::disallowed_methods, reason = "a test may read the environment that it changes")]
    fn search_path(&self) -> String {
        format!("{}:{}", self.paths.join(":"), std::env::var("PATH").unwrap_or_default())
    }
}

/// The lines `name=value` of a file.
fn pairs(file: &Path) -> BTreeMap<String, String> {
    let text = fs::read_to_string(file).expect("UTF-8");
    let lines = text.lines().map(|line| line.split_once('=').unwrap_or_else(|| panic!("no output: {line}")));
    lines.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}
