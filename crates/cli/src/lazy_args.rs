//! Builds the clap arguments of a subcommand only when a user runs that subcommand.
//! By default, clap builds the options of all subcommands, about 200 in total, each time the program starts.

use clap::builder::Resettable;
use clap::{ArgMatches, Args, Command, Error, FromArgMatches};

/// Subcommand arguments that clap builds only when a user runs the subcommand.
/// The subcommand's help text is the doc comment of its enum variant, not the doc comment of the type `T`.
#[derive(Debug)]
pub(crate) struct LazyArgs<T>(Box<T>);

impl<T> LazyArgs<T> {
    pub(crate) fn into_inner(self) -> T {
        *self.0
    }
}

impl<T: Args> Args for LazyArgs<T> {
    fn augment_args(command: Command) -> Command {
        command.defer(|command| add_args_preserving_help_text(command, T::augment_args))
    }

    fn augment_args_for_update(command: Command) -> Command {
        command.defer(|command| add_args_preserving_help_text(command, T::augment_args_for_update))
    }
}

/// Calls `augment` to add arguments to a command, and then restores the command's help text.
/// By default, clap replaces a command's help text with the doc comment of a flattened argument struct.
fn add_args_preserving_help_text(command: Command, augment: fn(Command) -> Command) -> Command {
    let (about, long_about) = (command.get_about().cloned(), command.get_long_about().cloned());
    augment(command).about(Resettable::from(about)).long_about(Resettable::from(long_about))
}

impl<T: FromArgMatches> FromArgMatches for LazyArgs<T> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        T::from_arg_matches(matches).map(|arguments| Self(Box::new(arguments)))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        self.0.update_from_arg_matches(matches)
    }
}
