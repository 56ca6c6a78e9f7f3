//! Evidence, quoted the way a reader can find it again.

use crate::evidence::SpanRef;
use crate::model::{CarriedContext, Message, MessageState, Quote, TaskResult};

/// Where a message lies: `celery[3]`, or `unacked` with its task id.
pub fn place(message: &Message) -> String {
    match (message.state, message.index) {
        // The key that it is stored under: a priority or a prefix may be part of it.
        (MessageState::Ready, Some(index)) => {
            format!("{}[{index}]", message.list.as_ref().unwrap_or(&message.queue))
        }
        (MessageState::Ready, None) => message.queue.to_string(),
        (MessageState::Unacked | MessageState::Scheduled, _) => format!("unacked {}", message.id),
    }
}

/// A context as it was written, with the wrong characters marked.
pub fn context(message: &Message, carried: &CarriedContext) -> Quote {
    let marks = carried.reading.as_ref().err().map(|flaw| flaw.marks.clone()).unwrap_or_default();
    Quote {
        at: format!("{}.{}", place(message), carried.at),
        text: carried.text.to_string(),
        marks,
        note: String::new(),
    }
}

/// Says that a message holds no context, and what it does hold.
pub fn no_context(message: &Message) -> Quote {
    let others: Vec<_> = message.other_headers.iter().map(|name| &**name).collect();
    let text = if others.is_empty() {
        "no trace context in headers, properties or arguments".to_owned()
    } else {
        format!("no trace context; custom headers: {}", others.join(", "))
    };
    fact(format!("{}.headers", place(message)), text)
}

/// A header's value, or any other fact with a place.
pub fn fact(at: impl Into<String>, text: impl Into<String>) -> Quote {
    Quote { at: at.into(), text: text.into(), ..Quote::default() }
}

/// A span, with its place in the trace.
pub fn span(found: SpanRef<'_>) -> Quote {
    let parent = match found.span.parent {
        Some(parent) => format!("parent {parent}"),
        None => "a root, no parent".to_owned(),
    };
    fact(
        format!("span {} of {}", found.span.name, found.span.service()),
        format!("trace {}, span {}, {parent}", found.trace.id, found.span.id),
    )
}

/// What the result backend says.
pub fn result(result: &TaskResult) -> Quote {
    let at = format!("celery-task-meta-{}", result.task_id);
    match &result.exception {
        Some(exception) => fact(at, format!("{}: {}", exception.kind, exception.message)),
        None => fact(at, format!("{:?}", result.status).to_uppercase()),
    }
}
