//! A BEIR folder: `corpus.jsonl`, `queries.jsonl` and `qrels/<split>.tsv`
//! (<https://github.com/beir-cellar/beir/wiki/Load-your-custom-dataset>), with the fields that sets of conversations and
//! of unanswerable questions add to a query.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use serde::Deserialize;
use serde::de::DeserializeOwned;

pub(super) struct Dataset {
    pub(super) name: String,
    pub(super) split: String,
    pub(super) passages: Vec<Passage>,
    pub(super) questions: Vec<Question>,
    /// What of the set cannot be used as it is, for a person to read.
    pub(super) warnings: Vec<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Passage {
    #[serde(rename = "_id")]
    pub(super) id: String,
    #[serde(default)]
    pub(super) title: String,
    pub(super) text: String,
}

#[derive(Debug, Default)]
pub(super) struct Question {
    pub(super) id: String,
    pub(super) text: String,
    /// Oldest first, without the question.
    pub(super) history: Vec<Message>,
    /// Gain of each relevant passage, by its id; empty for a question that the split does not judge.
    pub(super) relevant: HashMap<String, f64>,
    /// Spans of which an answer should contain one.
    pub(super) answers: Vec<String>,
    /// Whether the corpus answers it, where the set says so.
    pub(super) answerable: Option<bool>,
    /// Questions of one conversation are not independent of each other.
    pub(super) conversation: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Message {
    pub(super) role: String,
    pub(super) content: String,
}

/// A line of `queries.jsonl`.
#[derive(Deserialize)]
struct Query {
    #[serde(rename = "_id")]
    id: String,
    text: String,
    #[serde(default)]
    history: Option<Vec<Message>>,
    #[serde(default)]
    answers: Option<Vec<String>>,
    #[serde(default)]
    is_impossible: Option<bool>,
    /// `ANSWERABLE`, `UNANSWERABLE`, `PARTIAL`, `CONVERSATIONAL`.
    #[serde(default)]
    answerability: Option<String>,
    #[serde(default)]
    conversation: Option<String>,
}

impl Dataset {
    pub(super) fn read(folder: &Path, split: Option<&str>) -> anyhow::Result<Self> {
        let passages: Vec<Passage> = read_lines(&folder.join("corpus.jsonl"))?;
        let mut ids = HashSet::with_capacity(passages.len());
        for passage in &passages {
            ensure!(ids.insert(passage.id.as_str()), "corpus.jsonl has the id {:?} more than once", passage.id);
        }
        ensure!(!passages.is_empty(), "{} is empty", folder.join("corpus.jsonl").display());

        let mut questions = Self::read_questions(folder)?;
        let (split, file) = find_split(folder, split)?;
        let qrels = read_qrels(&file)?;
        let warnings = missing(&qrels, &ids, &questions);
        let mut by_question: HashMap<String, HashMap<String, f64>> = HashMap::new();
        for Judgement { question, passage, gain } in qrels {
            by_question.entry(question).or_default().insert(passage, gain);
        }
        for question in &mut questions {
            question.relevant = by_question.remove(&question.id).unwrap_or_default();
            question.answerable = question.answerable.or((!question.relevant.is_empty()).then_some(true));
        }
        Ok(Self { name: name(folder), split, passages, questions, warnings })
    }

    /// The questions alone, as of a set that is not judged here: this corpus does not answer them.
    pub(super) fn read_questions(folder: &Path) -> anyhow::Result<Vec<Question>> {
        let file = folder.join("queries.jsonl");
        let queries: Vec<Query> = read_lines(&file)?;
        let mut ids = HashSet::with_capacity(queries.len());
        let questions = queries.into_iter().map(|query| {
            ensure!(ids.insert(query.id.clone()), "{} has the id {:?} more than once", file.display(), query.id);
            Ok(Question::from(query))
        });
        questions.collect()
    }

