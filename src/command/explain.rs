//! `tracelink explain`: the catalogue, as its own documentation.

use std::io::Write;

use anyhow::Context;

use super::suggest::did_you_mean;
use super::{Exit, STDOUT, usage};
use crate::cli;
use crate::diagnosis;
use crate::report::explanation;

pub fn run(args: &cli::Explain) -> anyhow::Result<Exit> {
    let mut out = anstream::stdout();
    let written = match &args.name {
        None => explanation::list(&diagnosis::all(), &mut out),
        Some(name) => match diagnosis::find(name) {
            Some(diagnosis) => explanation::one(diagnosis, &mut out),
            None => {
                let hint = did_you_mean(name, diagnosis::all().into_iter().map(|diagnosis| diagnosis.slug));
                return Err(usage(format!(
                    "no diagnosis is called `{name}`{hint}\n  tracelink explain lists them all"
                )));
            }
        },
    };
    written.and_then(|()| out.flush()).context(STDOUT)?;
    Ok(Exit::Fine)
}
