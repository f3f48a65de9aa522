//! Suggests corrections for misspelled words.

/// Clew suggests no correction for longer words, which limits the CPU time.
const MAX_COMPARED_WORD_BYTES: usize = 128;

/// If no word is similar, lists all known words.
pub(super) fn suggest_similar_word<'k>(given: &str, known: impl Iterator<Item = &'k str> + Clone) -> String {
    let distance = |known: &&str| strsim::damerau_levenshtein(&known.to_lowercase(), &given.to_lowercase());
    let near = if given.len() <= MAX_COMPARED_WORD_BYTES { known.clone().min_by_key(distance) } else { None };
    match near {
        Some(near) if distance(&near) <= 2.max(given.chars().count() / 4) => format!("did you mean {near:?}?"),
        _ => format!("valid values are {}", known.collect::<Vec<_>>().join(", ")),
    }
}
