//! `tracelink explain`: the catalogue, as its own documentation.

use std::io::Write;

use anyhow::bail;

use super::Exit;
use crate::cli;
use crate::diagnosis::{self, Diagnosis};
use crate::report::explanation;

pub fn run(args: &cli::Explain) -> anyhow::Result<Exit> {
    let mut out = anstream::stdout();
    match &args.name {
        None => explanation::list(&diagnosis::all(), &mut out)?,
        Some(name) => match diagnosis::find(name) {
            Some(diagnosis) => explanation::one(diagnosis, &mut out)?,
            None => {
                bail!("no diagnosis is called `{name}`{}\n  tracelink explain lists them all", nearest(name))
            }
        },
    }
    out.flush()?;
    Ok(Exit::Fine)
}

/// A hint at the diagnosis whose name is most like it.
fn nearest(name: &str) -> String {
    let shares = |diagnosis: &&Diagnosis| {
        diagnosis.slug.split('-').filter(|word| name.split(['-', '_', ' ']).any(|part| part == *word)).count()
    };
    match diagnosis::all().into_iter().max_by_key(shares).filter(|best| shares(best) > 0) {
        Some(best) => format!("; did you mean `{}`?", best.slug),
        None => String::new(),
    }
}
