//! Tags, by which searches are restricted.

/// The tag without the spaces around it.
pub fn parse_tag(tag: &str) -> Result<String, &'static str> {
    let tag = tag.trim();
    let fits = (1..=64).contains(&tag.chars().count()) && !tag.chars().any(char::is_control);
    if fits { Ok(tag.to_owned()) } else { Err("a tag is 1 to 64 characters") }
}
