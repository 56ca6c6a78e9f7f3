//! One finding: the cause, an example, the evidence with the characters marked, the fix,
//! and how sure it is.

use std::collections::BTreeSet;

use maud::{Markup, html};

use super::detail::example;
use super::fix::{command, fixes};
use super::names::{SENTENCE, finding_anchor, name, prose, sentence};
use super::passage::Passage;
use crate::model::{Confidence, Finding, InBaseline, Quote};
use crate::report::format::{NAME, View};
use crate::report::quoted::pieces;
use crate::report::text::{clip, count, plural};

/// How many quotes, names and reasons are written.
const QUOTES: usize = 12;
const NAMES: usize = 5;
const REASONS: usize = 12;
/// How many characters of a quote are written.
const QUOTED: usize = 2_000;

/// All of a finding. The passage is drawn as its example.
pub(super) fn in_full(finding: &Finding, passage: Option<&Passage<'_>>, view: &View) -> Markup {
    let anchor = finding_anchor(&finding.id);
    html! {
        article.finding.(finding.severity.label()) id=(anchor) {
            details open {
                summary {
                    h3 {
                        span.code { (finding.severity.label()) " " (finding.code) } " "
                        (sentence(&finding.sentence))
                    }
                }
                div.body {
                    (whom(finding))
                    @if let Some(passage) = passage { (example(passage)) }
                    (evidence(finding))
                    (fixes(finding, view))
                    (certainty(finding, view))
                    p.link { a href={ "#" (anchor) } { "Link to this finding" } }
                }
            }
        }
    }
}

/// A finding for which there is no room: its cause alone.
pub(super) fn in_a_line(finding: &Finding) -> Markup {
    html! {
        article.finding.short.(finding.severity.label()) id=(finding_anchor(&finding.id)) {
            h3 {
                span.code { (finding.severity.label()) " " (finding.code) } " "
                (sentence(&finding.sentence))
                @if finding.count > 1 { " (" (plural(finding.count, "time")) ")" }
            }
        }
    }
}

/// A finding that does not hold any more.
pub(super) fn resolved(finding: &Finding) -> Markup {
    html! {
        article.finding.short.resolved id=(finding_anchor(&finding.id)) {
            h3 {
                span.code { "resolved " (finding.code) } " " (sentence(&finding.sentence))
            }
            p { "What came later speaks against it." }
        }
    }
}

/// Where, how many times, and which tasks and services it concerns.
fn whom(finding: &Finding) -> Markup {
    let groups = [
        ("task", &finding.tasks),
        ("from", &finding.origins),
        ("service", &finding.services),
        ("queue", &finding.queues),
    ];
    html! {
        ul.whom {
            @if let Some(station) = finding.station { li { "at " strong { (station.label()) } } }
            @if finding.count > 1 { li { (plural(finding.count, "time")) } }
            @for (label, names) in groups.into_iter().filter(|(_, names)| !names.is_empty()) {
                li { (label) " " (listed(names)) }
            }
            @if let Some(severity) = finding.severity_without_config { li { (severity.label()) " by itself" } }
            @match finding.baseline {
                Some(InBaseline::Known) => { li { "in the baseline" } }
                Some(InBaseline::New) => { li { strong { "new" } " since the baseline" } }
                None => {}
            }
        }
    }
}

fn listed(names: &BTreeSet<String>) -> Markup {
    html! {
        @for (number, one) in names.iter().take(NAMES).enumerate() {
            @if number > 0 { ", " }
            code { (name(one)) }
        }
        @if names.len() > NAMES { " and " (count((names.len() - NAMES) as u64)) " more" }
    }
}

fn evidence(finding: &Finding) -> Markup {
    if finding.evidence.is_empty() {
        return html! {};
    }
    html! {
        section.evidence {
            h4 { "Evidence" }
            @for quote in finding.evidence.iter().take(QUOTES) { (quoted(quote)) }
            @if finding.evidence.len() > QUOTES {
                p.left-out { "and " (count((finding.evidence.len() - QUOTES) as u64)) " more quotes" }
            }
        }
    }
}

/// Where it was read, the characters, and those that are wrong as a mark.
fn quoted(quote: &Quote) -> Markup {
    html! {
        figure {
            figcaption { code { (clip(&quote.at, SENTENCE)) } }
            pre tabindex="0" { code {
                @for (text, is_marked) in pieces(quote, QUOTED) {
                    @if !is_marked { (text) }
                    @else if text.is_empty() { mark.missing { "missing" } }
                    @else { mark { (text) } }
                }
            } }
            @if !quote.note.is_empty() { p.note { (prose(&quote.note)) } }
        }
    }
}

/// How sure it is, and what would make it certain.
fn certainty(finding: &Finding, view: &View) -> Markup {
    let sure = match finding.confidence {
        Confidence::Certain => "no other cause can leave this evidence.",
        Confidence::Likely => "the most likely of several causes.",
        Confidence::Possible => "a hint.",
    };
    html! {
        section.certainty {
            h4 { "How sure, and what would make it certain" }
            p { strong { (finding.confidence.label()) } ": " (sure) }
            ul {
                @for other in finding.alternatives.iter().take(REASONS) {
                    li { "It could be " code { (other.slug) } " too: " (prose(&other.why)) }
                }
                @for need in finding.needs.iter().take(REASONS) { li { "To be sure: " (prose(need)) } }
            }
            (command(&format!("{NAME} explain {}", finding.code), view))
        }
    }
}
