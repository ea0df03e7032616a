//! Bytes to text: byte order marks, what the file itself declares, and detection.

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};

use super::ExtractError;

/// Above this share of control and replacement characters it is not text. Random bytes have one in nine, text in any
/// encoding none, and a few stray form feeds or terminal colours should not cost a log file.
const CONTROLS_IN_A_THOUSAND: usize = 20;

/// Decodes to text with `\n` line ends and without a byte order mark.
///
/// In this order: a byte order mark, valid UTF-8, what the file says (`declared`), UTF-16 without a mark, detection.
pub(super) fn decode(bytes: &[u8], declared: Option<&'static Encoding>) -> Result<String, ExtractError> {
    let encoding = Encoding::for_bom(bytes).map_or_else(|| detect(bytes, declared), |(encoding, _)| encoding);
    // Removes the mark, too.
    let (text, _) = encoding.decode_with_bom_removal(bytes);
    let (mut characters, mut controls) = (0, 0);
    for character in text.chars() {
        characters += 1;
        if character == '\0' {
            return Err(ExtractError::Binary);
        }
        let is_space = matches!(character, '\t' | '\n' | '\r' | '\x0c');
        controls += usize::from((character.is_control() && !is_space) || character == '\u{fffd}');
    }
    if controls * 1000 > characters * CONTROLS_IN_A_THOUSAND {
        return Err(ExtractError::Binary);
    }
    Ok(if text.contains('\r') { text.replace("\r\n", "\n").replace('\r', "\n") } else { text.into_owned() })
}

fn detect(bytes: &[u8], declared: Option<&'static Encoding>) -> &'static Encoding {
    if std::str::from_utf8(bytes).is_ok() {
        return UTF_8;
    }
    if let Some(encoding) = declared {
        return encoding;
    }
    if let Some(encoding) = unmarked_utf_16(bytes) {
        return encoding;
    }
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Allow);
    detector.feed(bytes, true);
    detector.guess(None, Utf8Detection::Allow)
}

/// Text of mostly ASCII in UTF-16 has a zero in every other byte, and hardly any in the others.
fn unmarked_utf_16(bytes: &[u8]) -> Option<&'static Encoding> {
    let sample = &bytes[..bytes.len().min(1024) & !1];
    let zeros = |from: usize| sample.iter().skip(from).step_by(2).filter(|byte| **byte == 0).count();
    let (even, odd, pairs) = (zeros(0), zeros(1), sample.len() / 2);
    let mostly = |zeros: usize| zeros * 10 > pairs * 7;
    let hardly = |zeros: usize| zeros * 50 <= pairs;
    if mostly(odd) && hardly(even) {
        Some(UTF_16LE)
    } else if mostly(even) && hardly(odd) {
        Some(UTF_16BE)
    } else {
        None
    }
}

/// The ASCII in `bytes`, whatever encoding they are in; UTF-16 too. Good enough to look for a mark or a tag.
pub(super) fn lossy_ascii(bytes: &[u8]) -> String {
    bytes
        .iter()
        .filter(|byte| **byte != 0)
        .map(|byte| if byte.is_ascii() { char::from(*byte) } else { '\u{fffd}' })
        .collect()
}
