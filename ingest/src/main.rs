//! The `ingest` program: brings a collection up to date with files and folders.

mod cli;
mod copying;
mod extracting;
mod ingesting;
mod output;
mod watching;

use std::process::ExitCode;
use std::time::Duration;

use footnote_knowledge::{options, tls};
use tracing_subscriber::EnvFilter;

use cli::{Cli, Command};

/// A parser that is still at work on a file when the run has ended is not waited for longer.
const LONGEST_END: Duration = Duration::from_secs(1);

// The manifest tells why.
#[cfg(not(target_env = "msvc"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    if let Some(code) = footnote_ingest::run_if_worker(std::env::args_os().skip(1)) {
        return code;
    }
    let cli: Cli = options::parse();
    tls::choose_library();
    trace();
    let runtime = tokio::runtime::Runtime::new().expect("the operating system gives threads");
    let outcome = match &cli.command {
        None => runtime.block_on(ingesting::run(&cli.ingest)),
        Some(Command::Copy(options)) => runtime.block_on(copying::copy_to_server(options)),
        Some(Command::Extract(options)) => runtime.block_on(extracting::run(options)),
    };
    runtime.shutdown_timeout(LONGEST_END);
    match outcome {
        Ok(code) => code,
        Err(error) => {
            output::print_error(&format!("error: {error:#}"));
            ExitCode::from(cli::status(&error))
        }
    }
}

/// Warnings of our own code, to where they do not mix with `--json`; what libraries warn of is for developers.
fn trace() {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter(EnvFilter::new("off,ingest=warn,footnote_ingest=warn,footnote_knowledge=warn"))
        .init();
    // Parsers and models run on other threads: one that panics is in the report as the file's failure, and its message
    // would tear the progress bar.
    let by_default = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if std::thread::current().name() == Some("main") {
            by_default(panic);
        }
    }));
}
