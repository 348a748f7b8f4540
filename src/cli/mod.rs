//! The command line: one file a subcommand, and no numerics.

mod ais;
mod bench;
mod data;
mod deck;
mod decode;
mod devices;
mod disentangle;
mod encode;
mod eval;
mod fit_prior;
mod interpolate;
mod latent;
mod manifold;
pub(crate) mod output;
mod plan;
mod posterior;
mod reconstruct;
mod reproduce;
mod run;
mod sample;
mod score;
mod selftest;
mod settings;
mod start;
mod train;
mod traverse;
mod web;
mod world;

use clap::{ArgAction, CommandFactory, FromArgMatches, Parser, Subcommand};
pub(crate) use settings::by_flags;
use std::process::ExitCode;
use vae::Result;

/// Train variational autoencoders on any GPU, or on none.
#[derive(Debug, Parser)]
#[command(name = "vae", version, disable_help_flag = true, disable_help_subcommand = true)]
#[command(after_help = "\
Begin with:
  vae train                     learn handwriting-like digits, no files needed
  vae sample runs/digits-1      draw new ones
Every command explains itself with --help.")]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
    /// Print this help
    #[arg(short, long, global = true, action = ArgAction::HelpShort, help_heading = "Other")]
    help: Option<bool>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Train a model, and draw what it has learned
    Train(Box<train::Train>),
    /// Look at a dataset before training on it: what is read, its values, copies, and what is likely to be a mistake
    Data(data::Data),
    /// Measure a trained model: the evidence lower bound on held-out images
    Eval(eval::Eval),
    /// Check log p(x) = ELBO + KL(q || posterior) on held-out images, for one or two latent dimensions
    Posterior(posterior::Posterior),
    /// Draw held-out images and their reconstructions
    Reconstruct(reconstruct::Reconstruct),
    /// Draw new images from the prior
    Sample(sample::Sample),
    /// Fit a mixture of Gaussians to the latents of the training images, to draw new images from
    FitPrior(fit_prior::FitPrior),
    /// Draw the images of a grid over the latent space
    Manifold(manifold::Manifold),
    /// Draw held-out images as points of the latent space
    Latent(latent::Latent),
    /// Draw paths through the latent space, from image to image
    Interpolate(interpolate::Interpolate),
    /// Draw what changes in an image as one latent dimension moves
    Traverse(traverse::Traverse),
    /// Measure how far each latent dimension follows one factor of the data
    Disentangle(disentangle::Disentangle),
    /// Write the posteriors of pictures as numbers
    Encode(encode::Encode),
    /// Draw the images of latents that a file holds
    Decode(decode::Decode),
    /// Make a web page of a trained model: explored, and trained on, in any browser
    Web(web::Web),
    /// Score pictures by a bound on log p(x) of each, to find those unlike the others
    Score(score::Score),
    /// World models: an environment, and what learns to act in it from pictures
    World(world::World),
    /// Train a published setting, and print its numbers beside ours
    Reproduce(reproduce::Reproduce),
    /// Compute every figure of a talk on variational autoencoders, as one page
    Deck(deck::DeckCommand),
    /// List the devices of this machine
    Devices(devices::Devices),
    /// Show what a training step computes, kernel by kernel
    Plan(Box<plan::PlanCommand>),
    /// Measure a device: its ceilings, every kernel, and whole training steps
    Bench(bench::Bench),
    /// Check every kernel on a device against the same kernel in double precision
    Selftest(selftest::Selftest),
    /// Ask the drivers in this process, for another of this program
    #[command(name = vae::device::COMMAND, hide = true)]
    AskDrivers {
        /// As JSON
        request: String,
    },
}

impl Cli {
    /// The arguments of this process. Prints help or an error and exits where one is due.
    pub(crate) fn parse_arguments() -> Self {
        // `--clip-norm -1` is a bad value of a flag, not an unknown flag `-1`.
        let command = Self::command().mut_subcommands(|subcommand| {
            subcommand.mut_args(|argument| {
                let negative = argument.get_action().takes_values() && !argument.is_positional();
                argument.allow_negative_numbers(negative)
            })
        });
        Self::from_arg_matches(&command.get_matches()).unwrap_or_else(|error| error.exit())
    }
}

impl Command {
    /// Do what the user asks for.
    pub(crate) fn run(self) -> Result<ExitCode> {
        match self {
            Self::Train(command) => command.run(),
            Self::Data(command) => command.run(),
            Self::Eval(command) => command.run(),
            Self::Posterior(command) => command.run(),
            Self::Reconstruct(command) => command.run(),
            Self::Sample(command) => command.run(),
            Self::FitPrior(command) => command.run(),
            Self::Manifold(command) => command.run(),
            Self::Latent(command) => command.run(),
            Self::Interpolate(command) => command.run(),
            Self::Traverse(command) => command.run(),
            Self::Disentangle(command) => command.run(),
            Self::Encode(command) => command.run(),
            Self::Decode(command) => command.run(),
            Self::Score(command) => command.run(),
            Self::Web(command) => command.run(),
            Self::World(command) => command.run(),
            Self::Reproduce(command) => command.run(),
            Self::Deck(command) => command.run(),
            Self::Devices(command) => command.run(),
            Self::Plan(command) => command.run(),
            Self::Bench(command) => command.run(),
            Self::Selftest(command) => command.run(),
            Self::AskDrivers { request } => {
                vae::device::answer(&request)?;
                Ok(ExitCode::SUCCESS)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        super::Cli::command().debug_assert();
    }

    /// The words of a shell's line, up to what is no argument any more.
    fn words(line: &str) -> Vec<String> {
        let (mut words, mut quoted) = (vec![String::new()], false);
        for letter in line.chars() {
            match letter {
                '\'' => quoted = !quoted,
                '|' | '>' | '#' | '&' if !quoted => break,
                ' ' if !quoted => words.push(String::new()),
                _ => words.last_mut().unwrap().push(letter),
            }
        }
        words.retain(|word| !word.is_empty());
        words
    }

    #[test]
    fn every_command_shows_three_examples_and_one_with_pictures_of_ones_own() {
        for command in super::Cli::command().get_subcommands().filter(|command| !command.is_hide_set()) {
            let examples = examples(command);
            let own = ["pictures", "photos", "faces", ".jpg", ".png "];
            assert!(
                examples.iter().any(|line| own.iter().any(|word| line.contains(word))),
                "{}: {examples:?}",
                command.get_name()
            );
            command.get_subcommands().for_each(|command| drop(self::examples(command)));
        }
    }

    /// The examples in the help of `command`: three or more, which the program reads.
    fn examples(command: &clap::Command) -> Vec<String> {
        let name = command.get_name();
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        let examples: Vec<String> =
            help.lines().filter(|line| line.starts_with("  vae ")).map(String::from).collect();
        assert!(examples.len() >= 3, "{name}: {examples:?}");
        for line in &examples {
            let read = super::Cli::command().try_get_matches_from(words(line.trim()));
            assert!(read.is_ok(), "{line}: {}", read.unwrap_err());
            assert!(line.chars().count() <= 100, "{line}");
        }
        examples
    }
}
