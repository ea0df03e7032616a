//! The invariants of ARCHITECTURE.md that the compiler cannot hold, held by reading the sources.

use std::fs;
use std::path::{Path, PathBuf};

/// A word that may stand only in some files, and why.
struct Rule {
    word: &'static str,
    allowed: &'static [&'static str],
    reason: &'static str,
}

const SDKS: [Rule; 6] = [
    Rule {
        word: "redis::",
        allowed: &["src/sessions/redis"],
        reason: "Redis is spoken to in its adapter only; everyone else sees `sessions::Store`",
    },
    Rule {
        word: "redb",
        allowed: &["src/sessions/embedded", "src/sessions/journal", "src/sessions/database_file.rs"],
        reason: "the embedded session store is an adapter like any other, and so is the journal",
    },
    Rule {
        word: "qdrant_client",
        allowed: &["knowledge/src/vector_store/qdrant"],
        reason: "the Qdrant server is spoken to in its adapter only",
    },
    Rule {
        word: "qdrant_edge",
        allowed: &["knowledge/src/vector_store/embedded", "knowledge/src/vector_store/bm25.rs"],
        reason: "the embedded engine is spoken to in its adapter only; BM25 comes from it for both engines",
    },
    Rule {
        word: "rten",
        allowed: &["knowledge/src/inference"],
        reason: "embedder and cross-encoder know what goes in and comes out, not what runs them",
    },
    Rule {
        word: "async_openai",
        allowed: &["knowledge/src/embedding/openai", "src/llm/openai"],
        reason: "the OpenAI wire is spoken by the two adapters only",
    },
];

#[test]
fn each_sdk_is_named_in_its_adapter_only() {
    for rule in &SDKS {
        let offenders = files_naming(&sources(), rule.word, rule.allowed);
        assert!(offenders.is_empty(), "`{}` is named in {offenders:?}: {}", rule.word, rule.reason);
        let somewhere = sources().iter().any(|(path, text)| is_under(path, rule.allowed) && text.contains(rule.word));
        assert!(somewhere, "no file names `{}` any more: the rule guards nothing", rule.word);
    }
}

#[test]
fn a_turn_of_chat_knows_nothing_of_http() {
    let below_http =
        ["src/chat", "src/retrieval", "src/sessions", "src/llm", "src/library.rs", "knowledge/", "ingest/"];
    for (path, text) in sources().iter().filter(|(path, _)| is_under(path, &below_http)) {
        for word in ["axum", "crate::http"] {
            assert!(!names(text, word), "{path} names {word}; framing belongs to `http`");
        }
    }
}

#[test]
fn only_the_http_error_module_knows_status_codes() {
    for (path, text) in
        sources().iter().filter(|(path, _)| path.starts_with("src/http") && !path.starts_with("src/http/error"))
    {
        assert!(!names(text, "StatusCode"), "{path} names StatusCode; add a constructor to ApiError instead");
    }
}

#[test]
fn only_clap_reads_the_environment() {
    // `OpenAIConfig` reads five variables whatever it is given afterwards.
    let reads =
        ["env::var", "env::vars", "var_os(", "dotenvy", "from_env", "from_default_env", "try_from_env", "OpenAIConfig"];
    for (path, text) in sources().iter().filter(|(path, _)| path != "knowledge/src/options/environment.rs") {
        for read in reads {
            assert!(!names(text, read), "{path} has `{read}`; add an option to a clap group instead");
        }
    }
}

#[test]
fn a_file_holds_one_idea() {
    for (path, text) in sources() {
        let lines = text.lines().count();
        assert!(lines <= 400, "{path} has {lines} lines: look for the second idea in it");
        assert!(!path.ends_with("/mod.rs"), "{path}: modules are foo.rs + foo/");
    }
}

/// Every Rust source of the workspace outside tests and benches, by its path from the root.
fn sources() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    for folder in ["src", "ingest/src", "knowledge/src"] {
        collect(&root.join(folder), &mut found);
    }
    assert!(found.len() > 30, "the sources are where this test looks for them");
    let relative = |path: &PathBuf| path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
    found.iter().map(|path| (relative(path), fs::read_to_string(path).unwrap())).collect()
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn files_naming(sources: &[(String, String)], word: &str, allowed: &[&str]) -> Vec<String> {
    let offends = |(path, text): &&(String, String)| !is_under(path, allowed) && names(text, word);
    sources.iter().filter(offends).map(|(path, _)| path.clone()).collect()
}

/// Whether the code names `word`, as a word of its own; comments may, and `sessions::redis` is a module of ours.
fn names(text: &str, word: &str) -> bool {
    text.lines().filter(|line| !line.trim_start().starts_with("//")).any(|line| {
        line.match_indices(word).any(|(at, _)| {
            let before = &line[..at];
            let goes_on = before.ends_with(|character: char| character.is_alphanumeric() || character == '_');
            let is_ours = ["self::", "super::", "sessions::"].iter().any(|module| before.ends_with(module));
            !goes_on && !is_ours
        })
    })
}

#[test]
fn the_rules_see_what_would_break_them() {
    for (line, word) in [
        ("let value = std::env::var(\"X\");", "env::var"),
        ("std::env::var_os(\"X\")", "var_os("),
        ("EnvFilter::from_env(\"X\")", "from_env"),
        ("EnvFilter::from_default_env()", "from_default_env"),
        ("axum::http::StatusCode::OK", "StatusCode"),
        ("use axum::http::StatusCode;", "StatusCode"),
        ("use ::redis::Client;", "redis::"),
        ("redis::cmd(\"GET\")", "redis::"),
    ] {
        assert!(names(line, word), "{line}");
    }
    for (line, word) in [
        ("// std::env::var", "env::var"),
        ("use self::redis::RedisStore;", "redis::"),
        ("use super::redis::RedisStore;", "redis::"),
        ("crate::sessions::redis::Url", "redis::"),
        ("my_redis::x", "redis::"),
    ] {
        assert!(!names(line, word), "{line}");
    }
}

fn is_under(path: &str, places: &[&str]) -> bool {
    places.iter().any(|place| path.starts_with(place))
}
