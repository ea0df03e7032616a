//! Names and ids that come out the same on every machine.

use uuid::Uuid;

use super::error::Error;

/// Namespace of all our UUIDv5 (RFC 9562): itself the UUIDv5 of `footnote` in the nil namespace.
const NAMESPACE: Uuid = Uuid::from_u128(0x3cc160a8_a75e_5549_a2a8_745da7794915);

const LONGEST_NAME: usize = 64;

pub(super) fn check(name: &str) -> Result<(), Error> {
    let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte));
    let begins_well = name.as_bytes().first().is_some_and(u8::is_ascii_alphanumeric);
    if plain && begins_well && name.len() <= LONGEST_NAME {
        Ok(())
    } else {
        Err(Error::InvalidName { name: name.to_owned() })
    }
}

pub(super) fn document_id(name: &str, source: &str) -> Uuid {
    id(&["document", name, source])
}

pub(super) fn chunk_id(name: &str, source: &str, version: &str, number: usize) -> Uuid {
    id(&["chunk", name, source, version, &number.to_string()])
}

pub(super) fn root_id(name: &str, root_name: &str) -> Uuid {
    id(&["root", name, root_name])
}

pub(super) fn predecessor_id(name: &str, stored: &str) -> Uuid {
    id(&["predecessor", name, stored])
}

/// UUIDv5 over each part's length in bytes, a colon, and the part: no two lists of parts read the same.
fn id(parts: &[&str]) -> Uuid {
    let text: String = parts.iter().map(|part| format!("{}:{part}", part.len())).collect();
    Uuid::new_v5(&NAMESPACE, text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_namespace_is_what_its_comment_says() {
        assert_eq!(NAMESPACE, Uuid::new_v5(&Uuid::nil(), b"footnote"));
    }

    /// Changing these orphans every document ever ingested.
    #[test]
    fn ids_never_change() {
        assert_eq!(document_id("documents", "data/ml.md").to_string(), "0ea43fc2-3874-52ef-9454-104e4583bcfc");
        assert_eq!(chunk_id("documents", "data/ml.md", "v1", 0).to_string(), "47d0ff87-8cd9-5a1b-b1e0-ffd9940d166f");
    }

    #[test]
    fn borders_between_the_parts_count() {
        assert_ne!(chunk_id("a", "bc", "d", 1), chunk_id("ab", "c", "d", 1));
        assert_ne!(chunk_id("a", "b", "c1", 1), chunk_id("a", "b", "c", 11));
        assert_ne!(document_id("a", "1:b"), document_id("a1:", "b"));
    }

    #[test]
    fn names_are_plain() {
        for good in ["documents", "a", "My_docs-2.v1", &"x".repeat(64)] {
            assert!(check(good).is_ok(), "{good}");
        }
        for bad in ["", "a b", "../x", ".hidden", "-x", "a/b", "naïve", &"x".repeat(65)] {
            assert!(check(bad).is_err(), "{bad}");
        }
    }
}
