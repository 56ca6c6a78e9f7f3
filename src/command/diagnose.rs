//! `tracelink diagnose`: from saved evidence.

use std::path::{Path, PathBuf};

use super::{Exit, Outputs, tell_skipped};
use crate::bundle::{Reading, read_evidence};
use crate::cli::{self, Output};
use crate::diagnosis::{Listing, report_expecting};
use crate::evidence::Evidence;
use crate::report::Subject;
use crate::wire::celery::redis_layout::Naming;

pub fn run(args: &cli::Diagnose, output: &Output, outputs: &mut Outputs) -> anyhow::Result<Exit> {
    outputs.read_from(&args.evidence);
    let mut evidence = Evidence::default();
    evidence.shows_messages = args.reports.show_messages;
    let reading = Reading { naming: Naming::from(&args.naming), ..Reading::default() };
    let paths: Vec<_> = args.evidence.iter().map(|path| or_standard_input(path)).collect();
    let skipped = read_evidence(&paths, &reading, &mut evidence)?;
    tell_skipped(&skipped, output);
    let report = report_expecting(&evidence, evidence.clock(), Listing::default(), args.expect_handoffs);
    let report = outputs.policy.apply(report);
    let exit = Exit::of_report(&report, output.fail_on);
    outputs.report(&report, Subject::Handoffs, None, exit)?;
    Ok(exit)
}

/// `-` stands for standard input.
fn or_standard_input(path: &Path) -> PathBuf {
    if path.as_os_str() == "-" { "/dev/stdin".into() } else { path.to_owned() }
}

impl From<&cli::Naming> for Naming {
    fn from(naming: &cli::Naming) -> Self {
        Self {
            prefix: naming.key_prefix.clone(),
            separator: naming.separator.clone(),
            steps: naming.priority_steps.clone(),
        }
    }
}
