//! Which lists are numbered.

use std::collections::HashSet;

use roxmltree::Node;

use crate::extract::xml;

/// Names of list styles with the levels, from 1, that are numbered.
#[derive(Debug, Default)]
pub(super) struct ListStyles(HashSet<(String, usize)>);

impl ListStyles {
    pub(super) fn read<'a, 'input: 'a>(roots: impl Iterator<Item = Node<'a, 'input>>) -> Self {
        let styles = roots.flat_map(|root| root.descendants()).filter(|node| xml::name(*node) == "list-style");
        let numbered = styles.flat_map(|style| {
            let name = xml::attribute(style, "name").unwrap_or_default();
            let levels = xml::children(style, "list-level-style-number");
            // A number without a format is not shown.
            let shown =
                levels.filter(|level| xml::attribute(*level, "num-format").is_some_and(|format| !format.is_empty()));
            shown.filter_map(move |level| Some((name.to_owned(), xml::attribute(level, "level")?.parse().ok()?)))
        });
        Self(numbered.collect())
    }

    /// `depth` counts from 0.
    pub(super) fn is_numbered(&self, style: &str, depth: usize) -> bool {
        self.0.contains(&(style.to_owned(), depth + 1))
    }
}
