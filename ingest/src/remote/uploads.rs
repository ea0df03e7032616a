//! Files in batches that are worth a request each: small ones together, and of one root.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures::Stream;

use crate::pipeline::prepare::Changed;

#[derive(Debug, Clone, Copy)]
pub(super) struct LargestBatch {
    pub(super) files: usize,
    pub(super) bytes: usize,
}

impl Default for LargestBatch {
    fn default() -> Self {
        Self { files: 200, bytes: 8 << 20 }
    }
}

/// Turns files into batches; the last one may be small.
pub(super) struct Batches<Files> {
    files: Pin<Box<Files>>,
    largest: LargestBatch,
    batch: Vec<Changed>,
    bytes: usize,
}

impl<Files: Stream<Item = Changed>> Batches<Files> {
    pub(super) fn new(files: Files, largest: LargestBatch) -> Self {
        Self { files: Box::pin(files), largest, batch: Vec::new(), bytes: 0 }
    }

    fn takes(&self, file: &Changed) -> bool {
        let belongs = self.batch.first().is_none_or(|first| first.root() == file.root() && first.tags() == file.tags());
        let fits = self.batch.len() < self.largest.files && self.bytes + file.bytes.len() <= self.largest.bytes;
        belongs && (fits || self.batch.is_empty())
    }

    fn push(&mut self, file: Changed) {
        self.bytes += file.bytes.len();
        self.batch.push(file);
    }

    fn take(&mut self) -> Vec<Changed> {
        self.bytes = 0;
        std::mem::take(&mut self.batch)
    }
}

impl<Files: Stream<Item = Changed>> Stream for Batches<Files> {
    type Item = Vec<Changed>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Vec<Changed>>> {
        loop {
            match ready!(self.files.as_mut().poll_next(context)) {
                Some(file) if self.takes(&file) => self.push(file),
                Some(file) => {
                    let full = self.take();
                    self.push(file);
                    return Poll::Ready(Some(full));
                }
                None => {
                    let rest = self.take();
                    return Poll::Ready((!rest.is_empty()).then_some(rest));
                }
            }
        }
    }
}

impl<Files> Unpin for Batches<Files> {}
