//! What can be typed.

use clap::{Parser, Subcommand};

use crate::deferred::Deferred;
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
    /// Show every session of a server, with its transaction.
    Snapshot(Deferred<snapshot::Arguments>),
    /// List the sessions of a server, a line each.
    Ps(Deferred<ps::Arguments>),
    /// Show who waits for whom, the root blockers first.
    Locks(Deferred<locks::Arguments>),
    /// End sessions, or what they run.
    Kill(Deferred<kill::Arguments>),
    /// Say what an account can and cannot see on a server, why, and the exact GRANTs that would mend it.
    Doctor(Deferred<doctor::Arguments>),
    /// Make the first domain, project, administrator and access key. Prints the secrets once.
    Init(Deferred<init::Arguments>),
    /// Serve the API, with a worker inside.
    Serve(Deferred<serve::Arguments>),
    /// Do what servers were asked for: collections, intelligent kills, kill tasks.
    Worker(Deferred<worker::Arguments>),
    /// Bring the metadata to the form of this version. Every other command does so too when it opens it.
    Migrate(Deferred<migrate::Arguments>),
    /// Move what is kept elsewhere.
    Store(Deferred<store::Arguments>),
    /// Change the key that everything secret is sealed with.
    Secrets(Deferred<secrets::Arguments>),
    /// Say which database servers there are: instances and their nodes.
    Instance(Deferred<instance::Arguments>),
    /// Let a server take a snapshot of a node, wait for it, and download the CSV.
    Collect(Deferred<collect::Arguments>),
    /// Tenants: domains, each with projects, users and policies of its own.
    Domain(Deferred<domain::Arguments>),
    /// Projects: the parts of a domain that own instances.
    Project(Deferred<project::Arguments>),
    /// Enterprise projects: labels of instances across projects, which policies can ask for (g:EnterpriseProjectId).
    EnterpriseProject(Deferred<enterprise_project::Arguments>),
    /// Users of a domain, their passwords, and whether they may sign in.
    User(Deferred<user::Arguments>),
    /// Groups of users: what is attached to a group holds for its members.
    Group(Deferred<group::Arguments>),
    /// Access keys: at most two a user, so that one can be changed for the other; and temporary ones.
    Key(Deferred<key::Arguments>),
    /// Policies: what users may do, and why a request would be allowed or denied.
    Policy(Deferred<policy::Arguments>),
    /// Try rules that kill sessions.
    Rule(Deferred<rule::Arguments>),
    /// The audit: sign-ins, denials, collections, downloads, and every change; who, from where, and how it ended.
    Audit(Deferred<audit::Arguments>),
    /// Print the description of the HTTP API (OpenAPI, JSON).
    Openapi,
    /// Print a completion script for a shell.
    Completions(Deferred<completions::Arguments>),
}
