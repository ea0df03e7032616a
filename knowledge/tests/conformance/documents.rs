//! Documents as the rest of Footnote knows them: written whole, found, listed, replaced, deleted, swept.

use footnote_knowledge::collection::{Collection, Dropped, Error, Filter, NewDocument, SearchMode, Swept};
use footnote_knowledge::embedding::EmbeddingIdentity;
use footnote_knowledge::vector_store::Error as StoreError;
use futures::future::join_all;
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use crate::fixture::{TestStore, document, embed, identity, on_every_store, search, search_by, texts};

on_every_store!(
    a_document_reads_back_as_it_was_written,
    everything_survives_a_restart,
    hybrid_search_finds_by_word_and_by_meaning,
    words_that_are_rare_count_more,
    filters_restrict_search_and_listing,
    a_replaced_document_is_seen_in_its_new_version_only,
    a_document_can_go_back_to_an_earlier_version,
    the_same_version_with_fewer_chunks_leaves_none_behind,
    a_deleted_document_is_gone_with_its_chunks,
    listing_goes_page_by_page,
    a_wrong_dimension_is_refused_before_anything_is_written,
    another_embedder_is_told_to_index_again,
    odd_texts_are_kept_and_found,
    a_large_document_is_written_in_batches,
    a_document_of_large_chunks_is_written_in_small_messages,
    sweeping_clears_up_and_keeps_what_is_current,
    a_server_sweeps_what_is_due,
    a_collection_that_is_removed_while_it_is_open_is_told_of,
    searching_for_nothing_finds_nothing,
    many_replaced_documents_leave_the_best_places_to_the_new_versions,
);

async fn a_document_reads_back_as_it_was_written(store: TestStore) {
    let collection = store.collection().await;
    let mut new = document("data/handbook/ml.md", &["Machine learning is a field.", " It learns from data."]);
    new.title = "Machine learning".to_owned();
    new.tags = vec!["handbook".to_owned(), "ml".to_owned()];
    new.metadata.insert("author".to_owned(), serde_json::json!({ "name": "Ada", "year": 1843 }));
    new.chunks[1].heading = Some("Intro > What it is".to_owned());
    new.chunks[1].page = Some(3);
    let expected = new.clone();

    let written = collection.replace_document(new).await.unwrap();
    let read = collection.document(written.id).await.unwrap().unwrap();
    assert_eq!(read, written);
    assert_eq!(read.id, collection.document_id("data/handbook/ml.md"));
    assert_eq!((&read.title, &read.tags, &read.metadata), (&expected.title, &expected.tags, &expected.metadata));
    assert_eq!((&read.version, read.chunk_count), (&expected.version, 2));

    let chunks = collection.chunks(read.id).await.unwrap();
    assert_eq!(chunks.len(), 2);
    for (number, (chunk, expected)) in chunks.iter().zip(&expected.chunks).enumerate() {
        assert_eq!(chunk.number, number);
        assert_eq!((&chunk.text, &chunk.heading, chunk.page), (&expected.text, &expected.heading, expected.page));
        assert_eq!((chunk.start, chunk.end), (expected.start, expected.end));
        assert_eq!((&chunk.title, &chunk.source, &chunk.tags), (&read.title, &read.source, &read.tags));
        assert_eq!((chunk.document_id, &chunk.version), (read.id, &read.version));
    }
    assert_eq!(collection.document(Uuid::nil()).await.unwrap(), None);
    assert_eq!(collection.document(chunks[0].id).await.unwrap(), None);
    assert_eq!(collection.chunks(Uuid::nil()).await.unwrap(), []);
}

async fn everything_survives_a_restart(mut store: TestStore) {
    let collection = store.collection().await;
    let before = collection.replace_document(document("a.md", &["the cat sat", "on the mat"])).await.unwrap();
    drop(collection);
    store.reopen().await;
    let collection = store.collection().await;
    assert_eq!(collection.document(before.id).await.unwrap(), Some(before));
    assert_eq!(texts(&search(&collection, "mat").await)[0], "on the mat");
    collection.replace_document(document("b.md", &["and writes go on"])).await.unwrap();
    assert_eq!(texts(&search(&collection, "writes").await)[0], "and writes go on");
}

