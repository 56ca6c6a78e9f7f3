//! `--mend`: runs a fault, pastes the fix that was printed, and runs the mended programs
//! again.

use super::case::Case;
use super::narrator::Narrator;
use super::run_case::{CaseRun, NoObserver, RunOptions, run_case};
use crate::cli::Output;
use crate::command::{Exit, Outputs, usage};
use crate::demo::DemoError;
use crate::model::{Finding, Fix, Report, Severity, Status};

/// What became of a fix.
pub enum Again {
    /// It was pasted, and the programs were run.
    CaseRun(Box<CaseRun>),
    /// It leaves something for its reader to do.
    ByHand(String),
}

/// Refuses cases that have nothing to mend.
pub fn check(cases: &[Case]) -> anyhow::Result<()> {
    if cases.iter().any(|case| matches!(case, Case::Native(_))) {
        return Err(usage(
            "--mend pastes into programs, and those of the native application are this binary: add --app python",
        ));
    }
    match cases {
        [case] if case.expects().is_empty() => {
            let slug = case.slug();
            Err(usage(format!(
                "`{slug}` has nothing to mend: name a fault, as in --fault propagator-mismatch"
            )))
        }
        _ => Ok(()),
    }
}

/// The first finding, and its first fix.
pub fn first_fix(report: &Report) -> Option<(&Finding, &Fix)> {
    let finding = report.findings.iter().find(|finding| finding.severity < Severity::Note)?;
    Some((finding, finding.fixes.first()?))
}

/// Whether the programs are whole: their hand-offs were seen, and there are no findings.
pub fn is_whole(report: &Report) -> bool {
    let is_silent = report.findings.iter().all(|finding| finding.severity == Severity::Note);
    report.verdict.status == Status::Healthy && is_silent && report.inputs.handoffs > 0
}

/// Runs a case with a fix pasted into its programs.
pub fn again(case: &Case, how: &RunOptions<'_>, fix: &Fix) -> anyhow::Result<Again> {
    match run_case(case, &RunOptions { fix: Some(fix), ..*how }, &mut NoObserver) {
        Ok(ran) => Ok(Again::CaseRun(Box::new(ran))),
        Err(error) => match error.downcast::<DemoError>()? {
            DemoError::NotPasteable { why } => Ok(Again::ByHand(why)),
            other => Err(other.into()),
        },
    }
}

/// Shows one fault step by step. The report is that of the mended programs, or of the
/// broken ones if they were not mended.
pub fn one(
    case: &Case,
    how: &RunOptions<'_>,
    output: &Output,
    outputs: &mut Outputs,
) -> anyhow::Result<Exit> {
    let mut narrator = Narrator::new(how.args, output, outputs);
    narrator.begin(case)?;
    let broken = run_case(case, how, &mut NoObserver)?;
    if !broken.is_whole {
        narrator.end(case, &broken, Exit::Interrupted)?;
        return Ok(Exit::Interrupted);
    }
    let Some((finding, fix)) = first_fix(&broken.report) else {
        narrator.mended(&broken.report, "nothing was found that has a fix", Exit::Findings)?;
        return Ok(Exit::Findings);
    };
    narrator.fix(finding, fix)?;
    match again(case, how, fix)? {
        Again::CaseRun(ran) if !ran.is_whole => {
            narrator.end(case, &ran, Exit::Interrupted)?;
            Ok(Exit::Interrupted)
        }
        Again::CaseRun(ran) if is_whole(&ran.report) => {
            narrator.mended(&ran.report, "", Exit::Fine)?;
            Ok(Exit::Fine)
        }
        Again::CaseRun(ran) => {
            narrator.mended(&ran.report, "it is not whole with the fix either", Exit::Findings)?;
            Ok(Exit::Findings)
        }
        Again::ByHand(why) => {
            narrator.mended(&broken.report, &why, Exit::Findings)?;
            Ok(Exit::Findings)
        }
    }
}
