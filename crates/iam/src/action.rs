//! Table of all API actions, used by routes, policies, policy validation and documentation.

use serde::Serialize;

/// Access level of an action (TaurusDB API spec, section 4.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AccessLevel {
    /// Lists resources.
    List,
    /// Reads a resource.
    Read,
    /// Changes a resource.
    Write,
    /// Access level of actions that change permissions or configure automatic operations such as kill tasks.
    PermissionManagement,
}

/// Resource type to which an action applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ActionResourceType {
    /// A database instance.
    /// Policies select instances by URN, or by conditions on the instance's enterprise project and tags.
    Instance,
    /// A project.
    /// To match a project, an Allow statement must apply to all resources without resource conditions.
    Project,
    /// The domain.
    /// To match actions on the domain, an Allow statement must apply to all resources without resource conditions.
    Domain,
}

/// API action that policies can allow or deny (TaurusDB API spec, section 4.2).
///
/// Identity policies refer to an action by its name; role policies use its alias (TaurusDB API spec, section 4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Action {
    /// Action name in identity policies.
    pub name: &'static str,
    /// Name of the action in role policies.
    pub alias: &'static str,
    /// Access level of the action.
    pub level: AccessLevel,
    /// Resource type to which the action applies.
    pub target: ActionResourceType,
    /// Condition keys that the action supports in addition to the global condition keys.
    pub keys: &'static [&'static str],
    /// Short description of the action.
    pub meaning: &'static str,
}

const INSTANCE_CONDITION_KEYS: &[&str] = &["g:EnterpriseProjectId", "g:ResourceTag/<tag-key>"];
const TAGGING_CONDITION_KEYS: &[&str] =
    &["g:EnterpriseProjectId", "g:ResourceTag/<tag-key>", "g:RequestTag/<tag-key>", "g:TagKeys"];

const NO_EXTRA_CONDITION_KEYS: &[&str] = &[];

macro_rules! actions {
    ($($name:ident $level:ident $target:ident $keys:ident $action:literal $alias:literal $meaning:literal;)+) => {
        impl Action {
            $(
                #[doc = $meaning]
                pub const $name: Self = Self {
                    name: $action,
                    alias: $alias,
                    level: AccessLevel::$level,
                    target: ActionResourceType::$target,
                    keys: $keys,
                    meaning: $meaning,
                };
            )+

            /// All actions.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];
        }
    };
}

impl Action {
    /// Finds an action by name or alias, ignoring case.
    #[must_use]
    pub fn find_action_by_name(name: &str) -> Option<Self> {
        let named = |action: &&Self| action.name.eq_ignore_ascii_case(name) || action.alias.eq_ignore_ascii_case(name);
        Self::ALL.iter().find(named).copied()
    }
}

actions! {
    GET_REALTIME_SESSION Read Instance INSTANCE_CONDITION_KEYS
        "gaussdbformysql:instance:getRealtimeSession" "gaussdb:instance:getRealtimeSession"
        "Start a collection, query its status, download its result.";
    GET_REALTIME_SESSION_TEXT Read Instance INSTANCE_CONDITION_KEYS
        "gaussdbformysql:instance:getRealtimeSessionText" "gaussdb:instance:getRealtimeSessionText"
        "Read full statement text in a project that masks statements. Specific to Clew.";
    DELETE_REALTIME_SESSION Write Instance INSTANCE_CONDITION_KEYS
        "gaussdbformysql:instance:deleteRealtimeSession" "gaussdb:instance:deleteRealtimeSession"
        "Remove a collection and its result. Specific to Clew.";
    LIST_PROCESSES List Instance INSTANCE_CONDITION_KEYS
        "gaussdbformysql:instance:listProcesses" "gaussdb:instance:listProcesses"
        "List the sessions of a node and the locks that they wait for.";
    DELETE_PROCESSES Write Instance INSTANCE_CONDITION_KEYS
        "gaussdbformysql:instance:deleteProcesses" "gaussdb:instance:deleteProcesses"
        "Kill sessions.";
    SHOW_INTELLIGENT_KILL Read Instance INSTANCE_CONDITION_KEYS
        "gaussdbformysql:instance:showIntelligentKillSession" "gaussdb:instance:showIntelligentKillSession"
        "Preview an intelligent kill, and list the victims of previous intelligent kills.";
    EXECUTE_INTELLIGENT_KILL Write Instance INSTANCE_CONDITION_KEYS
        "gaussdbformysql:instance:executeIntelligentKillSession" "gaussdb:instance:executeIntelligentKillSession"
        "Start an intelligent kill.";
    GET_SLOW_THRESHOLD Read Instance INSTANCE_CONDITION_KEYS
        "gaussdbformysql:instance:getSlowProcessThreshold" "gaussdb:instance:getSlowProcessThreshold"
        "Read the threshold of slow sessions.";
    MODIFY_SLOW_THRESHOLD Write Project NO_EXTRA_CONDITION_KEYS
        "gaussdbformysql:instance:modifySlowProcessThreshold" "gaussdb:instance:modifySlowProcessThreshold"
        "Set the threshold of slow sessions for several instances.";
    GET_INSTANCE Read Instance INSTANCE_CONDITION_KEYS
        "gaussdbformysql:instance:get" "gaussdb:instance:list"
        "Show one instance.";
    LIST_INSTANCES List Instance INSTANCE_CONDITION_KEYS
        "gaussdbformysql:instance:list" "gaussdb:instance:list"
        "List instances.";
    MODIFY_INSTANCE PermissionManagement Project NO_EXTRA_CONDITION_KEYS
        "gaussdbformysql:instance:modify" "gaussdb:instance:modify"
        "Change automatic actions of Clew on an instance, such as kill tasks.";
    LIST_TAGS List Instance INSTANCE_CONDITION_KEYS
        "gaussdbformysql:instance:listTags" "gaussdb:tag:list"
        "List tags of instances. Specific to Clew.";
    TAG_INSTANCE Write Instance TAGGING_CONDITION_KEYS
        "gaussdbformysql:instance:tagResource" "gaussdb:tag:create"
        "Add and remove tags of an instance. Specific to Clew.";
    LIST_IDENTITIES List Domain NO_EXTRA_CONDITION_KEYS
        "clew:identity:list" "clew:identity:list"
        "List projects, users, groups, access keys and policies. Specific to Clew.";
    MANAGE_IDENTITIES PermissionManagement Domain NO_EXTRA_CONDITION_KEYS
        "clew:identity:manage" "clew:identity:manage"
        "Change projects, users, groups, access keys and policies. Specific to Clew.";
    READ_AUDIT List Domain NO_EXTRA_CONDITION_KEYS
        "clew:audit:list" "clew:audit:list"
        "Read the audit. Specific to Clew.";
}
