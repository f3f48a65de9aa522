//! Lock wait scenarios on a real server, with known waiters, blockers and root blockers.

mod ddl;
mod flushes;
mod rows;
mod runner;
mod schema_objects;
mod server_wide;
mod topologies;

use crate::flavor::Flavor;

pub use runner::{BuiltScenario, ScenarioError};

/// Script of a lock wait scenario, and the waits that the scenario must cause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scenario {
    /// Short description.
    pub name: String,
    /// Server flavors that support the scenario.
    pub flavors: &'static [Flavor],
    /// Steps of the sessions, one per line: session name, operator and statement.
    /// `a: …` runs a statement to completion.
    /// `b? …` starts a statement and waits until another session blocks the statement.
    /// `b+ …` starts a statement. After all steps, the runner checks that the statement is blocked.
    /// `a~ …` starts a statement that keeps running.
    /// `a!` disconnects the session.
    script: String,
    /// Expected waits as `waiter>blocker`, separated by spaces.
    /// `xa` stands for a prepared transaction without a session.
    waits: String,
    /// Expected root blockers, separated by spaces, worst first. `+` joins the members of a cycle.
    roots: String,
    /// Expected lock resource of each waiter, in the output format of Clew.
    /// [`ANY_WAITER_NAME`] stands for all other waiters.
    resources: Vec<(&'static str, &'static str)>,
    /// Root blocker after a kill of the first root blocker, if the kill unblocks no session.
    pub root_after_kill: Option<&'static str>,
    /// Reason why a root blocker cannot be killed, or `None` if all root blockers can be killed.
    pub unkillable_reason: Option<&'static str>,
}

/// Flavors of a scenario that supports both MariaDB and MySQL.
const BOTH_FLAVORS: &[Flavor] = &Flavor::ALL;
const MYSQL_ONLY: &[Flavor] = &[Flavor::MySql];
const MARIADB_ONLY: &[Flavor] = &[Flavor::MariaDb];
/// Name that stands for every waiter without a separate entry in `resources`.
const ANY_WAITER_NAME: &str = "*";

/// Step of a scenario script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ScenarioStep<'a> {
    /// Runs a statement to completion.
    Run(&'a str, &'a str),
    /// Starts a statement and waits until another session blocks the statement.
    Block(&'a str, &'a str),
    /// Starts a statement. After all steps, the runner checks that the statement is blocked.
    BlockWithDelayedCheck(&'a str, &'a str),
    /// Starts a statement that keeps running.
    Start(&'a str, &'a str),
    /// Disconnects the session.
    Disconnect(&'a str),
}

impl Scenario {
    /// Server arguments that all scenarios require.
    /// By default, MySQL assigns auto-increment values without a lock.
    pub const SERVER_ARGUMENTS: [&str; 1] = ["--innodb-autoinc-lock-mode=1"];

    /// Returns all scenarios that a server flavor supports, simple scenarios first.
    #[must_use]
    pub fn all_for_flavor(flavor: Flavor) -> Vec<Self> {
        let lists = [
            rows::row_lock_scenarios(),
            ddl::metadata_lock_scenarios(),
            schema_objects::schema_object_scenarios(),
            flushes::flush_scenarios(),
            server_wide::server_wide_scenarios(),
            topologies::topology_scenarios(),
        ];
        lists.into_iter().flatten().filter(|scenario| scenario.flavors.contains(&flavor)).collect()
    }

    fn new(
        flavors: &'static [Flavor],
        name: &str,
        script: impl Into<String>,
        waits: impl Into<String>,
        roots: &str,
        resource: &'static str,
    ) -> Self {
        Self {
            name: name.to_owned(),
            flavors,
            script: script.into(),
            waits: waits.into(),
            roots: roots.to_owned(),
            resources: vec![(ANY_WAITER_NAME, resource)],
            root_after_kill: None,
            unkillable_reason: None,
        }
    }

    /// Sets the expected lock resource of one waiter, if it differs from the resource of the other waiters.
    fn with_resource(mut self, waiter: &'static str, resource: &'static str) -> Self {
        self.resources.push((waiter, resource));
        self
    }

