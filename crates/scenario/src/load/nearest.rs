//! The nearest known word.

/// The known word that is most like `word`, if one is near enough to be meant.
pub fn nearest<'w>(word: &str, known: impl IntoIterator<Item = &'w str>) -> Option<&'w str> {
    let lower = word.to_lowercase();
    known
        .into_iter()
        .map(|candidate| {
            (
                strsim::jaro_winkler(&lower, &candidate.to_lowercase()),
                candidate,
            )
        })
        .filter(|(score, candidate)| *score > 0.8 || one_letter_off(&lower, candidate))
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

/// In a short word one wrong letter weighs too much for the score.
fn one_letter_off(word: &str, candidate: &str) -> bool {
    word.chars().count() >= 2 && strsim::damerau_levenshtein(word, &candidate.to_lowercase()) == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_and_far() {
        let known = ["associations", "accounts", "agent"];
        assert_eq!(nearest("asociations", known), Some("associations"));
        assert_eq!(nearest("zebra", known), None);
        assert_eq!(nearest("nme", ["name", "pod"]), Some("name"));
        assert_eq!(nearest("pud", ["name", "pod"]), Some("pod"));
        assert_eq!(nearest("x", ["on", "pod"]), None);
    }
}
