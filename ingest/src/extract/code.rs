//! Source code: its text, with what it defines as headings, so that a passage is a function and knows what it is part of.

mod language;

use std::collections::BTreeMap;

use tree_sitter::{Node, Parser, TreeCursor};

use super::{ExtractError, Extracted, Heading, Markup, encoding, title};
pub use language::Language;

/// Definitions inside each other that become a heading path; deeper ones belong to those.
const DEEPEST: u8 = 4;

/// Nodes inside each other that are looked into for definitions.
const DEEPEST_NODE: usize = 256;

/// Characters of a definition's first line that its heading shows.
const LONGEST_HEADING: usize = 120;

pub(super) fn extract(name: &str, bytes: Vec<u8>, language: Language) -> Result<Extracted, ExtractError> {
    let text = encoding::decode(bytes, None)?;
    let headings = definitions(&text, language);
    let title = name.rsplit('/').next().and_then(title::on_one_line).unwrap_or_else(|| title::from_name(name));
    Ok(Extracted {
        title,
        text,
        headings,
        page_starts: Vec::new(),
        markup: Markup::Code(language),
        front_matter: BTreeMap::new(),
    })
}

fn definitions(text: &str, language: Language) -> Vec<Heading> {
    let mut parser = Parser::new();
    if parser.set_language(&language.grammar()).is_err() {
        return Vec::new();
    }
    let Some(tree) = parser.parse(text, None) else { return Vec::new() };
    let mut found = Found { text, headings: Vec::new() };
    found.walk(&mut tree.walk());
    found.headings
}

struct Found<'a> {
    text: &'a str,
    headings: Vec<Heading>,
}

impl Found<'_> {
    /// In the order of the text. Walks without recursion: a list of a million commas is as deep as it is long in some
    /// grammars.
    fn walk(&mut self, cursor: &mut TreeCursor) {
        // Nodes around the current one, and whether each is a definition.
        let mut around: Vec<bool> = Vec::new();
        loop {
            let depth = around.iter().filter(|definition| **definition).count();
            // A whole file is a `module` to Python.
            let is_definition = !around.is_empty() && self.visit(cursor.node(), depth);
            if around.len() < DEEPEST_NODE && cursor.goto_first_child() {
                around.push(is_definition);
                continue;
            }
            while !cursor.goto_next_sibling() {
                if !cursor.goto_parent() {
                    return;
                }
                around.pop();
            }
        }
    }

    fn visit(&mut self, node: Node, depth: usize) -> bool {
        let is_definition = is_definition(node);
        let level = u8::try_from(depth + 1).unwrap_or(u8::MAX);
        if is_definition && level <= DEEPEST {
            self.heading(node, level);
        }
        is_definition
    }

    fn heading(&mut self, node: Node, level: u8) {
        let line = self.text[node.start_byte()..].lines().next().unwrap_or_default();
        let Some(title) = title::on_one_line(line.trim_end_matches(['{', ':', ' '])) else { return };
        let start = self.with_what_stands_above(node.start_byte());
        // Two definitions on one line divide nothing.
        if self.headings.last().is_some_and(|last| last.end > start) {
            return;
        }
        let title = title.chars().take(LONGEST_HEADING).collect();
        self.headings.push(Heading { level, title, start, end: node.start_byte() + line.trim_end().len() });
    }

    /// The beginning of the comment, attributes and decorators right above the line in which `start` is.
    fn with_what_stands_above(&self, start: usize) -> usize {
        let line_start = |at: usize| self.text[..at].rfind('\n').map_or(0, |end| end + 1);
        let mut first = line_start(start);
        while first > 0 {
            let above = line_start(first - 1);
            let line = self.text[above..first].trim();
            let belongs = ["//", "/*", "*", "#", "@", "--", "[", "\"\"\""].iter().any(|mark| line.starts_with(mark));
            if !belongs {
                break;
            }
            first = above;
        }
        first
    }
}

/// Named functions, types and modules, as the grammars of different languages call them.
fn is_definition(node: Node) -> bool {
    const KINDS: [&str; 34] = [
        "function_item",
        "function_definition",
        "function_declaration",
        "function_signature_item",
        "generator_function_declaration",
        "method_definition",
        "method_declaration",
        "method",
        "singleton_method",
        "constructor_declaration",
        "class_definition",
        "class_declaration",
        "abstract_class_declaration",
        "class_specifier",
        "class",
        "struct_item",
        "struct_specifier",
        "struct_declaration",
        "record_declaration",
        "enum_item",
        "enum_declaration",
        "enum_specifier",
        "union_item",
        "trait_item",
        "trait_declaration",
        "impl_item",
        "interface_declaration",
        "mod_item",
        "module",
        "namespace_definition",
        "namespace_declaration",
        "macro_definition",
        "type_declaration",
        "type_alias_declaration",
    ];
    // `struct point p;` only names one.
    let has_body = node.end_position().row > node.start_position().row;
    has_body && KINDS.contains(&node.kind())
}
