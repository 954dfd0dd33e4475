//! `json.dumps`.

use std::io;

use serde::Serialize;
use serde_json::{Serializer, ser::Formatter};

use super::{Value, float_repr};

/// A value that `json.dumps` refuses, in Python's words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// JSON has no such type.
    #[error("Object of type {0} is not JSON serializable")]
    Type(&'static str),
    /// A float that is infinite or not a number, where `allow_nan=False`.
    #[error("Out of range float values are not JSON compliant")]
    OutOfRange,
}

/// `json.dumps(value)`: ASCII only, a blank behind commas and colons, and `NaN`
/// or `Infinity` where JSON has nothing.
pub fn dumps(value: &Value) -> Result<String, JsonError> {
    Style::DEFAULT.write(value)
}

/// `json.dumps(value, ensure_ascii=False, separators=(",", ":"),
/// allow_nan=False)`: how httpx writes the body of a request.
pub fn dumps_compact(value: &Value) -> Result<String, JsonError> {
    Style::COMPACT.write(value)
}

/// `json.dumps(asdict(value))` for any structure: how flytekit writes metas.
/// Floats that are infinite or not a number become `null`, since serde has
/// nothing else for them.
pub fn to_json<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, serde_json::Error> {
    let mut out = Vec::with_capacity(256);
    value.serialize(&mut Serializer::with_formatter(&mut out, Style::DEFAULT))?;
    Ok(out)
}

/// What the arguments of `json.dumps` decide.
#[derive(Debug, Clone, Copy)]
struct Style {
    comma: &'static str,
    colon: &'static str,
    ensure_ascii: bool,
    allow_nan: bool,
}

impl Style {
    const DEFAULT: Self = Self { comma: ", ", colon: ": ", ensure_ascii: true, allow_nan: true };

    const COMPACT: Self = Self { comma: ",", colon: ":", ensure_ascii: false, allow_nan: false };

    fn write(self, value: &Value) -> Result<String, JsonError> {
        let mut out = String::new();
        self.write_value(&mut out, value)?;
        Ok(out)
    }

    fn write_value(self, out: &mut String, value: &Value) -> Result<(), JsonError> {
        match value {
            Value::None => out.push_str("null"),
            Value::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Value::Int(value) => out.push_str(&value.to_string()),
            Value::Float(value) => out.push_str(&self.float(*value)?),
            Value::Str(value) => self.write_str(out, value),
            Value::Bytes(_) => return Err(JsonError::Type(value.type_name())),
            Value::List(values) => {
                out.push('[');
                for (at, value) in values.iter().enumerate() {
                    self.write_comma(out, at);
                    self.write_value(out, value)?;
                }
                out.push(']');
            }
            Value::Dict(values) => {
                out.push('{');
                for (at, (key, value)) in values.iter().enumerate() {
                    self.write_comma(out, at);
                    self.write_str(out, key);
                    out.push_str(self.colon);
                    self.write_value(out, value)?;
                }
                out.push('}');
            }
        }
        Ok(())
    }

    fn write_comma(self, out: &mut String, at: usize) {
        if at > 0 {
            out.push_str(self.comma);
        }
    }

    fn float(self, value: f64) -> Result<String, JsonError> {
        if value.is_finite() {
            Ok(float_repr(value))
        } else if !self.allow_nan {
            Err(JsonError::OutOfRange)
        } else if value.is_nan() {
            Ok("NaN".to_owned())
        } else {
            Ok(if value > 0.0 { "Infinity" } else { "-Infinity" }.to_owned())
        }
    }

    fn write_str(self, out: &mut String, value: &str) {
        out.push('"');
        for c in value.chars() {
            match c {
                '"' => out.push_str("\\\""),
                '\\' => out.push_str("\\\\"),
                '\n' => out.push_str("\\n"),
                '\r' => out.push_str("\\r"),
                '\t' => out.push_str("\\t"),
                '\u{8}' => out.push_str("\\b"),
                '\u{c}' => out.push_str("\\f"),
                c if c < ' ' || (self.ensure_ascii && c > '~') => push_escape(out, c),
                c => out.push(c),
            }
        }
        out.push('"');
    }
}

