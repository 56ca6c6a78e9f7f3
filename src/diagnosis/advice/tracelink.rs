//! What shows more: other ways to run tracelink itself, in a shell.

use crate::diagnosis::known::Known;
use crate::evidence::{Broker, Evidence};
use crate::model::{Fix, Side, Text};

/// Tells the cause of TL000, where no broker was looked at. Which one it is only
/// the user knows: no address stands here.
pub fn watch_the_broker() -> Fix {
    Fix::new("watch the broker too, which says what lies between both sides")
        .command(Side::Receiver, [LOOK_AT_THE_BROKER])
        .needing("TRACELINK_BROKER is the URL of the broker as Celery has it; tracelink only reads")
}

/// Tells the cause of TL000, where the message was gone before a look.
pub fn hear_every_message() -> Fix {
    Fix::new("hear every message that the broker is given")
        .command(Side::Receiver, [HEAR_THE_BROKER])
        .needing("it is no production broker: MONITOR slows it down")
}

/// What is needed where no database that was looked at holds anything of Celery's.
pub const WRONG_DATABASE: &str = "the database of Celery's broker_url: the one that was looked at holds nothing of Celery (its number is the end of --broker)";

/// What would show a message that was not seen.
pub fn to_see_the_message(known: &Known<'_>) -> &'static str {
    let brokers = &known.evidence.brokers;
    if brokers.is_empty() {
        "--broker, or a broker snapshot, to see the message"
    } else if !brokers.iter().any(Broker::holds_anything) {
        WRONG_DATABASE
    } else {
        "--broker-monitor, to see a message that is taken between two looks at the broker"
    }
}

/// Shows what lies between both sides of a hand-off, where no broker was looked at.
pub const LOOK_AT_THE_BROKER: &str = "tracelink listen --broker \"$TRACELINK_BROKER\"";

/// Shows messages that are gone before a look.
pub const HEAR_THE_BROKER: &str = "tracelink listen --broker \"$TRACELINK_BROKER\" --broker-monitor";

/// Shows what was on its way when a watch ended.
pub const WATCH_LONGER: &str = "tracelink listen --idle 10s";

/// Holds more before anything is let go.
pub const HOLD_MORE: &str = "tracelink listen --max-memory 1GiB";

/// The same for this evidence: files are read again, with the command that names them.
pub fn hold_more(evidence: &Evidence) -> Text {
    evidence.command_with_more_memory().map_or(HOLD_MORE.into(), |command| command.to_owned().into())
}

/// Mends TL903, with that command.
pub fn more_memory(command: Text) -> [Fix; 1] {
    [Fix::new("let tracelink hold more").command(Side::Receiver, [command])]
}

/// Tells the cause of TL904: what was on its way when the watch ended comes in a longer one.
pub fn look_longer() -> Fix {
    Fix::new("watch until nothing is on its way").command(Side::Receiver, [WATCH_LONGER])
}

/// Mends TL904 under `listen -- COMMAND`, which waits by itself for what is on its way.
pub fn wait_in_the_command() -> Fix {
    Fix::new("let the command wait for its tasks before it ends").by_hand(
        Side::Both,
        "after `listen --`, one command starts the worker, publishes the tasks that are expected, waits \
         for the result of each, and ends the worker with SIGTERM, so that it sends its last spans",
    )
}
