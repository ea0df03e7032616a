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

fn is_variable(name: &str) -> bool {
    name.len() > 3 && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
}

/// The options page of the manual tells of every flag.
#[test]
fn the_manual_names_every_option() {
    let manual = read("data/footnote/options.md");
    let serve = Cli::command();
    for argument in serve.get_arguments().filter(|argument| !["help", "version"].contains(&argument.get_id().as_str()))
    {
        let flag = format!("--{}", argument.get_long().unwrap());
        assert!(manual.contains(&flag), "data/footnote/options.md does not tell of {flag}");
    }
}
