use crate::diagnosis::advice::sampling;
use crate::diagnosis::known::SdkSetup;
use crate::diagnosis::rule::{Judgment, Known, Occurrence, diagnosis, quote};
use crate::diagnosis::slug;
use crate::evidence::Handoff;
use crate::model::Station;

diagnosis! {
    /// ## What it means
    /// The worker samples by a ratio of its own and does not ask the parent:
    /// of the traces that the API keeps it drops a fixed part.
    ///
    /// ## What shows it
    /// Some sampled messages have consumer spans and some do not, and the two
    /// are split exactly by the low 64 bits of the trace id, which is what a
    /// ratio sampler decides by; with enough of them that chance would do it in
    /// fewer than 1 of 100 cases. One silent worker of two does not split so.
    ///
    /// ## How to fix it
    /// A sampler that asks the parent first, around the worker's own: where code
    /// makes the provider, or by environment. The ratio stays, for traces that the
    /// worker begins.
    pub static SAMPLER_IGNORES_PARENT = {
        code: "TL402",
        slug: "sampler-ignores-parent",
        station: Some(Station::Export),
        severity: Error,
        summary: "the worker samples by a ratio of its own and ignores the decision that came with the message",
        fixes: || sampling::ask_the_parent(&SdkSetup::default()),
        check: Handoff(check),
    }
}

fn check(handoff: &Handoff<'_>, known: &Known<'_>) -> Judgment {
    if !handoff.consumers.is_empty() || !handoff.was_consumed() {
        return Judgment::Clean;
    }
    let Some(split) = known.flow().ratio_split() else { return Judgment::Clean };
    Occurrence::certain()
        .about(handoff)
        .quote(quote::fact(
            "low 64 bits of the trace ids",
            format!(
                "{} kept, all up to {:016x}; {} dropped, all from {:016x}",
                split.kept, split.highest_kept, split.dropped, split.lowest_dropped
            ),
        ))
        .unless(slug::WORKER_SILENT, "chance splits so many ids this way in fewer than 1 of 100 cases")
        .mend(sampling::ask_the_parent(&known.services().workers_setting()))
        .into()
}
