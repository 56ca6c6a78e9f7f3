//! Every field of every input, and what becomes of it. The table of `docs/secrets.md`
//! is made of this one, and the test beside it puts a marker into each field.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt::Write;

/// A field of an input.
pub struct Field {
    pub input: &'static str,
    pub name: &'static str,
    pub kept: bool,
    pub saved: bool,
    pub printed: Printed,
    pub note: &'static str,
}

/// Whether it is printed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Printed {
    No,
    /// Where a finding speaks of it, which those of the test need not.
    InFinding,
    Yes,
}

/// `fate` says whether it is kept in memory, saved and printed: `ksp`, or a dash for
/// each that it is not; `f` where only a finding prints it.
const fn field(input: &'static str, name: &'static str, fate: &str, note: &'static str) -> Field {
    let fate = fate.as_bytes();
    let printed = match fate[2] {
        b'p' => Printed::Yes,
        b'f' => Printed::InFinding,
        _ => Printed::No,
    };
    Field { input, name, kept: fate[0] == b'k', saved: fate[1] == b's', printed, note }
}

const MESSAGE: &str = "message";
const CHAIN: &str = "next task of a chain, in the body";
const PROTOCOL_1: &str = "message, protocol 1";
const HELD: &str = "`unacked`";
const RESULT: &str = "result";
const RESOURCE: &str = "resource";
const SPAN: &str = "span";
const EVENT: &str = "event of a span";
const LINK: &str = "link of a span";
const REQUEST: &str = "HTTP request";
const LINE: &str = "command line";

