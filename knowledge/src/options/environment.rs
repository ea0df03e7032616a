//! Parsing a command line whose values may also stand in the environment or in `.env`.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::Path;

use clap::builder::{OsStr, Resettable};
use clap::{Arg, Command, CommandFactory, FromArgMatches};

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
    let invalid = |error: dotenvy::Error| {
        clap::Error::raw(clap::error::ErrorKind::Io, format!("cannot read {}: {error}\n", path.display()))
    };
    match dotenvy::from_path_iter(path) {
        Ok(entries) => entries.collect::<Result<_, _>>().map_err(invalid),
        Err(dotenvy::Error::Io(error)) if error.kind() == std::io::ErrorKind::NotFound => Ok(HashMap::new()),
        Err(error) => Err(invalid(error)),
    }
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
    let set_to_nothing = std::env::var_os(&variable).is_some_and(|value| value.is_empty());
    let argument = if set_to_nothing { argument.env(Resettable::Reset) } else { argument };
    match variable.to_str().and_then(|name| dot_env.get(name)) {
        Some(value) if !value.is_empty() => {
            argument.default_value(OsStr::from(value.clone())).hide_default_value(true).required(false)
        }
        _ => argument,
    }
}
