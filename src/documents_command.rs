//! `footnote documents`: the documents of a collection, listed, shown and deleted from a terminal; in the store itself, or
//! through the server that holds it.

use std::io::Write;
use std::process::ExitCode;

use anyhow::{Context, bail};
use footnote_ingest::Server;
use footnote_knowledge::collection::{Chunk, Collection, Document, Filter};
use footnote_knowledge::connect;
use footnote_knowledge::embedding::Embedder;
use footnote_knowledge::server_file::ServerFile;
use uuid::Uuid;

use crate::cli::{DocumentsCommand, DocumentsOptions};

/// Where the documents are.
enum Documents {
    Store(Collection),
    Server(Server),
}

pub async fn run(command: &DocumentsCommand) -> anyhow::Result<ExitCode> {
    match command {
        DocumentsCommand::List { tag, json, options } => {
            let documents = Documents::open(options).await?.list(tag.as_deref()).await?;
            documents.iter().for_each(|document| if *json { print_json(document) } else { print_line(document) });
        }
        DocumentsCommand::Show { document, json, options } => {
            let documents = Documents::open(options).await?;
            let document = find(&documents.list(None).await?, document)?;
            let chunks = documents.chunks(document.id).await?;
            if *json {
                print_json(&serde_json::json!({"document": document, "chunks": chunks}));
            } else {
                print_details(&document, &chunks);
            }
        }
        DocumentsCommand::Delete { documents: names, options } => {
            let documents = Documents::open(options).await?;
            // All are looked up before the first is deleted: a mistyped name deletes nothing.
            let all = documents.list(None).await?;
            let found = names.iter().map(|name| find(&all, name)).collect::<Result<Vec<_>, _>>()?;
            for document in found {
                documents.delete(document.id).await?;
                print(&format!("deleted {}", document.source));
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

impl Documents {
    async fn open(options: &DocumentsOptions) -> anyhow::Result<Self> {
        if let Some(url) = &options.server {
            return Ok(Self::Server(Server::new(url, options.api_key.first().cloned())));
        }
        let embedder = Embedder::open(&options.embedding, &options.openai).await?;
        match connect::find_collection(&options.store, &embedder).await {
            Ok(Some(collection)) => Ok(Self::Store(collection)),
            Ok(None) => bail!("there is no collection {:?} yet; ingest makes one", options.store.collection),
            Err(error) => {
                let file = ServerFile::of_holder(&options.store.data_dir, error)?;
                Ok(Self::Server(Server::new(&file.url, Some(file.token))))
            }
        }
    }

    /// By source.
    async fn list(&self, tag: Option<&str>) -> anyhow::Result<Vec<Document>> {
        let mut documents = match self {
            Self::Server(server) => server.documents().await?,
            Self::Store(collection) => collection.all_documents(&Filter::default()).await?,
        };
        documents.retain(|document| tag.is_none_or(|tag| document.tags.iter().any(|own| own == tag)));
        documents.sort_by(|one, other| one.source.cmp(&other.source));
        Ok(documents)
    }

    async fn chunks(&self, id: Uuid) -> anyhow::Result<Vec<Chunk>> {
        Ok(match self {
            Self::Server(server) => server.chunks(id).await?,
            Self::Store(collection) => collection.chunks(id).await?,
        })
    }

    async fn delete(&self, id: Uuid) -> anyhow::Result<()> {
        match self {
            Self::Server(server) => server.delete(id).await?,
            Self::Store(collection) => drop(collection.delete_document(id).await?),
        }
        Ok(())
    }
}

/// By its id or its source.
fn find(documents: &[Document], name: &str) -> anyhow::Result<Document> {
    let by_id = Uuid::parse_str(name).ok();
    let found = documents.iter().find(|document| Some(document.id) == by_id || document.source == name);
    let found = found.cloned();
    found.with_context(|| format!("there is no document {name}; `footnote documents list` shows those there are"))
}

fn print_line(document: &Document) {
    let Document { id, source, chunk_count, tags, .. } = document;
    let tags = if tags.is_empty() { String::new() } else { format!("  [{}]", tags.join(", ")) };
    print(&format!("{id}  {chunk_count:>5}  {}{tags}", printable(source)));
}

fn print_details(document: &Document, chunks: &[Chunk]) {
    let Document { id, source, title, content_hash, version, chunk_count, tags, ingested_at, metadata } = document;
    print(&format!("id            {id}\nsource        {}\ntitle         {}", printable(source), printable(title)));
    print(&format!("content hash  {content_hash}\nversion       {version}\nchunks        {chunk_count}"));
    print(&format!("tags          {}\ningested      {ingested_at}", tags.join(", ")));
    for (name, value) in metadata {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        print(&format!("{name:13} {}", printable(&value)));
    }
    let text: String = chunks.iter().map(|chunk| chunk.text.as_str()).collect();
    print(&format!("\n{}", text.trim_end()));
}

fn print_json(value: &impl serde::Serialize) {
    print(&serde_json::to_string(value).expect("a document is JSON"));
}

/// File names may hold anything, also what a terminal obeys.
fn printable(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { '\u{fffd}' } else { character }).collect()
}

/// A reader that has gone away, `| head`, is no reason to panic.
fn print(text: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}
