//! How fast the built-in embedder is: `cargo bench -p footnote-knowledge --bench embedding [PASSAGES]`.
//!
//! A plain program rather than a statistics harness: one run over many passages is what an ingest does.

use std::error::Error;
use std::time::{Duration, Instant};

use footnote_knowledge::embedding::{Embedder, LocalEmbedder};

const TOKENS: usize = 230;
const QUERIES: u32 = 300;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let passages = std::env::args().filter_map(|argument| argument.parse().ok()).next().unwrap_or(600);

    let start = Instant::now();
    let embedder = Embedder::Local(LocalEmbedder::open().await?);
    println!("load: {:.1} ms", milliseconds(start.elapsed()));
    embedder.embed_query("warm up").await?;
    println!("resident after the first query: {}", resident_memory());

    let texts: Vec<String> = (0..passages).map(|number| passage(&embedder, number)).collect();
    let tokens: usize = texts.iter().map(|text| embedder.tokenizer().count(text)).sum();
    let start = Instant::now();
    embedder.embed_documents(texts).await?;
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "{passages} passages of {} tokens on average: {seconds:.2} s, {:.1} chunks/s",
        tokens / passages,
        passages as f64 / seconds
    );

    let mut latencies = Vec::new();
    for number in 0..QUERIES {
        let query = format!("When does lock {number} of the northern harbour close at low tide?");
        let start = Instant::now();
        embedder.embed_query(&query).await?;
        latencies.push(start.elapsed());
    }
    latencies.sort();
    let [p50, p99] = [50, 99].map(|percent| milliseconds(latencies[latencies.len() * percent / 100]));
    println!("query: p50 {p50:.2} ms, p99 {p99:.2} ms");
    println!("resident at the end: {}", resident_memory());
    Ok(())
}

/// Distinct sentences up to [`TOKENS`] tokens.
fn passage(embedder: &Embedder, number: usize) -> String {
    let mut text = String::new();
    for line in 0.. {
        let sentence =
            format!("Entry {line} of log {number}: the pilot measured beacon {} before sunrise. ", number * line);
        if embedder.tokenizer().count(&text) + embedder.tokenizer().count(&sentence) > TOKENS {
            break;
        }
        text.push_str(&sentence);
    }
    text
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// As Linux counts it.
fn resident_memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.map_or_else(|| "unknown".to_owned(), |line| line.trim().to_owned())
}
