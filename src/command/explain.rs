//! `tracelink explain`: the catalogue, as its own documentation.

use std::io::Write;

use anyhow::Context;

use super::{Exit, STDOUT, called, usage};
use crate::cli::{self, Output};
use crate::diagnosis::{self, Diagnosis};
use crate::policy::suggest::did_you_mean;
use crate::report::{FormatName, explanation};

pub fn run(args: &cli::Explain, output: &Output) -> anyhow::Result<Exit> {
    let mut out = anstream::stdout();
    let named = args.name.as_deref().map(find).transpose()?;
    let written = match (output.format, named) {
        (Some(FormatName::Json), Some(diagnosis)) => explanation::json(&[diagnosis], &mut out),
        (Some(FormatName::Json), None) => explanation::json(&diagnosis::all(), &mut out),
        (_, Some(diagnosis)) => explanation::one(diagnosis, &mut out),
        (_, None) => explanation::list(&diagnosis::all(), &called(), &mut out),
    };
    written.and_then(|()| out.flush()).context(STDOUT)?;
    Ok(Exit::Fine)
}

/// The diagnosis of that slug or code.
///
/// # Errors
///
/// That there is none, and the one that may have been meant.
pub fn find(name: &str) -> anyhow::Result<&'static Diagnosis> {
    diagnosis::find(name).ok_or_else(|| {
        let hint = did_you_mean(name, diagnosis::all().into_iter().map(|diagnosis| diagnosis.slug));
        usage(format!("no diagnosis is called `{name}`{hint}\n  {} explain lists them all", called()))
    })
}
