//! How far a long step is, on standard error.

use std::io::{IsTerminal, Write};

/// Nothing is shown of a step without items.
pub(super) struct Progress {
    what: &'static str,
    done: usize,
    all: usize,
    shown: usize,
    on_terminal: bool,
}

impl Progress {
    pub(super) fn new(what: &'static str, all: usize) -> Self {
        Self { what, done: 0, all, shown: 0, on_terminal: std::io::stderr().is_terminal() }
    }

    /// Shows each new percent on a terminal, each new quarter in a log.
    pub(super) fn advance(&mut self, items: usize) {
        self.done += items;
        let step = if self.on_terminal { 1 } else { 25 };
        let percent = self.done * 100 / self.all.max(1) / step * step;
        if percent == self.shown {
            return;
        }
        self.shown = percent;
        let (begin, end) =
            if self.on_terminal { ("\r", if self.done == self.all { "\n" } else { "" }) } else { ("", "\n") };
        eprint!("{begin}{}: {} of {} ({percent} %){end}", self.what, self.done, self.all);
        // Progress that cannot be shown is no reason to stop.
        let _ = std::io::stderr().flush();
    }
}
