//! Cuts ids so that those in one output differ.
//!
//! The first characters of a random id suffice. If they are a time (X-Ray), a count or a
//! name, other characters are shown.

use std::collections::{BTreeMap, BTreeSet};

use crate::report::text::{safe, width};

/// Which characters of an id are shown, in the order in which they are tried.
#[derive(Clone, Copy, Debug)]
enum Cut {
    First(usize),
    Last(usize),
    Ends(usize),
    Whole,
}

impl Cut {
    const ALL: [Self; 9] = [
        Self::First(8),
        Self::Last(8),
        Self::Ends(8),
        Self::First(12),
        Self::Last(12),
        Self::First(16),
        Self::Last(16),
        Self::Ends(12),
        Self::Whole,
    ];

    fn cut(self, id: &str) -> String {
        let first = |shown: usize| id.chars().take(shown).collect::<String>();
        let letters = id.chars().count();
        let last = |shown: usize| id.chars().skip(letters.saturating_sub(shown)).collect::<String>();
        match self {
            Self::First(shown) if letters > shown + 1 => format!("{}…", first(shown)),
            Self::Last(shown) if letters > shown + 1 => format!("…{}", last(shown)),
            Self::Ends(shown) if letters > 2 * shown + 1 => format!("{}…{}", first(shown), last(shown)),
            _ => id.to_owned(),
        }
    }
}

/// The ids of an output.
#[derive(Clone, Default, Debug)]
pub struct ShortIds {
    /// The index of the form in [`Cut::ALL`].
    form: usize,
    known: BTreeSet<String>,
    /// The full ids, by what they were cut to.
    cut: BTreeMap<String, String>,
}

impl ShortIds {
    /// How many ids are told apart: no output that people read has more.
    const MOST: usize = 10_000;

    pub fn of<I: ToString>(ids: impl IntoIterator<Item = I>) -> Self {
        let mut all = Self::default();
        all.learn(ids);
        all
    }

    /// Adds the ids that will be shown next. Ids that were shown before stay as they are,
    /// or get longer.
    pub fn learn<I: ToString>(&mut self, ids: impl IntoIterator<Item = I>) {
        for id in ids {
            let id = safe(&id.to_string());
            if self.known.len() < Self::MOST && self.known.insert(id.clone()) {
                self.fit_in(id);
            }
        }
    }

    fn form(&self) -> Cut {
        Cut::ALL[self.form.min(Cut::ALL.len() - 1)]
    }

    fn fit_in(&mut self, id: String) {
        let cut = self.form().cut(&id);
        if self.cut.get(&cut).is_none_or(|other| *other == id) {
            self.cut.insert(cut, id);
            return;
        }
        while self.form + 1 < Cut::ALL.len() {
            self.form += 1;
            let form = self.form();
            self.cut = self.known.iter().map(|id| (form.cut(id), id.clone())).collect();
            if self.cut.len() == self.known.len() {
                return;
            }
        }
    }

    /// An id as this output shows it.
    pub fn cut(&self, id: &impl ToString) -> String {
        self.form().cut(&safe(&id.to_string()))
    }

    /// How many columns the widest takes.
    pub fn width(&self) -> usize {
        self.cut.keys().map(|cut| width(cut)).max().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn as_much_is_shown_as_tells_them_apart() {
        let cut = |ids: &[&str]| {
            let all = ShortIds::of(ids);
            ids.iter().map(|id| all.cut(id)).collect::<Vec<_>>()
        };
        let random = ["7e092b7911111111111111112222222a", "d2f658b611111111111111112222222a"];
        assert_eq!(cut(&random), ["7e092b79…", "d2f658b6…"]);
        let same_second = ["68c1a2b3111111111111111128f1cd67", "68c1a2b3111111111111111131e6a6bb"];
        assert_eq!(cut(&same_second), ["…28f1cd67", "…31e6a6bb"]);
        let both = [
            "68c1a2b3111111111111111128f1cd67",
            "68c1a2b3111111111111111131e6a6bb",
            "77c1a2b3111111111111111128f1cd67",
        ];
        assert_eq!(cut(&both)[0], "68c1a2b3…28f1cd67");
        let named = ["order-00000001-of-batch-2026", "order-00000002-of-batch-2026"];
        assert_eq!(cut(&named), ["order-00000001-o…", "order-00000002-o…"]);
        assert_eq!(cut(&["t1", "t2"]), ["t1", "t2"]);
    }

    proptest! {
        #[test]
        fn no_two_look_alike(ids in proptest::collection::btree_set("[ab]{0,40}", 0..60)) {
            let all = ShortIds::of(&ids);
            let cut: BTreeSet<_> = ids.iter().map(|id| all.cut(id)).collect();
            prop_assert_eq!(cut.len(), ids.len());
            prop_assert!(cut.iter().all(|cut| width(cut) <= all.width()));
        }
    }
}
