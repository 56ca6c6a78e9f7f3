//! The sources, parsed, and held to `docs/architecture.md`: imports point down,
//! no file depends on one that depends on it, and the world outside is met in
//! the rooms that are for it, however it is named.

mod circles;
mod floors;
mod forms;
mod resolve;
mod source;
mod world;

use std::path::Path;
use std::sync::LazyLock;

use circles::Circle;
use source::{Sources, lies_in};

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

/// Where files depend on each other still. What is not needed any more is taken
/// out, and nothing is put in.
const TO_END: &[&str] = &["evidence"];

#[test]
fn no_files_depend_on_each_other() {
    let circles = circles::circles(&SOURCES);
    let is_in = |circle: &Circle, folder: &str| circle.files.iter().all(|file| lies_in(file, folder));
    let (known, new): (Vec<_>, Vec<_>) =
        circles.iter().partition(|circle| TO_END.iter().any(|folder| is_in(circle, folder)));
    let told =
        |circle: &Circle| format!("{}:\n    {}", circle.files.join(", "), circle.because.join("\n    "));
    assert_none(&new.into_iter().map(told).collect::<Vec<_>>());
    for folder in TO_END {
        let is_needed = known.iter().any(|circle| is_in(circle, folder));
        assert!(is_needed, "no files of `{folder}` depend on each other any more: take it out of `TO_END`");
    }
}
