//! The values themselves.

use indexmap::IndexMap;

/// A Python dict with keys of type `str`, in the order of insertion.
pub type Dict = IndexMap<String, Value>;

/// A value of one of Python's plain types: what flytekit makes of a literal.
///
/// Its [`Display`](std::fmt::Display) is Python's `str()`, [`Value::repr`] is
/// Python's `repr()`.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `None`.
    None,
    /// `bool`.
    Bool(bool),
    /// `int`, of which only those of 64 bits arrive, signed or not.
    Int(i128),
    /// `float`.
    Float(f64),
    /// `str`.
    Str(String),
    /// `bytes`.
    Bytes(Vec<u8>),
    /// `list`.
    List(Vec<Value>),
    /// `dict`.
    Dict(Dict),
}

impl Value {
    /// Python's `bool()` of the value: false for `None`, zero and what is
    /// empty.
    pub fn is_truthy(&self) -> bool {
        match self {
            Self::None => false,
            Self::Bool(value) => *value,
            Self::Int(value) => *value != 0,
            Self::Float(value) => *value != 0.0,
            Self::Str(value) => !value.is_empty(),
            Self::Bytes(value) => !value.is_empty(),
            Self::List(values) => !values.is_empty(),
            Self::Dict(values) => !values.is_empty(),
        }
    }

    /// The name of the value's Python type, for example `NoneType`.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::None => "NoneType",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Float(_) => "float",
            Self::Str(_) => "str",
            Self::Bytes(_) => "bytes",
            Self::List(_) => "list",
            Self::Dict(_) => "dict",
        }
    }

    /// About how many bytes the value takes, at least one: to bound copies.
    pub fn weight(&self) -> usize {
        1 + match self {
            Self::None | Self::Bool(_) | Self::Int(_) | Self::Float(_) => 0,
            Self::Str(value) => value.len(),
            Self::Bytes(value) => value.len(),
            Self::List(values) => values.iter().map(Self::weight).sum(),
            Self::Dict(values) => {
                values.iter().map(|(key, value)| key.len() + value.weight()).sum()
            }
        }
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Int(value.into())
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Float(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Str(value.to_owned())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::Str(value)
    }
}

impl From<Vec<Value>> for Value {
    fn from(values: Vec<Value>) -> Self {
        Self::List(values)
    }
}

impl From<Dict> for Value {
    fn from(values: Dict) -> Self {
        Self::Dict(values)
    }
}

impl From<serde_json::Value> for Value {
    /// What `json.loads` makes of it: a number without a fraction that fits
    /// 64 bits is an `int`, any other a `float`.
    fn from(value: serde_json::Value) -> Self {
        match value {
            serde_json::Value::Null => Self::None,
            serde_json::Value::Bool(value) => Self::Bool(value),
            serde_json::Value::Number(number) => number_value(&number),
            serde_json::Value::String(value) => Self::Str(value),
            serde_json::Value::Array(values) => {
                Self::List(values.into_iter().map(Self::from).collect())
            }
            serde_json::Value::Object(values) => Self::Dict(
                values.into_iter().map(|(key, value)| (key, Self::from(value))).collect(),
            ),
        }
    }
}

fn number_value(number: &serde_json::Number) -> Value {
    match number.as_i128() {
        Some(value) => Value::Int(value),
        None => number.as_f64().map_or(Value::None, Value::Float),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn truth_is_pythons() {
        for (value, truth) in [
            (Value::None, false),
            (Value::Bool(true), true),
            (Value::Int(0), false),
            (Value::Float(-0.0), false),
            (Value::Float(f64::NAN), true),
            (Value::from(""), false),
            (Value::from("false"), true),
            (Value::Bytes(Vec::new()), false),
            (Value::List(vec![Value::None]), true),
            (Value::Dict(Dict::new()), false),
        ] {
            assert_eq!(value.is_truthy(), truth, "{value:?}");
        }
    }

    #[test]
    fn json_keeps_whole_numbers_apart_from_fractions() {
        let json = serde_json::json!({"b": [1, 1.0, -5, u64::MAX, 1e30, null], "a": "x"});
        assert_eq!(
            Value::from(json).to_string(),
            "{'b': [1, 1.0, -5, 18446744073709551615, 1e+30, None], 'a': 'x'}"
        );
    }
}
