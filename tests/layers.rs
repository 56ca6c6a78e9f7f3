//! Imports point down. The floors are those of `docs/architecture.md`.

use std::fs;
use std::path::{Path, PathBuf};

/// The rooms by floor, the ground floor first. A room may use its own floor's
/// only where that is itself.
const FLOORS: &[&[&str]] = &[
    &["model"],
    &["wire"],
    &["evidence"],
    &["diagnosis"],
    &["report", "broker", "receiver", "bundle"],
    &["view"],
    &["demo", "cli"],
    &["command", "main"],
];

/// Rooms that know neither files nor sockets nor clocks.
const PURE: &[&str] = &["model", "wire", "evidence", "diagnosis", "report"];

/// What a pure room may not name.
const WORLD: &[&str] = &[
    "std::fs",
    "std::net",
    "tokio",
    "redis::",
    "Instant::now",
    "SystemTime",
    "std::env",
    "println!",
    "eprintln!",
];

fn floor_of(room: &str) -> Option<usize> {
    FLOORS.iter().position(|rooms| rooms.contains(&room))
}

/// What is wrong with the imports of a source file of `room`.
fn complaints(room: &str, source: &str) -> Vec<String> {
    let Some(floor) = floor_of(room) else { return vec![format!("the room `{room}` is on no floor")] };
    // What a test needs is its own affair.
    let code = source.split("#[cfg(test)]").next().unwrap_or_default();
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    let mut complaints = Vec::new();
    for line in lines {
        for used in line.match_indices("crate::").map(|(at, name)| &line[at + name.len()..]) {
            let used: String =
                used.chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect();
            let points_up =
                floor_of(&used).is_some_and(|other| other > floor || (other == floor && used != room));
            if points_up {
                complaints.push(format!("`{room}` uses `{used}`: {}", line.trim()));
            }
        }
        if PURE.contains(&room) {
            complaints.extend(
                WORLD
                    .iter()
                    .filter(|name| line.contains(**name))
                    .map(|name| format!("`{room}` knows `{name}`: {}", line.trim())),
            );
        }
    }
    complaints
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("readable") {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn imports_point_down() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&src, &mut files);
    assert!(files.len() > 50, "the sources were not found");
    let mut all = Vec::new();
    for file in files {
        let path = file.strip_prefix(&src).expect("below src");
        let room = path.components().next().expect("a name").as_os_str().to_string_lossy();
        let room = room.trim_end_matches(".rs");
        if room == "lib" {
            continue;
        }
        let source = fs::read_to_string(&file).expect("UTF-8");
        all.extend(
            complaints(room, &source).into_iter().map(|complaint| format!("{}: {complaint}", path.display())),
        );
    }
    assert!(all.is_empty(), "{}", all.join("\n"));
}

#[test]
fn an_import_that_points_up_is_found() {
    assert!(complaints("wire", "use crate::model::Span;").is_empty());
    assert_eq!(complaints("model", "use crate::wire::otlp::Sink;").len(), 1);
    assert_eq!(complaints("broker", "use crate::receiver::Server;").len(), 1);
    assert_eq!(complaints("evidence", "let now = Instant::now();").len(), 1);
    assert_eq!(complaints("attic", "").len(), 1);
    assert!(complaints("evidence", "// std::fs is for others").is_empty());
}
