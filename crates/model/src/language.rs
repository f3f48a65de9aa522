//! Languages in which the API returns messages (TaurusDB API spec, section 6).

crate::named_enum! {
    /// Language of messages and CSV header rows, selected by a request's `X-Language` header.
    /// The name of each variant is a language tag, as sent in the `X-Language` header.
    #[derive(Default)]
    pub enum Language {
        /// English, the default.
        #[default]
        EnUs = "en-us",
        /// Simplified Chinese.
        ZhCn = "zh-cn",
    }
}

impl Language {
    /// Parses a language tag case-insensitively. Returns `None` for unknown tags.
    #[must_use]
    pub fn from_tag(tag: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|language| language.name().eq_ignore_ascii_case(tag.trim()))
    }
}
