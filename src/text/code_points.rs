//! Byte ranges of a text as ranges of Unicode code points, the unit of every offset that leaves the server.

use std::ops::Range;

/// `[start, end]` of a byte range of `text`, in code points. The range's ends lie on character boundaries.
pub fn code_point_range(text: &str, bytes: &Range<usize>) -> [usize; 2] {
    let start = text[..bytes.start].chars().count();
    [start, start + text[bytes.clone()].chars().count()]
}

/// The part of `text` between two code points; what a client does with a range it was given.
pub fn slice(text: &str, [start, end]: [usize; 2]) -> &str {
    let mut boundaries = text.char_indices().map(|(byte, _)| byte).chain([text.len()]).skip(start);
    let from = boundaries.next().unwrap_or(text.len());
    let to = if end > start { boundaries.nth(end - start - 1).unwrap_or(text.len()) } else { from };
    &text[from..to]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_count_code_points_and_lead_back_to_the_text() {
        let text = "é机器🙂 end";
        let bytes = text.find("🙂").unwrap()..text.len();
        assert_eq!(code_point_range(text, &bytes), [3, 8]);
        assert_eq!(slice(text, [3, 8]), "🙂 end");
        assert_eq!(slice(text, [8, 8]), "");
        assert_eq!(slice(text, [0, 99]), text);
    }
}
