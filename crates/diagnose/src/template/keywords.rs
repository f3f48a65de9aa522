//! Finds SQL keywords and unquoted words in statements.

mod keyword_lists;

use std::sync::LazyLock;

const NON_RESERVED_WORDS_NEXT_TO_STRINGS: [&str; 8] =
    ["COMMENT", "DATE", "END", "ESCAPE", "PASSWORD", "TIME", "TIMESTAMP", "VALUE"];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Keyword {
    pub(super) canonical_word: &'static str,
    kind: KeywordKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum KeywordKind {
    PrecedesSign,
    PrecedesOperand,
    Reserved,
    TimeFunction,
    NotReserved,
    Function,
}

impl Keyword {
    pub(super) fn precedes_signed_number(self) -> bool {
        self.kind == KeywordKind::PrecedesSign
    }

    pub(super) fn precedes_operand(self) -> bool {
        matches!(self.kind, KeywordKind::PrecedesSign | KeywordKind::PrecedesOperand)
    }

    pub(super) fn is_reserved(self) -> bool {
        !matches!(self.kind, KeywordKind::NotReserved | KeywordKind::Function)
    }

    pub(super) fn requires_parentheses(self) -> bool {
        self.kind == KeywordKind::Function
    }

    pub(super) fn has_optional_parentheses(self) -> bool {
        self.kind == KeywordKind::TimeFunction
    }
}

type KeywordEntry = (&'static str, Keyword);

const KEYWORD_BUCKET_COUNT: usize = 4096;

static KEYWORD_TABLE: LazyLock<Vec<Vec<KeywordEntry>>> = LazyLock::new(|| {
    let mut table = vec![Vec::new(); KEYWORD_BUCKET_COUNT];
    let lists = [
        (keyword_lists::KEYWORDS_BEFORE_SIGNED_NUMBER, KeywordKind::PrecedesSign),
        (keyword_lists::KEYWORDS_BEFORE_OPERAND, KeywordKind::PrecedesOperand),
        (keyword_lists::OTHER_RESERVED_WORDS, KeywordKind::Reserved),
        (keyword_lists::NON_RESERVED_KEYWORDS, KeywordKind::NotReserved),
        (keyword_lists::KEYWORDS_USED_AS_NAMES, KeywordKind::NotReserved),
        (keyword_lists::FUNCTION_KEYWORDS, KeywordKind::Function),
    ];
    for (words, kind) in lists {
        for word in words.split_ascii_whitespace() {
            insert_keyword(&mut table, word, Keyword { canonical_word: word, kind });
        }
    }
    for (word, other) in parse_synonym_pairs(keyword_lists::KEYWORD_SYNONYMS) {
        let kind = find_keyword_in_hash_table(&table, word.as_bytes())
            .map_or(KeywordKind::NotReserved, |keyword| keyword.kind);
        insert_keyword(&mut table, word, Keyword { canonical_word: other, kind });
    }
    for (word, other) in parse_synonym_pairs(keyword_lists::TIME_FUNCTION_SYNONYMS) {
        insert_keyword(&mut table, word, Keyword { canonical_word: other, kind: KeywordKind::TimeFunction });
    }
    let placeholder = Keyword { canonical_word: CHARSET_INTRODUCER_PLACEHOLDER, kind: KeywordKind::NotReserved };
    for word in keyword_lists::CHARSET_INTRODUCERS.split_ascii_whitespace().chain([CHARSET_INTRODUCER_PLACEHOLDER]) {
        insert_keyword(&mut table, word, placeholder);
    }
    table
});

const CHARSET_INTRODUCER_PLACEHOLDER: &str = "_charset";

fn parse_synonym_pairs(words: &'static str) -> impl Iterator<Item = (&'static str, &'static str)> {
    words.split_ascii_whitespace().filter_map(|pair| pair.split_once('='))
}

fn insert_keyword(table: &mut [Vec<KeywordEntry>], word: &'static str, keyword: Keyword) {
    if let Some(bucket) = table.get_mut(keyword_bucket_index(word.as_bytes())) {
        bucket.retain(|(other, _)| !other.eq_ignore_ascii_case(word));
        bucket.push((word, keyword));
    }
}

fn find_keyword_in_hash_table<'a>(table: &'a [Vec<KeywordEntry>], word: &[u8]) -> Option<&'a Keyword> {
    let bucket = table.get(keyword_bucket_index(word))?;
    bucket.iter().find(|(other, _)| other.as_bytes().eq_ignore_ascii_case(word)).map(|(_, keyword)| keyword)
}

fn keyword_bucket_index(word: &[u8]) -> usize {
    let letter = |at: usize| word.get(at).map_or(0, |byte| usize::from(byte & 0x1f));
    let (last, middle) = (word.len().saturating_sub(1), word.len() / 2);
    let mixed =
        (letter(0) * 131) ^ (letter(last) * 1_031) ^ (letter(middle) * 37) ^ (letter(2) * 521) ^ (word.len() * 67);
    mixed % KEYWORD_BUCKET_COUNT
}

pub(super) fn find_keyword(word: &[u8]) -> Option<&'static Keyword> {
    find_keyword_in_hash_table(&KEYWORD_TABLE, word)
}

pub(super) fn can_be_adjacent_to_string_literal(word: &[u8]) -> bool {
    find_keyword(word).is_some_and(|keyword| keyword.is_reserved())
        || NON_RESERVED_WORDS_NEXT_TO_STRINGS.iter().any(|one| one.as_bytes().eq_ignore_ascii_case(word))
}

pub(super) fn is_word_byte(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'_' | b'$' | 0x80..)
}

pub(super) fn leading_word_length(rest: &[u8]) -> usize {
    rest.iter().position(|&byte| !is_word_byte(byte)).unwrap_or(rest.len())
}

/// Returns `None` if the word contains non-ASCII punctuation or symbols, such as typographic quotes, or invalid UTF-8.
pub(super) fn count_word_chars(word: &[u8]) -> Option<usize> {
    if word.is_ascii() {
        return Some(word.len());
    }
    let text = std::str::from_utf8(word).ok()?;
    text.chars().all(|char| char.is_alphanumeric() || char.is_ascii()).then(|| text.chars().count())
}
