//! What of the sources and the conversation a model is sent, so that the prompt fits what it can read.
//!
//! Sources come first: the conversation may have what they leave, and never takes them below [`OF_SOURCES`] of the room.
//! The best sources and the newest messages stay.

use serde::Serialize;

use crate::llm::prompt::PromptTemplates;
use crate::llm::tokens::TokenCounter;
use crate::llm::{Error, Message, Question};
use crate::source_document::SourceDocument;

/// The part of the room beside instructions and question that no conversation takes from the sources.
const OF_SOURCES: f64 = 0.6;

/// Tokens of the fences and the label around a source, and of the name in front of a message, beside title and heading.
const AROUND_A_SOURCE: usize = 16;
const AROUND_A_MESSAGE: usize = 6;

/// A source of fewer tokens than these is not worth its label.
const SHORTEST_SOURCE: usize = 32;

/// The tokens that a prompt may have.
#[derive(Debug, Clone)]
pub struct PromptBudget {
    pub tokens: usize,
    pub counter: TokenCounter,
}

/// What was left out for want of room: `context` of the response.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct ContextUse {
    pub limit_tokens: usize,
    /// Passages that were found and not sent.
    pub sources_dropped: usize,
    /// The last passage was sent in part; its `text_truncated` is true.
    pub source_cut: bool,
    /// Earlier messages that would have gone with the question and did not.
    pub messages_dropped: usize,
}

impl PromptBudget {
    /// Whether the prompt fits however it is counted: no token is shorter than a byte, and most prompts are short.
    pub(super) fn surely_holds(&self, templates: &PromptTemplates, question: &Question) -> bool {
        templates.most_bytes(question) <= self.tokens
    }

    /// Nothing left out.
    pub(super) fn unused(&self) -> ContextUse {
        ContextUse { limit_tokens: self.tokens, ..ContextUse::default() }
    }

    /// Takes away from the question what does not fit.
    pub(super) fn fit(&self, templates: &PromptTemplates, question: &mut Question) -> Result<ContextUse, Error> {
        let mut left_out = self.unused();
        let without = Question { sources: Vec::new(), history: Vec::new(), ..question.clone() };
        let frame = templates.render(&without);
        let frame = self.counter.count(&frame.system) + self.counter.count(&frame.user);
        let room = self
            .tokens
            .checked_sub(frame)
            .filter(|room| *room >= SHORTEST_SOURCE)
            .ok_or_else(|| Error::QuestionTooLong { tokens: frame, limit: self.tokens })?;

        let of_history: Vec<usize> = question.history.iter().map(|message| self.of_message(message)).collect();
        let wanted_by_history = of_history.iter().sum::<usize>();
        let kept_for_sources = (room as f64 * OF_SOURCES) as usize;
        let for_sources = kept_for_sources.max(room.saturating_sub(wanted_by_history));
        let of_sources = self.fit_sources(&mut question.sources, for_sources, &mut left_out);
        left_out.messages_dropped = question.history.len() - newest_within(&of_history, room - of_sources);
        question.history.drain(..left_out.messages_dropped);
        Ok(left_out)
    }

    /// Keeps the best sources that fit, the last of them in part. Returns their tokens.
    fn fit_sources(&self, sources: &mut Vec<SourceDocument>, room: usize, left_out: &mut ContextUse) -> usize {
        let mut used = 0;
        for index in 0..sources.len() {
            let source = &mut sources[index];
            let label = AROUND_A_SOURCE + self.counter.count(&source.title);
            let label = label + source.heading.as_deref().map_or(0, |heading| self.counter.count(heading));
            let text = self.counter.count(&source.text);
            if used + label + text <= room {
                used += label + text;
                continue;
            }
            let left = room.saturating_sub(used + label);
            let kept = if left >= SHORTEST_SOURCE { index + 1 } else { index };
            if kept > index {
                used += label + self.cut(source, left);
                left_out.source_cut = true;
            }
            left_out.sources_dropped = sources.len() - kept;
            sources.truncate(kept);
            break;
        }
        used
    }

    /// Cuts a text at a word so that it has at most `tokens`; returns how many it has then.
    fn cut(&self, source: &mut SourceDocument, tokens: usize) -> usize {
        let mut counted = self.counter.count(&source.text);
        while counted > tokens {
            // Towards the aim from above, at least one word shorter each time.
            let aim = source.text.len() * tokens / counted;
            let end = source.text.floor_char_boundary(aim.min(source.text.len() - 1));
            let end = source.text[..end].trim_end().rfind(char::is_whitespace).unwrap_or(end);
            source.text.truncate(end);
            counted = self.counter.count(&source.text);
        }
        source.text_truncated = true;
        counted
    }

    fn of_message(&self, message: &Message) -> usize {
        AROUND_A_MESSAGE + self.counter.count(&message.content)
    }
}

