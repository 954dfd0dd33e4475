//! The headers that a template asks for.

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

use crate::wire::python::Value;

/// Headers that no request can have; in Python's and httpx's words, but for
/// [`Type`](HeadersError::Type).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum HeadersError {
    #[error("The headers must be a dict of strings, got {0}")]
    Type(String),
    #[error("Header value must be str or bytes, not <class '{0}'>")]
    ValueType(&'static str),
    #[error("'ascii' codec can't encode {0}: ordinal not in range(128)")]
    NotAscii(String),
    #[error("Illegal header name {0}")]
    Name(String),
    #[error("Illegal header value {0}")]
    Value(String),
}

/// The headers of a template's `headers`: a dict, a list of pairs, or nothing.
pub(super) fn parse(template: &Value) -> Result<HeaderMap, HeadersError> {
    let mut headers = HeaderMap::new();
    match template {
        Value::None => {}
        Value::Str(text) if text.is_empty() => {}
        Value::Dict(items) => {
            for (name, value) in items {
                append(&mut headers, name, value)?;
            }
        }
        Value::List(items) => {
            for item in items {
                match item {
                    Value::List(pair) => match pair.as_slice() {
                        [Value::Str(name), value] => append(&mut headers, name, value)?,
                        _ => return Err(type_error(template)),
                    },
                    _ => return Err(type_error(template)),
                }
            }
        }
        _ => return Err(type_error(template)),
    }
    Ok(headers)
}

fn type_error(template: &Value) -> HeadersError {
    HeadersError::Type(format!("{}: {}", template.type_name(), template.repr()))
}

fn append(headers: &mut HeaderMap, name: &str, value: &Value) -> Result<(), HeadersError> {
    check_ascii(name)?;
    let bytes = match value {
        Value::Str(text) => {
            check_ascii(text)?;
            text.as_bytes()
        }
        Value::Bytes(bytes) => bytes,
        other => return Err(HeadersError::ValueType(other.type_name())),
    };
    let shown = |bytes: &[u8]| Value::Bytes(bytes.to_vec()).to_string();
    let name = HeaderName::from_bytes(name.as_bytes())
        .map_err(|_| HeadersError::Name(shown(name.as_bytes())))?;
    let value = HeaderValue::from_bytes(bytes)
        .ok()
        .filter(|value| value.as_bytes().trim_ascii() == bytes)
        .ok_or_else(|| HeadersError::Value(shown(bytes)))?;
    headers.append(name, value);
    Ok(())
}

/// Python's error names the first run of characters that are not ASCII.
fn check_ascii(text: &str) -> Result<(), HeadersError> {
    let mut others = text.chars().enumerate().skip_while(|(_, c)| c.is_ascii());
    let Some((start, first)) = others.next() else {
        return Ok(());
    };
    let end = start + others.take_while(|(_, c)| !c.is_ascii()).count();
    Err(HeadersError::NotAscii(if start == end {
        format!("character '{}' in position {start}", ascii_escape(first))
    } else {
        format!("characters in position {start}-{end}")
    }))
}

fn ascii_escape(c: char) -> String {
    match u32::from(c) {
        code @ ..=0xff => format!("\\x{code:02x}"),
        code @ 0x100..=0xffff => format!("\\u{code:04x}"),
        code => format!("\\U{code:08x}"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn headers_may_be_pairs_or_nothing() {
        for nothing in [json!(null), json!({}), json!([]), json!("")] {
            assert_eq!(parse(&Value::from(nothing)), Ok(HeaderMap::new()));
        }
        let headers = parse(&Value::from(json!([["A", "b"], ["a", ""]]))).unwrap();
        let values: Vec<_> = headers.get_all("a").iter().collect();
        assert_eq!(values, ["b", ""]);
    }

    #[test]
    fn bytes_are_a_value() {
        let bytes = Value::Bytes(b"aGk=".to_vec());
        let template = Value::List(vec![Value::List(vec![Value::from("X"), bytes])]);
        assert_eq!(parse(&template).unwrap()["x"], "aGk=");
    }

    #[test]
    fn bad_headers_are_refused_in_pythons_words() {
        for (headers, text) in [
            (json!({"X": 5.0}), "Header value must be str or bytes, not <class 'float'>"),
            (json!({"X": null}), "Header value must be str or bytes, not <class 'NoneType'>"),
            (
                json!({"X": "é"}),
                "'ascii' codec can't encode character '\\xe9' in position 0: \
                 ordinal not in range(128)",
            ),
            (
                json!({"X": "aéé"}),
                "'ascii' codec can't encode characters in position 1-2: \
                 ordinal not in range(128)",
            ),
            (
                json!({"日": "x"}),
                "'ascii' codec can't encode character '\\u65e5' in position 0: \
                 ordinal not in range(128)",
            ),
            (json!({"X": "a\nb"}), "Illegal header value b'a\\nb'"),
            (json!({"X": " a "}), "Illegal header value b' a '"),
            (json!({"X Y": "1"}), "Illegal header name b'X Y'"),
            (json!({"": "1"}), "Illegal header name b''"),
            (json!("ab"), "The headers must be a dict of strings, got str: 'ab'"),
            (json!([["a"]]), "The headers must be a dict of strings, got list: [['a']]"),
        ] {
            assert_eq!(parse(&Value::from(headers)).unwrap_err().to_string(), text);
        }
    }
}
