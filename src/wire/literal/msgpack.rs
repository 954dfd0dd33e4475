//! Msgpack, in which flytekit keeps dicts and dataclasses.

use rmpv::{Utf8StringRef, ValueRef, decode, encode};

use crate::wire::python::{Dict, Value};

/// How deep lists and maps may be nested. No caller comes near, and a thread's
/// stack holds it.
const MAX_DEPTH: usize = 256;

/// Bytes that cannot be read, in the words of Python's `msgpack` and `json`
/// where these have any.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MsgpackError {
    /// The bytes end before the value does.
    #[error("Unpack failed: incomplete input")]
    Incomplete,
    /// Something follows the value.
    #[error("unpack(b) received extra data.")]
    ExtraData,
    /// Lists and maps in each other, without end.
    #[error("Unpack failed: nested deeper than {MAX_DEPTH}")]
    Depth,
    /// Anything else that is no msgpack.
    #[error("Unpack failed: not msgpack")]
    Format,
    /// A string that is not UTF-8.
    #[error("Unpack failed: a string is not UTF-8")]
    NotUtf8,
    /// A map whose key is not a string.
    #[error("{0} is not allowed for map key when strict_map_key=True")]
    Key(&'static str),
    /// An extension type, among them msgpack's timestamps.
    #[error("Object of type {0} is not JSON serializable")]
    Extension(&'static str),
}

/// Reads one value, which all of the bytes must belong to.
pub(super) fn decode(mut bytes: &[u8]) -> Result<Value, MsgpackError> {
    let value =
        decode::read_value_ref_with_max_depth(&mut bytes, MAX_DEPTH).map_err(
            |error| match error {
                decode::Error::DepthLimitExceeded => MsgpackError::Depth,
                error if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                    MsgpackError::Incomplete
                }
                _ => MsgpackError::Format,
            },
        )?;
    if bytes.is_empty() { plain(&value) } else { Err(MsgpackError::ExtraData) }
}

/// The bytes of a value, as Python's `msgpack.packb` writes them.
pub(super) fn encode(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    // writing into memory has no errors
    let _ = encode::write_value_ref(&mut out, &packed(value));
    out
}

fn plain(value: &ValueRef<'_>) -> Result<Value, MsgpackError> {
    Ok(match value {
        ValueRef::Nil => Value::None,
        ValueRef::Boolean(value) => Value::Bool(*value),
        ValueRef::Integer(value) => match (value.as_i64(), value.as_u64()) {
            (Some(value), _) => Value::Int(value.into()),
            (None, Some(value)) => Value::Int(value.into()),
            (None, None) => return Err(MsgpackError::Format),
        },
        ValueRef::F32(value) => Value::Float((*value).into()),
        ValueRef::F64(value) => Value::Float(*value),
        ValueRef::String(value) => Value::Str(text(value)?.to_owned()),
        ValueRef::Binary(value) => Value::Bytes(value.to_vec()),
        ValueRef::Array(values) => Value::List(values.iter().map(plain).collect::<Result<_, _>>()?),
        ValueRef::Map(entries) => Value::Dict(
            entries
                .iter()
                .map(|(key, value)| Ok((key_text(key)?.to_owned(), plain(value)?)))
                .collect::<Result<Dict, MsgpackError>>()?,
        ),
        ValueRef::Ext(-1, _) => return Err(MsgpackError::Extension("Timestamp")),
        // to Python a pair of its code and its bytes
        ValueRef::Ext(..) => return Err(MsgpackError::Extension("bytes")),
    })
}

fn text<'a>(value: &Utf8StringRef<'a>) -> Result<&'a str, MsgpackError> {
    value.into_str().ok_or(MsgpackError::NotUtf8)
}

fn key_text<'a>(key: &ValueRef<'a>) -> Result<&'a str, MsgpackError> {
    match key {
        ValueRef::String(key) => text(key),
        other => Err(MsgpackError::Key(plain(other)?.type_name())),
    }
}

fn packed(value: &Value) -> ValueRef<'_> {
    match value {
        Value::None => ValueRef::Nil,
        Value::Bool(value) => ValueRef::Boolean(*value),
        Value::Int(value) => packed_int(*value),
        Value::Float(value) => ValueRef::F64(*value),
        Value::Str(value) => ValueRef::String(value.as_str().into()),
        Value::Bytes(value) => ValueRef::Binary(value),
        Value::List(values) => ValueRef::Array(values.iter().map(packed).collect()),
        Value::Dict(values) => ValueRef::Map(
            values
                .iter()
                .map(|(key, value)| (ValueRef::String(key.as_str().into()), packed(value)))
                .collect(),
        ),
    }
}

