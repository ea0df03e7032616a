//! Answers in the sources' own words: the sentences that support an answer best, each followed by the number of its
//! source, or the sentence that says there is none.

use futures::{StreamExt, stream};
use tokio::time::Instant;
use unicode_segmentation::UnicodeSegmentation;

use crate::llm::{Answer, Completion, Error, Event, Finish, Question, Usage, abstention};

#[derive(Debug, Clone, Default)]
pub struct Extractive;

impl Extractive {
    pub const NAME: &str = "extractive";

    pub fn new() -> Self {
        Self
    }

    pub async fn answer(&self, question: Question, _deadline: Instant) -> Result<Answer, Error> {
        let best = best_sentence(&question);
        let abstained = best.is_none();
        let answer = best.unwrap_or_else(|| abstention::NOT_IN_THE_DOCUMENTS.to_owned());
        let done = Completion { usage: Usage::default(), abstained, finish: Finish::Complete };
        Ok(stream::iter([Ok(Event::Delta(answer)), Ok(Event::Done(done))]).boxed())
    }
}

fn best_sentence(question: &Question) -> Option<String> {
    let asked: Vec<String> = question.standalone.unicode_words().map(str::to_lowercase).collect();
    let sentences = question
        .sources
        .iter()
        .flat_map(|source| source.text.unicode_sentences().map(move |sentence| (source.n, sentence.trim())));
    let shared = |sentence: &str| {
        sentence.unicode_words().filter(|word| word.len() > 3 && asked.contains(&word.to_lowercase())).count()
    };
    let (shared, n, sentence) =
        sentences.map(|(n, sentence)| (shared(sentence), n, sentence)).max_by_key(|best| best.0)?;
    (shared > 0).then(|| format!("{sentence} [{n}]"))
}
