//! Node with the packages of `tests/js/package-lock.json`, installed once in
//! `target/` and kept there.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

/// One installation at a time is made.
static MAKING: Mutex<()> = Mutex::new(());

/// Where the packages are: `NODE_PATH`.
pub fn modules() -> PathBuf {
    let _making = MAKING.lock().unwrap_or_else(PoisonError::into_inner);
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut hasher = DefaultHasher::new();
    for name in ["package.json", "package-lock.json"] {
        std::fs::read(root.join("tests/js").join(name))
            .expect("they are part of the project")
            .hash(&mut hasher);
    }
    let home = root.join(format!("target/js/{:016x}", hasher.finish()));
    let modules = home.join("node_modules");
    let complete = home.join("complete");
    if complete.is_file() {
        return modules;
    }
    eprintln!("installing the packages of tests/js in target/js (once)");
    let _ = std::fs::remove_dir_all(&home);
    std::fs::create_dir_all(&home).expect("writable");
    for name in ["package.json", "package-lock.json"] {
        std::fs::copy(root.join("tests/js").join(name), home.join(name)).expect("writable");
    }
    let status = Command::new("npm")
        .args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"])
        .current_dir(&home)
        .status()
        .unwrap_or_else(|error| panic!("this test needs Node 18.19 or later with npm: {error}"));
    assert!(status.success(), "this test needs the JavaScript packages, from the npm registry");
    std::fs::write(&complete, "").expect("writable");
    modules
}

/// The path of one of `tests/js`.
pub fn path_of(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/js").join(name)
}

/// Runs one of `tests/js`, and returns what it printed.
pub fn script(name: &str, args: &[&str]) -> String {
    let output = Command::new("node")
        .arg(path_of(name))
        .args(args)
        .env("NODE_PATH", modules())
        .output()
        .expect("this test needs Node 18.19 or later");
    assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}
