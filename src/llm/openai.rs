//! A chat model behind any endpoint that speaks OpenAI's `POST /chat/completions`: OpenAI, vLLM, Ollama, llama.cpp.
//!
//! One attempt ends with the first piece of the answer: until then nothing was shown and everything can be tried again
//! ([`retries`]); after it, a failure is an error. The HTTP exchange is in [`transport`], the reading of the streamed
//! chunks in [`events`] and [`completion`]. `async-openai` gives the types of the wire; its client would read each answer
//! in a task of its own and hand it on through a channel.

mod completion;
mod events;
mod options;
mod retries;
mod transport;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_openai::types::chat::{
    ChatCompletionRequestMessage, ChatCompletionRequestSystemMessage, ChatCompletionRequestUserMessage,
    ChatCompletionStreamOptions, CreateChatCompletionRequest,
};
use futures::{StreamExt, stream};
use tokio::time::Instant;

use completion::StreamedCompletion;
use options::endpoint;
pub use options::{InvalidOptions, OpenAiChatOptions, Retries, Timeouts};
use transport::Transport;

use crate::llm::prompt::{Prompt, PromptTemplates};
use crate::llm::{Answer, Condensed, ContextUse, Error, Event, Message, PromptBudget, Question, Usage, condense};

/// How long an answer vouches for the endpoint when readiness is asked for.
const CHECKED_FOR: Duration = Duration::from_secs(30);

/// For a check, which asks for no words.
const LONGEST_CHECK: Duration = Duration::from_secs(10);

/// Built once: its clones share the connections.
#[derive(Debug, Clone)]
pub struct OpenAiChat {
    transport: Transport,
    model: String,
    prompt: PromptTemplates,
    budget: PromptBudget,
    timeouts: Timeouts,
    retries: Retries,
    /// When the endpoint last did what it was asked; none if it failed since.
    last_answer: Arc<Mutex<Option<Instant>>>,
}

impl OpenAiChat {
    pub fn new(options: OpenAiChatOptions) -> Result<Self, InvalidOptions> {
        let OpenAiChatOptions { base_url, api_key, proxy, model, prompt, budget, timeouts, retries } = options;
        if model.trim().is_empty() {
            return Err(InvalidOptions::NoModel);
        }
        let endpoint = endpoint(&base_url, api_key.as_ref())?;
        let transport = Transport::new(endpoint, proxy.as_ref(), timeouts.connect)?;
        Ok(Self { transport, model, prompt, budget, timeouts, retries, last_answer: Arc::default() })
    }

    pub fn model(&self) -> &str {
        &self.model
    }

    /// Where text is sent.
    pub fn base_url(&self) -> &str {
        self.transport.base_url()
    }

    /// The question with what the prompt's budget holds of its sources and its conversation.
    pub async fn fit(&self, question: Question) -> Result<(Question, ContextUse), Error> {
        if self.budget.surely_holds(&self.prompt, &question) {
            return Ok((question, self.budget.unused()));
        }
        let (budget, templates) = (self.budget.clone(), self.prompt.clone());
        // Counting the tokens of a long prompt takes milliseconds.
        let fitting = tokio::task::spawn_blocking(move || {
            let mut question = question;
            let left_out = budget.fit(&templates, &mut question)?;
            Ok((question, left_out))
        });
        fitting.await.expect("counting tokens does not panic")
    }

    pub fn prompt(&self, question: &Question) -> Prompt {
        self.prompt.render(question)
    }

    pub async fn answer(&self, question: Question, deadline: Instant) -> Result<Answer, Error> {
        let request = self.request(self.prompt.render(&question));
        let attempt = || async {
            let mut completion = self.open(&request, deadline).await?;
            let first = completion.next().await?;
            Ok((first, completion))
        };
        let begun = retries::run(attempt, self.retries, deadline).await;
        self.note_answer(begun.is_ok());
        let (first, completion) = begun?;
        let rest = stream::try_unfold(completion, |mut completion| async move {
            Ok(completion.next().await?.map(|event| (event, completion)))
        });
        Ok(stream::iter(first.map(Ok)).chain(rest).boxed())
    }

    /// The message as a question of its own. One attempt: whoever waits for it can do without.
    pub async fn condense(&self, history: &[Message], message: &str, deadline: Instant) -> Result<Condensed, Error> {
        let request = self.request(condense::prompt(history, message));
        let mut completion = self.open(&request, deadline).await?;
        let (mut reply, mut usage) = (String::new(), Usage::default());
        while let Some(event) = completion.next().await? {
            match event {
                Event::Delta(piece) => reply.push_str(&piece),
                Event::Done(done) => {
                    usage = done.usage;
                    break;
                }
            }
        }
        Ok(Condensed { question: condense::question_in(&reply), usage })
    }

    /// The endpoint is reached and takes the key. One that answered within the last 30 s is not asked again.
    pub async fn check(&self) -> Result<(), Error> {
        let last_answer = *self.last_answer.lock().expect("nothing panics holding it");
        if last_answer.is_some_and(|answer| answer.elapsed() < CHECKED_FOR) {
            return Ok(());
        }
        let checked = self.transport.check(LONGEST_CHECK).await;
        self.note_answer(checked.is_ok());
        checked
    }

    fn note_answer(&self, answered: bool) {
        *self.last_answer.lock().expect("nothing panics holding it") = answered.then(Instant::now);
    }

    async fn open(
        &self,
        request: &CreateChatCompletionRequest,
        deadline: Instant,
    ) -> Result<StreamedCompletion, Error> {
        let asked = Instant::now();
        let asking = tokio::time::timeout_at(deadline, self.transport.ask(request));
        let events = asking.await.map_err(|_| Error::Timeout { silence: asked.elapsed() })??;
        Ok(StreamedCompletion::new(events, self.timeouts.between_tokens, deadline))
    }

    fn request(&self, prompt: Prompt) -> CreateChatCompletionRequest {
        let system = ChatCompletionRequestSystemMessage { content: prompt.system.into(), name: None };
        let user = ChatCompletionRequestUserMessage { content: prompt.user.into(), name: None };
        CreateChatCompletionRequest {
            model: self.model.clone(),
            messages: vec![ChatCompletionRequestMessage::System(system), ChatCompletionRequestMessage::User(user)],
            stream: Some(true),
            stream_options: Some(ChatCompletionStreamOptions { include_usage: Some(true), include_obfuscation: None }),
            ..Default::default()
        }
    }
}
