//! Text as sentences and words, for answering from passages and for checking citations against them. Pure functions of
//! strings; spans are byte ranges, [`code_points`] turns them into what clients see.

pub mod code_points;
pub mod marker_filter;
pub mod markers;
pub mod passage;
pub mod sentences;
pub mod topic;
pub mod words;
