//! What can be typed.

use clap::{Parser, Subcommand};

use crate::{audit, collect, completions, doctor, domain, enterprise_project, group, init, instance, key, kill, locks};
use crate::{migrate, policy, project, ps, rule, secrets, serve, snapshot, store, user, worker};

/// Real-time session diagnosis for MySQL, MariaDB and TaurusDB.
///
/// Shows every session of a database server, what it waits for and since when; as a table, CSV or JSON, from the command line
/// or through the TaurusDB API.
#[derive(Debug, Parser)]
#[command(name = "clew", version, max_term_width = 110, after_help = AFTER_HELP)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

const AFTER_HELP: &str = "\
Examples:
  clew snapshot mysql://root@127.0.0.1/                    every session, as a table
  clew snapshot mysql://root@127.0.0.1/ --filter slow -o slow.csv
  clew ps mysql://root@127.0.0.1/                          the same in what a terminal has room for
  clew locks mysql://root@127.0.0.1/                       who waits for whom, and who holds them all up
  clew kill mysql://root@127.0.0.1/ 42                     ends a session, after showing what that costs
  clew doctor mysql://clew@db.example.com/                 what this account can see, and the GRANTs it lacks
  clew init && clew serve                                  the same through the TaurusDB API
  clew user create ada && clew policy attach TaurusDBReadOnlyAccessPolicy --user ada

Exit codes: 0 done, 1 failed, 2 wrong usage or refused, 130 interrupted.";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Snapshot(Box<snapshot::Arguments>),
    Ps(Box<ps::Arguments>),
    Locks(locks::Arguments),
    Kill(kill::Arguments),
    Doctor(doctor::Arguments),
    Init(init::Arguments),
    Serve(Box<serve::Arguments>),
    Worker(Box<worker::Arguments>),
    Migrate(migrate::Arguments),
    Store(store::Arguments),
    Secrets(secrets::Arguments),
    Instance(instance::Arguments),
    Collect(Box<collect::Arguments>),
    Domain(domain::Arguments),
    Project(project::Arguments),
    EnterpriseProject(enterprise_project::Arguments),
    User(user::Arguments),
    Group(group::Arguments),
    Key(key::Arguments),
    Policy(policy::Arguments),
    Rule(rule::Arguments),
    Audit(audit::Arguments),
    /// Print the description of the HTTP API (OpenAPI, JSON).
    Openapi,
    Completions(completions::Arguments),
}
