//! Groups of subcommands that share options.

use clap::builder::Resettable;
use clap::{ArgMatches, Args, Command, Error, FromArgMatches, Subcommand};

#[derive(Debug)]
pub(crate) struct CommandGroup<C, O = ()> {
    pub(crate) command: C,
    pub(crate) options: O,
}

impl<C: Subcommand, O: Args> Args for CommandGroup<C, O> {
    fn augment_args(command: Command) -> Command {
        let command = command.subcommand_required(true).arg_required_else_help(true);
        // The doc comment of `O`, if any, must not replace the description of the subcommand.
        let add_options = |subcommand: Command| {
            let (about, long_about) = (subcommand.get_about().cloned(), subcommand.get_long_about().cloned());
            O::augment_args(subcommand).about(Resettable::from(about)).long_about(Resettable::from(long_about))
        };
        C::augment_subcommands(command).mut_subcommands(add_options)
    }

    fn augment_args_for_update(command: Command) -> Command {
        C::augment_subcommands_for_update(command).mut_subcommands(O::augment_args_for_update)
    }
}

impl<C: Subcommand, O: Args> FromArgMatches for CommandGroup<C, O> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let command = C::from_arg_matches(matches)?;
        let subcommand_matches = matches.subcommand().map_or(matches, |(_, inner)| inner);
        Ok(Self { command, options: O::from_arg_matches(subcommand_matches)? })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}
