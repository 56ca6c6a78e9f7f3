//! The sources, parsed, and held to `docs/architecture.md`: imports point down,
//! no file depends on one that depends on it, and the world outside is met in
//! the rooms that are for it, however it is named.

mod blame;
mod circles;
mod floors;
mod forms;
mod reader;
mod resolve;
mod source;
mod world;

use std::path::Path;
use std::sync::LazyLock;

use circles::Circle;
use source::Sources;

/// The crate as it is.
static SOURCES: LazyLock<Sources> = LazyLock::new(|| {
    let sources = Sources::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    assert!(sources.files.len() > 200, "only {} sources were found", sources.files.len());
    sources
});

fn assert_none(complaints: &[String]) {
    assert!(complaints.is_empty(), "{} complaints:\n{}", complaints.len(), complaints.join("\n"));
}

#[test]
fn imports_point_down() {
    assert_none(&floors::complaints(&SOURCES));
}

#[test]
fn the_world_is_met_in_its_rooms() {
    assert_none(&world::complaints(&SOURCES));
}

#[test]
fn each_error_that_says_whose_it_is_is_asked() {
    assert_none(&blame::complaints(&SOURCES));
}

#[test]
fn no_files_depend_on_each_other() {
    let told =
        |circle: &Circle| format!("{}:\n    {}", circle.files.join(", "), circle.because.join("\n    "));
    assert_none(&circles::circles(&SOURCES).iter().map(told).collect::<Vec<_>>());
}