async fn hybrid_search_finds_by_word_and_by_meaning(store: TestStore) {
    let collection = store.collection().await;
    let chunks = ["apples and pears", "the kernel schedules threads", "threads of wool"];
    collection.replace_document(document("a.md", &chunks)).await.unwrap();
    let all = Filter::default();

    let hybrid = search(&collection, "kernel thread").await;
    assert_eq!(texts(&hybrid)[0], "the kernel schedules threads");
    let best = &hybrid.hits[0];
    assert_eq!((best.dense.unwrap().rank, best.bm25.unwrap().rank), (1, 1));
    assert!(hybrid.hits.is_sorted_by(|a, b| a.score >= b.score));

    let dense = search_by(&collection, "kernel thread", SearchMode::Dense, &all, 10).await;
    assert!(dense.hits.iter().all(|hit| hit.dense.is_some() && hit.bm25.is_none()));
    assert_eq!(dense.hits.len(), 3);
    let bm25 = search_by(&collection, "kernel thread", SearchMode::Bm25, &all, 10).await;
    assert_eq!(texts(&bm25), ["the kernel schedules threads", "threads of wool"]);

    let one = search_by(&collection, "kernel thread", SearchMode::Hybrid, &all, 1).await;
    assert_eq!(texts(&one), ["the kernel schedules threads"]);
    let below: Vec<_> = one.candidates.iter().filter(|it| it.dropped == Some(Dropped::BelowLimit)).collect();
    assert_eq!((one.candidates.len(), below.len()), (3, 2));
}

async fn words_that_are_rare_count_more(store: TestStore) {
    let collection = store.collection().await;
    let chunks = ["common rare", "common common common", "common other", "common thing", "common stuff"];
    collection.replace_document(document("a.md", &chunks)).await.unwrap();
    let found = search_by(&collection, "common rare", SearchMode::Bm25, &Filter::default(), 10).await;
    assert_eq!(texts(&found)[0], "common rare");
    let score = |text| found.hits.iter().find(|hit| hit.chunk.text == text).unwrap().bm25.unwrap().score;
    // In every chunk: next to nothing; in one of five: the whole.
    assert!(score("common rare") > 5.0 * score("common common common"), "{found:?}");
}

async fn filters_restrict_search_and_listing(store: TestStore) {
    let collection = store.collection().await;
    for (source, tags) in [("a.md", vec!["red", "big"]), ("b.md", vec!["blue"]), ("c.md", vec![])] {
        let tags = tags.into_iter().map(str::to_owned).collect();
        let new = NewDocument { tags, ..document(source, &[&format!("ball {source}")]) };
        collection.replace_document(new).await.unwrap();
    }
    let sources = async |filter: &Filter| {
        let found = search_by(&collection, "ball", SearchMode::Hybrid, filter, 10).await;
        let mut found: Vec<_> = found.hits.into_iter().map(|hit| hit.chunk.source).collect();
        let listed = collection.documents(filter, None, 10).await.unwrap().items;
        let mut listed: Vec<_> = listed.into_iter().map(|document| document.source).collect();
        found.sort();
        listed.sort();
        assert_eq!(found, listed, "search and listing differ for {filter:?}");
        found
    };
    let strings = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect::<Vec<_>>();
    assert_eq!(sources(&Filter::default()).await, ["a.md", "b.md", "c.md"]);
    assert_eq!(sources(&Filter { tags: strings(&["red", "blue"]), ..Filter::default() }).await, ["a.md", "b.md"]);
    assert_eq!(sources(&Filter { sources: strings(&["c.md", "b.md"]), ..Filter::default() }).await, ["b.md", "c.md"]);
    let ids = vec![collection.document_id("a.md")];
    assert_eq!(sources(&Filter { document_ids: ids.clone(), ..Filter::default() }).await, ["a.md"]);
    let both = Filter { tags: strings(&["blue"]), document_ids: ids, ..Filter::default() };
    assert_eq!(sources(&both).await, Vec::<String>::new());
    assert_eq!(sources(&Filter { tags: strings(&["none"]), ..Filter::default() }).await, Vec::<String>::new());
}

async fn a_replaced_document_is_seen_in_its_new_version_only(store: TestStore) {
    let collection = store.collection().await;
    let old = document("a.md", &["alpha one", "alpha two", "alpha three"]);
    let id = collection.replace_document(old).await.unwrap().id;
    let new = collection.replace_document(document("a.md", &["alpha four"])).await.unwrap();
    assert_eq!(new.id, id);
    // The old chunks are still there for a minute, and are not seen.
    let found = search(&collection, "alpha").await;
    assert_eq!(texts(&found), ["alpha four"]);
    let outdated = found.candidates.iter().filter(|it| it.dropped == Some(Dropped::OtherVersion)).count();
    assert_eq!(outdated, 3);
    assert_eq!(collection.chunks(id).await.unwrap().len(), 1);
    assert_eq!(collection.documents(&Filter::default(), None, 10).await.unwrap().items, [new]);
}

