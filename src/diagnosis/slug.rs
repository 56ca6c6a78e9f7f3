//! The names by which one rule refers to another that it cannot rule out. Names, so that no
//! rule has to import another; the registry's test checks each.

/// The slug of an existing rule. There are no others than those listed here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Slug(&'static str);

impl Slug {
    pub const fn name(self) -> &'static str {
        self.0
    }
}

macro_rules! slugs {
    ($($name:ident = $slug:literal,)*) => {
        $(pub const $name: Slug = Slug($slug);)*

        #[cfg(test)]
        impl Slug {
            pub const ALL: &[Self] = &[$($name),*];
        }
    };
}

slugs! {
    PRODUCER_NOT_INSTRUMENTED = "producer-not-instrumented",
    PRODUCER_SDK_DISABLED = "producer-sdk-disabled",
    PROTOCOL_1 = "protocol-1",
    CONTEXT_LOST_ON_RETRY = "context-lost-on-retry",
    PRODUCER_PROPAGATOR_OMITS_TRACE = "producer-propagator-omits-trace",
    PROPAGATOR_MISMATCH = "propagator-mismatch",
    CARRIER_KEY_MISMATCH = "carrier-key-mismatch",
    CARRIER_SHAPE_MISMATCH = "carrier-shape-mismatch",
    EXTRACT_RESULT_IGNORED = "extract-result-ignored",
    WORKER_NOT_INSTRUMENTED = "worker-not-instrumented",
    NOT_SAMPLED = "not-sampled",
    SAMPLER_IGNORES_PARENT = "sampler-ignores-parent",
    WORKER_SILENT = "worker-silent",
    PARENT_NOT_EXPORTED = "parent-not-exported",
    PARENT_NOT_ENDED = "parent-not-ended",
    TASK_NOT_REGISTERED = "task-not-registered",
}
