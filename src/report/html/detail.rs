//! One passage in full: the stations, the stitched view, what each hand-off says, and where
//! its findings are explained.

use std::collections::BTreeSet;

use maud::{Markup, html};

use super::colours::Colours;
use super::names::{finding_anchor, name};
use super::passage::{Passage, health, legend, when};
use super::rows::{self, Drawn};
use crate::model::{HandoffReport, Station, StationState, Stations};
use crate::report::stitched::{Detail, Parts, Stitched};
use crate::report::text::{count, duration, plural, which_try};

/// How many hand-offs of one passage have a row of their own.
const HANDOFFS: usize = 50;

/// All of a passage, with at most so many rows.
pub(super) fn detail(passage: &Passage<'_>, most: usize) -> Markup {
    let (stitched, folded) = rows::layouts(passage);
    let drawn = Drawn { stitched: &stitched, traces: passage.traces, station: passage.station, most };
    let services = rows::services(&drawn);
    let colours = Colours::over(services.iter().copied());
    let hidden = folded.hidden(&drawn);
    html! {
        article.passage data-id=(passage.id) {
            header {
                h2 { (health(passage.health)) " " (name(passage.title)) }
                p.facts {
                    (legend(services, &colours))
                    @if let Some(millis) = passage.duration_ms { span { (duration(millis)) " from end to end" } }
                    @if let Some(millis) = passage.queue_wait_ms {
                        span { (duration(millis.max(0.0))) " in the queue" }
                    }
                    span { (when(passage.when)) }
                }
            }
            @if let Some(line) = stitched.stations { (stations(line)) }
            @if hidden > 0 {
                label.unfold {
                    input.unfold type="checkbox";
                    " show " (count(hidden as u64)) " more spans, which repeat others or are a framework's own"
                }
            }
            (left_out(passage))
            @if stitched.rows.is_empty() {
                p.empty { "No span of it was seen." }
            } @else {
                (rows::view(&drawn, Some(&folded), &colours))
            }
            (handoffs(passage.handoffs))
            // The script puts what the finding says here; without it, these are links.
            @for finding in distinct(passage.findings) {
                div.said data-finding=(finding_anchor(finding)) {
                    a href={ "#" (finding_anchor(finding)) } { (name(finding)) }
                }
            }
        }
    }
}

/// What a report or a live page does not list of the traces. A server has more of it.
fn left_out(passage: &Passage<'_>) -> Markup {
    let traces = passage.traces.iter();
    let missing: u64 = traces.map(|trace| trace.span_count.saturating_sub(trace.spans.len() as u64)).sum();
    html! {
        @if missing > 0 {
            p.left-out { (plural(missing, "span")) " not listed " button.whole type="button" { "Show all" } }
        }
    }
}

/// The one hand-off that shows a finding, short enough for it to be read in one look.
pub(super) fn example(passage: &Passage<'_>) -> Markup {
    let stitched = Stitched::of_passage(&Parts::new(passage.traces, passage.handoffs), Detail::Picked);
    let drawn =
        Drawn { stitched: &stitched, traces: passage.traces, station: passage.station, most: usize::MAX };
    let services = rows::services(&drawn);
    let colours = Colours::over(services.iter().copied());
    html! {
        div.example data-passage=(passage.id) {
            p.facts { a href={ "#passage-" (passage.id) } { (name(passage.title)) } (legend(services, &colours)) }
            @if let Some(line) = stitched.stations { (stations(line)) }
            @if !stitched.rows.is_empty() { (rows::view(&drawn, None, &colours)) }
        }
    }
}

/// The five stations on the way: where the context was lost.
fn stations(stations: Stations) -> Markup {
    html! {
        ol.stations aria-label="Stations on the way" {
            @for station in Station::ALL {
                @let state = stations.get(station);
                @let (class, word) = words(state);
                li.(class) {
                    span.mark aria-hidden="true" { (state.mark()) }
                    (station.label()) span.visually-hidden { ": " (word) }
                }
            }
        }
    }
}

/// A state's class and words.
const fn words(state: StationState) -> (&'static str, &'static str) {
    match state {
        StationState::Intact => ("intact", "intact"),
        StationState::Broken => ("broken", "broken"),
        StationState::NotSeen => ("not-seen", "not seen"),
        StationState::CannotSee => ("cannot-see", "cannot be seen with this evidence"),
    }
}

/// What each hand-off says of itself: its ids can be copied whole.
fn handoffs(handoffs: &[HandoffReport]) -> Markup {
    if handoffs.is_empty() {
        return html! {};
    }
    html! {
        div.table tabindex="0" role="region" aria-label="Hand-offs" {
            table {
                thead { tr {
                    @for head in ["task", "task id", "attempt", "in the queue", "joined by", "result"] {
                        th scope="col" { (head) }
                    }
                } }
                tbody {
                    @for handoff in handoffs.iter().take(HANDOFFS) {
                        tr {
                            td { (name(&handoff.task)) }
                            td { code { (name(&handoff.task_id)) } }
                            td { (which_try(handoff.attempt)) }
                            td { @if let Some(wait) = handoff.queue_wait_ms { (duration(wait)) } }
                            td { (handoff.joined_by.unwrap_or_default()) }
                            td { (name(handoff.result.as_deref().unwrap_or_default())) }
                        }
                    }
                }
            }
            @if let Some(more) = handoffs.len().checked_sub(HANDOFFS).filter(|more| *more > 0) {
                p.left-out { "and " (count(more as u64)) " more" }
            }
        }
    }
}

fn distinct(findings: &[String]) -> BTreeSet<&str> {
    findings.iter().map(String::as_str).collect()
}
