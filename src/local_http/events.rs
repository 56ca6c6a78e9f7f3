//! Server-sent events (<https://html.spec.whatwg.org/multipage/server-sent-events.html>).
//!
//! A source is asked for its next text only when the client has room for it. It keeps no
//! queue for a client, but says what is new since the last text, so that nothing grows
//! while a client is slow.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame};
use tokio::sync::{mpsc, watch};
use tokio::time::sleep;

/// What happens is told at most this often.
const PAUSE: Duration = Duration::from_millis(100);
/// After so long without an event a comment is sent, so that a client that went away is
/// noticed, and nothing between the two takes the connection for dead.
const HEARTBEAT: Duration = Duration::from_secs(15);
const COMMENT: Bytes = Bytes::from_static(b": \n\n");

/// What the events of one client come from.
pub trait EventSource: Send {
    /// What is to be said next.
    fn next(&mut self) -> Next;
}

/// What is to be said.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Next {
    /// Events, as they are written.
    Text(Bytes),
    /// Nothing, until the bell rings.
    Wait,
    /// Nothing any more.
    End,
}

/// Wakes the streams of everybody who waits.
#[derive(Clone, Debug)]
pub struct Bell(watch::Sender<()>);

impl Default for Bell {
    fn default() -> Self {
        Self(watch::Sender::new(()))
    }
}

impl Bell {
    /// Says that something is new.
    pub fn ring(&self) {
        self.0.send_replace(());
    }
}

/// The events of one client.
pub struct EventStream {
    source: Box<dyn EventSource>,
    rung: watch::Receiver<()>,
}

impl EventStream {
    /// Asks `source` whenever `bell` rings.
    pub fn new(source: Box<dyn EventSource>, bell: &Bell) -> Self {
        Self { source, rung: bell.0.subscribe() }
    }

    /// Starts telling; it stops when the body is dropped.
    pub(super) fn start(self) -> EventBody {
        let (sender, receiver) = mpsc::channel(1);
        tokio::spawn(self.tell(sender));
        EventBody(receiver)
    }

    async fn tell(mut self, client: mpsc::Sender<Bytes>) {
        loop {
            // There must be room first: what is new is asked for when it is sent.
            let Ok(room) = client.reserve().await else { return };
            self.rung.mark_unchanged();
            match self.source.next() {
                Next::Text(text) => {
                    room.send(text);
                    continue;
                }
                Next::Wait => {}
                Next::End => return,
            }
            tokio::select! {
                rung = self.rung.changed() => match rung {
                    Ok(()) => tokio::select! { () = sleep(PAUSE) => {} () = client.closed() => return },
                    // Whoever rings it is gone.
                    Err(_) => return,
                },
                () = sleep(HEARTBEAT) => room.send(COMMENT),
                () = client.closed() => return,
            }
        }
    }
}

/// The body of an answer.
pub(super) struct EventBody(mpsc::Receiver<Bytes>);

impl Body for EventBody {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.0.poll_recv(context).map(|text| text.map(|text| Ok(Frame::data(text))))
    }
}
