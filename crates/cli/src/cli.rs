//! Defines the subcommands of `clew` and their help text.

use clap::{Parser, Subcommand};

use crate::lazy_args::LazyArgs;
use crate::{
    access_key, audit, collect, completions, doctor, domain, enterprise_project, group, init, instance, kill, locks,
};
use crate::{master_key, metadata, migrate, policy, project, ps, rule, serve, snapshot, user, worker};

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

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List all sessions on a server with their open transactions.
    Snapshot(LazyArgs<snapshot::SnapshotArgs>),
    /// List a server's sessions in a table that fits the terminal.
    Ps(LazyArgs<ps::PsArgs>),
    /// Show lock waits as a tree, with root blockers at the top.
    Locks(LazyArgs<locks::LocksArgs>),
    /// Kill sessions, or only their running statements.
    Kill(LazyArgs<kill::KillArgs>),
    /// Check an account's privileges on a server and print GRANT statements for missing privileges.
    Doctor(LazyArgs<doctor::DoctorArgs>),
    /// Create the first domain, project, administrator and access key, and print the credentials once.
    Init(LazyArgs<init::InitArgs>),
    /// Run the API server with an embedded worker.
    Serve(LazyArgs<serve::ServeArgs>),
    /// Run a worker process that takes session snapshots and executes intelligent kills and kill tasks.
    Worker(LazyArgs<worker::WorkerArgs>),
    /// Migrate the metadata database to the schema of the installed Clew version.
    /// Every command that opens the database also runs the migration.
    Migrate(LazyArgs<migrate::MigrateArgs>),
    /// Copy the metadata to a PostgreSQL database.
    Metadata(LazyArgs<metadata::MetadataCommandArgs>),
    /// Rotate the master key that encrypts all stored secrets.
    MasterKey(LazyArgs<master_key::MasterKeyCommandArgs>),
    /// Register and manage instances, which are groups of database servers called nodes.
    Instance(LazyArgs<instance::InstanceCommandArgs>),
    /// Collect a session snapshot from a node through the API server and download it as CSV.
    Collect(LazyArgs<collect::CollectArgs>),
    /// Manage domains (tenants). Each domain has its own projects, users and policies.
    Domain(LazyArgs<domain::DomainCommandArgs>),
    /// Manage a domain's projects. Each instance belongs to one project.
    Project(LazyArgs<project::ProjectCommandArgs>),
    /// Manage enterprise projects, which group instances for use in policy conditions.
    EnterpriseProject(LazyArgs<enterprise_project::EnterpriseProjectCommandArgs>),
    /// Manage a domain's users and their passwords.
    User(LazyArgs<user::UserCommandArgs>),
    /// Manage user groups. A group's policies apply to its members.
    Group(LazyArgs<group::GroupCommandArgs>),
    /// Manage access keys. A user can have up to two permanent keys, plus temporary keys.
    Key(LazyArgs<access_key::AccessKeyCommandArgs>),
    /// Manage policies and simulate authorization decisions.
    Policy(LazyArgs<policy::PolicyCommandArgs>),
    /// Test kill rules against a saved session snapshot.
    Rule(LazyArgs<rule::RuleCommandArgs>),
    /// List, export and verify the audit log of sign-ins, denials, collections, downloads and changes.
    Audit(LazyArgs<audit::AuditCommandArgs>),
    /// Print the OpenAPI description of the HTTP API as JSON.
    Openapi,
    /// Print a shell completion script.
    Completions(LazyArgs<completions::CompletionsArgs>),
}