async fn a_document_can_go_back_to_an_earlier_version(store: TestStore) {
    let collection = store.collection().await;
    for chunks in [["first one", "first two"], ["second one", "second two"], ["first one", "first two"]] {
        collection.replace_document(document("a.md", &chunks)).await.unwrap();
    }
    let mut found = search(&collection, "first").await.hits;
    found.sort_by_key(|hit| hit.chunk.number);
    assert_eq!(found.iter().map(|hit| hit.chunk.text.as_str()).collect::<Vec<_>>(), ["first one", "first two"]);
    // What was superseded and came back is not swept with what was superseded and did not.
    let in_two_minutes = Timestamp::now() + SignedDuration::from_mins(2);
    assert_eq!(collection.sweep_at(in_two_minutes).await.unwrap(), Swept { old_versions: 1, orphans: 0 });
    assert_eq!(collection.chunks(collection.document_id("a.md")).await.unwrap().len(), 2);
}

async fn the_same_version_with_fewer_chunks_leaves_none_behind(store: TestStore) {
    let collection = store.collection().await;
    let long = document("a.md", &["one", "two", "three"]);
    let mut short = document("a.md", &["one"]);
    short.version.clone_from(&long.version);
    let id = collection.replace_document(long).await.unwrap().id;
    let written = collection.replace_document(short).await.unwrap();
    assert_eq!(written.chunk_count, 1);
    assert_eq!(collection.chunks(id).await.unwrap().len(), 1);
    assert_eq!(texts(&search(&collection, "two three").await), ["one"]);
}

async fn a_deleted_document_is_gone_with_its_chunks(store: TestStore) {
    let collection = store.collection().await;
    let id = collection.replace_document(document("a.md", &["alpha one", "alpha two"])).await.unwrap().id;
    collection.replace_document(document("b.md", &["alpha three"])).await.unwrap();
    assert!(collection.delete_document(id).await.unwrap());
    assert!(!collection.delete_document(id).await.unwrap());
    let found = search(&collection, "alpha").await;
    assert_eq!((texts(&found), found.candidates.len()), (vec!["alpha three"], 1));
    assert_eq!(collection.document(id).await.unwrap(), None);
    assert_eq!(collection.chunks(id).await.unwrap(), []);
}

