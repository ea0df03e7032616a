//! How deep elements are nested.

use markup5ever_rcdom::Handle;

/// Whose end tag may be left out, or must be: written one after the other they are not nested.
const CLOSED_BY_THEMSELVES: [&str; 36] = [
    "area", "base", "br", "caption", "col", "colgroup", "dd", "dt", "embed", "hr", "img", "input", "li", "link",
    "meta", "optgroup", "option", "p", "param", "path", "rb", "rp", "rt", "rtc", "script", "source", "style", "tbody",
    "td", "tfoot", "th", "thead", "tr", "track", "wbr", "!doctype",
];

/// Elements around the innermost one, roughly, without building the tree: that takes time with the square of the depth.
pub(super) fn guess(html: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        let is_end = rest.starts_with('/');
        let name = rest.trim_start_matches('/');
        let length = name.find(|character: char| !character.is_ascii_alphanumeric()).unwrap_or(name.len());
        let name = name[..length].to_ascii_lowercase();
        if name.is_empty() || CLOSED_BY_THEMSELVES.contains(&name.as_str()) {
            // What looks like a tag in a script is none.
            if name == "script" && !is_end {
                rest = rest.find("</script").map_or("", |end| &rest[end..]);
            }
        } else if is_end {
            depth = depth.saturating_sub(1);
        } else {
            depth += 1;
            deepest = deepest.max(depth);
        }
    }
    deepest
}

/// Elements around the innermost one.
pub(super) fn of_tree(document: &Handle) -> usize {
    let mut deepest = 0;
    let mut left = vec![(document.clone(), 0)];
    while let Some((node, depth)) = left.pop() {
        deepest = deepest.max(depth);
        left.extend(node.children.borrow().iter().map(|child| (child.clone(), depth + 1)));
    }
    deepest
}
