//! How a session is named, and how the name is written in a store.

use std::fmt;
use std::sync::Arc;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// All that is not `[A-Za-z0-9_.-]` is percent-encoded: braces would end Redis' hash tag, a colon would join two ids.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'_').remove(b'.').remove(b'-');

const LONGEST: usize = 256;

/// A tenant and a session id, both of 1 to 256 bytes without control characters. Cheap to clone.
///
/// Displays as the session's Redis key, `session:{<tenant>:<id>}`: the braces are the hash tag that keeps all keys of
/// a session on one node of a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SessionKey {
    tenant: Arc<str>,
    id: Arc<str>,
}

/// Why a name is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKey {
    #[error("must not be empty")]
    Empty,
    #[error("must be at most {LONGEST} bytes of UTF-8, but has {0}")]
    TooLong(usize),
    #[error("must not contain control characters")]
    ControlCharacter,
}

impl SessionKey {
    /// Whom a session belongs to as long as there is no authentication.
    pub const DEFAULT_TENANT: &str = "default";

    /// Session `id` of the default tenant.
    pub fn new(id: &str) -> Result<Self, InvalidKey> {
        Self::in_tenant(Self::DEFAULT_TENANT, id)
    }

    pub fn in_tenant(tenant: &str, id: &str) -> Result<Self, InvalidKey> {
        check(tenant)?;
        check(id)?;
        Ok(Self { tenant: tenant.into(), id: id.into() })
    }

    pub fn tenant(&self) -> &str {
        &self.tenant
    }

    pub fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn encoded_id(&self) -> String {
        encode(&self.id)
    }
}

impl fmt::Display for SessionKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (tenant, id) = (utf8_percent_encode(&self.tenant, ENCODED), utf8_percent_encode(&self.id, ENCODED));
        write!(formatter, "session:{{{tenant}:{id}}}")
    }
}

fn check(name: &str) -> Result<(), InvalidKey> {
    match name {
        "" => Err(InvalidKey::Empty),
        _ if name.len() > LONGEST => Err(InvalidKey::TooLong(name.len())),
        _ if name.chars().any(char::is_control) => Err(InvalidKey::ControlCharacter),
        _ => Ok(()),
    }
}

pub(super) fn encode(name: &str) -> String {
    utf8_percent_encode(name, ENCODED).to_string()
}

/// The inverse of [`encode`]; `None` if the bytes are not UTF-8.
pub(super) fn decode(encoded: &str) -> Option<String> {
    percent_decode_str(encoded).decode_utf8().ok().map(String::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redis_key_encodes_what_could_end_the_hash_tag() {
        let key = SessionKey::in_tenant("a:b", "x}{y: ü%").unwrap();
        assert_eq!(key.to_string(), "session:{a%3Ab:x%7D%7By%3A%20%C3%BC%25}");
        assert_eq!(decode(&key.encoded_id()).as_deref(), Some(key.id()));
    }

    #[test]
    fn plain_ids_are_kept_as_they_are() {
        assert_eq!(SessionKey::new("user_123.A-z").unwrap().to_string(), "session:{default:user_123.A-z}");
    }

    #[test]
    fn the_rule_that_was_broken_is_named() {
        assert_eq!(SessionKey::new(""), Err(InvalidKey::Empty));
        assert_eq!(SessionKey::new(&"é".repeat(129)), Err(InvalidKey::TooLong(258)));
        assert_eq!(SessionKey::new("a\u{7f}"), Err(InvalidKey::ControlCharacter));
        assert_eq!(SessionKey::new("a\nb"), Err(InvalidKey::ControlCharacter));
        assert!(SessionKey::new(&"a".repeat(256)).is_ok());
        assert!(SessionKey::in_tenant("", "a").is_err());
    }
}
