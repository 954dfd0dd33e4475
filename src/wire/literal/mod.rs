//! Literals: Flyte's values, from and into plain ones.
//!
//! [`to_value`] reads a literal as flytekit's connectors do
//! (`literal_string_repr`): a file becomes its URI, a date its ISO text, a
//! duration its seconds. The other functions make literals for outputs and
//! inputs.

mod msgpack;
mod read;
mod time;

use crate::wire::flyteidl::core::{
    Binary, Literal, LiteralCollection, Primitive, Scalar, Void, literal, primitive, scalar,
};
use crate::wire::python::{JsonError, Value};

pub use msgpack::MsgpackError;
pub use read::{map_to_dict, struct_to_dict, to_value};

/// The tag of binary literals that hold msgpack.
const MSGPACK: &str = "msgpack";

/// A literal that has no plain value. The texts are flytekit's where it has
/// any.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LiteralError {
    /// A literal, scalar or primitive in which nothing is set, or something
    /// that this version of the protocol does not know.
    #[error("Unknown {kind} type Flyte Serialized object ({message}):\n")]
    Unset {
        /// `literal`, `scalar` or `primitive`.
        kind: &'static str,
        /// The name of its message.
        message: &'static str,
    },
    /// A date outside the years 1 to 9999, in protobuf's words.
    #[error("Timestamp is not valid: {field} {value} must be in {range}.")]
    Timestamp {
        /// `Seconds` or `Nanos`.
        field: &'static str,
        /// What was sent.
        value: i64,
        /// What is allowed.
        range: &'static str,
    },
    /// A duration of more days than Python's `timedelta` has room for.
    #[error("days={days}; must have magnitude <= 999999999")]
    Duration {
        /// The length of the duration.
        days: i64,
    },
    /// A structure with a number that JSON lacks.
    #[error("Fail to serialize {0} for Value.number_value, which would parse as string_value")]
    Number(&'static str),
    /// Bytes that are not the msgpack of a JSON value.
    #[error(transparent)]
    Msgpack(#[from] MsgpackError),
    /// Msgpack of a value that JSON lacks.
    #[error(transparent)]
    Json(#[from] JsonError),
}

impl LiteralError {
    const LITERAL: Self = Self::unset("literal", "Literal");
    const SCALAR: Self = Self::unset("scalar", "Scalar");
    const PRIMITIVE: Self = Self::unset("primitive", "Primitive");

    const fn unset(kind: &'static str, message: &'static str) -> Self {
        Self::Unset { kind, message }
    }
}

/// A string literal.
pub fn string(value: impl Into<String>) -> Literal {
    primitive(primitive::Value::StringValue(value.into()))
}

/// An integer literal.
pub fn integer(value: i64) -> Literal {
    primitive(primitive::Value::Integer(value))
}

/// A float literal.
pub fn float(value: f64) -> Literal {
    primitive(primitive::Value::FloatValue(value))
}

/// A boolean literal.
pub fn boolean(value: bool) -> Literal {
    primitive(primitive::Value::Boolean(value))
}

/// The literal of `None`.
pub fn none() -> Literal {
    scalar(scalar::Value::NoneType(Void {}))
}

/// A list of literals.
pub fn collection(literals: Vec<Literal>) -> Literal {
    Literal {
        value: Some(literal::Value::Collection(LiteralCollection { literals })),
        ..Literal::default()
    }
}

/// A literal of msgpack: how flytekit writes dicts and dataclasses.
///
/// Integers beyond 64 bits, which no literal holds, become floats.
pub fn msgpack(value: &Value) -> Literal {
    scalar(scalar::Value::Binary(Binary {
        value: msgpack::encode(value).into(),
        tag: MSGPACK.to_owned(),
    }))
}

/// The literal that flytekit would make of a JSON value: primitives, lists as
/// collections, objects as msgpack. A number without a fraction that fits an
/// `int64` is an integer, any other a float.
pub fn from_json(value: &serde_json::Value) -> Literal {
    match value {
        serde_json::Value::Null => none(),
        serde_json::Value::Bool(value) => boolean(*value),
        serde_json::Value::Number(number) => match number.as_i64() {
            Some(value) => integer(value),
            None => float(number.as_f64().unwrap_or(f64::NAN)),
        },
        serde_json::Value::String(value) => string(value),
        serde_json::Value::Array(values) => collection(values.iter().map(from_json).collect()),
        serde_json::Value::Object(_) => msgpack(&value.clone().into()),
    }
}

fn primitive(value: primitive::Value) -> Literal {
    scalar(scalar::Value::Primitive(Primitive { value: Some(value) }))
}

fn scalar(value: scalar::Value) -> Literal {
    Literal {
        value: Some(literal::Value::Scalar(Box::new(Scalar { value: Some(value) }))),
        ..Literal::default()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn json_comes_back_as_the_value_it_was() {
        for json in
            [json!(null), json!(true), json!(-5), json!(2.5), json!("x"), json!([1, [2.0, "y"]])]
        {
            let value = to_value(&from_json(&json)).unwrap();
            assert_eq!(value, Value::from(json));
        }
    }

    #[test]
    fn json_objects_are_msgpack_and_read_as_text() {
        let literal = from_json(&json!({"b": [1, null], "a": "é"}));
        let text = r#"{"b": [1, null], "a": "\u00e9"}"#;
        assert_eq!(to_value(&literal), Ok(Value::from(text)));
    }
}
