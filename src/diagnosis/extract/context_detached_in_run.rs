use crate::diagnosis::advice::extraction;
use crate::diagnosis::known::{RootsInRuns, SdkSetup, is_even};
use crate::diagnosis::rule::{Known, Occurrence, diagnosis, quote};
use crate::model::{Confidence, Station};

diagnosis! {
    /// ## What it means
    /// The run is in its trace, and work inside of it is not: the code starts a
    /// span from an empty context (`context=extract({})`, `context=Context()`), or
    /// in a thread that did not inherit the run's. Each such span begins a trace of
    /// its own.
    ///
    /// ## What shows it
    /// INTERNAL roots that lie wholly within runs of their own process, without a
    /// link to the run or to what it continues, where no root of that name lies
    /// outside of runs: heartbeats and background threads work beside tasks, too.
    /// Most runs of the task have one, or they are so many that chance would not
    /// put them all inside. CLIENT roots do not count, since a worker's polling
    /// makes dozens. One root alone tells nothing where nothing tells the service's
    /// processes apart and a task was run whose run was not seen: it may be of that.
    ///
    /// ## How to fix it
    /// Leave `context=` out: the run's span is current already. Into threads and
    /// executors an instrumentor carries the context; by hand,
    /// `executor.submit(contextvars.copy_context().run, resize, image)` does.
    pub static CONTEXT_DETACHED_IN_RUN = {
        code: "TL310",
        slug: "context-detached-in-run",
        station: Some(Station::Extract),
        severity: Warning,
        summary: "work inside the run begins traces of its own: a span is started from an empty context, or in a thread that did not inherit the run's",
        fixes: || extraction::keep_the_current_context("resize", false, &SdkSetup::default()),
        check: Population(check),
    }
}

/// The chance of an accident up to which it is ruled out.
const ACCIDENT: f64 = 0.05;

fn check(known: &Known<'_>, found: &mut dyn FnMut(Occurrence)) {
    for group in &known.roots_in_runs().work {
        if is_by_chance(group) || is_a_heartbeat(group) {
            continue;
        }
        let Some(first) = group.roots.first() else { continue };
        if group.in_runs < 2 && !first.span.process.is_identified() && misses_a_run(known) {
            continue;
        }
        let mut occurrence = Occurrence::likely();
        if group.in_runs < 2 {
            occurrence.confidence = Confidence::Possible;
            occurrence = occurrence
                .needs("more runs of the task: a thread of the process's own may have made one root");
        }
        occurrence = occurrence
            .service(first.span.service())
            .counting(group.roots.len() as u64)
            .quote(quote::span(group.run))
            .quote(quote::span(*first))
            .quote(quote::fact(
                format!("roots {} of {}", first.span.name, first.span.service()),
                format!("{} of {} runs have one, none lies outside of a run", group.in_runs, group.of_runs),
            ))
            .mend(extraction::keep_the_current_context(
                &first.span.name,
                is_at_a_time(group),
                &SdkSetup::of(&first.span.process),
            ));
        occurrence.tasks.extend(group.run.span.attributes().task.as_deref().map(str::to_owned));
        found(occurrence);
    }
}

/// Whether a worker ran a task whose run was not seen: it did so in a process about which
/// nothing is known.
fn misses_a_run(known: &Known<'_>) -> bool {
    let tasks = known.ran().filter_map(|id| known.evidence.tasks.get(id));
    tasks.flat_map(|task| task.handoffs(known.evidence)).any(|handoff| handoff.consumers.is_empty())
}

/// Whether so few of the runs have one that unrelated roots may have fallen there.
fn is_by_chance(group: &RootsInRuns<'_>) -> bool {
    let roots = i32::try_from(group.roots.len()).unwrap_or(i32::MAX);
    group.in_runs * 2 < group.of_runs && group.busy.powi(roots) > ACCIDENT
}

/// Whether they are as even as a heartbeat and more than the runs. If a run takes all of
/// the time, it has them all.
fn is_a_heartbeat(group: &RootsInRuns<'_>) -> bool {
    let mut starts: Vec<_> = group.roots.iter().map(|root| root.span.start).collect();
    group.roots.len() > group.in_runs && is_even(&mut starts)
}

/// Whether two of them were open at the same time, as in threads. They are sorted by start.
fn is_at_a_time(group: &RootsInRuns<'_>) -> bool {
    group.roots.windows(2).any(|two| two[1].span.start < two[0].span.end)
}
