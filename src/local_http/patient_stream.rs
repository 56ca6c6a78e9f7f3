//! A connection whose client may be slow to read, but not for ever.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// Fails a write of which the client takes nothing for this long.
pub struct PatientStream<S> {
    stream: S,
    patience: Duration,
    /// Until when it waits, while it does.
    due: Option<Pin<Box<Sleep>>>,
}

impl<S: Unpin> PatientStream<S> {
    pub fn new(stream: S, patience: Duration) -> Self {
        Self { stream, patience, due: None }
    }

    /// Hands on what a write came to, and fails it if it has been pending for too long.
    fn unless_overdue<T>(
        &mut self,
        written: Poll<io::Result<T>>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.due = None;
            return written;
        }
        let patience = self.patience;
        let due = self.due.get_or_insert_with(|| Box::pin(sleep(patience)));
        ready!(due.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for PatientStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for PatientStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.unless_overdue(written, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, parts);
        self.unless_overdue(written, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        self.unless_overdue(flushed, context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    /// The client's end holds 16 bytes that it has not read.
    #[tokio::test]
    async fn a_client_that_reads_nothing_is_given_up_and_one_that_reads_slowly_is_not() {
        let (mut client, server) = tokio::io::duplex(16);
        let mut server = PatientStream::new(server, Duration::from_millis(200));
        let write = tokio::spawn(async move {
            server.write_all(&[b'x'; 64]).await.expect("the client reads, if slowly");
            server.write_all(&[b'x'; 64]).await.expect_err("the client reads nothing").kind()
        });
        let mut read = [0; 16];
        for _ in 0..4 {
            tokio::time::sleep(Duration::from_millis(20)).await;
            client.read_exact(&mut read).await.expect("the server writes");
        }
        assert_eq!(write.await.expect("no panic"), io::ErrorKind::TimedOut);
    }
}
