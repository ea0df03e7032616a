//! The questions of the set answered as a turn of chat answers them: whether the answers hold a gold span, and whether
//! they abstain where they should and only there.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};

use super::dataset::{Message, Question};
use super::passages::{QUESTIONS_AT_ONCE, retrieve};
use super::progress::Progress;
use super::statistics::{area_under_curve, median};
use crate::chat;
use crate::chat::answer::Answer;
use crate::cli::{EvalHistory, EvalOptions};
use crate::llm::{self, Answerer};
use crate::retrieval::Retrieval;
use crate::text::markers::markers;

/// The default of `--history-messages`.
const MESSAGES_SHOWN: usize = 5;

/// One question and what was answered.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Answered {
    pub(super) id: String,
    pub(super) question: String,
    pub(super) answer: String,
    pub(super) abstained: bool,
    /// How well the passages support an answer, where the answerer tells.
    pub(super) support: Option<f32>,
    kind: Kind,
    /// Of a question with gold spans: whether the answer has one.
    has_span: Option<bool>,
    /// The same of the passages it was made from.
    passages_have_span: Option<bool>,
    /// Sentences with a citation.
    cited: usize,
    verified: usize,
    answer_ms: f64,
    #[serde(default)]
    check_ms: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Answerable,
    /// Of the set, and not answered by its corpus.
    Unanswerable,
    /// Of another set.
    Unrelated,
}

/// What came out for all questions. Shares are 0 to 1; none where there are no such questions.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Answers {
    answerable: usize,
    unanswerable: usize,
    unrelated: usize,
    /// Of the answerable questions with gold spans: those whose answer has one.
    gold_span: Option<f64>,
    /// … and those of whose passages one has one: what an answer could reach.
    gold_span_in_passages: Option<f64>,
    /// At the shipped threshold.
    answerable_refused: Option<f64>,
    unanswerable_refused: Option<f64>,
    unrelated_refused: Option<f64>,
    /// How well the support tells answerable from unanswerable questions, and from unrelated ones.
    unanswerable_auc: Option<f64>,
    unrelated_auc: Option<f64>,
    /// Share refused by threshold of the support, for each kind: what another threshold would do.
    curve: Vec<CurvePoint>,
    /// Of all cited sentences.
    verified: Option<f64>,
    mean_sentences: Option<f64>,
    answer_ms_p50: f64,
    #[serde(default)]
    check_ms_p50: f64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct CurvePoint {
    threshold: f64,
    refused: BTreeMap<String, f64>,
}

/// Answers every question; the flag says whether it is one of this set.
pub(super) async fn ask(
    retrieval: &Retrieval,
    answerer: &Answerer,
    questions: &[(&Question, bool)],
    options: &EvalOptions,
) -> anyhow::Result<Vec<Answered>> {
    let mut progress = Progress::new("answering", questions.len());
    let mut answers = Vec::with_capacity(questions.len());
    let mut answering = stream::iter(questions.iter().copied())
        .map(|(question, related)| answer(retrieval, answerer, question, related, options))
        .buffered(QUESTIONS_AT_ONCE);
    while let Some(answer) = answering.try_next().await? {
        answers.push(answer);
        progress.advance(1);
    }
    Ok(answers)
}

