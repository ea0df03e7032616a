//! What a remote model is sent: a system message, and a user message made from a template by putting the sources, the
//! previous conversation and the question into it, each once.
//!
//! Values are copied, never read as a template: a document that contains `{{question}}` stays text. Each source, its title
//! and heading included, stands between two lines of tildes that are longer than any run of tildes in any source, so no
//! document can close its own fence and speak outside of it.

mod template;

use std::fmt::Write;
use std::path::Path;

use serde::Serialize;
pub use template::InvalidTemplate;
use template::{Placeholder, Template};

use crate::llm::{Message, Question, Role, Scope, abstention};
use crate::source_document::SourceDocument;
use crate::text::markers::without_markers;

const DEFAULT_SYSTEM: &str = include_str!("../prompts/answer_system.txt");
const DEFAULT_SYSTEM_OPEN: &str = include_str!("../prompts/answer_system_open.txt");
const DEFAULT_USER: &str = include_str!("../prompts/answer_user.txt");

/// The templates of both messages, checked when they are loaded.
#[derive(Debug, Clone)]
pub struct PromptTemplates {
    system: String,
    user: Template,
}

/// The two messages a model is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Prompt {
    pub system: String,
    pub user: String,
}

impl PromptTemplates {
    /// The built-in templates, each replaced by a file where one is given. The user message's template must contain
    /// `{{sources}}`, `{{history}}` and `{{question}}`, each once; the system message's template has no placeholders.
    pub fn load(system: Option<&Path>, user: Option<&Path>, scope: Scope) -> Result<Self, InvalidTemplate> {
        let default_system = match scope {
            Scope::DocumentsOnly => DEFAULT_SYSTEM,
            Scope::DocumentsFirst => DEFAULT_SYSTEM_OPEN,
        };
        Ok(Self {
            system: template::parse_fixed(&template::read(system, default_system)?)?,
            user: Template::parse(&template::read(user, DEFAULT_USER)?)?,
        })
    }

    /// A length that the prompt does not exceed, without writing it.
    pub(super) fn most_bytes(&self, question: &Question) -> usize {
        const AROUND_A_SOURCE: usize = 64;
        const AROUND_A_MESSAGE: usize = 32;
        const IN_ANOTHER_LANGUAGE: usize = 128;
        let fences = 2 * fence_length(&question.sources);
        let source = |source: &SourceDocument| {
            let label = source.title.len() + source.heading.as_ref().map_or(0, String::len);
            label + fences + source.text.len() + AROUND_A_SOURCE
        };
        // Every further line of a message is indented by two.
        let indents = |content: &str| 2 * content.bytes().filter(|byte| *byte == b'\n').count();
        let message = |message: &Message| message.content.len() + indents(&message.content) + AROUND_A_MESSAGE;
        let templates = self.system.len() + self.user.bytes() + IN_ANOTHER_LANGUAGE;
        let sources: usize = question.sources.iter().map(source).sum();
        let history: usize = question.history.iter().map(message).sum();
        templates + AROUND_A_SOURCE + sources + history + question.message.len()
    }

    pub fn render(&self, question: &Question) -> Prompt {
        let sources = sources_block(&question.sources);
        let history = history_block(&question.history);
        let user = self.user.fill(|placeholder| match placeholder {
            Placeholder::Sources => &sources,
            Placeholder::History => &history,
            Placeholder::Question => question.message.trim(),
        });
        // In the question's language: a model that answers in it would translate the sentence, and not be recognised.
        let not_there = abstention::not_in_the_documents(&question.message);
        Prompt { system: self.system.replace(abstention::NOT_IN_THE_DOCUMENTS, not_there), user }
    }
}

/// `[n]`, and between fences `title — heading` and the text, for each source.
fn sources_block(sources: &[SourceDocument]) -> String {
    if sources.is_empty() {
        return "(no passage of the documents matches the question)".to_owned();
    }
    let fence = "~".repeat(fence_length(sources));
    let mut block = String::new();
    for source in sources {
        let separator = if block.is_empty() { "" } else { "\n\n" };
        let label = label(source);
        let text = source.text.trim_matches('\n');
        write!(block, "{separator}[{}]\n{fence}\n{label}\n\n{text}\n{fence}", source.n)
            .expect("writing to a String does not fail");
    }
    block
}

/// `title — heading`.
fn label(source: &SourceDocument) -> String {
    let title = one_line(&source.title);
    match source.heading.as_deref().map(one_line).filter(|heading| !heading.is_empty()) {
        Some(heading) => format!("{title} — {heading}"),
        None => title,
    }
}

/// Longer than the longest run of tildes in the sources, and at least four: CommonMark's rule for code fences.
fn fence_length(sources: &[SourceDocument]) -> usize {
    let longest_run = |text: &str| text.split(|c| c != '~').map(str::len).max().unwrap_or(0);
    let in_source = |source: &SourceDocument| longest_run(&source.text).max(longest_run(&label(source)));
    (sources.iter().map(in_source).max().unwrap_or(0) + 1).max(4)
}

/// A title or heading as a label: on one line, of a bounded length.
fn one_line(label: &str) -> String {
    const LONGEST_LABEL: usize = 200;
    let words = label.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ").chars().take(LONGEST_LABEL).collect()
}

/// `Previous conversation:` and a line per message, then an empty line; nothing when there is no history.
///
/// Further lines of a message are indented, so that none of them begins with `You:` or `Bot:`. The `[n]` of earlier
/// answers are left out: they are numbers of earlier sources and would be taken for numbers of these.
fn history_block(history: &[Message]) -> String {
    if history.is_empty() {
        return String::new();
    }
    let mut block = String::from("Previous conversation:\n");
    for message in history {
        let (speaker, content) = match message.role {
            Role::User => ("You", message.content.trim().to_owned()),
            Role::Assistant => ("Bot", without_markers(message.content.trim())),
        };
        let content = content.lines().collect::<Vec<_>>().join("\n  ");
        writeln!(block, "{speaker}: {content}").expect("writing to a String does not fail");
    }
    block.push('\n');
    block
}

#[cfg(test)]
mod tests;
