//! Which part of a conversation goes with the next question. How it is written for a model is in `llm::prompt`.

use serde::Serialize;

use crate::llm;
use crate::retrieval::{Said, Speaker};
use crate::sessions::{self, Loaded, Message, Role};

/// The part of a conversation that a turn uses: its newest messages, oldest of them first, never a part of one.
#[derive(Debug, Default)]
pub struct History {
    pub messages: Vec<llm::Message>,
    pub used: HistoryUse,
}

/// How many of the session's messages an answer was given, and how many it was not: `history` of the response.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct HistoryUse {
    pub used: usize,
    pub dropped: u64,
    /// The session could not be read: there may be messages that nobody here knows of.
    #[serde(skip_serializing_if = "is_false")]
    pub unavailable: bool,
}

impl History {
    /// The newest `limit` messages of the session.
    pub fn newest(session: &Loaded, limit: usize) -> Self {
        let messages: Vec<_> = newest(&session.messages, limit).iter().map(|message| for_model(message)).collect();
        let used = messages.len();
        let dropped = session.length.saturating_sub(used as u64);
        let unavailable = session.history == sessions::History::Unavailable;
        Self { messages, used: HistoryUse { used, dropped, unavailable } }
    }

    /// The same messages, as retrieval looks at them.
    pub fn said(&self) -> Vec<Said<'_>> {
        let said = |message: &'_ llm::Message| match message.role {
            llm::Role::User => Speaker::User,
            llm::Role::Assistant => Speaker::Assistant,
        };
        self.messages.iter().map(|message| Said { by: said(message), text: &message.content }).collect()
    }
}

fn newest<Message>(messages: &[Message], limit: usize) -> &[Message] {
    &messages[messages.len().saturating_sub(limit)..]
}

fn for_model(message: &Message) -> llm::Message {
    let role = match message.role {
        Role::User => llm::Role::User,
        Role::Assistant => llm::Role::Assistant,
    };
    llm::Message { role, content: message.content.clone() }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_false(value: &bool) -> bool {
    !value
}

#[cfg(test)]
mod tests {
    use super::newest;

    #[test]
    fn the_newest_messages_are_kept_in_order() {
        let messages = ["q1", "a1", "q2", "a2", "q3", "a3"];
        assert_eq!(newest(&messages, 5), ["a1", "q2", "a2", "q3", "a3"]);
    }

    #[test]
    fn a_short_or_empty_conversation_is_used_whole() {
        assert_eq!(newest(&["q1", "a1"], 5), ["q1", "a1"]);
        assert!(newest::<&str>(&[], 5).is_empty());
    }

    #[test]
    fn a_limit_of_zero_uses_nothing() {
        assert!(newest(&["q1", "a1"], 0).is_empty());
    }
}
