//! Which fixes were tried: `tests/python/mend.py` pastes the fixes of the demo's faults
//! into their programs, and records the results in `docs/tried-fixes.json`.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

#[derive(Deserialize)]
struct Kept {
    tries: Vec<Try>,
}

/// All faults, with one set of versions.
#[derive(Deserialize)]
struct Try {
    versions: BTreeMap<String, String>,
    #[serde(default)]
    faults: Vec<Fault>,
    /// Of programs that are not the demo's.
    #[serde(default)]
    programs: Vec<Fault>,
}

#[derive(Deserialize)]
struct Fault {
    /// Of the diagnosis that named it.
    code: String,
    fixes: Vec<Tried>,
}

#[derive(Deserialize)]
struct Tried {
    title: String,
    result: String,
}

static KEPT: LazyLock<Kept> = LazyLock::new(|| {
    let text = include_str!("../../docs/tried-fixes.json");
    serde_json::from_str(text).expect("it is part of the program, and read by a test of this module")
});

/// What a fix was tried with, if it mended everything that it was pasted into.
pub fn with(code: &str, title: &str) -> Option<String> {
    KEPT.with(code, title)
}

impl Kept {
    fn with(&self, code: &str, title: &str) -> Option<String> {
        let has_mended = |one: &&Try| {
            let of_code = one.all().filter(|fault| fault.code == code);
            let mut results = of_code
                .flat_map(|fault| &fault.fixes)
                .filter(|fix| fix.title == title)
                .map(|fix| fix.result == "mended")
                .peekable();
            results.peek().is_some() && results.all(|is_mended| is_mended)
        };
        let versions: Vec<_> = self.tries.iter().filter(has_mended).map(Try::said).collect();
        (!versions.is_empty()).then(|| format!("tried with {}", versions.join(", and with ")))
    }

    #[cfg(test)]
    fn mended(&self) -> impl Iterator<Item = (&str, &str)> {
        let faults = self.tries.iter().flat_map(Try::all);
        faults.flat_map(|fault| {
            let mended = fault.fixes.iter().filter(|fix| fix.result == "mended");
            mended.map(|fix| (&*fault.code, &*fix.title))
        })
    }
}

impl Try {
    fn all(&self) -> impl Iterator<Item = &Fault> {
        self.faults.iter().chain(&self.programs)
    }

    fn said(&self) -> String {
        let version = |name: &str| self.versions.get(name).map_or("?", String::as_str);
        format!(
            "Celery {}, OpenTelemetry {} and Python {}",
            version("celery"),
            version("opentelemetry-sdk"),
            version("python")
        )
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::diagnosis;

    /// What it says is said of a fix: of enough of them to show that the names agree.
    #[test]
    fn most_of_what_mended_is_declared_under_its_name() {
        let declared: BTreeSet<_> = diagnosis::all()
            .into_iter()
            .flat_map(|rule| (rule.fixes)().into_iter().map(|fix| (rule.code, fix.title.into_owned())))
            .collect();
        let mended: BTreeSet<_> = KEPT.mended().collect();
        let is_declared = |(code, title): &&(&str, &str)| declared.contains(&(*code, (*title).to_owned()));
        let known = mended.iter().filter(is_declared).count();
        assert!(known > 20 && known * 10 >= mended.len() * 8, "{known} of {}", mended.len());
    }

    #[test]
    fn it_was_tried_where_it_mended_all() {
        let text = r#"{"about": "", "tries": [
            {"versions": {"celery": "5.2.7", "opentelemetry-sdk": "1.19.0", "python": "3.11.7"}, "faults": [
              {"fault": "a", "code": "TL301", "fixes": [{"title": "one", "result": "mended"},
                                                        {"title": "two", "result": "mended"}]}]},
            {"versions": {"celery": "5.7.0", "opentelemetry-sdk": "1.45.2", "python": "3.11.7"}, "faults": [
              {"fault": "a", "code": "TL301", "fixes": [{"title": "one", "result": "mended"}]},
              {"fault": "b", "code": "TL301", "fixes": [{"title": "one", "result": "mended"},
                                                        {"title": "two", "result": "depends"}]}]}]}"#;
        let kept: Kept = serde_json::from_str(text).expect("as it is written");
        let both = "tried with Celery 5.2.7, OpenTelemetry 1.19.0 and Python 3.11.7, \
                    and with Celery 5.7.0, OpenTelemetry 1.45.2 and Python 3.11.7";
        assert_eq!(kept.with("TL301", "one").as_deref(), Some(both));
        let old = "tried with Celery 5.2.7, OpenTelemetry 1.19.0 and Python 3.11.7";
        assert_eq!(kept.with("TL301", "two").as_deref(), Some(old));
        assert_eq!(kept.with("TL301", "three"), None);
        assert_eq!(kept.with("TL302", "one"), None);
    }
}
