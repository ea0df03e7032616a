//! What goes between the processes: a line of JSON, then as many bytes as it says.

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt};

use crate::extract::{ExtractError, ExtractOptions, Extracted, Format};

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Request {
    pub(super) name: String,
    pub(super) format: Format,
    pub(super) options: ExtractOptions,
    /// Of the file, which follow.
    pub(super) bytes: usize,
}

/// The text, which follows, is this long; in the document it is empty.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Answer {
    pub(super) outcome: Result<Extracted, ExtractError>,
    pub(super) bytes: usize,
}

impl Answer {
    /// And the text that follows it.
    pub(super) fn new(mut outcome: Result<Extracted, ExtractError>) -> (Self, String) {
        let text = outcome.as_mut().map(|extracted| std::mem::take(&mut extracted.text)).unwrap_or_default();
        (Self { outcome, bytes: text.len() }, text)
    }
}

pub(super) fn line(message: &impl Serialize) -> std::io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    Ok(line)
}

pub(super) async fn read_answer(
    from: &mut (impl AsyncBufRead + Unpin),
) -> std::io::Result<Result<Extracted, ExtractError>> {
    let mut line = Vec::new();
    from.read_until(b'\n', &mut line).await?;
    let Answer { outcome, bytes } = serde_json::from_slice(&line)?;
    let mut text = vec![0; bytes];
    from.read_exact(&mut text).await?;
    Ok(match outcome {
        Ok(extracted) => {
            let text = String::from_utf8(text).map_err(std::io::Error::other)?;
            Ok(Extracted { text, ..extracted })
        }
        Err(error) => Err(error),
    })
}
