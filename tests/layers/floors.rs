//! Imports point down. The floors are those of `docs/architecture.md`.

use std::collections::BTreeSet;

use crate::resolve::Place;
use crate::source::{Name, Sources, lies_in};

/// The rooms by floor, the ground floor first. Of its own floor a room may use
/// only itself.
const FLOORS: &[&[&str]] = &[
    &["model"],
    &["wire", "local_http"],
    &["evidence"],
    &["diagnosis"],
    &["report", "broker", "receiver", "bundle", "files", "query", "policy"],
    &["live"],
    &["view", "config"],
    &["demo", "cli"],
    &["command"],
    // What fuzzing holds the others to: nobody uses it.
    &["main", "fuzzing"],
];

/// What a room may not use, though it lies below.
const STRANGERS: &[(&str, &[&str])] = &[
    ("broker", &["diagnosis"]),
    ("receiver", &["diagnosis"]),
    ("bundle", &["diagnosis"]),
    ("files", &["diagnosis"]),
    ("query", &["diagnosis"]),
    ("broker/redis", &["broker/rabbitmq"]),
    ("broker/rabbitmq", &["broker/redis"]),
    // Each application of the demo is apart from the other, and the broker from both.
    ("demo/native", &["demo/python_app"]),
    ("demo/python_app", &["demo/native", "demo/broker"]),
    ("demo/broker", &["demo/native", "demo/python_app"]),
    ("view", &["broker", "receiver", "bundle", "files", "query"]),
];

/// Rooms that only some may use, though they lie below.
const PRIVATE: &[(&str, &[&str])] = &[("demo", &["command/demo", "command/exit"])];

/// The layers inside of a room, the lowest first, each by its files and folders. In such
/// a room no file uses what a `mod.rs` above it defines.
const LAYERS: &[(&str, &[&[&str]])] = &[(
    "diagnosis",
    &[
        &["slug", "quote", "unsampled"],
        &["known"],
        &["partial_run", "occurrence", "advice"],
        &["rule"],
        &["inject", "carry", "extract", "export", "sampling", "delivery", "identity", "privacy", "tree"],
        &["registry"],
        &["engine"],
    ],
)];

/// The layer of a path below `src`, in that room.
fn layer_of(room: &str, path: &str) -> Option<usize> {
    let (_, layers) = LAYERS.iter().find(|(layered, _)| *layered == room)?;
    let part = path.strip_prefix(room)?.strip_prefix('/')?.trim_end_matches(".rs");
    let part = part.split('/').next()?;
    layers.iter().position(|layer| layer.contains(&part))
}

fn floor_of(room: &str) -> Option<usize> {
    FLOORS.iter().position(|rooms| rooms.contains(&room))
}

/// Every name that leads where its room may not look.
pub fn complaints(sources: &Sources) -> Vec<String> {
    let mut complaints = Vec::new();
    for (file, names) in sources.names.iter().enumerate() {
        let (path, room) = (&sources.files[file], sources.room(file));
        // It declares the rooms.
        if room == "lib" {
            continue;
        }
        let Some(floor) = floor_of(room) else {
            complaints.push(format!("{path}: the room `{room}` is on no floor"));
            continue;
        };
        let layer = layer_of(room, path);
        let has_layers = LAYERS.iter().any(|(layered, _)| *layered == room);
        if has_layers && layer.is_none() && path != &format!("{room}/mod.rs") {
            complaints.push(format!("{path}: it is on no layer of `{room}`"));
        }
        // What a folder's files share has a file of its own among them.
        let above = |to: &String| {
            let folder = to.strip_suffix("/mod.rs");
            folder.is_some_and(|folder| path.starts_with(&format!("{folder}/")) && path != to)
        };
        for name in names.iter().filter(|_| has_layers) {
            let items = name.places.iter().filter_map(|place| match place {
                Place::Item(file) => Some(&sources.files[*file]),
                Place::Module(_) | Place::Outside(_) => None,
            });
            if let Some(used) = items.into_iter().find(|used| above(used)) {
                let written = name.path.join("::");
                complaints.push(format!("{path}:{}: it points back up to `{used}`: {written}", name.line));
            }
        }
        let is_wrong = |used: &String| {
            let other = used.split('/').next().unwrap_or_default();
            let is_above = floor_of(other)
                .is_some_and(|other_floor| other_floor > floor || (other_floor == floor && other != room));
            let is_layer_above = layer.is_some() && layer < layer_of(room, used);
            let is_strange = STRANGERS.iter().any(|(whose, strangers)| {
                lies_in(path, whose) && strangers.iter().any(|stranger| lies_in(used, stranger))
            });
            let is_private = PRIVATE.iter().any(|(private, users)| {
                lies_in(used, private)
                    && !lies_in(path, private)
                    && !users.iter().any(|user| lies_in(path, user))
            });
            is_above || is_layer_above || is_strange || is_private
        };
        for name in names {
            if let Some(used) = used(sources, name).into_iter().find(is_wrong) {
                let written = name.path.join("::");
                complaints.push(format!("{path}:{}: `{room}` uses `{used}`: {written}", name.line));
            }
        }
    }
    complaints.dedup();
    complaints
}

/// The files and modules that a name leads to or through, by their paths below `src`.
fn used(sources: &Sources, name: &Name) -> BTreeSet<String> {
    let of_places = name.places.iter().filter_map(|place| match place {
        Place::Item(file) => Some(sources.files[*file].clone()),
        Place::Module(path) => Some(path.join("/")),
        Place::Outside(_) => None,
    });
    // The root only passes on.
    let of_modules = name.through.iter().map(|file| sources.files[*file].clone());
    of_places.chain(of_modules.filter(|path| path != "lib.rs")).map(|path| path.replace(".rs", "")).collect()
}
