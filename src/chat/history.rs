//! Which part of a conversation goes with the next question. How it is written for a model is in `llm::prompt`.

use std::sync::Arc;

use footnote_knowledge::embedding::Tokenizer;
use serde::Serialize;

use crate::llm;
use crate::retrieval::{self, Said, Speaker};
use crate::sessions::{self, Loaded, Message, Role};

/// The part of a conversation that a turn uses: its newest messages, oldest of them first, never a part of one.
#[derive(Debug, Default)]
pub struct History {
    pub messages: Vec<llm::Message>,
    /// What retrieval looks at: further back than what is shown to a model.
    earlier: Vec<Arc<Message>>,
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

/// How much of a conversation goes with a question.
#[derive(Clone)]
pub struct HistoryWindow {
    pub messages: usize,
    pub tokens: usize,
    pub tokenizer: Tokenizer,
}

impl HistoryUse {
    /// So many of the messages did not fit into the prompt after all.
    pub(super) fn leave_out(&mut self, messages: usize) {
        self.used -= messages;
        self.dropped += messages as u64;
    }
}

impl History {
    /// The newest messages of the session that the window holds, or none if `use_history` is false.
    pub async fn of(session: &Loaded, window: &HistoryWindow, use_history: bool) -> Self {
        let limit = if use_history { window.messages } else { 0 };
        let newest = &session.messages[session.messages.len().saturating_sub(limit)..];
        let skipped = newest.len() - how_many_fit(newest, window).await;
        let messages: Vec<_> = newest[skipped..].iter().map(|message| for_model(message)).collect();
        let used = messages.len();
        let dropped = session.length.saturating_sub(used as u64);
        let unavailable = session.history == sessions::History::Unavailable;
        let looked_at = if limit > 0 { retrieval::MESSAGES_BACK } else { 0 };
        let earlier = session.messages[session.messages.len().saturating_sub(looked_at)..].to_vec();
        Self { messages, earlier, used: HistoryUse { used, dropped, unavailable } }
    }

    /// The conversation as retrieval looks at it.
    pub fn said(&self) -> Vec<Said<'_>> {
        let by = |role| match role {
            Role::User => Speaker::User,
            Role::Assistant => Speaker::Assistant,
        };
        self.earlier.iter().map(|message| Said { by: by(message.role), text: &message.content }).collect()
    }
}

/// How many of the messages, counted from the newest, are within the window's tokens. A message is never divided.
async fn how_many_fit(messages: &[Arc<Message>], window: &HistoryWindow) -> usize {
    let bytes: usize = messages.iter().map(|message| message.content.len()).sum();
    // No tokenizer needs more tokens than bytes, and most conversations are short.
    if bytes <= window.tokens {
        return messages.len();
    }
    let (messages, window) = (messages.to_vec(), window.clone());
    // Counting the tokens of long messages takes milliseconds.
    tokio::task::spawn_blocking(move || {
        let costs = messages.iter().rev().map(|message| window.tokenizer.count(&message.content));
        within(costs, window.tokens)
    })
    .await
    .unwrap_or_default()
}

/// How many of the costs can be paid, one after the other.
fn within(costs: impl Iterator<Item = usize>, budget: usize) -> usize {
    let sums = costs.scan(0_usize, |sum, cost| {
        *sum = sum.saturating_add(cost);
        Some(*sum)
    });
    sums.take_while(|sum| *sum <= budget).count()
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
    use footnote_knowledge::embedding::Tokenizer;

    use super::*;

    fn window(messages: usize, tokens: usize) -> HistoryWindow {
        HistoryWindow { messages, tokens, tokenizer: Tokenizer::exact().unwrap() }
    }

    fn session(contents: &[&str]) -> Loaded {
        let message = |content: &&str| {
            let now = jiff::Timestamp::now();
            let turn = sessions::Turn::new(now, (*content).to_owned(), now, String::new(), Vec::new());
            Arc::new(turn.user)
        };
        let messages: Vec<_> = contents.iter().map(message).collect();
        let length = messages.len() as u64;
        Loaded { messages, length, history: sessions::History::Known, seen: sessions::Seen::NOTHING }
    }

    async fn used(contents: &[&str], window: HistoryWindow) -> (Vec<String>, u64) {
        let history = History::of(&session(contents), &window, true).await;
        assert_eq!(history.used.used, history.messages.len());
        (history.messages.into_iter().map(|message| message.content).collect(), history.used.dropped)
    }

    #[tokio::test]
    async fn the_newest_messages_are_kept_in_order() {
        let (kept, dropped) = used(&["q1", "a1", "q2", "a2", "q3", "a3"], window(5, 1000)).await;
        assert_eq!((kept.join(" "), dropped), ("a1 q2 a2 q3 a3".to_owned(), 1));
    }

    #[tokio::test]
    async fn a_short_or_empty_conversation_is_used_whole() {
        assert_eq!(used(&["q1", "a1"], window(5, 1000)).await.0, ["q1", "a1"]);
        assert_eq!(used(&[], window(5, 1000)).await, (Vec::new(), 0));
    }

    #[tokio::test]
    async fn a_limit_of_zero_and_a_client_that_wants_none_use_nothing() {
        assert_eq!(used(&["q1", "a1"], window(0, 1000)).await, (Vec::new(), 2));
        let unwanted = History::of(&session(&["q1", "a1"]), &window(5, 1000), false).await;
        assert_eq!((unwanted.used.used, unwanted.used.dropped), (0, 2));
    }

    #[tokio::test]
    async fn tokens_are_cut_at_the_border_of_a_message() {
        let long = "word ".repeat(50);
        let conversation = [long.as_str(), "four words of answer", long.as_str(), "four words of answer"];
        assert_eq!(
            used(&conversation, window(5, 58)).await,
            (conversation[1..].iter().map(|text| (*text).to_owned()).collect(), 1)
        );
        assert_eq!(used(&conversation, window(5, 57)).await.1, 2, "the older answer does not fit");
        assert_eq!(used(&conversation, window(5, 53)).await.1, 3, "nor may a shorter, older message jump the queue");
        assert_eq!(used(&conversation, window(5, 3)).await.1, 4);
    }
}