pub static FIELDS: &[Field] = &[
    field(MESSAGE, "an unknown top-level field", "---", ""),
    field(MESSAGE, "body: args", "---", "contexts are looked for, and kept"),
    field(MESSAGE, "body: kwargs", "---", "the same"),
    field(MESSAGE, "headers.task", "ksp", ""),
    field(MESSAGE, "headers.id", "ksp", ""),
    field(MESSAGE, "headers.root_id", "ksf", ""),
    field(MESSAGE, "headers.parent_id", "ksf", ""),
    field(MESSAGE, "headers.group", "ksf", ""),
    field(MESSAGE, "headers.origin", "ksp", "process and host"),
    field(MESSAGE, "headers.eta", "---", "a time is kept; this is none"),
    field(MESSAGE, "headers.expires", "---", "the same"),
    field(MESSAGE, "headers.argsrepr", "---", "printed by `inspect-queue --show-args`"),
    field(MESSAGE, "headers.kwargsrepr", "---", "the same"),
    field(MESSAGE, "headers.timelimit", "---", ""),
    field(MESSAGE, "headers.group_index", "---", ""),
    field(MESSAGE, "headers.ignore_result", "---", ""),
    field(MESSAGE, "headers.shadow", "---", ""),
    field(MESSAGE, "headers.stamps", "---", ""),
    field(MESSAGE, "headers.stamped_headers", "---", ""),
    field(MESSAGE, "headers.replaced_task_nesting", "---", ""),
    field(MESSAGE, "headers.traceparent, malformed", "ksp", "quoted, to show what is wrong with it"),
    field(MESSAGE, "headers.tracestate: key", "-s-", ""),
    field(MESSAGE, "headers.tracestate: value", "---", ""),
    field(MESSAGE, "headers.baggage: key", "ksp", ""),
    field(MESSAGE, "headers.baggage: value", "---", ""),
    field(MESSAGE, "headers.baggage: a piece without =", "---", ""),
    field(MESSAGE, "headers.x-datadog-tags: another tag", "---", ""),
    field(MESSAGE, "headers: name of another", "ksf", ""),
    field(MESSAGE, "headers: value of another", "---", "contexts are looked for, and kept"),
    field(MESSAGE, "headers.authorization", "---", ""),
    field(MESSAGE, "properties.correlation_id", "-s-", "read where a message has no id"),
    field(MESSAGE, "properties.delivery_tag", "-s-", ""),
    field(MESSAGE, "properties.reply_to", "---", ""),
    field(MESSAGE, "properties.app_id", "---", ""),
    field(MESSAGE, "properties.user_id", "---", ""),
    field(MESSAGE, "properties.message_id", "---", ""),
    field(MESSAGE, "properties.type", "---", ""),
    field(MESSAGE, "properties.expiration", "---", ""),
    field(MESSAGE, "properties: name of another", "-s-", ""),
    field(MESSAGE, "properties: value of another", "---", "contexts are looked for, and kept"),
    field(MESSAGE, "properties.delivery_info.exchange", "ksf", ""),
    field(MESSAGE, "properties.delivery_info.routing_key", "ksf", ""),
    field(MESSAGE, "properties.delivery_info: another", "---", ""),
    field(CHAIN, "task", "ksf", ""),
    field(CHAIN, "args", "---", ""),
    field(CHAIN, "value of a header", "---", "contexts are looked for, and kept"),
    field(PROTOCOL_1, "body: task", "ksp", ""),
    field(PROTOCOL_1, "body: id", "ksp", ""),
    field(PROTOCOL_1, "body: args", "---", ""),
    field(PROTOCOL_1, "body: another field", "---", ""),
    field(HELD, "name of the field, a delivery tag", "-s-", ""),
    field(HELD, "second part", "---", "the exchange of the message stands there"),
    field(HELD, "third part", "---", "the routing key of the message stands there"),
    field(HELD, "fourth part", "---", ""),
    field(RESULT, "status of the application's own", "ksp", ""),
    field(RESULT, "result, as returned", "---", ""),
    field(RESULT, "result.exc_type", "ksp", ""),
    field(RESULT, "result.exc_message", "---", "printed with `--show-messages`; what libraries say is kept"),
    field(RESULT, "result.exc_module", "---", ""),
    field(RESULT, "traceback", "---", "whether it reads a trace context is kept"),
    field(RESULT, "name", "ksp", ""),
    field(RESULT, "worker", "ksf", ""),
    field(RESULT, "args", "---", ""),
    field(RESULT, "children", "---", ""),
    field(RESOURCE, "service.name", "ksp", ""),
    field(RESOURCE, "service.instance.id", "ksf", ""),
    field(RESOURCE, "host.name", "ksf", ""),
    field(RESOURCE, "telemetry.sdk.version", "ksf", ""),
    field(RESOURCE, "telemetry.auto.version", "---", "that it is there is kept"),
    field(RESOURCE, "name of another attribute", "---", ""),
    field(RESOURCE, "value of another attribute", "---", ""),
    field(SPAN, "scope: name", "---", "that of an instrumentor of OpenTelemetry is kept, with its version"),
    field(SPAN, "scope: value of an attribute", "---", ""),
    field(SPAN, "name", "ksp", ""),
    field(SPAN, "name: user and password of a URL", "---", ""),
    field(SPAN, "name: query of a URL", "---", ""),
    field(SPAN, "traceState: key", "-s-", ""),
    field(SPAN, "traceState: value", "---", ""),
    field(SPAN, "status message", "---", "the type of an exception is kept; printed with `--show-messages`"),
    field(SPAN, "celery.task_name", "ksp", ""),
    field(SPAN, "messaging.message.id", "ksp", ""),
    field(SPAN, "messaging.destination.name", "ksf", ""),
    field(SPAN, "celery.exchange", "ksf", ""),
    field(SPAN, "celery.hostname", "ksf", ""),
    field(SPAN, "celery.delivery_info", "---", "whether it says that it is redelivered is kept"),
    field(SPAN, "server.address", "ksf", ""),
    field(SPAN, "db.system", "ksf", ""),
    field(SPAN, "db.operation", "-s-", ""),
    field(SPAN, "db.statement", "---", ""),
    field(SPAN, "http.url", "---", ""),
    field(SPAN, "http.request.header.authorization", "---", ""),
    field(SPAN, "name of another attribute", "---", ""),
    field(SPAN, "value of another attribute", "---", ""),
    field(EVENT, "exception.type", "ksp", ""),
    field(EVENT, "exception.message", "---", "printed with `--show-messages`; what libraries say is kept"),
    field(EVENT, "exception.stacktrace", "---", ""),
    field(EVENT, "name of another", "---", ""),
    field(EVENT, "value of an attribute of another", "---", ""),
    field(LINK, "traceState", "---", ""),
    field(LINK, "value of an attribute", "---", ""),
    field(REQUEST, "user-agent", "ksf", "told where requests come a wrong way"),
    field(REQUEST, "path", "ksf", "the same"),
    field(REQUEST, "query", "---", ""),
    field(REQUEST, "authorization", "---", "not sent on either"),
    field(REQUEST, "another header", "---", ""),
    field(LINE, "--broker: password", "---", ""),
    field(LINE, "--result-backend: password", "---", ""),
    field(LINE, "--forward: user", "---", "sent to the endpoint"),
    field(LINE, "--forward: password", "---", "sent to the endpoint"),
    field(LINE, "--forward: path", "---", "sent to the endpoint"),
    field(LINE, "--forward: query", "---", "sent to the endpoint"),
    field(LINE, "--forward-headers: value", "---", "sent to the endpoint"),
    field(LINE, "--forward-headers: a piece without =", "---", ""),
    field(LINE, "a URL where a queue should be: password", "---", ""),
];

/// Markers, one for each field.
#[derive(Default)]
pub struct Marks {
    used: RefCell<BTreeSet<usize>>,
}

impl Marks {
    /// The marker for a field, which must be in the table.
    pub fn of(&self, input: &str, name: &str) -> String {
        let place = FIELDS.iter().position(|field| (field.input, field.name) == (input, name));
        let place = place.unwrap_or_else(|| panic!("{input} {name} is not in the table"));
        self.used.borrow_mut().insert(place);
        mark(place)
    }

    /// The fields that no input was made of.
    pub fn unused(&self) -> Vec<&'static str> {
        let used = self.used.borrow();
        let unused = FIELDS.iter().enumerate().filter(|(place, _)| !used.contains(place));
        unused.map(|(_, field)| field.name).collect()
    }
}

pub fn mark(place: usize) -> String {
    format!("mk{place:03}z")
}

/// The table as the page has it.
pub fn table() -> String {
    let mut text = "| input | field | kept | saved | printed | |\n|---|---|---|---|---|---|\n".to_owned();
    let said = |is: bool| if is { "yes" } else { "no" };
    for Field { input, name, kept, saved, printed, note } in FIELDS {
        let [kept, saved] = [kept, saved].map(|is| said(*is));
        let printed = match printed {
            Printed::No => "no",
            Printed::InFinding => "in a finding",
            Printed::Yes => "yes",
        };
        let _ = writeln!(text, "| {input} | {name} | {kept} | {saved} | {printed} | {note} |");
    }
    text
}
