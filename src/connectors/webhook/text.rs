//! The text of a response: content encodings and character sets.

use std::io::{self, Read};

use encoding_rs::Encoding;
use flate2::bufread::{DeflateDecoder, GzDecoder, ZlibDecoder};

/// A body that has no text.
#[derive(Debug, thiserror::Error)]
pub(super) enum TextError {
    /// The words are httpx's up to the colon, the rest is the decoder's.
    #[error("Error -3 while decompressing data: {0}")]
    Decompress(io::Error),
    #[error("larger than {0} bytes")]
    TooLarge(usize),
}

/// Undoes the encodings that a `Content-Encoding` lists, the last one first.
/// Those that httpx did not ask for (all but gzip and deflate) stay.
pub(super) fn decompress(
    mut body: Vec<u8>,
    encodings: &str,
    limit: usize,
) -> Result<Vec<u8>, TextError> {
    for encoding in encodings.rsplit(',') {
        body = match encoding.trim().to_ascii_lowercase().as_str() {
            "gzip" => read(GzDecoder::new(body.as_slice()), limit)?,
            "deflate" => inflate(&body, limit)?,
            _ => body,
        };
    }
    Ok(body)
}

/// Some servers send zlib's format as `deflate`, as they should, some without
/// its frame.
fn inflate(body: &[u8], limit: usize) -> Result<Vec<u8>, TextError> {
    match read(ZlibDecoder::new(body), limit) {
        Err(TextError::Decompress(_)) => read(DeflateDecoder::new(body), limit),
        other => other,
    }
}

/// What is cut off is taken for what there is, as httpx does.
fn read(decoder: impl Read, limit: usize) -> Result<Vec<u8>, TextError> {
    let mut out = Vec::new();
    let past_limit = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    match decoder.take(past_limit).read_to_end(&mut out) {
        Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => {
            Err(TextError::Decompress(error))
        }
        _ if out.len() > limit => Err(TextError::TooLarge(limit)),
        _ => Ok(out),
    }
}

/// The text of a body by the `charset` of its `Content-Type`, else UTF-8; what
/// cannot be read becomes U+FFFD, and a mark of the byte order stays.
pub(super) fn decode(body: &[u8], content_type: &str) -> String {
    // by Python's rules for a codec's name, not by those of browsers: to these,
    // Latin-1 and ASCII are Windows-1252
    let charset = charset(content_type).replace('_', "-");
    match charset.as_str() {
        "latin-1" | "latin1" | "iso-8859-1" | "iso8859-1" | "l1" | "cp819" => {
            body.iter().copied().map(char::from).collect()
        }
        "ascii" | "us-ascii" | "646" | "ansi-x3.4-1968" => body
            .iter()
            .map(|byte| match byte {
                0..=0x7f => char::from(*byte),
                _ => char::REPLACEMENT_CHARACTER,
            })
            .collect(),
        "utf-8-sig" => {
            let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
            String::from_utf8_lossy(body).into_owned()
        }
        "utf-16" => match body {
            [0xfe, 0xff, rest @ ..] => without_bom(encoding_rs::UTF_16BE, rest),
            [0xff, 0xfe, rest @ ..] => without_bom(encoding_rs::UTF_16LE, rest),
            _ => without_bom(encoding_rs::UTF_16LE, body),
        },
        other => {
            let encoding = Encoding::for_label_no_replacement(other.as_bytes());
            without_bom(encoding.unwrap_or(encoding_rs::UTF_8), body)
        }
    }
}

fn without_bom(encoding: &'static Encoding, body: &[u8]) -> String {
    encoding.decode_without_bom_handling(body).0.into_owned()
}

