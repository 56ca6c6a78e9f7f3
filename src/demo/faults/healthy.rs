//! Healthy, however it looks: nothing may be said of these.

use super::hand_made::{by_hand, hand, reader};
use crate::demo::fault::Fault;
use crate::demo::play::{Cast, Incoming};
use crate::demo::setup::{Client, Email, Form, Order, Reads, Run, Source};

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
        change: |play| {
            hand(play, Source::Current, Form::Flat);
            reader(play, Reads::Flat);
        },
    },
    Fault {
        slug: "healthy-links",
        what: "nothing: the worker links its spans to the request instead of hanging them under it",
        seen: "two traces with a link between them",
        expects: None,
        also: &[],
        change: |play| play.worker.instrumentor = Some(Run::Link),
    },
    Fault {
        slug: "healthy-beat",
        what: "nothing: a scheduler publishes, and each publishing is a root",
        seen: "one trace for each run",
        expects: None,
        also: &[],
        change: |play| {
            play.cast = Cast::Client(Client::Beat(2));
            play.api_sdk.service = "order-beat";
        },
    },
    Fault {
        slug: "healthy-script",
        what: "nothing: a script publishes, inside and outside of a span of its own",
        seen: "one trace for each task",
        expects: None,
        also: &[],
        change: |play| {
            play.cast = Cast::Client(Client::Script(2));
            play.api_sdk.service = "order-import";
        },
    },
    Fault {
        slug: "healthy-retries",
        what: "nothing with the trace: the email service fails twice, and the task is retried",
        seen: "one trace with three attempts",
        expects: None,
        also: &[],
        change: |play| play.worker.email = Email::Fails(2),
    },
    Fault {
        slug: "failing-task",
        what: "nothing with the trace: the email service refuses for good, and the task fails",
        seen: "one whole trace, red",
        expects: None,
        also: &[],
        change: |play| play.worker.email = Email::Declines,
    },
    Fault {
        slug: "healthy-eta",
        what: "nothing: the task is to run in a second",
        seen: "one whole trace with a gap",
        expects: None,
        also: &[],
        change: |play| play.api.order = Order::Later(1000),
    },
    Fault {
        slug: "healthy-chain",
        what: "nothing: one task publishes the next",
        seen: WHOLE,
        expects: None,
        also: &[],
        change: |play| play.api.order = Order::Chain,
    },
    Fault {
        slug: "healthy-group",
        what: "nothing: two tasks side by side",
        seen: WHOLE,
        expects: None,
        also: &[],
        change: |play| play.api.order = Order::Group,
    },
    Fault {
        slug: "healthy-chord",
        what: "nothing: two tasks side by side, and one after both",
        seen: WHOLE,
        expects: None,
        also: &[],
        change: |play| play.api.order = Order::Chord,
    },
    Fault {
        slug: "healthy-send-task",
        what: "nothing: the API publishes by name, and its span ends at once",
        seen: WHOLE,
        expects: None,
        also: &[],
        change: |play| play.api.order = Order::ByName,
    },
    Fault {
        slug: "healthy-caller-outside",
        what: "nothing: the request's caller is traced elsewhere",
        seen: "one whole trace, whose first span has a parent outside",
        expects: None,
        also: &[],
        change: |play| play.incoming = Incoming::TraceParent,
    },
    Fault {
        slug: "healthy-bad-quantity",
        what: "nothing with the trace: the quantity is 0, and the API answers 400",
        seen: "the request alone, with its validation",
        expects: None,
        also: &[],
        change: |play| play.quantity = 0,
    },
];
