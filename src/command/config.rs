//! `tracelink config`: the settings in force, and where each comes from.

use std::io::{self, Write};

use anyhow::Context;
use clap::ValueEnum;
use serde::Serialize;

use super::policy::today;
use super::{Exit, STDOUT};
use crate::cli::{self, Output};
use crate::config::{Config, KEYS, Key, Setting, masked};
use crate::policy::Entry;
use crate::report::FormatName;
use crate::report::human::Stylize;
use crate::report::text::{pad, safe};

pub fn run(args: &cli::ShowConfig, output: &Output, config: &Config) -> anyhow::Result<Exit> {
    let shown = Shown::of(args, output, config);
    let mut out = anstream::stdout();
    let written = match output.format.unwrap_or(FormatName::Human) {
        FormatName::Human => shown.write(&mut out),
        _ => serde_json::to_writer_pretty(&mut out, &shown)
            .map_err(io::Error::from)
            .and_then(|()| writeln!(out)),
    };
    written.and_then(|()| out.flush()).context(STDOUT)?;
    Ok(Exit::Fine)
}

/// The settings in force.
#[derive(Serialize)]
struct Shown {
    schema: &'static str,
    /// The file that is read.
    file: Option<String>,
    settings: Vec<Value>,
    severity: Vec<Value>,
    ignore: Vec<Ignore>,
}

/// A value, and where it comes from.
#[derive(Serialize)]
struct Value {
    key: &'static str,
    value: Option<String>,
    from: String,
}

#[derive(Serialize)]
struct Ignore {
    slug: &'static str,
    tasks: Vec<String>,
    services: Vec<String>,
    queues: Vec<String>,
    reason: String,
    until: Option<String>,
    /// Whether it sets anything aside today.
    holds: bool,
    from: String,
}

impl Shown {
    fn of(args: &cli::ShowConfig, output: &Output, config: &Config) -> Self {
        let file = config.file.as_ref().map(|file| file.display().to_string());
        let at = |line: usize| format!("{}:{line}", file.as_deref().unwrap_or_default());
        let settings = KEYS.iter().map(|key| {
            let set = config.settings.iter().find(|setting| setting.key.name == key.name);
            let (value, from) = match (outside(key, args, output), set) {
                (Some((value, from)), _) => (Some(value), from.to_owned()),
                (None, Some(Setting { value, line, .. })) => (Some(value.clone()), at(*line)),
                (None, None) => {
                    (Some(key.default.to_owned()).filter(|value| !value.is_empty()), "default".to_owned())
                }
            };
            let value = value.map(|value| if key.is_secret { masked(&value) } else { value });
            Value { key: key.name, value, from }
        });
        let severities = config.severities.iter().map(|(slug, (severity, line))| Value {
            key: slug,
            value: Some(severity.label().to_owned()),
            from: at(*line),
        });
        Self {
            schema: "tracelink-config/1",
            settings: settings.collect(),
            severity: severities.collect(),
            ignore: config.ignore.iter().map(Ignore::of).collect(),
            file,
        }
    }

    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        match &self.file {
            Some(file) => writeln!(out, "{}", safe(file).strong())?,
            None => writeln!(
                out,
                "no tracelink.toml and no pyproject.toml with [tool.tracelink], from here upwards"
            )?,
        }
        writeln!(out)?;
        table(&self.settings, out)?;
        if !self.severity.is_empty() {
            writeln!(out, "\nseverity")?;
            table(&self.severity, out)?;
        }
        if !self.ignore.is_empty() {
            writeln!(out, "\nignore")?;
        }
        self.ignore.iter().try_for_each(|entry| entry.write(out))
    }
}

/// Writes values in columns.
fn table(values: &[Value], out: &mut dyn Write) -> io::Result<()> {
    let shown = |value: &Value| value.value.as_deref().map_or_else(|| "-".to_owned(), safe);
    let widest = |of: &dyn Fn(&Value) -> usize| values.iter().map(of).max().unwrap_or_default() + 2;
    let key = widest(&|value| value.key.len());
    let middle = widest(&|value| crate::report::text::width(&shown(value)));
    values.iter().try_for_each(|value| {
        let from = safe(&value.from);
        writeln!(out, "  {}{}{}", pad(value.key, key), pad(&shown(value), middle), from.faint())
    })
}

impl Ignore {
    fn of(entry: &Entry) -> Self {
        Self {
            slug: entry.slug,
            tasks: entry.tasks.iter().cloned().collect(),
            services: entry.services.iter().cloned().collect(),
            queues: entry.queues.iter().cloned().collect(),
            reason: entry.reason.clone(),
            until: entry.until.map(|date| date.to_string()),
            holds: entry.holds_on(today()),
            from: entry.at.clone(),
        }
    }

    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let Self { slug, reason, until, holds, from, .. } = self;
        let scopes = [("task", &self.tasks), ("service", &self.services), ("queue", &self.queues)];
        let named = scopes.into_iter().filter(|(_, names)| !names.is_empty());
        let scope: Vec<_> = named.map(|(what, names)| format!("  {what} {}", names.join(", "))).collect();
        let until = match (until, holds) {
            (None, _) => String::new(),
            (Some(date), true) => format!("  until {date}"),
            (Some(date), false) => format!("  until {date}, which is over: it counts again"),
        };
        writeln!(out, "  {slug}{}{until}  {}", safe(&scope.concat()), safe(from).faint())?;
        writeln!(out, "    {}", safe(reason))
    }
}

/// The sources that override the file.
fn outside(key: &Key, args: &cli::ShowConfig, output: &Output) -> Option<(String, &'static str)> {
    const TYPED: &str = "command line";
    let name = |value: Option<clap::builder::PossibleValue>| Some(value?.get_name().to_owned());
    match key.name {
        "broker" => {
            let broker = args.broker.as_deref().filter(|broker| !broker.is_empty())?;
            Some((broker.to_owned(), "TRACELINK_BROKER"))
        }
        "fail-on" if args.is_fail_on_typed => Some((name(output.fail_on.to_possible_value())?, TYPED)),
        "format" if args.is_format_typed => Some((output.format?.name().to_owned(), TYPED)),
        _ => None,
    }
}
