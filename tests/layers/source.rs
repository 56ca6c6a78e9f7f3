//! The sources of the crate, parsed: its modules, what each declares, and every
//! path that each file names outside of its tests.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::path::Path as Folder;

use proc_macro2::{TokenStream, TokenTree};
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{
    Attribute, File, ImplItem, Item, ItemMod, ItemUse, Macro, Meta, Stmt, TraitItem, UseTree, Visibility,
};

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
            let mut reader = Reader { sources: &mut sources, file: number, module, names: Vec::new() };
            reader.visit_file(&file);
            let names = reader.names;
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

fn below(module: &Path, name: &str) -> Path {
    let mut path = module.clone();
    path.push(name.to_owned());
    path
}

/// Whether it is compiled for tests only. What a test needs is its own affair.
fn is_for_tests(attributes: &[Attribute]) -> bool {
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

/// Reads one file.
struct Reader<'s> {
    sources: &'s mut Sources,
    file: usize,
    module: Path,
    names: Vec<Name>,
}

impl Reader<'_> {
    fn here(&mut self) -> &mut Module {
        let file = self.file;
        let module = self.sources.modules.entry(self.module.clone()).or_default();
        module.file = file;
        module
    }

    fn note(&mut self, path: Path, line: usize, how: How) {
        let (places, through) = (BTreeSet::new(), BTreeSet::new());
        self.names.push(Name { path, module: self.module.clone(), line, how, places, through });
    }

    /// Notes every leaf of a `use`.
    fn import(&mut self, tree: &UseTree, before: &Path, is_public: bool) {
        let how = if is_public { How::Reexport } else { How::Import };
        match tree {
            UseTree::Path(path) => {
                self.import(&path.tree, &below(before, &path.ident.to_string()), is_public)
            }
            UseTree::Name(name) => {
                let whole = leaf(before, &name.ident.to_string());
                self.bind(whole.last().cloned(), whole.clone());
                self.note(whole, name.span().start().line, how);
            }
            UseTree::Rename(rename) => {
                let whole = leaf(before, &rename.ident.to_string());
                self.bind(Some(rename.rename.to_string()), whole.clone());
                self.note(whole, rename.span().start().line, how);
            }
            UseTree::Glob(glob) => {
                self.here().globs.push(before.clone());
                self.note(before.clone(), glob.span().start().line, How::Glob);
            }
            UseTree::Group(group) => {
                group.items.iter().for_each(|tree| self.import(tree, before, is_public));
            }
        }
    }

    fn bind(&mut self, name: Option<String>, path: Path) {
        self.here().imports.entry(name.unwrap_or_default()).or_default().push(path);
    }

    /// Notes the paths among tokens that are not parsed, as those of a macro are not.
    fn scan(&mut self, tokens: &TokenStream) {
        let tokens: Vec<_> = tokens.clone().into_iter().collect();
        let mut at = 0;
        while let Some(token) = tokens.get(at) {
            at += 1;
            let ident = match token {
                TokenTree::Group(group) => {
                    self.scan(&group.stream());
                    continue;
                }
                TokenTree::Ident(ident) => ident,
                _ => continue,
            };
            let place = at - 1;
            let before = |back: usize| place.checked_sub(back).and_then(|place| tokens.get(place));
            // A field or a method; `..name` is a path.
            let is_member = is_punct(before(1), '.') && !is_punct(before(2), '.');
            let is_lifetime = is_punct(before(1), '\'');
            let is_variable = is_punct(before(1), '$') && ident != "crate";
            let mut path = vec![ident.to_string()];
            if is_punct(before(1), ':') && is_punct(before(2), ':') {
                path.insert(0, String::new());
            }
            while is_punct(tokens.get(at), ':')
                && is_punct(tokens.get(at + 1), ':')
                && let Some(TokenTree::Ident(next)) = tokens.get(at + 2)
            {
                path.push(next.to_string());
                at += 3;
            }
            let is_called = is_punct(tokens.get(at), '!') && !is_punct(tokens.get(at + 1), '=');
            if !is_member && !is_lifetime && !is_variable {
                let how = if is_called { How::Call } else { How::Mention };
                self.note(path, ident.span().start().line, how);
            }
        }
    }
}

fn is_punct(token: Option<&TokenTree>, wanted: char) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == wanted)
}

/// `a::{self}` is `a`.
fn leaf(before: &Path, name: &str) -> Path {
    if name == "self" && !before.is_empty() { before.clone() } else { below(before, name) }
}

