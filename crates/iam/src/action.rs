//! The actions that a request may need: one table for routes, policies, their checks and the docs.

use serde::Serialize;

/// How much an action can change (spec section 4.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AccessLevel {
    /// Lists things.
    List,
    /// Reads a thing.
    Read,
    /// Changes a thing.
    Write,
    /// Changes what may be done, or what will be done without being asked again.
    PermissionManagement,
}

/// What an action is done to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// An instance: policies can name it by URN, and by its enterprise project and tags in conditions.
    Instance,
    /// A project as a whole: policies reach it with the resource `*` only, and with no condition on a resource.
    Project,
    /// The domain itself: as for a project.
    Domain,
}

/// An action that a request needs: its names in the two models of permissions (spec sections 4.1 and 4.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Action {
    /// Name in the model of identity policies.
    pub name: &'static str,
    /// Name in the model of roles.
    pub alias: &'static str,
    /// How much it can change.
    pub level: AccessLevel,
    /// What it is done to.
    pub target: Target,
    /// The condition keys beyond the global ones that a policy can use with it, as they stand in policies.
    pub keys: &'static [&'static str],
    /// What it lets one do, in a few words.
    pub meaning: &'static str,
}

/// Keys that describe an instance.
const INSTANCE: &[&str] = &["g:EnterpriseProjectId", "g:ResourceTag/<tag-key>"];
/// Keys that describe an instance, and the tags that a request would put on it or take off it.
const TAGGING: &[&str] = &["g:EnterpriseProjectId", "g:ResourceTag/<tag-key>", "g:RequestTag/<tag-key>", "g:TagKeys"];

/// None.
const NONE: &[&str] = &[];

macro_rules! actions {
    ($($name:ident $level:ident $target:ident $keys:ident $action:literal $alias:literal $meaning:literal;)+) => {
        impl Action {
            $(
                #[doc = $meaning]
                pub const $name: Self = Self {
                    name: $action,
                    alias: $alias,
                    level: AccessLevel::$level,
                    target: Target::$target,
                    keys: $keys,
                    meaning: $meaning,
                };
            )+

            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];
        }
    };
}

impl Action {
    /// The one of this name or alias, without regard to case.
    #[must_use]
    pub fn find(name: &str) -> Option<Self> {
        let named = |action: &&Self| action.name.eq_ignore_ascii_case(name) || action.alias.eq_ignore_ascii_case(name);
        Self::ALL.iter().find(named).copied()
    }
}

actions! {
    GET_REALTIME_SESSION Read Instance INSTANCE
        "gaussdbformysql:instance:getRealtimeSession" "gaussdb:instance:getRealtimeSession"
        "Start a collection, ask for its state, download its result.";
    GET_REALTIME_SESSION_TEXT Read Instance INSTANCE
        "gaussdbformysql:instance:getRealtimeSessionText" "gaussdb:instance:getRealtimeSessionText"
        "See whole statements where the project masks them. Clew's own.";
    DELETE_REALTIME_SESSION Write Instance INSTANCE
        "gaussdbformysql:instance:deleteRealtimeSession" "gaussdb:instance:deleteRealtimeSession"
        "Remove a collection with its result. Clew's own.";
    LIST_PROCESSES List Instance INSTANCE
        "gaussdbformysql:instance:listProcesses" "gaussdb:instance:listProcesses"
        "List the sessions of a node, and what a session waits for.";
    DELETE_PROCESSES Write Instance INSTANCE
        "gaussdbformysql:instance:deleteProcesses" "gaussdb:instance:deleteProcesses"
        "Kill sessions.";
    SHOW_INTELLIGENT_KILL Read Instance INSTANCE
        "gaussdbformysql:instance:showIntelligentKillSession" "gaussdb:instance:showIntelligentKillSession"
        "See what an intelligent kill would end, and what the last ones ended.";
    EXECUTE_INTELLIGENT_KILL Write Instance INSTANCE
        "gaussdbformysql:instance:executeIntelligentKillSession" "gaussdb:instance:executeIntelligentKillSession"
        "Start an intelligent kill.";
    GET_SLOW_THRESHOLD Read Instance INSTANCE
        "gaussdbformysql:instance:getSlowProcessThreshold" "gaussdb:instance:getSlowProcessThreshold"
        "See from which duration on a session is slow.";
    MODIFY_SLOW_THRESHOLD Write Project NONE
        "gaussdbformysql:instance:modifySlowProcessThreshold" "gaussdb:instance:modifySlowProcessThreshold"
        "Set from which duration on a session is slow, of many instances at once.";
    GET_INSTANCE Read Instance INSTANCE
        "gaussdbformysql:instance:get" "gaussdb:instance:list"
        "Show one instance.";
    LIST_INSTANCES List Instance INSTANCE
        "gaussdbformysql:instance:list" "gaussdb:instance:list"
        "List instances.";
    MODIFY_INSTANCE PermissionManagement Project NONE
        "gaussdbformysql:instance:modify" "gaussdb:instance:modify"
        "Change what Clew does to an instance by itself, such as tasks that kill sessions.";
    LIST_TAGS List Instance INSTANCE
        "gaussdbformysql:instance:listTags" "gaussdb:tag:list"
        "List tags of instances. Clew's own.";
    TAG_INSTANCE Write Instance TAGGING
        "gaussdbformysql:instance:tagResource" "gaussdb:tag:create"
        "Add tags to an instance and remove them. Clew's own.";
    LIST_IDENTITIES List Domain NONE
        "clew:identity:list" "clew:identity:list"
        "List projects, users, groups, access keys, policies. Clew's own.";
    MANAGE_IDENTITIES PermissionManagement Domain NONE
        "clew:identity:manage" "clew:identity:manage"
        "Change projects, users, groups, access keys, policies. Clew's own.";
    READ_AUDIT List Domain NONE
        "clew:audit:list" "clew:audit:list"
        "Read the audit. Clew's own.";
}
