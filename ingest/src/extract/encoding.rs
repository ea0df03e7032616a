//! Bytes to text: byte order marks, what the file itself declares, and detection.

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};

use super::ExtractError;

/// Above this share of control and replacement characters it is not text. Random bytes have one in nine, text in any
/// encoding none, and a few stray form feeds or terminal colours should not cost a log file.
const CONTROLS_IN_A_THOUSAND: usize = 20;

/// UTF-8 may be damaged in one of so many of its characters beyond ASCII. By chance, text in other encodings has a valid
/// sequence now and then, and many more that are not.
const WHOLE_FOR_EACH_BROKEN: usize = 4;

/// Decodes to text with `\n` line ends and without a byte order mark.
///
/// In this order: a byte order mark, valid UTF-8, what the file says (`declared`), UTF-16 without a mark, UTF-8 with a few
/// bytes broken, detection.
pub(super) fn decode(bytes: Vec<u8>, declared: Option<&'static Encoding>) -> Result<String, ExtractError> {
    let text = into_text(bytes, declared);
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
    Ok(if text.contains('\r') { text.replace("\r\n", "\n").replace('\r', "\n") } else { text })
}

fn into_text(bytes: Vec<u8>, declared: Option<&'static Encoding>) -> String {
    let (bytes, encoding) = match Encoding::for_bom(&bytes) {
        Some((encoding, _)) => (bytes, encoding),
        None => match String::from_utf8(bytes) {
            // Most files; not copied.
            Ok(text) => return text,
            Err(error) => {
                let bytes = error.into_bytes();
                let encoding = detect(&bytes, declared);
                (bytes, encoding)
            }
        },
    };
    encoding.decode_with_bom_removal(&bytes).0.into_owned()
}

/// Of bytes that are not valid UTF-8.
fn detect(bytes: &[u8], declared: Option<&'static Encoding>) -> &'static Encoding {
    if let Some(encoding) = declared {
        return encoding;
    }
    if let Some(encoding) = unmarked_utf_16(bytes) {
        return encoding;
    }
    if is_damaged_utf_8(bytes) {
        return UTF_8;
    }
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Allow);
    detector.feed(bytes, true);
    detector.guess(None, Utf8Detection::Allow)
}

/// A log cut off in the middle of a character, a line pasted in from an older file.
fn is_damaged_utf_8(bytes: &[u8]) -> bool {
    let (mut whole, mut broken) = (0, 0);
    for chunk in bytes.utf8_chunks() {
        whole += chunk.valid().chars().filter(|character| !character.is_ascii()).count();
        // Without a length, it is the beginning of a character at the end of the file.
        let is_broken = std::str::from_utf8(chunk.invalid()).is_err_and(|error| error.error_len().is_some());
        broken += usize::from(is_broken);
    }
    whole > broken * WHOLE_FOR_EACH_BROKEN
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