async fn answer(
    retrieval: &Retrieval,
    answerer: &Answerer,
    question: &Question,
    related: bool,
    options: &EvalOptions,
) -> anyhow::Result<Answered> {
    let mut retrieved = retrieve(retrieval, question, options, usize::try_from(options.top_k)?).await?;
    let (asked, _) = chat::answer::question(answerer, &question.text, shown(question, options), &mut retrieved).await?;
    let patience = Duration::from_secs(options.model.model_timeout);
    let started = Instant::now();
    let Answer { text, completion, .. } = Answer::read(answerer, asked, patience, drop).await?;
    let answer_ms = started.elapsed().as_secs_f64() * 1e3;
    let started = Instant::now();
    let checked = chat::answer::check_citations(&text, &mut retrieved.sources, retrieval).await;
    let check_ms = started.elapsed().as_secs_f64() * 1e3;
    let kind = match question.answerable {
        _ if !related => Kind::Unrelated,
        Some(false) => Kind::Unanswerable,
        Some(true) | None => Kind::Answerable,
    };
    let spans = Some(&question.answers).filter(|spans| kind == Kind::Answerable && !spans.is_empty());
    let has_span = |text: &str| spans.map(|spans| contains_any(text, spans));
    Ok(Answered {
        id: question.id.clone(),
        question: retrieved.question.question,
        abstained: completion.abstained,
        support: completion.support,
        kind,
        has_span: has_span(&text),
        passages_have_span: spans.map(|spans| retrieved.sources.iter().any(|source| contains_any(&source.text, spans))),
        cited: checked.citations.len(),
        verified: checked.citations.iter().filter(|citation| citation.verified).count(),
        answer: text,
        answer_ms,
        check_ms,
    })
}

/// What of the conversation a model is shown beside the question, as a server with default options does.
fn shown(question: &Question, options: &EvalOptions) -> Vec<llm::Message> {
    if options.history != EvalHistory::Auto {
        return Vec::new();
    }
    let newest = &question.history[question.history.len().saturating_sub(MESSAGES_SHOWN)..];
    let message = |Message { role, content }: &Message| {
        let role = match role.as_str() {
            "user" => llm::Role::User,
            "assistant" => llm::Role::Assistant,
            _ => return None,
        };
        Some(llm::Message { role, content: content.clone() })
    };
    newest.iter().filter_map(message).collect()
}

/// As SQuAD compares: lower case, without punctuation, articles and markers.
fn contains_any(text: &str, spans: &[String]) -> bool {
    let text = format!(" {} ", normalised(text));
    spans.iter().map(|span| normalised(span)).any(|span| !span.is_empty() && text.contains(&format!(" {span} ")))
}

fn normalised(text: &str) -> String {
    let mut bare = String::with_capacity(text.len());
    let mut from = 0;
    for marker in markers(text) {
        bare.push_str(&text[from..marker.span.start]);
        from = marker.span.end;
    }
    bare.push_str(&text[from..]);
    let letters: String = bare.to_lowercase().chars().filter(|c| c.is_alphanumeric() || c.is_whitespace()).collect();
    let words = letters.split_whitespace().filter(|word| !matches!(*word, "a" | "an" | "the"));
    words.collect::<Vec<_>>().join(" ")
}

impl Answers {
    pub(super) fn new(answered: &[Answered]) -> Self {
        let of = |kind: Kind| answered.iter().filter(move |answer| answer.kind == kind);
        let supports = |kind: Kind| -> Vec<f64> { of(kind).map(Answered::support_or_outcome).collect() };
        let refused = |kind: Kind| share(of(kind).map(|answer| answer.abstained));
        let answerable = supports(Kind::Answerable);
        let cited: usize = answered.iter().map(|answer| answer.cited).sum();
        let verified: usize = answered.iter().map(|answer| answer.verified).sum();
        let said: Vec<f64> =
            of(Kind::Answerable).filter(|answer| !answer.abstained).map(|answer| answer.cited as f64).collect();
        Self {
            answerable: of(Kind::Answerable).count(),
            unanswerable: of(Kind::Unanswerable).count(),
            unrelated: of(Kind::Unrelated).count(),
            gold_span: share(answered.iter().filter_map(|answer| answer.has_span)),
            gold_span_in_passages: share(answered.iter().filter_map(|answer| answer.passages_have_span)),
            answerable_refused: refused(Kind::Answerable),
            unanswerable_refused: refused(Kind::Unanswerable),
            unrelated_refused: refused(Kind::Unrelated),
            unanswerable_auc: area_under_curve(&answerable, &supports(Kind::Unanswerable)),
            unrelated_auc: area_under_curve(&answerable, &supports(Kind::Unrelated)),
            curve: curve(&[
                ("answerable", answerable),
                ("unanswerable", supports(Kind::Unanswerable)),
                ("unrelated", supports(Kind::Unrelated)),
            ]),
            verified: (cited > 0).then(|| verified as f64 / cited as f64),
            mean_sentences: (!said.is_empty()).then(|| said.iter().sum::<f64>() / said.len() as f64),
            answer_ms_p50: median(answered.iter().map(|answer| answer.answer_ms)),
            check_ms_p50: median(answered.iter().map(|answer| answer.check_ms)),
        }
    }

