//! The archive of a release, packed of the built binary.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::root;

/// Packs it, and returns its name and its sum.
fn packed(out: &Path) -> (String, String) {
    let mut release = Command::new("python3");
    release.arg(root().join("python/release.py")).args(["--only", "archive", "--binary"]);
    let output =
        release.arg(env!("CARGO_BIN_EXE_tracelink")).arg("--out").arg(out).output().expect("Python runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let is_published = !env!("CARGO_PKG_REPOSITORY").is_empty();
    assert_eq!(said.contains("Cargo.toml names no publisher"), !is_published, "{said}");
    let sums = fs::read_to_string(out.join("SHA256SUMS")).expect("it is there");
    let (sum, name) = sums.trim_end().split_once("  ").expect("a sum and a name");
    (name.to_owned(), sum.to_owned())
}

#[test]
fn an_archive_has_all_that_is_installed_and_the_same_bytes_each_time() {
    let folder = tempfile::tempdir().expect("a folder");
    let (name, sum) = packed(&folder.path().join("first"));
    let run = |program: &str, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).current_dir(folder.path().join("first")).output();
        let output = output.unwrap_or_else(|error| panic!("{program}: {error}"));
        assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("UTF-8")
    };
    run("sha256sum", &["--check", "--strict", "SHA256SUMS"]);
    run("tar", &["-xzf", &name]);
    let within = name.strip_suffix(".tar.gz").expect("an archive");
    let version = run(&format!("./{within}/tracelink"), &["--version"]);
    assert_eq!(version, format!("tracelink {}\n", env!("CARGO_PKG_VERSION")));
    for file in [
        "LICENSE",
        "THIRD-PARTY-LICENCES.txt",
        "CHANGELOG.md",
        "completions/tracelink.bash",
        "completions/_tracelink",
        "completions/tracelink.fish",
        "man/tracelink.1",
        "man/tracelink-listen.1",
    ] {
        let path = folder.path().join("first").join(within).join(file);
        assert!(fs::metadata(&path).is_ok_and(|about| about.len() > 0), "{file} is not in it");
    }
    let unpacked = folder.path().join("first").join(within);
    let readme = fs::read_to_string(unpacked.join("README.md")).expect("UTF-8");
    let links = readme.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next());
    let links: Vec<_> = links.filter(|link| !link.starts_with("https://")).collect();
    assert!(links.len() > 20, "{links:?}");
    for link in links {
        assert!(unpacked.join(link).is_file(), "the README leads to {link}, which is not in it");
    }
    assert_eq!(packed(&folder.path().join("second")), (name, sum), "whenever it is packed");
}
