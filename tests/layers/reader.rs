//! Reads one file: what it declares, and every path that it names.

use std::collections::BTreeSet;

use proc_macro2::{TokenStream, TokenTree};
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{
    Attribute, File, ImplItem, Item, ItemMod, ItemUse, Macro, Meta, Stmt, TraitItem, UseTree, Visibility,
};

use crate::source::{How, Module, Name, Path, Sources, below, is_for_tests};

/// Notes what a file declares in its modules; returns what it names.
pub fn read(sources: &mut Sources, file: usize, module: Path, parsed: &File) -> Vec<Name> {
    let mut reader = Reader { sources, file, module, names: Vec::new() };
    reader.visit_file(parsed);
    reader.names
}

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
