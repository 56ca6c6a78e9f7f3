//! Suggests what a user may have meant by a name that does not exist.

/// How many names are suggested.
const OFFERED: usize = 4;
/// How similar two names must be (Jaro-Winkler) for one to be suggested.
const ALIKE: f64 = 0.8;

/// A question to append to an error: the names that begin with what was typed, or else
/// the one that has the most words or letters in common with it. It is empty if no name
/// is similar.
pub fn did_you_mean<'n>(typed: &str, names: impl Iterator<Item = &'n str> + Clone) -> String {
    let typed = typed.to_ascii_lowercase().replace(['_', ' '], "-");
    let begin: Vec<_> = names
        .clone()
        .filter(|name| !typed.is_empty() && name.to_ascii_lowercase().starts_with(&typed))
        .collect();
    let offered = if begin.is_empty() { nearest(&typed, names).into_iter().collect() } else { begin };
    match &offered[..] {
        [] => String::new(),
        names => {
            let shown: Vec<_> = names.iter().take(OFFERED).map(|name| format!("`{name}`")).collect();
            let more = if names.len() > OFFERED { ", …" } else { "" };
            format!("; did you mean {}{more}?", shown.join(", "))
        }
    }
}

fn nearest<'n>(typed: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let shared =
        |name: &str| name.split('-').filter(|word| typed.split('-').any(|part| part == *word)).count();
    let scored =
        names.map(|name| (shared(name), strsim::jaro_winkler(typed, &name.to_ascii_lowercase()), name));
    let best = scored.max_by(|one, other| one.0.cmp(&other.0).then(one.1.total_cmp(&other.1)))?;
    (best.0 > 0 || best.1 > ALIKE).then_some(best.2)
}

/// The names that are most similar to what was typed, the most similar first.
pub fn near<'n>(typed: &str, names: impl Iterator<Item = &'n str>) -> Vec<&'n str> {
    let typed = typed.to_lowercase();
    let score = |name: &str| {
        let name = name.to_lowercase();
        let holds = !typed.is_empty() && !name.is_empty() && (name.contains(&typed) || typed.contains(&name));
        if holds { 1.0 } else { strsim::jaro_winkler(&typed, &name) }
    };
    let mut scored: Vec<_> =
        names.map(|name| (score(name), name)).filter(|(score, _)| *score > ALIKE).collect();
    scored.sort_by(|one, other| other.0.total_cmp(&one.0).then(one.1.cmp(other.1)));
    scored.into_iter().map(|(_, name)| name).take(OFFERED).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 4] =
        ["worker-silent-fork", "worker-silent-killed", "no-worker", "propagator-mismatch"];

    #[test]
    fn names_of_any_kind_are_near() {
        let queues = ["orders", "order_events", "billing", "celery"];
        let near = |typed| near(typed, queues.into_iter());
        assert_eq!(near("oders")[0], "orders");
        assert_eq!(near("Orders")[0], "orders");
        assert_eq!(near("bill"), ["billing"]);
        assert_eq!(near("xyz"), [""; 0]);
        assert_eq!(near(""), [""; 0]);
    }

    #[test]
    fn what_is_like_it_is_offered() {
        let hint = |typed| did_you_mean(typed, NAMES.into_iter());
        assert_eq!(hint("worker-silent"), "; did you mean `worker-silent-fork`, `worker-silent-killed`?");
        assert_eq!(hint("propagator-mismtach"), "; did you mean `propagator-mismatch`?");
        assert_eq!(hint("Propagator"), "; did you mean `propagator-mismatch`?");
        assert_eq!(hint("mismatch"), "; did you mean `propagator-mismatch`?");
        assert_eq!(hint("no-wroker"), "; did you mean `no-worker`?");
        assert_eq!(hint("xyz"), "");
        assert_eq!(hint(""), "");
    }
}
