//! `footnote`: reads the command line, and has the library do what it says.

use std::process::ExitCode;

use footnote::commands;
use footnote_knowledge::options;

// The manifest tells why.
#[cfg(not(target_env = "msvc"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    // Files are parsed in processes of this program.
    if let Some(code) = footnote_ingest::run_if_worker(std::env::args_os().skip(1)) {
        return code;
    }
    commands::run(options::parse())
}
