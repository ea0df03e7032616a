//! `score_threshold` and `mmr`, as `POST /chat` and `POST /search` take them.

use footnote_knowledge::collection::Selection;

use super::error::ApiError;

pub(super) fn parse(score_threshold: Option<f32>, mmr: Option<f32>) -> Result<Selection, ApiError> {
    if let Some(threshold) = score_threshold.filter(|threshold| !(-1.0..=1.0).contains(threshold)) {
        let detail = format!(
            "`score_threshold` is {threshold}; send the least cosine of question and passage, from -1 to 1 (passages \
             that answer mostly have 0.4 and more)"
        );
        return Err(ApiError::invalid_field("score_threshold", detail));
    }
    if let Some(diversity) = mmr.filter(|diversity| !(0.0..=1.0).contains(diversity)) {
        let detail = format!(
            "`mmr` is {diversity}; send a number from 0 (the most relevant passages) to 1 (the most different ones)"
        );
        return Err(ApiError::invalid_field("mmr", detail));
    }
    Ok(Selection { score_threshold, mmr })
}
