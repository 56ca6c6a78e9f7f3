//! The targets without a fuzzer: on every input that once found a bug, and on the captures
//! in `fixtures/`, changed at random.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use fastrand::Rng;
use tempfile::TempDir;

use super::{TARGETS, Target};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}

/// Every file in a folder, in one order; none where there is no folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    let mut files: Vec<_> = entries.map(|entry| entry.expect("readable").path()).collect();
    files.sort();
    files
}

/// Tells of the input that a target panics on.
struct Told<'i>(&'i str, &'i [u8]);

impl Drop for Told<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{} panicked on \"{}\"", self.0, self.1.escape_ascii());
        }
    }
}

fn run((name, target): Target, input: &[u8]) {
    let _told = Told(name, input);
    target(input);
}

/// `fuzz/regressions/<target>/` holds the inputs, each called after what was wrong.
#[test]
fn what_once_found_a_bug_finds_none() {
    for target in TARGETS {
        for input in files(&root().join("regressions").join(target.0)) {
            run(target, &fs::read(&input).expect("readable"));
        }
    }
}

/// The first inputs of each target, as `fuzz/seeds.py` makes them.
static SEEDS: LazyLock<TempDir> = LazyLock::new(|| {
    let folder = tempfile::tempdir().expect("a folder");
    let output = Command::new("python3").arg(root().join("seeds.py")).arg(folder.path()).output();
    let output = output.expect("this test needs python3");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    folder
});

fn seeds(name: &str) -> Vec<Vec<u8>> {
    files(&SEEDS.path().join(name)).iter().map(|path| fs::read(path).expect("readable")).collect()
}

/// An input that is like a seed, or like none.
fn changed(seeds: &[Vec<u8>], random: &mut Rng) -> Vec<u8> {
    let Some(seed) = random.choice(seeds).filter(|_| random.u8(..8) > 0) else {
        return (0..random.usize(..300)).map(|_| random.u8(..)).collect();
    };
    let mut input = seed.clone();
    for _ in 0..random.usize(..4) {
        let at = random.usize(..=input.len());
        let end = (at + random.usize(..8)).min(input.len());
        match random.u8(..4) {
            0 => drop(input.drain(at..end)),
            1 => input.insert(at, random.u8(..)),
            2 => input[at..end].fill_with(|| random.u8(..)),
            _ => {
                let other = &seeds[random.usize(..seeds.len())];
                let from = random.usize(..=other.len());
                let part = &other[from..(from + random.usize(..64)).min(other.len())];
                input.splice(at..end, part.iter().copied());
            }
        }
    }
    input
}

#[test]
fn captures_that_are_changed_at_random_find_nothing() {
    const RUNS: usize = 300;
    for target in TARGETS {
        let seeds = seeds(target.0);
        let mut random = Rng::with_seed(19);
        for _ in 0..RUNS {
            run(target, &changed(&seeds, &mut random));
        }
    }
}
