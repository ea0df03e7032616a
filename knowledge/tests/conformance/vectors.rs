//! Points, rankings, filters and counts, below documents.

use footnote_knowledge::vector_store::{
    Bm25, CollectionSchema, Condition, Error, FieldKind, Fields, Filter, Payload, Point, RankingQuery, RankingVector,
};
use serde_json::json;
use uuid::Uuid;

use crate::fixture::{DIMENSION, TestStore, embed, on_every_store};

on_every_store!(
    a_collection_is_made_and_deleted,
    an_alias_is_switched_in_one_step,
    points_are_written_replaced_counted_and_deleted,
    rankings_come_best_first_with_the_fields_asked_for,
    scrolling_sees_every_point_once,
    vectors_of_another_length_are_refused,
    a_collection_that_is_not_there_is_not_found,
);

fn schema() -> CollectionSchema {
    let filtered = [("colour", FieldKind::Keyword), ("owner", FieldKind::Uuid), ("at", FieldKind::Timestamp)];
    CollectionSchema { dimension: DIMENSION, filtered: filtered.into(), beside_others: ["at"].into() }
}

fn payload(value: serde_json::Value) -> Payload {
    value.as_object().unwrap().clone()
}

fn point(number: u128, text: &str, colour: &str) -> Point {
    let fields = json!({ "colour": colour, "text": text, "owner": Uuid::from_u128(number % 3), "at": time(number) });
    Point {
        id: Uuid::from_u128(number),
        dense: Some(embed(text)),
        sparse: Some(Bm25::new().embed_document(text)),
        payload: payload(fields),
    }
}

fn time(minute: u128) -> jiff::Timestamp {
    jiff::Timestamp::from_second(1_700_000_000 + 60 * i64::try_from(minute).unwrap()).unwrap()
}

async fn a_collection_is_made_and_deleted(store: TestStore) {
    let (store, name) = (&store.store, store.name.as_str());
    store.check().await.unwrap();
    assert!(!store.collection_exists(name).await.unwrap());
    store.ensure_collection(name, &schema()).await.unwrap();
    store.ensure_collection(name, &schema()).await.unwrap();
    assert!(store.collection_exists(name).await.unwrap());
    assert_eq!(store.count(name, &Filter::default()).await.unwrap(), 0);
    assert!(store.delete_collection(name).await.unwrap());
    assert!(!store.delete_collection(name).await.unwrap());
    assert!(!store.collection_exists(name).await.unwrap());
}

async fn an_alias_is_switched_in_one_step(store: TestStore) {
    let name = store.name.as_str();
    let alias = format!("{name}-alias");
    let store = &store.store;
    let other = format!("{name}-other");
    for collection in [name, &other] {
        store.ensure_collection(collection, &schema()).await.unwrap();
    }
    assert_eq!(store.resolve_alias(&alias).await.unwrap(), None);
    store.switch_alias(&alias, name).await.unwrap();
    assert_eq!(store.resolve_alias(&alias).await.unwrap().as_deref(), Some(name));
    store.switch_alias(&alias, &other).await.unwrap();
    assert_eq!(store.resolve_alias(&alias).await.unwrap(), Some(other.clone()));
    let error = store.switch_alias(&alias, &format!("{name}-absent")).await.unwrap_err();
    assert!(matches!(error, Error::NotFound { .. }), "{error}");
    store.delete_collection(&other).await.unwrap();
}

async fn points_are_written_replaced_counted_and_deleted(mut store: TestStore) {
    let name = store.name.clone();
    store.store.ensure_collection(&name, &schema()).await.unwrap();
    let points = (0..10).map(|number| point(number, "one", if number < 4 { "red" } else { "blue" })).collect();
    store.store.upsert(&name, points).await.unwrap();
    store.store.upsert(&name, vec![point(0, "other", "blue")]).await.unwrap();
    let bare = Point {
        id: Uuid::from_u128(99),
        dense: None,
        sparse: None,
        payload: payload(json!({ "colour": ["red", "green"] })),
    };
    store.store.upsert(&name, vec![bare]).await.unwrap();

    let count = async |store: &TestStore, filter: Filter| store.store.count(&name, &filter).await.unwrap();
    assert_eq!(count(&store, Filter::default()).await, 11);
    let red = Condition::is("colour", "red");
    assert_eq!(count(&store, Filter::all([red.clone()])).await, 4);
    assert_eq!(count(&store, Filter::default().and_not(red.clone())).await, 7);
    let green_or_blue = Condition::AnyOf { field: "colour", values: vec!["green".to_owned(), "blue".to_owned()] };
    assert_eq!(count(&store, Filter::all([green_or_blue])).await, 8);
    let owner = Condition::is("owner", Uuid::from_u128(0).to_string());
    assert_eq!(count(&store, Filter::all([owner.clone()])).await, 4);
    let until = |minute| Condition::NotAfter { field: "at", time: time(minute) };
    assert_eq!(count(&store, Filter::all([until(3)])).await, 4);
    let nested = Condition::Nested(Filter::all([owner]).and_not(until(3)));
    assert_eq!(count(&store, Filter::all([nested.clone()])).await, 2);
    assert_eq!(count(&store, Filter::default().and_not(nested)).await, 9);

    store.store.delete_points(&name, &[Uuid::from_u128(1), Uuid::from_u128(1000)]).await.unwrap();
    assert_eq!(count(&store, Filter::default()).await, 10);
    store.store.delete_matching(&name, &Filter::all([red])).await.unwrap();
    assert_eq!(count(&store, Filter::default()).await, 7);

    store.reopen().await;
    assert_eq!(count(&store, Filter::default()).await, 7);
    let mut read = store.store.retrieve(&name, &[Uuid::from_u128(0), Uuid::from_u128(1)], Fields::All).await.unwrap();
    let read = read.pop().unwrap();
    assert_eq!((read.id, read.payload), (Uuid::from_u128(0), point(0, "other", "blue").payload));
}

