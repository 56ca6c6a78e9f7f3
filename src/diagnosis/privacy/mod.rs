//! 8xx: what lies in the broker for everyone to read.

mod baggage_at_rest;

pub use baggage_at_rest::BAGGAGE_AT_REST;
