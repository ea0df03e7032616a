//! Where vectors live.
