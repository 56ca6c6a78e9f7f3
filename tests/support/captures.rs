//! The captures of `fixtures/`, for tests that go through all of them.

use std::fs;
use std::path::{Path, PathBuf};

/// The folders of the captures that are wanted, in their order.
pub fn captures(is_wanted: impl Fn(&Path) -> bool) -> Vec<PathBuf> {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let mut captures: Vec<_> = ["corpus", "field"]
        .iter()
        .flat_map(|room| fs::read_dir(fixtures.join(room)).expect("the fixtures are part of the project"))
        .map(|entry| entry.expect("readable").path())
        .filter(|path| is_wanted(path))
        .collect();
    captures.sort();
    captures
}
