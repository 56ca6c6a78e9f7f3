//! A fix as a value: what to do, on which side, at which place. A program can apply it, and
//! a person can paste it.
//!
//! `tests/python/mend.py` applies them: it pastes each alternative, whole and alone, into a
//! broken program, and runs that again.

use std::borrow::Cow;

use serde::Serialize;

/// A piece of text in a fix: usually a literal, sometimes with a name from the evidence in
/// it.
pub type Text = Cow<'static, str>;

/// One way to mend a cause: all of its steps together, and nothing else.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
pub struct Fix {
    /// What it does, as an order: `set the same propagators on both sides`.
    pub title: Text,
    pub steps: Vec<Step>,
}

/// What is done at one place.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
pub struct Step {
    pub side: Side,
    pub kind: StepKind,
    pub place: FixPlace,
    /// The language of the code and of the packages.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<Language>,
    /// Lines to paste unchanged.
    pub lines: Vec<Text>,
    /// The packages that the lines need on that side.
    pub installs: Vec<Text>,
    /// What else must be true, and what only the user can know: a sentence each.
    pub needs: Vec<Text>,
}

/// Whose program or setting is changed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    Producer,
    Worker,
    Both,
    Broker,
    Receiver,
}

impl Side {
    /// Its name in a sentence.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Producer => "the process that publishes",
            Self::Worker => "the worker",
            Self::Both => "both sides",
            Self::Broker => "the broker",
            Self::Receiver => "the receiver",
        }
    }
}

/// What a step changes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepKind {
    /// `NAME=value`, a line each.
    Environment,
    /// Packages alone.
    Install,
    /// Code at a place.
    Code,
    /// Commands, or options of one.
    Command,
    /// Nothing to paste: `needs` says what to do.
    Manual,
}

/// A language that a side is written in.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    Python,
    JavaScript,
}

impl Language {
    /// The command that installs packages of it.
    pub const fn installer(self) -> &'static str {
        match self {
            Self::Python => "pip install",
            Self::JavaScript => "npm install",
        }
    }

    const fn comment(self) -> &'static str {
        match self {
            Self::Python => "#",
            Self::JavaScript => "//",
        }
    }
}

/// Where lines go.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FixPlace {
    ProcessEnvironment,
    Shell,
    WorkerCommand,
    BeforeApp,
    AfterApp,
    Provider,
    Exporter,
    SetProvider,
    Propagators,
    Publish,
    Retry,
    Task,
    TaskContext,
    TaskSpan,
    CelerySettings,
    WorkerModule,
}

impl FixPlace {
    pub const ALL: [Self; 16] = [
        Self::ProcessEnvironment,
        Self::Shell,
        Self::WorkerCommand,
        Self::BeforeApp,
        Self::AfterApp,
        Self::Provider,
        Self::Exporter,
        Self::SetProvider,
        Self::Propagators,
        Self::Publish,
        Self::Retry,
        Self::Task,
        Self::TaskContext,
        Self::TaskSpan,
        Self::CelerySettings,
        Self::WorkerModule,
    ];

    /// Its name in JSON, and in the markers of the programs that fixes are tried on.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ProcessEnvironment => "process-environment",
            Self::Shell => "shell",
            Self::WorkerCommand => "worker-command",
            Self::BeforeApp => "before-app",
            Self::AfterApp => "after-app",
            Self::Provider => "provider",
            Self::Exporter => "exporter",
            Self::SetProvider => "set-provider",
            Self::Propagators => "propagators",
            Self::Publish => "publish",
            Self::Retry => "retry",
            Self::Task => "task",
            Self::TaskContext => "task-context",
            Self::TaskSpan => "task-span",
            Self::CelerySettings => "celery-settings",
            Self::WorkerModule => "worker-module",
        }
    }

    /// The place, as it reads in a sentence.
    pub const fn is_where(self) -> &'static str {
        match self {
            Self::ProcessEnvironment => "in its environment",
            Self::Shell => "in a shell",
            Self::WorkerCommand => "added to its command line",
            Self::BeforeApp => "at module level, before the application is made",
            Self::AfterApp => "at module level, after the application has all its middleware",
            Self::Provider => "right after the provider is made",
            Self::Exporter => "right after the exporter is made",
            Self::SetProvider => "right before set_tracer_provider",
            Self::Propagators => "after set_tracer_provider and set_global_textmap",
            Self::Publish => "right before the call that publishes with headers=headers",
            Self::Retry => "right before the call that retries with headers=headers",
            Self::Task => "first in the task's body",
            Self::TaskContext => "before the task opens its span in ctx",
            Self::TaskSpan => "in place of the line that opens the task's span",
            Self::CelerySettings => "where Celery's app is configured",
            Self::WorkerModule => "at the end of the module that celery -A names",
        }
    }

    /// The names that the lines may use there without importing them.
    pub const fn binds(self) -> &'static [&'static str] {
        match self {
            Self::AfterApp | Self::CelerySettings => &["app"],
            Self::Provider | Self::SetProvider => &["provider"],
            Self::Exporter => &["exporter"],
            Self::Publish | Self::Retry => &["headers"],
            Self::TaskContext => &["ctx"],
            Self::TaskSpan => &["tracer", "ctx"],
            Self::ProcessEnvironment
            | Self::Shell
            | Self::WorkerCommand
            | Self::BeforeApp
            | Self::Propagators
            | Self::Task
            | Self::WorkerModule => &[],
        }
    }
}

impl Fix {
    pub fn new(title: impl Into<Text>) -> Self {
        Self { title: title.into(), steps: Vec::new() }
    }

