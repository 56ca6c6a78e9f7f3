//! Server-sent events as they are written:
//! <https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream>.

use std::fmt::Write as _;

/// Events that are sent together.
#[derive(Default)]
pub struct Events(String);

impl Events {
    /// An event. `data` may have lines; what they end with is not kept. A browser passes over
    /// an event without data.
    pub fn push(&mut self, name: &str, data: &str) {
        let _ = writeln!(self.0, "event: {name}");
        // A carriage return ends a line too, so that an event within an event would begin.
        for line in data.split('\n').flat_map(|line| line.split('\r')) {
            let _ = writeln!(self.0, "data: {line}");
        }
        self.0.push('\n');
    }

    /// Says that a page which loses its connection goes on from this number.
    pub fn reached(&mut self, number: u64) {
        let _ = writeln!(self.0, "id: {number}\n");
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn into_text(self) -> String {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_data_begins_an_event_or_a_field_of_its_own() {
        let mut events = Events::default();
        events.push("passage", "<b>a\r\n\revent: end\n\nid: 7</b>");
        events.reached(12);
        let text = events.into_text();
        assert_eq!(text.matches("\n\n").count(), 2, "{text}");
        let fields = text.split(['\n', '\r']).filter(|line| !line.is_empty());
        let names: Vec<_> = fields.map(|line| line.split(':').next().unwrap_or_default()).collect();
        assert_eq!(names, ["event", "data", "data", "data", "data", "data", "data", "id"], "{text}");
    }
}
