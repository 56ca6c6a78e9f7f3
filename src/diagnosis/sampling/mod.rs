//! 4xx: the context travelled, and a sampler kept the spans back.

mod not_sampled;
mod sampler_ignores_parent;

pub use not_sampled::NOT_SAMPLED;
pub use sampler_ignores_parent::SAMPLER_IGNORES_PARENT;
