//! One turn of chat.

pub mod citations;
pub mod history;
