//! Names that nobody gave.

/// Whether the SDK made up the name of a service, or there is none.
pub fn is_unset(name: &str) -> bool {
    name.is_empty() || name.starts_with("unknown_service")
}
