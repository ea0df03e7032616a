//! What is counted of turns. Labels are closed sets: no ids, and no names that a client chooses.

use super::{ChatResponse, Error};

pub(super) fn answered(response: &ChatResponse) {
    let outcome = if response.abstained { "abstained" } else { "answered" };
    metrics::counter!("footnote_turns_total", "outcome" => outcome).increment(1);
    let backend = response.backend.to_string();
    let persisted = if response.session_persisted { "true" } else { "false" };
    metrics::counter!("footnote_turns_saved_total", "backend" => backend, "persisted" => persisted).increment(1);
    metrics::counter!("footnote_citations_removed_total").increment(response.removed_markers as u64);
    let unverified = response.citations.iter().filter(|citation| !citation.verified).count();
    metrics::counter!("footnote_citations_unverified_total").increment(unverified as u64);
    metrics::counter!("footnote_answers_total", "finish_reason" => response.finish_reason.to_string()).increment(1);
    for (step, milliseconds) in response.timings_ms.steps() {
        metrics::histogram!("footnote_turn_step_seconds", "step" => step).record(milliseconds / 1e3);
    }
}

/// The same request came again.
pub(super) fn replayed() {
    metrics::counter!("footnote_turns_total", "outcome" => "replayed").increment(1);
}

pub(super) fn failed(error: &Error) {
    let step = match error {
        Error::Retrieval(_) => "retrieval",
        Error::Model(_) => "model",
        Error::InFlight | Error::OtherRequest | Error::UnreadableAnswer(_) => "idempotency",
        Error::Stopping => "shutdown",
    };
    metrics::counter!("footnote_turns_total", "outcome" => "failed").increment(1);
    metrics::counter!("footnote_turns_failed_total", "step" => step).increment(1);
}
