//! How fast a 3 MB folder of Markdown is ingested with the built-in model and engine, and how much of that is not the
//! embedding: `cargo bench -p footnote-ingest`.

use std::path::{Path, PathBuf};
use std::time::Instant;

use footnote_ingest::chunk::{ChunkSettings, chunk};
use footnote_ingest::extract::extract_bytes;
use footnote_ingest::{IngestOptions, ingest};
use footnote_knowledge::collection::{Collection, Filter, embedded_text};
use footnote_knowledge::embedding::{Embedder, LocalEmbedder};
use footnote_knowledge::vector_store::VectorStore;

const FILES: usize = 150;
const FILE_BYTES: usize = 20_000;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let place = tempfile::tempdir()?;
    let folder = place.path().join("folder");
    let bytes = write_folder(&folder)?;
    let embedder = Embedder::Local(LocalEmbedder::open().await?);
    let store = VectorStore::open_embedded(&place.path().join("vectors")).await?;
    let collection = Collection::open(store, "documents", &embedder.identity()).await?;

    let paths = [folder.clone()];
    let options = IngestOptions::default();
    let report = ingest(&paths, &collection, &embedder, &options, &|_| {}).await.map_err(|stopped| stopped.error)?;
    let megabytes = bytes as f64 / 1e6;
    println!("whole: {FILES} files, {megabytes:.1} MB, {} chunks in {:.1} s", report.chunks, report.seconds);
    println!("whole: {:.1} chunks/s, {:.2} MB/s", report.chunks_per_second(), megabytes / report.seconds);
    println!("whole: peak memory {} MiB", peak_memory_mib()?);
    println!("whole: stages busy for {:?}", report.stages);

    let again = ingest(&paths, &collection, &embedder, &options, &|_| {}).await.map_err(|stopped| stopped.error)?;
    println!("again: {} files unchanged in {:.2} s", again.unchanged, again.seconds);

    let texts = embedded_texts(&collection).await?;
    let started = Instant::now();
    embedder.embed_documents(texts).await?;
    let embedding = started.elapsed().as_secs_f64();
    println!("embedding alone: {embedding:.1} s, {:.1} chunks/s", report.chunks as f64 / embedding);
    println!("beside the embedding: {:.1} % of the whole", (report.seconds - embedding) / report.seconds * 100.0);

    let settings = ChunkSettings::for_model(embedder.max_tokens());
    let tokenizer = embedder.tokenizer();
    let started = Instant::now();
    for entry in std::fs::read_dir(&folder)? {
        let path = entry?.path();
        let extracted = extract_bytes(&path.to_string_lossy(), &std::fs::read(&path)?)?;
        chunk(&extracted, settings, &|text| tokenizer.count(text));
    }
    let seconds = started.elapsed().as_secs_f64();
    println!("extraction and chunking alone, one thread: {:.1} MB/s", megabytes / seconds);
    Ok(())
}

/// The texts as they were embedded.
async fn embedded_texts(collection: &Collection) -> Result<Vec<String>, Box<dyn std::error::Error>> {
    let mut texts = Vec::new();
    for document in collection.documents(&Filter::default(), None, FILES).await?.items {
        for chunk in collection.chunks(document.id).await? {
            texts.push(embedded_text(&chunk.title, chunk.heading.as_deref(), &chunk.text));
        }
    }
    Ok(texts)
}

/// The most memory this process has had, as Linux counts it.
fn peak_memory_mib() -> Result<u64, Box<dyn std::error::Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM")?;
    Ok(line.trim().trim_end_matches(" kB").trim().parse::<u64>()? / 1024)
}

/// The same files on every run; returns their bytes.
fn write_folder(folder: &Path) -> Result<usize, std::io::Error> {
    std::fs::create_dir(folder)?;
    let mut words = Words { words: WORDS.split_whitespace().collect(), state: 7 };
    let mut bytes = 0;
    for number in 0..FILES {
        let text = document(&mut words, number);
        bytes += text.len();
        std::fs::write(PathBuf::from(folder).join(format!("document-{number:03}.md")), text)?;
    }
    Ok(bytes)
}

fn document(words: &mut Words, number: usize) -> String {
    let mut text = format!("# {} {number}\n\n{}\n", words.phrase(3), words.paragraph());
    while text.len() < FILE_BYTES {
        text += &format!("\n## {}\n\n", words.phrase(4));
        for part in 0..2 + words.below(4) {
            match words.below(6) {
                0 => (0..5).for_each(|_| text += &format!("- {}\n", words.phrase(9))),
                1 => text += &format!("```\n{}\n{}\n```\n", words.phrase(5), words.phrase(6)),
                2 if part > 0 => text += &format!("### {}\n\n{}\n", words.phrase(3), words.paragraph()),
                _ => text += &format!("{}\n", words.paragraph()),
            }
            text.push('\n');
        }
    }
    text
}

/// Words in an order that looks like chance and is the same every time.
struct Words {
    words: Vec<&'static str>,
    state: u64,
}

const WORDS: &str = "harbour signal evening measure careful granite lantern tide keeper window season record engine \
    market river machine letter station children island method window answer weather chapter engineer copper valley \
    library teacher history pattern question instrument condition government movement particular development \
    understanding temperature approximately configuration of the and to in a is that for it as was with be by on not \
    he this are or his from at which but have an had they you were their one all we can her has there been if more \
    when will would who so no reconnaissance photosynthesis Zanzibar 1857 3.14 e-mail";

impl Words {
    fn below(&mut self, limit: usize) -> usize {
        self.state = self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.state >> 33).expect("31 bits") % limit
    }

    fn word(&mut self) -> &'static str {
        let index = self.below(self.words.len());
        self.words[index]
    }

    fn phrase(&mut self, words: usize) -> String {
        (0..words).map(|_| self.word()).collect::<Vec<_>>().join(" ")
    }

    fn paragraph(&mut self) -> String {
        let sentences = 3 + self.below(4);
        (0..sentences)
            .map(|_| {
                let words = 8 + self.below(12);
                format!("{}.", self.phrase(words))
            })
            .collect::<Vec<_>>()
            .join(" ")
    }
}
