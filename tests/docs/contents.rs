//! The table of contents and the links.

use std::collections::BTreeMap;

use crate::pages::{self, Page};
use crate::root;

#[test]
fn each_page_is_in_the_table_of_contents_once() {
    let summary = Page::read("docs/SUMMARY.md");
    let mut listed: Vec<_> = summary.links.iter().map(|(link, _)| link.clone()).collect();
    listed.sort();
    let mut pages = pages::names(".md");
    pages.remove("SUMMARY.md");
    assert_eq!(listed, pages.into_iter().collect::<Vec<_>>());
}

#[test]
fn each_link_leads_somewhere() {
    let pages: BTreeMap<_, _> = pages::all().into_iter().map(|page| (page.name.clone(), page)).collect();
    let mut wrong = Vec::new();
    for page in pages.values() {
        let folder = if page.name.starts_with("docs/") { "docs/" } else { "" };
        for (link, place) in &page.links {
            if link.starts_with("https://") || link.starts_with("http://") {
                continue;
            }
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { page.name.clone() } else { format!("{folder}{file}") };
            // A page of the book must not lead out of it: there is nothing there in HTML.
            let is_there = !file.starts_with("..") && root().join(&target).exists();
            let has_anchor = || pages.get(&target).is_some_and(|page| page.anchors.contains(anchor));
            if !is_there || !anchor.is_empty() && !has_anchor() {
                wrong.push(format!("{place}: {link}"));
            }
        }
    }
    assert!(wrong.is_empty(), "these lead nowhere:\n{}", wrong.join("\n"));
}
