//! A fix that makes a setting of OpenTelemetry: in code or by the environment, as each
//! side is set up.

use crate::diagnosis::known::SdkSetup;
use crate::model::{Fix, FixPlace, Language, Side, Text};

/// A setting that can be made in two ways.
#[derive(Debug)]
pub(super) struct SettingFix<'w> {
    /// What making it does, such as `set the same propagators`.
    pub does: &'w str,
    pub place: FixPlace,
    /// Lines of Python for that place.
    pub python: Vec<Text>,
    /// The variables that do the same.
    pub environment: Vec<Text>,
    /// The packages of Python that both ways need. What reads the environment in
    /// Node brings its own.
    pub installs: Vec<Text>,
}

impl SettingFix<'_> {
    /// The fix that goes where each side makes the setting. A launcher reads the
    /// environment, and a program that sets OpenTelemetry up in code may override
    /// it. Of other languages than Python the environment is all that is known.
    /// Where a side was not seen, the environment is the second choice; beside a side
    /// that a launcher sets up it is the first.
    pub fn by(&self, sides: &[(Side, &SdkSetup)]) -> Vec<Fix> {
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

    pub fn fix(&self, sides: &[Way]) -> Fix {
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
pub(super) struct Way {
    pub side: Side,
    pub is_in_environment: bool,
    pub is_python: bool,
}

impl Way {
    pub fn of(side: Side, setting: &SdkSetup) -> Self {
        let is_python = setting.language.code() == Some(Language::Python);
        let is_launched = setting.is_zero_code == Some(true) || setting.is_beside_zero_code;
        Self { side, is_in_environment: is_launched || !is_python, is_python }
    }
}
