//! The wheel and the source distribution: built as users get them, installed into a
//! fresh environment, and started under each name that they promise.

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::LazyLock;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// What is built and installed, once for all tests here.
struct Built {
    wheel: PathBuf,
    sdist: PathBuf,
    /// An environment with nothing in it but the wheel.
    home: PathBuf,
}

static BUILT: LazyLock<Built> = LazyLock::new(|| {
    let folder = scratch("built");
    let dist = folder.join("dist");
    let mut build = Command::new("python3");
    build.arg(root().join("python/build.py")).args(["--profile", "dev", "--sdist", "--out"]).arg(&dist);
    succeeds(&mut build);
    let with_ending = |ending: &str| {
        let mut found =
            fs::read_dir(&dist).expect("it was built").map(|entry| entry.expect("readable").path());
        found.find(|path| path.to_string_lossy().ends_with(ending)).expect("it was built")
    };
    let built =
        Built { wheel: with_ending(".whl"), sdist: with_ending(".tar.gz"), home: folder.join("home") };
    succeeds(Command::new("python3").args(["-m", "venv"]).arg(&built.home));
    // Without an index: it depends on nothing.
    let mut install = Command::new(built.home.join("bin/python"));
    succeeds(install.args(["-m", "pip", "install", "--quiet", "--no-index"]).arg(&built.wheel));
    built
});

/// An empty folder in `target/`, which the next run takes anew.
fn scratch(name: &str) -> PathBuf {
    let folder = root().join("target/wheel/test").join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("writable");
    folder
}

fn succeeds(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}{}", stdout(&output), stderr(&output));
    output
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The three ways to start it. The environment is not activated.
fn ways() -> [Command; 3] {
    let bin = BUILT.home.join("bin");
    let mut module = Command::new(bin.join("python"));
    module.args(["-m", "tracelink_cli"]);
    [Command::new(bin.join("tracelink")), Command::new(bin.join("tracelink-cli")), module].map(
        |mut command| {
            command.env("PATH", "/usr/bin:/bin").current_dir(root());
            command
        },
    )
}

/// The version as Cargo knows it, and as `--version` prints it.
fn version() -> String {
    format!("tracelink {}\n", env!("CARGO_PKG_VERSION"))
}

#[test]
fn each_name_starts_the_binary() {
    for mut way in ways() {
        let output = way.arg("--version").output().expect("it starts");
        assert_eq!((stdout(&output), stderr(&output)), (version(), String::new()), "{way:?}");
    }
}

#[test]
fn output_and_exit_codes_are_the_same_under_each_name() {
    for (args, code) in [
        (&["diagnose", "fixtures/corpus/propagator_api_b3multi_worker_w3c"][..], 1),
        (&["diagnose", "fixtures/corpus/healthy_auto"], 0),
        (&["diagnose", "--no-such-option"], 2),
        (&["diagnose", "fixtures/no-such-folder"], 4),
    ] {
        let seen = ways().map(|mut way| {
            let output = way.args(args).output().expect("it starts");
            assert_eq!(output.status.code(), Some(code), "{way:?}: {}", stderr(&output));
            (output.stdout, output.stderr)
        });
        assert!(seen[0] == seen[1] && seen[0] == seen[2], "{args:?}");
    }
}

#[test]
fn a_module_runs_the_demo_and_its_processes() {
    let [_, _, mut module] = ways();
    let output = module.args(["demo", "--orders", "1"]).output().expect("it starts");
    assert_eq!(output.status.code(), Some(0), "{}{}", stdout(&output), stderr(&output));
    assert!(stdout(&output).contains("run/process_order"), "{}", stdout(&output));
}

#[test]
fn ctrl_c_reaches_the_binary() {
    for mut way in ways() {
        way.args(["demo", "--keep"]).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = way.spawn().expect("it starts");
        let mut out = BufReader::new(child.stdout.take().expect("piped"));
        let mut line = String::new();
        while !line.contains("ended process_order: SUCCESS") {
            line.clear();
            assert!(out.read_line(&mut line).expect("UTF-8") > 0, "{way:?} never ended an order");
        }
        let pid = rustix::process::Pid::from_raw(i32::try_from(child.id()).expect("a process id"));
        rustix::process::kill_process(pid.expect("not zero"), rustix::process::Signal::INT).expect("it runs");
        out.read_to_string(&mut String::new()).expect("UTF-8");
        let mut error = String::new();
        child.stderr.take().expect("piped").read_to_string(&mut error).expect("UTF-8");
        assert_eq!((child.wait().expect("it ends").code(), error.as_str()), (Some(130), ""), "{way:?}");
    }
}

/// A program of that name which is not ours.
fn other_tracelink(folder: &Path) {
    fs::create_dir_all(folder).expect("writable");
    let path = folder.join("tracelink");
    fs::write(&path, "#!/bin/sh\necho another\n").expect("writable");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("ours");
}

