//! Parses a configuration file and checks its values.

use std::collections::BTreeSet;
use std::ops::Range;

use jiff::civil::Date;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::Error;
use super::keys::{self, IGNORE, IGNORE_KEYS, Key, SEVERITY, Takes};
use super::{Config, Setting};
use crate::model::Severity;
use crate::policy::suggest::did_you_mean;
use crate::policy::{Entry, Selector};

/// The configuration in a text; `None` for a `pyproject.toml` without the table
/// `[tool.tracelink]`. `path` is the file's name in messages.
///
/// # Errors
///
/// The first thing that is wrong with it, with its line.
pub fn parse(text: &str, path: &str, is_pyproject: bool) -> Result<Option<Config>, Error> {
    let file = File { text, path };
    let document = DeTable::parse(text).map_err(|error| {
        // The parser's own message quotes the line, which may hold a password.
        file.wrong(error.span().unwrap_or_default(), format!("this is not TOML: {}", error.message()))
    })?;
    if !is_pyproject {
        return file.config(document.get_ref()).map(Some);
    }
    let tool = document.get_ref().get("tool").and_then(|tool| tool.get_ref().get("tracelink"));
    let Some(tool) = tool else { return Ok(None) };
    let Some(table) = tool.get_ref().as_table() else {
        return Err(file.wrong(tool.span(), "`tool.tracelink` is wrong: expected a table".to_owned()));
    };
    file.config(table).map(Some)
}

/// The file that is being read.
#[derive(Clone, Copy)]
struct File<'t> {
    text: &'t str,
    path: &'t str,
}

