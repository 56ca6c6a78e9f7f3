//! How OpenTelemetry is set up on each side of a hand-off, according to the evidence: a fix
//! must go where the setting is made.

use crate::evidence::{Handoff, Process, Service, SpanRef};
use crate::model::{Language, Message};

/// How a process is set up, as far as it was seen.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SdkSetup {
    /// Whether a launcher set OpenTelemetry up by the environment, and no code of the
    /// program. `None` if no span of it was seen.
    pub is_zero_code: Option<bool>,
    /// Whether no span of it was seen and the other side of its application is zero-code:
    /// then it most likely is too.
    pub is_beside_zero_code: bool,
    pub language: Spoken,
    /// A distribution that owns the settings, by name.
    pub distribution: Option<Box<str>>,
    /// `telemetry.sdk.version`.
    pub sdk_version: Option<Box<str>>,
}

/// Both sides of a hand-off, as far as they show how they are set up.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Sides {
    pub producer: SdkSetup,
    pub worker: SdkSetup,
    pub reader: Reader,
    /// Whether Celery's own code published the message, so that its signals come.
    pub is_celery: bool,
}

impl Sides {
    /// Sides about which nothing is known but that Celery published the message.
    pub fn of_celery() -> Self {
        Self { is_celery: true, ..Self::default() }
    }

    /// If there is no run, a hand-made root that may be it.
    pub fn of(handoff: &Handoff<'_>) -> Self {
        let run = handoff.consumer().or_else(|| handoff.candidate_runs.first().copied());
        Self {
            producer: SdkSetup::of_producer(handoff),
            worker: run.map(|run| SdkSetup::of(&run.span.process)).unwrap_or_default(),
            reader: Reader::of(run),
            is_celery: handoff.message().is_none_or(|message| !message.hand_made),
        }
    }
}

/// What takes the context up in the worker, according to its span.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Reader {
    /// The instrumentor, from flat headers.
    Instrumentor,
    /// The task or the worker's hooks. Only their author knows where from.
    ByHand,
    #[default]
    Unseen,
}

impl Reader {
    pub fn of(run: Option<SpanRef<'_>>) -> Self {
        match run {
            Some(run) if run.span.is_instrumented_run() => Self::Instrumentor,
            Some(_) => Self::ByHand,
            None => Self::Unseen,
        }
    }
}

/// The language of a process.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Spoken {
    /// A language in which a fix can have code. Python unless something says otherwise:
    /// most Celery is.
    Known(Language),
    #[default]
    Unseen,
    /// A language for which a fix can only use words.
    Other(Box<str>),
}

impl SdkSetup {
    /// How the publishing side is set up, according to its span and to the language in its
    /// message.
    pub fn of_producer(handoff: &Handoff<'_>) -> Self {
        let setting = handoff.producer.map(|found| Self::of(&found.span.process)).unwrap_or_default();
        match handoff.message() {
            Some(message) => setting.or_of(message),
            None => setting,
        }
    }

    /// How the side that runs the task is set up, according to the span of its run.
    pub fn of_worker(handoff: &Handoff<'_>) -> Self {
        handoff.consumer().map(|found| Self::of(&found.span.process)).unwrap_or_default()
    }

    pub fn of(process: &Process) -> Self {
        Self {
            is_zero_code: Some(process.is_zero_code),
            is_beside_zero_code: false,
            language: process.language.as_deref().map_or(Spoken::Unseen, Spoken::named),
            distribution: process.distribution.clone(),
            sdk_version: process.sdk_version.clone(),
        }
    }

    /// Whether code of the program may set it up, so that lines of Python can go there.
    pub fn may_be_python_code(&self) -> bool {
        self.is_zero_code != Some(true) && self.language.code() == Some(Language::Python)
    }

    /// How the processes of a service are set up, as far as they agree.
    pub fn of_service(service: &Service<'_>) -> Self {
        Self::of_all(service.processes.iter().map(|(process, _)| *process))
    }

    /// The same, completed by what the other side of the application suggests.
    #[must_use]
    pub fn beside(self, other: &Self) -> Self {
        let is_beside_zero_code = self.is_zero_code.is_none() && other.is_zero_code == Some(true);
        Self { is_beside_zero_code, ..self }
    }

    /// The same, with the language that its message names, if no span does.
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

    /// What the exporters' `user-agent`s tell, if they agree. Python's and JavaScript's
    /// name the language.
    pub fn of_client<'a>(agents: impl Iterator<Item = &'a str>) -> Self {
        let named = |agent: &str| {
            let agent = agent.to_ascii_lowercase();
            let languages = [
                ("python", "python"),
                ("javascript", "js"),
                ("node", "js"),
                ("grpc-go", "go"),
                ("java", "java"),
            ];
            let known = languages.iter().find(|(word, _)| agent.contains(word));
            known.map_or(Spoken::Unseen, |(_, language)| Spoken::named(language))
        };
        let common = |one: Spoken, other: Spoken| if one == other { one } else { Spoken::Unseen };
        Self { language: agents.map(named).reduce(common).unwrap_or_default(), ..Self::default() }
    }

    /// How several processes are set up, as far as they agree.
    pub fn of_all<'p>(processes: impl Iterator<Item = &'p Process>) -> Self {
        let common = |one: Self, other: Self| Self {
            is_zero_code: one.is_zero_code.filter(|_| one.is_zero_code == other.is_zero_code),
            is_beside_zero_code: false,
            language: if one.language == other.language { one.language } else { Spoken::Unseen },
            distribution: one.distribution.filter(|known| Some(known) == other.distribution.as_ref()),
            sdk_version: one.sdk_version.filter(|known| Some(known) == other.sdk_version.as_ref()),
        };
        processes.map(Self::of).reduce(common).unwrap_or_default()
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

    /// The language for code in a fix; `None` if there can be none.
    pub const fn code(&self) -> Option<Language> {
        match self {
            Self::Known(language) => Some(*language),
            Self::Unseen => Some(Language::Python),
            Self::Other(_) => None,
        }
    }
}
