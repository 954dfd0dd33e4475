//! Literals into plain values.

use base64::{Engine, prelude::BASE64_STANDARD};
use prost_types::{Struct, value::Kind};

use super::{LiteralError, MSGPACK, msgpack, time};
use crate::wire::flyteidl::core::{
    Binary, Literal, LiteralMap, LiteralOffloadedMetadata, Primitive, Scalar, literal, primitive,
    scalar,
};
use crate::wire::python::{Dict, Value, dumps};

/// The plain value of a literal, as flytekit's `literal_string_repr` makes it.
///
/// Integers, floats, booleans and strings are themselves; a date is its ISO
/// text, a duration its seconds, an error its message; a blob, schema or
/// structured dataset is its URI; msgpack is the *text* of its JSON and any
/// other binary its base64, as `bytes`.
///
/// An empty structure is an empty dict, where flytekit fails.
pub fn to_value(literal: &Literal) -> Result<Value, LiteralError> {
    match &literal.value {
        Some(literal::Value::Scalar(scalar)) => scalar_value(scalar),
        Some(literal::Value::Collection(collection)) => {
            Ok(Value::List(collection.literals.iter().map(to_value).collect::<Result<_, _>>()?))
        }
        Some(literal::Value::Map(map)) => Ok(Value::Dict(map_to_dict(map)?)),
        Some(literal::Value::OffloadedMetadata(metadata)) => Ok(Value::Str(offloaded(metadata))),
        None => Err(LiteralError::LITERAL),
    }
}

/// The plain values of a map of literals, in the order of their names: the
/// wire keeps no order.
pub fn map_to_dict(map: &LiteralMap) -> Result<Dict, LiteralError> {
    let mut dict = map
        .literals
        .iter()
        .map(|(key, literal)| Ok((key.clone(), to_value(literal)?)))
        .collect::<Result<Dict, LiteralError>>()?;
    dict.sort_keys();
    Ok(dict)
}

/// A protobuf structure, for example a template's `custom`: every number in it
/// is a float. In the order of the names: the wire keeps no order.
pub fn struct_to_dict(structure: &Struct) -> Result<Dict, LiteralError> {
    structure.fields.iter().map(|(key, value)| Ok((key.clone(), struct_value(value)?))).collect()
}

fn struct_value(value: &prost_types::Value) -> Result<Value, LiteralError> {
    Ok(match &value.kind {
        None | Some(Kind::NullValue(_)) => Value::None,
        Some(Kind::BoolValue(value)) => Value::Bool(*value),
        Some(Kind::NumberValue(value)) if value.is_nan() => {
            return Err(LiteralError::Number("NaN"));
        }
        Some(Kind::NumberValue(value)) if value.is_infinite() => {
            return Err(LiteralError::Number("Infinity"));
        }
        Some(Kind::NumberValue(value)) => Value::Float(*value),
        Some(Kind::StringValue(value)) => Value::Str(value.clone()),
        Some(Kind::ListValue(list)) => {
            Value::List(list.values.iter().map(struct_value).collect::<Result<_, _>>()?)
        }
        Some(Kind::StructValue(structure)) => Value::Dict(struct_to_dict(structure)?),
    })
}

fn scalar_value(scalar: &Scalar) -> Result<Value, LiteralError> {
    Ok(match &scalar.value {
        Some(scalar::Value::Primitive(primitive)) => primitive_value(primitive)?,
        Some(scalar::Value::NoneType(_)) => Value::None,
        Some(scalar::Value::Error(error)) => Value::from(error.message.as_str()),
        Some(scalar::Value::StructuredDataset(dataset)) => Value::from(dataset.uri.as_str()),
        Some(scalar::Value::Schema(schema)) => Value::from(schema.uri.as_str()),
        Some(scalar::Value::Blob(blob)) => Value::from(blob.uri.as_str()),
        Some(scalar::Value::Binary(binary)) => binary_value(binary)?,
        Some(scalar::Value::Generic(structure)) => Value::Dict(struct_to_dict(structure)?),
        Some(scalar::Value::Union(union)) => match &union.value {
            Some(literal) => to_value(literal)?,
            None => return Err(LiteralError::LITERAL),
        },
        None => return Err(LiteralError::SCALAR),
    })
}

fn primitive_value(primitive: &Primitive) -> Result<Value, LiteralError> {
    Ok(match &primitive.value {
        Some(primitive::Value::Integer(value)) => Value::Int((*value).into()),
        Some(primitive::Value::FloatValue(value)) => Value::Float(*value),
        Some(primitive::Value::Boolean(value)) => Value::Bool(*value),
        Some(primitive::Value::StringValue(value)) => Value::from(value.as_str()),
        Some(primitive::Value::Datetime(value)) => Value::Str(time::isoformat(value)?),
        Some(primitive::Value::Duration(value)) => Value::Float(time::total_seconds(value)?),
        None => return Err(LiteralError::PRIMITIVE),
    })
}

fn binary_value(binary: &Binary) -> Result<Value, LiteralError> {
    if binary.tag == MSGPACK {
        Ok(Value::Str(dumps(&msgpack::decode(&binary.value)?)?))
    } else {
        let text = BASE64_STANDARD.encode(&binary.value);
        Ok(Value::Bytes(text.into_bytes()))
    }
}

