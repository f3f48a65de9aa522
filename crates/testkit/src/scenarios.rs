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

/// Script of a lock wait scenario, and its expected waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scenario {
    /// Short description.
    pub name: String,
    /// Server flavors that support the scenario.
    pub flavors: &'static [Flavor],
    /// Steps of the sessions, one per line: session name, sign and statement. `a: …` runs a statement to its end.
    /// `b? …` starts a statement and waits until another session blocks it.
    /// `b+ …` starts a statement that blocks in a crowd, without a fixed order.
    /// `a~ …` starts a statement that keeps running.
    /// `a!` disconnects the session.
    script: String,
    /// Expected waits as `waiter>blocker`, separated by spaces. `xa` is a prepared transaction without a session.
    waits: String,
    /// Expected root blockers, worst first, separated by spaces. Members of a cycle are joined by `+`.
    roots: String,
    /// Expected resource of each waiter, as Clew prints it. [`ANY_WAITER`] stands for all other waiters.
    resources: Vec<(&'static str, &'static str)>,
    /// Root blocker after the first root was killed, if the kill unblocks no session.
    pub root_after_kill: Option<&'static str>,
    /// Reason why a root cannot be killed, and its remedy, if such a root exists.
    pub unkillable_reason: Option<&'static str>,
}

/// Both flavors.
const BOTH: &[Flavor] = &Flavor::ALL;
const MYSQL: &[Flavor] = &[Flavor::MySql];
const MARIADB: &[Flavor] = &[Flavor::MariaDb];
/// Stands for every waiter without its own resource.
const ANY_WAITER: &str = "*";

/// Step of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step<'a> {
    /// Runs a statement to its end.
    Run(&'a str, &'a str),
    /// Starts a statement and waits until another session blocks it.
    Block(&'a str, &'a str),
    /// Starts a statement. The runner checks that it is blocked after all steps.
    BlockInCrowd(&'a str, &'a str),
    /// Starts a statement that keeps running.
    Start(&'a str, &'a str),
    /// Disconnects the session.
    Disconnect(&'a str),
}

impl Scenario {
    /// Server arguments that all scenarios require. By default, MySQL assigns auto-increment values without a lock.
    pub const SERVER_ARGUMENTS: [&str; 1] = ["--innodb-autoinc-lock-mode=1"];

    /// Returns all scenarios of a server flavor, simple ones first.
    #[must_use]
    pub fn all(flavor: Flavor) -> Vec<Self> {
        let lists =
            [rows::all(), ddl::all(), schema_objects::all(), flushes::all(), server_wide::all(), topologies::all()];
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
            resources: vec![(ANY_WAITER, resource)],
            root_after_kill: None,
            unkillable_reason: None,
        }
    }

    /// Sets a different resource for one waiter.
    fn with_resource(mut self, waiter: &'static str, resource: &'static str) -> Self {
        self.resources.push((waiter, resource));
        self
    }

    /// Declares that killing the first root unblocks no session, because its locks pass to another root.
    fn with_next_root(mut self, root: &'static str) -> Self {
        self.root_after_kill = Some(root);
        self
    }

    /// Declares that a root cannot be killed.
    fn not_killed(mut self, reason: &'static str) -> Self {
        self.unkillable_reason = Some(reason);
        self
    }

    /// Returns waiter and blocker of every wait.
    #[must_use]
    pub fn waits(&self) -> Vec<(&str, &str)> {
        self.waits.split_whitespace().filter_map(|wait| wait.split_once('>')).collect()
    }

    /// Returns the members of every root, worst root first.
    #[must_use]
    pub fn roots(&self) -> Vec<Vec<&str>> {
        self.roots.split_whitespace().map(|root| root.split('+').collect()).collect()
    }

    /// Returns the resource that a waiter waits for.
    #[must_use]
    pub fn resource_of(&self, waiter: &str) -> &'static str {
        let resource_of =
            |name: &str| self.resources.iter().find(|(waiter, _)| *waiter == name).map(|(_, resource)| *resource);
        resource_of(waiter).or_else(|| resource_of(ANY_WAITER)).unwrap_or_default()
    }

    /// Parses the steps. Fails on an invalid line.
    fn steps(&self) -> Result<Vec<Step<'_>>, ScenarioError> {
        let lines = self.script.lines().map(str::trim).filter(|line| !line.is_empty());
        lines.map(|line| parse_step(line).ok_or_else(|| ScenarioError::Script(line.to_owned()))).collect()
    }
}

fn parse_step(line: &str) -> Option<Step<'_>> {
    let end = line.find(|char: char| !char.is_ascii_alphanumeric())?;
    let (session, rest) = line.split_at(end);
    let sign = rest.chars().next()?;
    let statement = rest.get(1..)?.trim();
    match sign {
        ':' => Some(Step::Run(session, statement)),
        '?' => Some(Step::Block(session, statement)),
        '+' => Some(Step::BlockInCrowd(session, statement)),
        '~' => Some(Step::Start(session, statement)),
        '!' => Some(Step::Disconnect(session)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expected_waits_name_only_sessions_of_the_script() {
        for flavor in Flavor::ALL {
            for scenario in Scenario::all(flavor) {
                let steps = scenario.steps().unwrap();
                let mut present: Vec<&str> = steps
                    .iter()
                    .map(|step| match step {
                        Step::Run(session, _)
                        | Step::Block(session, _)
                        | Step::BlockInCrowd(session, _)
                        | Step::Start(session, _)
                        | Step::Disconnect(session) => *session,
                    })
                    .collect();
                present.push("xa");
                let waits = scenario.waits();
                assert!(!waits.is_empty(), "{}", scenario.name);
                for (waiter, blocker) in waits {
                    assert!(present.contains(&waiter) && present.contains(&blocker), "{}", scenario.name);
                }
                let roots = scenario.roots();
                assert!(roots.iter().flatten().all(|root| present.contains(root)), "{}", scenario.name);
            }
        }
    }

    #[test]
    fn steps_are_parsed_by_their_sign() {
        assert_eq!(parse_step("a: SELECT ':'"), Some(Step::Run("a", "SELECT ':'")));
        assert_eq!(parse_step("b2? DROP TABLE t"), Some(Step::Block("b2", "DROP TABLE t")));
        assert_eq!(parse_step("a!"), Some(Step::Disconnect("a")));
        assert_eq!(parse_step("a SELECT 1"), None);
        assert_eq!(parse_step(""), None);
    }
}
