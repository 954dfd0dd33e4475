//! `str()` and `repr()`.

use std::fmt::{self, Display, Formatter, Write};

use unicode_properties::{GeneralCategoryGroup, UnicodeGeneralCategory};

use super::{Dict, Value};

/// Python's `repr()` of a value, as something to display.
#[derive(Debug, Clone, Copy)]
pub struct Repr<'a>(&'a Value);

impl Value {
    /// Python's `repr()`, which is `str()` but for strings.
    pub fn repr(&self) -> Repr<'_> {
        Repr(self)
    }
}

impl Display for Value {
    /// Python's `str()`.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Str(value) => f.write_str(value),
            other => other.repr().fmt(f),
        }
    }
}

impl Display for Repr<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            Value::None => f.write_str("None"),
            Value::Bool(true) => f.write_str("True"),
            Value::Bool(false) => f.write_str("False"),
            Value::Int(value) => write!(f, "{value}"),
            Value::Float(value) => f.write_str(&float_repr(*value)),
            Value::Str(value) => write_str(f, value),
            Value::Bytes(value) => write_bytes(f, value),
            Value::List(values) => write_list(f, values),
            Value::Dict(values) => write_dict(f, values),
        }
    }
}

/// Python's `repr()` of a float: the fewest digits that read back as the same
/// number, with an exponent below 1e-4 and from 1e16 on.
pub fn float_repr(value: f64) -> String {
    if value.is_nan() {
        return "nan".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    // As many digits as Rust's shortest form has, `-1.5e-10` or `2e0`. That
    // one rounds a tie up and Python to even, as formats of a given precision
    // do; these may miss the number beside a power of two.
    let shortest = format!("{value:e}");
    let (mantissa, exponent) = shortest.split_once('e').unwrap_or((&shortest, "0"));
    let digits = mantissa.bytes().filter(u8::is_ascii_digit).count();
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if (-4..16).contains(&exponent) {
        let decimals = digits.saturating_add_signed(-1 - exponent as isize).max(1);
        let text = format!("{value:.decimals$}");
        return if reads_as(&text, value) { text } else { format!("{value:?}") };
    }
    let exact = format!("{value:.*e}", digits - 1);
    let mantissa = match exact.split_once('e') {
        Some((mantissa, _)) if reads_as(&exact, value) => mantissa,
        _ => mantissa,
    };
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.unsigned_abs())
}

fn reads_as(text: &str, value: f64) -> bool {
    text.parse() == Ok(value)
}

fn write_list(f: &mut Formatter<'_>, values: &[Value]) -> fmt::Result {
    f.write_char('[')?;
    for (at, value) in values.iter().enumerate() {
        write_comma(f, at)?;
        value.repr().fmt(f)?;
    }
    f.write_char(']')
}

fn write_dict(f: &mut Formatter<'_>, values: &Dict) -> fmt::Result {
    f.write_char('{')?;
    for (at, (key, value)) in values.iter().enumerate() {
        write_comma(f, at)?;
        write_str(f, key)?;
        f.write_str(": ")?;
        value.repr().fmt(f)?;
    }
    f.write_char('}')
}

fn write_comma(f: &mut Formatter<'_>, at: usize) -> fmt::Result {
    if at > 0 { f.write_str(", ") } else { Ok(()) }
}

fn write_str(f: &mut Formatter<'_>, value: &str) -> fmt::Result {
    let quote = quote(value.contains('\''), value.contains('"'));
    f.write_char(quote)?;
    for c in value.chars() {
        match c {
            '\\' => f.write_str("\\\\")?,
            '\n' => f.write_str("\\n")?,
            '\r' => f.write_str("\\r")?,
            '\t' => f.write_str("\\t")?,
            c if c == quote => write!(f, "\\{c}")?,
            c if is_printable(c) => f.write_char(c)?,
            c => write_escape(f, c)?,
        }
    }
    f.write_char(quote)
}

fn write_escape(f: &mut Formatter<'_>, c: char) -> fmt::Result {
    match u32::from(c) {
        code @ ..=0xff => write!(f, "\\x{code:02x}"),
        code @ 0x100..=0xffff => write!(f, "\\u{code:04x}"),
        code => write!(f, "\\U{code:08x}"),
    }
}