impl File<'_> {
    /// The line of a range of bytes, counted from 1.
    fn line(self, place: &Range<usize>) -> usize {
        let before = self.text.as_bytes().get(..place.start).unwrap_or_default();
        memchr::memchr_iter(b'\n', before).count() + 1
    }

    fn wrong(self, place: Range<usize>, what: String) -> Error {
        Error::Wrong { path: self.path.to_owned(), line: self.line(&place), what }
    }

    /// The error for a value of the wrong kind.
    fn expected(self, value: &Spanned<DeValue<'_>>, key: &str, expected: &str) -> Error {
        self.wrong(value.span(), format!("`{key}` is wrong: expected {expected}"))
    }

    fn config(self, table: &DeTable<'_>) -> Result<Config, Error> {
        let mut config = Config::default();
        for (key, value) in table {
            match &**key.get_ref() {
                SEVERITY => self.severities(value, &mut config)?,
                IGNORE => self.ignore(value, &mut config)?,
                name => match keys::find(name) {
                    Some(key) => config.settings.push(self.setting(key, value)?),
                    None => return Err(self.unknown(key.span(), name, keys::names())),
                },
            }
        }
        let place = |setting: &Setting| keys::KEYS.iter().position(|key| key.name == setting.key.name);
        config.settings.sort_by_key(place);
        Ok(config)
    }

    fn unknown(
        self,
        place: Range<usize>,
        name: &str,
        known: impl Iterator<Item = &'static str> + Clone,
    ) -> Error {
        let hint = did_you_mean(name, known.clone());
        let hint = if hint.is_empty() {
            format!("; there are {}", known.collect::<Vec<_>>().join(", "))
        } else {
            hint
        };
        let shown: String = name.chars().take(60).collect();
        self.wrong(place, format!("no key is called `{}`{hint}", shown.escape_debug()))
    }

    fn setting(self, key: &'static Key, value: &Spanned<DeValue<'_>>) -> Result<Setting, Error> {
        let is_number = matches!(key.takes, Takes::Number | Takes::TextOrNumber);
        let text = match value.get_ref() {
            DeValue::String(text) if key.takes != Takes::Number => text.to_string(),
            DeValue::Integer(number) if is_number && number.radix() == 10 => number.as_str().to_owned(),
            DeValue::Float(number) if key.takes == Takes::TextOrNumber => number.as_str().to_owned(),
            _ => String::new(),
        };
        // TOML numbers may be written `+1_000`.
        let text = match value.get_ref() {
            DeValue::String(_) => text,
            _ => text.replace('_', "").trim_start_matches('+').to_owned(),
        };
        if text.is_empty() || !(key.check)(&text) {
            return Err(self.expected(value, key.name, key.expected));
        }
        Ok(Setting { key, value: text, line: self.line(&value.span()) })
    }

    fn severities(self, value: &Spanned<DeValue<'_>>, config: &mut Config) -> Result<(), Error> {
        const EXPECTED: &str = "a table of slugs, such as not-sampled = \"note\"";
        let Some(table) = value.get_ref().as_table() else {
            return Err(self.expected(value, SEVERITY, EXPECTED));
        };
        for (name, value) in table {
            let diagnosis =
                Selector::one(name.get_ref()).map_err(|unknown| self.wrong(name.span(), unknown))?;
            let severity = match value.get_ref().as_str() {
                Some("error") => Severity::Error,
                Some("warning") => Severity::Warning,
                Some("note") => Severity::Note,
                _ => {
                    const EXPECTED: &str =
                        "\"error\", \"warning\" or \"note\"; what is not to be said goes to `ignore`";
                    return Err(self.expected(value, diagnosis.slug, EXPECTED));
                }
            };
            config.severities.insert(diagnosis.slug, (severity, self.line(&name.span())));
        }
        Ok(())
    }

    fn ignore(self, value: &Spanned<DeValue<'_>>, config: &mut Config) -> Result<(), Error> {
        const EXPECTED: &str = "a list of tables, each with a slug and a reason: [[ignore]]";
        let entries = value.get_ref().as_array().ok_or_else(|| self.expected(value, IGNORE, EXPECTED))?;
        for entry in entries {
            let table = entry.get_ref().as_table().ok_or_else(|| self.expected(entry, IGNORE, EXPECTED))?;
            config.ignore.push(self.entry(entry.span(), table)?);
        }
        Ok(())
    }

    fn entry(self, place: Range<usize>, table: &DeTable<'_>) -> Result<Entry, Error> {
        let at = format!("{}:{}", self.path, self.line(&place));
        let mut entry = Entry { at, ..Entry::default() };
        let mut has_slug = false;
        for (key, value) in table {
            match &**key.get_ref() {
                "slug" => {
                    let name = value.get_ref().as_str();
                    let name = name.ok_or_else(|| self.expected(value, "slug", "a slug or a code"))?;
                    let found = Selector::one(name).map_err(|unknown| self.wrong(value.span(), unknown))?;
                    entry.slug = found.slug;
                    has_slug = true;
                }
                "reason" => {
                    let reason = value.get_ref().as_str().map(str::trim).filter(|reason| !reason.is_empty());
                    let reason = reason.ok_or_else(|| self.expected(value, "reason", "a sentence"))?;
                    reason.clone_into(&mut entry.reason);
                }
                "task" => entry.tasks = self.scope("task", value)?,
                "service" => entry.services = self.scope("service", value)?,
                "queue" => entry.queues = self.scope("queue", value)?,
                "until" => entry.until = Some(self.date(value)?),
                name => {
                    return Err(self.unknown(key.span(), name, IGNORE_KEYS.iter().map(|(name, _)| *name)));
                }
            }
        }
        if !has_slug {
            return Err(self.wrong(place, "this entry of `ignore` has no `slug`".to_owned()));
        }
        if entry.reason.is_empty() {
            let what = format!("this entry of `ignore` has no `reason`: say why {} is ignored", entry.slug);
            return Err(self.wrong(place, what));
        }
        Ok(entry)
    }

    /// A name, or a list of names.
    fn scope(self, key: &str, value: &Spanned<DeValue<'_>>) -> Result<BTreeSet<String>, Error> {
        let wrong = || self.expected(value, key, "a name, or a list of names");
        let name = |value: &DeValue<'_>| {
            value.as_str().filter(|name| !name.is_empty()).map(str::to_owned).ok_or_else(wrong)
        };
        let names = match value.get_ref() {
            DeValue::Array(names) => names.iter().map(|value| name(value.get_ref())).collect(),
            value => name(value).map(|name| BTreeSet::from([name])),
        }?;
        // An empty list could mean nothing or everything.
        if names.is_empty() { Err(wrong()) } else { Ok(names) }
    }

    /// A date of TOML, or the same in quotes.
    fn date(self, value: &Spanned<DeValue<'_>>) -> Result<Date, Error> {
        let text = match value.get_ref() {
            DeValue::Datetime(date) => date.to_string(),
            DeValue::String(text) => text.to_string(),
            _ => String::new(),
        };
        let is_date = text.len() == "2027-01-31".len();
        let date = text.parse::<Date>().ok().filter(|_| is_date);
        date.ok_or_else(|| self.expected(value, "until", "a date such as 2027-01-31"))
    }
}
