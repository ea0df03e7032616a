//! `footnote eval` on small sets of questions.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};
use tempfile::TempDir;

/// A set in a folder of its own, and beside it what a run keeps.
struct Set {
    folder: TempDir,
}

impl Set {
    fn new(corpus: &[Value], queries: &[Value], qrels: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let lines = |values: &[Value]| values.iter().map(|value| format!("{value}\n")).collect::<String>();
        fs::create_dir_all(folder.path().join("set/qrels")).unwrap();
        fs::write(folder.path().join("set/corpus.jsonl"), lines(corpus)).unwrap();
        fs::write(folder.path().join("set/queries.jsonl"), lines(queries)).unwrap();
        fs::write(folder.path().join("set/qrels/dev.tsv"), format!("query-id\tcorpus-id\tscore\n{qrels}")).unwrap();
        Self { folder }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn eval(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_footnote"));
        command.env_clear().env("PATH", "/usr/bin:/bin").current_dir(self.path());
        command.args(["eval", "--dataset", "set", "--data-dir", "kept", "--json", "out.json"]).args(arguments);
        command.output().unwrap()
    }

    /// The results of a run that succeeds.
    fn results(&self, arguments: &[&str]) -> Value {
        let output = self.eval(arguments);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_str(&fs::read_to_string(self.path().join("out.json")).unwrap()).unwrap()
    }

    /// What a run that fails says.
    fn refusal(&self, arguments: &[&str]) -> String {
        let output = self.eval(arguments);
        assert!(!output.status.success());
        String::from_utf8(output.stderr).unwrap()
    }
}

fn kitchen() -> Set {
    let corpus = [
        json!({"_id": "bread", "title": "Bread", "text": "Knead the dough for ten minutes. Then let it rest."}),
        json!({"_id": "tea", "title": "Tea", "text": "Green tea steeps for three minutes in hot water."}),
        json!({"_id": "oven", "title": "", "text": "The oven is heated to 240 degrees before the loaf goes in."}),
        json!({"_id": "soap", "title": "Soap", "text": "Soap is made of fat and lye."}),
    ];
    let queries = [
        json!({"_id": "q1", "text": "How long does green tea steep?", "answers": ["three minutes"]}),
        json!({"_id": "q2", "text": "How hot is the oven?", "answers": ["240 degrees"]}),
        json!({"_id": "q3", "text": "How long is it kneaded?", "answers": ["ten minutes"],
               "history": [{"role": "user", "content": "What do I do with bread dough?"},
                           {"role": "assistant", "content": "You knead it."}]}),
        json!({"_id": "q4", "text": "Who won the football match in Lisbon?", "is_impossible": true}),
    ];
    Set::new(&corpus, &queries, "q1\ttea\t1\nq2\toven\t1\nq3\tbread\t1\n")
}

#[test]
fn retrieval_is_measured_question_by_question() {
    let set = kitchen();
    let results = set.results(&[]);
    assert_eq!(results["dataset"], "set");
    assert_eq!(
        (&results["split"], &results["mode"], &results["history"]),
        (&json!("dev"), &json!("hybrid"), &json!("auto"))
    );
    assert_eq!(results["queries"], 3, "the unanswerable question has no relevant passage");
    for metric in ["ndcg@10", "recall@5", "recall@10", "mrr@10", "hit@5"] {
        assert_eq!(results["metrics"][metric], 1.0, "{metric} in {results:#}");
    }
    assert_eq!(results["per_question"][1]["ranking"][0], "oven", "a passage without a title is found too");
    assert_eq!(results["per_question"].as_array().unwrap().len(), 3);
    for mode in ["dense", "bm25"] {
        assert_eq!(set.results(&["--mode", mode])["mode"], mode);
    }
    assert_eq!(set.results(&["--limit", "2"])["queries"], 2);
}

#[test]
fn a_second_run_embeds_nothing_again() {
    let set = kitchen();
    let embeds = |output: Output| String::from_utf8(output.stderr).unwrap().contains("embedding passages");
    assert!(embeds(set.eval(&[])));
    assert!(!embeds(set.eval(&[])), "the collection is kept");
    let cache = |set: &Set| {
        let files = fs::read_dir(set.path().join("kept/eval")).unwrap().map(|entry| entry.unwrap().path());
        files.filter(|path| path.extension().is_some_and(|it| it == "bin")).collect::<Vec<_>>()
    };
    let kept = fs::metadata(&cache(&set)[0]).unwrap().len();
    let folders = fs::read_dir(set.path().join("kept/eval")).unwrap().map(|entry| entry.unwrap().path());
    folders.filter(|path| path.is_dir()).for_each(|path| fs::remove_dir_all(path).unwrap());
    let results = set.results(&[]);
    assert_eq!(results["metrics"]["ndcg@10"], 1.0, "the vectors in the cache are those of the texts");
    assert_eq!(fs::metadata(&cache(&set)[0]).unwrap().len(), kept);
}

#[test]
fn what_the_conversation_is_used_for_is_an_option() {
    let set = kitchen();
    let searched_for = |history: &str| {
        let results = set.results(&["--history", history]);
        results["per_question"][2]["standalone_question"].as_str().unwrap().to_owned()
    };
    assert_eq!(searched_for("none"), "How long is it kneaded?");
    assert_eq!(searched_for("last"), "What do I do with bread dough?\nHow long is it kneaded?");
    assert_eq!(searched_for("all"), searched_for("last"));
    assert!(searched_for("auto").contains("dough"));
}

#[test]
fn two_runs_are_compared_question_by_question() {
    let set = kitchen();
    set.results(&[]);
    fs::rename(set.path().join("out.json"), set.path().join("before.json")).unwrap();
    let comparison = &set.results(&["--compare", "before.json"])["comparison"];
    assert_eq!((&comparison["questions"], &comparison["same"]), (&json!(3), &json!(3)));
    assert_eq!(comparison["difference"], 0.0);
    assert!(set.refusal(&["--compare", "set/corpus.jsonl"]).contains("is not what --json writes"));
}

#[test]
fn answers_are_measured_too() {
    let set = kitchen();
    let answers = &set.results(&["--answers", "--unrelated", "set"])["answers"];
    assert_eq!(
        (&answers["answerable"], &answers["unanswerable"], &answers["unrelated"]),
        (&json!(3), &json!(1), &json!(4))
    );
    assert_eq!(answers["gold_span_in_passages"], 1.0);
    assert!(answers["gold_span"].as_f64().unwrap() > 0.6, "{answers:#}");
    assert_eq!(answers["unanswerable_refused"], 1.0);
    assert_eq!(answers["unanswerable_auc"], 1.0);
    assert_eq!(answers["verified"], 1.0, "an extract is supported by what it was taken from");
}

#[test]
fn what_a_set_lacks_is_said() {
    let passage = json!({"_id": "a", "title": "A", "text": "Apples are red."});
    let question = json!({"_id": "q", "text": "What colour are apples?"});
    let set = Set::new(
        std::slice::from_ref(&passage),
        std::slice::from_ref(&question),
        "q\ta\t1\nq\tgone\t1\nnobody\ta\t1\n",
    );
    let output = set.eval(&[]);
    let warnings = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{warnings}");
    assert!(warnings.contains("1 judgements name passages that corpus.jsonl lacks"), "{warnings}");
    assert!(warnings.contains("1 judgements name questions that queries.jsonl lacks"), "{warnings}");
    assert_eq!(set.results(&[])["metrics"]["recall@10"], 0.5, "a passage that is not there is never found");

    let set = Set::new(&[passage.clone(), passage.clone()], std::slice::from_ref(&question), "q\ta\t1\n");
    assert!(set.refusal(&[]).contains("has the id \"a\" more than once"));
    let set = Set::new(std::slice::from_ref(&passage), &[json!({"text": "no id"})], "q\ta\t1\n");
    assert!(set.refusal(&[]).contains("queries.jsonl, line 1"));
    let set = Set::new(&[], std::slice::from_ref(&question), "q\ta\t1\n");
    assert!(set.refusal(&[]).contains("corpus.jsonl is empty"));
    let set = Set::new(std::slice::from_ref(&passage), std::slice::from_ref(&question), "other\ta\t1\n");
    assert!(set.refusal(&[]).contains("no question"));
    let set = Set::new(&[passage], &[question], "q a 1\n");
    assert!(set.refusal(&[]).contains("dev.tsv, line 2"));
    assert!(set.refusal(&["--split", "test"]).contains("there is dev"));
    fs::remove_dir_all(set.path().join("set")).unwrap();
    assert!(set.refusal(&[]).contains("corpus.jsonl"));
}