    /// The questions that have a relevant passage in the split.
    pub(super) fn judged(&self) -> impl Iterator<Item = &Question> {
        self.questions.iter().filter(|question| !question.relevant.is_empty())
    }
}

impl From<Query> for Question {
    fn from(query: Query) -> Self {
        let by_label = query.answerability.as_deref().and_then(|label| match label {
            "ANSWERABLE" => Some(true),
            "UNANSWERABLE" => Some(false),
            // Half an answer, or small talk: neither answering nor abstaining is wrong.
            _ => None,
        });
        Self {
            answerable: query.is_impossible.map(|impossible| !impossible).or(by_label),
            id: query.id,
            text: query.text,
            history: query.history.unwrap_or_default(),
            relevant: HashMap::new(),
            answers: query.answers.unwrap_or_default(),
            conversation: query.conversation,
        }
    }
}

struct Judgement {
    question: String,
    passage: String,
    gain: f64,
}

/// `test`, or the only one there, unless one is named.
fn find_split(folder: &Path, split: Option<&str>) -> anyhow::Result<(String, PathBuf)> {
    let qrels = folder.join("qrels");
    let entries = fs::read_dir(&qrels).with_context(|| format!("cannot read {}", qrels.display()))?;
    let mut splits: Vec<String> = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if let (Some("tsv"), Some(stem)) = (path.extension().and_then(|it| it.to_str()), path.file_stem()) {
            splits.push(stem.to_string_lossy().into_owned());
        }
    }
    splits.sort_unstable();
    let has = |name: &str| splits.iter().any(|split| split == name);
    let chosen = match (split, splits.as_slice()) {
        (Some(split), _) if has(split) => split,
        (Some(split), _) => bail!("{} has no {split}.tsv; there is {}", qrels.display(), splits.join(", ")),
        (None, _) if has("test") => "test",
        (None, [only]) => only,
        (None, []) => bail!("{} has no .tsv file", qrels.display()),
        (None, _) => bail!("{} has {}; choose one with --split", qrels.display(), splits.join(", ")),
    };
    Ok((chosen.to_owned(), qrels.join(format!("{chosen}.tsv"))))
}

/// `query-id`, `corpus-id` and a score, separated by tabs, under a header line. A score of 0 says "not relevant".
fn read_qrels(file: &Path) -> anyhow::Result<Vec<Judgement>> {
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let mut judgements = Vec::new();
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let fields: Vec<&str> = line.split('\t').collect();
        let gain = fields.get(2).and_then(|gain| gain.trim().parse::<f64>().ok());
        match (fields.as_slice(), gain) {
            ([question, passage, _], Some(gain)) if gain > 0.0 => {
                judgements.push(Judgement { question: (*question).to_owned(), passage: (*passage).to_owned(), gain });
            }
            (_, Some(_)) => {}
            (_, None) if number == 0 => {}
            (_, None) => bail!("{}, line {}: not `query-id<TAB>corpus-id<TAB>score`", file.display(), number + 1),
        }
    }
    Ok(judgements)
}

/// Judgements of questions and passages that the set does not have.
fn missing(qrels: &[Judgement], passages: &HashSet<&str>, questions: &[Question]) -> Vec<String> {
    let questions: HashSet<&str> = questions.iter().map(|question| question.id.as_str()).collect();
    let without_passage = qrels.iter().filter(|it| !passages.contains(it.passage.as_str())).count();
    let without_question = qrels.iter().filter(|it| !questions.contains(it.question.as_str())).count();
    let mut warnings = Vec::new();
    if without_passage > 0 {
        warnings.push(format!("{without_passage} judgements name passages that corpus.jsonl lacks: never found"));
    }
    if without_question > 0 {
        warnings.push(format!("{without_question} judgements name questions that queries.jsonl lacks: left out"));
    }
    warnings
}

fn read_lines<T: DeserializeOwned>(file: &Path) -> anyhow::Result<Vec<T>> {
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let parse =
        |(number, line)| serde_json::from_str(line).with_context(|| format!("{}, line {}", file.display(), number + 1));
    lines.map(parse).collect()
}

/// The folder's own name.
fn name(folder: &Path) -> String {
    let path = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}
