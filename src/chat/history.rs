//! Which part of a conversation goes with the next question. How it is written for a model is in `llm::prompt`.

use serde::Serialize;

/// How many of the session's messages an answer was given, and how many it was not: `history` of the response.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct HistoryUse {
    pub used: usize,
    pub dropped: usize,
}

/// The newest `limit` messages, oldest of them first, never a part of one. `messages` is oldest first.
pub fn newest<Message>(messages: &[Message], limit: usize) -> (&[Message], HistoryUse) {
    let dropped = messages.len().saturating_sub(limit);
    (&messages[dropped..], HistoryUse { used: messages.len() - dropped, dropped })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_messages_are_kept_in_order() {
        let messages = ["q1", "a1", "q2", "a2", "q3", "a3"];
        assert_eq!(newest(&messages, 5), (&["a1", "q2", "a2", "q3", "a3"][..], HistoryUse { used: 5, dropped: 1 }));
    }

    #[test]
    fn a_short_or_empty_conversation_is_used_whole() {
        assert_eq!(newest(&["q1", "a1"], 5), (&["q1", "a1"][..], HistoryUse { used: 2, dropped: 0 }));
        assert_eq!(newest::<&str>(&[], 5), (&[][..], HistoryUse::default()));
    }

    #[test]
    fn a_limit_of_zero_uses_nothing() {
        assert_eq!(newest(&["q1", "a1"], 0), (&[][..], HistoryUse { used: 0, dropped: 2 }));
    }
}