/// How many of the newest messages have at most `room` tokens; `tokens` are in the order of the conversation.
fn newest_within(tokens: &[usize], room: usize) -> usize {
    let sums = tokens.iter().rev().scan(0, |sum, tokens| {
        *sum += tokens;
        Some(*sum)
    });
    sums.take_while(|sum| *sum <= room).count()
}

#[cfg(test)]
mod tests {
    use footnote_knowledge::embedding::Tokenizer;
    use uuid::Uuid;

    use super::*;
    use crate::llm::{Role, Scope};

    fn source(n: usize, words: usize) -> SourceDocument {
        let text = format!("source{n} ").repeat(words);
        SourceDocument {
            n,
            id: Uuid::nil(),
            document_id: Uuid::nil(),
            title: "T".into(),
            source: "a.md".into(),
            page: None,
            heading: None,
            start: 0,
            end: text.chars().count(),
            text,
            text_truncated: false,
            score: 1.0,
            cited: false,
        }
    }

    fn question(sources: &[usize], messages: &[usize]) -> Question {
        let message = |words: &usize| Message { role: Role::User, content: "word ".repeat(*words) };
        Question {
            message: "Why?".into(),
            standalone: "Why?".into(),
            history: messages.iter().map(message).collect(),
            sources: sources.iter().zip(1..).map(|(words, n)| source(n, *words)).collect(),
            closeness: None,
        }
    }

    /// The instructions and so many tokens beside them.
    fn fit(room: usize, question: &mut Question) -> Result<ContextUse, Error> {
        let templates = PromptTemplates::load(None, None, Scope::DocumentsOnly).unwrap();
        let counter = TokenCounter::Unknown(Tokenizer::exact().unwrap());
        let frame = templates.render(&Question { sources: Vec::new(), history: Vec::new(), ..question.clone() });
        let tokens = counter.count(&frame.system) + counter.count(&frame.user) + room;
        let budget = PromptBudget { tokens, counter };
        let used = budget.fit(&templates, question)?;
        let prompt = templates.render(question);
        let sent = budget.counter.count(&prompt.system) + budget.counter.count(&prompt.user);
        assert!(sent <= tokens, "{sent} tokens are sent, {tokens} allowed");
        Ok(used)
    }

    fn tokens(question: &Question) -> (Vec<usize>, Vec<usize>) {
        let counter = Tokenizer::exact().unwrap();
        let of = |text: &str| counter.count(text);
        (
            question.sources.iter().map(|source| of(&source.text)).collect(),
            question.history.iter().map(|message| of(&message.content)).collect(),
        )
    }

    #[test]
    fn what_fits_is_not_touched() {
        let mut asked = question(&[40, 40], &[50, 50]);
        let before = asked.clone();
        let used = fit(2_000, &mut asked).unwrap();
        assert_eq!((used.sources_dropped, used.source_cut, used.messages_dropped), (0, false, 0));
        assert_eq!(asked.sources, before.sources);
        assert_eq!(asked.history, before.history);
    }

    #[test]
    fn a_long_conversation_never_takes_the_sources_below_their_share() {
        let mut asked = question(&[100, 100, 100], &[300, 300, 200, 100]);
        let room = 1_000;
        let used = fit(room, &mut asked).unwrap();
        let (sources, messages) = tokens(&asked);
        let of_sources: usize = sources.iter().sum();
        assert!(of_sources + 3 * 20 >= room * 6 / 10 - SHORTEST_SOURCE, "{sources:?}");
        assert_eq!(messages, [200, 100], "the newest that fit beside them");
        assert_eq!(used.messages_dropped, 2);
    }

    #[test]
    fn sources_take_what_a_short_conversation_leaves() {
        let mut asked = question(&[100, 100, 100], &[20]);
        let used = fit(800, &mut asked).unwrap();
        assert_eq!((used.sources_dropped, used.messages_dropped), (0, 0), "{used:?}");
    }

    #[test]
    fn the_worst_sources_go_first_and_the_last_is_cut_at_a_word() {
        let mut asked = question(&[100, 100, 100, 100], &[]);
        let used = fit(400, &mut asked).unwrap();
        assert!(used.source_cut && used.sources_dropped >= 1, "{used:?}");
        let last = asked.sources.last().unwrap();
        assert!(last.text_truncated && last.text.ends_with(&format!("source{}", last.n)));
        assert!(asked.sources[..asked.sources.len() - 1].iter().all(|source| !source.text_truncated));
        assert_eq!(asked.sources.len() + used.sources_dropped, 4);
    }

    #[test]
    fn a_question_that_leaves_no_room_is_refused() {
        assert!(matches!(fit(10, &mut question(&[100], &[])), Err(Error::QuestionTooLong { .. })));
    }
}
