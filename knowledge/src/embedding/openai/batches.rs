//! Which texts go into one request.

use std::ops::Range;

/// Consecutive ranges over texts of these many tokens, each within both limits unless a single text exceeds one.
pub(super) fn batches(tokens: &[usize], max_texts: usize, max_tokens: usize) -> Vec<Range<usize>> {
    let mut batches = Vec::new();
    let (mut start, mut sum) = (0, 0);
    for (position, &count) in tokens.iter().enumerate() {
        if position > start && (position - start >= max_texts || sum + count > max_tokens) {
            batches.push(start..position);
            (start, sum) = (position, 0);
        }
        sum += count;
    }
    if start < tokens.len() {
        batches.push(start..tokens.len());
    }
    batches
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_limits_close_a_batch() {
        assert_eq!(batches(&[1; 5], 2, 100), [0..2, 2..4, 4..5]);
        assert_eq!(batches(&[40, 40, 40, 90, 10], 10, 100), [0..2, 2..3, 3..5]);
    }

    #[test]
    fn a_text_over_the_limit_goes_alone() {
        assert_eq!(batches(&[1, 500, 1], 10, 100), [0..1, 1..2, 2..3]);
    }

    #[test]
    fn nothing_needs_no_request() {
        assert!(batches(&[], 10, 100).is_empty());
    }
}
