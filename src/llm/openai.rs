//! A chat model behind any endpoint that speaks OpenAI's `POST /chat/completions`: OpenAI, vLLM, Ollama, llama.cpp.
//!
//! One attempt ends with the first piece of the answer: until then nothing was shown and everything can be tried again
//! ([`retries`]); after it, a failure is an error. The HTTP exchange is in [`transport`], the reading of the streamed
//! chunks in [`completion`].

mod completion;
mod options;
mod retries;
mod transport;

use async_openai::Client;
use async_openai::config::OpenAIConfig;
use async_openai::types::chat::{
    ChatCompletionRequestMessage, ChatCompletionRequestSystemMessage, ChatCompletionRequestUserMessage,
    ChatCompletionStreamOptions, CreateChatCompletionRequest,
};
use futures::{StreamExt, stream};
use tokio::time::Instant;

use completion::{Chunk, StreamedCompletion};
pub use options::{InvalidOptions, OpenAiChatOptions, Retries, Timeouts};
use transport::Transport;

use crate::llm::prompt::{Prompt, PromptTemplates};
use crate::llm::{Answer, Error, Question};

/// Built once: its clones share the connections.
#[derive(Debug, Clone)]
pub struct OpenAiChat {
    client: Client<OpenAIConfig>,
    transport: Transport,
    model: String,
    prompt: PromptTemplates,
    timeouts: Timeouts,
    retries: Retries,
}

impl OpenAiChat {
    pub fn new(options: OpenAiChatOptions) -> Result<Self, InvalidOptions> {
        let OpenAiChatOptions { base_url, api_key, model, prompt, timeouts, retries } = options;
        if model.trim().is_empty() {
            return Err(InvalidOptions::NoModel);
        }
        let transport = Transport::new(&base_url, api_key, timeouts.connect)?;
        Ok(Self { client: transport.client(), transport, model, prompt, timeouts, retries })
    }

    pub fn model(&self) -> &str {
        &self.model
    }

    /// Where text is sent.
    pub fn base_url(&self) -> &str {
        self.transport.base_url()
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
        let (first, completion) = retries::run(attempt, self.retries, deadline).await?;
        let rest = stream::try_unfold(completion, |mut completion| async move {
            Ok(completion.next().await?.map(|event| (event, completion)))
        });
        Ok(stream::iter(first.map(Ok)).chain(rest).boxed())
    }

    /// The endpoint is reached and takes the key.
    pub async fn check(&self) -> Result<(), Error> {
        self.transport.check(self.timeouts.first_token).await
    }

    async fn open(
        &self,
        request: &CreateChatCompletionRequest,
        deadline: Instant,
    ) -> Result<StreamedCompletion, Error> {
        let asked = Instant::now();
        let first_by = deadline.min(asked + self.timeouts.first_token);
        let chat = self.client.chat();
        let response = tokio::time::timeout_at(first_by, chat.create_stream_byot::<_, Chunk>(request)).await;
        let chunks = response.map_err(|_| Error::Timeout { silence: asked.elapsed() })?.map_err(transport::error)?;
        Ok(StreamedCompletion::new(chunks, first_by, self.timeouts.between_tokens, deadline))
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