async fn listing_goes_page_by_page(store: TestStore) {
    let collection = store.collection().await;
    let mut expected: Vec<_> = (0..25).map(|number| format!("{number}.md")).collect();
    for source in &expected {
        collection.replace_document(document(source, &[source])).await.unwrap();
    }
    let mut seen = Vec::new();
    let mut cursor = None;
    loop {
        let page = collection.documents(&Filter::default(), cursor.as_deref(), 10).await.unwrap();
        assert!(page.items.len() <= 10);
        seen.extend(page.items.into_iter().map(|document| document.source));
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    seen.sort();
    expected.sort();
    assert_eq!(seen, expected);
    let error = collection.documents(&Filter::default(), Some("nonsense"), 10).await.unwrap_err();
    assert!(matches!(error, Error::InvalidCursor { .. }), "{error}");
}

async fn a_wrong_dimension_is_refused_before_anything_is_written(store: TestStore) {
    let collection = store.collection().await;
    let mut new = document("a.md", &["one", "two"]);
    new.chunks[1].embedding.pop();
    let error = collection.replace_document(new).await.unwrap_err();
    assert!(matches!(error, Error::WrongDimension { number: 1, expected: 32, found: 31 }), "{error}");
    let swept = collection.sweep_at(Timestamp::now() + SignedDuration::from_hours(2)).await.unwrap();
    assert_eq!(swept, Swept::default());
}

async fn another_embedder_is_told_to_index_again(store: TestStore) {
    let collection = store.collection().await;
    collection.replace_document(document("a.md", &["one"])).await.unwrap();
    let other = EmbeddingIdentity { model: "another".to_owned(), ..identity() };
    let error = Collection::open(store.store.clone(), &store.name, &other).await.unwrap_err();
    assert!(matches!(error, Error::FingerprintMismatch { .. }), "{error}");
    assert!(error.to_string().contains("--reindex"), "{error}");

    // When the name is switched under a running server, its check tells.
    collection.check().await.unwrap();
    let beside = Collection::open(store.store.clone(), &format!("{}-beside", store.name), &other).await.unwrap();
    let stored = store.store.resolve_alias(beside.name()).await.unwrap().unwrap();
    store.store.switch_alias(&store.name, &stored).await.unwrap();
    let error = collection.check().await.unwrap_err();
    assert!(matches!(error, Error::FingerprintMismatch { .. }), "{error}");
    let stored = format!("{}-", store.name);
    assert!(error.to_string().contains(&stored), "{error}");
    for name in ["", "../up", "a b"] {
        let error = Collection::open(store.store.clone(), name, &identity()).await.unwrap_err();
        assert!(matches!(error, Error::InvalidName { .. }), "{error}");
    }
}

async fn odd_texts_are_kept_and_found(store: TestStore) {
    let collection = store.collection().await;
    let huge = "word ".repeat(200_000);
    let odd = [
        "the of and",
        "机器学习是人工智能的一个分支",
        "👩‍🔬🧪 \u{0}\u{7f}\u{202e}",
        " ",
        "naïve “quotes” \\ \" {{}}",
        &huge,
    ];
    let id = collection.replace_document(document("odd.md", &odd)).await.unwrap().id;
    let chunks = collection.chunks(id).await.unwrap();
    assert_eq!(chunks.iter().map(|chunk| chunk.text.as_str()).collect::<Vec<_>>(), odd);
    assert_eq!(texts(&search(&collection, odd[1]).await)[0], odd[1]);
    let words = search_by(&collection, "naïve quotes", SearchMode::Bm25, &Filter::default(), 3).await;
    assert_eq!(texts(&words), [odd[4]]);
}

async fn a_large_document_is_written_in_batches(store: TestStore) {
    let collection = store.collection().await;
    let chunks: Vec<_> = (0..1500).map(|number| format!("chunk number {number} of many")).collect();
    let chunks: Vec<_> = chunks.iter().map(String::as_str).collect();
    let document = collection.replace_document(document("large.md", &chunks)).await.unwrap();
    assert_eq!(document.chunk_count, 1500);
    let read = collection.chunks(document.id).await.unwrap();
    assert_eq!(read.iter().map(|chunk| chunk.text.as_str()).collect::<Vec<_>>(), chunks);
    assert_eq!(texts(&search(&collection, "number 1234").await)[0], "chunk number 1234 of many");
}

/// More in all than one message to a server may hold.
async fn a_document_of_large_chunks_is_written_in_small_messages(store: TestStore) {
    let collection = store.collection().await;
    let chunks: Vec<_> = (0..12).map(|number| format!("{number} {}", "x".repeat(3_000_000))).collect();
    let chunks: Vec<_> = chunks.iter().map(String::as_str).collect();
    let written = collection.replace_document(document("large.md", &chunks)).await.unwrap();
    assert_eq!(written.chunk_count, 12);
    assert_eq!(texts(&search(&collection, "7").await)[0].len(), 3_000_002);
}

async fn sweeping_clears_up_and_keeps_what_is_current(store: TestStore) {
    let collection = store.collection().await;
    collection.replace_document(document("a.md", &["alpha one", "alpha two"])).await.unwrap();
    collection.replace_document(document("a.md", &["alpha three"])).await.unwrap();
    let kept = collection.replace_document(document("b.md", &["beta"])).await.unwrap();
    // As if the process had died between the chunks and the document of another.
    let orphan = collection.replace_document(document("c.md", &["gamma"])).await.unwrap();
    let stored = store.store.resolve_alias(&store.name).await.unwrap().unwrap();
    store.store.delete_points(&stored, &[orphan.id]).await.unwrap();

    let sweep =
        async |minutes| collection.sweep_at(Timestamp::now() + SignedDuration::from_mins(minutes)).await.unwrap();
    assert_eq!(sweep(0).await, Swept::default());
    assert_eq!(sweep(2).await, Swept { old_versions: 1, orphans: 0 });
    assert_eq!(sweep(2).await, Swept::default());
    assert_eq!(sweep(61).await, Swept { old_versions: 0, orphans: 1 });
    assert_eq!(sweep(61).await, Swept::default());
    let found = search(&collection, "alpha beta gamma").await;
    let mut left = texts(&found);
    left.sort_unstable();
    assert_eq!((left, found.candidates.len()), (vec!["alpha three", "beta"], 2));
    assert_eq!(collection.document(kept.id).await.unwrap(), Some(kept));
}

async fn a_server_sweeps_what_is_due(store: TestStore) {
    let collection = store.collection().await;
    // Another process, as far as the first can tell.
    let other = store.collection().await;
    other.replace_document(document("a.md", &["alpha one"])).await.unwrap();
    other.replace_document(document("a.md", &["alpha two"])).await.unwrap();
    other.replace_document(document("b.md", &["beta one"])).await.unwrap();
    let orphan = other.replace_document(document("c.md", &["gamma"])).await.unwrap();
    let stored = store.store.resolve_alias(&store.name).await.unwrap().unwrap();
    store.store.delete_points(&stored, &[orphan.id]).await.unwrap();

    let sweep = async |minutes| {
        let swept =
            collection.sweep_what_is_due_at(Timestamp::now() + SignedDuration::from_mins(minutes)).await.unwrap();
        (swept.old_versions, swept.orphans)
    };
    assert_eq!(sweep(0).await, (0, 0));
    // There are no other processes in a folder of one's own; there the whole sweep finds what is left.
    let by_others = usize::from(store.store.backend() == "qdrant");
    assert_eq!(sweep(2).await, (by_others, 0));
    assert_eq!(sweep(3).await, (0, 0));
    assert_eq!(sweep(15).await, (1 - by_others, 0));
    assert_eq!(sweep(70).await, (0, 0), "the next whole one is an hour later");
    assert_eq!(sweep(76).await, (0, 1));
    let found = search(&collection, "alpha beta gamma").await;
    assert_eq!(found.candidates.len(), 2, "{found:?}");
}

async fn a_collection_that_is_removed_while_it_is_open_is_told_of(store: TestStore) {
    let collection = store.collection().await;
    collection.replace_document(document("a.md", &["one"])).await.unwrap();
    let stored = store.store.resolve_alias(&store.name).await.unwrap().unwrap();
    assert!(store.store.delete_collection(&stored).await.unwrap());
    let error = collection.check().await.unwrap_err();
    assert!(matches!(error, Error::Gone { .. } | Error::Store(StoreError::NotFound { .. })), "{error:?}");
    let filter = Filter::default();
    let error = collection.documents(&filter, None, 10).await.unwrap_err();
    assert!(!error.is_transient(), "{error:?}");
}

async fn searching_for_nothing_finds_nothing(store: TestStore) {
    let collection = store.collection().await;
    assert!(search(&collection, "anything").await.hits.is_empty());
    collection.replace_document(document("a.md", &["one"])).await.unwrap();
    for text in ["", "the of and", "👩‍🔬", "\u{0}"] {
        let words = search_by(&collection, text, SearchMode::Bm25, &Filter::default(), 5).await;
        assert!(words.hits.is_empty(), "{text:?} found {words:?}");
        assert_eq!(search(&collection, text).await.hits.len(), 1, "{text:?}");
    }
    let short = &embed("one")[1..];
    let all = Filter::default();
    let query = footnote_knowledge::collection::SearchQuery {
        text: "one",
        embedding: short,
        context: &[],
        filter: &all,
        limit: 5,
        mode: SearchMode::Hybrid,
        selection: Default::default(),
    };
    let error = collection.search(query).await.unwrap_err();
    assert!(error.to_string().contains("dimensions"), "{error}");
}

/// Old and new versions of every document rank side by side.
async fn many_replaced_documents_leave_the_best_places_to_the_new_versions(store: TestStore) {
    let collection = store.collection().await;
    for version in ["old", "new"] {
        let write = |number: usize| {
            let text = format!("alpha beta {version} {number}");
            let new = document(&format!("{number}.md"), &[&text]);
            let collection = &collection;
            async move { collection.replace_document(new).await.unwrap() }
        };
        join_all((0..30).map(write)).await;
    }
    let found = search_by(&collection, "alpha beta", SearchMode::Hybrid, &Filter::default(), 8).await;
    assert_eq!(found.hits.len(), 8);
    assert!(found.hits.iter().all(|hit| hit.chunk.text.contains("new")), "{:?}", texts(&found));
}
