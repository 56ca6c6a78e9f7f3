//! The fixes, by what they change.
//!
//! Each says which diagnoses it mends, by their codes: `grep TL301` in this folder
//! finds the fix for TL301. A rule takes its fixes from here and writes none of its
//! own, so that two rules which mend the same thing say the same. Every line can be
//! pasted where its step says: a name in it is imported by the fix, bound at its
//! place, or taken from the evidence.
//!
//! What comes from outside (a key, the name of a queue) is put into a line only
//! as [`plain`] lets it, since people paste these lines into a shell.
//!
//! What is pasted inside of a function imports under names that no program has
//! (`inject as write_context`): an import makes its name local to the whole function,
//! and a line above it that uses `propagate` would fail.

pub mod carrier;
pub mod celery;
pub mod envelope;
pub mod export;
pub mod extraction;
pub mod forwarding;
pub mod identity;
pub mod injection;
pub mod instrumentation;
pub mod processor;
pub mod propagators;
pub mod request;
pub mod sampling;
pub mod setup;
pub mod silence;
mod task_context;
pub mod tracelink;
pub mod vendors;

use super::known::Setting;
use crate::model::{Fix, FixPlace, Language, Side, Text};

/// A setting that can be made in two ways.
#[derive(Debug)]
struct Ways<'w> {
    /// What making it does, such as `set the same propagators`.
    does: &'w str,
    place: FixPlace,
    /// Lines of Python for that place.
    python: Vec<Text>,
    /// The variables that do the same.
    environment: Vec<Text>,
    /// The packages of Python that both ways need. What reads the environment in
    /// Node brings its own.
    installs: Vec<Text>,
}

impl Ways<'_> {
    /// The fix that goes where each side makes the setting. A launcher reads the
    /// environment, and a program that sets OpenTelemetry up in code may override
    /// it. Of other languages than Python the environment is all that is known.
    /// Where a side was not seen, the environment is the second choice; beside a side
    /// that a launcher sets up it is the first.
    fn by(&self, sides: &[(Side, &Setting)]) -> Vec<Fix> {
        let seen: Vec<_> = sides.iter().map(|(side, setting)| Way::of(*side, setting)).collect();
        let mut fixes = vec![self.fix(&seen)];
        if sides.iter().any(|(_, setting)| setting.is_zero_code.is_none())
            && seen.iter().any(|way| !way.is_in_environment)
        {
            let environment: Vec<_> =
                seen.iter().map(|way| Way { is_in_environment: true, ..*way }).collect();
            fixes.push(self.fix(&environment).needing("no code of the program sets it: code wins"));
        }
        if sides.iter().any(|(_, setting)| setting.is_beside_zero_code)
            && seen.iter().all(|way| way.is_python)
        {
            let in_code: Vec<_> = seen.iter().map(|way| Way { is_in_environment: false, ..*way }).collect();
            fixes.push(self.fix(&in_code).needing("code of the program sets it: no launcher does"));
        }
        fixes
    }

    fn fix(&self, sides: &[Way]) -> Fix {
        let by = match sides {
            _ if sides.iter().all(|way| way.is_in_environment) => "by environment",
            _ if sides.iter().any(|way| way.is_in_environment) => "where each side sets it",
            _ => "in code",
        };
        let is_one = sides.iter().all(|way| {
            way.is_in_environment == sides[0].is_in_environment
                && (way.is_python == sides[0].is_python || self.installs.is_empty())
        });
        let both = [Way { side: Side::Both, ..sides[0] }];
        let steps = if sides.len() > 1 && is_one { &both[..] } else { sides };
        steps.iter().fold(Fix::new(format!("{}, {by}", self.does)), |fix, way| {
            let fix = if way.is_in_environment {
                fix.environment(way.side, self.environment.iter().cloned())
            } else {
                fix.python(way.side, self.place, self.python.iter().cloned())
            };
            fix.installing(self.installs.iter().filter(|_| way.is_python).cloned())
        })
    }
}

/// How one side makes the setting.
#[derive(Clone, Copy, Debug)]
struct Way {
    side: Side,
    is_in_environment: bool,
    is_python: bool,
}

impl Way {
    fn of(side: Side, setting: &Setting) -> Self {
        let is_python = setting.language.code() == Some(Language::Python);
        let is_launched = setting.is_zero_code == Some(true) || setting.is_beside_zero_code;
        Self { side, is_in_environment: is_launched || !is_python, is_python }
    }
}

/// Fixes of several choices for the documentation, each title once.
pub fn distinct(fixes: impl IntoIterator<Item = Fix>) -> Vec<Fix> {
    let mut distinct: Vec<Fix> = Vec::new();
    for fix in fixes {
        if distinct.iter().all(|known| known.title != fix.title) {
            distinct.push(fix);
        }
    }
    distinct
}

/// A name from outside as it may stand in a line to paste: what is longer than 64
/// bytes, or holds more than letters, digits and these signs, is not repeated.
fn plain<'n>(name: &'n str, signs: &[u8], otherwise: &'static str) -> &'n str {
    const LONGEST: usize = 64;
    let is_plain = name.len() <= LONGEST
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || signs.contains(&byte));
    if is_plain { name } else { otherwise }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_shell_could_read_is_not_repeated() {
        assert_eq!(plain("trace-context", b"-_.", "…"), "trace-context");
        assert_eq!(plain("a; rm -rf ~", b"-_.", "…"), "…");
        assert_eq!(plain(&"a".repeat(65), b"-_.", "…"), "…");
    }
}
