//! Texts in the languages of the API.

use std::borrow::Cow;
use std::fmt::{self, Arguments};

use crate::Language;

/// Text in English and Chinese. `Display` formats the English text, which the command line and the logs use.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct LocalizedText {
    /// English text.
    pub english: Cow<'static, str>,
    /// Simplified Chinese text.
    pub chinese: Cow<'static, str>,
}

impl LocalizedText {
    /// Creates a `LocalizedText` from an English and a Chinese string.
    pub fn new(english: impl Into<Cow<'static, str>>, chinese: impl Into<Cow<'static, str>>) -> Self {
        Self { english: english.into(), chinese: chinese.into() }
    }

    /// Like [`Self::new`], for constants.
    #[must_use]
    pub const fn from_static(english: &'static str, chinese: &'static str) -> Self {
        Self { english: Cow::Borrowed(english), chinese: Cow::Borrowed(chinese) }
    }

    /// Creates a `LocalizedText` from formatted texts. [`localized!`](crate::localized) calls this function.
    #[must_use]
    pub fn from_format_args(english: Arguments<'_>, chinese: Arguments<'_>) -> Self {
        let format = |text: Arguments<'_>| text.as_str().map_or_else(|| Cow::Owned(text.to_string()), Cow::Borrowed);
        Self { english: format(english), chinese: format(chinese) }
    }

    /// Creates a `LocalizedText` with one string for all languages, such as an SQL statement or a server error message.
    pub fn untranslated(text: impl Into<Cow<'static, str>>) -> Self {
        let text = text.into();
        Self { english: text.clone(), chinese: text }
    }

    /// Returns the text in the given language.
    #[must_use]
    pub fn in_language(&self, language: Language) -> &str {
        match language {
            Language::EnUs => &self.english,
            Language::ZhCn => &self.chinese,
        }
    }

    /// Returns true if the Chinese text contains Chinese characters and the English text contains none.
    #[must_use]
    pub fn is_translated(&self) -> bool {
        let contains_han = |text: &str| text.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c));
        contains_han(&self.chinese) && !contains_han(&self.english)
    }
}

/// Creates a [`LocalizedText`] from an English and a Chinese format string, which can contain variables.
#[macro_export]
macro_rules! localized {
    ($english:literal, $chinese:literal $(,)?) => {
        $crate::LocalizedText::from_format_args(format_args!($english), format_args!($chinese))
    };
}

impl fmt::Display for LocalizedText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.english)
    }
}
