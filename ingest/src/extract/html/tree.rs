//! From HTML to a tree, and how deep that is.

use std::cell::Cell;

use html5ever::tendril::{StrTendril, TendrilSink};
use html5ever::tree_builder::Tracer;
use html5ever::{ParseOpts, parse_document};
use markup5ever_rcdom::{Handle, NodeData, RcDom};

/// Elements that may be open at once, and formatting that waits to be opened again. For each tag the parser may look
/// through all of them, so that it could take hours over a page which never closes any. Real pages stay below 100.
const MOST_OPEN: usize = 2000;

/// So many bytes are parsed between two looks at how many elements are open.
const BYTES_AT_ONCE: usize = 16 << 10;

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("more than {MOST_OPEN} elements inside each other")]
pub(super) struct TooDeep;

pub(super) fn parse(html: &str) -> Result<RcDom, TooDeep> {
    let mut parser = parse_document(RcDom::default(), ParseOpts::default());
    let mut rest = html;
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(rest.floor_char_boundary(BYTES_AT_ONCE));
        parser.process(StrTendril::from_slice(piece));
        let open = Count::default();
        parser.tokenizer.sink.trace_handles(&open);
        if open.0.get() > MOST_OPEN {
            return Err(TooDeep);
        }
        rest = after;
    }
    Ok(parser.finish())
}

/// Of what the parser holds on to.
#[derive(Default)]
struct Count(Cell<usize>);

impl Tracer for Count {
    type Handle = Handle;

    fn trace_handle(&self, _: &Handle) {
        self.0.set(self.0.get() + 1);
    }
}

/// Elements around the innermost one.
pub(super) fn depth(document: &Handle) -> usize {
    let mut deepest = 0;
    let mut left = vec![(document.clone(), 0)];
    while let Some((node, depth)) = left.pop() {
        deepest = deepest.max(depth);
        left.extend(node.children.borrow().iter().map(|child| (child.clone(), depth + 1)));
        if let NodeData::Element { template_contents, .. } = &node.data {
            left.extend(template_contents.borrow().iter().map(|contents| (contents.clone(), depth + 1)));
        }
    }
    deepest
}
