//! Rejects PostgreSQL passwords in command-line arguments, because other local users can read the arguments.

use clap::ArgMatches;
use clap::parser::ValueSource;

use crate::error::{CliError, refused};

/// PostgreSQL passwords are allowed in environment variables and configuration files.
pub(crate) fn reject_postgres_url_passwords(matches: &ArgMatches) -> Result<(), CliError> {
    for id in matches.ids() {
        if matches.value_source(id.as_str()) != Some(ValueSource::CommandLine) {
            continue;
        }
        let values = matches.try_get_raw(id.as_str()).ok().flatten().into_iter().flatten();
        if values.filter_map(|value| value.to_str()).any(is_postgres_url_with_password) {
            return Err(refused!(
                "the PostgreSQL URL in --{} contains a password, which other accounts of the machine can see in the \
                 process list",
                id.as_str().replace('_', "-")
            )
            .with_suggested_fix(
                "omit the password and set PGPASSWORD or PGPASSFILE, or set the complete URL in CLEW_METADATA_URL or \
                 in a configuration file (metadata_url = …) that only Clew's account can read. Change the exposed \
                 password",
            ));
        }
    }
    matches.subcommand().map_or(Ok(()), |(_, matches)| reject_postgres_url_passwords(matches))
}

fn is_postgres_url_with_password(address: &str) -> bool {
    let lowercase = address.to_ascii_lowercase();
    let Some(rest) = ["postgres://", "postgresql://"].iter().find_map(|scheme| lowercase.strip_prefix(scheme)) else {
        return false;
    };
    let (before_query, query) = rest.split_once('?').unwrap_or((rest, ""));
    // A password can contain an unencoded slash.
    let in_authority = before_query
        .rsplit_once('@')
        .is_some_and(|(account, _)| account.split_once(':').is_some_and(|(_, password)| !password.is_empty()));
    in_authority || query.split('&').any(|pair| pair.strip_prefix("password=").is_some_and(|given| !given.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_detected_in_every_part_of_a_url() {
        for (address, expected) in [
            ("postgres://clew:hunter2@db/clew", true),
            ("PostgreSQL://clew:hunter2@db/clew?sslmode=require", true),
            ("postgres://clew:hun/ter@db/clew", true),
            ("postgres://clew@db/clew?sslmode=require&password=hunter2", true),
            ("postgres://db/clew?PASSWORD=x", true),
            ("postgres://clew@db:5432/clew?sslmode=verify-full", false),
            ("postgres://clew:@db/clew", false),
            ("postgres://[::1]:5432/clew", false),
            ("postgres://db/clew?password=", false),
            ("mysql://clew:hunter2@db/", false),
            ("postgres", false),
        ] {
            assert_eq!(is_postgres_url_with_password(address), expected, "{address}");
        }
    }
}