    /// Declares that a kill of the first root blocker passes its locks to `root` and unblocks no session.
    fn with_root_after_kill(mut self, root: &'static str) -> Self {
        self.root_after_kill = Some(root);
        self
    }

    /// Declares that a root blocker cannot be killed, with the reason.
    fn with_unkillable_reason(mut self, reason: &'static str) -> Self {
        self.unkillable_reason = Some(reason);
        self
    }

    /// Returns the waiter and the blocker of each expected wait.
    #[must_use]
    pub fn expected_waits(&self) -> Vec<(&str, &str)> {
        self.waits.split_whitespace().filter_map(|wait| wait.split_once('>')).collect()
    }

    /// Returns the members of each expected root blocker, worst root blocker first.
    #[must_use]
    pub fn expected_root_blockers(&self) -> Vec<Vec<&str>> {
        self.roots.split_whitespace().map(|root| root.split('+').collect()).collect()
    }

    /// Returns the expected lock resource of a waiter.
    #[must_use]
    pub fn expected_resource(&self, waiter: &str) -> &'static str {
        let resource_of =
            |name: &str| self.resources.iter().find(|(waiter, _)| *waiter == name).map(|(_, resource)| *resource);
        resource_of(waiter).or_else(|| resource_of(ANY_WAITER_NAME)).unwrap_or_default()
    }

    /// Parses the steps of the script. Returns an error for an invalid line.
    fn parse_steps(&self) -> Result<Vec<ScenarioStep<'_>>, ScenarioError> {
        let lines = self.script.lines().map(str::trim).filter(|line| !line.is_empty());
        lines.map(|line| parse_step(line).ok_or_else(|| ScenarioError::Script(line.to_owned()))).collect()
    }
}

fn parse_step(line: &str) -> Option<ScenarioStep<'_>> {
    let end = line.find(|char: char| !char.is_ascii_alphanumeric())?;
    let (session, rest) = line.split_at(end);
    let sign = rest.chars().next()?;
    let statement = rest.get(1..)?.trim();
    match sign {
        ':' => Some(ScenarioStep::Run(session, statement)),
        '?' => Some(ScenarioStep::Block(session, statement)),
        '+' => Some(ScenarioStep::BlockWithDelayedCheck(session, statement)),
        '~' => Some(ScenarioStep::Start(session, statement)),
        '!' => Some(ScenarioStep::Disconnect(session)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expected_waits_name_only_sessions_of_the_script() {
        for flavor in Flavor::ALL {
            for scenario in Scenario::all_for_flavor(flavor) {
                let steps = scenario.parse_steps().unwrap();
                let mut present: Vec<&str> = steps
                    .iter()
                    .map(|step| match step {
                        ScenarioStep::Run(session, _)
                        | ScenarioStep::Block(session, _)
                        | ScenarioStep::BlockWithDelayedCheck(session, _)
                        | ScenarioStep::Start(session, _)
                        | ScenarioStep::Disconnect(session) => *session,
                    })
                    .collect();
                present.push("xa");
                let waits = scenario.expected_waits();
                assert!(!waits.is_empty(), "{}", scenario.name);
                for (waiter, blocker) in waits {
                    assert!(present.contains(&waiter) && present.contains(&blocker), "{}", scenario.name);
                }
                let roots = scenario.expected_root_blockers();
                assert!(roots.iter().flatten().all(|root| present.contains(root)), "{}", scenario.name);
            }
        }
    }

    #[test]
    fn steps_are_parsed_by_operator() {
        assert_eq!(parse_step("a: SELECT ':'"), Some(ScenarioStep::Run("a", "SELECT ':'")));
        assert_eq!(parse_step("b2? DROP TABLE t"), Some(ScenarioStep::Block("b2", "DROP TABLE t")));
        assert_eq!(parse_step("a!"), Some(ScenarioStep::Disconnect("a")));
        assert_eq!(parse_step("a SELECT 1"), None);
        assert_eq!(parse_step(""), None);
    }
}
