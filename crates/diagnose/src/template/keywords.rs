//! Keywords, and the bytes of unquoted words.

mod lists;

use std::sync::LazyLock;

/// Words that may directly precede or follow a string though they are not reserved.
const MAY_ADJOIN_STRINGS: [&str; 8] = ["COMMENT", "DATE", "END", "ESCAPE", "PASSWORD", "TIME", "TIMESTAMP", "VALUE"];

/// A keyword.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Keyword {
    /// Spelling in templates. Synonyms have the same spelling.
    pub(super) word: &'static str,
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
    /// Whether a sign after it belongs to a number.
    pub(super) fn precedes_sign(self) -> bool {
        self.kind == KeywordKind::PrecedesSign
    }

    /// Whether an operand follows.
    pub(super) fn precedes_operand(self) -> bool {
        matches!(self.kind, KeywordKind::PrecedesSign | KeywordKind::PrecedesOperand)
    }

    /// Whether it cannot be an unquoted name.
    pub(super) fn is_reserved(self) -> bool {
        matches!(
            self.kind,
            KeywordKind::PrecedesSign
                | KeywordKind::PrecedesOperand
                | KeywordKind::Reserved
                | KeywordKind::TimeFunction
        )
    }

    /// Whether it is a keyword only directly before a parenthesis.
    pub(super) fn is_function(self) -> bool {
        self.kind == KeywordKind::Function
    }

    /// Whether it is a date or time function that needs no parentheses, such as `CURRENT_DATE`.
    pub(super) fn is_time_function(self) -> bool {
        self.kind == KeywordKind::TimeFunction
    }
}

/// Word in upper case, and its keyword.
type Entry = (&'static str, Keyword);

/// Number of buckets in the hash table; a power of two.
const BUCKETS: usize = 4096;

static KEYWORDS: LazyLock<Vec<Vec<Entry>>> = LazyLock::new(|| {
    let mut table = vec![Vec::new(); BUCKETS];
    let lists = [
        (lists::PRECEDING_SIGNS, KeywordKind::PrecedesSign),
        (lists::PRECEDING_OPERANDS, KeywordKind::PrecedesOperand),
        (lists::OTHER_RESERVED, KeywordKind::Reserved),
        (lists::STATEMENT_KEYWORDS, KeywordKind::NotReserved),
        (lists::OFTEN_USED_AS_NAMES, KeywordKind::NotReserved),
        (lists::FUNCTIONS, KeywordKind::Function),
    ];
    for (words, kind) in lists {
        for word in words.split_ascii_whitespace() {
            insert_keyword(&mut table, word, Keyword { word, kind });
        }
    }
    for (word, other) in parse_pairs(lists::SYNONYMS) {
        let kind = find_in_table(&table, word.as_bytes()).map_or(KeywordKind::NotReserved, |keyword| keyword.kind);
        insert_keyword(&mut table, word, Keyword { word: other, kind });
    }
    for (word, other) in parse_pairs(lists::TIME_FUNCTIONS) {
        insert_keyword(&mut table, word, Keyword { word: other, kind: KeywordKind::TimeFunction });
    }
    for word in lists::INTRODUCERS.split_ascii_whitespace() {
        insert_keyword(&mut table, word, Keyword { word: INTRODUCER_SPELLING, kind: KeywordKind::NotReserved });
    }
    insert_keyword(
        &mut table,
        INTRODUCER_SPELLING,
        Keyword { word: INTRODUCER_SPELLING, kind: KeywordKind::NotReserved },
    );
    table
});

/// Spelling of all character set introducers in templates.
const INTRODUCER_SPELLING: &str = "_charset";

fn parse_pairs(words: &'static str) -> impl Iterator<Item = (&'static str, &'static str)> {
    words.split_ascii_whitespace().filter_map(|pair| pair.split_once('='))
}

fn insert_keyword(table: &mut [Vec<Entry>], word: &'static str, keyword: Keyword) {
    if let Some(bucket) = table.get_mut(bucket_index(word.as_bytes())) {
        bucket.retain(|(other, _)| !other.eq_ignore_ascii_case(word));
        bucket.push((word, keyword));
    }
}

fn find_in_table<'a>(table: &'a [Vec<Entry>], word: &[u8]) -> Option<&'a Keyword> {
    let bucket = table.get(bucket_index(word))?;
    bucket.iter().find(|(other, _)| other.as_bytes().eq_ignore_ascii_case(word)).map(|(_, keyword)| keyword)
}

/// Case-insensitive hash of a word, from its length and four of its letters.
fn bucket_index(word: &[u8]) -> usize {
    let letter = |at: usize| word.get(at).map_or(0, |byte| usize::from(byte & 0x1f));
    let (last, middle) = (word.len().saturating_sub(1), word.len() / 2);
    let mixed =
        (letter(0) * 131) ^ (letter(last) * 1_031) ^ (letter(middle) * 37) ^ (letter(2) * 521) ^ (word.len() * 67);
    mixed % BUCKETS
}

/// Finds the keyword of a word, ignoring case.
pub(super) fn find_keyword(word: &[u8]) -> Option<&'static Keyword> {
    find_in_table(&KEYWORDS, word)
}

/// Whether a string may directly precede or follow the word.
pub(super) fn may_adjoin_string(word: &[u8]) -> bool {
    find_keyword(word).is_some_and(|keyword| keyword.is_reserved())
        || MAY_ADJOIN_STRINGS.iter().any(|one| one.as_bytes().eq_ignore_ascii_case(word))
}

/// Whether the byte can be part of an unquoted name. All non-ASCII bytes can.
pub(super) fn is_word_byte(byte: u8) -> bool {
    WORD_BYTES.get(usize::from(byte)).copied().unwrap_or_default()
}

static WORD_BYTES: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0_usize;
    while byte < 256 {
        #[expect(
            clippy::indexing_slicing,
            clippy::cast_possible_truncation,
            reason = "below 256, and checked when built"
        )]
        {
            table[byte] = matches!(byte as u8, b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'_' | b'$' | 0x80..);
        }
        byte += 1;
    }
    table
};

/// Length of the word at the start of `rest`, in bytes.
pub(super) fn word_length(rest: &[u8]) -> usize {
    rest.iter().position(|&byte| !is_word_byte(byte)).unwrap_or(rest.len())
}

/// Number of characters in a word.
///
/// `None` if it has non-ASCII characters other than letters and digits, such as typographic quotes.
pub(super) fn count_characters(word: &[u8]) -> Option<usize> {
    if word.is_ascii() {
        return Some(word.len());
    }
    let text = std::str::from_utf8(word).ok()?;
    text.chars().all(|char| char.is_alphanumeric() || char.is_ascii()).then(|| text.chars().count())
}
