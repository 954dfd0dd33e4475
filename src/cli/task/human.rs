//! Replies as text for people.

use std::fmt::Write;

use jiff::Timestamp;
use prost_types::Struct;

use super::{
    json::{self, names},
    phase,
};
use crate::wire::{
    flyteidl::{
        admin::{LogLine, Resource},
        core::{ExecutionMetricResult, Literal, TaskLog, literal, scalar},
    },
    literal::{self as literals, struct_to_dict},
    python::{self, Value},
};

/// A resource, a field a line.
pub(super) fn resource(resource: &Resource) -> String {
    let mut out = String::new();
    field(&mut out, "phase", phase::of(resource).as_str_name());
    if !resource.message.is_empty() {
        field(&mut out, "message", &printable(&resource.message));
    }
    if let Some(error) = &resource.agent_error {
        let kind = error.kind().as_str_name();
        let origin = error.origin().as_str_name();
        let code = printable(&error.code);
        field(&mut out, "error", &format!("{code} ({kind}, {origin})"));
    }
    for link in &resource.log_links {
        field(&mut out, "link", &self::link(link));
    }
    if let Some(outputs) = &resource.outputs {
        let mut outputs: Vec<_> = outputs.literals.iter().collect();
        outputs.sort_by_key(|(name, _)| *name);
        for (name, value) in outputs {
            let text = format!("{} = {}", printable(name), self::literal(value));
            field(&mut out, "output", &text);
        }
    }
    if let Some(info) = &resource.custom_info {
        field(&mut out, "info", &structure(info));
    }
    out.truncate(out.trim_end().len());
    out
}

/// A line of a log behind its time, in RFC 3339.
pub(super) fn log_line(line: &LogLine) -> String {
    let message = printable(&line.message);
    let time = line.timestamp.and_then(|time| Timestamp::new(time.seconds, time.nanos).ok());
    match time {
        Some(time) => format!("{time:.3} {message}"),
        None => message,
    }
}

/// A metric and its points.
pub(super) fn metric(metric: &ExecutionMetricResult) -> String {
    let data = metric.data.as_ref().map_or_else(String::new, structure);
    format!("{}: {data}", printable(&metric.metric))
}

/// A link: its name and where it leads.
pub(super) fn link(link: &TaskLog) -> String {
    match link.name.as_str() {
        "" => printable(&link.uri),
        name => format!("{}: {}", printable(name), printable(&link.uri)),
    }
}

/// Text from elsewhere without what could steer a terminal.
pub(super) fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\t' => out.push(c),
            c if c.is_control() => out.extend(c.escape_default()),
            c => out.push(c),
        }
    }
    out
}

/// Writes a name and what belongs to it, further lines of it indented.
fn field(out: &mut String, name: &str, text: &str) {
    let text = text.trim_end().replace('\n', "\n  ");
    // Writing into a string does not fail.
    let _ = writeln!(out, "{name}: {text}");
}

/// A literal's value as JSON; as protobuf's JSON if it has no plain value.
fn literal(literal: &Literal) -> String {
    let plain = value(literal).and_then(|value| text(&value));
    plain
        .or_else(|| json::text(names::LITERAL, literal).ok())
        .map_or_else(|| "?".to_owned(), |text| printable(&text))
}

/// The plain value. Other than for a connector, msgpack is what it holds and
/// not the text of it, also inside lists and maps.
fn value(literal: &Literal) -> Option<Value> {
    match &literal.value {
        Some(literal::Value::Collection(items)) => {
            let items: Option<Vec<_>> = items.literals.iter().map(value).collect();
            items.map(Value::List)
        }
        Some(literal::Value::Map(map)) => {
            let mut entries: Vec<_> = map.literals.iter().collect();
            entries.sort_by_key(|(key, _)| *key);
            let entries = entries.into_iter();
            let entries: Option<_> = entries.map(|(k, v)| Some((k.clone(), value(v)?))).collect();
            entries.map(Value::Dict)
        }
        _ => match (literals::to_value(literal).ok()?, is_binary(literal)) {
            (Value::Str(json), true) => serde_json::from_str::<serde_json::Value>(&json)
                .map_or(Some(Value::Str(json)), |json| Some(Value::from(json))),
            (plain, _) => Some(plain),
        },
    }
}

