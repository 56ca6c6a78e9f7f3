//! What a decoder of spans says, written down.

use std::fmt::Write;

use crate::model::{Invalid, Resource, Scope, Span};
use crate::wire::otlp::Sink;

/// Writes down everything that it is told.
#[derive(Default, PartialEq, Eq, Debug)]
pub struct Told {
    pub lines: Vec<String>,
}

impl Told {
    fn say(&mut self, what: std::fmt::Arguments<'_>) {
        let mut line = String::new();
        let _ = line.write_fmt(what);
        self.lines.push(line);
    }
}

impl Sink for Told {
    fn resource(&mut self, resource: &Resource<'_>) {
        self.say(format_args!("{resource:?}"));
    }

    fn scope(&mut self, scope: &Scope<'_>) {
        self.say(format_args!("{scope:?}"));
    }

    fn span(&mut self, span: &Span<'_>) {
        self.say(format_args!("{span:?}"));
    }

    fn refused(&mut self, why: Invalid, at: &str) {
        self.say(format_args!("{why:?} at {at}"));
    }

    fn announced(&mut self) {
        self.say(format_args!("announced"));
    }
}
