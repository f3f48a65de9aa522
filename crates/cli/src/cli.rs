//! The command line: subcommands and their help.

use clap::{Parser, Subcommand};

use crate::lazy_args::LazyArgs;
use crate::{audit, collect, completions, doctor, domain, enterprise_project, group, init, instance, key, kill, locks};
use crate::{master_key, metadata, migrate, policy, project, ps, rule, serve, snapshot, user, worker};

/// Real-time session diagnosis for MySQL, MariaDB and TaurusDB.
///
/// Lists the sessions of a database server with their lock waits and durations, as a table, CSV or JSON.
/// Works from the command line and through the TaurusDB API.
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

Exit codes: 0 success, 1 failure, 2 usage error or refused, 130 interrupted.";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List all sessions of a server with their transactions.
    Snapshot(LazyArgs<snapshot::SnapshotArgs>),
    /// List the sessions of a server, one line per session.
    Ps(LazyArgs<ps::PsArgs>),
    /// Show lock waits as a tree, root blockers first.
    Locks(LazyArgs<locks::LocksArgs>),
    /// Kill sessions, or only their running statements.
    Kill(LazyArgs<kill::KillArgs>),
    /// Check the privileges of an account on a server, and print the missing GRANTs.
    Doctor(LazyArgs<doctor::DoctorArgs>),
    /// Create the first domain, project, administrator and access key. Prints the password and the secret key once.
    Init(LazyArgs<init::InitArgs>),
    /// Run the API server with an embedded worker.
    Serve(LazyArgs<serve::ServeArgs>),
    /// Run a worker for collections, intelligent kills and kill tasks.
    Worker(LazyArgs<worker::WorkerArgs>),
    /// Migrate the metadata database to the schema of this version. Commands that open the database also migrate it.
    Migrate(LazyArgs<migrate::MigrateArgs>),
    /// Copy the metadata to another database.
    Metadata(LazyArgs<metadata::MetadataCommandArgs>),
    /// Rotate the master key, which encrypts all stored secrets.
    MasterKey(LazyArgs<master_key::MasterKeyCommandArgs>),
    /// Register and manage database servers: instances and their nodes.
    Instance(LazyArgs<instance::InstanceCommandArgs>),
    /// Collect a session snapshot of a node through the API server, and download it as CSV.
    Collect(LazyArgs<collect::CollectArgs>),
    /// Manage domains (tenants). Each domain has its own projects, users and policies.
    Domain(LazyArgs<domain::DomainCommandArgs>),
    /// Manage the projects of a domain. Each instance belongs to a project.
    Project(LazyArgs<project::ProjectCommandArgs>),
    /// Manage enterprise projects, which group instances for policy conditions (g:EnterpriseProjectId).
    EnterpriseProject(LazyArgs<enterprise_project::EnterpriseProjectCommandArgs>),
    /// Manage the users of a domain and their passwords.
    User(LazyArgs<user::UserCommandArgs>),
    /// Manage groups of users. A policy attached to a group applies to its members.
    Group(LazyArgs<group::GroupCommandArgs>),
    /// Manage access keys: at most two per user, plus temporary keys.
    Key(LazyArgs<key::KeyCommandArgs>),
    /// Manage policies, and simulate authorization decisions.
    Policy(LazyArgs<policy::PolicyCommandArgs>),
    /// Test kill rules on a saved session snapshot.
    Rule(LazyArgs<rule::RuleCommandArgs>),
    /// List, export and verify the audit log: sign-ins, denials, collections, downloads and changes.
    Audit(LazyArgs<audit::AuditCommandArgs>),
    /// Print the OpenAPI description of the HTTP API as JSON.
    Openapi,
    /// Print a shell completion script.
    Completions(LazyArgs<completions::CompletionsArgs>),
}
