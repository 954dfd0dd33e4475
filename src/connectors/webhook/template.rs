//! Templates: placeholders in the strings of a task's `custom`.

use crate::wire::python::{Dict, Value};

/// How many bytes filling in the templates of one task may read and write.
/// Nobody comes near, but few bytes of template and input can ask for any
/// amount: each placeholder may stand for a whole input.
const BUDGET: usize = 64 * 1024 * 1024;

/// A template that cannot be filled in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum TemplateError {
    #[error("Could not find the key {key} in {container}.")]
    MissingKey { key: String, container: String },
    #[error("The filled-in templates take more than {BUDGET} bytes")]
    TooLarge,
}

/// Fills in every string of `custom`, however deep, as flytekit's
/// `format_dict` does: the values of dicts and the items of lists, not keys.
///
/// `{inputs.a.b}` is a path into `{"inputs": inputs}`. A string that is nothing
/// but one placeholder becomes the value itself, in others its `str()` is put
/// in. A placeholder without a dot stays as it is, and nothing is escaped.
pub(super) fn fill_in(custom: Dict, inputs: Dict) -> Result<Dict, TemplateError> {
    let values = Dict::from([("inputs".to_owned(), Value::Dict(inputs))]);
    let mut filler = Filler { values: Value::Dict(values), budget: BUDGET };
    filler.dict(custom)
}

struct Filler {
    values: Value,
    budget: usize,
}

impl Filler {
    fn value(&mut self, template: Value) -> Result<Value, TemplateError> {
        match template {
            Value::Str(text) => self.text(text),
            Value::List(items) => items
                .into_iter()
                .map(|item| self.value(item))
                .collect::<Result<_, _>>()
                .map(Value::List),
            Value::Dict(items) => self.dict(items).map(Value::Dict),
            other => Ok(other),
        }
    }

    fn dict(&mut self, template: Dict) -> Result<Dict, TemplateError> {
        template.into_iter().map(|(key, item)| Ok((key, self.value(item)?))).collect()
    }

    /// The placeholders are those of the template, but each is looked for in
    /// the text as it has become: a value that holds a later placeholder, or
    /// leaves nothing but one, has the effects that it has in flytekit.
    fn text(&mut self, template: String) -> Result<Value, TemplateError> {
        let mut text = template.clone();
        for path in placeholders(&template).filter(|path| path.contains('.')) {
            let placeholder = format!("{{{path}}}");
            spend(&mut self.budget, text.len())?;
            let value = look_up(&self.values, path)?;
            if text == placeholder {
                spend(&mut self.budget, value.weight())?;
                return Ok(value.clone());
            }
            let count = text.matches(&placeholder).count();
            if count > 0 {
                let replacement = value.to_string();
                spend(&mut self.budget, replacement.len().saturating_mul(count))?;
                text = text.replace(&placeholder, &replacement);
            }
        }
        Ok(Value::Str(text))
    }
}

fn spend(budget: &mut usize, bytes: usize) -> Result<(), TemplateError> {
    *budget = budget.checked_sub(bytes).ok_or(TemplateError::TooLarge)?;
    Ok(())
}

/// What Python's `\{([^}]+)\}` finds: from a brace to the next closing one,
/// with anything but nothing between them.
fn placeholders(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        loop {
            let start = rest.find('{')? + 1;
            let end = start + rest[start..].find('}')?;
            let inner = &rest[start..end];
            rest = &rest[end + 1..];
            if !inner.is_empty() {
                return Some(inner);
            }
        }
    })
}

