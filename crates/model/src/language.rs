//! The two languages of the API (spec section 6).

use serde::{Deserialize, Serialize};

/// A language that messages and header rows come in. Named by the header `X-Language`.
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
    /// Both, in the order of the documentation.
    pub const ALL: [Self; 2] = [Self::EnUs, Self::ZhCn];

    /// As it stands in `X-Language`.
    #[must_use]
    pub fn tag(self) -> &'static str {
        match self {
            Self::EnUs => "en-us",
            Self::ZhCn => "zh-cn",
        }
    }

    /// The language of a tag, without regard to case.
    #[must_use]
    pub fn from_tag(tag: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|language| language.tag().eq_ignore_ascii_case(tag.trim()))
    }
}
