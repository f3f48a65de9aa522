//! Words: which bytes they are of, and which ones mean something to a server.

mod grammar;

use std::sync::LazyLock;

/// Words that are not reserved and yet may touch a string.
const MAY_TOUCH_STRINGS: [&str; 8] = ["COMMENT", "DATE", "END", "ESCAPE", "PASSWORD", "TIME", "TIMESTAMP", "VALUE"];

/// A word of the grammar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Known {
    /// As it is written in templates: synonyms are one word.
    pub(super) word: &'static str,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    BeforeSign,
    BeforeOperand,
    Reserved,
    Clock,
    NotReserved,
    Function,
}

impl Known {
    /// Whether a sign behind it is a number's own.
    pub(super) fn is_before_sign(self) -> bool {
        self.kind == Kind::BeforeSign
    }

    /// Whether an operand follows.
    pub(super) fn is_before_operand(self) -> bool {
        matches!(self.kind, Kind::BeforeSign | Kind::BeforeOperand)
    }

    /// Whether it cannot be a name without quotes.
    pub(super) fn is_reserved(self) -> bool {
        matches!(self.kind, Kind::BeforeSign | Kind::BeforeOperand | Kind::Reserved | Kind::Clock)
    }

    /// Whether it means something only where a parenthesis touches it.
    pub(super) fn is_function(self) -> bool {
        self.kind == Kind::Function
    }

    /// Whether it is written like a function.
    pub(super) fn is_clock(self) -> bool {
        self.kind == Kind::Clock
    }
}

/// A word in a statement, in capitals, and what it is.
type Entry = (&'static str, Known);

/// Places of the table, a power of two.
const PLACES: usize = 4096;

static KNOWN: LazyLock<Vec<Vec<Entry>>> = LazyLock::new(|| {
    let mut table = vec![Vec::new(); PLACES];
    let lists = [
        (grammar::BEFORE_SIGNS, Kind::BeforeSign),
        (grammar::BEFORE_OPERANDS, Kind::BeforeOperand),
        (grammar::RESERVED, Kind::Reserved),
        (grammar::SYNTAX, Kind::NotReserved),
        (grammar::OFTEN_NAMES, Kind::NotReserved),
        (grammar::FUNCTIONS, Kind::Function),
    ];
    for (words, kind) in lists {
        for word in words.split_ascii_whitespace() {
            put(&mut table, word, Known { word, kind });
        }
    }
    for (word, other) in pairs(grammar::SYNONYMS) {
        let kind = find(&table, word.as_bytes()).map_or(Kind::NotReserved, |known| known.kind);
        put(&mut table, word, Known { word: other, kind });
    }
    for (word, other) in pairs(grammar::CLOCKS) {
        put(&mut table, word, Known { word: other, kind: Kind::Clock });
    }
    for word in grammar::INTRODUCERS.split_ascii_whitespace() {
        put(&mut table, word, Known { word: INTRODUCER, kind: Kind::NotReserved });
    }
    put(&mut table, INTRODUCER, Known { word: INTRODUCER, kind: Kind::NotReserved });
    table
});

/// What all introducers are written as.
const INTRODUCER: &str = "_charset";

fn pairs(words: &'static str) -> impl Iterator<Item = (&'static str, &'static str)> {
    words.split_ascii_whitespace().filter_map(|pair| pair.split_once('='))
}

fn put(table: &mut [Vec<Entry>], word: &'static str, known: Known) {
    if let Some(place) = table.get_mut(place_of(word.as_bytes())) {
        place.retain(|(other, _)| !other.eq_ignore_ascii_case(word));
        place.push((word, known));
    }
}

fn find<'a>(table: &'a [Vec<Entry>], word: &[u8]) -> Option<&'a Known> {
    let place = table.get(place_of(word))?;
    place.iter().find(|(other, _)| other.as_bytes().eq_ignore_ascii_case(word)).map(|(_, known)| known)
}

/// By its length and four of its letters, in any case.
fn place_of(word: &[u8]) -> usize {
    let letter = |at: usize| word.get(at).map_or(0, |byte| usize::from(byte & 0x1f));
    let (last, middle) = (word.len().saturating_sub(1), word.len() / 2);
    let mixed =
        (letter(0) * 131) ^ (letter(last) * 1_031) ^ (letter(middle) * 37) ^ (letter(2) * 521) ^ (word.len() * 67);
    mixed % PLACES
}

/// The word of the grammar that this is, in any case.
pub(super) fn known(word: &[u8]) -> Option<&'static Known> {
    find(&KNOWN, word)
}

/// Whether a string may directly precede or follow this word.
pub(super) fn may_touch_strings(word: &[u8]) -> bool {
    known(word).is_some_and(|known| known.is_reserved())
        || MAY_TOUCH_STRINGS.iter().any(|one| one.as_bytes().eq_ignore_ascii_case(word))
}

/// Whether names without quotes have this byte. What is not ASCII may stand in them.
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

/// The length of the word at the start of `rest`.
pub(super) fn length(rest: &[u8]) -> usize {
    rest.iter().position(|&byte| !is_word_byte(byte)).unwrap_or(rest.len())
}

/// How many letters and digits a word has. Nothing if it has anything else: quotes of typesetters, for one, around what was
/// meant to be a string.
pub(super) fn letters(word: &[u8]) -> Option<usize> {
    if word.is_ascii() {
        return Some(word.len());
    }
    let text = std::str::from_utf8(word).ok()?;
    text.chars().all(|char| char.is_alphanumeric() || char.is_ascii()).then(|| text.chars().count())
}
