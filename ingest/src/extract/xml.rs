//! Looking at XML by local names: the same elements are in other namespaces in the strict and the transitional kind of
//! Office documents.

use roxmltree::Node;

/// Elements inside each other that are read by form; what is nested deeper leaves its text.
pub(super) const DEEPEST: usize = 128;

pub(super) fn name<'a>(node: Node<'a, '_>) -> &'a str {
    node.tag_name().name()
}

pub(super) fn child<'a, 'input>(node: Node<'a, 'input>, local_name: &str) -> Option<Node<'a, 'input>> {
    node.children().find(|child| child.is_element() && name(*child) == local_name)
}

pub(super) fn children<'a, 'input>(
    node: Node<'a, 'input>,
    local_name: &'static str,
) -> impl Iterator<Item = Node<'a, 'input>> {
    node.children().filter(move |child| child.is_element() && name(*child) == local_name)
}

/// The element at the end of this path of children.
pub(super) fn path<'a, 'input>(node: Node<'a, 'input>, local_names: &[&str]) -> Option<Node<'a, 'input>> {
    local_names.iter().try_fold(node, |node, local_name| child(node, local_name))
}

/// Whatever its namespace.
pub(super) fn attribute<'a>(node: Node<'a, '_>, local_name: &str) -> Option<&'a str> {
    node.attributes().find(|attribute| attribute.name() == local_name).map(|attribute| attribute.value())
}

/// The `val` of a child, which is how Office documents write most properties.
pub(super) fn value<'a>(node: Node<'a, '_>, local_name: &str) -> Option<&'a str> {
    attribute(child(node, local_name)?, "val")
}

/// Whether a property that is on by being there is on.
pub(super) fn is_on(node: Node, local_name: &str) -> bool {
    child(node, local_name)
        .is_some_and(|property| !matches!(attribute(property, "val"), Some("0" | "false" | "off" | "none")))
}

/// All text below, without a form.
pub(super) fn all_text(node: Node) -> String {
    node.descendants().filter_map(|node| if node.is_text() { node.text() } else { None }).collect()
}

/// Of several attributes called `id`, the one that refers to a part: it has a namespace.
pub(super) fn relationship_id<'a>(node: Node<'a, '_>) -> Option<&'a str> {
    let id = node.attributes().find(|attribute| attribute.name() == "id" && attribute.namespace().is_some())?;
    Some(id.value())
}
