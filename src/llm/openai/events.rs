//! The events of a streamed response, read from its bytes.
//!
//! The bytes are made safe for the parser first: it keeps a line in memory until its end, however far that is, and does
//! not survive a byte order mark.

use std::time::Duration;

use bytes::{Buf, Bytes};
use eventsource_stream::{Event, EventStreamError, Eventsource};
use futures::stream::BoxStream;
use futures::{Stream, StreamExt, future, stream};
use reqwest::Response;

use crate::llm::Error;

/// The `data` of each event.
pub(super) type Events = BoxStream<'static, Result<String, Error>>;

/// Says that no more events come.
const LAST: &str = "[DONE]";

/// How long after its last event the end of a response is waited for: its connection is used again only when it has
/// come. Most servers write it at once; a later one is waited for by nobody but a task.
const USUAL_END: Duration = Duration::from_millis(2);
const LATEST_END: Duration = Duration::from_secs(1);

/// As much as a whole answer may have: what has no line break within it is a download and no event stream.
const LONGEST_LINE_BYTES: usize = 1 << 20;

const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

pub(super) fn events(response: Response) -> Events {
    let received = readable(response.bytes_stream()).eventsource().boxed();
    let events = stream::unfold(received, async |mut received| match received.next().await? {
        Ok(event) if event.data == LAST => {
            let mut end = received.for_each(|_| future::ready(()));
            if tokio::time::timeout(USUAL_END, &mut end).await.is_err() {
                tokio::spawn(tokio::time::timeout(LATEST_END, end));
            }
            None
        }
        event => Some((event, received)),
    });
    events.filter_map(|event| future::ready(data(event).transpose())).boxed()
}

/// What was received is text of the conversation, and what a parser says of it quotes it: both stay out of the error, and
/// so of the log.
fn data(event: Result<Event, EventStreamError<reqwest::Error>>) -> Result<Option<String>, Error> {
    match event {
        Ok(event) => Ok((event.event != "keepalive").then_some(event.data)),
        Err(EventStreamError::Transport(cause)) => Err(Error::Interrupted(cause.into())),
        Err(EventStreamError::Utf8(_) | EventStreamError::Parser(_)) => {
            Err(Error::InvalidResponse("not an event stream".into()))
        }
    }
}

/// The same bytes without a byte order mark; they end where a line does not.
fn readable<Failure>(bytes: impl Stream<Item = Result<Bytes, Failure>>) -> impl Stream<Item = Result<Bytes, Failure>> {
    bytes.scan(Reading { mark_left: BYTE_ORDER_MARK, line_bytes: 0 }, |reading, bytes| {
        future::ready(match bytes {
            Ok(bytes) => reading.pass(bytes).map(Ok),
            Err(failure) => Some(Err(failure)),
        })
    })
}

struct Reading {
    /// Of the mark, what may still come: the network may split even this.
    mark_left: &'static [u8],
    /// Since the last line break.
    line_bytes: usize,
}

impl Reading {
    fn pass(&mut self, mut bytes: Bytes) -> Option<Bytes> {
        while let ([expected, rest @ ..], Some(found)) = (self.mark_left, bytes.first()) {
            if expected == found {
                bytes.advance(1);
                self.mark_left = rest;
            } else {
                self.mark_left = &[];
            }
        }
        self.line_bytes = match bytes.iter().rposition(|byte| matches!(byte, b'\n' | b'\r')) {
            Some(line_break) => bytes.len() - line_break - 1,
            None => self.line_bytes + bytes.len(),
        };
        (self.line_bytes <= LONGEST_LINE_BYTES).then_some(bytes)
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures::FutureExt;

    use super::*;

    fn read(chunks: impl IntoIterator<Item = &'static [u8]>) -> Vec<u8> {
        let chunks = chunks.into_iter().map(|chunk| Ok::<_, Infallible>(Bytes::from_static(chunk)));
        let read = readable(stream::iter(chunks.collect::<Vec<_>>())).map(|bytes| bytes.unwrap_or_default());
        read.collect::<Vec<_>>().now_or_never().expect("what is there is read at once").concat()
    }

    #[test]
    fn a_byte_order_mark_is_left_out_however_it_is_split() {
        assert_eq!(read(["\u{feff}data: 1\n\n".as_bytes()]), b"data: 1\n\n");
        assert_eq!(read([&b"\xef"[..], b"\xbb", b"\xbfdata: 1\n\n"]), b"data: 1\n\n");
        assert_eq!(read([&b"data: \xef\xbb\xbf\n\n"[..]]), b"data: \xef\xbb\xbf\n\n", "in the text it is text");
    }

    #[test]
    fn the_bytes_end_where_a_line_does_not() {
        const HALF: &[u8] = &[b'x'; LONGEST_LINE_BYTES / 2];
        assert_eq!(read([HALF, HALF, b"x", b"\ndata: 1\n\n"]).len(), LONGEST_LINE_BYTES);
        assert_eq!(read([HALF, b"\n", HALF, HALF]).len(), 3 * HALF.len() + 1, "short lines are no long line");
    }
}
