//! Our fusion beside the engines' own, over the same two rankings.

use std::collections::HashMap;

use footnote_knowledge::collection::{Filter, SearchMode};
use footnote_knowledge::vector_store::Bm25;
use qdrant_client::Qdrant;
use qdrant_client::qdrant::{
    Fusion as ServerFusion, PrefetchQueryBuilder, Query, QueryPointsBuilder, SearchParamsBuilder, VectorInput,
};
use qdrant_edge::{
    EdgeShard, Fusion, NamedQuery, Prefetch, QueryEnum, QueryRequest, ScoringQuery, Vector, VectorInternal,
};

use crate::fixture::{Place, TestStore, document, embed, on_every_store, search_by};

on_every_store!(fuses_as_the_engine_does);

const QUESTION: &str = "red green blue apples in the morning";
const DEPTH: usize = 100;

async fn fuses_as_the_engine_does(store: TestStore) {
    let collection = store.collection().await;
    let colours = ["red", "green", "blue", "grey", "pink"];
    let things = ["apples", "pears", "kernels", "threads", "clouds", "morning"];
    let texts: Vec<_> = (0..150)
        .map(|number| {
            let (colour, thing) = (colours[number % 5], things[number % 6]);
            format!("{colour} {thing} {} {number}", thing.repeat(number % 3))
        })
        .collect();
    let texts: Vec<_> = texts.iter().map(String::as_str).collect();
    collection.replace_document(document("a.md", &texts)).await.unwrap();

    let ours = search_by(&collection, QUESTION, SearchMode::Hybrid, &Filter::default(), DEPTH).await;
    let ours: HashMap<_, _> = ours.candidates.iter().map(|it| (it.chunk_id.to_string(), it.fused.score)).collect();
    let stored = store.store.resolve_alias(&store.name).await.unwrap().unwrap();
    drop(collection);
    let theirs = match &store.place {
        Place::Folder(folder) => {
            store.store.close().await.unwrap();
            fused_by_engine(&folder.path().join(stored))
        }
        Place::Server(url) => fused_by_server(url, &stored).await,
    };
    assert!(theirs.len() >= DEPTH);
    let worst = theirs.iter().map(|(id, score)| (ours[id] - score).abs()).fold(0.0, f32::max);
    assert!(worst < 1e-4, "scores differ by {worst}");
}

fn fused_by_engine(folder: &std::path::Path) -> Vec<(String, f32)> {
    let engine = EdgeShard::load(folder, None).unwrap();
    let prefetch = |vector: VectorInternal, name| Prefetch {
        prefetches: Vec::new(),
        query: Some(ScoringQuery::Vector(QueryEnum::Nearest(NamedQuery::new(vector, name)))),
        limit: DEPTH,
        params: None,
        filter: None,
        score_threshold: None,
    };
    let words = Bm25::new().embed_query(QUESTION);
    let words = Vector::new_sparse(words.indices, words.values).unwrap();
    let request = QueryRequest {
        prefetches: vec![prefetch(VectorInternal::Dense(embed(QUESTION)), "dense"), prefetch(words.into(), "bm25")],
        query: Some(ScoringQuery::Fusion(Fusion::Dbsf)),
        filter: None,
        score_threshold: None,
        limit: DEPTH,
        offset: 0,
        params: None,
        with_vector: false.into(),
        with_payload: false.into(),
    };
    engine.query(request).unwrap().into_iter().map(|point| (point.id.to_string(), point.score)).collect()
}

async fn fused_by_server(url: &str, stored: &str) -> Vec<(String, f32)> {
    let client = Qdrant::from_url(url).skip_compatibility_check().build().unwrap();
    let prefetch = |query: Query, name: &str| {
        let exact = SearchParamsBuilder::default().exact(true);
        PrefetchQueryBuilder::default().query(query).using(name).limit(DEPTH as u64).params(exact)
    };
    let words = Bm25::new().embed_query(QUESTION);
    let words = VectorInput::new_sparse(words.indices, words.values);
    let request = QueryPointsBuilder::new(stored)
        .add_prefetch(prefetch(Query::new_nearest(embed(QUESTION)), "dense"))
        .add_prefetch(prefetch(Query::new_nearest(words), "bm25"))
        .query(Query::new_fusion(ServerFusion::Dbsf))
        .limit(DEPTH as u64);
    let found = client.query(request).await.unwrap().result;
    let id = |point: &qdrant_client::qdrant::ScoredPoint| match point.id.clone().unwrap().point_id_options.unwrap() {
        qdrant_client::qdrant::point_id::PointIdOptions::Uuid(id) => id,
        qdrant_client::qdrant::point_id::PointIdOptions::Num(number) => number.to_string(),
    };
    found.iter().map(|point| (id(point), point.score)).collect()
}