/// Flytekit's text for a value that was too large to be sent along, without
/// its type.
fn offloaded(metadata: &LiteralOffloadedMetadata) -> String {
    let mut text =
        "Offloaded literal metadata: Flyte Serialized object (LiteralOffloadedMetadata):\n"
            .to_owned();
    let mut fields = Vec::new();
    if !metadata.uri.is_empty() {
        fields.push(format!("  uri: {}", metadata.uri));
    }
    if metadata.size_bytes != 0 {
        fields.push(format!("  size_bytes: {}", metadata.size_bytes));
    }
    text.push_str(&fields.join("\n"));
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use prost_types::Duration;

    use super::super::{collection, float, integer, none, scalar as scalar_literal, string};
    use super::*;
    use crate::wire::flyteidl::core::{Blob, Error, Schema, StructuredDataset, Union};

    fn number(value: f64) -> prost_types::Value {
        prost_types::Value { kind: Some(Kind::NumberValue(value)) }
    }

    fn structure(value: prost_types::Value) -> scalar::Value {
        scalar::Value::Generic(Struct { fields: BTreeMap::from([("a".to_owned(), value)]) })
    }

    #[test]
    fn scalars_read_as_in_flytekit() {
        let uri = "s3://b/k".to_owned();
        let duration = Duration { seconds: 1, nanos: 500_000_000 };
        for (value, repr) in [
            (
                scalar::Value::Primitive(Primitive {
                    value: Some(primitive::Value::Duration(duration)),
                }),
                "1.5",
            ),
            (
                scalar::Value::Error(Error {
                    message: "boom".to_owned(),
                    failed_node_id: "n0".to_owned(),
                }),
                "'boom'",
            ),
            (scalar::Value::Blob(Blob { uri: uri.clone(), ..Blob::default() }), "'s3://b/k'"),
            (scalar::Value::Schema(Schema { uri: uri.clone(), ..Schema::default() }), "'s3://b/k'"),
            (
                scalar::Value::StructuredDataset(StructuredDataset {
                    uri,
                    ..StructuredDataset::default()
                }),
                "'s3://b/k'",
            ),
            (
                scalar::Value::Binary(Binary {
                    value: b"hi".as_slice().into(),
                    tag: String::new(),
                }),
                "b'aGk='",
            ),
            (
                scalar::Value::Binary(Binary {
                    value: b"\x81\xa1a\xcb\x3f\xf0\0\0\0\0\0\0".as_slice().into(),
                    tag: MSGPACK.to_owned(),
                }),
                r#"'{"a": 1.0}'"#,
            ),
            (structure(number(1e22)), "{'a': 1e+22}"),
            (structure(prost_types::Value { kind: None }), "{'a': None}"),
            (scalar::Value::Generic(Struct::default()), "{}"),
            (
                scalar::Value::Union(Box::new(Union {
                    value: Some(Box::new(integer(4))),
                    ..Union::default()
                })),
                "4",
            ),
        ] {
            let value = to_value(&scalar_literal(value)).unwrap();
            assert_eq!(value.repr().to_string(), repr);
        }
    }

    #[test]
    fn containers_are_walked_and_maps_sorted() {
        let map = LiteralMap {
            literals: [
                ("b", collection(vec![integer(1), none()])),
                ("a", float(2.0)),
                ("c", string("x")),
            ]
            .map(|(key, literal)| (key.to_owned(), literal))
            .into(),
        };
        let literal = Literal { value: Some(literal::Value::Map(map)), ..Literal::default() };
        assert_eq!(to_value(&literal).unwrap().to_string(), "{'a': 2.0, 'b': [1, None], 'c': 'x'}");
    }

    #[test]
    fn offloaded_values_are_named() {
        let literal = Literal {
            value: Some(literal::Value::OffloadedMetadata(LiteralOffloadedMetadata {
                uri: "s3://x".to_owned(),
                size_bytes: 7,
                ..LiteralOffloadedMetadata::default()
            })),
            ..Literal::default()
        };
        assert_eq!(
            to_value(&literal).unwrap().to_string(),
            "Offloaded literal metadata: Flyte Serialized object \
             (LiteralOffloadedMetadata):\n  uri: s3://x\n  size_bytes: 7"
        );
    }

    #[test]
    fn what_has_no_value_says_so() {
        let unset = |value| to_value(&scalar_literal(value)).unwrap_err().to_string();
        assert_eq!(
            to_value(&Literal::default()).unwrap_err().to_string(),
            "Unknown literal type Flyte Serialized object (Literal):\n"
        );
        assert_eq!(
            unset(scalar::Value::Primitive(Primitive::default())),
            "Unknown primitive type Flyte Serialized object (Primitive):\n"
        );
        assert_eq!(
            unset(scalar::Value::Union(Box::default())),
            "Unknown literal type Flyte Serialized object (Literal):\n"
        );
        assert_eq!(
            unset(structure(number(f64::NAN))),
            "Fail to serialize NaN for Value.number_value, which would parse as string_value"
        );
        assert_eq!(
            unset(structure(number(f64::NEG_INFINITY))),
            "Fail to serialize Infinity for Value.number_value, which would parse as string_value"
        );
    }
}
