//! The context travels, but says that nothing is recorded, or the worker ignores that.

use crate::demo::native::fault::Fault;
use crate::demo::native::setup::Sampler;

pub static FAULTS: &[Fault] = &[
    Fault {
        slug: "not-sampled",
        what: "the API samples nothing, and the worker follows it",
        seen: "nothing at all",
        expects: Some("not-sampled"),
        also: &[],
        change: |scenario| scenario.api_sdk.sampler = Sampler::Off,
    },
    Fault {
        slug: "sampler-ignores-parent",
        what: "the worker keeps half of the traces by a ratio of its own, whatever the API decided",
        seen: "some orders whole, of the others the request alone",
        expects: Some("sampler-ignores-parent"),
        also: &[],
        change: |scenario| {
            scenario.worker_sdk.sampler = Sampler::Ratio(0.5);
            scenario.worker.concurrency = 4;
            scenario.orders = 24;
        },
    },
];
