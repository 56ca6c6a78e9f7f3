//! 6xx: who sends the spans.

mod service_name_collision;
mod service_name_unset;
mod unknown_service;

pub use service_name_collision::SERVICE_NAME_COLLISION;
pub use service_name_unset::SERVICE_NAME_UNSET;
