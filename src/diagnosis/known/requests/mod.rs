//! How publishes lie to the requests of their process, where no trace joins them.

pub(super) mod coincidence;
pub(super) mod just_outside;
pub(super) mod one_per_request;
pub(super) mod redis_pushes;
pub(super) mod response_start;
