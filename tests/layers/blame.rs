//! Each error that says whose it is (`model/blame.rs`) is asked by `command/exit.rs`,
//! which knows an error by its type alone; and each public error of the rooms that a
//! command opens says it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use syn::visit::{self, Visit};
use syn::{ExprPath, GenericArgument, Item, ItemImpl, PathArguments, Type, Visibility};

use crate::source::Sources;

/// The rooms whose errors end a command.
const ROOMS: [&str; 7] = ["broker/", "bundle/", "config/", "demo/", "local_http/", "query/", "receiver/"];

fn name_of(kind: &Type) -> Option<String> {
    let Type::Path(path) = kind else { return None };
    Some(path.path.segments.last()?.ident.to_string())
}

/// The types that are asked: `of::<Type>`.
#[derive(Default)]
struct Asked(BTreeSet<String>);

impl Visit<'_> for Asked {
    fn visit_expr_path(&mut self, expression: &ExprPath) {
        if let Some(last) = expression.path.segments.last()
            && last.ident == "of"
            && let PathArguments::AngleBracketed(arguments) = &last.arguments
        {
            let types = arguments.args.iter().filter_map(|argument| match argument {
                GenericArgument::Type(kind) => name_of(kind),
                _ => None,
            });
            self.0.extend(types);
        }
        visit::visit_expr_path(self, expression);
    }
}

pub fn complaints(sources: &Sources) -> Vec<String> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut asked, mut saying, mut public) = (Asked::default(), BTreeSet::new(), BTreeSet::new());
    for file in &sources.files {
        let text = fs::read_to_string(src.join(file)).expect("a source");
        let parsed = syn::parse_file(&text).expect("it compiles");
        if file == "command/exit.rs" {
            asked.visit_file(&parsed);
        }
        for item in &parsed.items {
            match item {
                Item::Impl(ItemImpl { trait_: Some((_, name, _)), self_ty, .. })
                    if name.segments.last().is_some_and(|last| last.ident == "Blamed") =>
                {
                    saying.extend(name_of(self_ty));
                }
                Item::Enum(item)
                    if matches!(item.vis, Visibility::Public(_))
                        && item.ident.to_string().ends_with("Error")
                        && item.attrs.iter().any(|attribute| attribute.path().is_ident("derive"))
                        && text.contains("#[error(")
                        && ROOMS.iter().any(|room| file.starts_with(room)) =>
                {
                    public.insert(item.ident.to_string());
                }
                _ => {}
            }
        }
    }
    assert!(saying.len() > 5 && public.len() > 5, "nothing was found: {saying:?}, {public:?}");
    let untold = public.difference(&saying).map(|name| format!("{name} does not say whose it is"));
    let unasked = saying.difference(&asked.0).map(|name| format!("command/exit.rs does not ask {name}"));
    untold.chain(unasked).collect()
}
