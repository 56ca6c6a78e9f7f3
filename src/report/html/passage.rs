//! A passage as it stands in the list: what belongs together, in one entry.

use std::time::Duration;

use maud::{Markup, html};

use super::colours::Colours;
use super::names::{self, name};
use crate::model::{HandoffReport, Station, Timestamp, TraceReport};
use crate::report::stitched::Health;
use crate::report::text::duration;

/// One passage: the hand-offs and traces that belong together, and what is said of them.
#[derive(Clone, Copy, Debug)]
pub struct Passage<'p> {
    /// Its number in the page: `entry-12`, `#passage-12`, `/passage/12`.
    pub id: u64,
    /// When it first came, and when it began: a live list is in this order, and then in that
    /// of the numbers. None in a list that stays as it is.
    pub came: Option<(Duration, Option<Timestamp>)>,
    pub health: Health,
    /// `POST /orders → process_order`.
    pub title: &'p str,
    /// Empty if it hands nothing over.
    pub task: &'p str,
    /// In the order in which it passed them.
    pub services: &'p [String],
    pub duration_ms: Option<f64>,
    pub queue_wait_ms: Option<f64>,
    pub when: When,
    /// Where it broke.
    pub station: Option<Station>,
    /// Of the finding that says so.
    pub code: Option<&'p str>,
    /// The ids of the findings that explain it.
    pub findings: &'p [String],
    pub traces: &'p [TraceReport],
    pub handoffs: &'p [HandoffReport],
}

/// When a passage began.
#[derive(Clone, Copy, Debug)]
pub enum When {
    /// So long ago. The script of the page counts on.
    Ago(Duration),
    /// At a time of day, in a file that is read at any time; not known without a span.
    At(Option<Timestamp>),
}

/// How many services and traces an entry names, and how much of its ids a search finds.
const SERVICES: usize = 8;
const IDS: usize = 16;

/// The entry of a passage in the list: a link to it.
pub(super) fn entry(passage: &Passage<'_>) -> Markup {
    let word = passage.health.word();
    let colours = Colours::over(passage.services.iter().map(String::as_str));
    let traces = passage.traces.iter().take(IDS).map(|trace| trace.trace_id.to_string());
    let traces = traces.collect::<Vec<_>>().join(" ");
    let tasks: Vec<_> = passage.handoffs.iter().take(IDS).map(|handoff| name(&handoff.task_id)).collect();
    let services: Vec<_> = passage.services.iter().take(SERVICES).map(|service| name(service)).collect();
    html! {
        li.entry.(word) id={ "entry-" (passage.id) } data-id=(passage.id) data-health=(word)
            data-task=(name(passage.task)) data-services=(json(&services))
            data-traces=(traces) data-ids=(tasks.join(" "))
            data-came=[passage.came.map(|(first, _)| first.as_micros())]
            data-began=[passage.came.map(|(_, began)| began.map_or(0, |began| began.as_nanos() / 1_000))] {
            a href={ "#passage-" (passage.id) } {
                span.mark aria-hidden="true" { (passage.health.mark()) }
                span.title { span.visually-hidden { (word) ", " } (name(passage.title)) }
                (when(passage.when))
                span.facts {
                    @if !services.is_empty() {
                        span {
                            @for (number, service) in services.iter().enumerate() {
                                @if number > 0 { " → " }
                                span.service.(colours.class(service)) { (service) }
                            }
                        }
                    }
                    @if let Some(station) = passage.station { span.station { (station.label()) } }
                    @if let Some(code) = passage.code { span.code { (name(code)) } }
                    @if let Some(millis) = passage.duration_ms {
                        span.duration { (duration(millis)) span.visually-hidden { " from end to end" } }
                    }
                    @if let Some(millis) = passage.queue_wait_ms {
                        span.wait { (duration(millis.max(0.0))) " queued" }
                    }
                }
            }
        }
    }
}

/// When it began, for a person and for the script.
pub(super) fn when(when: When) -> Markup {
    match when {
        When::Ago(age) => html! {
            time.age data-age=(age.as_millis()) { (whole_seconds(age)) " ago" }
        },
        When::At(Some(start)) => {
            let text = start.to_string();
            // `2026-11-22T19:49:57.749Z`, of which people read the time.
            let clock = text.split_once('T').map_or(&*text, |(_, clock)| clock);
            html! { time datetime=(text) { (clock.chars().take(8).collect::<String>()) } }
        }
        When::At(None) => html! {},
    }
}

/// An age without the part of a second.
#[allow(clippy::cast_precision_loss, reason = "an age")]
pub(super) fn whole_seconds(age: Duration) -> String {
    duration(age.as_secs() as f64 * 1_000.0)
}

/// A list of names for the script, in an attribute, which maud escapes.
fn json(names: &[String]) -> String {
    serde_json::to_string(names).expect("strings are JSON")
}

/// The health of a passage, in a word that has its colour.
pub(super) fn health(health: Health) -> Markup {
    html! {
        span.health.(health.word()) { span aria-hidden="true" { (health.mark()) " " } (health.word()) }
    }
}

/// The services that a drawing names, each in its colour.
pub(super) fn legend<'n>(services: impl IntoIterator<Item = &'n str>, colours: &Colours) -> Markup {
    html! {
        @for service in services {
            span.service.(colours.class(service)) { (names::name(service)) }
        }
    }
}
