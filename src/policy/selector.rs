//! Names of diagnoses, as users write them: a slug, a code, or the beginning of codes.

use std::str::FromStr;

use super::suggest::did_you_mean;
use crate::diagnosis::{self, Diagnosis};

/// The diagnoses that a name stands for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Selector {
    /// A code, or the beginning of codes, in capitals.
    prefix: String,
}

impl Selector {
    /// Whether it stands for the diagnosis with this code.
    pub fn names(&self, code: &str) -> bool {
        code.starts_with(&self.prefix)
    }

    /// The diagnosis of that slug or code.
    ///
    /// # Errors
    ///
    /// That there is none, and the most similar name.
    pub fn one(name: &str) -> Result<&'static Diagnosis, String> {
        diagnosis::find(name).ok_or_else(|| unknown(name))
    }
}

impl FromStr for Selector {
    type Err = String;

    /// `propagator-mismatch`, `TL301`, or `TL3` for all codes that begin with it.
    fn from_str(name: &str) -> Result<Self, String> {
        let name = name.trim();
        if let Some(diagnosis) = diagnosis::find(name) {
            return Ok(Self { prefix: diagnosis.code.to_owned() });
        }
        let prefix = name.to_ascii_uppercase();
        let is_prefix = prefix.starts_with("TL")
            && diagnosis::all().iter().any(|diagnosis| diagnosis.code.starts_with(&prefix));
        if is_prefix { Ok(Self { prefix }) } else { Err(unknown(name)) }
    }
}

fn unknown(name: &str) -> String {
    let all = diagnosis::all();
    let looks_like_code = name.get(..2).is_some_and(|start| start.eq_ignore_ascii_case("tl"));
    let names = all.iter().map(|diagnosis| if looks_like_code { diagnosis.code } else { diagnosis.slug });
    let typed = if looks_like_code { name.to_ascii_uppercase() } else { name.to_owned() };
    let hint = did_you_mean(&typed, names);
    format!("no diagnosis is called `{}`{hint}", name.escape_debug())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slug_a_code_and_the_beginning_of_codes_name_diagnoses() {
        let names = |name: &str, code| name.parse::<Selector>().expect("known").names(code);
        assert!(names("propagator-mismatch", "TL301") && !names("propagator-mismatch", "TL302"));
        assert!(names("tl301", "TL301") && names("TL3", "TL302") && !names("TL3", "TL201"));
        assert!(names("TL", "TL101"));
    }

    #[test]
    fn what_names_none_is_told_with_the_nearest() {
        let told = |name: &str| name.parse::<Selector>().expect_err("unknown");
        assert_eq!(
            told("propagator-mismtach"),
            "no diagnosis is called `propagator-mismtach`; did you mean `propagator-mismatch`?"
        );
        assert!(told("TL3011").contains("did you mean `TL301`?"), "{}", told("TL3011"));
        assert!(told("").starts_with("no diagnosis"));
        assert!(!told("\u{1b}[2J").contains('\u{1b}'));
    }
}
