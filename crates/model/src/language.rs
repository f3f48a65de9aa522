//! Languages in which the API returns messages (TaurusDB API spec, section 6).

use serde::{Deserialize, Serialize};

/// Language of messages and CSV header rows, selected by a request's `X-Language` header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum Language {
    /// English, the default.
    #[default]
    #[serde(rename = "en-us")]
    EnUs,
    /// Simplified Chinese.
    #[serde(rename = "zh-cn")]
    ZhCn,
}

impl Language {
    /// All languages, in the order in which the API documentation lists them.
    pub const ALL: [Self; 2] = [Self::EnUs, Self::ZhCn];

    /// Returns the language tag for the `X-Language` header.
    #[must_use]
    pub fn tag(self) -> &'static str {
        match self {
            Self::EnUs => "en-us",
            Self::ZhCn => "zh-cn",
        }
    }

    /// Parses a language tag case-insensitively. Returns `None` for unknown tags.
    #[must_use]
    pub fn from_tag(tag: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|language| language.tag().eq_ignore_ascii_case(tag.trim()))
    }
}
