//! No file depends on one that depends on it.
//!
//! An import is an arrow to the file in which the item is defined, through
//! however many re-exports it is found. A module that declares and re-exports
//! what lies below it depends on nothing by that; it does where its own code
//! names it.

use std::collections::{BTreeMap, BTreeSet};

use crate::resolve::Place;
use crate::source::{How, Sources};

/// The arrows of each file, with an example of each: a line and what is named there.
type Arrows = Vec<BTreeMap<usize, String>>;

/// Files that depend on each other, in the order of their names.
pub struct Circle {
    pub files: Vec<String>,
    /// A name for each arrow among them.
    pub because: Vec<String>,
}

pub fn circles(sources: &Sources) -> Vec<Circle> {
    let arrows = arrows(sources);
    let reached: Vec<_> = (0..arrows.len()).map(|file| reached(&arrows, file)).collect();
    let mut found = Vec::new();
    let mut seen = BTreeSet::new();
    for file in 0..arrows.len() {
        let members: BTreeSet<_> =
            reached[file].iter().copied().filter(|other| reached[*other].contains(&file)).collect();
        if members.is_empty() || !seen.insert(members.clone()) {
            continue;
        }
        let because = members.iter().flat_map(|from| {
            let within = arrows[*from].iter().filter(|(to, _)| members.contains(to));
            within.map(|(_, because)| because.clone())
        });
        let because = because.collect();
        found.push(Circle {
            files: members.iter().map(|file| sources.files[*file].clone()).collect(),
            because,
        });
    }
    found
}

fn arrows(sources: &Sources) -> Arrows {
    let mut arrows = vec![BTreeMap::new(); sources.files.len()];
    for (from, names) in sources.names.iter().enumerate() {
        for name in names.iter().filter(|name| name.how != How::Reexport) {
            for place in &name.places {
                if let Place::Item(to) = *place
                    && to != from
                {
                    let (file, target) = (&sources.files[from], &sources.files[to]);
                    let because = format!("{file}:{} → {target}: {}", name.line, name.path.join("::"));
                    arrows[from].entry(to).or_insert(because);
                }
            }
        }
    }
    arrows
}

/// The files that one leads to, itself only where it is in a circle.
fn reached(arrows: &Arrows, from: usize) -> BTreeSet<usize> {
    let mut reached = BTreeSet::new();
    let mut open: Vec<_> = arrows[from].keys().copied().collect();
    while let Some(file) = open.pop() {
        if reached.insert(file) {
            open.extend(arrows[file].keys());
        }
    }
    reached
}
