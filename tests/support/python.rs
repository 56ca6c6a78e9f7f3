//! Python with pinned packages, made once in `target/` and kept there.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Mutex;

use tracelink::demo::python_app;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// One environment at a time is made.
static MAKING: Mutex<()> = Mutex::new(());

/// The interpreter of an environment with the packages of
/// `tests/python/requirements-<kind>.txt`.
pub fn interpreter(kind: &str) -> PathBuf {
    let _making = MAKING.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    make(kind, &root().join(format!("tests/python/requirements-{kind}.txt")))
}

/// The interpreter of the environment that the Python demo makes for itself:
/// FastAPI, Celery, OpenTelemetry with its exporters. The demo's own tests use
/// the same one.
pub fn stack() -> PathBuf {
    let _making = MAKING.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let cache = root().join("target/python/tracelink");
    let made = python_app::prepare(&cache, true, &mut |_| ControlFlow::Continue(()));
    let made = made.unwrap_or_else(|error| panic!("this test needs the demo's environment: {error}"));
    made.expect("nobody breaks it off").python()
}

fn make(kind: &str, requirements: &Path) -> PathBuf {
    let mut hasher = DefaultHasher::new();
    std::fs::read(requirements).expect("the requirements are part of the project").hash(&mut hasher);
    let home = root().join(format!("target/python/{kind}-{:016x}", hasher.finish()));
    let python = home.join("bin/python");
    let complete = home.join("complete");
    if complete.is_file() {
        return python;
    }
    eprintln!("making a Python environment for {kind} in target/python (once)");
    let _ = std::fs::remove_dir_all(&home);
    std::fs::create_dir_all(home.parent().expect("a parent")).expect("writable");
    run(
        Command::new("python3").args(["-m", "venv"]).arg(&home),
        "python3 with venv (apt-get install python3-venv)",
    );
    // All of them are pinned, so none is to be resolved.
    let install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "-r"];
    run(Command::new(&python).args(install).arg(requirements), "the Python packages, from PyPI");
    std::fs::write(&complete, "").expect("writable");
    python
}

fn run(command: &mut Command, what: &str) {
    let status = command.status().unwrap_or_else(|error| panic!("this test needs {what}: {error}"));
    assert!(status.success(), "this test needs {what}: {command:?} failed");
}

/// Runs one of `tests/python`, and returns what it printed.
pub fn script(kind: &str, name: &str, args: &[&str]) -> String {
    run_script(&interpreter(kind), name, args)
}

/// The same with everything that the Python demo is pinned to.
pub fn stack_script(name: &str, args: &[&str]) -> String {
    run_script(&stack(), name, args)
}

/// The same with what fixes install besides, and a text at its standard input.
pub fn stack_script_with(name: &str, input: &str) -> String {
    let mut child = Command::new(stack())
        .arg(root().join("tests/python").join(name))
        .env("PYTHONPATH", what_fixes_install())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("Python runs");
    child.stdin.take().expect("piped").write_all(input.as_bytes()).expect("it reads");
    text(name, &child.wait_with_output().expect("it ends"))
}

/// What fixes install.
fn what_fixes_install() -> PathBuf {
    packages("fixes")
}

/// A folder with the packages of `tests/python/requirements-<kind>.txt`, for `PYTHONPATH`
/// beside those of [`stack`].
pub fn packages(kind: &str) -> PathBuf {
    let _making = MAKING.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let pip = make("current", &root().join("tests/python/requirements-current.txt"));
    let requirements = root().join(format!("tests/python/requirements-{kind}.txt"));
    let mut hasher = DefaultHasher::new();
    std::fs::read(&requirements).expect("the requirements are part of the project").hash(&mut hasher);
    let home = root().join(format!("target/python/{kind}-{:016x}", hasher.finish()));
    if !home.join("complete").is_file() {
        let _ = std::fs::remove_dir_all(&home);
        let install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"];
        let mut install_all = Command::new(pip);
        install_all.args(install).arg("--target").arg(&home).arg("-r").arg(requirements);
        run(&mut install_all, "the Python packages, from PyPI");
        std::fs::write(home.join("complete"), "").expect("writable");
    }
    home
}

fn run_script(interpreter: &Path, name: &str, args: &[&str]) -> String {
    let output = Command::new(interpreter)
        .arg(root().join("tests/python").join(name))
        .args(args)
        .output()
        .expect("Python runs");
    text(name, &output)
}

fn text(name: &str, output: &Output) -> String {
    assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}
