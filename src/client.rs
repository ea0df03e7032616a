//! `footnote chat`: a conversation with a running server from the terminal. The lines a person types come from
//! [`input`], the server's side of the wire is in [`server`].

mod input;
mod server;

use std::io::{self, Write};
use std::process::ExitCode;

use futures::{Stream, StreamExt};
use serde_json::Value;
use tokio::runtime::Runtime;
use uuid::Uuid;

use crate::cli::ChatClientOptions;
use crate::source_document::SourceDocument;
use input::{Input, Line};
use server::{Heard, Server};

const HELP: &str = "/sources shows the passages of the last answer, /reset forgets the conversation, /quit leaves";

/// Talks until `/quit` or the end of the input.
pub fn chat(runtime: &Runtime, options: &ChatClientOptions) -> anyhow::Result<ExitCode> {
    let server = Server::new(options)?;
    runtime.block_on(server.check())?;
    let user_id = options.user_id.clone().unwrap_or_else(|| Uuid::new_v4().to_string());
    println!("Connected to {}. {HELP}.", options.server);
    match &options.user_id {
        Some(_) => println!("Continuing conversation {user_id}."),
        None => println!("New conversation; continue it anywhere with --user-id {user_id}"),
    }

    let mut input = Input::new()?;
    let mut last_sources: Vec<SourceDocument> = Vec::new();
    while let Some(line) = input.next()? {
        match Line::parse(&line) {
            Line::Nothing => {}
            Line::Quit => break,
            Line::Help => println!("{HELP}"),
            Line::Sources => show_passages(&last_sources),
            Line::Reset => match runtime.block_on(server.forget(&user_id)) {
                Ok(()) => {
                    last_sources.clear();
                    println!("The conversation is forgotten.");
                }
                Err(error) => eprintln!("{error:#}"),
            },
            Line::Unknown(command) => println!("There is no {command}. {HELP}"),
            Line::Question(question) => match runtime.block_on(ask(&server, &user_id, question)) {
                Ok(sources) => last_sources = sources,
                // One failed question is no reason to lose the conversation.
                Err(error) => eprintln!("{error:#}"),
            },
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints the answer as it comes and returns its sources.
async fn ask(server: &Server, user_id: &str, question: &str) -> anyhow::Result<Vec<SourceDocument>> {
    let answer = server.ask(user_id, question).await?;
    print!("Bot: ");
    let response = show_as_it_comes(answer).await;
    // Whatever comes next, an error too, begins on a line of its own.
    println!();
    let response = response?;
    let sources: Vec<SourceDocument> = serde_json::from_value(response["source_documents"].clone())?;
    show_cut(&response);
    show_cited(&sources);
    show_persistence(&response);
    Ok(sources)
}

/// The whole response, after its words were printed.
async fn show_as_it_comes(mut answer: impl Stream<Item = anyhow::Result<Heard>> + Unpin) -> anyhow::Result<Value> {
    let mut stdout = io::stdout();
    stdout.flush()?;
    while let Some(heard) = answer.next().await {
        match heard? {
            Heard::Delta(text) => {
                write!(stdout, "{text}")?;
                stdout.flush()?;
            }
            Heard::Done(response) => return Ok(response),
            Heard::Sources => {}
        }
    }
    anyhow::bail!("the server closed the connection before the answer was complete")
}

fn show_cited(sources: &[SourceDocument]) {
    for source in sources.iter().filter(|source| source.cited) {
        println!("  {}", label(source));
    }
}

fn show_cut(response: &Value) {
    match response["finish_reason"].as_str() {
        Some("length") => println!("  (cut: the model reached its limit of tokens)"),
        Some("content_filter") => println!("  (cut: the model's content filter ended the answer)"),
        _ => {}
    }
}

fn show_persistence(response: &Value) {
    if response["session_persisted"] != Value::Bool(true) {
        println!("  (not saved: this conversation is in the server's memory only)");
    }
}

fn show_passages(sources: &[SourceDocument]) {
    if sources.is_empty() {
        println!("There is no answer yet whose sources could be shown.");
    }
    for source in sources {
        let mark = if source.cited { "" } else { " (not cited)" };
        println!("{}{mark}", label(source));
        for line in source.text.lines() {
            println!("    {line}");
        }
    }
}

/// `[1] Title > Heading, data/file.pdf, page 3`
fn label(source: &SourceDocument) -> String {
    let heading = source.heading.as_deref().map(|heading| format!(" > {heading}")).unwrap_or_default();
    let page = source.page.map(|page| format!(", page {page}")).unwrap_or_default();
    format!("[{}] {}{heading}, {}{page}", source.n, source.title, source.source)
}