    pub(super) fn print(&self) {
        let percent = |share: Option<f64>| share.map_or("–".to_owned(), |share| format!("{:.1} %", share * 100.0));
        let auc = |auc: Option<f64>| auc.map_or("–".to_owned(), |auc| format!("{auc:.3}"));
        println!("\nanswers               questions  refused   AUC");
        println!("  answerable          {:9}  {:>7}", self.answerable, percent(self.answerable_refused));
        println!(
            "  unanswerable        {:9}  {:>7}  {}",
            self.unanswerable,
            percent(self.unanswerable_refused),
            auc(self.unanswerable_auc)
        );
        println!(
            "  unrelated           {:9}  {:>7}  {}",
            self.unrelated,
            percent(self.unrelated_refused),
            auc(self.unrelated_auc)
        );
        println!(
            "  gold span in the answer {}, in its passages {}; cited sentences {:.2} an answer, verified {}",
            percent(self.gold_span),
            percent(self.gold_span_in_passages),
            self.mean_sentences.unwrap_or_default(),
            percent(self.verified)
        );
        println!(
            "  {:.1} ms an answer, without retrieval, and {:.2} ms to check its citations (p50)",
            self.answer_ms_p50, self.check_ms_p50
        );
    }
}

impl Answered {
    /// Where the answerer does not tell the support, all that is known is whether it abstained.
    fn support_or_outcome(&self) -> f64 {
        self.support.map_or(if self.abstained { 0.0 } else { 1.0 }, f64::from)
    }
}

fn share(outcomes: impl Iterator<Item = bool>) -> Option<f64> {
    let outcomes: Vec<bool> = outcomes.collect();
    let with = outcomes.iter().filter(|outcome| **outcome).count();
    (!outcomes.is_empty()).then(|| with as f64 / outcomes.len() as f64)
}

/// At the thresholds that refuse 0, 2, 4 … 20 % of the answerable questions, the share of each kind refused.
fn curve(kinds: &[(&str, Vec<f64>)]) -> Vec<CurvePoint> {
    let mut answerable = kinds[0].1.clone();
    answerable.sort_by(f64::total_cmp);
    if answerable.is_empty() {
        return Vec::new();
    }
    let point = |percent: usize| {
        let threshold = answerable[(answerable.len() * percent / 100).min(answerable.len() - 1)];
        let below = |supports: &[f64]| share(supports.iter().map(|support| *support < threshold));
        let refused = kinds.iter().filter_map(|(kind, supports)| Some(((*kind).to_owned(), below(supports)?)));
        CurvePoint { threshold, refused: refused.collect() }
    };
    (0..=10).map(|step| point(2 * step)).collect()
}

#[cfg(test)]
mod tests {
    use super::contains_any;

    #[test]
    fn spans_are_compared_as_squad_does() {
        let spans = ["The 10th and 11th centuries".to_owned()];
        assert!(contains_any("It was in 10th and 11th Centuries. [1]", &spans));
        assert!(!contains_any("the 110th and 11th centuries", &spans), "whole words only");
        assert!(!contains_any("It cites [10].", &["10".to_owned()]), "a marker is no word of the answer");
        assert!(!contains_any("anything", &["the".to_owned()]), "an empty span is in nothing");
    }
}
