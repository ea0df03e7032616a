//! The built-in model gives the vectors that sentence-transformers gives (`tools/reference_vectors.py`).

use footnote_knowledge::embedding::{Embedder, LocalEmbedder};
use serde::Deserialize;

#[derive(Deserialize)]
struct Fixture {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    text: String,
    /// Without special tokens.
    tokens: usize,
    /// Of a text over 254 tokens: the weighted mean of its windows' vectors.
    vector: Vec<f32>,
    /// What sentence-transformers returns for such a text after dropping all but its first 254 tokens.
    truncated: Option<Vec<f32>>,
}

fn reference() -> Vec<Case> {
    let fixture: Fixture = serde_json::from_str(include_str!("../fixtures/sentence_transformers.json")).unwrap();
    assert_eq!(fixture.cases.len(), 20);
    fixture.cases
}

fn embedder() -> Embedder {
    Embedder::Local(LocalEmbedder::load().unwrap())
}

/// The vectors have unit length.
fn cosine(left: &[f32], right: &[f32]) -> f32 {
    assert_eq!(left.len(), right.len());
    left.iter().zip(right).map(|(left, right)| left * right).sum()
}

#[tokio::test]
async fn vectors_agree_with_sentence_transformers() {
    let cases = reference();
    let vectors = embedder().embed_documents(cases.iter().map(|case| case.text.clone()).collect()).await.unwrap();
    let cosines: Vec<f32> = cases.iter().zip(&vectors).map(|(case, vector)| cosine(&case.vector, vector)).collect();
    for (case, cosine) in cases.iter().zip(&cosines) {
        println!("{cosine:.4} {}", case.name);
        assert!(*cosine >= 0.96, "{}: {cosine}", case.name);
    }
    let mean = cosines.iter().sum::<f32>() / cosines.len() as f32;
    println!("{mean:.4} on average");
    assert!(mean >= 0.985, "{mean} on average");
}

#[tokio::test]
async fn a_text_longer_than_a_sequence_is_embedded_to_its_end() {
    let embedder = embedder();
    let case = reference().into_iter().find(|case| case.truncated.is_some()).unwrap();
    let truncated = case.truncated.unwrap();
    let first_window = first_tokens(&embedder, &case.text, embedder.max_tokens() - 2);

    let whole = embedder.embed_query(&case.text).await.unwrap();
    let first = embedder.embed_query(first_window).await.unwrap();
    assert!(cosine(&first, &truncated) >= 0.96, "{}", cosine(&first, &truncated));
    assert!(cosine(&whole, &case.vector) > cosine(&whole, &truncated));

    let other_ending = format!("{first_window} {}", "An elephant plays the violin. ".repeat(200));
    let other_ending = embedder.embed_query(&other_ending).await.unwrap();
    assert!(cosine(&other_ending, &first) < 0.9, "{}", cosine(&other_ending, &first));
}

/// The longest start of the text, in whole words, that has at most so many tokens.
fn first_tokens<'a>(embedder: &Embedder, text: &'a str, tokens: usize) -> &'a str {
    let ends = text.match_indices(' ').map(|(end, _)| end);
    let fits = |end: &usize| embedder.tokenizer().count(&text[..*end]) <= tokens;
    &text[..ends.take_while(fits).last().unwrap()]
}

#[tokio::test]
async fn tokens_are_counted_as_sentence_transformers_counts_them() {
    let embedder = embedder();
    for case in reference() {
        assert_eq!(embedder.tokenizer().count(&case.text), case.tokens, "{}", case.name);
    }
}

#[tokio::test]
async fn every_text_gets_its_own_vector_in_order() {
    let embedder = embedder();
    let texts: Vec<String> = (0..40).map(|number| format!("lamp {number} ").repeat(1 + number * 7 % 100)).collect();
    let together = embedder.embed_documents(texts.clone()).await.unwrap();
    for (text, vector) in texts.iter().zip(&together) {
        assert_eq!(vector, &embedder.embed_query(text).await.unwrap(), "{text}");
        assert!((cosine(vector, vector) - 1.0).abs() < 1e-5);
    }
    assert!(embedder.embed_documents(Vec::new()).await.unwrap().is_empty());
}

#[test]
fn a_query_is_answered_while_documents_wait() {
    // One thread tokenises, so the documents are all in the queue before the query.
    let runtime = tokio::runtime::Builder::new_current_thread().max_blocking_threads(1).build().unwrap();
    runtime.block_on(async {
        let embedder = Embedder::Local(LocalEmbedder::load().unwrap());
        let passage = "The harbour master closes the lock at low tide. ".repeat(20);
        tokio::select! {
            biased;
            _ = embedder.embed_documents(vec![passage; 200]) => panic!("the query waited for all documents"),
            vector = embedder.embed_query("When does the lock close?") => assert_eq!(vector.unwrap().len(), 384),
        }
    });
}

#[tokio::test]
async fn the_identity_names_the_model() {
    let embedder = embedder();
    let identity = embedder.identity();
    assert_eq!((identity.model.as_str(), identity.dimension), ("all-MiniLM-L6-v2-int8", 384));
    assert_eq!((embedder.dimension(), embedder.max_tokens()), (384, 256));
    embedder.check().await.unwrap();
}
