//! `footnote doctor`: looks at everything that `serve` with the same options would use, and says what to do about what
//! is wrong. Exit status 0 when all is well, 1 otherwise.

use std::process::ExitCode;

use crate::cli::ServeOptions;
use crate::welcome::hosts_receiving_text;
