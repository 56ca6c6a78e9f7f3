//! The pages as a reader of Markdown sees them.

use std::collections::BTreeSet;
use std::fs;

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

use crate::root;

/// A fenced or an indented block.
pub struct Block {
    /// `docs/ci.md:12`
    pub place: String,
    /// Empty where the fence names none.
    pub language: String,
    pub is_fenced: bool,
    pub text: String,
}

/// A page of the book, or one that stands beside it.
#[derive(Default)]
pub struct Page {
    /// From the root of the repository: `docs/ci.md`.
    pub name: String,
    pub blocks: Vec<Block>,
    /// Where each leads, with its place.
    pub links: Vec<(String, String)>,
    /// Code in a line of text, with its place.
    pub words: Vec<(String, String)>,
    pub anchors: BTreeSet<String>,
}

impl Page {
    pub fn read(name: &str) -> Self {
        let text = fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        let mut page = Self { name: name.to_owned(), ..Self::default() };
        let mut heading: Option<String> = None;
        let mut block: Option<Block> = None;
        for (event, range) in Parser::new_ext(&text, Options::ENABLE_TABLES).into_offset_iter() {
            let place = || format!("{name}:{}", text[..range.start].matches('\n').count() + 1);
            match event {
                Event::Start(Tag::CodeBlock(kind)) => {
                    let (language, is_fenced) = match kind {
                        CodeBlockKind::Fenced(language) => (language.to_string(), true),
                        CodeBlockKind::Indented => (String::new(), false),
                    };
                    block = Some(Block { place: place(), language, is_fenced, text: String::new() });
                }
                Event::End(TagEnd::CodeBlock) => page.blocks.extend(block.take()),
                Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
                Event::End(TagEnd::Heading(_)) => {
                    page.anchors.extend(heading.take().map(|title| anchor(&title)));
                }
                Event::Start(Tag::Link { dest_url, .. }) => page.links.push((dest_url.to_string(), place())),
                Event::Text(part) => {
                    if let Some(block) = &mut block {
                        block.text += &part;
                    } else if let Some(heading) = &mut heading {
                        *heading += &part;
                    }
                }
                Event::Code(code) => {
                    if let Some(heading) = &mut heading {
                        *heading += &code;
                    }
                    page.words.push((code.to_string(), place()));
                }
                _ => {}
            }
        }
        page
    }
}

/// The id that GitHub and mdBook give a heading.
fn anchor(title: &str) -> String {
    let kept = title.chars().filter(|letter| letter.is_alphanumeric() || " _-".contains(*letter));
    kept.map(|letter| if letter == ' ' { '-' } else { letter.to_ascii_lowercase() }).collect()
}

/// The names of the files of `docs/` with this ending.
pub fn names(ending: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(root().join("docs")).expect("the docs");
    let names = entries.map(|entry| entry.expect("readable").file_name().into_string().expect("UTF-8"));
    names.filter(|name| name.ends_with(ending)).collect()
}

/// All pages that have commands: the book, the README, what else a user reads.
pub fn all() -> Vec<Page> {
    let book = names(".md").into_iter().map(|name| format!("docs/{name}"));
    book.chain(["README.md", "CHANGELOG.md", "SECURITY.md"].map(str::to_owned))
        .map(|name| Page::read(&name))
        .collect()
}