#[test]
fn another_tracelink_that_a_shell_finds_first_is_named() {
    let folder = scratch("another");
    other_tracelink(&folder.join("bin"));
    other_tracelink(&folder.join("red\u{1b}[31m"));
    fs::create_dir(folder.join("links")).expect("writable");
    symlink(BUILT.home.join("bin/tracelink"), folder.join("links/tracelink")).expect("writable");
    fs::create_dir_all(folder.join("folder/tracelink")).expect("writable");
    let ours = BUILT.home.join("bin").display().to_string();
    let of = |name: &str| folder.join(name).display().to_string();
    let said = |path: &str, args: &[&str]| {
        let [_, script, module] = ways();
        let [one, two] = [script, module].map(|mut way| {
            let output = way.args(args).env("PATH", path).output().expect("it starts");
            assert!(output.status.success(), "{}", stderr(&output));
            stderr(&output)
        });
        assert_eq!(one, two);
        one
    };
    let note = said(&format!("{}:{ours}", of("bin")), &["--version"]);
    assert!(note.contains(&format!("another `tracelink` first: {}/tracelink", of("bin"))), "{note}");
    assert!(note.contains(&format!("{ours}/tracelink")), "{note}");
    let note = said(&of("red\u{1b}[31m"), &["-V"]);
    assert!(note.contains(r"red\x1b[31m") && !note.contains('\u{1b}'), "{note}");
    for (path, why) in [
        (format!("{ours}:{}", of("bin")), "ours comes first"),
        (format!("{}:{}", of("links"), of("bin")), "a link to ours, as pipx and uv make it"),
        (of("folder"), "a folder is no program"),
        (String::new(), "no path at all"),
    ] {
        assert_eq!(said(&path, &["--version"]), "", "{why}");
    }
    let [_, script, _] = ways();
    let mut terminal = Command::new(BUILT.home.join("bin/python"));
    terminal.args(["-c", "import pty, sys; pty.spawn(sys.argv[1:])"]).arg(script.get_program());
    let output = succeeds(terminal.args(["explain", "TL301"]).env("PATH", of("bin")).stdin(Stdio::null()));
    assert!(stdout(&output).contains("another `tracelink` first"), "a person is told: {}", stdout(&output));
    assert_eq!(
        said(&of("bin"), &["explain", "TL301"]),
        "",
        "a script's standard error is what tracelink says"
    );
}

#[test]
fn the_binary_is_found_where_pip_puts_it() {
    let target = scratch("target");
    let mut install = Command::new(BUILT.home.join("bin/python"));
    install.args(["-m", "pip", "install", "--quiet", "--no-index", "--target"]).arg(&target);
    succeeds(install.arg(&BUILT.wheel));
    let python = support::python::interpreter("wheel");
    let module = |packages: &Path| {
        let mut command = Command::new(&python);
        command
            .args(["-m", "tracelink_cli", "--version"])
            .env("PYTHONPATH", packages)
            .env("PATH", "/usr/bin:/bin");
        command.output().expect("Python runs")
    };
    assert_eq!(stdout(&module(&target)), version());
    let output = module(&root().join("python"));
    assert_eq!(output.status.code(), Some(4), "the sources have no binary");
    assert!(stderr(&output).contains("pip install --force-reinstall"), "{}", stderr(&output));
}

#[test]
fn uvx_runs_it_from_the_wheel() {
    let folder = scratch("uv");
    let mut uv = Command::new(support::python::interpreter("wheel").with_file_name("uv"));
    uv.args(["tool", "run", "--offline", "--no-config", "--from"]).arg(&BUILT.wheel);
    uv.args(["tracelink-cli", "diagnose", "fixtures/corpus/healthy_auto"]).current_dir(root());
    uv.env("UV_CACHE_DIR", folder.join("cache")).env("UV_TOOL_DIR", folder.join("tools"));
    let output = succeeds(uv.env("UV_PYTHON_DOWNLOADS", "never"));
    assert!(stdout(&output).contains("✓ healthy"), "{}", stdout(&output));
    assert!(!stderr(&output).contains("another `tracelink`"), "{}", stderr(&output));
    let _ = fs::remove_dir_all(folder);
}

#[test]
fn those_who_check_distributions_find_nothing() {
    let python = support::python::interpreter("wheel");
    let mut twine = Command::new(&python);
    twine.args(["-m", "twine", "check", "--strict"]).args([&BUILT.wheel, &BUILT.sdist]);
    succeeds(&mut twine);
    succeeds(Command::new(python.with_file_name("check-wheel-contents")).arg(&BUILT.wheel));
}

#[test]
fn the_wheel_has_its_licences_its_types_and_a_page_that_stands_alone() {
    let packages = glob_one(&BUILT.home.join("lib"), "site-packages");
    let about = packages.join(format!("tracelink_cli-{}.dist-info", env!("CARGO_PKG_VERSION")));
    for licence in ["LICENSE", "THIRD-PARTY-LICENCES.txt"] {
        let own = fs::read(root().join(licence)).expect("it is there");
        assert!(fs::read(about.join("licenses").join(licence)).expect("it came along") == own, "{licence}");
    }
    assert!(packages.join("tracelink_cli/py.typed").is_file());
    let metadata = fs::read_to_string(about.join("METADATA")).expect("it is there");
    for line in metadata.lines() {
        // PyPI shows the page without the files beside it.
        let relative =
            line.split("](").skip(1).any(|link| !link.starts_with("http") && !link.starts_with('#'));
        assert!(!relative, "a link that leads nowhere from PyPI: {line}");
        assert!(!line.contains(env!("CARGO_MANIFEST_DIR")), "{line}");
    }
}

