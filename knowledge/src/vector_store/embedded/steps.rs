//! The moments between two steps on the disk, at each of which the process may die. A test stops there and is killed.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// A collection is made, under its unfinished name.
    Made,
    /// An alias is written, beside the old one.
    AliasWritten,
    /// Writes are applied, not flushed.
    Applied,
    /// They are flushed, not acknowledged.
    Flushed,
    /// Segments are merged, and that is not flushed.
    Merged,
    /// One of the old parts of the log is gone.
    LogPartRemoved,
    /// A collection that is removed has its unfinished name.
    Renamed,
}

#[cfg(not(test))]
pub(super) fn reached(_step: Step) {}

#[cfg(test)]
pub(super) use tests::reached;

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::path::{Path, PathBuf};
    use std::process::{Command, Stdio};
    use std::sync::Mutex;

    use super::super::super::{
        CollectionSchema, FieldKind, Fields, Filter, Point, RankingQuery, RankingVector, VectorStore,
    };
    use super::Step;
    use serde_json::json;
    use uuid::Uuid;

    const STEPS: [Step; 7] = [
        Step::Made,
        Step::AliasWritten,
        Step::Applied,
        Step::Flushed,
        Step::Merged,
        Step::LogPartRemoved,
        Step::Renamed,
    ];
    const KEPT: u128 = 10;
    const REPLACED: u128 = 5;
    /// Vectors of a size that makes the engine merge them.
    const ADDED: u128 = 800;
    const DIMENSION: usize = 2048;
    const REACHED: &str = "the step is reached";
    const PASSED: &str = "the step is not reached";

    static STOP_AT: Mutex<Option<Step>> = Mutex::new(None);

    pub(in super::super) fn reached(step: Step) {
        if *STOP_AT.lock().unwrap() == Some(step) {
            println!("{REACHED}");
            loop {
                std::thread::park();
            }
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_kill_between_any_two_steps_loses_nothing_that_was_acknowledged() {
        for step in STEPS {
            let folder = tempfile::tempdir().unwrap();
            kill_at(step, folder.path());
            let store = VectorStore::open_embedded(folder.path()).await.unwrap();
            let alias = store.resolve_alias("name").await.unwrap();
            match step {
                Step::Made | Step::AliasWritten | Step::Renamed => assert_eq!(alias, None, "{step:?}"),
                Step::Applied | Step::Flushed | Step::Merged | Step::LogPartRemoved => {
                    assert_eq!(alias.as_deref(), Some("points"), "{step:?}");
                }
            }
            let exists = store.collection_exists("points").await.unwrap();
            assert_eq!(exists, ![Step::Made, Step::Renamed].contains(&step), "{step:?}");
            // Whatever was there, it goes on from it.
            let made_anew = !exists || step == Step::AliasWritten;
            store.ensure_collection("points", &schema()).await.unwrap();
            if !made_anew {
                expect_whole(&store, step).await;
            }
            store.upsert("points", (0..KEPT).map(|number| point(number, "last")).collect()).await.unwrap();
            assert_eq!(versions(&store, KEPT).await, vec!["last"; KEPT as usize], "{step:?}");
            store.close().await.unwrap();
        }
    }

    /// What was acknowledged is there in the old version or in the one that was under way.
    async fn expect_whole(store: &VectorStore, step: Step) {
        let kept = versions(store, KEPT).await;
        let replaced = &kept[..REPLACED as usize];
        assert!(replaced.iter().all(|version| version == "old" || version == "new"), "{step:?}: {kept:?}");
        assert_eq!(kept[REPLACED as usize..], vec!["old"; (KEPT - REPLACED) as usize], "{step:?}");
        if step != Step::Applied {
            assert_eq!(*replaced, vec!["new"; REPLACED as usize], "{step:?}");
        }
        let query = RankingQuery {
            vector: RankingVector::Dense(point(7, "").dense.unwrap()),
            filter: Filter::default(),
            limit: 1,
            fields: Fields::None,
        };
        let best = store.rank("points", vec![query]).await.unwrap().remove(0);
        assert_eq!(best[0].id, Uuid::from_u128(7), "{step:?}");
    }

    async fn versions(store: &VectorStore, count: u128) -> Vec<String> {
        let ids: Vec<_> = (0..count).map(Uuid::from_u128).collect();
        let mut points = store.retrieve("points", &ids, Fields::All).await.unwrap();
        points.sort_by_key(|point| point.id);
        points.iter().map(|point| point.payload["version"].as_str().unwrap().to_owned()).collect()
    }

    fn kill_at(step: Step, folder: &Path) {
        let program = std::env::current_exe().unwrap();
        let child = concat!(module_path!(), "::child_that_stops").split_once("::").unwrap().1;
        let mut child = Command::new(program)
            .args([child, "--exact", "--ignored", "--nocapture"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let position = STEPS.iter().position(|it| *it == step).unwrap();
        writeln!(child.stdin.take().unwrap(), "{position}\n{}", folder.display()).unwrap();
        let mut said = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let last = said.find(|line| line.contains(REACHED) || line.contains(PASSED));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(last.is_some_and(|line| line.contains(REACHED)), "{step:?} was never reached");
    }

    /// Makes a collection, with what the tests expect to be kept, and then does everything else there is to do.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    #[ignore = "started by the test above"]
    async fn child_that_stops() {
        let mut lines = std::io::stdin().lock().lines().map(Result::unwrap);
        let step = STEPS[lines.next().unwrap().parse::<usize>().unwrap()];
        let folder = PathBuf::from(lines.next().unwrap());
        if [Step::Made, Step::AliasWritten].contains(&step) {
            *STOP_AT.lock().unwrap() = Some(step);
        }
        let store = VectorStore::open_embedded(&folder).await.unwrap();
        store.ensure_collection("points", &schema()).await.unwrap();
        store.switch_alias("name", "points").await.unwrap();
        store.upsert("points", (0..KEPT).map(|number| point(number, "old")).collect()).await.unwrap();
        for _ in 0..3 {
            // Each fills a part of the log.
            let large = Point { payload: payload("x".repeat(3 << 19)), ..point(ADDED, "") };
            store.upsert("points", vec![large]).await.unwrap();
        }
        *STOP_AT.lock().unwrap() = Some(step);
        let changed = (0..REPLACED).chain(KEPT..ADDED).map(|number| point(number, "new"));
        store.upsert("points", changed.collect()).await.unwrap();
        store.compact("points").await.unwrap();
        store.close().await.unwrap();
        let store = VectorStore::open_embedded(&folder).await.unwrap();
        assert_eq!(store.count("points", &Filter::default()).await.unwrap() as u128, ADDED + 1);
        store.delete_collection("points").await.unwrap();
        println!("{PASSED}");
    }

    fn schema() -> CollectionSchema {
        let filtered = [("version", FieldKind::Keyword)];
        CollectionSchema { dimension: DIMENSION, filtered: filtered.into(), beside_others: [].into() }
    }

    fn point(number: u128, version: &str) -> Point {
        let dense = (0..DIMENSION as u128).map(|axis| if axis == number { 1.0 } else { 0.0 }).collect();
        Point { id: Uuid::from_u128(number), dense: Some(dense), sparse: None, payload: payload(version.to_owned()) }
    }

    fn payload(version: String) -> super::super::super::Payload {
        json!({ "version": version }).as_object().unwrap().clone()
    }
}
