//! Which tools there are.

/// The tools there are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Name {
    Diagnose,
    InspectQueue,
    Explain,
    ListenStart,
    ListenStatus,
    ListenStop,
}

impl Name {
    pub const fn label(self) -> &'static str {
        match self {
            Self::Diagnose => "diagnose",
            Self::InspectQueue => "inspect_queue",
            Self::Explain => "explain",
            Self::ListenStart => "listen_start",
            Self::ListenStatus => "listen_status",
            Self::ListenStop => "listen_stop",
        }
    }
}
