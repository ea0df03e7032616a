//! Speed of writing and searching a collection: `cargo bench -p footnote-knowledge --bench search [-- CHUNKS…]`.
//!
//! Made-up documents of 20 chunks, 384-dimensional vectors in clusters, words by Zipf's law; 2,000 and 50,000 chunks
//! unless told otherwise. On the embedded engine, or on the Qdrant server of `QDRANT_URL`.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use footnote_knowledge::collection::{Collection, Filter, NewChunk, NewDocument, SearchMode, SearchQuery};
use footnote_knowledge::embedding::EmbeddingIdentity;
use footnote_knowledge::vector_store::VectorStore;
use futures::{StreamExt, stream};

const DIMENSION: usize = 384;
const CHUNKS_PER_DOCUMENT: usize = 20;
const WORDS_PER_CHUNK: usize = 150;
const VOCABULARY: usize = 20_000;
const SEARCHES: usize = 300;
const DOCUMENTS_AT_ONCE: usize = 16;

/// Asks a process of its own to open a folder, so that its memory is that of the collection alone.
const REOPEN: &str = "reopen";

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime starts");
    if let [_, reopen, folder, name] = &std::env::args().collect::<Vec<_>>()[..]
        && reopen == REOPEN
    {
        return runtime.block_on(measure_opening(Path::new(folder), name));
    }
    let sizes: Vec<usize> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    let sizes = if sizes.is_empty() { vec![2_000, 50_000] } else { sizes };
    for chunks in sizes {
        runtime.block_on(measure(chunks));
    }
}

async fn measure(chunks: usize) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let name = format!("bench-{}", uuid::Uuid::new_v4().simple());
    let store = match std::env::var("QDRANT_URL") {
        Ok(url) => VectorStore::connect(&url, None).await,
        Err(_) => VectorStore::open_embedded(folder.path()).await,
    }
    .expect("the store opens");
    let collection = Collection::open(store.clone(), &name, &identity()).await.expect("the collection opens");
    println!("{} chunks, {}", chunks, store.backend());

    let mut random = Random(1);
    let began = Instant::now();
    stream::iter(0..chunks.div_ceil(CHUNKS_PER_DOCUMENT))
        .map(|number| random.document(number))
        .for_each_concurrent(DOCUMENTS_AT_ONCE, async |document| {
            collection.replace_document(document).await.expect("a document is written");
        })
        .await;
    let took = began.elapsed();
    println!("  written: {:.0} chunks/s ({took:.1?})", chunks as f64 / took.as_secs_f64());

    let all = Filter::default();
    let one_tag = Filter { tags: vec!["tag-1".into()], ..Filter::default() };
    let by_time = Filter { ingested_after: Some(jiff::Timestamp::UNIX_EPOCH), ..Filter::default() };
    for (what, mode, filter) in [
        ("hybrid", SearchMode::Hybrid, &all),
        ("dense", SearchMode::Dense, &all),
        ("bm25", SearchMode::Bm25, &all),
        ("hybrid, a tenth by tag", SearchMode::Hybrid, &one_tag),
        ("hybrid, all by time", SearchMode::Hybrid, &by_time),
    ] {
        let mut times = Vec::with_capacity(SEARCHES);
        for _ in 0..SEARCHES {
            let (text, embedding) = (random.words(8), random.vector());
            let query = SearchQuery {
                text: &text,
                embedding: &embedding,
                context: &[],
                filter,
                limit: 8,
                mode,
                selection: Default::default(),
            };
            let began = Instant::now();
            let found = collection.search(query).await.expect("a search");
            times.push(began.elapsed());
            assert!(!found.hits.is_empty());
        }
        report(what, times);
    }

    let mut times = Vec::new();
    for number in 0..10 {
        let document = random.document(number);
        let began = Instant::now();
        collection.replace_document(document).await.expect("a document is replaced");
        times.push(began.elapsed());
    }
    report("replacing one document alone", times);

    if let Some(log_bytes) = store.log_bytes().await.expect("the log is there") {
        println!("  log: {} MB", log_bytes >> 20);
        drop(collection);
        store.close().await.expect("it closes");
        let program = std::env::current_exe().expect("this program has a path");
        let mut reopened = Command::new(program).arg(REOPEN).arg(folder.path()).arg(&name).spawn().expect("it starts");
        reopened.wait().expect("it ends");
    } else if let Some(stored) = store.resolve_alias(&name).await.expect("the alias is there") {
        store.delete_collection(&stored).await.expect("it is deleted");
    }
}

async fn measure_opening(folder: &Path, name: &str) {
    report_memory("before opening");
    let began = Instant::now();
    let store = VectorStore::open_embedded(folder).await.expect("the store opens");
    let collection = Collection::open(store, name, &identity()).await.expect("the collection opens");
    println!("  opened again: {:.0?}", began.elapsed());
    let mut random = Random(2);
    let all = Filter::default();
    for _ in 0..100 {
        let (text, embedding) = (random.words(8), random.vector());
        let query = SearchQuery {
            text: &text,
            embedding: &embedding,
            context: &[],
            filter: &all,
            limit: 8,
            mode: SearchMode::Hybrid,
            selection: Default::default(),
        };
        collection.search(query).await.expect("a search");
    }
    report_memory("opened again and searched");
}

fn identity() -> EmbeddingIdentity {
    EmbeddingIdentity { model: "bench".into(), dimension: DIMENSION, pooling: "none".into() }
}

fn report(what: &str, mut times: Vec<Duration>) {
    times.sort();
    println!("  {what}: p50 {:.2?}, p95 {:.2?}", times[times.len() / 2], times[times.len() * 95 / 100]);
}

/// Linux only.
fn report_memory(when: &str) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let resident =
        status.lines().filter(|line| ["VmHWM", "RssAnon", "RssFile"].iter().any(|name| line.starts_with(name)));
    let resident: Vec<_> = resident.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    println!("  memory, {when}: {}", resident.join(", "));
}

/// A small generator (xorshift64*), so that every run is the same.
struct Random(u64);

impl Random {
    fn next(&mut self) -> f32 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 40) as f32 / (1_u64 << 24) as f32
    }

    fn vector(&mut self) -> Vec<f32> {
        let cluster = (self.next() * 50.0) as usize;
        (0..DIMENSION).map(|axis| self.next() - 0.5 + if axis % 50 == cluster { 0.5 } else { 0.0 }).collect()
    }

    fn words(&mut self, count: usize) -> String {
        let word = |_| format!("word{}", (VOCABULARY as f32).powf(self.next()) as usize);
        (0..count).map(word).collect::<Vec<_>>().join(" ")
    }

    fn document(&mut self, number: usize) -> NewDocument {
        let chunk = |place: usize| NewChunk {
            heading: Some(format!("Chapter {place}")),
            page: None,
            start: place * 1000,
            end: (place + 1) * 1000,
            text: self.words(WORDS_PER_CHUNK),
            embedding: self.vector(),
        };
        let chunks: Vec<_> = (0..CHUNKS_PER_DOCUMENT).map(chunk).collect();
        NewDocument {
            source: format!("bench/{number}.md"),
            title: format!("Document {number}"),
            content_hash: number.to_string(),
            version: format!("{number}-{}", self.next()),
            tags: vec![format!("tag-{}", number % 10)],
            metadata: Default::default(),
            chunks,
        }
    }
}
