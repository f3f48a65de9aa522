//! What a document of each version may hold (spec sections 4.3 and 4.5).

use crate::policy::json::MAX_BYTES;
use crate::policy::model::Model;

/// How much a document may hold.
#[derive(Debug)]
pub(super) struct Limits {
    /// Characters of the whole text.
    pub(super) text: usize,
    pub(super) statements: usize,
    pub(super) actions: usize,
    pub(super) action_chars: usize,
    pub(super) resources: usize,
    /// Entries of the list of old, `{"uri": [...]}`.
    pub(super) uris: usize,
    pub(super) resource_chars: usize,
    pub(super) operators: usize,
    pub(super) keys: usize,
    pub(super) value_chars_least: usize,
    pub(super) value_chars: usize,
}

/// What a document of one version may hold.
#[derive(Debug)]
pub(super) struct Grammar {
    pub(super) version: &'static str,
    pub(super) model: Model,
    /// Elements of the document.
    pub(super) document: &'static [&'static str],
    /// Elements of a statement.
    pub(super) statement: &'static [&'static str],
    pub(super) limits: Limits,
}

/// Spec section 4.5.
const ROLE_LIMITS: Limits = Limits {
    text: 6_144,
    statements: 8,
    actions: 100,
    action_chars: 128,
    resources: 10,
    uris: 20,
    resource_chars: 1_500,
    operators: 10,
    keys: 10,
    value_chars_least: 1,
    value_chars: 1_024,
};

/// The spec knows none for 5.0; the length of the text is Clew's own.
const IDENTITY_LIMITS: Limits = Limits {
    text: MAX_BYTES,
    statements: usize::MAX,
    actions: usize::MAX,
    action_chars: usize::MAX,
    resources: usize::MAX,
    uris: 0,
    resource_chars: usize::MAX,
    operators: usize::MAX,
    keys: usize::MAX,
    value_chars_least: 0,
    value_chars: usize::MAX,
};

/// All versions.
pub(super) static GRAMMARS: [Grammar; 3] = [
    Grammar {
        version: "1.0",
        model: Model::RoleBased,
        document: &["Version", "Statement", "Depends"],
        statement: &["Effect", "Action"],
        limits: ROLE_LIMITS,
    },
    Grammar {
        version: "1.1",
        model: Model::RoleBased,
        document: &["Version", "Statement"],
        statement: &["Effect", "Action", "NotAction", "Resource", "NotResource", "Condition"],
        limits: ROLE_LIMITS,
    },
    Grammar {
        version: "5.0",
        model: Model::IdentityBased,
        document: &["Version", "Statement"],
        statement: &["Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Condition"],
        limits: IDENTITY_LIMITS,
    },
];

impl Grammar {
    /// Case of `Allow` and `Deny` matters in 5.0 only.
    pub(super) fn effect_ignores_case(&self) -> bool {
        self.model == Model::RoleBased
    }

    /// What is wrong with an action's form: `service:type:operation`. In 5.0 a wildcard may stand for several parts; in 1.x
    /// there are always three, `*` is the only wildcard and the service is in lower case.
    pub(super) fn action_error(&self, action: &str) -> Option<String> {
        let parts: Vec<&str> = action.split(':').collect();
        let wrong = |what: &str| Some(format!("{action:?} is no action: {what}"));
        let three = parts.len() == 3 || (parts.len() < 3 && self.model == Model::IdentityBased && action.contains('*'));
        if !three || parts.iter().any(|part| part.is_empty()) {
            return wrong("it has the form service:type:operation, such as \"gaussdb:instance:list\"");
        }
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b":*?_-".contains(&byte);
        if !action.bytes().all(allowed) {
            return wrong("it is made of letters, digits, - _ and wildcards");
        }
        if self.model == Model::RoleBased {
            if action.contains('?') {
                return wrong("the only wildcard of this version is *");
            }
            if parts.first().is_some_and(|service| service.bytes().any(|byte| byte.is_ascii_uppercase())) {
                return wrong("the name of a service is in lower case");
            }
        }
        None
    }
}
