//! Defines the subcommands of `clew` and their help text.

use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;

use crate::error::CliError;
use crate::{
    access_key, audit, collect, doctor, domain_command, enterprise_project, group, init, instance, kill, locks,
};
use crate::{master_key, metadata_database, migrate, output, policy, project, ps, rule, serve, snapshot, user, worker};

/// Real-time session diagnosis for MySQL, MariaDB and TaurusDB.
///
/// Clew lists a database server's sessions, with lock waits and durations, as a table, CSV or JSON.
/// Use Clew from the command line or through the TaurusDB API.
#[derive(Debug, Parser)]
#[command(name = "clew", version, max_term_width = 110, after_help = AFTER_HELP)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

const AFTER_HELP: &str = "\
Examples:
  clew snapshot mysql://root@127.0.0.1/                    list all sessions as a table
  clew snapshot mysql://root@127.0.0.1/ --filter slow -o slow.csv
  clew ps mysql://root@127.0.0.1/                          list sessions, one line each, fitted to the terminal
  clew locks mysql://root@127.0.0.1/                       show lock waits and root blockers
  clew kill mysql://root@127.0.0.1/ 42                     preview the impact, then kill a session
  clew doctor mysql://clew@db.example.com/                 check the privileges of an account
  clew init && clew serve                                  serve the TaurusDB API
  clew user create ada && clew policy attach TaurusDBReadOnlyAccessPolicy --user ada

Exit codes: 0 success, 1 failure, 2 usage error or refused, 3 limitations found (doctor, instance check),
130 interrupted.";

// `defer` builds the options of a subcommand only when a user runs that subcommand.
// Otherwise, clap would build the options of all subcommands, about 200 in total, each time the program starts.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(crate) enum Command {
    /// List all sessions on a server with their open transactions.
    Snapshot(Box<snapshot::SnapshotArgs>),
    /// List a server's sessions in a table that fits the terminal.
    Ps(Box<ps::PsArgs>),
    /// Show lock waits as a tree, with root blockers at the top.
    Locks(Box<locks::LocksArgs>),
    /// Kill sessions, or only their running statements.
    Kill(Box<kill::KillArgs>),
    /// Check an account's privileges on a server and print GRANT statements for missing privileges.
    Doctor(Box<doctor::DoctorArgs>),
    /// Create the first domain, project, administrator and access key, and print the credentials once.
    Init(Box<init::InitArgs>),
    /// Run the API server with an embedded worker.
    Serve(Box<serve::ServeArgs>),
    /// Run a worker process that takes session snapshots and executes intelligent kills and kill tasks.
    Worker(Box<worker::WorkerArgs>),
    /// Migrate the metadata database to the schema of the installed Clew version.
    /// Every command that opens the metadata database also migrates it.
    Migrate(Box<migrate::MigrateArgs>),
    /// Copy the metadata to a PostgreSQL database.
    Metadata(Box<metadata_database::MetadataCommandArgs>),
    /// Rotate the master key that encrypts all stored secrets.
    MasterKey(Box<master_key::MasterKeyCommandArgs>),
    /// Register and manage instances, which are groups of database servers called nodes.
    Instance(Box<instance::InstanceCommandArgs>),
    /// Collect a session snapshot from a node through the API server and download it as CSV.
    Collect(Box<collect::CollectArgs>),
    /// Manage domains (tenants). Each domain has its own projects, users and policies.
    Domain(Box<domain_command::DomainCommandArgs>),
    /// Manage a domain's projects. Each instance belongs to one project.
    Project(Box<project::ProjectCommandArgs>),
    /// Manage enterprise projects, which group instances for use in policy conditions.
    EnterpriseProject(Box<enterprise_project::EnterpriseProjectCommandArgs>),
    /// Manage a domain's users and their passwords.
    User(Box<user::UserCommandArgs>),
    /// Manage user groups. A group's policies apply to its members.
    Group(Box<group::GroupCommandArgs>),
    /// Manage access keys. A user can have up to two permanent keys, plus temporary keys.
    Key(Box<access_key::AccessKeyCommandArgs>),
    /// Manage policies and simulate authorization decisions.
    Policy(Box<policy::PolicyCommandArgs>),
    /// Test kill rules against a saved session snapshot.
    Rule(Box<rule::RuleCommandArgs>),
    /// List, export and verify the audit log of sign-ins, denials, collections, downloads and changes.
    Audit(Box<audit::AuditCommandArgs>),
    /// Print the OpenAPI description of the HTTP API as JSON.
    Openapi,
    /// Print a shell completion script.
    #[command(after_help = "Example:\n  clew completions bash > /etc/bash_completion.d/clew")]
    Completions {
        /// Target shell
        shell: Shell,
    },
}

pub(crate) fn print_completion_script(shell: Shell) -> Result<(), CliError> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "clew", &mut script);
    output::write_stdout(&String::from_utf8_lossy(&script))
}
