//! A run of pytest in a copy of one of the folders of `tests/python/plugin`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use tempfile::TempDir;

use crate::support::python;
use crate::support::redis::RedisServer;

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The versions of pytest and Celery, and what belongs to them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Stack {
    Newest,
    Oldest,
}

/// A folder in which pytest finds the plugin by its entry point, as it does once the
/// wheel is installed.
fn installed() -> &'static Path {
    static INSTALLED: OnceLock<TempDir> = OnceLock::new();
    let folder = INSTALLED.get_or_init(|| {
        let project = fs::read_to_string(root().join("pyproject.toml")).expect("readable");
        let (_, entry_point) = project.split_once("[project.entry-points.pytest11]\n").expect("it has one");
        let entry_point = entry_point.lines().next().expect("a line").replace('"', "");
        let folder = tempfile::tempdir().expect("a folder");
        let info = folder.path().join("tracelink_cli-0.0.0.dist-info");
        fs::create_dir(&info).expect("writable");
        fs::write(info.join("METADATA"), "Metadata-Version: 2.1\nName: tracelink-cli\nVersion: 0.0.0\n")
            .expect("writable");
        fs::write(info.join("entry_points.txt"), format!("[pytest11]\n{entry_point}\n")).expect("writable");
        folder
    });
    folder.path()
}

/// A folder with tests, and a broker for them.
pub struct Project {
    pub folder: TempDir,
    stack: Stack,
    redis: RedisServer,
}

impl Project {
    pub fn of(name: &str, stack: Stack) -> Self {
        let project = Self::with(&[], stack);
        let from = root().join("tests/python/plugin").join(name);
        for entry in fs::read_dir(from).expect("it is there") {
            let entry = entry.expect("readable");
            if entry.path().is_file() {
                let to = project.path(entry.file_name().to_str().expect("UTF-8"));
                fs::copy(entry.path(), to).expect("writable");
            }
        }
        project
    }

    /// One of these files, each a name and a text.
    pub fn with(files: &[(&str, String)], stack: Stack) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, text) in files {
            fs::write(folder.path().join(name), text).expect("writable");
        }
        Self { folder, stack, redis: RedisServer::start() }
    }

    /// Where its Redis is.
    pub fn broker(&self) -> String {
        self.redis.url()
    }

    /// Where the tests may keep something.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn pytest(&self, args: &[&str]) -> Command {
        let (python, besides) = match self.stack {
            Stack::Newest => (python::stack(), Some(python::packages("pytest"))),
            Stack::Oldest => (python::interpreter("pytest-oldest"), None),
        };
        let ours = [root().join("python"), installed().to_owned(), root().join("tests/python/plugin")];
        let path = std::env::join_paths(ours.into_iter().chain(besides)).expect("no colons");
        let mut command = Command::new(python);
        command
            .args(["-m", "pytest", "-p", "no:cacheprovider"])
            .args(args)
            .current_dir(self.folder.path())
            .env("PYTHONPATH", path)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("TRACELINK_BINARY", env!("CARGO_BIN_EXE_tracelink"))
            .env("BROKER_URL", self.redis.url())
            .env_remove("COLUMNS");
        command
    }

    pub fn run(&self, args: &[&str]) -> Ran {
        Ran::of(self.pytest(args).output().expect("Python runs"))
    }
}

/// What a run said.
pub struct Ran {
    pub code: Option<i32>,
    pub text: String,
}

impl Ran {
    pub fn of(output: Output) -> Self {
        let text = [output.stdout, output.stderr].map(|part| String::from_utf8_lossy(&part).into_owned());
        Self { code: output.status.code(), text: text.join("\n") }
    }

    #[track_caller]
    pub fn ends_with(&self, code: i32) -> &Self {
        assert_eq!(self.code, Some(code), "{}", self.text);
        self
    }

    #[track_caller]
    pub fn says(&self, what: &str) -> &Self {
        assert!(self.text.contains(what), "it does not say {what:?}: {}", self.text);
        self
    }

    #[track_caller]
    pub fn says_not(&self, what: &str) -> &Self {
        assert!(!self.text.contains(what), "it says {what:?}: {}", self.text);
        self
    }
}
