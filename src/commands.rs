//! What the command line asks for, run to its end. Here and not in `main.rs`, because the code of an `async fn` is
//! compiled by the crate that awaits it: the program would compile the server again.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use footnote_ingest::{Extractor, Limits};
use footnote_knowledge::tls;

use crate::app::Application;
use crate::cli::{Cli, Command, ServeOptions, SessionsCommand};
use crate::{client, doctor, documents_command, eval, session_files, signals, telemetry, welcome};

pub fn run(cli: Cli) -> ExitCode {
    tls::choose_library();
    let runtime = tokio::runtime::Runtime::new().expect("the operating system gives threads");
    let outcome = match cli.command {
        None => runtime.block_on(serve(&cli.serve)),
        Some(Command::Serve(options)) => runtime.block_on(serve(&options)),
        Some(Command::Chat(options)) => client::chat(&runtime, &options),
        Some(Command::Sessions(SessionsCommand::Export(options))) => runtime.block_on(session_files::export(&options)),
        Some(Command::Sessions(SessionsCommand::Import(options))) => runtime.block_on(session_files::import(&options)),
        Some(Command::Documents(command)) => runtime.block_on(documents_command::run(&command)),
        Some(Command::Ask(options)) => client::ask(&runtime, &options),
        Some(Command::Doctor(options)) => runtime.block_on(doctor::examine(&options)),
        Some(Command::Eval(options)) => runtime.block_on(eval::run(&options)),
    };
    // A file that is still being parsed for an ingest is not waited for.
    runtime.shutdown_timeout(Duration::from_secs(1));
    match outcome {
        Ok(code) => code,
        Err(error) => {
            eprintln!("footnote: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(options: &ServeOptions) -> anyhow::Result<ExitCode> {
    telemetry::start_tracing(&options.log)?;
    // Before anyone is told that the server is there, so that it ends in order from then on.
    let mut shutdown = Box::pin(signals::shutdown()?);
    let extractor = Extractor::in_processes_of_this_program(Limits::from(&options.file_limits))
        .context("this program cannot be started again")?;
    let application = tokio::select! {
        built = Application::build(options, extractor) => built?,
        // What is slow to open must not keep it from stopping.
        () = &mut shutdown => return Ok(ExitCode::SUCCESS),
    };
    welcome::print(options, application.local_addr());
    application.run_until(shutdown).await?;
    Ok(ExitCode::SUCCESS)
}
