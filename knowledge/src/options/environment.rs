//! Parsing a command line whose values may also stand in the environment or in `.env`.

use std::collections::HashMap;
use std::ffi::OsString;
use std::io;
use std::path::Path;

use clap::builder::{OsStr, Resettable};
use clap::{Arg, ArgAction, Command, CommandFactory, FromArgMatches};

/// Parses the process's arguments. On a usage error, prints it and exits with status 2; `--help` exits with 0.
pub fn parse<Options: CommandFactory + FromArgMatches>() -> Options {
    let parsed = read_dot_env(Path::new(".env")).and_then(|dot_env| parse_from(std::env::args_os(), &dot_env));
    parsed.unwrap_or_else(|error| error.exit())
}

/// Parses `arguments`, with `dot_env` standing below the environment and above the defaults.
pub(super) fn parse_from<Options: CommandFactory + FromArgMatches>(
    arguments: impl IntoIterator<Item = OsString>,
    dot_env: &HashMap<String, String>,
) -> Result<Options, clap::Error> {
    let mut command = with_dot_env(Options::command(), dot_env);
    let mut matches = command.try_get_matches_from_mut(arguments)?;
    Options::from_arg_matches_mut(&mut matches).map_err(|error| error.format(&mut command))
}

/// A missing file is an empty one; a file that cannot be read or parsed is an error that names the line.
fn read_dot_env(path: &Path) -> Result<HashMap<String, String>, clap::Error> {
    let invalid = |reason: String| {
        clap::Error::raw(clap::error::ErrorKind::Io, format!("cannot read {}: {reason}\n", path.display()))
    };
    match std::fs::read_to_string(path) {
        Ok(text) => parse_dot_env(&text).map_err(invalid),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(HashMap::new()),
        Err(error) => Err(invalid(error.to_string())),
    }
}

/// The parser's own error shows the line as it is, secret included; ours only tells which one it is.
fn parse_dot_env(text: &str) -> Result<HashMap<String, String>, String> {
    let lines: Vec<&str> = text.trim_start_matches('\u{feff}').split_inclusive('\n').collect();
    let parse = |lines: &[&str]| -> Result<HashMap<String, String>, dotenvy::Error> {
        dotenvy::from_read_iter(lines.concat().as_bytes()).collect()
    };
    parse(&lines).map_err(|_| {
        let before = (0..lines.len()).rfind(|&count| parse(&lines[..count]).is_ok()).unwrap_or(0);
        format!("line {} is not NAME=VALUE; a value with spaces in it stands in quotes", before + 1)
    })
}

fn with_dot_env(command: Command, dot_env: &HashMap<String, String>) -> Command {
    command
        .mut_args(|argument| argument_with_dot_env(argument, dot_env))
        .mut_subcommands(|sub| with_dot_env(sub, dot_env))
}

/// Clap takes the environment over a default, so a value of `.env` becomes the default; and a variable set to nothing
/// is taken from the argument, since clap would read it as a value.
fn argument_with_dot_env(argument: Arg, dot_env: &HashMap<String, String>) -> Arg {
    let Some(variable) = argument.get_env().map(ToOwned::to_owned) else {
        return argument;
    };
    let of_file = variable.to_str().and_then(|name| dot_env.get(name)).map(String::as_str).unwrap_or_default();
    let of_environment = std::env::var_os(&variable);
    if matches!(argument.get_action(), ArgAction::Append) {
        return list_with_dot_env(argument, &variable.to_string_lossy(), of_environment, of_file);
    }
    let set_to_nothing = of_environment.is_some_and(|value| value.is_empty());
    let argument = if set_to_nothing { argument.env(Resettable::Reset) } else { argument };
    if of_file.is_empty() {
        return argument;
    }
    argument.default_value(OsStr::from(of_file.to_owned())).hide_default_value(true).required(false)
}

/// A variable can be set once, so it holds a list with commas; a flag can be repeated, so its value may hold a comma.
/// Clap would divide both or neither, which is why a list of the environment becomes the default, too.
fn list_with_dot_env(argument: Arg, variable: &str, of_environment: Option<OsString>, of_file: &str) -> Arg {
    let is_set = of_environment.is_some();
    let of_environment = match of_environment.map(OsString::into_string) {
        None => Vec::new(),
        Some(Ok(list)) => items(&list),
        // A path in an encoding of its own.
        Some(Err(path)) => vec![path],
    };
    let list = if of_environment.is_empty() { items(of_file) } else { of_environment };
    let argument = if is_set { argument.env(Resettable::Reset) } else { argument };
    if list.is_empty() {
        return argument;
    }
    // `--help` shows a variable that clap reads by itself; here it has to be told.
    let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
    let argument = if is_set { argument.help(format!("{help} [env: {variable}]")) } else { argument };
    argument.default_values(list.into_iter().map(OsStr::from)).hide_default_value(true).required(false)
}

fn items(list: &str) -> Vec<OsString> {
    list.split(',').map(str::trim).filter(|item| !item.is_empty()).map(OsString::from).collect()
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Options {
        #[arg(long, env = "FOOTNOTE_TEST_OF_LISTS")]
        key: Vec<String>,
    }

    fn keys(arguments: &[&str], in_file: &str) -> Vec<String> {
        let arguments = std::iter::once("test").chain(arguments.iter().copied()).map(OsString::from);
        let dot_env = HashMap::from([("FOOTNOTE_TEST_OF_LISTS".to_owned(), in_file.to_owned())]);
        parse_from::<Options>(arguments, &dot_env).unwrap().key
    }

    #[test]
    fn a_list_is_divided_in_a_file_and_not_on_the_command_line() {
        assert_eq!(keys(&[], "one, two ,,three,"), ["one", "two", "three"]);
        assert_eq!(keys(&["--key", "a, b", "--key", "c"], "one"), ["a, b", "c"]);
        assert!(keys(&[], " , ").is_empty());
    }

    #[test]
    fn a_line_that_does_not_parse_is_named_and_not_shown() {
        let text = "# keys\nONE=1\nTWO='two\nlines'\n\nOPENAI_API_KEY=sk-live secret\nTHREE=3\n";
        let error = parse_dot_env(text).unwrap_err();
        assert!(error.starts_with("line 6 ") && !error.contains("secret") && !error.contains("sk-"), "{error}");
        assert!(parse_dot_env("no sign\n").unwrap_err().starts_with("line 1 "));
        assert_eq!(parse_dot_env("TWO='two\nlines'\nONE=1").unwrap()["TWO"], "two\nlines");
    }
}
