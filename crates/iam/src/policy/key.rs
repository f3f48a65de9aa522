//! Condition keys in one table (spec section 4.7), and their values in a request.

use std::borrow::Cow;

use crate::policy::policy_model::PolicyModel;
use crate::request::Request;

/// Source of a key's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ValueSource {
    CurrentTime,
    PeerAddress,
    SecureTransport,
    DomainId,
    DomainName,
    UserId,
    UserName,
    PrincipalType,
    PrincipalUrn,
    ProjectId,
    ProjectName,
    RequestedRegion,
    ServiceName,
    EnterpriseProjectId,
    ResourceTag,
    RequestTag,
    TagKeys,
    /// The value is not available to a self-hosted service.
    Unavailable,
}

/// A key, or a family of keys if the name ends with a slash.
#[derive(Debug)]
pub(super) struct KeyDefinition {
    pub(super) name: &'static str,
    pub(super) source: ValueSource,
}

const fn row(name: &'static str, source: ValueSource) -> KeyDefinition {
    KeyDefinition { name, source }
}

/// All condition keys.
pub(super) static KEYS: &[KeyDefinition] = &[
    row("g:CurrentTime", ValueSource::CurrentTime),
    row("g:SourceIp", ValueSource::PeerAddress),
    row("g:SecureTransport", ValueSource::SecureTransport),
    row("g:DomainId", ValueSource::DomainId),
    row("g:DomainName", ValueSource::DomainName),
    row("g:UserId", ValueSource::UserId),
    row("g:UserName", ValueSource::UserName),
    row("g:PrincipalType", ValueSource::PrincipalType),
    row("g:PrincipalUrn", ValueSource::PrincipalUrn),
    row("g:ProjectId", ValueSource::ProjectId),
    row("g:ProjectName", ValueSource::ProjectName),
    row("g:RequestedRegion", ValueSource::RequestedRegion),
    row("g:ServiceName", ValueSource::ServiceName),
    row("g:EnterpriseProjectId", ValueSource::EnterpriseProjectId),
    row("g:ResourceTag/", ValueSource::ResourceTag),
    row("g:RequestTag/", ValueSource::RequestTag),
    row("g:TagKeys", ValueSource::TagKeys),
    row("g:MFAPresent", ValueSource::Unavailable),
    row("g:MFAAge", ValueSource::Unavailable),
    row("g:PrincipalTag/", ValueSource::Unavailable),
    row("g:SourceVpc", ValueSource::Unavailable),
    row("g:SourceVpce", ValueSource::Unavailable),
];

/// Condition key of a statement.
#[derive(Debug, Clone)]
pub(super) struct ConditionKey {
    /// Key as written in the document.
    pub(super) text: String,
    /// Entry of the table; `None` for an unknown key, which never has a value.
    pub(super) row: Option<&'static KeyDefinition>,
    /// Tag key: the part after the slash.
    tag: String,
}

impl ConditionKey {
    /// Parses a key. Case is ignored, except after a slash.
    pub(super) fn parse(text: &str) -> Self {
        let family = text.split_once('/');
        let row = KEYS.iter().find(|row| match (row.name.strip_suffix('/'), family) {
            (Some(name), Some((given, tag))) => name.eq_ignore_ascii_case(given) && !tag.is_empty(),
            (None, None) => row.name.eq_ignore_ascii_case(text),
            _ => false,
        });
        Self { text: text.to_owned(), row, tag: family.map_or_else(String::new, |(_, tag)| tag.to_owned()) }
    }

    fn source(&self) -> ValueSource {
        self.row.map_or(ValueSource::Unavailable, |row| row.source)
    }

    /// Whether the key can have several values at once.
    pub(super) fn has_many_values(&self) -> bool {
        self.source() == ValueSource::TagKeys
    }

    /// Whether the key describes the resource of an action or its request tags, not the request as a whole.
    pub(super) fn describes_resource(&self) -> bool {
        use ValueSource::{EnterpriseProjectId, RequestTag, ResourceTag, TagKeys};
        matches!(self.source(), EnterpriseProjectId | ResourceTag | RequestTag | TagKeys)
    }

    /// Values of the key in a request. Empty if the key is missing.
    pub(super) fn values<'a>(&'a self, model: PolicyModel, request: &Request<'a>) -> Vec<Cow<'a, str>> {
        let Request { caller, action, resource, environment, .. } = *request;
        let one = |text: &'a str| vec![Cow::Borrowed(text)];
        let some = |text: Option<&'a str>| text.map(Cow::Borrowed).into_iter().collect();
        let owned = |text: String| vec![Cow::Owned(text)];
        let instance = resource.instance;
        if self.describes_resource() && action.keys.is_empty() {
            // The action does not apply to an instance or tags, even if the caller passes them.
            return Vec::new();
        }
        match self.source() {
            ValueSource::Unavailable => Vec::new(),
            ValueSource::CurrentTime => owned(environment.now.to_string()),
            ValueSource::PeerAddress => {
                environment.source_ip.map_or_else(Vec::new, |address| owned(address.to_canonical().to_string()))
            }
            ValueSource::SecureTransport => one(if environment.secure_transport { "true" } else { "false" }),
            ValueSource::DomainId => one(caller.domain_id.as_str()),
            ValueSource::DomainName => one(caller.domain_name),
            ValueSource::UserId => one(caller.user_id.as_str()),
            ValueSource::UserName => one(caller.user_name),
            ValueSource::PrincipalType => one("User"),
            ValueSource::PrincipalUrn => owned(format!("iam::{}:user:{}", caller.domain_id, caller.user_name)),
            ValueSource::ProjectId => some(resource.project.map(|project| project.id.as_str())),
            ValueSource::ProjectName => some(resource.project.map(|project| project.name)),
            ValueSource::RequestedRegion => one(resource.region),
            ValueSource::ServiceName => some(model.name_of(action).split(':').next()),
            ValueSource::EnterpriseProjectId => some(instance.and_then(|instance| instance.enterprise_project_id)),
            ValueSource::ResourceTag => some(instance.and_then(|instance| self.find_tag_value(instance.tags))),
            ValueSource::RequestTag => some(self.find_tag_value(resource.request_tags)),
            ValueSource::TagKeys => resource.request_tags.iter().map(|tag| Cow::Borrowed(tag.key.as_str())).collect(),
        }
    }

    /// Value of the tag that the key names. An exact match has precedence over one that differs in case.
    fn find_tag_value<'a>(&self, tags: &'a [clew_model::Tag]) -> Option<&'a str> {
        let exact = tags.iter().find(|tag| tag.key == self.tag);
        let found = exact.or_else(|| tags.iter().find(|tag| tag.key.eq_ignore_ascii_case(&self.tag)));
        found.map(|tag| tag.value.as_str())
    }
}
