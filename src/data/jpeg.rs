//! Whether a JPEG file is whole.
//!
//! Decoders fill what a cut file lacks with grey and say nothing. A file is whole if an end marker follows its last scan
//! (ITU-T T.81, annex B). Markers are walked from the start, because a thumbnail in the metadata has an end marker of
//! its own.

/// What each JPEG begins with.
pub(super) const START: [u8; 2] = [0xff, 0xd8];

const END_OF_IMAGE: u8 = 0xd9;
const START_OF_SCAN: u8 = 0xda;

/// The most pixels that a byte can stand for: eight blocks of 8x8, one bit each.
const PIXELS_A_BYTE: u64 = 512;

/// Why `bytes`, which begin as a JPEG of `width` by `height` pixels does, are not all of one; none for a whole file,
/// whatever follows its end.
pub(super) fn cut(bytes: &[u8], width: u32, height: u32) -> Option<&'static str> {
    if u64::from(width) * u64::from(height) > PIXELS_A_BYTE * bytes.len() as u64 {
        return Some("it is cut short: it has fewer bytes than its pixels need");
    }
    let mut scanned = false;
    let mut rest = &bytes[START.len().min(bytes.len())..];
    loop {
        // Bytes between segments, which should not be there, are passed over as decoders do.
        let Some((marker, after)) = next_marker(rest) else {
            return Some(match scanned {
                true => "it is cut short: nothing ends its last scan",
                false => "it is cut short: it ends before its pixels",
            });
        };
        rest = match marker {
            END_OF_IMAGE if scanned => return None,
            END_OF_IMAGE => return Some("it holds no scan"),
            // Markers without a segment.
            0x01 | 0xd0..=0xd8 => after,
            _ => {
                scanned |= marker == START_OF_SCAN;
                let length =
                    after.first_chunk().map_or(usize::MAX, |length| u16::from_be_bytes(*length).into());
                after.get(length..).unwrap_or_default()
            }
        };
    }
}

/// The first marker of `bytes`, and what follows it. In a scan, `ff 00` stands for a value and `ff d0` to `ff d7` are part
/// of it; `ff` may fill.
fn next_marker(mut bytes: &[u8]) -> Option<(u8, &[u8])> {
    loop {
        let at = bytes.iter().position(|&byte| byte == 0xff)?;
        bytes = &bytes[at + 1..];
        match bytes.first()? {
            0x00 | 0xd0..=0xd7 => bytes = &bytes[1..],
            0xff => {}
            &marker => return Some((marker, &bytes[1..])),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::codecs::jpeg::JpegEncoder;

    /// A picture with detail in every block.
    fn jpeg() -> Vec<u8> {
        let picture = image::GrayImage::from_fn(40, 24, |x, y| image::Luma([(x * x * 7 + y * y * 13) as u8]));
        let mut bytes = Vec::new();
        JpegEncoder::new_with_quality(&mut bytes, 90).encode_image(&picture).unwrap();
        bytes
    }

    /// `bytes` with another whole JPEG in a metadata segment.
    fn with_thumbnail(bytes: &[u8], thumbnail: &[u8]) -> Vec<u8> {
        let length = u16::try_from(thumbnail.len() + 8).unwrap().to_be_bytes();
        [&START[..], &[0xff, 0xe1], &length, b"Exif\0\0", thumbnail, &bytes[2..]].concat()
    }

    #[test]
    fn a_file_cut_anywhere_is_not_whole() {
        let whole = jpeg();
        for whole in [with_thumbnail(&whole, &whole), whole] {
            assert_eq!(cut(&whole, 40, 24), None);
            for length in 0..whole.len() {
                let why = cut(&whole[..length], 40, 24);
                assert!(why.is_some(), "{length} of {} bytes", whole.len());
            }
        }
    }

    #[test]
    fn what_follows_the_end_does_not_count() {
        let whole = jpeg();
        for more in [&[0; 37][..], b"garbage \xff\xda", &whole, &whole[..whole.len() / 2]] {
            assert_eq!(cut(&[&whole, more].concat(), 40, 24), None);
        }
        let cut_and_padded = [&whole[..whole.len() * 3 / 4], &[0; 100]].concat();
        assert!(cut(&cut_and_padded, 40, 24).is_some());
    }

    #[test]
    fn more_scans_may_follow_the_first() {
        let whole = jpeg();
        let scan = whole.windows(2).position(|pair| pair == [0xff, START_OF_SCAN]).unwrap();
        // A second scan, as in a progressive file, with a restart marker and a fill byte in it.
        let second = [&whole[scan..whole.len() - 2], &[0xff, 0xd0, 0x12, 0xff]].concat();
        let two = [&whole[..whole.len() - 2], &second, &whole[whole.len() - 2..]].concat();
        assert_eq!(cut(&two, 40, 24), None);
        for length in whole.len() - 2..two.len() {
            assert!(cut(&two[..length], 40, 24).is_some(), "{length}");
        }
    }

    #[test]
    fn pixels_need_bytes() {
        let whole = jpeg();
        assert!(cut(&whole, 60_000, 60_000).unwrap().contains("fewer bytes"));
        assert_eq!(cut(&[0xff, 0xd8, 0xff, 0xd9], 1, 1), Some("it holds no scan"));
    }
}
