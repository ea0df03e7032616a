//! Lines that a person types, or that a script pipes in.

use std::io::{self, BufRead, IsTerminal};

use rustyline::DefaultEditor;
use rustyline::error::ReadlineError;

const PROMPT: &str = "You: ";

/// Where lines come from.
pub(super) enum Input {
    /// With editing and history, on a terminal.
    Terminal(Box<DefaultEditor>),
    Pipe(io::Lines<io::StdinLock<'static>>),
}

impl Input {
    pub(super) fn new() -> anyhow::Result<Self> {
        if io::stdin().is_terminal() {
            Ok(Self::Terminal(Box::new(DefaultEditor::new()?)))
        } else {
            Ok(Self::Pipe(io::stdin().lock().lines()))
        }
    }

    /// The next line; none at the end of the input, at Ctrl-D and at Ctrl-C.
    pub(super) fn next(&mut self) -> anyhow::Result<Option<String>> {
        match self {
            Self::Terminal(editor) => match editor.readline(PROMPT) {
                Ok(line) => {
                    editor.add_history_entry(&line)?;
                    Ok(Some(line))
                }
                Err(ReadlineError::Eof | ReadlineError::Interrupted) => Ok(None),
                Err(error) => Err(error.into()),
            },
            Self::Pipe(lines) => {
                let line = readable(lines).transpose()?;
                // What was asked stands above its answer, as it would on a terminal.
                if let Some(line) = &line {
                    println!("{PROMPT}{line}");
                }
                Ok(line)
            }
        }
    }
}

/// The next line that is text; who wrote the others is told.
fn readable(lines: &mut impl Iterator<Item = io::Result<String>>) -> Option<io::Result<String>> {
    lines.find(|line| {
        let is_text = !matches!(line, Err(error) if error.kind() == io::ErrorKind::InvalidData);
        if !is_text {
            eprintln!("a line that is not UTF-8 is left out; `iconv -t utf-8 -f` and its encoding make it so");
        }
        is_text
    })
}

/// What a line asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line<'a> {
    Nothing,
    Question(&'a str),
    Sources,
    Reset,
    Quit,
    Help,
    Unknown(&'a str),
}

impl<'a> Line<'a> {
    pub(super) fn parse(line: &'a str) -> Self {
        match line.trim() {
            "" => Self::Nothing,
            "/sources" => Self::Sources,
            "/reset" => Self::Reset,
            "/quit" | "/exit" => Self::Quit,
            "/help" => Self::Help,
            command if command.starts_with('/') && !command.contains(char::is_whitespace) => Self::Unknown(command),
            question => Self::Question(question),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Line;

    #[test]
    fn a_line_is_a_command_or_a_question() {
        assert_eq!(Line::parse("  "), Line::Nothing);
        assert_eq!(Line::parse(" /sources "), Line::Sources);
        assert_eq!(Line::parse("/quit"), Line::Quit);
        assert_eq!(Line::parse("/souces"), Line::Unknown("/souces"));
        assert_eq!(Line::parse("/etc/hosts is what?"), Line::Question("/etc/hosts is what?"));
        assert_eq!(Line::parse("What is a chunk?"), Line::Question("What is a chunk?"));
    }
}
