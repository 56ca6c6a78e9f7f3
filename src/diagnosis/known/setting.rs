//! How OpenTelemetry is set up on each side of a hand-off, as far as the side
//! itself shows it: a fix must go where the setting is made.

use super::Known;
use crate::evidence::{Handoff, Process};
use crate::model::Language;

/// How a process is set up, as far as it was seen.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Setting {
    /// Whether a launcher set OpenTelemetry up by the environment, and no code of
    /// the program. `None` where no span of it was seen.
    pub is_zero_code: Option<bool>,
    pub language: Spoken,
    /// A distribution that owns the settings, by its name.
    pub distribution: Option<Box<str>>,
}

/// The language of a process.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Spoken {
    /// Of which a fix can have lines. Python where nothing says otherwise: most
    /// Celery is.
    Known(Language),
    #[default]
    Unseen,
    /// Of which it can have words alone.
    Other(Box<str>),
}

impl Setting {
    pub fn of(process: &Process) -> Self {
        Self {
            is_zero_code: Some(process.is_zero_code),
            language: process.language.as_deref().map_or(Spoken::Unseen, Spoken::named),
            distribution: process.distribution.clone(),
        }
    }
}

impl Spoken {
    /// As `telemetry.sdk.language` names it, or the `lang` of a message.
    pub fn named(name: &str) -> Self {
        match name {
            "python" | "py" => Self::Known(Language::Python),
            "nodejs" | "webjs" | "js" | "javascript" | "node" => Self::Known(Language::JavaScript),
            other => Self::Other(other.into()),
        }
    }

    /// The language to write lines in; `None` where there can be none.
    pub const fn code(&self) -> Option<Language> {
        match self {
            Self::Known(language) => Some(*language),
            Self::Unseen => Some(Language::Python),
            Self::Other(_) => None,
        }
    }
}

impl Known<'_> {
    /// How the side that publishes is set up: by its span, and by what its message
    /// says of the language.
    pub fn producer_setting(&self, handoff: &Handoff<'_>) -> Setting {
        let mut setting = handoff.producer.map(|found| Setting::of(&found.span.process)).unwrap_or_default();
        if setting.language == Spoken::Unseen {
            let named = handoff.message().and_then(|message| message.lang.as_deref());
            setting.language = named.map_or(Spoken::Unseen, Spoken::named);
        }
        setting
    }

    /// How the side that runs the task is set up, by the span of its run.
    pub fn worker_setting(&self, handoff: &Handoff<'_>) -> Setting {
        handoff.consumer().map(|found| Setting::of(&found.span.process)).unwrap_or_default()
    }
}
