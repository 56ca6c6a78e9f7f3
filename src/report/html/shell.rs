//! The document around the pieces: the same for the file and for the live page.

use maud::{DOCTYPE, Markup, html};

use crate::report::text::{count, plural};

/// What stands in the document.
pub(super) struct Shell {
    /// For the tab, and for the name of a printed page.
    pub title: String,
    /// The style sheet and the script: inside of the file, or linked.
    pub assets: Markup,
    /// What came so far, and whether more comes.
    pub status: Markup,
    pub verdict: Markup,
    /// The entries of the list, and how many more there are without one.
    pub entries: Markup,
    pub entries_left_out: u64,
    pub findings: Markup,
    pub findings_left_out: u64,
    pub map: Markup,
    pub queues: Markup,
    pub messages: Markup,
    /// What the script needs and nobody reads, at the end.
    pub data: Markup,
    /// How many pieces of data there are, of which the page says how many were read.
    pub details: usize,
    /// Where a live page hears more; none in a file.
    pub live: Option<Live>,
}

/// Where a live page hears more.
pub(super) struct Live {
    pub events: String,
    pub passage: &'static str,
    pub finding: &'static str,
    pub save: &'static str,
}

/// The whole document.
pub(super) fn document(shell: &Shell) -> Markup {
    let live = shell.live.as_ref();
    let events = live.map(|live| live.events.as_str());
    html! {
        (DOCTYPE)
        html lang="en" data-events=[events] data-passage=[live.map(|live| live.passage)]
            data-finding=[live.map(|live| live.finding)] {
            head {
                meta charset="utf-8";
                (shell.assets)
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="referrer" content="no-referrer";
                title { (shell.title) }
            }
            body {
                a.skip href="#content" { "Skip to the chosen passage" }
                header.top {
                    p.brand {
                        "tracelink " (env!("CARGO_PKG_VERSION"))
                        @if let Some(live) = live {
                            " " a href=(live.save) download="tracelink.html" { "Save as a file" }
                        }
                        " " button.needs-script #ask type="button" { "Keys" }
                    }
                    (shell.status)
                    p.needs-script #loading role="status" {
                        label { "Reading the page " progress max=(shell.details.max(1)) value="0" {} }
                    }
                    (shell.verdict)
                }
                div.columns {
                    nav #passages aria-label="Passages" {
                        (filters())
                        ol #list { (shell.entries) }
                        p.left-out #left-out hidden[shell.entries_left_out == 0] {
                            "and " span { (count(shell.entries_left_out)) } " more, which found no room here"
                        }
                        p.needs-script { a #all href="?all" { "All passages in full, to print" } }
                    }
                    main #content tabindex="-1" {
                        section.needs-script #passage aria-label="Chosen passage" tabindex="-1" {}
                        // Filled where the address ends with `?all`.
                        section #everything aria-label="All passages" hidden {}
                        section #findings aria-labelledby="findings-title" {
                            h2 #findings-title { "Findings" }
                            (shell.findings)
                            @if shell.findings_left_out > 0 {
                                p.left-out { "and " (count(shell.findings_left_out)) " more: --format json has all" }
                            }
                        }
                        (shell.map)
                        (shell.queues)
                        (shell.messages)
                    }
                }
                footer {
                    p { "Made by tracelink " (env!("CARGO_PKG_VERSION")) ". Times are UTC. Nothing is loaded from elsewhere." }
                    p.visually-hidden #said role="status" {}
                }
                (help())
                (shell.data)
                // Here everything was read: the style sheet hides the progress.
                span #whole hidden {}
            }
        }
    }
}

/// That so many passages found no room.
pub(super) fn left_out(passages: u64) -> Markup {
    html! { p.left-out { (plural(passages, "more passage")) " found no room here: the newest are shown" } }
}

/// What narrows the list. It shows once the script is there.
fn filters() -> Markup {
    html! {
        form.needs-script #filters role="search" aria-label="Filter passages" {
            label { "Search " input #search type="search" autocomplete="off" spellcheck="false"; }
            label { "Service " select #service { option value="" { "all" } } }
            label { "Task " select #task { option value="" { "all" } } }
            label.check { input #broken-only type="checkbox"; " broken only" }
            p #shown role="status" {}
        }
    }
}

fn help() -> Markup {
    const KEYS: [(&str, &str); 6] = [
        ("↑ ↓", "move in the list of passages"),
        ("Enter", "open the passage"),
        ("/", "search"),
        ("c", "copy the fix of the passage that is open"),
        ("?", "show these keys"),
        ("Esc", "close, or leave the search"),
    ];
    html! {
        dialog #help aria-labelledby="help-title" {
            h2 #help-title { "Keys" }
            dl { @for (key, what) in KEYS { div { dt { kbd { (key) } } dd { (what) } } } }
            form method="dialog" { button { "Close" } }
        }
    }
}