fn write_bytes(f: &mut Formatter<'_>, value: &[u8]) -> fmt::Result {
    let quote = quote(value.contains(&b'\''), value.contains(&b'"'));
    write!(f, "b{quote}")?;
    for &byte in value {
        match char::from(byte) {
            '\\' => f.write_str("\\\\")?,
            '\n' => f.write_str("\\n")?,
            '\r' => f.write_str("\\r")?,
            '\t' => f.write_str("\\t")?,
            c if c == quote => write!(f, "\\{c}")?,
            c if c == ' ' || c.is_ascii_graphic() => f.write_char(c)?,
            _ => write!(f, "\\x{byte:02x}")?,
        }
    }
    f.write_char(quote)
}

/// Python quotes with `'`, unless that alone is in the text.
fn quote(has_single: bool, has_double: bool) -> char {
    if has_single && !has_double { '"' } else { '\'' }
}

/// Python's `str.isprintable()` of one character.
fn is_printable(c: char) -> bool {
    if c.is_ascii() {
        return c == ' ' || c.is_ascii_graphic();
    }
    !matches!(
        c.general_category_group(),
        GeneralCategoryGroup::Other | GeneralCategoryGroup::Separator
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats() {
        for (value, text) in [
            (2.0, "2.0"),
            (-0.0, "-0.0"),
            (1e22, "1e+22"),
            (1e-7, "1e-07"),
            (1e16, "1e+16"),
            (1e15, "1000000000000000.0"),
            (123_456_789_012_345_680.0, "1.2345678901234568e+17"),
            (9_999_999_999_999_998.0, "9999999999999998.0"),
            (1e-4, "0.0001"),
            (1e-5, "1e-05"),
            (1.0 / 3.0, "0.3333333333333333"),
            (5e-324, "5e-324"),
            (f64::MAX, "1.7976931348623157e+308"),
            (-1.5e-10, "-1.5e-10"),
            (2_089_040_921_684_083.2, "2089040921684083.2"),
            (2f64.powi(-44), "5.684341886080802e-14"),
            (2f64.powi(89), "6.189700196426902e+26"),
            (1e100, "1e+100"),
            (f64::INFINITY, "inf"),
            (f64::NEG_INFINITY, "-inf"),
            (f64::NAN, "nan"),
        ] {
            assert_eq!(float_repr(value), text);
        }
    }

    #[test]
    fn strings() {
        for (value, text) in [
            ("", "''"),
            ("it's", "\"it's\""),
            ("say \"hi\"", "'say \"hi\"'"),
            ("it's \"x\"", "'it\\'s \"x\"'"),
            ("a\\b", "'a\\\\b'"),
            ("\n\r\t\0\x1f\x7f", "'\\n\\r\\t\\x00\\x1f\\x7f'"),
            ("é😀a\u{300}", "'é😀a\u{300}'"),
            ("\u{80}\u{a0}\u{ad}", "'\\x80\\xa0\\xad'"),
            ("\u{200b}\u{3000}\u{e000}", "'\\u200b\\u3000\\ue000'"),
            ("\u{378}\u{e0001}", "'\\u0378\\U000e0001'"),
        ] {
            assert_eq!(Value::from(value).repr().to_string(), text);
            assert_eq!(Value::from(value).to_string(), value);
        }
    }

    #[test]
    fn bytes() {
        for (value, text) in [
            (b"".as_slice(), "b''"),
            (b"a'", "b\"a'\""),
            (b"a'\"", "b'a\\'\"'"),
            (b"\\\n\r\t\0\x7f\xff", "b'\\\\\\n\\r\\t\\x00\\x7f\\xff'"),
        ] {
            assert_eq!(Value::Bytes(value.to_vec()).to_string(), text);
        }
    }

    #[test]
    fn containers() {
        let list = vec![Value::Int(1), Value::None, Value::Bool(true), Value::from("x'y")];
        let dict = Value::Dict(Dict::from([
            ("a".to_owned(), Value::List(list)),
            ("b".to_owned(), Value::Dict(Dict::new())),
            ("c".to_owned(), Value::Bytes(b"z".to_vec())),
        ]));
        let text = "{'a': [1, None, True, \"x'y\"], 'b': {}, 'c': b'z'}";
        assert_eq!(dict.to_string(), text);
        assert_eq!(Value::List(Vec::new()).to_string(), "[]");
    }
}