    /// Adds variables, `NAME=value` each.
    #[must_use]
    pub fn environment<L: Into<Text>>(self, side: Side, lines: impl IntoIterator<Item = L>) -> Self {
        self.step(side, StepKind::Environment, FixPlace::ProcessEnvironment, None, lines)
    }

    /// Adds lines of Python.
    #[must_use]
    pub fn python<L: Into<Text>>(
        self,
        side: Side,
        place: FixPlace,
        lines: impl IntoIterator<Item = L>,
    ) -> Self {
        self.step(side, StepKind::Code, place, Some(Language::Python), lines)
    }

    /// Adds lines of JavaScript.
    #[must_use]
    pub fn javascript<L: Into<Text>>(
        self,
        side: Side,
        place: FixPlace,
        lines: impl IntoIterator<Item = L>,
    ) -> Self {
        self.step(side, StepKind::Code, place, Some(Language::JavaScript), lines)
    }

    /// Adds commands for a shell.
    #[must_use]
    pub fn command<L: Into<Text>>(self, side: Side, lines: impl IntoIterator<Item = L>) -> Self {
        self.step(side, StepKind::Command, FixPlace::Shell, None, lines)
    }

    /// Adds options of the worker's command line.
    #[must_use]
    pub fn worker_options(self, options: impl Into<Text>) -> Self {
        self.step(Side::Worker, StepKind::Command, FixPlace::WorkerCommand, None, [options])
    }

    /// Adds packages that no line imports.
    #[must_use]
    pub fn install<L: Into<Text>>(
        self,
        side: Side,
        language: Language,
        packages: impl IntoIterator<Item = L>,
    ) -> Self {
        let nothing: [Text; 0] = [];
        self.step(side, StepKind::Install, FixPlace::Shell, Some(language), nothing).installing(packages)
    }

    /// Adds an instruction that cannot be pasted.
    #[must_use]
    pub fn by_hand(self, side: Side, what: impl Into<Text>) -> Self {
        let nothing: [Text; 0] = [];
        self.step(side, StepKind::Manual, FixPlace::Shell, None, nothing).needing(what)
    }

    /// The packages that the last step needs.
    #[must_use]
    pub fn installing<L: Into<Text>>(mut self, packages: impl IntoIterator<Item = L>) -> Self {
        if let Some(step) = self.steps.last_mut() {
            step.installs.extend(packages.into_iter().map(Into::into));
        }
        self
    }

    /// What must be true for the last step.
    #[must_use]
    pub fn needing(mut self, what: impl Into<Text>) -> Self {
        if let Some(step) = self.steps.last_mut() {
            step.needs.push(what.into());
        }
        self
    }

    fn step<L: Into<Text>>(
        mut self,
        side: Side,
        kind: StepKind,
        place: FixPlace,
        language: Option<Language>,
        lines: impl IntoIterator<Item = L>,
    ) -> Self {
        let lines = lines.into_iter().map(Into::into).collect();
        self.steps.push(Step { side, kind, place, language, lines, installs: Vec::new(), needs: Vec::new() });
        self
    }

    /// Whether nothing of it can be pasted.
    pub fn is_by_hand(&self) -> bool {
        self.steps.iter().all(|step| step.kind == StepKind::Manual)
    }

    /// All of it as lines for a person: a comment says where the lines below it go.
    pub fn lines(&self) -> Vec<String> {
        self.steps.iter().flat_map(Step::lines).collect()
    }
}

impl Step {
    /// Its lines for a person.
    pub fn lines(&self) -> Vec<String> {
        let comment = self.language.map_or("#", Language::comment);
        let mut lines: Vec<String> = match (self.kind, &self.lines[..]) {
            (StepKind::Manual, _) => {
                let what = self.needs.iter().map(|need| format!("# {}: {need}", self.side.label()));
                return what.collect();
            }
            (StepKind::Install, _) => Vec::new(),
            (_, [line]) if !line.trim_start().starts_with('#') && self.place.binds().is_empty() => {
                vec![format!("{line}  {comment} {}", self.whereabouts())]
            }
            (_, lines) => {
                let head = format!("{comment} {}", self.whereabouts());
                std::iter::once(head).chain(lines.iter().map(ToString::to_string)).collect()
            }
        };
        if let (Some(language), false) = (self.language.or(Some(Language::Python)), self.installs.is_empty())
        {
            let side = self.side.label();
            let packages: Vec<_> = self.installs.iter().map(|package| in_a_shell(package)).collect();
            lines.push(format!("{} {}  # for {side}", language.installer(), packages.join(" ")));
        }
        lines.extend(self.needs.iter().map(|need| format!("{comment} {need}")));
        lines
    }

    /// Which side the lines belong to, and where they go.
    fn whereabouts(&self) -> String {
        match self.place {
            FixPlace::ProcessEnvironment if self.side == Side::Both => {
                "in the environment of both sides".to_owned()
            }
            FixPlace::ProcessEnvironment => format!("in the environment of {}", self.side.label()),
            FixPlace::Shell => "in a shell".to_owned(),
            place => format!("{}: {}", self.side.label(), place.is_where()),
        }
    }
}

/// A package as a shell takes it: `celery>=5.3` without quotes writes a file `=5.3`.
fn in_a_shell(package: &str) -> String {
    let is_plain = package.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.@/=[]".contains(&byte));
    if is_plain { package.to_owned() } else { format!("'{package}'") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_no_redirection() {
        let fix = Fix::new("upgrade").install(Side::Worker, Language::Python, ["celery>=5.3", "redis"]);
        assert_eq!(fix.lines(), ["pip install 'celery>=5.3' redis  # for the worker"]);
    }
}