/// The parameter `charset` in lower case, or nothing.
fn charset(content_type: &str) -> String {
    content_type
        .split([';', ','])
        .filter_map(|parameter| parameter.split_once('='))
        .find(|(name, _)| name.trim().eq_ignore_ascii_case("charset"))
        .map(|(_, value)| value.trim().trim_matches('"').to_ascii_lowercase())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::{
        Compression,
        write::{DeflateEncoder, GzEncoder, ZlibEncoder},
    };

    use super::*;

    const LIMIT: usize = 1000;

    fn gzip(data: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    }

    fn zlib(data: &[u8]) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    }

    fn deflate(data: &[u8]) -> Vec<u8> {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn encodings_are_undone() {
        let cut = gzip(b"zipped");
        let two = [gzip(b"zipped"), gzip(b"two")].concat();
        for (body, encodings, text) in [
            (gzip(b"zipped"), "gzip", "zipped"),
            (cut[..cut.len() - 6].to_vec(), "GZip", "zipped"),
            (two, "gzip", "zipped"),
            (zlib(b"deflated"), "deflate", "deflated"),
            (deflate(&b"deflated".repeat(20)), "deflate", &"deflated".repeat(20)),
            (gzip(&zlib(b"both")), "deflate, gzip", "both"),
            (b"br".to_vec(), "br", "br"),
            (b"id".to_vec(), "identity", "id"),
            (b"plain".to_vec(), "", "plain"),
            (Vec::new(), "gzip", ""),
        ] {
            let body = decompress(body, encodings, LIMIT).unwrap();
            assert_eq!(String::from_utf8_lossy(&body), text);
        }
    }

    #[test]
    fn what_is_no_such_encoding_is_an_error() {
        for (body, encodings) in
            [(b"notgzip, surely".as_slice(), "gzip"), (b"notdeflate", "deflate")]
        {
            let error = decompress(body.to_vec(), encodings, LIMIT).unwrap_err();
            let text = error.to_string();
            assert!(text.starts_with("Error -3 while decompressing data: "), "{text}");
        }
    }

    #[test]
    fn little_data_that_becomes_much_is_an_error() {
        for body in [gzip(&vec![0; 1 << 20]), zlib(&vec![0; 1 << 20])] {
            for encoding in ["gzip", "deflate"] {
                let decompressed = decompress(body.clone(), encoding, LIMIT);
                assert!(decompressed.is_err());
            }
        }
        assert!(decompress(gzip(&vec![0; LIMIT]), "gzip", LIMIT).is_ok());
        let error = decompress(gzip(&vec![0; LIMIT + 1]), "gzip", LIMIT).unwrap_err();
        assert_eq!(error.to_string(), "larger than 1000 bytes");
    }

    #[test]
    fn characters_are_read_as_by_python() {
        let latin = b"\xe9\x80\x9f".as_slice();
        for (body, content_type, text) in [
            ("é€".as_bytes(), "", "é€"),
            (b"\xff\xfe a\xc3", "text/plain", "\u{fffd}\u{fffd} a\u{fffd}"),
            (b"a\xffb\xe2\x82c", "text/plain", "a\u{fffd}b\u{fffd}c"),
            (b"\xef\xbb\xbfx", "", "\u{feff}x"),
            (latin, "text/plain; charset=iso-8859-1", "é\u{80}\u{9f}"),
            (latin, "text/plain; charset=latin-1", "é\u{80}\u{9f}"),
            (latin, "text/plain;CHARSET=\"Latin1\"", "é\u{80}\u{9f}"),
            (latin, "charset=latin1", "é\u{80}\u{9f}"),
            (latin, "text/plain, text/x; charset=latin1", "é\u{80}\u{9f}"),
            (latin, "text/plain; charset=utf-8; charset=latin1", "速"),
            (latin, "text/plain; charset=us-ascii", "\u{fffd}\u{fffd}\u{fffd}"),
            (latin, "text/plain; charset=windows-1252", "é€Ÿ"),
            (latin, "text/plain; charset=nonsense", "速"),
            (latin, "text/plain; charset=", "速"),
            (b"\xff\xfeh\0i\0", "text/plain; charset=utf-16", "hi"),
            (b"\0h\0i", "text/plain; charset=utf-16be", "hi"),
            (b"\x93\xfa\x96{", "text/plain; charset=Shift_JIS", "日本"),
            (b"\xc6\xfc\xcb\xdc", "text/plain; charset=euc-jp", "日本"),
            ("é".as_bytes(), "text/plain; charset=utf_8", "é"),
            ("\u{feff}é".as_bytes(), "text/plain; charset=utf-8-sig", "é"),
        ] {
            assert_eq!(decode(body, content_type), text, "{content_type}");
        }
    }
}