fn look_up<'a>(values: &'a Value, path: &str) -> Result<&'a Value, TemplateError> {
    path.split('.').try_fold(values, |value, key| {
        let found = match value {
            Value::Dict(items) => items.get(key),
            _ => None,
        };
        found.ok_or_else(|| TemplateError::MissingKey {
            key: key.to_owned(),
            container: value.to_string(),
        })
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn dict(json: serde_json::Value) -> Dict {
        match Value::from(json) {
            Value::Dict(dict) => dict,
            other => panic!("{other:?} is no dict"),
        }
    }

    fn inputs() -> Dict {
        let mut inputs = dict(json!({
            "e": "", "f": 2.0, "i": 7, "l": [1, "x'"], "m": {"k": 7},
            "n": null, "p": "{inputs.i}", "s": "hi", "t": true,
        }));
        inputs.insert("b".to_owned(), Value::Bytes(b"aGk=".to_vec()));
        inputs
    }

    fn filled(template: &str) -> Result<Value, TemplateError> {
        let custom = Dict::from([("x".to_owned(), Value::from(template))]);
        fill_in(custom, inputs()).map(|mut custom| custom.swap_remove("x").unwrap())
    }

    #[test]
    fn a_lone_placeholder_keeps_the_value() {
        for (template, value) in [
            ("{inputs.i}", Value::Int(7)),
            ("{inputs.f}", Value::Float(2.0)),
            ("{inputs.n}", Value::None),
            ("{inputs.t}", Value::Bool(true)),
            ("{inputs.b}", Value::Bytes(b"aGk=".to_vec())),
            ("{inputs.m.k}", Value::Int(7)),
            ("{inputs.p}", Value::from("{inputs.i}")),
            // what the first leaves is the second alone
            ("{inputs.e}{inputs.i}", Value::Int(7)),
        ] {
            assert_eq!(filled(template), Ok(value), "{template}");
        }
    }

    #[test]
    fn other_text_takes_pythons_str() {
        for (template, text) in [
            ("<{inputs.i}>", "<7>"),
            ("<{inputs.f}>", "<2.0>"),
            ("<{inputs.n}{inputs.t}>", "<NoneTrue>"),
            ("<{inputs.b}>", "<b'aGk='>"),
            ("<{inputs.l}>", "<[1, \"x'\"]>"),
            ("<{inputs.m}>", "<{'k': 7}>"),
            ("{inputs.i}{inputs.i}", "77"),
            (" {inputs.i}", " 7"),
            ("{}{inputs.i}", "{}7"),
            ("{e}{inputs.e}", "{e}"),
            // a value is searched for the placeholders that come later only
            ("{inputs.p} {inputs.i}", "7 7"),
            ("{inputs.i} {inputs.p}", "7 {inputs.i}"),
        ] {
            assert_eq!(filled(template), Ok(Value::from(text)), "{template}");
        }
    }

    #[test]
    fn what_is_no_path_stays() {
        for template in ["", "{}", "{inputs}", "}{", "{inputs.i", "inputs.i}", "{ i }"] {
            assert_eq!(filled(template), Ok(Value::from(template)));
        }
    }

    #[test]
    fn a_missing_key_names_itself_and_where() {
        for (template, text) in [
            ("{inputs.m.q}", "Could not find the key q in {'k': 7}."),
            ("{inputs.l.0}", "Could not find the key 0 in [1, \"x'\"]."),
            ("{inputs.s.z}", "Could not find the key z in hi."),
            ("{inputs.i.z}", "Could not find the key z in 7."),
            ("{inputs.m.}", "Could not find the key  in {'k': 7}."),
        ] {
            assert_eq!(filled(template).unwrap_err().to_string(), text);
        }
        let custom = || Dict::from([("x".to_owned(), Value::from("{{inputs.x}}"))]);
        assert_eq!(
            fill_in(custom(), dict(json!({"x": 5}))).unwrap_err().to_string(),
            "Could not find the key {inputs in {'inputs': {'x': 5}}."
        );
    }

    #[test]
    fn values_are_walked_and_keys_are_not() {
        let custom = dict(json!({
            "{inputs.i}": ["{inputs.i}", {"{inputs.s}": "{inputs.s}!"}, 5, null],
        }));
        assert_eq!(
            Value::Dict(fill_in(custom, inputs()).unwrap()).to_string(),
            "{'{inputs.i}': [7, {'{inputs.s}': 'hi!'}, 5, None]}"
        );
    }

    #[test]
    fn growth_is_bounded() {
        let inputs = || dict(json!({"a": "x".repeat(1 << 20)}));
        for template in [
            json!("{inputs.a} ".repeat(1 << 10)),
            json!(vec!["{inputs.a}"; 1 << 10]),
            json!("{inputs.b}{inputs.a}".repeat(1 << 18)),
        ] {
            let mut inputs = inputs();
            inputs.insert("b".to_owned(), Value::from(""));
            let custom = Dict::from([("x".to_owned(), Value::from(template))]);
            assert_eq!(fill_in(custom, inputs), Err(TemplateError::TooLarge));
        }
    }
}
