//! `footnote ask`: one question to a running server, and on request everything that led to the answer.

use std::process::ExitCode;

use serde_json::Value;
use tokio::runtime::Runtime;

use super::server::Server;
use super::{label, show_persistence};
use crate::cli::AskOptions;
use crate::source_document::SourceDocument;
use crate::text::code_points::slice;

/// Candidates below these are seldom what someone looks for.
const CANDIDATES_SHOWN: usize = 15;

/// Asks, and prints the answer with the sources it cites.
pub fn ask(runtime: &Runtime, options: &AskOptions) -> anyhow::Result<ExitCode> {
    let server = Server::new(&options.client)?;
    let user_id = options.client.user_id.as_deref();
    let response = runtime.block_on(server.ask_at_once(user_id, &options.question, options.explain))?;
    let text = response["response"].as_str().unwrap_or_default();
    let sources: Vec<SourceDocument> = serde_json::from_value(response["source_documents"].clone())?;
    println!("{text}");
    for source in sources.iter().filter(|source| source.cited || options.explain) {
        println!("  {}{}", label(source), if source.cited { "" } else { " (not cited)" });
    }
    show_persistence(&response);
    if options.explain {
        explain(&response, text, &sources);
    }
    Ok(ExitCode::SUCCESS)
}

fn explain(response: &Value, text: &str, sources: &[SourceDocument]) {
    let explanation = &response["explain"];
    println!("\nQuestion");
    println!("  searched for: {}", explanation["searched_for"].as_str().unwrap_or_default());
    for reason in explanation["reasons"].as_array().into_iter().flatten() {
        println!("  depends on the conversation: {}", reason.as_str().unwrap_or_default());
    }
    println!("  earlier messages that counted in the search: {}", explanation["messages_in_context"]);

    println!("\nCandidates           fused           dense            bm25        reranked");
    let candidates = explanation["candidates"].as_array().map(Vec::as_slice).unwrap_or_default();
    for candidate in candidates.iter().take(CANDIDATES_SHOWN) {
        show_candidate(candidate, sources);
    }
    if candidates.len() > CANDIDATES_SHOWN {
        println!("  … and {} more", candidates.len() - CANDIDATES_SHOWN);
    }

    println!("\nCitations");
    for citation in response["citations"].as_array().into_iter().flatten() {
        let verdict = if citation["verified"] == true { "verified" } else { "NOT verified" };
        println!("  [{}] {verdict}: {}", citation["n"], part(text, &citation["sentence"]));
    }
    for sentence in response["uncited"].as_array().into_iter().flatten() {
        println!("  no citation: {}", part(text, sentence));
    }
    println!("  markers of no source, removed: {}", response["removed_markers"]);

    if let Some(prompt) = explanation["prompt"].as_object() {
        for (role, message) in prompt {
            println!("\nPrompt, {role}\n{}", message.as_str().unwrap_or_default());
        }
    }
    println!("\nMilliseconds");
    for (step, milliseconds) in response["timings_ms"].as_object().into_iter().flatten() {
        println!("  {step:8} {milliseconds}");
    }
}

/// `[1]   1  1.62   3 0.512   1 7.31   2 4.18   below_limit`
fn show_candidate(candidate: &Value, sources: &[SourceDocument]) {
    let id = candidate["chunk_id"].as_str().unwrap_or_default();
    let source = sources.iter().find(|source| source.id.to_string() == id);
    let name = source.map_or_else(|| id.chars().take(8).collect(), |source| format!("[{}]", source.n));
    let ranked = |ranking: &str| match (candidate[ranking]["rank"].as_u64(), candidate[ranking]["score"].as_f64()) {
        (Some(rank), Some(score)) => format!("{rank:4} {score:9.3}"),
        _ => format!("{:>14}", "–"),
    };
    // A hit that is no source of its own stands beside one in its document.
    let joined = if source.is_none() { "joined_to_neighbour" } else { "" };
    let dropped = candidate["dropped"].as_str().unwrap_or(joined);
    let [fused, dense, bm25, reranked] = ["fused", "dense", "bm25", "reranked"].map(ranked);
    println!("  {name:10} {fused}  {dense}  {bm25}  {reranked}  {dropped}");
}

/// The part of `text` between two code points.
fn part<'text>(text: &'text str, span: &Value) -> &'text str {
    let offset = |index: usize| span[index].as_u64().and_then(|offset| usize::try_from(offset).ok());
    match (offset(0), offset(1)) {
        (Some(start), Some(end)) => slice(text, [start, end]),
        _ => "",
    }
}