/// maturin gives every file of a source distribution the mode 0644.
#[test]
fn a_wheel_of_the_source_distribution_has_a_script_that_starts() {
    let folder = scratch("sdist");
    succeeds(
        Command::new("tar")
            .args(["-xzf"])
            .arg(&BUILT.sdist)
            .arg("-C")
            .arg(&folder)
            .args(["--strip-components=1", "--no-same-permissions"]),
    );
    // It takes minutes to build, so what stands for maturin only looks at the script.
    fs::create_dir(folder.join("stand-in")).expect("writable");
    fs::write(
        folder.join("stand-in/maturin.py"),
        "import os\n\ndef build_wheel(folder, config_settings=None, metadata_directory=None):\n    return \
         oct(os.stat('python/data/scripts/tracelink-cli').st_mode & 0o777)\n\nbuild_editable = build_wheel\n",
    )
    .expect("writable");
    let built = succeeds(
        Command::new("python3")
            .args(["-c", "import build_backend; print(build_backend.build_wheel('dist'))"])
            .current_dir(&folder)
            .env("PYTHONPATH", "python:stand-in"),
    );
    assert_eq!(stdout(&built), "0o755\n");
    let project = fs::read_to_string(folder.join("pyproject.toml")).expect("it came along");
    for line in [r#"build-backend = "build_backend""#, r#"backend-path = ["python"]"#] {
        assert!(project.contains(line), "{line} is not in {project}");
    }
}

/// pytest finds the plugin by the entry point of the wheel, and the plugin its binary.
#[test]
fn pytest_runs_the_plugin_of_the_wheel() {
    let folder = scratch("pytest");
    let test = "def test_nothing(tracelink):\n    assert tracelink.spans == ()\n";
    fs::write(folder.join("test_nothing.py"), test).expect("writable");
    let python = support::python::stack();
    let stack = succeeds(
        Command::new(python).args(["-c", "import sysconfig; print(sysconfig.get_path('purelib'), end='')"]),
    );
    let packages = [PathBuf::from(stdout(&stack)), support::python::packages("pytest")];
    let ran = succeeds(
        Command::new(BUILT.home.join("bin/python"))
            .args(["-m", "pytest", "--tracelink", "-p", "no:cacheprovider"])
            .current_dir(&folder)
            .env("PYTHONPATH", std::env::join_paths(packages).expect("no colons"))
            .env_remove("TRACELINK_BINARY"),
    );
    assert!(stdout(&ran).contains("1 passed"), "{}", stdout(&ran));
    assert!(stdout(&ran).contains("tracelink"), "{}", stdout(&ran));
}

/// `lib/python3.11/site-packages`, whichever version it is.
fn glob_one(lib: &Path, name: &str) -> PathBuf {
    let mut versions =
        fs::read_dir(lib).expect("an environment").map(|entry| entry.expect("readable").path());
    versions.find_map(|version| Some(version.join(name)).filter(|path| path.is_dir())).expect("packages")
}

/// It takes minutes to build, so its files are compared instead with those that a
/// build reads: what `Cargo.toml` leaves out must not be among them.
#[test]
fn the_source_distribution_has_what_a_build_reads() {
    let list = succeeds(Command::new("tar").arg("-tzf").arg(&BUILT.sdist));
    let list = stdout(&list);
    let there: BTreeSet<_> = list.lines().filter_map(|line| Some(line.split_once('/')?.1)).collect();
    let mut wanted = Vec::new();
    for name in ["src", "python/tracelink_cli", "python/data"] {
        files(&root().join(name), &mut wanted);
    }
    for name in [
        "build.rs",
        "python/build_backend.py",
        "Cargo.lock",
        "pyproject.toml",
        "LICENSE",
        "THIRD-PARTY-LICENCES.txt",
    ] {
        wanted.push(root().join(name));
    }
    // What Cargo was told by the compiler, `include_str!` too.
    let told =
        fs::read_to_string(root().join("target/wheel/cargo/debug/tracelink.d")).expect("Cargo wrote it");
    let told = told.split_once(": ").expect("a rule").1.split_whitespace().map(PathBuf::from);
    wanted.extend(told.filter(|path| {
        path.is_file() && path.starts_with(root()) && !path.starts_with(root().join("target"))
    }));
    assert!(wanted.iter().any(|path| path.ends_with("docs/tried-fixes.json")), "the compiler's list is read");
    for path in wanted {
        let name = path.strip_prefix(root()).expect("ours").to_string_lossy();
        assert!(there.contains(name.as_ref()), "{name} is not in the source distribution");
    }
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("it is there") {
        let path = entry.expect("readable").path();
        if path.file_name().is_some_and(|name| name == "__pycache__") {
            continue;
        }
        if path.is_dir() {
            files(&path, found);
        } else {
            found.push(path);
        }
    }
}
