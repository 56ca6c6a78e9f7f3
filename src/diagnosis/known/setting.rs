//! How OpenTelemetry is set up on each side of a hand-off, as far as the side
//! itself shows it: a fix must go where the setting is made.

use super::Known;
use crate::evidence::{Handoff, Process, Service};
use crate::model::{Language, Message};

/// How a process is set up, as far as it was seen.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Setting {
    /// Whether a launcher set OpenTelemetry up by the environment, and no code of
    /// the program. `None` where no span of it was seen.
    pub is_zero_code: Option<bool>,
    pub language: Spoken,
    /// A distribution that owns the settings, by its name.
    pub distribution: Option<Box<str>>,
    /// `telemetry.sdk.version`.
    pub sdk_version: Option<Box<str>>,
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
            sdk_version: process.sdk_version.clone(),
        }
    }

    /// Of any process of a service: they are mostly set up alike.
    pub fn of_service(service: &Service<'_>) -> Self {
        service.processes.first().map(|(process, _)| Self::of(process)).unwrap_or_default()
    }

    /// The same, with the language that a message of it says, where no span does.
    #[must_use]
    pub fn or_of(mut self, message: &Message) -> Self {
        if let (Spoken::Unseen, Some(named)) = (&self.language, message.lang.as_deref()) {
            self.language = Spoken::named(named);
        }
        self
    }

    /// Whether its SDK is known to be older than this version.
    pub fn is_older_than(&self, (major, minor): (u32, u32)) -> bool {
        let mut parts = self.sdk_version.as_deref().unwrap_or_default().split('.').map(str::parse::<u32>);
        match (parts.next(), parts.next()) {
            (Some(Ok(its_major)), Some(Ok(its_minor))) => (its_major, its_minor) < (major, minor),
            _ => false,
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
        let setting = handoff.producer.map(|found| Setting::of(&found.span.process)).unwrap_or_default();
        match handoff.message() {
            Some(message) => setting.or_of(message),
            None => setting,
        }
    }

    /// How a service is set up.
    pub fn setting_of(&self, service: Option<&str>) -> Setting {
        service.and_then(|service| self.services.get(service)).map(Setting::of_service).unwrap_or_default()
    }

    /// How the side that runs the task is set up, by the span of its run.
    pub fn worker_setting(&self, handoff: &Handoff<'_>) -> Setting {
        handoff.consumer().map(|found| Setting::of(&found.span.process)).unwrap_or_default()
    }
}