fn is_binary(literal: &Literal) -> bool {
    match &literal.value {
        Some(literal::Value::Scalar(scalar)) => {
            matches!(scalar.value, Some(scalar::Value::Binary(_)))
        }
        _ => false,
    }
}

fn structure(structure: &Struct) -> String {
    let plain = struct_to_dict(structure).ok();
    plain
        .and_then(|dict| text(&Value::Dict(dict)))
        .map_or_else(|| format!("{structure:?}"), |text| printable(&text))
}

/// JSON on one line; bytes and numbers that JSON lacks as Python writes them.
fn text(value: &Value) -> Option<String> {
    python::dumps_compact(value).or_else(|_| python::dumps(value)).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        connector::Phase,
        wire::flyteidl::core::{Binary, LiteralMap, Scalar},
    };

    fn binary(tag: &str, value: &'static [u8]) -> Literal {
        let value = scalar::Value::Binary(Binary { value: value.into(), tag: tag.to_owned() });
        Literal {
            value: Some(literal::Value::Scalar(Box::new(Scalar { value: Some(value) }))),
            ..Literal::default()
        }
    }

    #[test]
    fn a_resource_is_a_field_a_line() {
        let info = json::message(names::STRUCT, json!({"retries": 2, "é": [null]}));
        let outputs = [
            ("o1".to_owned(), literals::from_json(&json!([{"a": 1.5}, "é"]))),
            ("o0".to_owned(), literals::integer(5)),
        ];
        let described = resource(&Resource {
            phase: Phase::Failed.into(),
            message: "it broke:\n  here\n".to_owned(),
            log_links: vec![TaskLog {
                name: "Console".to_owned(),
                uri: "http://backend/1".to_owned(),
                ..TaskLog::default()
            }],
            outputs: Some(LiteralMap { literals: outputs.into() }),
            custom_info: Some(info.expect("a structure")),
            ..Resource::default()
        });
        let expected = [
            "phase: FAILED",
            "message: it broke:",
            "    here",
            "link: Console: http://backend/1",
            "output: o0 = 5",
            "output: o1 = [{\"a\":1.5},\"é\"]",
            "info: {\"retries\":2.0,\"é\":[null]}",
        ];
        assert_eq!(described.lines().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_literal_without_a_plain_value_is_shown_all_the_same() {
        for (value, text) in [
            (literals::float(f64::NAN), "NaN"),
            (literals::collection(vec![literals::none()]), "[null]"),
            (literals::string("\u{1b}[2J"), "\"\\u001b[2J\""),
            (binary("png", b"\x01\x02"), r#"{"scalar":{"binary":{"value":"AQI=","tag":"png"}}}"#),
            (
                binary("msgpack", b"\x92"),
                r#"{"scalar":{"binary":{"value":"kg==","tag":"msgpack"}}}"#,
            ),
            (Literal::default(), "{}"),
        ] {
            assert_eq!(literal(&value), text);
        }
    }

    #[test]
    fn a_log_line_begins_with_its_time_if_it_has_one() {
        let line = |timestamp| {
            log_line(&LogLine { timestamp, message: "created".to_owned(), ..LogLine::default() })
        };
        let at = |seconds| Some(prost_types::Timestamp { seconds, nanos: 14_000_000 });
        assert_eq!(line(at(1_795_253_400)), "2026-11-21T09:30:00.014Z created");
        assert_eq!(line(at(i64::MAX)), "created");
        assert_eq!(line(None), "created");
    }
}
