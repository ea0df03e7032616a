//! The blocks of a passage, told apart line by line.

use std::ops::Range;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Block {
    pub(super) kind: BlockKind,
    pub(super) span: Range<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BlockKind {
    Heading,
    Paragraph,
    ListItem,
    TableHeader,
    TableRow,
    Code,
}

enum Line {
    Blank,
    /// Opens or closes a code block.
    Fence(char),
    Heading,
    /// `===` or `---` under a line makes that line a heading; alone, `---` is a rule.
    Underline,
    TableRow,
    /// The line of dashes under a table's header.
    TableRule,
    ListItem,
    Text,
}

fn line_kind(line: &str) -> Line {
    let trimmed = line.trim();
    let Some(first) = trimmed.chars().next() else { return Line::Blank };
    let after_hashes = trimmed.trim_start_matches('#');
    let hashes = trimmed.len() - after_hashes.len();
    match first {
        '`' if trimmed.starts_with("```") => Line::Fence('`'),
        '~' if trimmed.starts_with("~~~") => Line::Fence('~'),
        '#' if hashes <= 6 && (after_hashes.is_empty() || after_hashes.starts_with(' ')) => Line::Heading,
        '|' if is_table_rule(trimmed) => Line::TableRule,
        '|' if trimmed.len() > 1 => Line::TableRow,
        '=' | '-' if trimmed.len() >= 3 && trimmed.chars().all(|c| c == first) => Line::Underline,
        '*' | '_' if trimmed.len() >= 3 && trimmed.chars().all(|c| c == first || c == ' ') => Line::Underline,
        _ if is_list_item(trimmed) => Line::ListItem,
        _ => Line::Text,
    }
}

fn is_table_rule(trimmed: &str) -> bool {
    trimmed.contains('-') && trimmed.chars().all(|c| matches!(c, '|' | '-' | ':' | ' '))
}

/// `- x`, `* x`, `+ x`, `• x`, `1. x`, `12) x`.
fn is_list_item(trimmed: &str) -> bool {
    let after_mark = match trimmed.strip_prefix(['-', '*', '+', '•', '‣', '◦']) {
        Some(after) => Some(after),
        None => {
            let after_digits = trimmed.trim_start_matches(|c: char| c.is_ascii_digit());
            let digits = trimmed.len() - after_digits.len();
            // Longer numbers are years that a line happens to begin with.
            if (1..=3).contains(&digits) { after_digits.strip_prefix(['.', ')']) } else { None }
        }
    };
    after_mark.is_some_and(|after| after.starts_with([' ', '\t']))
}

pub(super) fn blocks(passage: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    // The block that the next line may continue.
    let mut open: Option<Block> = None;
    let mut fence: Option<char> = None;
    let mut start = 0;
    for line in passage.split_inclusive('\n') {
        let span = start..start + line.len();
        start = span.end;
        let kind = line_kind(line);
        if let Some(mark) = fence {
            extend(&mut open, span);
            if matches!(kind, Line::Fence(closing) if closing == mark) {
                fence = None;
                blocks.extend(open.take());
            }
            continue;
        }
        match kind {
            Line::Text if open.is_some() => extend(&mut open, span),
            Line::Text => open = Some(Block { kind: BlockKind::Paragraph, span }),
            Line::Blank => blocks.extend(open.take()),
            Line::Underline => {
                let underlined = open.take().map(|block| match block.kind {
                    BlockKind::Paragraph => Block { kind: BlockKind::Heading, ..block },
                    BlockKind::ListItem
                    | BlockKind::Heading
                    | BlockKind::TableHeader
                    | BlockKind::TableRow
                    | BlockKind::Code => block,
                });
                blocks.extend(underlined);
            }
            Line::Heading => {
                blocks.extend(open.take());
                blocks.push(Block { kind: BlockKind::Heading, span });
            }
            Line::TableRow => {
                blocks.extend(open.take());
                blocks.push(Block { kind: BlockKind::TableRow, span });
            }
            Line::TableRule => {
                if let Some(row) = blocks.last_mut().filter(|row| row.kind == BlockKind::TableRow) {
                    row.kind = BlockKind::TableHeader;
                }
            }
            Line::ListItem => {
                blocks.extend(open.take());
                open = Some(Block { kind: BlockKind::ListItem, span });
            }
            Line::Fence(mark) => {
                blocks.extend(open.take());
                open = Some(Block { kind: BlockKind::Code, span });
                fence = Some(mark);
            }
        }
    }
    blocks.extend(open);
    for block in &mut blocks {
        block.span = crate::text::sentences::trim(passage, block.span.clone());
    }
    blocks.retain(|block| !block.span.is_empty());
    blocks
}

fn extend(open: &mut Option<Block>, line: Range<usize>) {
    if let Some(block) = open {
        block.span.end = line.end;
    }
}
