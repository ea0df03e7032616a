//! What is shipped beside the binaries names the settings that exist, and no others.

use std::collections::BTreeSet;

use clap::{Command, CommandFactory};
use footnote::cli::Cli;

fn read(file: &str) -> String {
    std::fs::read_to_string(format!("{}/{file}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// Every variable that a command or one of its subcommands reads.
fn variables(command: &Command) -> BTreeSet<String> {
    let own = command.get_arguments().filter_map(|argument| argument.get_env());
    let own = own.map(|name| name.to_str().unwrap().to_owned());
    own.chain(command.get_subcommands().flat_map(variables)).collect()
}

#[test]
fn the_example_file_lists_every_variable_and_no_other() {
    let example = read(".env.example");
    let named = example.lines().filter_map(|line| line.trim_start_matches("# ").split_once('=')).map(|(name, _)| name);
    // FOOTNOTE_DOCUMENTS is docker-compose.yml's own.
    let named = named.filter(|name| is_variable(name) && *name != "FOOTNOTE_DOCUMENTS");
    let named: BTreeSet<String> = named.map(ToOwned::to_owned).collect();
    assert_eq!(named, variables(&Cli::command()));
}

#[test]
fn the_containers_set_only_variables_that_exist() {
    let known = variables(&Cli::command());
    for file in ["docker-compose.yml", "Dockerfile"] {
        let text = read(file);
        let words = text.split(|character: char| {
            !(character.is_ascii_uppercase() || character.is_ascii_digit() || character == '_')
        });
        let ours =
            words.filter(|word| word.starts_with("FOOTNOTE_") || word.starts_with("OPENAI_") || word.ends_with("_URL"));
        for name in ours.filter(|name| !["FOOTNOTE_DOCUMENTS"].contains(name)) {
            assert!(known.contains(name), "{file} sets {name}, which nothing reads");
        }
    }
}

/// What is set in `.env` works under Docker, too, or there is a reason why it cannot.
#[test]
fn the_compose_file_passes_every_setting_on() {
    let text = read("docker-compose.yml");
    let exceptions = [
        ("FOOTNOTE_DATA_DIR", "a volume, named in the Dockerfile"),
        ("FOOTNOTE_INGEST", "FOOTNOTE_DOCUMENTS chooses the folder that is mounted"),
        ("FOOTNOTE_ALLOW_ANONYMOUS", "the file insists on a key"),
        ("FOOTNOTE_QDRANT_API_KEY", "the Qdrant of the file takes none"),
        ("FOOTNOTE_PROMPT", "names a file, which would have to be mounted"),
        ("FOOTNOTE_SYSTEM_PROMPT", "names a file, which would have to be mounted"),
        ("FOOTNOTE_REDIS_CA", "the Redis of the file speaks no TLS"),
    ];
    let serve = Cli::command().get_subcommands().find(|command| command.get_name() == "serve").cloned().unwrap();
    for name in variables(&serve) {
        let is_exception = exceptions.iter().any(|(exception, _reason)| *exception == name);
        let is_set = text.contains(&format!("      {name}: "));
        assert!(is_set != is_exception, "{name}: set in docker-compose.yml: {is_set}, exception: {is_exception}");
    }
}

fn is_variable(name: &str) -> bool {
    name.len() > 3 && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
}

/// The options page of the manual tells of every flag.
#[test]
fn the_manual_names_every_option() {
    let manual = read("data/footnote/options.md");
    let commands: Vec<Command> = Cli::command().get_subcommands().cloned().collect();
    for flag in commands.iter().flat_map(Command::get_arguments).filter_map(|argument| argument.get_long()) {
        let flag = format!("`--{flag}`");
        assert!(manual.contains(&flag), "data/footnote/options.md does not tell of {flag}");
    }
}

/// The codes that clients may rely on.
#[test]
fn the_manual_names_every_error_code() {
    let manual = read("data/footnote/http-interface.md");
    let source = read("src/http/error.rs");
    let code_of_errors = source.split("#[cfg(test)]").next().unwrap();
    let words = code_of_errors.split('"').skip(1).step_by(2);
    let codes: BTreeSet<&str> = words.filter(|word| word.contains('_') && is_snake_case(word)).collect();
    assert!(codes.contains("invalid_request") && codes.len() > 10, "{codes:?}");
    for code in codes {
        assert!(manual.contains(&format!("| `{code}` |")), "data/footnote/http-interface.md does not tell of {code}");
    }
}

fn is_snake_case(word: &str) -> bool {
    word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

/// What is sent and what comes back.
#[test]
fn the_manual_names_every_field() {
    let manual = read("data/footnote/http-interface.md");
    for (file, name) in [
        ("src/http/chat.rs", "ChatBody"),
        ("src/http/search.rs", "SearchBody"),
        ("src/http/search.rs", "SearchResponse"),
        ("src/http/documents.rs", "ListParameters"),
        ("src/chat/response.rs", "ChatResponse"),
        ("src/chat/response.rs", "Timings"),
        ("src/chat/citations.rs", "Citation"),
        ("src/source_document.rs", "SourceDocument"),
        ("src/readiness.rs", "Readiness"),
        ("knowledge/src/collection/document.rs", "Filter"),
    ] {
        for field in fields(&read(file), name) {
            assert!(manual.contains(&format!("`{field}`")), "http-interface.md does not tell of {field} of {name}");
        }
    }
}

/// The names of a struct's fields, as they stand in its source.
fn fields(source: &str, name: &str) -> Vec<String> {
    let start = source.find(&format!("struct {name} {{")).expect("the struct is where this test looks for it");
    let body = source[start..].split("\n}").next().unwrap();
    let lines = body.lines().skip(1).map(|line| line.trim().trim_start_matches("pub "));
    let names = lines.filter(|line| !line.starts_with(['/', '#'])).filter_map(|line| line.split_once(": "));
    let names: Vec<String> = names.map(|(name, _)| name.to_owned()).collect();
    assert!(!names.is_empty());
    names
}
