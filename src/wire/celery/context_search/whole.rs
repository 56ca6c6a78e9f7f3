//! The search of a whole message: its headers, its properties and, where these hold no
//! context, its arguments.

use std::borrow::Cow;

use serde_json::Value;
use serde_json::value::RawValue;

use super::ContextSearch;
use super::kept::Kept;
use crate::model::NextTask;
use crate::wire::celery::body::TaskBody;
use crate::wire::celery::bounded;
use crate::wire::celery::envelope::{Envelope, Headers};
use crate::wire::celery::lenient::text;
use crate::wire::celery::text::{NAME, cut};

/// How many of the tasks in a body are searched for a context.
const SIGNATURES: usize = 16;

/// What was found in a message and, of a search that keeps it, what may be saved of each
/// part.
#[derive(Default, Debug)]
pub struct Searched {
    pub found: ContextSearch,
    pub headers: Vec<(String, Value)>,
    pub properties: Vec<(String, Value)>,
    pub args: Kept,
    pub kwargs: Kept,
    /// Of `argsrepr` and `kwargsrepr`.
    pub reprs: [Option<String>; 2],
    /// The next task of the chain that travels in the body.
    pub chain_next: Option<NextTask>,
    /// Whether a task that travels in the body has a context already.
    pub hands_on: bool,
}

impl ContextSearch {
    /// Searches a message. Its body is decoded only if it must be, and `decoded` is not given.
    pub fn message(self, envelope: &Envelope<'_>, decoded: Option<&TaskBody>) -> Searched {
        let mut searched = Searched { found: self, ..Searched::default() };
        let custom = parsed(&envelope.headers.others);
        searched.headers = searched.found.headers(custom.iter().map(|(name, value)| (*name, value)));
        let custom = parsed(&envelope.properties.others);
        searched.properties = searched.found.properties(custom.iter().map(|(name, value)| (*name, value)));
        searched.body(envelope, decoded);
        searched.found.sort();
        searched
    }
}

impl Searched {
    /// Searches the body. That costs twice as much as the rest of the message, so it is done
    /// only if the headers hold no context, or if other tasks travel in the body, whose context
    /// matters too.
    fn body(&mut self, envelope: &Envelope<'_>, decoded: Option<&TaskBody>) {
        let Self { found, .. } = self;
        let has_context = found.has_open();
        if has_context && !found.is_hand_carried() && TaskBody::embeds_nothing(envelope) {
            return;
        }
        let body = match decoded {
            Some(body) => Some(Cow::Borrowed(body)),
            None => TaskBody::of(envelope).ok().map(Cow::Owned),
        };
        let Some(body) = body else {
            let Headers { args_repr, kwargs_repr, .. } = &envelope.headers;
            self.reprs = [(args_repr, "argsrepr"), (kwargs_repr, "kwargsrepr")].map(|(repr, name)| {
                let repr = repr.and_then(text).filter(|_| !has_context)?;
                found.repr(&repr, name)
            });
            return;
        };
        if !has_context {
            self.args = found.arguments(body.args(), "args");
            self.kwargs = found.arguments(body.kwargs(), "kwargs");
        }
        self.hands_on = body
            .embedded()
            .take(SIGNATURES)
            .any(|signature| next_task(signature).is_some_and(|next| next.has_context));
        self.chain_next = body.next_in_chain().and_then(next_task);
    }
}

/// Custom fields as values. One that is nested too deep for the parser, or that has too
/// many values, holds no context that a worker would read either.
fn parsed<'e>(fields: &'e [(Cow<'e, str>, &'e RawValue)]) -> Vec<(&'e str, Value)> {
    let value = |raw: &RawValue| bounded::read(raw.get().as_bytes()).unwrap_or(Value::Bool(false));
    fields.iter().map(|(name, raw)| (&**name, value(raw))).collect()
}

/// The signature of a chain's next task.
fn next_task(signature: &Value) -> Option<NextTask> {
    let task = cut(signature["task"].as_str()?, NAME).into();
    let mut search = ContextSearch::default();
    if let Value::Object(headers) = &signature["options"]["headers"] {
        search.headers(headers.iter().map(|(name, value)| (name.as_str(), value)));
    }
    Some(NextTask { task, has_context: search.has_valid() })
}
