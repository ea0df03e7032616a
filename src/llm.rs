//! Models that answer.