async fn rankings_come_best_first_with_the_fields_asked_for(store: TestStore) {
    let (store, name) = (&store.store, store.name.as_str());
    store.ensure_collection(name, &schema()).await.unwrap();
    let points = vec![point(1, "green apples", "red"), point(2, "red apples", "red"), point(3, "green pears", "blue")];
    store.upsert(name, points).await.unwrap();
    let query = |vector, filter, fields| RankingQuery { vector, filter, limit: 2, fields };
    let queries = vec![
        query(RankingVector::Dense(embed("red apples")), Filter::default(), Fields::Only(&["colour"])),
        query(RankingVector::Sparse(Bm25::new().embed_query("pear")), Filter::default(), Fields::None),
        query(RankingVector::Dense(embed("red apples")), Filter::all([Condition::is("colour", "blue")]), Fields::All),
    ];
    let rankings = store.rank(name, queries).await.unwrap();
    let ids = |ranking: usize| rankings[ranking].iter().map(|point| point.id.as_u128()).collect::<Vec<_>>();
    assert_eq!((ids(0), ids(1), ids(2)), (vec![2, 1], vec![3], vec![3]));
    assert!((rankings[0][0].score - 1.0).abs() < 1e-5, "cosine of a vector with itself: {}", rankings[0][0].score);
    assert_eq!(rankings[0][0].payload, payload(json!({ "colour": "red" })));
    assert!(rankings[1][0].payload.is_empty() && rankings[1][0].score > 0.0);
    assert_eq!(rankings[2][0].payload, point(3, "green pears", "blue").payload);
}

async fn scrolling_sees_every_point_once(store: TestStore) {
    let (store, name) = (&store.store, store.name.as_str());
    store.ensure_collection(name, &schema()).await.unwrap();
    store.upsert(name, (0..57).map(|number| point(number, "one", "red")).collect()).await.unwrap();
    let mut seen = Vec::new();
    let mut from = None;
    loop {
        let red = Filter::all([Condition::is("colour", "red")]);
        let page = store.scroll(name, &red, from, 10, Fields::None).await.unwrap();
        seen.extend(page.points.iter().map(|point| point.id.as_u128()));
        from = page.next;
        if from.is_none() {
            break;
        }
    }
    assert_eq!(seen, (0..57).collect::<Vec<_>>());
}

async fn vectors_of_another_length_are_refused(store: TestStore) {
    let (store, name) = (&store.store, store.name.as_str());
    store.ensure_collection(name, &schema()).await.unwrap();
    let longer = Point { dense: Some(vec![1.0; DIMENSION + 1]), ..point(1, "one", "red") };
    let error = store.upsert(name, vec![point(2, "two", "red"), longer]).await.unwrap_err();
    assert!(matches!(error, Error::WrongDimension { expected: 32, found: 33 }), "{error:?}");
    assert_eq!(store.count(name, &Filter::default()).await.unwrap(), 0);
    let query = RankingQuery {
        vector: RankingVector::Dense(vec![1.0; 3]),
        filter: Filter::default(),
        limit: 1,
        fields: Fields::None,
    };
    let error = store.rank(name, vec![query]).await.unwrap_err();
    assert!(matches!(error, Error::WrongDimension { expected: 32, found: 3 }), "{error:?}");
    let other = CollectionSchema { dimension: 5, ..schema() };
    let error = store.ensure_collection(name, &other).await.unwrap_err();
    assert!(matches!(error, Error::WrongDimension { expected: 32, found: 5 }), "{error:?}");
}

async fn a_collection_that_is_not_there_is_not_found(store: TestStore) {
    let (store, name) = (&store.store, store.name.as_str());
    let error = store.count(name, &Filter::default()).await.unwrap_err();
    assert!(matches!(error, Error::NotFound { .. }), "{error:?}");
    let error = store.upsert(name, vec![point(1, "one", "red")]).await.unwrap_err();
    assert!(matches!(error, Error::NotFound { .. }), "{error:?}");
}
