//! The Python application's environment: what is missing is named, what was
//! begun is made anew, and what is made needs no tools any more.

#![allow(clippy::disallowed_methods, reason = "a test looks at real processes")]

use std::fs;
use std::ops::ControlFlow;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use tracelink::demo::python_app::{self, SetupStep};

/// Makes the environment in the cache that a test names, prints what happened,
/// and breaks off where the test says so. The tests start it as a process of its
/// own, because the PATH is the process's.
#[test]
#[ignore = "a part of the other tests, which start it"]
fn make() {
    let cache = std::env::var_os("DEMO_ENVIRONMENT_TEST").expect("a test names it");
    let ends_at = std::env::var("DEMO_ENVIRONMENT_ENDS").unwrap_or_default();
    let made = python_app::prepare(Path::new(&cache), false, &mut |making| {
        if making != SetupStep::Working {
            println!("told {making:?}");
        }
        let is_over = !ends_at.is_empty() && format!("{making:?}").starts_with(&ends_at);
        if is_over { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    match made {
        Ok(Some(environment)) => println!("made {}", environment.folder().display()),
        Ok(None) => println!("broken off"),
        Err(error) => println!("error {error}"),
    }
}

/// A cache, and a PATH on which a shell and nothing else is.
struct Machine {
    folder: tempfile::TempDir,
}

impl Machine {
    fn new() -> Self {
        let machine = Self { folder: tempfile::tempdir().expect("a folder") };
        fs::create_dir(machine.path()).expect("writable");
        for tool in ["sh", "mkdir", "ln", "cat", "sleep", "env"] {
            let real = ["/bin", "/usr/bin"].map(|folder| Path::new(folder).join(tool));
            let real = real.iter().find(|path| path.exists()).expect("it is everywhere");
            symlink(real, machine.path().join(tool)).expect("writable");
        }
        machine
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("bin")
    }

    fn cache(&self) -> PathBuf {
        self.folder.path().join("cache")
    }

    /// Puts a script of that name on the PATH.
    fn tool(&self, name: &str, script: &str) {
        let path = self.path().join(name);
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("writable");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("ours");
    }

    fn make(&self, ends_at: &str) -> String {
        let output = Command::new(std::env::current_exe().expect("this test"))
            .args(["--exact", "environment::make", "--ignored", "--nocapture"])
            .env("PATH", self.path())
            .env("DEMO_ENVIRONMENT_TEST", self.cache())
            .env("DEMO_ENVIRONMENT_ENDS", ends_at)
            .output()
            .expect("it starts");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// The names in the environment's folder.
    fn content(&self) -> Vec<String> {
        let folder = fs::read_dir(self.cache()).expect("readable").flatten().next().expect("one").path();
        let entries = fs::read_dir(folder).expect("readable").flatten();
        let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
        // The application's name ends with what is in it.
        let mut names: Vec<_> =
            names.map(|name| if name.starts_with("app-") { "app".to_owned() } else { name }).collect();
        names.sort();
        names
    }
}

/// A uv that makes an environment with an interpreter that does nothing.
const UV: &str = r#"
case "$1 $2" in
    "--version ") echo uv 1.0 ;;
    "venv "*)
        for last in "$@"; do :; done
        mkdir -p "$last/bin"
        ln -s /bin/sh "$last/bin/python" ;;
    "pip install") echo "Prepared 1 package in 1ms"; echo " + amqp==5.4.2" ;;
esac"#;

#[test]
fn what_is_missing_is_named_with_its_remedy() {
    let machine = Machine::new();
    let said = machine.make("");
    assert!(said.contains("needs Python 3.10 or later, and there is none on the PATH"), "{said}");
    assert!(said.contains("docs.astral.sh/uv"), "{said}");

    machine.tool("python3", "echo 3.8");
    assert!(machine.make("").contains("there is only 3.8 on the PATH"));

    machine.tool("python3", "echo 3.12; echo ModuleNotFoundError; exit 1");
    let said = machine.make("");
    assert!(said.contains("python3 lacks its module venv"), "{said}");
    assert!(said.contains("apt install python3-venv"), "{said}");

    machine.tool("uv", "[ \"$1\" = --version ] || { echo 'error: dns \u{1b}[31merror'; exit 2; }");
    let said = machine.make("");
    assert!(said.contains("error: dns") && said.contains("downloaded once"), "{said}");
    assert!(!said.contains('\u{1b}'), "an escape sequence reaches the terminal: {said:?}");
    assert_eq!(machine.content(), ["app", "lock"]);
}

#[test]
fn it_is_made_once_and_then_needs_no_tools() {
    let machine = Machine::new();
    machine.tool("uv", UV);
    let said = machine.make("");
    assert!(said.contains("told Begun { with: \"uv\" }"), "{said}");
    assert!(said.contains("told Package { name: \"amqp\", number: 1"), "{said}");
    assert!(said.contains("made "), "{said}");
    assert_eq!(machine.content(), ["app", "complete", "lock", "venv"]);

    fs::remove_file(machine.path().join("uv")).expect("ours");
    let said = machine.make("");
    assert!(said.contains("made ") && !said.contains("told"), "{said}");
}

#[test]
fn what_was_begun_is_made_anew() {
    let machine = Machine::new();
    machine.tool("uv", UV);
    assert!(machine.make("Package").contains("broken off"));
    assert_eq!(machine.content(), ["app", "lock", "venv"]);
    let said = machine.make("");
    assert!(said.contains("told Begun") && said.contains("made "), "{said}");

    // The interpreter is another one than its packages were made for.
    let folder = fs::read_dir(machine.cache()).expect("readable").flatten().next().expect("one").path();
    fs::remove_file(folder.join("venv/bin/python")).expect("ours");
    symlink("/bin/cat", folder.join("venv/bin/python")).expect("ours");
    let said = machine.make("");
    assert!(said.contains("told Begun") && said.contains("made "), "{said}");
}

#[test]
fn a_tool_ends_where_it_is_broken_off() {
    let machine = Machine::new();
    let slow = r#"[ "$1 $2" = "pip install" ] && { echo $$ > "$0.pid"; echo "Prepared 1 package in 1ms"; exec /bin/sleep 60; }"#;
    machine.tool("uv", &format!("{slow}\n{UV}"));
    let said = machine.make("Installing");
    assert!(said.contains("broken off"), "{said}");
    let pid = fs::read_to_string(machine.path().join("uv.pid")).expect("it was installing");
    assert!(!Path::new("/proc").join(pid.trim()).exists(), "{pid} is left behind");
}

#[test]
fn two_at_once_make_it_once() {
    let machine = Machine::new();
    machine.tool("uv", &format!("[ \"$1\" = venv ] && sleep 1\n{UV}"));
    let said = std::thread::scope(|scope| {
        let makers = [(); 2].map(|()| scope.spawn(|| machine.make("")));
        makers.map(|maker| maker.join().expect("it ends"))
    });
    let of = |what: &str| said.iter().filter(|said| said.contains(what)).count();
    assert_eq!((of("made "), of("told Begun"), of("told Waiting")), (2, 1, 1), "{said:?}");
}
