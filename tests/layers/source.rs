//! The sources of the crate, parsed: its modules, what each declares, and every
//! path that each file names outside of its tests.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::path::Path as Folder;

use syn::{Attribute, File, Item, Meta};

use crate::reader;
use crate::resolve::Place;

/// A path by its segments. `crate`, `self` and `super` stand at its beginning,
/// as written; `::std` begins with an empty segment.
pub type Path = Vec<String>;

/// Where a name is written, and how.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum How {
    /// By a `use` of the file's own.
    Import,
    /// By a `use` that others see.
    Reexport,
    /// By `use path::*`.
    Glob,
    /// In code.
    Mention,
    /// As a macro that is called.
    Call,
}

/// A path that a file names.
#[derive(Clone, Debug)]
pub struct Name {
    pub path: Path,
    /// The module that it stands in, from the crate's root.
    pub module: Path,
    pub line: usize,
    pub how: How,
    /// Everything that it may stand for.
    pub places: BTreeSet<Place>,
    /// The files of the modules of this crate that it is found through.
    pub through: BTreeSet<usize>,
}

/// A module, as other modules see it.
#[derive(Default, Debug)]
pub struct Module {
    pub file: usize,
    /// What is defined here, modules left out.
    pub items: Vec<String>,
    pub macros: Vec<String>,
    /// What `use` brings in, by the name that it has here. A name may stand for
    /// several, for a type and a function, say.
    pub imports: BTreeMap<String, Vec<Path>>,
    pub globs: Vec<Path>,
}

/// Every file of a crate.
#[derive(Default, Debug)]
pub struct Sources {
    /// By their paths below `src`.
    pub files: Vec<String>,
    /// What each file names.
    pub names: Vec<Vec<Name>>,
    pub modules: BTreeMap<Path, Module>,
}

impl Sources {
    /// Reads every Rust file below a folder.
    pub fn read(src: &Folder) -> Self {
        let mut found = Vec::new();
        collect(src, src, &mut found);
        found.sort();
        Self::parse(found.iter().map(|(path, text)| (&**path, &**text)))
    }

    /// Parses files, each given by its path below `src` and its text.
    pub fn parse<'t>(files: impl IntoIterator<Item = (&'t str, &'t str)>) -> Self {
        let mut sources = Self::default();
        let mut parsed = Vec::new();
        let mut only_for_tests = Vec::new();
        for (path, text) in files {
            let file = syn::parse_file(text).unwrap_or_else(|error| panic!("{path}: {error}"));
            let module = module_of(path);
            only_for_tests.extend(test_modules(&file, &module));
            parsed.push((path.to_owned(), module, file));
        }
        parsed.retain(|(_, module, file)| {
            !is_for_tests(&file.attrs) && !only_for_tests.iter().any(|test| module.starts_with(test))
        });
        for (number, (path, module, file)) in parsed.into_iter().enumerate() {
            sources.files.push(path);
            sources.modules.entry(module.clone()).or_default().file = number;
            let names = reader::read(&mut sources, number, module, &file);
            sources.names.push(names);
        }
        sources.resolve();
        sources
    }

    /// Finds out where every name leads, once all modules are known.
    fn resolve(&mut self) {
        let mut known = HashMap::new();
        let mut names = std::mem::take(&mut self.names);
        for name in names.iter_mut().flatten() {
            let written = (name.module.clone(), name.path.clone(), name.how == How::Call);
            let (places, through) = known.entry(written).or_insert_with(|| self.places(name));
            (name.places, name.through) = (places.clone(), through.clone());
        }
        self.names = names;
    }

    /// The room of a file: the folder or the file below `src`.
    pub fn room(&self, file: usize) -> &str {
        let path = &self.files[file];
        path.split('/').next().unwrap_or_default().trim_end_matches(".rs")
    }
}

/// Whether a path below `src` is that folder or file, or in it.
pub fn lies_in(path: &str, place: &str) -> bool {
    let rest = path.trim_end_matches(".rs").strip_prefix(place);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn collect(src: &Folder, folder: &Folder, found: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).expect("readable") {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            collect(src, &path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.strip_prefix(src).expect("below src").to_str().expect("UTF-8").to_owned();
            found.push((name, fs::read_to_string(&path).expect("UTF-8")));
        }
    }
}

/// The module of a file. `main.rs` is a crate of its own, which names this one.
fn module_of(path: &str) -> Path {
    let path = path.trim_end_matches(".rs");
    let path = path.strip_suffix("/mod").unwrap_or(path);
    if path == "lib" { Path::new() } else { path.split('/').map(str::to_owned).collect() }
}

/// The modules of which a file says that they are for tests only.
fn test_modules(file: &File, module: &Path) -> Vec<Path> {
    let modules = file.items.iter().filter_map(|item| match item {
        Item::Mod(item) if is_for_tests(&item.attrs) => Some(below(module, &item.ident.to_string())),
        _ => None,
    });
    modules.collect()
}

pub fn below(module: &Path, name: &str) -> Path {
    let mut path = module.clone();
    path.push(name.to_owned());
    path
}

/// Whether it is compiled for tests only. What a test needs is its own affair.
pub fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let path = attribute.path();
        let condition = match &attribute.meta {
            Meta::List(list) if path.is_ident("cfg") => list.tokens.to_string(),
            _ => String::new(),
        };
        let all = condition.replace(' ', "");
        let all = all.strip_prefix("all(").and_then(|all| all.strip_suffix(')')).unwrap_or(&all);
        path.is_ident("test") || all.split(',').any(|part| part == "test") && !all.contains('(')
    })
}
