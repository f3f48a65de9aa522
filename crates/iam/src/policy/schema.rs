//! Allowed elements and limits for each policy document version (TaurusDB API spec, sections 4.3 and 4.5).

use crate::policy::permission_model::PermissionModel;
use crate::policy::spanned_json::MAX_POLICY_DOCUMENT_BYTES;

#[derive(Debug)]
pub(super) struct DocumentLimits {
    pub(super) document_chars: usize,
    pub(super) statements: usize,
    pub(super) actions: usize,
    pub(super) action_chars: usize,
    pub(super) resources: usize,
    /// Maximum number of entries in a legacy `{"uri": [...]}` list.
    pub(super) uris: usize,
    pub(super) resource_chars: usize,
    pub(super) operators: usize,
    pub(super) keys: usize,
    pub(super) min_value_chars: usize,
    pub(super) value_chars: usize,
}

#[derive(Debug)]
pub(super) struct DocumentSchema {
    pub(super) version: &'static str,
    pub(super) model: PermissionModel,
    pub(super) document: &'static [&'static str],
    pub(super) statement: &'static [&'static str],
    pub(super) limits: DocumentLimits,
}

const ROLE_BASED_POLICY_LIMITS: DocumentLimits = DocumentLimits {
    document_chars: 6_144,
    statements: 8,
    actions: 100,
    action_chars: 128,
    resources: 10,
    uris: 20,
    resource_chars: 1_500,
    operators: 10,
    keys: 10,
    min_value_chars: 1,
    value_chars: 1_024,
};

/// The API spec defines no limits for version 5.0 policy documents, but Clew limits their length.
const IDENTITY_BASED_POLICY_LIMITS: DocumentLimits = DocumentLimits {
    document_chars: MAX_POLICY_DOCUMENT_BYTES,
    statements: usize::MAX,
    actions: usize::MAX,
    action_chars: usize::MAX,
    resources: usize::MAX,
    uris: 0,
    resource_chars: usize::MAX,
    operators: usize::MAX,
    keys: usize::MAX,
    min_value_chars: 0,
    value_chars: usize::MAX,
};

pub(super) static DOCUMENT_SCHEMAS: [DocumentSchema; 3] = [
    DocumentSchema {
        version: "1.0",
        model: PermissionModel::RoleBased,
        document: &["Version", "Statement", "Depends"],
        statement: &["Effect", "Action"],
        limits: ROLE_BASED_POLICY_LIMITS,
    },
    DocumentSchema {
        version: "1.1",
        model: PermissionModel::RoleBased,
        document: &["Version", "Statement"],
        statement: &["Effect", "Action", "NotAction", "Resource", "NotResource", "Condition"],
        limits: ROLE_BASED_POLICY_LIMITS,
    },
    DocumentSchema {
        version: "5.0",
        model: PermissionModel::IdentityBased,
        document: &["Version", "Statement"],
        statement: &["Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Condition"],
        limits: IDENTITY_BASED_POLICY_LIMITS,
    },
];

impl DocumentSchema {
    /// Version 5.0 policy documents require the exact case of `Allow` and `Deny`.
    pub(super) fn is_effect_case_insensitive(&self) -> bool {
        self.model == PermissionModel::RoleBased
    }

    /// In version 5.0 policy documents, one `*` can stand for several parts of an action, as in `gaussdb:*`.
    /// In policy documents of version 1.0 or 1.1, an action name has three parts, and the service name is lowercase.
    /// In version 1.0 and 1.1 policy documents, an action can contain the wildcard `*` but not the wildcard `?`.
    pub(super) fn check_action_format(&self, action: &str) -> Option<String> {
        let parts: Vec<&str> = action.split(':').collect();
        let error = |what: &str| Some(format!("{action:?} is not a valid action: {what}"));
        let three = parts.len() == 3
            || (parts.len() < 3 && self.model == PermissionModel::IdentityBased && action.contains('*'));
        if !three || parts.iter().any(|part| part.is_empty()) {
            return error("the format is service:type:operation, such as \"gaussdb:instance:list\"");
        }
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b":*?_-".contains(&byte);
        if !action.bytes().all(allowed) {
            return error("the allowed characters are letters, digits, -, _ and wildcards");
        }
        if self.model == PermissionModel::RoleBased {
            if action.contains('?') {
                return error("this version supports only the wildcard *");
            }
            if parts.first().is_some_and(|service| service.bytes().any(|byte| byte.is_ascii_uppercase())) {
                return error("the service name must be in lower case");
            }
        }
        None
    }
}
