//! What `doctor` says of a session store that works: its settings, and what each means for what it promises.

/// One setting, and what it means for the sessions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnosis {
    pub severity: Severity,
    /// What is so, what it means, and what to do.
    pub text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// As it should be.
    Fine,
    /// Keeps what was promised, and could be better.
    Advice,
    /// Acknowledged turns may be lost while everything works.
    Objection,
}
