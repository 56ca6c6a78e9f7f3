//! Which task a hand-made span is about: it carries no id, but usually the task's name.

use std::collections::BTreeSet;

use crate::model::Map;

/// The names of tasks, to be found in the names of spans. A span's name mentions a task if
/// it contains the task's full name, or the last part of that, as a word.
///
/// Matching ten thousand of each costs as much as their words, not as their pairs.
#[derive(Default)]
pub struct TaskNames<'e> {
    /// The longest name for each last part that is one word. A full name never occurs where
    /// its last part does not.
    by_word: Map<&'e str, &'e str>,
    /// Names whose last part is several words, or none: the first few.
    odd: BTreeSet<&'e str>,
}

impl<'e> TaskNames<'e> {
    const ODD: usize = 256;

    pub fn of(names: impl Iterator<Item = &'e str>) -> Self {
        let mut tasks = Self::default();
        for name in names.filter(|name| !name.is_empty()) {
            let last = last_part(name);
            if last.is_empty() || !last.chars().all(is_of_a_word) {
                tasks.odd.insert(name);
                if tasks.odd.len() > Self::ODD {
                    tasks.odd.pop_last();
                }
                continue;
            }
            let longest = tasks.by_word.entry(last).or_insert(name);
            if length(longest) < length(name) {
                *longest = name;
            }
        }
        tasks
    }

    /// The task with the longest name that a span's name mentions.
    pub fn named_by(&self, span: &str) -> Option<&'e str> {
        let words = span.split(|letter| !is_of_a_word(letter));
        let found = words.filter_map(|word| self.by_word.get(word));
        let odd = self.odd.iter().filter(|task| names_task(span, task));
        found.chain(odd).copied().max_by_key(|task| length(task))
    }
}

/// Which of two names is kept: the longer one, in whatever order they came.
const fn length(task: &str) -> (usize, &str) {
    (task.len(), task)
}

fn last_part(task: &str) -> &str {
    task.rsplit('.').next().unwrap_or(task)
}

fn is_of_a_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

/// Whether a span's name mentions a task: by its full name, or by the last part of it.
fn names_task(span: &str, task: &str) -> bool {
    let is_word = |part: &str| {
        !part.is_empty()
            && span.match_indices(part).any(|(at, _)| {
                let is_edge = |letter: Option<char>| letter.is_none_or(|letter| !is_of_a_word(letter));
                is_edge(span[..at].chars().next_back()) && is_edge(span[at + part.len()..].chars().next())
            })
    };
    is_word(task) || is_word(last_part(task))
}

#[cfg(test)]
mod tests {
    use super::TaskNames;

    #[test]
    fn a_span_is_a_tasks_by_whole_words_only() {
        let names = |span: &str, task: &str| TaskNames::of([task].into_iter()).named_by(span).is_some();
        assert!(names("process_order", "process_order"));
        assert!(names("audit.write process", "audit.write"));
        assert!(names("consume process_order", "shop.tasks.process_order"));
        assert!(names("consume process-order now", "shop.process-order"));
        assert!(!names("reprocess_order", "process_order"));
        assert!(!names("process_order_again", "shop.process_order"));
        assert!(!names("preprocess-order", "shop.process-order"));
        assert!(!names("anything", ""));
    }

    #[test]
    fn of_several_tasks_the_longest_name_is_meant() {
        let tasks = ["a.send", "shop.mail.send", "b.send", "order", "shop.send-it"];
        let named_by = |span: &str| TaskNames::of(tasks.into_iter()).named_by(span);
        assert_eq!(named_by("send the order"), Some("shop.mail.send"));
        assert_eq!(named_by("order send-it"), Some("shop.mail.send"));
        assert_eq!(named_by("order"), Some("order"));
        assert_eq!(named_by("nothing"), None);
    }
}
