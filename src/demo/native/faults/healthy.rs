//! Healthy, whatever it looks like: there must be no findings.

use super::hand_made::{by_hand, hand, reader};
use crate::demo::native::fault::Fault;
use crate::demo::native::scenario::PublishedBy;
use crate::demo::native::setup::{Canvas, Client, Email, Form, Reads, RunSpan, Source};
use crate::demo::orders::Incoming;

const WHOLE: &str = "one whole trace";

pub static FAULTS: &[Fault] = &[
    Fault { slug: "healthy", what: "nothing", seen: WHOLE, expects: None, also: &[], change: |_| {} },
    Fault {
        slug: "healthy-by-hand",
        what: "nothing: carrier and consumer span are written by hand, as in the article",
        seen: WHOLE,
        expects: None,
        also: &[],
        change: by_hand,
    },
    Fault {
        slug: "healthy-by-hand-flat",
        what: "nothing: flat headers, injected and extracted by hand",
        seen: WHOLE,
        expects: None,
        also: &[],
        change: |scenario| {
            hand(scenario, Source::Current, Form::Flat);
            reader(scenario, Reads::Flat);
        },
    },
    Fault {
        slug: "healthy-links",
        what: "nothing: the worker links its spans to the request instead of hanging them under it",
        seen: "two traces with a link between them",
        expects: None,
        also: &[],
        change: |scenario| scenario.worker.instrumentor = Some(RunSpan::Link),
    },
    Fault {
        slug: "healthy-beat",
        what: "nothing: a scheduler publishes, and each publishing is a root",
        seen: "one trace for each run",
        expects: None,
        also: &[],
        change: |scenario| {
            scenario.published_by = PublishedBy::Client(Client::Beat(2));
            scenario.api_sdk.service = "order-beat";
        },
    },
    Fault {
        slug: "healthy-script",
        what: "nothing: a script publishes, inside and outside of a span of its own",
        seen: "one trace for each task",
        expects: None,
        also: &[],
        change: |scenario| {
            scenario.published_by = PublishedBy::Client(Client::Script(2));
            scenario.api_sdk.service = "order-import";
        },
    },
    Fault {
        slug: "healthy-retries",
        what: "nothing with the trace: the email service fails twice, and the task is retried",
        seen: "one trace with three attempts",
        expects: None,
        also: &[],
        change: |scenario| scenario.worker.email = Email::Fails(2),
    },
    Fault {
        slug: "failing-task",
        what: "nothing with the trace: the email service refuses for good, and the task fails",
        seen: "one whole trace, red",
        expects: None,
        also: &[],
        change: |scenario| scenario.worker.email = Email::Declines,
    },
    Fault {
        slug: "healthy-eta",
        what: "nothing: the task is to run in a second",
        seen: "one whole trace with a gap",
        expects: None,
        also: &[],
        change: |scenario| scenario.api.canvas = Canvas::Later(1000),
    },
    Fault {
        slug: "healthy-chain",
        what: "nothing: one task publishes the next",
        seen: WHOLE,
        expects: None,
        also: &[],
        change: |scenario| scenario.api.canvas = Canvas::Chain,
    },
    Fault {
        slug: "healthy-group",
        what: "nothing: two tasks side by side",
        seen: WHOLE,
        expects: None,
        also: &[],
        change: |scenario| scenario.api.canvas = Canvas::Group,
    },
    Fault {
        slug: "healthy-chord",
        what: "nothing: two tasks side by side, and one after both",
        seen: WHOLE,
        expects: None,
        also: &[],
        change: |scenario| scenario.api.canvas = Canvas::Chord,
    },
    Fault {
        slug: "healthy-send-task",
        what: "nothing: the API publishes by name, and its span ends at once",
        seen: WHOLE,
        expects: None,
        also: &[],
        change: |scenario| scenario.api.canvas = Canvas::ByName,
    },
    Fault {
        slug: "healthy-caller-outside",
        what: "nothing: the request's caller is traced elsewhere",
        seen: "one whole trace, whose first span has a parent outside",
        expects: None,
        also: &[],
        change: |scenario| scenario.order.incoming = Incoming::TraceParent,
    },
    Fault {
        slug: "healthy-bad-quantity",
        what: "nothing with the trace: the quantity is 0, and the API answers 400",
        seen: "the request alone, with its validation",
        expects: None,
        also: &[],
        change: |scenario| scenario.order.quantity = 0,
    },
];
