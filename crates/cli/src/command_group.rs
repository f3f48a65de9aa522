//! Groups of subcommands that share options.

use clap::{ArgMatches, Args, Command, Error, FromArgMatches, Subcommand};

/// Subcommands `C` of a command, and the options `O`, which each of the subcommands accepts.
#[derive(Debug)]
pub(crate) struct CommandGroup<C, O = ()> {
    pub(crate) command: C,
    pub(crate) options: O,
}

impl<C: Subcommand, O: Args> Args for CommandGroup<C, O> {
    fn augment_args(command: Command) -> Command {
        let command = command.subcommand_required(true).arg_required_else_help(true);
        C::augment_subcommands(command).mut_subcommands(O::augment_args)
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