fn packed_int(value: i128) -> ValueRef<'static> {
    if let Ok(value) = i64::try_from(value) {
        ValueRef::Integer(value.into())
    } else if let Ok(value) = u64::try_from(value) {
        ValueRef::Integer(value.into())
    } else {
        ValueRef::F64(value as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::python::dumps;

    /// What flytekit's type engine writes for
    /// `{"status_code": 200, "response_data": "x" * 40, "input_data":
    /// {"b": 1.5, "a": [1, -1, -200, 70000, None, True, b"xy"], "z": 2**40},
    /// "url": "http://x"}`.
    const FLYTEKIT: &str = "84ab7374617475735f636f6465ccc8ad726573706f6e73655f64617461d92878787878\
        787878787878787878787878787878787878787878787878787878787878787878787878aa696e7075745f64\
        61746183a162cb3ff8000000000000a1619701ffd1ff38ce00011170c0c3c4027879a17acf00000100000000\
        00a375726ca8687474703a2f2f78";

    #[test]
    fn writes_what_flytekit_writes() {
        let input = Dict::from([
            ("b".to_owned(), Value::Float(1.5)),
            (
                "a".to_owned(),
                Value::List(vec![
                    Value::Int(1),
                    Value::Int(-1),
                    Value::Int(-200),
                    Value::Int(70_000),
                    Value::None,
                    Value::Bool(true),
                    Value::Bytes(b"xy".to_vec()),
                ]),
            ),
            ("z".to_owned(), Value::Int(1 << 40)),
        ]);
        let value = Value::Dict(Dict::from([
            ("status_code".to_owned(), Value::Int(200)),
            ("response_data".to_owned(), Value::from("x".repeat(40))),
            ("input_data".to_owned(), Value::Dict(input)),
            ("url".to_owned(), Value::from("http://x")),
        ]));
        let bytes = encode(&value);
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, FLYTEKIT);
        assert_eq!(decode(&bytes), Ok(value));
    }

    #[test]
    fn reads_as_the_text_of_its_json() {
        for (bytes, json) in [
            (b"\x83\xa1a\x01\xa1b\x02\xa1a\x03".as_slice(), r#"{"a": 3, "b": 2}"#),
            (b"\xca\x3f\x8c\xcc\xcd", "1.100000023841858"),
            (b"\xcf\xff\xff\xff\xff\xff\xff\xff\xff", "18446744073709551615"),
            (b"\xd3\x80\0\0\0\0\0\0\0", "-9223372036854775808"),
            (b"\xcb\x7f\xf8\0\0\0\0\0\0", "NaN"),
            (b"\xa3\xc3\xa9\n", r#""\u00e9\n""#),
        ] {
            assert_eq!(dumps(&decode(bytes).unwrap()).as_deref(), Ok(json));
        }
    }

    #[test]
    fn refuses_in_pythons_words() {
        for (bytes, text) in [
            (b"".as_slice(), "Unpack failed: incomplete input"),
            (b"\x82\xa1a\x01\xa1", "Unpack failed: incomplete input"),
            (b"\xdd\xff\xff\xff\xff", "Unpack failed: incomplete input"),
            (b"\xdb\xff\xff\xff\xff", "Unpack failed: incomplete input"),
            (b"\x01\x02", "unpack(b) received extra data."),
            (b"\xa2\xff\xfe", "Unpack failed: a string is not UTF-8"),
            (b"\x81\x01\x02", "int is not allowed for map key when strict_map_key=True"),
            (b"\x81\xc0\x02", "NoneType is not allowed for map key when strict_map_key=True"),
            (b"\xd4\x05x", "Object of type bytes is not JSON serializable"),
            (b"\xd6\xff\0\0\0\x01", "Object of type Timestamp is not JSON serializable"),
        ] {
            assert_eq!(decode(bytes).unwrap_err().to_string(), text, "{bytes:?}");
        }
        assert_eq!(decode(&[0x91; 100_000]), Err(MsgpackError::Depth));
    }
}
