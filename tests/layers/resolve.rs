//! Where a name leads: to an item of a file of this crate, to a module, or out
//! of it.

use std::collections::BTreeSet;

use crate::source::{How, Name, Path, Sources};

/// How many re-exports are followed. A name that leads to itself ends here.
const DEPTH: usize = 16;

/// The name of this crate, by which `main.rs` calls it.
const OWN: &str = "tracelink";

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Place {
    /// An item of this crate, by the file that defines it.
    Item(usize),
    /// A module of this crate.
    Module(Path),
    /// Of another crate, by its whole path.
    Outside(Path),
}

impl Sources {
    /// Everything that a name may stand for, and the files of the modules that
    /// it is found through.
    pub fn places(&self, name: &Name) -> (BTreeSet<Place>, BTreeSet<usize>) {
        let mut walk = Walk { sources: self, places: BTreeSet::new(), through: BTreeSet::new() };
        if name.how == How::Call && name.path.len() == 1 {
            walk.macro_of(&name.module, &name.path[0]);
        } else {
            walk.follow(&name.module, &name.path, DEPTH);
        }
        (walk.places, walk.through)
    }
}

struct Walk<'s> {
    sources: &'s Sources,
    places: BTreeSet<Place>,
    through: BTreeSet<usize>,
}

impl Walk<'_> {
    /// Follows a path as it is written in a module.
    fn follow(&mut self, module: &Path, path: &[String], depth: usize) {
        if depth == 0 {
            return;
        }
        let Some((first, rest)) = path.split_first() else { return };
        match &**first {
            "crate" | OWN => self.enter(&Path::new(), rest, depth),
            "self" => self.enter(module, rest, depth),
            "super" => {
                let parent = module[..module.len().saturating_sub(1)].to_vec();
                // `super::super` goes on from there.
                if rest.first().is_some_and(|next| next == "super") {
                    self.follow(&parent, rest, depth);
                } else {
                    self.enter(&parent, rest, depth);
                }
            }
            "Self" => {}
            "" => drop(self.places.insert(Place::Outside(outside(rest)))),
            _ if self.is_of_a_crate(module, first) => drop(self.places.insert(Place::Outside(outside(path)))),
            _ if self.is_in(module, first, depth) => self.enter(module, path, depth),
            _ => drop(self.places.insert(Place::Outside(outside(path)))),
        }
    }

    /// Looks a path up in a module of this crate.
    fn enter(&mut self, module: &Path, path: &[String], depth: usize) {
        let Some(known) = self.sources.modules.get(module) else { return };
        let Some((first, rest)) = path.split_first() else {
            self.places.insert(Place::Module(module.clone()));
            return;
        };
        self.through.insert(known.file);
        let child = [&**module, std::slice::from_ref(first)].concat();
        if self.sources.modules.contains_key(&child) {
            self.enter(&child, rest, depth);
        }
        if known.items.contains(first) {
            self.places.insert(Place::Item(known.file));
            return;
        }
        for path in known.imports.get(first).into_iter().flatten() {
            self.follow_further(module, path, rest, depth);
        }
        if !known.imports.contains_key(first) {
            for glob in &known.globs {
                // What is not of this crate has been seen at the glob itself.
                if depth > 0 && self.is_below(module, glob, first, depth - 1) {
                    let path = [&**glob, std::slice::from_ref(first)].concat();
                    self.follow_further(module, &path, rest, depth);
                }
            }
        }
    }

    fn follow_further(&mut self, module: &Path, path: &[String], rest: &[String], depth: usize) {
        self.follow(module, &[path, rest].concat(), depth.saturating_sub(1));
    }

    /// Whether the name is a crate's, though the module has one that is alike:
    /// `use redis::{self, Cmd}`, `use anyhow::anyhow`.
    fn is_of_a_crate(&self, module: &Path, name: &String) -> bool {
        let child = [&**module, std::slice::from_ref(name)].concat();
        !self.sources.modules.contains_key(&child)
            && self.sources.modules.get(module).is_some_and(|known| {
                let mut imports = known.imports.get(name).into_iter().flatten();
                imports.any(|path| path.first() == Some(name))
            })
    }

    /// Whether a module knows the name.
    fn is_in(&self, module: &Path, name: &String, depth: usize) -> bool {
        self.is_written_in(module, name)
            || depth > 0
                && self.sources.modules.get(module).is_some_and(|known| {
                    known.globs.iter().any(|glob| self.is_below(module, glob, name, depth - 1))
                })
    }

    /// Whether a module declares or imports the name by itself.
    fn is_written_in(&self, module: &Path, name: &String) -> bool {
        let child = [&**module, std::slice::from_ref(name)].concat();
        let modules = &self.sources.modules;
        modules.contains_key(&child)
            || modules
                .get(module)
                .is_some_and(|known| known.items.contains(name) || known.imports.contains_key(name))
    }

    /// Whether the module that a glob of `module` names knows the name.
    fn is_below(&self, module: &Path, glob: &Path, name: &String, depth: usize) -> bool {
        let begins_here = glob.first().is_some_and(|first| {
            matches!(&**first, "crate" | "self" | "super" | OWN) || self.is_written_in(module, first)
        });
        // Every other glob is of another crate.
        if !begins_here {
            return false;
        }
        let mut walk = Walk { sources: self.sources, places: BTreeSet::new(), through: BTreeSet::new() };
        walk.follow(module, glob, depth);
        walk.places.iter().any(|place| match place {
            Place::Module(module) => self.is_in(module, name, depth),
            Place::Item(_) | Place::Outside(_) => false,
        })
    }

    /// Follows the name of a macro, which is seen in the modules below it too.
    fn macro_of(&mut self, module: &Path, name: &String) {
        if self.is_in(module, name, DEPTH) {
            self.enter(module, std::slice::from_ref(name), DEPTH);
            return;
        }
        for above in (0..module.len()).rev() {
            if let Some(known) = self.sources.modules.get(&module[..above])
                && known.macros.contains(name)
            {
                self.places.insert(Place::Item(known.file));
                return;
            }
        }
        self.places.insert(Place::Outside(vec!["std".to_owned(), name.clone()]));
    }
}

/// `core` and `alloc` are parts of `std`.
fn outside(path: &[String]) -> Path {
    let mut path = path.to_vec();
    if let Some(first) = path.first_mut()
        && matches!(&**first, "core" | "alloc")
    {
        "std".clone_into(first);
    }
    path
}
