//! Which passages a person wants to see.

use super::passage::Passage;

/// What a passage must have. An empty text asks for nothing.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Filter {
    /// A part of the name of one of its services, in lower case.
    pub service: String,
    /// A part of the name of one of its tasks, in lower case.
    pub task: String,
    /// Words, each of which stands in its title, a name, an id or a code, in lower case.
    pub words: Vec<String>,
    pub broken_only: bool,
}

impl Filter {
    /// Reads what a person types: `service:order-api task:process refund`.
    pub fn parse(text: &str) -> Self {
        let mut filter = Self::default();
        for word in text.to_lowercase().split_whitespace() {
            if let Some(service) = word.strip_prefix("service:") {
                service.clone_into(&mut filter.service);
            } else if let Some(task) = word.strip_prefix("task:") {
                task.clone_into(&mut filter.task);
            } else {
                filter.words.push(word.to_owned());
            }
        }
        filter
    }

    /// Whether it asks for nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    pub fn takes(&self, passage: &Passage) -> bool {
        let has = |names: &[String], part: &str| {
            part.is_empty() || names.iter().any(|name| name.to_lowercase().contains(part))
        };
        (!self.broken_only || passage.is_loud())
            && has(&passage.services, &self.service)
            && has(&passage.tasks, &self.task)
            && self.words.iter().all(|word| passage.haystack.contains(word))
    }
}
