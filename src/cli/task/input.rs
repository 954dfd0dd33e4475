//! Inputs of a task, as they are written on the command line.

use std::str::FromStr;

use serde_json::Value;

use crate::wire::{
    flyteidl::core::{
        Literal, LiteralType, SimpleType, UnionType, Variable, literal_type::Type as Kind,
    },
    literal,
};

/// One input: `NAME=TEXT` is a string, `NAME:=JSON` is of the type of the JSON.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Input {
    /// The input's name.
    pub(super) name: String,
    value: Value,
}

/// Text that is no input.
#[derive(Debug, thiserror::Error)]
pub(super) enum InputError {
    #[error("there is no =; write NAME=TEXT for a string or NAME:=JSON for anything else")]
    NoValue,
    #[error("there is no name before the =")]
    NoName,
    #[error("the text after := is not JSON: {0}; write NAME=TEXT for a string")]
    Json(#[from] serde_json::Error),
}

impl FromStr for Input {
    type Err = InputError;

    fn from_str(text: &str) -> Result<Self, InputError> {
        let (name, value) = text.split_once('=').ok_or(InputError::NoValue)?;
        let (name, value) = match name.strip_suffix(':') {
            Some(name) => (name, serde_json::from_str(value)?),
            None => (name, Value::from(value)),
        };
        if name.is_empty() {
            return Err(InputError::NoName);
        }
        Ok(Self { name: name.to_owned(), value })
    }
}

impl Input {
    /// The value, as flytekit would send it.
    pub(super) fn literal(&self) -> Literal {
        literal::from_json(&self.value)
    }

    /// The input as an interface declares it: flytekit reads inputs by these
    /// types.
    pub(super) fn variable(&self) -> Variable {
        Variable {
            r#type: Some(type_of(&self.value)),
            description: self.name.clone(),
            ..Variable::default()
        }
    }
}

/// The type of what [`literal::from_json`] makes of a value.
fn type_of(value: &Value) -> LiteralType {
    match value {
        Value::Null => simple(SimpleType::None),
        Value::Bool(_) => simple(SimpleType::Boolean),
        Value::Number(number) if number.is_i64() => simple(SimpleType::Integer),
        Value::Number(_) => simple(SimpleType::Float),
        Value::String(_) => simple(SimpleType::String),
        Value::Array(values) => of(Kind::CollectionType(Box::new(item_type(values)))),
        Value::Object(_) => simple(SimpleType::Struct),
    }
}

/// The one type of a list's items: a union if they differ.
fn item_type(values: &[Value]) -> LiteralType {
    let mut types: Vec<LiteralType> = Vec::new();
    for value in values {
        let r#type = type_of(value);
        if !types.contains(&r#type) {
            types.push(r#type);
        }
    }
    match types.len() {
        0 => simple(SimpleType::None),
        1 => types.swap_remove(0),
        _ => of(Kind::UnionType(UnionType { variants: types })),
    }
}

fn simple(r#type: SimpleType) -> LiteralType {
    of(Kind::Simple(r#type.into()))
}

fn of(kind: Kind) -> LiteralType {
    LiteralType { r#type: Some(kind), ..LiteralType::default() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn input(text: &str) -> Input {
        text.parse().expect(text)
    }

    #[test]
    fn an_equals_sign_makes_a_string_and_a_colon_before_it_json() {
        for (text, value) in [
            ("x=5", json!("5")),
            ("x=", json!("")),
            ("x=a=b:=c", json!("a=b:=c")),
            ("x:=5", json!(5)),
            ("x:=\"5\"", json!("5")),
            ("x:= [1, null]", json!([1, null])),
        ] {
            assert_eq!(input(text).value, value, "{text}");
            assert_eq!(input(text).name, "x", "{text}");
        }
    }

    #[test]
    fn what_is_no_input_is_refused_with_the_reason() {
        for (text, reason) in [
            ("path", "no ="),
            ("=5", "no name"),
            (":=5", "no name"),
            ("x:=yes", "not JSON"),
            ("x:=", "not JSON"),
        ] {
            let error = text.parse::<Input>().expect_err(text).to_string();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }

    #[test]
    fn types_are_those_of_the_literals() {
        let kind = |text| type_of(&input(text).value);
        assert_eq!(kind("x=5"), simple(SimpleType::String));
        assert_eq!(kind("x:=5"), simple(SimpleType::Integer));
        assert_eq!(kind("x:=5.0"), simple(SimpleType::Float));
        assert_eq!(kind("x:=18446744073709551615"), simple(SimpleType::Float));
        assert_eq!(kind("x:=null"), simple(SimpleType::None));
        assert_eq!(kind("x:={\"a\": 1}"), simple(SimpleType::Struct));
        let list = |items| of(Kind::CollectionType(Box::new(items)));
        assert_eq!(kind("x:=[1, 2]"), list(simple(SimpleType::Integer)));
        assert_eq!(kind("x:=[[true]]"), list(list(simple(SimpleType::Boolean))));
        let variants = vec![simple(SimpleType::Integer), simple(SimpleType::String)];
        let either = of(Kind::UnionType(UnionType { variants }));
        assert_eq!(kind("x:=[1, \"a\", 2]"), list(either));
    }
}
