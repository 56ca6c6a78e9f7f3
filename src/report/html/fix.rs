//! The fix, ready to paste.

use maud::{Markup, html};

use super::names::{LINE, SENTENCE, name, prose};
use crate::model::{Finding, Fix, Step, StepKind};
use crate::report::format::View;
use crate::report::text::clip;
use crate::report::tried_fixes;

/// How many fixes are written, and how many lines of one.
const FIXES: usize = 8;
const LINES: usize = 200;

/// The best fix, and the others folded.
pub(super) fn fixes(finding: &Finding, view: &View) -> Markup {
    let Some((first, others)) = finding.fixes.split_first() else { return html! {} };
    html! {
        section.fixes {
            h4 { "Fix: " (prose(&first.title)) }
            (steps(first, view))
            @if let Some(tried) = tried_fixes::with(finding.code, &first.title) { p.tried { (prose(&tried)) } }
            @for fix in others.iter().take(FIXES) {
                details { summary { "Or: " (prose(&fix.title)) } (steps(fix, view)) }
            }
        }
    }
}

/// Each step with its place, so that what is copied can be pasted as it is.
fn steps(fix: &Fix, view: &View) -> Markup {
    html! {
        @for step in &fix.steps {
            @if step.kind == StepKind::Manual {
                @for need in &step.needs {
                    p { (step.side.label()) ": " (prose(need)) }
                }
            } @else {
                (pasted(step, view))
            }
        }
    }
}

fn pasted(step: &Step, view: &View) -> Markup {
    let lines: Vec<_> = step.lines.iter().take(LINES).map(|line| clip(&view.as_typed(line), LINE)).collect();
    let installs: Vec<_> = step.installs.iter().map(|package| name(package)).collect();
    html! {
        @if !lines.is_empty() {
            p.place { (step.side.label()) ", " (step.place.is_where()) }
            (block(&lines.join("\n")))
        }
        @if let Some(command) = install(step, &installs) {
            p.place { (step.side.label()) ", in a shell" }
            (block(&command))
        }
        @for need in &step.needs { p.needs { (prose(need)) } }
    }
}

/// The command that installs what a step needs.
fn install(step: &Step, packages: &[String]) -> Option<String> {
    let alone = Step { kind: StepKind::Install, lines: Vec::new(), needs: Vec::new(), ..step.clone() };
    let line = alone.lines().into_iter().next().filter(|_| !packages.is_empty())?;
    // Its comment says the side, which stands above the block.
    let command = line.rsplit_once("  # ").map_or(&*line, |(command, _)| command);
    Some(clip(command, LINE))
}

/// Lines to copy, with the button that does. It shows once the script is there.
pub(super) fn block(text: &str) -> Markup {
    html! {
        div.block {
            pre tabindex="0" { code { (text) } }
            button.copy type="button" { "Copy" }
        }
    }
}

/// A command that settles what is not known.
pub(super) fn command(line: &str, view: &View) -> Markup {
    block(&clip(&view.as_typed(line), SENTENCE))
}
