//! Lists the files of the demo's Python application, so that the binary brings
//! all of them along (`src/demo/python_app/assets.rs`). A list by hand would
//! miss one; a crate that includes folders would take what Python leaves there.

use std::fmt::Write;
use std::path::Path;
use std::{env, fs, io};

const FOLDER: &str = "src/demo/python";
/// What Python keeps beside the files that it imports.
const COMPILED: &str = "__pycache__";

#[allow(clippy::disallowed_methods, reason = "Cargo tells a build script so where it may write")]
fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed={FOLDER}");
    let mut names = Vec::new();
    list(Path::new(FOLDER), "", &mut names)?;
    names.sort();
    let mut code = String::from("&[\n");
    for name in &names {
        let path = format!("/{FOLDER}/{name}");
        let _ =
            writeln!(code, "    ({name:?}, include_str!(concat!(env!(\"CARGO_MANIFEST_DIR\"), {path:?}))),");
    }
    code.push_str("]\n");
    let out = env::var_os("OUT_DIR").expect("Cargo sets it");
    fs::write(Path::new(&out).join("python_assets.rs"), code)
}

fn list(folder: &Path, below: &str, names: &mut Vec<String>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = format!("{below}{}", entry.file_name().to_string_lossy());
        if !entry.file_type()?.is_dir() {
            names.push(name);
        } else if !name.ends_with(COMPILED) {
            list(&entry.path(), &format!("{name}/"), names)?;
        }
    }
    Ok(())
}
