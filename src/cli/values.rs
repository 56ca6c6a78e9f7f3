//! How values are read that only clap hands over.

use std::ffi::OsStr;
use std::path::PathBuf;

use clap::builder::{OsStringValueParser, PossibleValue, StringValueParser, TypedValueParser};

use crate::diagnosis::{self, Diagnosis};

/// Where the page of `--web` is, unless an address is named.
pub const WEB: &str = "127.0.0.1:4319";

/// A variable that is empty is none, by the conventions of XDG and
/// OpenTelemetry; what reads these passes over an empty one.
pub fn path() -> impl TypedValueParser<Value = PathBuf> {
    OsStringValueParser::new().map(PathBuf::from)
}

/// A value that `.0` reads and whose names, with what they stand for, are those of
/// `.1`: for shells, which complete them. What is wrong `.0` says.
#[derive(Clone)]
struct Named<T>(fn(&str) -> Result<T, String>, fn() -> Vec<(&'static str, &'static str)>);

impl<T: Clone + Send + Sync + 'static> TypedValueParser for Named<T> {
    type Value = T;

    fn parse_ref(
        &self,
        command: &clap::Command,
        arg: Option<&clap::Arg>,
        value: &OsStr,
    ) -> Result<T, clap::Error> {
        StringValueParser::new()
            .try_map({
                let read = self.0;
                move |text| read(&text)
            })
            .parse_ref(command, arg, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        let named = (self.1)().into_iter();
        Some(Box::new(named.map(|(name, about)| PossibleValue::new(name).help(about))))
    }
}

/// The slug or the code of a diagnosis, which shells complete.
pub fn named_diagnosis<T: Clone + Send + Sync + 'static>(
    read: fn(&str) -> Result<T, String>,
) -> impl TypedValueParser<Value = T> {
    Named(read, || {
        let names = |diagnosis: &'static Diagnosis| {
            [diagnosis.slug, diagnosis.code].map(|name| (name, diagnosis.summary))
        };
        diagnosis::all().into_iter().flat_map(names).collect()
    })
}
