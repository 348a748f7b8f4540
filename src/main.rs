//! The `vae` program: parse, log, run, print the error, exit code.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments = cli::Cli::parse_arguments();
    cli::output::start_log();
    if let Ok(program) = std::env::current_exe() {
        vae::device::ask_drivers_by(program);
    }
    match arguments.command.run() {
        Ok(code) => code,
        Err(error) => cli::output::report(&cli::by_flags(error)),
    }
}
