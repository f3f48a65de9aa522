//! Condition keys in one table (spec section 4.7), and their values in a request.

use std::borrow::Cow;

use crate::policy::policy_model::Model;
use crate::request::Request;

/// Source of a key's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
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
pub(super) struct KeyRow {
    pub(super) name: &'static str,
    pub(super) source: Source,
}

const fn row(name: &'static str, source: Source) -> KeyRow {
    KeyRow { name, source }
}

/// All condition keys.
pub(super) static KEYS: &[KeyRow] = &[
    row("g:CurrentTime", Source::CurrentTime),
    row("g:SourceIp", Source::PeerAddress),
    row("g:SecureTransport", Source::SecureTransport),
    row("g:DomainId", Source::DomainId),
    row("g:DomainName", Source::DomainName),
    row("g:UserId", Source::UserId),
    row("g:UserName", Source::UserName),
    row("g:PrincipalType", Source::PrincipalType),
    row("g:PrincipalUrn", Source::PrincipalUrn),
    row("g:ProjectId", Source::ProjectId),
    row("g:ProjectName", Source::ProjectName),
    row("g:RequestedRegion", Source::RequestedRegion),
    row("g:ServiceName", Source::ServiceName),
    row("g:EnterpriseProjectId", Source::EnterpriseProjectId),
    row("g:ResourceTag/", Source::ResourceTag),
    row("g:RequestTag/", Source::RequestTag),
    row("g:TagKeys", Source::TagKeys),
    row("g:MFAPresent", Source::Unavailable),
    row("g:MFAAge", Source::Unavailable),
    row("g:PrincipalTag/", Source::Unavailable),
    row("g:SourceVpc", Source::Unavailable),
    row("g:SourceVpce", Source::Unavailable),
];

/// Condition key of a statement.
#[derive(Debug, Clone)]
pub(super) struct Key {
    /// Key as written in the document.
    pub(super) text: String,
    /// Entry of the table; `None` for an unknown key, which never has a value.
    pub(super) row: Option<&'static KeyRow>,
    /// Tag key: the part after the slash.
    tag: String,
}

impl Key {
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

    fn source(&self) -> Source {
        self.row.map_or(Source::Unavailable, |row| row.source)
    }

    /// Whether the key can have several values at once.
    pub(super) fn has_many_values(&self) -> bool {
        self.source() == Source::TagKeys
    }

    /// Whether the key describes the resource of an action or its request tags, not the request as a whole.
    pub(super) fn describes_resource(&self) -> bool {
        use Source::{EnterpriseProjectId, RequestTag, ResourceTag, TagKeys};
        matches!(self.source(), EnterpriseProjectId | ResourceTag | RequestTag | TagKeys)
    }

    /// Values of the key in a request. Empty if the key is missing.
    pub(super) fn values<'a>(&'a self, model: Model, request: &Request<'a>) -> Vec<Cow<'a, str>> {
        let Request { requester, action, resource, environment, .. } = *request;
        let one = |text: &'a str| vec![Cow::Borrowed(text)];
        let some = |text: Option<&'a str>| text.map(Cow::Borrowed).into_iter().collect();
        let owned = |text: String| vec![Cow::Owned(text)];
        let instance = resource.instance;
        if self.describes_resource() && action.keys.is_empty() {
            // The action does not apply to an instance or tags, even if the caller passes them.
            return Vec::new();
        }
        match self.source() {
            Source::Unavailable => Vec::new(),
            Source::CurrentTime => owned(environment.now.to_string()),
            Source::PeerAddress => {
                environment.source_ip.map_or_else(Vec::new, |address| owned(address.to_canonical().to_string()))
            }
            Source::SecureTransport => one(if environment.secure_transport { "true" } else { "false" }),
            Source::DomainId => one(requester.domain_id.as_str()),
            Source::DomainName => one(requester.domain_name),
            Source::UserId => one(requester.user_id.as_str()),
            Source::UserName => one(requester.user_name),
            Source::PrincipalType => one("User"),
            Source::PrincipalUrn => owned(format!("iam::{}:user:{}", requester.domain_id, requester.user_name)),
            Source::ProjectId => some(resource.project.map(|project| project.id.as_str())),
            Source::ProjectName => some(resource.project.map(|project| project.name)),
            Source::RequestedRegion => one(resource.region),
            Source::ServiceName => some(model.name_of(action).split(':').next()),
            Source::EnterpriseProjectId => some(instance.and_then(|instance| instance.enterprise_project_id)),
            Source::ResourceTag => some(instance.and_then(|instance| self.find_tag_value(instance.tags))),
            Source::RequestTag => some(self.find_tag_value(resource.request_tags)),
            Source::TagKeys => resource.request_tags.iter().map(|tag| Cow::Borrowed(tag.key.as_str())).collect(),
        }
    }

    /// Value of the tag that the key names. An exact match has precedence over one that differs in case.
    fn find_tag_value<'a>(&self, tags: &'a [clew_model::Tag]) -> Option<&'a str> {
        let exact = tags.iter().find(|tag| tag.key == self.tag);
        let found = exact.or_else(|| tags.iter().find(|tag| tag.key.eq_ignore_ascii_case(&self.tag)));
        found.map(|tag| tag.value.as_str())
    }
}
