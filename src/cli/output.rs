//! How a report is written, and where to.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use clap::builder::{OsStringValueParser, PossibleValue, TypedValueParser};
use clap::{Args, ColorChoice, ValueEnum};

use super::values::named_diagnosis;
use crate::policy::Selector;
use crate::report::FormatName;

/// How the report is written, for every command.
#[derive(Args, Clone, Debug)]
pub struct Output {
    /// How to write the report to standard output; --format F is --output F=- [default: human]
    #[arg(long, global = true, value_enum)]
    pub format: Option<FormatName>,
    /// What [`Reports`] names, of a command that has them.
    #[arg(skip)]
    pub outputs: Vec<OutputTo>,
    #[arg(skip)]
    pub selection: Selection,
    /// The lowest severity that makes the exit code 1
    #[arg(long, global = true, value_enum, default_value_t = FailOn::Error, value_name = "SEVERITY")]
    pub fail_on: FailOn,
    /// Print only the verdict and the findings
    #[arg(long, short, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Show every message, and what was skipped and why
    #[arg(long, short, global = true)]
    pub verbose: bool,
    /// When to use colour
    #[arg(long, global = true, value_enum, default_value_t = ColorChoice::Auto, value_name = "WHEN")]
    pub color: ColorChoice,
    /// The configuration to use, instead of the nearest tracelink.toml or pyproject.toml
    #[arg(long, global = true, value_name = "FILE", conflicts_with = "no_config")]
    pub config: Option<PathBuf>,
    /// Use no configuration
    #[arg(long, global = true)]
    pub no_config: bool,
}

impl Output {
    /// Where the report goes, and in which formats. Standard output is always
    /// among them, and comes last.
    pub fn destinations(&self) -> Vec<OutputTo> {
        let is_file = |to: &&OutputTo| to.destination != Destination::Stdout;
        let files = self.outputs.iter().filter(is_file).cloned();
        files.chain([OutputTo { format: self.on_stdout(), destination: Destination::Stdout }]).collect()
    }

    fn on_stdout(&self) -> FormatName {
        let given = self.outputs.iter().find(|to| to.destination == Destination::Stdout);
        given.map(|to| to.format).or(self.format).unwrap_or(FormatName::Human)
    }

    /// What is wrong with the outputs together, if anything is. A format that was
    /// not typed is the configuration's, and gives way.
    pub(super) fn complaint(&self, is_format_typed: bool) -> Option<String> {
        let on_stdout = self.outputs.iter().filter(|to| to.destination == Destination::Stdout).count();
        if on_stdout + usize::from(is_format_typed) > 1 {
            return Some("standard output takes one format: give the others a file, FORMAT=PATH".to_owned());
        }
        let mut seen = HashSet::new();
        self.outputs.iter().find_map(|to| match &to.destination {
            Destination::File(path) if !seen.insert(path) => {
                Some(format!("two outputs go to `{}`: give each a file of its own", path.display()))
            }
            _ => None,
        })
    }
}

/// Where reports go besides, for the commands that have one. It is no global
/// option: of one that stands before the command and again after it, clap would
/// pass over the first.
#[derive(Args, Clone, Debug)]
pub struct Reports {
    /// Write the report to a file too, in a format of its own; may be given several times
    ///
    /// PATH may be `-` for standard output, which takes one format: human,
    /// unless another one is named. A file has no colour and fits 80 columns. It is
    /// replaced when the report is whole; human and jsonl are written as events come.
    #[arg(long, value_name = "FORMAT=PATH", value_parser = output())]
    pub output: Vec<OutputTo>,
    /// Show the messages of exceptions, which may be private
    ///
    /// Their types are always shown, and so are fixed texts of libraries that identify a
    /// cause. `listen --save` does not save them.
    #[arg(long)]
    pub show_messages: bool,
    #[command(flatten)]
    pub selection: Selection,
}

/// Which findings are reported and decide the exit code.
#[derive(Args, Clone, Default, Debug)]
pub struct Selection {
    /// Only these diagnoses: slugs, codes, or the beginning of codes such as TL3
    #[arg(long, value_name = "SLUG|CODE", value_delimiter = ',', value_parser = named_diagnosis(str::parse::<Selector>), hide_possible_values = true)]
    pub select: Vec<Selector>,
    /// All diagnoses but these; the report says what was ignored
    #[arg(long, value_name = "SLUG|CODE", value_delimiter = ',', value_parser = named_diagnosis(str::parse::<Selector>), hide_possible_values = true)]
    pub ignore: Vec<Selector>,
    /// Fail only on what this earlier report (json or jsonl) does not have, and say what is gone
    #[arg(long, value_name = "FILE")]
    pub baseline: Option<PathBuf>,
}

/// An output: a format, and where it goes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OutputTo {
    pub format: FormatName,
    pub destination: Destination,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Destination {
    Stdout,
    File(PathBuf),
}

impl ValueEnum for FormatName {
    fn value_variants<'a>() -> &'a [Self] {
        Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.name()).help(self.about()))
    }
}

/// `FORMAT=PATH`, or `FORMAT=-`.
fn output() -> impl TypedValueParser<Value = OutputTo> {
    OsStringValueParser::new().try_map(|text| -> Result<OutputTo, String> {
        let mut parts = text.as_bytes().splitn(2, |byte| *byte == b'=');
        let name = String::from_utf8_lossy(parts.next().unwrap_or_default());
        let format = FormatName::find(&name).ok_or_else(|| {
            let known: Vec<_> = FormatName::ALL.iter().map(|format| format.name()).collect();
            format!("no format is called `{name}`: there are {}", known.join(", "))
        })?;
        let destination = match parts.next().unwrap_or_default() {
            b"" => return Err(format!("where to? Write {name}=PATH, or {name}=- for standard output")),
            b"-" => Destination::Stdout,
            path => Destination::File(PathBuf::from(OsStr::from_bytes(path))),
        };
        Ok(OutputTo { format, destination })
    })
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub enum FailOn {
    Error,
    Warning,
    Note,
    Never,
}
