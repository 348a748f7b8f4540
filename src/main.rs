//! The `vae` program: parse, log, run, print the error, exit code.

mod cli;

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments = cli::Cli::parse();
    cli::output::start_log();
    match arguments.command.run() {
        Ok(code) => code,
        Err(error) => cli::output::report(&error),
    }
}
