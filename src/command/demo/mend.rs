//! `--mend`: a fault acted out, the fix of what was found pasted as it is
//! printed, and the mended programs acted out again.

use super::act::{Act, Acted, Nobody, act};
use super::apps::Part;
use super::teller::Teller;
use crate::cli::Output;
use crate::command::{Exit, Outputs, usage};
use crate::demo::DemoError;
use crate::model::{Finding, Fix, Report, Severity, Status};

/// What became of a fix.
pub enum Again {
    /// It was pasted, and the programs acted out.
    Acted(Box<Acted>),
    /// It leaves something to its reader: what.
    ByHand(String),
}

/// Refuses what has nothing to mend.
pub fn check(parts: &[Part]) -> anyhow::Result<()> {
    if parts.iter().any(|part| matches!(part, Part::Native(_))) {
        return Err(usage(
            "--mend pastes into programs, and those of the native application are this binary: add --app python",
        ));
    }
    match parts {
        [part] if part.expects().is_empty() => {
            let slug = part.slug();
            Err(usage(format!(
                "`{slug}` has nothing to mend: name a fault, as in --fault propagator-mismatch"
            )))
        }
        _ => Ok(()),
    }
}

/// The finding that speaks first, and the fix that it gives first.
pub fn first_fix(report: &Report) -> Option<(&Finding, &Fix)> {
    let finding = report.findings.iter().find(|finding| finding.severity < Severity::Note)?;
    Some((finding, finding.fixes.first()?))
}

/// Whether the programs are whole: their hand-offs were seen, and nothing is said
/// of them.
pub fn is_whole(report: &Report) -> bool {
    let is_silent = report.findings.iter().all(|finding| finding.severity == Severity::Note);
    report.verdict.status == Status::Healthy && is_silent && report.inputs.handoffs > 0
}

/// Acts a part out once a fix was pasted into its programs.
pub fn again(part: &Part, how: &Act<'_>, fix: &Fix) -> anyhow::Result<Again> {
    match act(part, &Act { fix: Some(fix), ..*how }, &mut Nobody) {
        Ok(acted) => Ok(Again::Acted(Box::new(acted))),
        Err(error) => match error.downcast::<DemoError>()? {
            DemoError::NotPasteable { why } => Ok(Again::ByHand(why)),
            other => Err(other.into()),
        },
    }
}

/// One fault, told as it goes. The report is that of the mended programs, or of
/// the broken ones where there are none.
pub fn one(part: &Part, how: &Act<'_>, output: &Output, outputs: &mut Outputs) -> anyhow::Result<Exit> {
    let mut teller = Teller::new(how.args, output, outputs);
    teller.begin(part)?;
    let broken = act(part, how, &mut Nobody)?;
    if !broken.is_whole {
        teller.end(part, &broken, Exit::Interrupted)?;
        return Ok(Exit::Interrupted);
    }
    let Some((finding, fix)) = first_fix(&broken.report) else {
        teller.mended(&broken.report, "nothing was found that has a fix", Exit::Findings)?;
        return Ok(Exit::Findings);
    };
    teller.fix(finding, fix)?;
    match again(part, how, fix)? {
        Again::Acted(acted) if !acted.is_whole => {
            teller.end(part, &acted, Exit::Interrupted)?;
            Ok(Exit::Interrupted)
        }
        Again::Acted(acted) if is_whole(&acted.report) => {
            teller.mended(&acted.report, "", Exit::Fine)?;
            Ok(Exit::Fine)
        }
        Again::Acted(acted) => {
            teller.mended(&acted.report, "it is not whole with the fix either", Exit::Findings)?;
            Ok(Exit::Findings)
        }
        Again::ByHand(why) => {
            teller.mended(&broken.report, &why, Exit::Findings)?;
            Ok(Exit::Findings)
        }
    }
}
