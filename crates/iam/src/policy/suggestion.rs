//! Suggests corrections for misspelled names in policy documents.

/// Bounds the time to compute the edit distance, which grows with the product of the lengths.
const MAX_COMPARED_WORD_BYTES: usize = 128;

pub(super) fn suggest_similar_word<'k>(given: &str, known: impl Iterator<Item = &'k str> + Clone) -> String {
    let distance = |known: &&str| strsim::damerau_levenshtein(&known.to_lowercase(), &given.to_lowercase());
    let near = if given.len() <= MAX_COMPARED_WORD_BYTES { known.clone().min_by_key(distance) } else { None };
    match near {
        Some(near) if distance(&near) <= 2.max(given.chars().count() / 4) => format!("did you mean {near:?}?"),
        _ => format!("valid values are {}", known.collect::<Vec<_>>().join(", ")),
    }
}
