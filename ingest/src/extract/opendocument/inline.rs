//! The text of a paragraph, and what is anchored in it.

use roxmltree::Node;

use crate::extract::xml;

#[derive(Default)]
pub(super) struct Inline<'a, 'input> {
    /// Line breaks as `\n`.
    pub(super) text: String,
    /// Frames and the like, and the bodies of notes.
    pub(super) anchored: Vec<Node<'a, 'input>>,
}

/// Spaces that one element may stand for.
const MOST_SPACES: usize = 100;

pub(super) fn read<'a, 'input>(paragraph: Node<'a, 'input>) -> Inline<'a, 'input> {
    let mut inline = Inline::default();
    inline.children(paragraph, 0);
    inline
}

impl<'a, 'input> Inline<'a, 'input> {
    fn children(&mut self, node: Node<'a, 'input>, depth: usize) {
        if depth > xml::DEEPEST {
            self.text.push_str(&xml::all_text(node));
            return;
        }
        for child in node.children() {
            if let Some(text) = child.text().filter(|_| child.is_text()) {
                self.text.push_str(text);
                continue;
            }
            match xml::name(child) {
                "s" => {
                    let spaces = xml::attribute(child, "c").and_then(|count| count.parse().ok()).unwrap_or(1);
                    self.text.extend(std::iter::repeat_n(' ', spaces.min(MOST_SPACES)));
                }
                "tab" => self.text.push('\t'),
                "line-break" => self.text.push('\n'),
                "note" => self.anchored.extend(xml::child(child, "note-body")),
                "frame" | "g" | "custom-shape" | "rect" | "text-box" => self.anchored.push(child),
                "annotation" | "annotation-end" | "tracked-changes" | "ruby-text" => {}
                _ => self.children(child, depth + 1),
            }
        }
    }
}
