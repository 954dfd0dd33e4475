//! The inputs of a sensor's task, as its meta holds them.

use serde_json::{Map, Value};

use crate::{
    connector::{ConnectorError, TaskRequest},
    wire::{
        flyteidl::core::{Literal, Primitive, Scalar, literal, primitive, scalar},
        literal::to_value,
        python,
    },
};

/// The task's inputs as JSON: always those of the request, as in flytekit.
pub(super) fn read(task: &TaskRequest) -> Result<Map<String, Value>, ConnectorError> {
    let Some(inputs) = &task.inputs else {
        return Ok(Map::new());
    };
    // No larger than needed: the meta lives as long as the task.
    let mut read = Map::with_capacity(inputs.literals.len());
    for (name, literal) in &inputs.literals {
        let value = json(literal).map_err(|reason| {
            ConnectorError::invalid(format!("the sensor's input {name:?} cannot be used: {reason}"))
        })?;
        read.insert(name.clone(), value);
    }
    Ok(read)
}

/// What JSON can hold, by the literal itself: a sensor's `poke` gets it back
/// from the meta, so flytekit takes nothing else either.
fn json(literal: &Literal) -> Result<Value, String> {
    match &literal.value {
        Some(literal::Value::Scalar(scalar)) => scalar_json(scalar, literal),
        Some(literal::Value::Collection(list)) => list.literals.iter().map(json).collect(),
        Some(literal::Value::Map(map)) => {
            let entries = map.literals.iter();
            let entries = entries.map(|(key, value)| Ok((key.clone(), json(value)?)));
            entries.collect::<Result<Map<_, _>, String>>().map(Value::Object)
        }
        Some(literal::Value::OffloadedMetadata(_)) => Err("it is offloaded to a file".to_owned()),
        None => Err("it has no value".to_owned()),
    }
}

fn scalar_json(scalar: &Scalar, literal: &Literal) -> Result<Value, String> {
    match &scalar.value {
        Some(scalar::Value::Primitive(primitive)) => primitive_json(primitive),
        Some(scalar::Value::NoneType(_)) => Ok(Value::Null),
        Some(scalar::Value::Generic(_)) => {
            let value = to_value(literal).map_err(|error| error.to_string())?;
            parse(&python::dumps(&value).map_err(|error| error.to_string())?)
        }
        // The text that flytekit makes of msgpack is its JSON.
        Some(scalar::Value::Binary(binary)) if binary.tag == "msgpack" => {
            let text = to_value(literal).map_err(|error| error.to_string())?;
            parse(&text.to_string())
        }
        Some(scalar::Value::Binary(_)) => Err("it is binary".to_owned()),
        Some(scalar::Value::Union(_)) => Err("it is a union".to_owned()),
        Some(scalar::Value::Error(_)) => Err("it is an error".to_owned()),
        Some(
            scalar::Value::Blob(_) | scalar::Value::Schema(_) | scalar::Value::StructuredDataset(_),
        ) => Err("it is a file or a dataset; pass its path as a string".to_owned()),
        None => Err("it has no value".to_owned()),
    }
}

fn primitive_json(primitive: &Primitive) -> Result<Value, String> {
    match &primitive.value {
        Some(primitive::Value::StringValue(text)) => Ok(Value::from(text.as_str())),
        Some(primitive::Value::Integer(number)) => Ok(Value::from(*number)),
        Some(primitive::Value::Boolean(flag)) => Ok(Value::from(*flag)),
        Some(primitive::Value::FloatValue(number)) if number.is_finite() => {
            Ok(Value::from(*number))
        }
        Some(primitive::Value::FloatValue(number)) => Err(format!("it is {number}")),
        Some(primitive::Value::Datetime(_)) => {
            Err("it is a datetime; pass it as a string".to_owned())
        }
        Some(primitive::Value::Duration(_)) => {
            Err("it is a duration; pass it as a number of seconds".to_owned())
        }
        None => Err("it has no value".to_owned()),
    }
}

fn parse(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|error| format!("it is no JSON: {error}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::wire::{literal, python::Value as Python};

    #[test]
    fn what_json_can_hold_is_taken_by_its_own_type() {
        for (input, expected) in [
            (literal::string("5"), json!("5")),
            (literal::integer(5), json!(5)),
            (literal::float(2.0), json!(2.0)),
            (literal::boolean(true), json!(true)),
            (literal::none(), json!(null)),
            (literal::collection(vec![literal::integer(1)]), json!([1])),
            (literal::msgpack(&Python::from("x")), json!("x")),
        ] {
            assert_eq!(json(&input), Ok(expected));
        }
    }

    #[test]
    fn the_rest_is_refused_with_the_reason() {
        let union = Scalar { value: Some(scalar::Value::Union(Box::default())) };
        let union = Literal { value: Some(literal_value(union)), ..Literal::default() };
        for (input, reason) in
            [(literal::float(f64::NAN), "NaN"), (union, "union"), (Literal::default(), "no value")]
        {
            let error = json(&input).expect_err(reason);
            assert!(error.contains(reason), "{error}");
        }
    }

    fn literal_value(scalar: Scalar) -> super::literal::Value {
        super::literal::Value::Scalar(Box::new(scalar))
    }
}