/// `\u` and four digits; twice, as surrogates, beyond the basic plane.
fn push_escape(out: &mut String, c: char) {
    for unit in c.encode_utf16(&mut [0; 2]) {
        out.push_str(&format!("\\u{unit:04x}"));
    }
}

impl Formatter for Style {
    fn write_f64<W: ?Sized + io::Write>(&mut self, writer: &mut W, value: f64) -> io::Result<()> {
        writer.write_all(float_repr(value).as_bytes())
    }

    fn write_f32<W: ?Sized + io::Write>(&mut self, writer: &mut W, value: f32) -> io::Result<()> {
        self.write_f64(writer, value.into())
    }

    fn write_string_fragment<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        if fragment.bytes().all(|byte| byte <= b'~') {
            return writer.write_all(fragment.as_bytes());
        }
        let mut out = String::with_capacity(fragment.len());
        for c in fragment.chars() {
            match c {
                ..='~' => out.push(c),
                _ => push_escape(&mut out, c),
            }
        }
        writer.write_all(out.as_bytes())
    }

    fn begin_array_value<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        let comma = if first { "" } else { self.comma };
        writer.write_all(comma.as_bytes())
    }

    fn begin_object_key<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.begin_array_value(writer, first)
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(self.colon.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::super::Dict;
    use super::*;

    const TEXT: &str = "\"\\/\u{8}\u{c}\n\r\t\u{1}\u{1f}\u{7f}\u{80}é\u{2028}😀";

    #[test]
    fn strings() {
        let escaped =
            "\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u001f\\u007f\\u0080\\u00e9\\u2028\\ud83d\\ude00\"";
        assert_eq!(dumps(&Value::from(TEXT)).as_deref(), Ok(escaped));
        assert_eq!(to_json(TEXT).unwrap(), escaped.as_bytes());
        let raw = "\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u001f\u{7f}\u{80}é\u{2028}😀\"";
        assert_eq!(dumps_compact(&Value::from(TEXT)).as_deref(), Ok(raw));
    }

    #[test]
    fn containers_and_numbers() {
        let value = Value::Dict(Dict::from([
            ("a".to_owned(), Value::List(vec![Value::Int(1), Value::List(Vec::new())])),
            ("f".to_owned(), Value::List(vec![Value::Float(1e22), Value::Float(-0.0)])),
            ("n".to_owned(), Value::None),
        ]));
        assert_eq!(
            dumps(&value).as_deref(),
            Ok(r#"{"a": [1, []], "f": [1e+22, -0.0], "n": null}"#)
        );
        assert_eq!(
            dumps_compact(&value).as_deref(),
            Ok(r#"{"a":[1,[]],"f":[1e+22,-0.0],"n":null}"#)
        );
    }

    #[test]
    fn what_json_lacks() {
        let odd = Value::List(vec![Value::Float(f64::NAN), Value::Float(f64::NEG_INFINITY)]);
        assert_eq!(dumps(&odd).as_deref(), Ok("[NaN, -Infinity]"));
        assert_eq!(dumps_compact(&odd), Err(JsonError::OutOfRange));
        assert_eq!(dumps(&Value::Bytes(Vec::new())), Err(JsonError::Type("bytes")));
    }

    #[test]
    fn structures_are_written_as_flytekit_writes_metas() {
        #[derive(Serialize)]
        struct Meta {
            job_id: &'static str,
            weight: f64,
            tags: Vec<u8>,
            config: Option<()>,
        }
        let meta = Meta { job_id: "é-1", weight: 2.0, tags: vec![1, 2], config: None };
        assert_eq!(
            String::from_utf8(to_json(&meta).unwrap()).unwrap(),
            r#"{"job_id": "\u00e9-1", "weight": 2.0, "tags": [1, 2], "config": null}"#
        );
    }
}
