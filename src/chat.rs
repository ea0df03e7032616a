//! One turn of chat.

pub mod history;