fn segments(path: &syn::Path) -> Path {
    let leading = path.leading_colon.iter().map(|_| String::new());
    leading.chain(path.segments.iter().map(|segment| segment.ident.to_string())).collect()
}

fn attributes_of(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::ExternCrate(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::ForeignMod(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::TraitAlias(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Union(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

/// The name under which an item is found, modules and imports left out.
fn name_of(item: &Item) -> Option<String> {
    let ident = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Macro(item) => item.ident.as_ref()?,
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::TraitAlias(item) => &item.ident,
        Item::Type(item) => &item.ident,
        Item::Union(item) => &item.ident,
        _ => return None,
    };
    Some(ident.to_string())
}

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        if is_for_tests(attributes_of(item)) {
            return;
        }
        if let Some(name) = name_of(item) {
            if let Item::Macro(_) = item {
                self.here().macros.push(name.clone());
            }
            self.here().items.push(name);
        }
        visit::visit_item(self, item);
    }

    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        assert!(
            !item.attrs.iter().any(|attribute| attribute.path().is_ident("path")),
            "{}: `#[path]` hides where the module `{}` lies",
            self.sources.files[self.file],
            item.ident,
        );
        let name = item.ident.to_string();
        if item.content.is_some() {
            self.module.push(name);
            self.here();
            visit::visit_item_mod(self, item);
            self.module.pop();
        }
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        let before = item.leading_colon.iter().map(|_| String::new()).collect();
        self.import(&item.tree, &before, !matches!(item.vis, Visibility::Inherited));
    }

    fn visit_item_extern_crate(&mut self, item: &'ast syn::ItemExternCrate) {
        let path = vec![String::new(), item.ident.to_string()];
        let name = item.rename.as_ref().map_or(&item.ident, |(_, name)| name);
        self.bind(Some(name.to_string()), path.clone());
        self.note(path, item.ident.span().start().line, How::Import);
    }

    fn visit_impl_item(&mut self, item: &'ast ImplItem) {
        let attributes = match item {
            ImplItem::Const(item) => &item.attrs,
            ImplItem::Fn(item) => &item.attrs,
            ImplItem::Macro(item) => &item.attrs,
            ImplItem::Type(item) => &item.attrs,
            _ => return,
        };
        if !is_for_tests(attributes) {
            visit::visit_impl_item(self, item);
        }
    }

    fn visit_trait_item(&mut self, item: &'ast TraitItem) {
        let attributes = match item {
            TraitItem::Const(item) => &item.attrs,
            TraitItem::Fn(item) => &item.attrs,
            TraitItem::Macro(item) => &item.attrs,
            TraitItem::Type(item) => &item.attrs,
            _ => return,
        };
        if !is_for_tests(attributes) {
            visit::visit_trait_item(self, item);
        }
    }

    fn visit_field(&mut self, field: &'ast syn::Field) {
        if !is_for_tests(&field.attrs) {
            visit::visit_field(self, field);
        }
    }

    fn visit_stmt(&mut self, statement: &'ast Stmt) {
        let attributes = match statement {
            Stmt::Local(local) => &*local.attrs,
            Stmt::Macro(statement) => &*statement.attrs,
            Stmt::Item(_) | Stmt::Expr(..) => &[],
        };
        if !is_for_tests(attributes) {
            visit::visit_stmt(self, statement);
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.note(segments(path), path.span().start().line, How::Mention);
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, called: &'ast Macro) {
        self.note(segments(&called.path), called.path.span().start().line, How::Call);
        self.scan(&called.tokens);
    }

    /// `pub(in path)` says who sees it, and uses nothing.
    fn visit_vis_restricted(&mut self, _: &'ast syn::VisRestricted) {}

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        if attribute.path().is_ident("doc") {
            return;
        }
        if let Meta::List(list) = &attribute.meta {
            self.scan(&list.tokens);
            self.scan_texts(&list.tokens);
        }
        self.note(segments(attribute.path()), attribute.span().start().line, How::Mention);
    }
}

impl Reader<'_> {
    /// Notes the paths that stand in an attribute's texts: `#[serde(with = "a::b")]`.
    fn scan_texts(&mut self, tokens: &TokenStream) {
        for token in tokens.clone() {
            if let TokenTree::Literal(literal) = token
                && let Ok(text) = syn::parse_str::<syn::LitStr>(&literal.to_string())
                && let Ok(path) = text.parse::<syn::Path>()
                && path.segments.len() > 1
            {
                self.note(segments(&path), literal.span().start().line, How::Mention);
            }
        }
    }
}
